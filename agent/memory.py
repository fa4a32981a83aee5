"""Memory as a run uses it: what is known before a search, and what is kept after an answer.

Short: turns (`agent.turns`). Mid: episodes, statements and corrections, each in a module of its own. Long:
those of them that are kept for good. How long anything is kept is for `agent.policy`, how a person looks at
it for `agent.records`. Evidence is only ever a source's text or the user's own words.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from agent import policy
from agent.corrections import applying, corrects, demoted_places, places_of
from agent.episodes import (
    Manner,
    answered_again,
    evidence_of,
    files_stand,
    may_answer,
    nothing_newer,
    payload_of,
    reworded,
    searches_of,
    spans_stand,
)
from agent.likeness import alike, key_of
from agent.reasoners.language import language_of
from agent.state import Claim, Draft, Evidence, Place, Plan, State, Told, Turn
from agent.statements import answering, key_of_subject, noted, quoted, stated
from agent.turns import as_turn, older_turns, window
from retrieval.library import Library
from retrieval.records import DAY_S, Record
from retrieval.tokens import lexical_tokens, query_terms

__all__ = ["Known", "episodes", "evidence_of", "recall", "recent_documents", "tidy", "told", "turns", "write"]

LIKE = 20  # records looked at that share words with a question
HINTS = 3  # episodes whose passages a like question is given
RECENT_TURNS = 6  # whose documents "the report" may mean
USER = "memory:"  # begins the path of evidence that is the user's own words; the record's id follows


@dataclass(frozen=True)
class Known:
    """What memory has for a question."""

    answer: dict[str, Any] | None = None
    """The changes to the state by which it is answered; None where it has to be searched for."""
    episodes: list[Record] = field(default_factory=list)
    """What is used of it: its answer, or the hints."""
    demoted: list[Place] = field(default_factory=list)
    wordings: list[str] = field(default_factory=list)
    """Searches to be tried first."""
    reworded: tuple[str, str, str] = "", "", ""
    """The question with a word replaced, the word, and what it was replaced by."""


def turns(memory: Library | None, thread: str) -> list[Turn]:
    """The latest turns of a thread, oldest first, as many as have room."""
    return [as_turn(record) for record in window(memory, thread)]


def turns_for(memory: Library | None, thread: str, question: str, today: date) -> list[Turn]:
    """The turns that a question may lean on, oldest first: the latest, and older ones that it speaks of."""
    recent = window(memory, thread)
    if memory is None or not recent or memory.store.first_turn_s(thread) >= recent[0].created_s:
        return [as_turn(record) for record in recent]
    return [as_turn(record) for record in [*older_turns(memory, question, recent, today), *recent]]


def recent_documents(memory: Library | None, thread: str) -> list[int]:
    """Ids of the documents that answers of the thread cited, the latest first."""
    if memory is None or not thread:
        return []
    found: dict[int, None] = {}
    for record in reversed(memory.store.turns(thread, RECENT_TURNS)):
        run = memory.store.run(record.payload["run_id"])
        for claim in run["payload"]["claims"] if run else []:
            for citation in claim["citations"]:
                document_id = memory.store.document_id(citation["path"])
                if document_id:
                    found.setdefault(document_id)
    return list(found)


# --- before a search --------------------------------------------------------------------------------------


def told(memory: Library | None, message: str, thread: str) -> Told | None:
    """What a message says where it asks nothing: something to keep, or that the turn before was wrong."""
    if memory is None:
        return None
    right = corrects(message)
    turns_ = memory.store.turns(thread, RECENT_TURNS) if right is not None and thread else []
    asking = [one for one in turns_ if not one.payload.get("told")]
    if right is not None and asking:
        asked, run_id = asking[-1].payload["standalone"], asking[-1].payload["run_id"]
        return {"kind": "correction", "text": right, "question": asked, "run_id": run_id}
    found = stated(message)
    return {"kind": "statement", "text": found.text, "question": "", "run_id": ""} if found else None


def acknowledged(said: Told, message: str) -> dict[str, Any]:
    """The changes to the state by which what was told is acknowledged."""
    lang = language_of(message)
    text = noted(said["text"] or message, lang)
    claim: Claim = {
        "text": text,
        "evidence": [],
        "spans": [],
        "citations": [],
        "verdict": "supported",
        "score": 1.0,
        "checks": [],
    }
    return _ready(claim, [], {**_plan(message), "need": "conversation"}, "")


def recall(memory: Library | None, library: Library, question: str, manner: Manner) -> Known:
    """What is known of a question. Over an empty memory it costs one lookup."""
    if memory is None:
        return Known()
    same = memory.store.with_key(key_of(question))
    # Only what the user said himself outranks what was answered to the very same question.
    look = not _of(same, "episode") or memory.store.any_of("statement", "correction")
    like = same + [one for one in (_like(memory, question) if look else []) if one not in same]
    if not like:
        return Known()
    corrections = applying(question, _of(like, "correction"))
    said = corrections[0] if corrections and corrections[0].payload["said"] else None
    said = said or answering(question, _of(like, "statement"))
    if said is not None:
        return Known(_said(question, said), [said])
    demoted = demoted_places(corrections, library.store)
    for record in _of(same, "episode"):
        usable = not corrections and may_answer(record, manner) and spans_stand(record, library)
        if usable and files_stand(record, library) and nothing_newer(record, library):
            again = answered_again(record, library, len(record.payload["spans"]) * 4 + 4)
            if again is not None:
                return Known(again, [record])
    known = _of(like if look else [*same, *_like(memory, question)], "episode")
    hints = {one.id: one for one in known if alike(question, one.text)}

    def is_unknown(word: str) -> bool:
        return 0 in library.store.term_counts(lexical_tokens(word)).values()

    words = reworded(question, known, is_unknown)
    return Known(None, list(hints.values())[:HINTS], demoted, searches_of(_of(same, "episode")), words)


def remembered_note(known: Known) -> str:
    """What a reader of the run should know of an answer that was not searched for."""
    record = known.episodes[0]
    day = datetime.fromtimestamp(record.created_s).date().isoformat()
    what = "asked before" if record.kind == "episode" else "you said so"
    return f"from memory: {what} on {day} (agent memory why {record.id[:12]})"


def episodes(memory: Library | None, question: str) -> list[Record]:
    """Earlier verified questions that are like one, likeliest first."""
    if memory is None:
        return []
    same = memory.store.with_key(key_of(question))
    like = [*same, *_like(memory, question)]
    found = {one.id: one for one in _of(like, "episode") if alike(question, one.text)}
    return list(found.values())[:HINTS]


def _of(records: Sequence[Record], kind: str) -> list[Record]:
    return [one for one in records if one.kind == kind]


def _like(memory: Library, question: str) -> list[Record]:
    """The records of the tiers mid and long that share words with a question, likeliest first."""
    if not memory.store.any_of("episode", "statement", "correction"):
        return []
    found = memory.store.lexical(query_terms(question), LIKE, "mid")
    return memory.store.records_of_chunks([chunk_id for chunk_id, _ in found])


def _said(question: str, record: Record) -> dict[str, Any]:
    """A question answered by the user's own words."""
    words = record.payload["said"] if record.kind == "correction" else record.text
    day = datetime.fromtimestamp(record.created_s).date().isoformat()
    item: Evidence = {
        "number": 0,
        "kind": "said",
        "chunk_id": 0,
        "document_id": 0,
        "path": f"{USER}{record.id}",
        "title": "you said",
        "heading": day,
        "page": None,
        "start": 0,
        "end": len(words),
        "text": words,
        "score": 1.0,
        "cosine": 0.0,
        "query": question,
        "relevance": 1.0,
        "link": None,
        "round": 0,
        "rests_on": [],
    }
    claim: Claim = {
        "text": quoted(words, record.created_s, language_of(question)),
        "evidence": [1],
        "spans": [],
        "citations": [],
        "verdict": "supported",
        "score": 1.0,
        "checks": [{"layer": "memory", "verdict": "supported", "reason": f"the user's own words of {day}"}],
    }
    return _ready(claim, [item], _plan(question), question)


