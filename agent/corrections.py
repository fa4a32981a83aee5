"""Corrections: a user says that an answer was wrong, and what is right if he knows.

With the right answer it is evidence of its own kind, "you said on ...", before all else for like questions.
Without, the sentences that the wrong answer stood on are left out for like questions. It can be undone. Files
are never changed by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from agent.likeness import alike
from agent.state import Evidence, Place
from retrieval.records import Record
from retrieval.store import Store

SHORTEST = 8  # characters of a passage beside what is left out of it

_WRONG = re.compile(
    r"^\W*(?:no[,.!]? +)?(?:that|this|it|the answer|your answer)(?:['’]s| is| was) (?:wrong|incorrect|not (?:right|correct|true))\b"
    r"(?:[\s,.;:!—–-]+(?:actually[, ]+)?(?:it(?:['’]s| is| was)|the (?:right|correct) (?:answer|one) is|it should be|the answer is)?[ :]*"
    r"(?P<right>.*))?$"
    r"|^\W*(?:no|wrong|incorrect)[,.!:]+ *(?:actually[, ]+)?(?:it(?:['’]s| is| was| should be)|the (?:right|correct) (?:answer|one) is) (?P<no>.+)$"
    r"|^\W*(?:wrong|incorrect)\W*$"
    r"|^\W*(?:这个?|這個?|你的?|你说的|你說的|刚才的?)?(?:答案|回答)?(?:是)?(?:不对|不對|错了|錯了|错的|錯的|不正确|不正確|说错了|說錯了)"
    r"(?:[了的，。,.!！：: ]+(?:正确的?(?:答案)?是|正確的?(?:答案)?是|应该是|應該是|答案是|其实是|其實是|是)?[：:]*(?P<zh>.*))?$"
    r"|^\W*不[，, ]+(?:正确的?(?:答案)?是|正確的?(?:答案)?是|应该是|應該是|是)(?P<zno>.+)$",
    re.IGNORECASE | re.DOTALL,
)


def corrects(message: str) -> str | None:
    """What a message says is right in place of the answer before; "" where it only says that it was wrong.

    None for a message that corrects nothing.
    """
    match = _WRONG.match(message.strip())
    if match is None or message.strip().endswith(("?", "？")):
        return None
    right = next((group for group in match.groups() if group), "")
    return right.strip().rstrip(".。!！").strip()


def places_of(run: dict[str, Any] | None) -> list[Place]:
    """Where the sentences stand that the answer of a run rests on."""
    return [
        Place(path=one["path"], start=one["start"], end=one["end"], quote=one["quote"])
        for claim in (run["payload"].get("claims", []) if run else [])
        for one in claim["citations"]
    ]


def applying(question: str, corrections: Iterable[Record]) -> list[Record]:
    """The corrections of like questions, the newest first."""
    found = [one for one in corrections if alike(question, one.text)]
    return sorted(found, key=lambda one: -one.created_s)


def demoted_places(corrections: Iterable[Record], store: Store) -> list[Place]:
    """Where the sentences stand that were wrong as an answer, as long as they stand there."""
    found: list[Place] = []
    for record in corrections:
        places: list[Place] = record.payload["spans"]
        for place in places:
            document_id = store.document_id(place["path"])
            texts = store.source_texts([document_id]) if document_id else {}
            if document_id and texts[document_id][place["start"] : place["end"]] == place["quote"]:
                standing = place.copy()
                standing["document_id"] = document_id
                found.append(standing)
    return found


def without_places(found: Sequence[Evidence], demoted: Sequence[Place]) -> list[Evidence]:
    """Evidence without what was wrong as an answer: what stands before it in a passage and what after it."""
    kept = list(found)
    for place in demoted:
        kept = [part for item in kept for part in _around(item, place)]
    return kept


def _around(item: Evidence, place: Place) -> list[Evidence]:
    start, end = place["start"], place["end"]
    apart = item["document_id"] != place["document_id"] or end <= item["start"] or item["end"] <= start
    if item["kind"] != "passage" or apart:
        return [item]
    parts = [(item["start"], start), (end, item["end"])]
    return [
        {**item, "start": a, "end": b, "text": item["text"][a - item["start"] : b - item["start"]]}
        for a, b in parts
        if b - a >= SHORTEST
    ]
