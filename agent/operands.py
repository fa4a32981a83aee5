"""Finds the value of a tool's operand that the question only names ("the contract date") in the evidence.

Pure functions over passages. They take the value nearest to the words of the phrase, and never guess: a
phrase whose words are not there is a `ToolError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agent.state import Evidence, Span
from retrieval.split import sentences
from retrieval.tokens import lexical_tokens, query_terms
from tools import Call, Operand, ToolError
from tools.dates import find_dates
from tools.numbers import find_numbers

ENOUGH_OF_PHRASE = 0.6  # share of a phrase's words that must stand in the sentence or its heading

# The kind of the operand says as much: "the contract date" may stand as "the contract was signed on ...".
KIND_WORDS = frozenset("date day time number amount 日期 时间 時間 日子 金额 金額 数量 數量".split())

Value = tuple[int, int, str]  # start and end within a sentence, and the value as a tool reads it


def fill_operands(call: Call, evidence: Sequence[Evidence]) -> tuple[Call, list[Span]]:
    """The call with every phrase replaced by a value, and the spans the values stand in.

    Raises `ToolError` naming the first phrase for which the evidence holds no value.
    """
    operands: list[Operand] = []
    spans: list[Span] = []
    for operand in call["operands"]:
        if not operand["phrase"]:
            operands.append(operand)
            continue
        value, span = _look_up(operand["phrase"], operand["kind"], evidence)
        operands.append({"kind": operand["kind"], "value": value, "phrase": None})
        spans.append(span)
    return {**call, "operands": operands}, spans


def _look_up(phrase: str, kind: str, evidence: Sequence[Evidence]) -> tuple[str, Span]:
    """The best value for a phrase: most of its words, then nearest to them, then first in the evidence."""
    wanted = {term for term in query_terms(phrase) if term not in KIND_WORDS} or set(query_terms(phrase))
    found: list[tuple[float, int, int, str, Span]] = []
    for item in evidence:
        if item["kind"] != "passage":
            continue
        context = set(lexical_tokens(f"{item['title']} {item['heading']}"))
        for start, end in sentences(item["text"]):
            sentence = item["text"][start:end]
            share = len(wanted & (set(lexical_tokens(sentence)) | context)) / len(wanted)
            if share < ENOUGH_OF_PHRASE or not wanted & set(lexical_tokens(sentence)):
                continue
            for left, right, value in _values(kind, sentence):
                span: Span = {
                    "evidence": item["number"],
                    "start": item["start"] + start,
                    "end": item["start"] + end,
                }
                distance = _distance(sentence, wanted, left, right)
                found.append((-share, distance, item["number"], value, span))
    if not found:
        raise ToolError(f"no {kind} found in your files for {phrase!r}")
    best = min(found, key=lambda row: row[:3])
    return best[3], best[4]


def _values(kind: str, sentence: str) -> Iterator[Value]:
    if kind == "date":
        for date in find_dates(sentence):
            if date.to_date():
                yield date.start, date.end, date.iso
        return
    dates = find_dates(sentence)
    for number in find_numbers(sentence):
        inside = any(d.start < number.end and number.start < d.end for d in dates)
        if not inside and number.unit != "ordinal":
            yield number.start, number.end, sentence[number.start : number.end]


def _distance(sentence: str, wanted: set[str], left: int, right: int) -> int:
    """Characters between a value and the nearest word of the phrase."""
    folded = sentence.casefold()
    places = [folded.find(term) for term in wanted if term in folded]
    return min((abs(place - left) if place < left else abs(place - right) for place in places), default=999)