def _plan(message: str) -> Plan:
    return {
        "need": "search",
        "lang": language_of(message),
        "answer_type": "other",
        "queries": [],
        "call": None,
        "sweep": None,
        "where": {},
    }


def _ready(claim: Claim, items: list[Evidence], plan: Plan, question: str) -> dict[str, Any]:
    best: Draft = {"claims": [claim], "sufficiency": 1.0, "missing": [], "round": 0, "model": "memory"}
    changed: dict[str, Any] = {
        "ready": True,
        "plan": plan,
        "evidence": {"items": items, "limit": len(items)},
        "shown": list(range(1, len(items) + 1)),
        "draft": best,
        "best": best,
        "passed": True,
    }
    return {**changed, "standalone": question} if question else changed


# --- after an answer --------------------------------------------------------------------------------------


def write(memory: Library | None, state: State, now_s: float, checked: str = "") -> None:
    """Keep the turn, and what is worth more than it: what was told, or a verified answer with its spans.

    `checked`: as `Manner` has it.
    """
    if memory is None:
        return
    store, said = memory.store, state.get("told")
    new: list[tuple[Record, str]] = []
    used: list[str] = []
    ended: list[str] = []
    if state["thread"]:
        new.append((_turn(state, now_s), state["answer"]))
    if said:
        record, ended = _told_record(memory, said, state, now_s)
        new.append((record, ""))
    elif state["outcome"] == "verified":
        known = store.records_with(state["episodes"])
        used = [one.id for one in known if state.get("ready") or _rests_on(state, one)]
        if not state.get("ready") and not state.get("where"):
            episode, ended = _episode(memory, state, known, now_s, checked)
            new += [(episode, "")] if episode else []
    if new and new[-1][0].id in used:  # verified again: it is stored anew, with this use
        used.remove(new[-1][0].id)
    memory.put_records(new, used=used, ended=ended, at_s=now_s)
    if now_s - float(store.get_meta("tidied_s") or 0) >= DAY_S:
        tidy(memory, now_s)


