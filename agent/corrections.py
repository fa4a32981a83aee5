"""Corrections: a user says that an answer, or what he told himself, was wrong, and what is right if he knows.

With the right answer it is evidence of its own kind, "you said on ...", before all else for the same question.
Without, what the wrong answer quoted is left out for that question, wherever it stands. It can be undone. Files
are never changed by it. It reads wordings, not meaning.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from agent.likeness import denies, key_of, same_words, terms_of
from agent.reasoners.language import answer_type_of, has_answer_of_type, is_small_talk, names_in
from agent.state import AnswerType, Evidence, Place, Told
from agent.statements import kind_of, kind_told, with_value
from agent.telling import MAX_CHARS, stated
from agent.unsearched import USER
from retrieval.library import Library
from retrieval.records import Record
from retrieval.store import Store
from retrieval.tokens import has_cjk, simplified

SHORTEST = 8  # characters of a passage beside what is left out of it, and of a quotation cut by its border
RECENT_TURNS = 6  # among which the one that is corrected is looked for

_WRONG_EN = (
    r"(?:(?:no|sorry)[,.!]? +)?(?:(?:that|this|it|the answer|your answer)(?:['’]s| is| was)|you(?: are|['’]re))"
    r" (?:wrong|incorrect|not (?:right|correct|true))|(?:that|this|it) isn['’]t (?:right|correct|true)"
    r"|wrong(?: answer)?|incorrect"
)
_IS_EN = r"(?:actually,? +)?(?:it(?:['’]s| is| was| should be)|the (?:right|correct) (?:answer|one) is|the answer is)"
_WRONG_ZH = (
    "(?:这个?|你的?|你说的|刚才的?)?(?:答案|回答)?(?:是)?(?:不对|错了|错的|错误|不正确|说错了)[了啊呀吧]?"
)
_IS_ZH = "(?:正确的?(?:答案)?(?:应该)?是|应该是|应为|答案是|其实是)"
_CORRECTION = re.compile(
    rf"\W*(?:(?:{_WRONG_EN})|{_WRONG_ZH})\W*"
    rf"|\W*(?:{_WRONG_EN})\W*\s{_IS_EN}[ :]+(?P<en>.+)"
    rf"|\W*(?:{_WRONG_EN})\s*(?:[,.;:!]+\s|\s[—–-]+\s)\s*(?P<after>.+)"
    rf"|\W*(?:{_WRONG_ZH})(?:{_IS_ZH}|[，。,.!！：: ]+(?:{_IS_ZH}|是))[：: ]*(?P<zh>.+)"
    rf"|\W*(?:{_WRONG_ZH})[，。,.!！：:；; ]+(?P<after_zh>.+)"
    rf"|\W*(?:nope\b|no\b|actually\b)[,.!:]* *(?:[—–-]+ *)?{_IS_EN} (?P<no>.+)"
    rf"|\W*(?:不是?|错)[，, ]+(?:{_IS_ZH}|是)(?P<no_zh>.+)"
    # "it is not 12 May, it is 19 May", 不是5月12日，是5月19日
    rf"|\W*(?:(?:no[,.!]? +)?it(?:['’]s not| is not| isn['’]t)|no[,.!]? +not) (?!that|this)[^,;.]{{1,60}}(?:[,;.] *(?:but|{_IS_EN})| but) (?P<not>.+)"
    rf"|\W*(?:no[,.!]? +)?{_IS_EN} (?P<not_that>[^,;]{{1,60}}), (?:and )?not [^,;]{{1,60}}"
    rf"|\W*(?:不[，, ]*)?不是[^，,。；]{{1,30}}[，,。；] *(?:而是|{_IS_ZH}|是)(?P<not_zh>.+)"
    # "no, the rent is 950 euros": of what was asked
    r"|\W*(?:no(?:pe)?\b[,.!:]+ *|不[，, ]+)(?:the )?(?P<of>[^,;.，；。]{2,60}?)(?: is | was |是|为)(?P<no_of>[^,;，；]+)",
    re.IGNORECASE | re.DOTALL,
)
_NOUN_EN = re.compile(
    r"(?:(?:in|on|at|from|by|to|with|about|between) )?(?:(?:the|an?|my|our|your|his|her|their|its) )?(?P<noun>[\w'’-]+)",
    re.IGNORECASE,
)
# What asks for more, and gives no right answer: "that's wrong, check page 3".
_ASKS_ON = re.compile(
    r"(?:please|check|look|see|read|try|search|find|ask|stated|listed|written|mentioned|i (?:asked|meant|mean|want|wanted|said)|what about|how about)\b"
    r"|请|再|看|查|找|试|我(?:是?[问指]|要|说|想)",
    re.IGNORECASE,
)
_NO_THING_EN = re.compile(
    r"\b(?:fault|mistake|pity|shame|problem|same|good|great|fine|bad|ok|okay|right|correct|true|clear|(?:i|you|we)(?=['’ ]))\b",
    re.IGNORECASE,
)
_NO_THING_ZH = re.compile("[我你您]|[这那]样|[真挺很好对没不也都还]|可以|行|的?[了吧啊呀吗]?$")


def corrects(message: str, kind: AnswerType = "other", question: str = "") -> str | None:
    """What a message says is right in place of the answer before; "" where it only says that it was wrong.

    None for a message that corrects nothing. A bare "no, it is ..." corrects only with something that could
    answer a question of that kind.
    """
    text = message.strip()
    match = _CORRECTION.fullmatch(simplified(text))
    if match is None or len(text) > MAX_CHARS or text.endswith(("?", "？")):
        return None
    group = match.lastgroup
    if group is None:
        return ""
    right = text[slice(*match.span(group))].rstrip(".。!！ \n").strip()
    if match["of"] and not (_words(match["of"]) and _words(match["of"]) <= _words(question)):
        return None
    if group.startswith("no"):
        return right if _could_answer(right, kind, question) else None
    sure = group in ("en", "zh") and not denies(right)
    return right if sure or _could_answer(right, kind, question) else ""


def _words(text: str) -> frozenset[str]:
    """The words that tell what a text is of, in Chinese its characters."""
    return frozenset(simplified(text)) - {*" 的"} if has_cjk(text) else terms_of(text)


def _could_answer(right: str, kind: AnswerType, question: str) -> bool:
    """Whether words are a thing, a number, a date: "fine" and "not that" are none."""
    if not right or denies(right) or _ASKS_ON.match(simplified(right)):
        return False
    digits = any(char.isdigit() for char in right)
    if kind in ("date", "number"):
        return digits or kind_of(right) == kind or has_answer_of_type(kind, right, question) > 0
    if has_cjk(right):
        return len(right) > 1 and not _NO_THING_ZH.match(simplified(right))
    if _NO_THING_EN.search(right):
        return False
    noun = _NOUN_EN.match(right)
    return (
        digits
        or kind_of(right) != "other"
        or bool(names_in(f"it {right}"))
        or bool(noun and noun.start("noun"))
    )


# --- what is told -----------------------------------------------------------------------------------------


def told(memory: Library | None, message: str, thread: str) -> Told | None:
    """What a message says where it asks nothing: something to keep, or that the turn before was wrong."""
    if memory is None:
        return None
    if thread and _CORRECTION.fullmatch(simplified(message.strip())):
        found = _corrected(memory.store, message, thread)
        if found:
            return found
    text = stated(message)
    return {"kind": "statement", "text": text, "question": "", "run_id": ""} if text else None


def _corrected(store: Store, message: str, thread: str) -> Told | None:
    """What a message corrects: the latest turn of a thread that was no correction itself."""
    for turn in reversed(store.turns(thread, RECENT_TURNS)):
        run_id = turn.payload["run_id"]
        statement = store.record(record_name(run_id, "statement"))
        if (turn.payload.get("told") and not statement) or is_small_talk(turn.text):
            continue
        question = statement.text if statement else turn.payload["standalone"]
        kind = kind_told(question) if statement else answer_type_of(question)
        right = corrects(message, kind, question)
        if right is None:
            return None
        return {"kind": "correction", "text": right, "question": question, "run_id": run_id}
    return None


def record_name(run_id: str, kind: str) -> str:
    """The id of what a run leaves, so that one that is resumed writes nothing twice."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{run_id} {kind}").hex


