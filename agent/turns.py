"""The turns of a thread: the window that a follow-up may lean on, and those beyond it, which are searched.

A turn is found by its question and by its reply, within the days that the words of a question speak of, and
rather by whose words it asks for: "what did I tell you on 6 May", 你推荐过什么. What is found is shown and
leaned on; a reply is never evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from agent.reasoners.language import is_follow_up
from agent.state import Turn
from retrieval.fusion import fuse
from retrieval.library import Library
from retrieval.records import REPLY, Record
from retrieval.search import word_scores
from retrieval.tokens import query_terms
from tools.periods import Period, find_periods

WINDOW_TOKENS = 1_500  # of the turns that a follow-up may lean on
WINDOW_TURNS = 20  # at most
OLDER = 2  # turns beyond the window that a follow-up is given
POOL = 60  # candidates of each list
OWN_WORDS = 1.3  # a turn found by the words of the one who is asked about counts so much more

_BY_ASSISTANT = re.compile(
    r"\b(?:did|have|had|do|could) you (?:ever |once |also )?(?:recommend|suggest|tell|told|advise|say|said|mention|give|answer|teach|explain)"
    r"|\byou (?:once |have |had |ever |also |just )*(?:recommended|suggested|told|advised|said|mentioned|gave|answered|taught|explained)\b|\byour (?:advice|answer|suggestion|recommendation)"
    r"|你(?:曾经?|之前|以前|上次|都|还)?(?:给我|向我|跟我|为我|告诉|告訴|推荐|推薦|建议|建議|说|說|提到|提过|回答|介绍|介紹)",
    re.IGNORECASE,
)
_BY_USER = re.compile(
    r"\bi (?:once |have |had |ever |also |just )*(?:recommended|suggested|told|said|mentioned|shared|asked|wrote)\b|\bdid i\b"
    r"|我(?:曾经?|之前|以前|上次|都|还)?(?:给你|向你|跟你|和你|告诉|告訴|推荐|推薦|说|說|提到|提过|问|問|分享)",
    re.IGNORECASE,
)
_FRAME = re.compile(
    r"\b(?:what|which|who|where|when|how|why)?\s*(?:did|do|have|had) (?:i|you|we) (?:ever |once )?"
    r"(?:tell|told|say|said|ask|asked|talk|talked|mention|mentioned|recommend|recommended|suggest|suggested|share|shared)"
    r"(?: (?:to|with))?(?: (?:me|you))?(?: about)?\b"
    r"|\b(?:you|i) (?:once |have |had )*(?:told|said|mentioned|recommended|suggested|shared|asked)(?: (?:to|with))?(?: (?:me|you))?\b"
    r"|\bwhat (?:was|is|were|are) (?:its|the|their) names?\b|(?:它|他|她)们?的?名字(?:是|叫).*$"
    r"|(?:你|我)(?:曾经?|之前|以前|上次|都|还)*(?:给|向|跟|和|为)?(?:你|我)?(?:推荐|推薦|建议|建議|告诉|告訴|分享|提到|提|说|說|问|問|聊)(?:过|過|了|到)?(?:我|你)?(?:关于|關於)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class FoundTurn:
    """A turn that was found, and how well it fits, higher is better."""

    record: Record
    score: float


def window(memory: Library | None, thread: str, tokens: int = WINDOW_TOKENS) -> list[Record]:
    """The latest turns of a thread that have room, oldest first; the last one however long it is."""
    if memory is None or not thread:
        return []
    from agent.models.messages import (
        estimated_tokens,
    )  # LangChain's messages, which a list of turns needs not

    turns = memory.store.turns(thread, WINDOW_TURNS)
    kept: list[Record] = []
    for turn in reversed(turns):
        tokens -= estimated_tokens(turn.text) + estimated_tokens(turn.payload["answer"])
        if tokens < 0 and kept:
            break
        kept.append(turn)
    return kept[::-1]


def as_turn(record: Record) -> Turn:
    return {
        "question": record.text,
        "standalone": record.payload["standalone"],
        "answer": record.payload["answer"],
        "outcome": record.payload["outcome"],
    }


def turns_for(memory: Library | None, thread: str, question: str, today: date) -> list[Turn]:
    """The turns that a question may lean on, oldest first: the latest, and older ones that it speaks of."""
    recent = window(memory, thread)
    if memory is None or not recent or memory.store.first_turn_s(thread) >= recent[0].created_s:
        return [as_turn(record) for record in recent]
    return [as_turn(record) for record in [*older_turns(memory, question, recent, today), *recent]]


def older_turns(memory: Library, question: str, recent: Sequence[Record], today: date) -> list[Record]:
    """Turns before the window that a follow-up may mean, oldest first."""
    if not recent or not is_follow_up(question):
        return []
    before_s = recent[0].created_s
    found = find_turns(memory, question, today, OLDER, thread=recent[0].thread, before_s=before_s)
    return sorted((one.record for one in found), key=lambda one: one.created_s)


def find_turns(
    memory: Library,
    question: str,
    today: date,
    limit: int = 5,
    *,
    thread: str | None = None,
    before_s: float = float("inf"),
) -> list[FoundTurn]:
    """The turns that a question speaks of, best first. `thread`: of this one alone. `today`: what "last week"
    counts from. `before_s`: only those before.
    """
    periods = find_periods(question, today)
    since_s, until_s = _bounds(periods)
    within: list[int] | None = None
    if thread is not None or periods or before_s < float("inf"):
        kinds, until_s = ("turn",), min(until_s, before_s)
        turns = memory.store.records(kinds=kinds, thread=thread, since_s=since_s, until_s=until_s)
        within = memory.store.record_chunks([turn.id for turn in turns])
        if not within:
            return []
    words = _asked_about(question, periods)
    return _ranked(memory, question, words or question, limit, within)


def _ranked(
    memory: Library, question: str, words: str, limit: int, within: Sequence[int] | None
) -> list[FoundTurn]:
    store = memory.store
    dense = memory.nearest_to(words, POOL, "short", within)
    counts = store.row_counts(query_terms(words))
    lexical = store.lexical(list(counts), POOL, "short", within, counts)
    items = [item for item, _ in (*dense, *lexical)]
    scores = word_scores(store, words, counts, items)
    fused = dict(fuse(dense, scores.bm25, scores.bound, scores.near))
    if within is not None and len(within) <= POOL:  # all of that day, were it only by its day
        fused = {**dict.fromkeys(within, 0.0), **fused}
    wanted = REPLY if _BY_ASSISTANT.search(question) else "" if _BY_USER.search(question) else None
    best: dict[str, float] = {}
    for chunk in store.chunks(list(fused)):
        score = fused[chunk.id] * (OWN_WORDS if wanted == chunk.heading else 1.0)
        best[chunk.record_id or ""] = max(best.get(chunk.record_id or "", 0.0), score)
    ranked = sorted(best.items(), key=lambda pair: -pair[1])[:limit]
    records = {one.id: one for one in store.records_with([record_id for record_id, _ in ranked])}
    return [FoundTurn(records[name], score) for name, score in ranked if name in records]


def _bounds(periods: Sequence[Period]) -> tuple[float, float]:
    """From when to when the words of a question reach, as Unix times; all of time where they say nothing."""
    since = [one.first for one in periods if one.first]
    until = [one.last for one in periods if one.last]
    first = _start_s(min(since)) if since else 0.0
    return first, _start_s(max(until) + timedelta(days=1)) if until else float("inf")


def _start_s(day: date) -> float:
    return datetime.combine(day, time()).timestamp()


def _asked_about(question: str, periods: Sequence[Period]) -> str:
    """The question without its time and without what only says that it is about an earlier talk."""
    for one in sorted(periods, key=lambda one: -one.start):
        question = f"{question[: one.start]} {question[one.end :]}"
    return re.sub(r"^[\s,，、在]*(?:on|in|at)?\s+", "", _FRAME.sub(" ", question)).strip(" ,，?？")
