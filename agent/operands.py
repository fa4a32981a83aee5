"""Finds the value of a tool's operand that the question only names ("the contract date") in the evidence.

Pure functions over passages. They do not guess: a phrase of which a word is missing, a value that is denied
or doubted, and several values that fit equally well are a `ToolError`, and then nothing is computed. They do
not convert units.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.critic.checks import denies_or_doubts
from agent.reasoners.features import says, stems
from agent.state import Evidence, Span
from retrieval.split import sentences
from retrieval.tokens import STOP_WORDS, fold, is_chinese, lexical_tokens, segments
from tools import Call, Operand, ToolError
from tools.dates import find_dates
from tools.numbers import find_numbers

# The kind of the operand says as much: "the contract date" may stand as "the contract was signed on ...".
KIND_WORDS = frozenset("date day time number amount 日期 日子 时间 時間 日 那天 金额 金額 数量 數量".split())
BEFORE_PENALTY = 60  # characters: a value before the words is less likely theirs than one after
FIRST_YEAR, LAST_YEAR = 1500, 2100
LIST_WORDS = 3  # values with no more words between them are a list or a range, of which none can be picked

_LETTER = re.compile(r"(?<=\s)[A-Z](?!\w)")  # the A of "flat A": what tells two things apart
_WORD = re.compile(r"\w+")

Value = tuple[int, int, str]  # start and end within a sentence, and the value as a tool reads it


def fill_operands(call: Call, evidence: Sequence[Evidence]) -> tuple[Call, list[Span]]:
    """The call with every phrase replaced by a value, and the spans the values stand in.

    Raises `ToolError` naming the first phrase for which the evidence holds no value, or several.
    """
    operands: list[Operand] = []
    spans: list[Span] = []
    taken: set[tuple[int, int, str]] = set()
    for operand in call["operands"]:
        phrase = operand["phrase"]
        if not phrase:
            operands.append(operand)
            continue
        value, span, place = _look_up(phrase, operand["kind"], evidence)
        if place in taken:
            raise ToolError(f"two things would take the same value, {value}: name them more exactly")
        taken.add(place)
        operands.append({"kind": operand["kind"], "value": value, "phrase": None})
        spans.append(span)
    return {**call, "operands": operands}, spans


def _look_up(phrase: str, kind: str, evidence: Sequence[Evidence]) -> tuple[str, Span, tuple[int, int, str]]:
    """The one value for a phrase, the sentence it stands in, and what tells its place from others."""
    needed = _needed(phrase)
    words = [token for token in lexical_tokens(phrase) if token not in STOP_WORDS]
    found: list[tuple[str, Span, tuple[int, int, str]]] = []
    literal: list[tuple[str, Span, tuple[int, int, str]]] = []
    for item in evidence:
        if item["kind"] != "passage":
            continue
        context = f"{item['title']} {item['heading']}"
        for start, end in sentences(item["text"]):
            sentence = item["text"][start:end]
            if not _names(needed, sentence, context) or denies_or_doubts(sentence):
                continue
            value = _nearest(needed, kind, sentence, phrase)
            if value:
                place = (item["document_id"], item["start"] + start + value[0], value[2])
                span: Span = {
                    "evidence": item["number"],
                    "start": item["start"] + start,
                    "end": item["start"] + end,
                }
                found.append((value[2], span, place))
                # "the monthly rent" is not in "two months' rent", though its stems are.
                if words and says(lexical_tokens(sentence), words):
                    literal.append(found[-1])
    found = literal or found
    values = list(dict.fromkeys(value for value, _, _ in found))
    if not found:
        raise ToolError(f"no {kind} found in your files for {phrase!r}")
    if len(values) > 1:
        raise ToolError(f"several values fit {phrase!r} ({', '.join(values[:4])}): say which one is meant")
    return found[0]


def _needed(phrase: str) -> frozenset[str]:
    """What must stand in a sentence or its headings: stems, Chinese words, and single capital letters."""
    if is_chinese(phrase):
        words = {fold(phrase[a:b]) for a, b in segments(phrase) if phrase[a:b].strip()}
    else:
        words = {stem for stem in stems(phrase) if stem not in STOP_WORDS} | set(_LETTER.findall(phrase))
    kept = {word for word in words if word not in KIND_WORDS and word not in STOP_WORDS}
    return frozenset(kept or words)


def _names(needed: frozenset[str], sentence: str, context: str) -> bool:
    """Whether all that is needed is there, and not in the headings alone."""
    own = [word for word in needed if _says(sentence, word)]
    return bool(own) and all(word in own or _says(context, word) for word in needed)


def _says(text: str, word: str) -> bool:
    if is_chinese(word):
        return word in fold(text)
    if len(word) == 1 and word.isupper():
        return bool(re.search(rf"(?<!\w){word}(?!\w)", text))
    return word in stems(text)


def _nearest(needed: frozenset[str], kind: str, sentence: str, phrase: str) -> Value | None:
    """The value that the words of the phrase lead to. Raises `ToolError` for one of a list or a range."""
    values = list(_values(kind, sentence))
    ends = _ends(needed, sentence)
    if not values:
        return None

    def distance(value: Value) -> int:
        start, end, _ = value
        after = [start - place for place in ends if place <= start]
        before = [place - end + BEFORE_PENALTY for place in ends if place > start]
        return min(after + before, default=999)

    best = min(values, key=distance)
    for other in values:
        between = sentence[min(best[1], other[1]) : max(best[0], other[0])]
        if other[2] != best[2] and len(_WORD.findall(between)) <= LIST_WORDS and distance(other) < 999:
            raise ToolError(f"several values fit {phrase!r} ({best[2]}, {other[2]}): say which one is meant")
    return best


def _ends(needed: frozenset[str], sentence: str) -> list[int]:
    """Offsets at which a word of the phrase ends in a sentence."""
    found = [match.end() for match in _WORD.finditer(sentence) if set(stems(match.group())) & needed]
    folded = fold(sentence)
    if len(folded) == len(sentence):  # else widths changed and offsets would lie
        for word in needed:
            if is_chinese(word):
                found += [match.end() for match in re.finditer(re.escape(word), folded)]
    return found


def _values(kind: str, sentence: str) -> Iterator[Value]:
    dates = find_dates(sentence)
    if kind == "date":
        for date in dates:
            if date.to_date():
                yield date.start, date.end, date.iso
        return
    # "from 1000 to 2000" reads like years; a year by itself has to be a likely one.
    dates = [d for d in dates if d.month or FIRST_YEAR <= (d.year or 0) <= LAST_YEAR]
    for number in find_numbers(sentence):
        inside = any(d.start < number.end and number.start < d.end for d in dates)
        if not inside and number.unit not in ("ordinal", "%"):
            yield number.start, number.end, sentence[number.start : number.end]