def correction(
    memory: Library, said: Told, words: str, name: str, thread: str, now_s: float
) -> tuple[Record, list[str]]:
    """The record of a correction, and the ids of those that cease to hold: what it corrects.

    `words`: all that the user said.
    """
    store, run_id = memory.store, said["run_id"]
    run = store.run(run_id) if run_id else None
    statement = store.record(record_name(run_id, "statement")) if run_id else None
    given = [item["path"] for item in (run["payload"].get("evidence", []) if run else [])]
    wrong = store.records_with([path.removeprefix(USER) for path in given if path.startswith(USER)])
    statement = statement or next((one for one in wrong if is_told(one)), None)
    text = statement.text if statement else said["question"]
    key = (statement.key if statement else "") or key_of(text)
    if statement and said["text"]:
        text = with_value(text.removesuffix(f": {statement.payload.get('said')}"), said["text"])
    held = [one for one in store.with_key(key) if one.kind in ("episode", "correction", "statement")]
    found = [*held, *wrong, *([statement] if statement else [])]
    ended = list({one.id: one for one in found if one.id != name}.values())
    spans = [*_cited(run), *(place for one in ended for place in _places(one))]
    payload = {
        "said": said["text"],
        "words": words,
        "of": "statement" if statement else "question",
        "spans": [place for n, place in enumerate(spans) if place not in spans[:n]],
        "ended": [one.id for one in ended],
        "run_id": run_id,
    }
    before = next((one.id for one in ended if one.kind != "episode"), "")
    record = Record(name, "mid", "correction", thread, text, payload, now_s, now_s, 0, key, replaces=before)
    return record, [one.id for one in ended]