def _turn(state: State, now_s: float) -> Record:
    payload = {
        "standalone": state["standalone"],
        "answer": state["answer"],
        "outcome": state["outcome"],
        "run_id": state["run_id"],
        "told": bool(state.get("told")),
    }
    return Record(
        _id(state, "turn"), "short", "turn", state["thread"], state["question"], payload, now_s, now_s, 0
    )


def _episode(
    memory: Library, state: State, known: Sequence[Record], now_s: float, checked: str
) -> tuple[Record | None, list[str]]:
    """The episode of a verified answer, and the ids of those that it takes the place of."""
    payload = payload_of(state, checked)
    if not payload["spans"]:
        return None, []
    key = key_of(state["standalone"])
    before = next((one for one in known if one.kind == "episode" and one.key == key), None)
    if before and _same_answer(before, payload):  # verified again: it goes on as it was
        kept = {**payload, "worked": before.payload.get("worked") or payload["worked"]}
        return replace(policy.used(before, now_s), payload=kept), []
    fresh = Record(
        _id(state, "episode"),
        "mid",
        "episode",
        state["thread"],
        state["standalone"],
        payload,
        now_s,
        now_s,
        0,
        key,
        replaces=before.id if before else "",
    )
    # An older one that is not alike any more is not among the known: what has the same key is.
    same = [one.id for one in memory.store.with_key(key) if one.kind == "episode" and one.id != fresh.id]
    return fresh, same


def _same_answer(before: Record, payload: dict[str, Any]) -> bool:
    return [span["quote"] for span in before.payload["spans"]] == [one["quote"] for one in payload["spans"]]


def _rests_on(state: State, record: Record) -> bool:
    """Whether an answer cites something that an episode rests on."""
    quotes = {one["quote"] for claim in state["claims"] for one in claim["citations"]}
    return any(span["quote"] in quotes for span in record.payload.get("spans", []))


def _told_record(memory: Library, said: Told, state: State, now_s: float) -> tuple[Record, list[str]]:
    if said["kind"] == "correction":
        name = _id(state, "correction")
        return correction(memory, said, state["question"], name, state["thread"], now_s)
    key = key_of_subject(said["text"])
    before = [one for one in memory.store.with_key(key) if one.kind == "statement"]
    record = Record(
        _id(state, "statement"),
        "mid",
        "statement",
        state["thread"],
        said["text"],
        {"words": state["question"], "run_id": state["run_id"]},
        now_s,
        now_s,
        0,
        key,
        replaces=before[0].id if before else "",
    )
    return record, [one.id for one in before if one.id != record.id]


def correction(
    memory: Library, said: Told, words: str, name: str, thread: str, now_s: float
) -> tuple[Record, list[str]]:
    """The record of a correction, and the ids of those that cease to hold: what it corrects.

    `words`: all that the user said.
    """
    store, key = memory.store, key_of(said["question"])
    run = store.run(said["run_id"]) if said["run_id"] else None
    same = [one for one in store.with_key(key) if one.id != name]
    ended = [one for one in same if one.kind in ("episode", "correction", "statement")]
    given = [
        item["path"] for item in (run["payload"].get("evidence", []) if run else []) if item["kind"] == "said"
    ]
    wrong = store.records_with([path.removeprefix(USER) for path in given])
    ended += [one for one in wrong if one.id not in {other.id for other in ended}]
    spans = [*places_of(run), *(place for one in ended if one.kind != "statement" for place in _places(one))]
    before = next((one.id for one in ended if one.kind == "correction"), "")
    payload = {
        "said": said["text"],
        "words": words,
        "spans": [place for n, place in enumerate(spans) if place not in spans[:n]],
        "ended": [one.id for one in ended],
        "run_id": said["run_id"],
    }
    record = Record(
        name, "mid", "correction", thread, said["question"], payload, now_s, now_s, 0, key, replaces=before
    )
    return record, [one.id for one in ended]


def _places(record: Record) -> list[Place]:
    return [
        {"path": one["path"], "start": one["start"], "end": one["end"], "quote": one["quote"]}
        for one in record.payload.get("spans", [])
    ]


def _id(state: State, kind: str) -> str:
    """The same for the same run, so that one that is resumed writes nothing twice."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{state['run_id']} {kind}").hex


def tidy(memory: Library, now_s: float) -> policy.Tidying:
    """Move to the tier long what has proved itself, and delete what the policy has no room for."""
    store = memory.store
    done = policy.tidying(store.ages(turns=False), now_s)
    turns_ = policy.old_turns(store.ages(turns=True), now_s)
    store.keep_records(done.promoted, tier="long")
    store.delete_records([*done.expired, *done.crowded_out, *turns_])
    store.prune_runs(now_s - policy.RUN_DAYS * DAY_S)
    store.set_meta("tidied_s", str(now_s))
    return replace(done, expired=[*done.expired, *turns_])
