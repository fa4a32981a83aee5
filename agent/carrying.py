"""Memory as a file of JSON lines, to be carried to another library.

What is imported is not believed: an episode from elsewhere is a hint until its question is answered from this
library and verified.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

from agent.errors import InputError
from agent.likeness import key_of
from agent.statements import key_of_subject
from retrieval.library import Library
from retrieval.records import Record

FORMAT = "toulmin-memory-1"
LAST_S = 253_370_764_800.0  # the year 9999: later times have no date


def exported(library: Library, records: Iterable[Record]) -> str:
    """Records as JSON lines, the first of which says what they are."""
    head = json.dumps({"format": FORMAT})
    return "\n".join([head, *(json.dumps(asdict(one), ensure_ascii=False) for one in records)]) + "\n"


def imported(library: Library, text: str) -> int:
    """Take in what `exported` gave, beside what is there; how many records. What is there already stays.

    Raises `InputError` for anything else, naming the line, and then takes in nothing.
    """
    head, *lines = text.split("\n")  # no other end of a line: some stand in JSON as they are
    try:
        if json.loads(head) != {"format": FORMAT}:
            raise ValueError
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is no export of a memory ({FORMAT})") from error
    records = [_read(line, number) for number, line in enumerate(lines, 2) if line.strip()]
    fresh = [one for one in {one.id: one for one in records}.values() if library.store.record(one.id) is None]
    library.put_records([(one, one.payload["answer"] if one.kind == "turn" else "") for one in fresh])
    return len(fresh)


def _read(line: str, number: int) -> Record:
    """The record in a line of an export. Raises `InputError`."""
    try:
        one = Record(**json.loads(line, parse_constant=_refuse))
        _check(one)
        json.dumps(asdict(one), ensure_ascii=False, allow_nan=False).encode()  # nothing stores half a pair
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        told = str(error) if isinstance(error, _Wrong) else "this is no record of a memory"
        raise InputError(f"line {number}: {told}; nothing was taken in") from error
    payload = dict(one.payload)
    if one.kind == "episode":  # its spans may be looked at; what it says of them was verified elsewhere
        kept: dict[str, Any] = {
            name: payload[name] for name in ("answer", "queries", "run_id") if name in payload
        }
        payload = {**kept, "spans": [{"score": 0.0, "cosine": 0.0, **span} for span in payload["spans"]]}
    key = {"turn": "", "statement": key_of_subject(one.text)}.get(one.kind, key_of(one.text))
    return replace(one, payload=payload, key=key)


class _Wrong(ValueError):
    """What is wrong with a record, for whoever wrote it."""


def _refuse(name: str) -> float:
    raise _Wrong(f"{name} is no number")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_time(value: object) -> bool:
    return _is_number(value) and 0 <= value <= LAST_S  # type: ignore[operator]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _are_spans(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(span, dict)
        and isinstance(span.get("path"), str)
        and isinstance(span.get("quote"), str)
        and _is_count(span.get("start"))
        and _is_count(span.get("end"))
        and _is_number(span.get("score", 0.0))
        and _is_number(span.get("cosine", 0.0))
        for span in value
    )


# What a field must be, and what that is called; of the payload, whether each kind must have it is below.
_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    **dict.fromkeys(("tier", "kind", "thread", "text", "key", "replaces"), (_is_text, "a text")),
    **dict.fromkeys(("created_s", "used_s"), (_is_time, "a time in seconds since 1970")),
    **dict.fromkeys(("uses", "days"), (_is_count, "a whole number")),
    "id": (lambda value: isinstance(value, str) and bool(value), "a text"),
    "pinned": (lambda value: isinstance(value, bool), "true or false"),
    "ended_s": (lambda value: value is None or _is_time(value), "a time in seconds since 1970, or null"),
    "payload": (lambda value: isinstance(value, dict), "an object"),
}
_PAYLOAD: dict[str, tuple[Callable[[object], bool], str]] = {
    **dict.fromkeys(("standalone", "answer", "outcome", "run_id", "said", "words"), (_is_text, "a text")),
    **dict.fromkeys(("ended", "queries"), (_are_texts, "a list of texts")),
    "spans": (_are_spans, "a list of places with path, start, end and quote"),
}
_WANTED: dict[str, tuple[str, ...]] = {
    "turn": ("standalone", "answer", "outcome", "run_id"),
    "episode": ("spans",),
    "statement": (),
    "correction": ("said", "spans", "ended"),
}


def _check(one: Record) -> None:
    """Raises `_Wrong`."""
    for name, (fits, what) in _FIELDS.items():
        if not fits(getattr(one, name)):
            raise _Wrong(f"{name!r} must be {what}")
    if one.kind not in _WANTED or one.tier not in (("short",) if one.kind == "turn" else ("mid", "long")):
        raise _Wrong(f"there is no {one.kind!r} of tier {one.tier!r}")
    lacking = [name for name in _WANTED[one.kind] if name not in one.payload]
    if lacking:
        raise _Wrong(f"a {one.kind} must have {lacking[0]!r}")
    for name, (fits, what) in _PAYLOAD.items():
        if name in one.payload and not fits(one.payload[name]):
            raise _Wrong(f"{name!r} must be {what}")