def _cited(run: dict[str, Any] | None) -> list[Place]:
    """Where the sentences stand that the answer of a run rests on."""
    claims = run["payload"].get("claims", []) if run else []
    return [_place(one) for claim in claims for one in claim["citations"]]


def _places(record: Record) -> list[Place]:
    return [_place(one) for one in record.payload.get("spans", [])]


def _place(one: dict[str, Any]) -> Place:
    return {"path": one["path"], "start": one["start"], "end": one["end"], "quote": one["quote"]}


# --- what follows -----------------------------------------------------------------------------------------


def is_of_statement(record: Record) -> bool:
    """Whether what the user corrects is what he told himself."""
    return record.kind == "correction" and record.payload.get("of") == "statement"


def is_told(record: Record) -> bool:
    """Whether a record is what the user told of himself, also as he corrected it."""
    return record.kind == "statement" or is_of_statement(record)


def applying(question: str, records: Iterable[Record]) -> list[Record]:
    """The corrections of the same question, the newest first."""
    found = [one for one in records if one.kind == "correction" and not is_of_statement(one)]
    found = [one for one in found if same_words(question, one.text)]
    return sorted(found, key=lambda one: -one.created_s)


def demoted_by(corrections: Iterable[Record]) -> list[str]:
    """What was quoted by answers that were wrong."""
    return list(dict.fromkeys(place["quote"] for one in corrections for place in one.payload["spans"]))


def without_quotes(found: Sequence[Evidence], quotes: Sequence[str]) -> list[Evidence]:
    """Evidence without what was wrong as an answer: what stands before it in a passage and what after it."""
    kept = list(found)
    for quote in quotes:
        kept = [part for item in kept for part in _around(item, quote)]
    return kept


def _around(item: Evidence, quote: str) -> list[Evidence]:
    text = item["text"]
    spans = _stands_at(text, quote) if item["kind"] == "passage" else []
    if not spans:
        return [item]
    ends = zip([0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)], strict=True)
    return [
        {**item, "start": item["start"] + a, "end": item["start"] + b, "text": text[a:b]}
        for a, b in ends
        if b - a >= SHORTEST
    ]


def _stands_at(text: str, quote: str) -> list[tuple[int, int]]:
    """Where a quotation stands in a text, however its lines are broken, and what of it the borders cut."""
    words = r"\s+".join(map(re.escape, quote.split()))
    first, last = (
        (r"(?<!\w)" if _is_latin(quote[:1]) else ""),
        (r"(?![.,]?\d|\w)" if _is_latin(quote[-1:]) else ""),
    )
    spans = [match.span() for match in re.finditer(f"{first}{words}{last}", text)] if words else []
    cut = range(min(len(quote) - 1, len(text)), SHORTEST - 1, -1)
    head = next((n for n in cut if text.startswith(quote[-n:])), 0)
    tail = next((n for n in cut if text.endswith(quote[:n])), 0)
    spans = [(0, head), *spans] if head and (not spans or head <= spans[0][0]) else spans
    start = len(text) - tail
    return [*spans, (start, len(text))] if tail and (not spans or start >= spans[-1][1]) else spans


def _is_latin(char: str) -> bool:
    return char.isalnum() and not has_cjk(char)
