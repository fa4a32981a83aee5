"""Memory as a run uses it: what is known before a search, and what is kept after an answer.

Short: turns (`agent.turns`). Mid: episodes, statements and corrections, each in a module of its own. Long:
those of them that are kept for good. How long anything is kept is for `agent.policy`, how a person looks at
it for `agent.records`. Evidence is only ever a source's text or the user's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from agent import policy
from agent.corrections import applying, correction, demoted_by, is_told, record_name
from agent.episodes import (
    Manner,
    answered_again,
    evidence_of,
    files_stand,
    is_stale,
    may_answer,
    nothing_newer,
    payload_of,
    reworded,
    searches_of,
)
from agent.likeness import alike, key_of
from agent.state import State, Told
from agent.statements import answering, key_of_subject
from agent.unsearched import in_own_words
from retrieval.library import Library
from retrieval.records import DAY_S, Record
from retrieval.store import StoreError
from retrieval.tokens import lexical_tokens, query_terms

__all__ = ["Known", "correction", "evidence_of", "key_of", "recall", "recent_documents", "tidy", "write"]

LIKE = 40  # records looked at that share words with a question, of all kinds and also such as hold no more
HINTS = 3  # episodes whose passages a like question is given
TICK_S = 0.001  # between two turns, at least
RECENT_TURNS = 6  # whose documents "the report" may mean


@dataclass(frozen=True)
class Known:
    """What memory has for a question."""

    answer: dict[str, Any] | None = None
    """The changes to the state by which it is answered; None where it has to be searched for."""
    episodes: list[Record] = field(default_factory=list)
    """What is used of it: its answer, or the hints."""
    demoted: list[str] = field(default_factory=list)
    """What answers quoted that the user said were wrong."""
    wordings: list[str] = field(default_factory=list)
    """Searches to be tried first."""
    reworded: tuple[str, str, str] = "", "", ""
    """The question with a word replaced, the word, and what it was replaced by."""


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


def recall(
    memory: Library | None, library: Library, question: str, manner: Manner, *, restricted: bool = False
) -> Known:
    """What is known of a question. Over an empty memory it costs three lookups.

    `restricted`: it is asked of some documents only, so that nothing counts but what the user corrected.
    """
    if memory is None:
        return Known()
    own = [one for one in memory.store.records(kinds=("statement", "correction")) if one.ended_s is None]
    corrections = applying(question, own)
    said = _said(question, corrections, [] if restricted else own)
    if said:
        return Known(in_own_words(question, said), [said])
    demoted = demoted_by(corrections)
    if restricted:
        return Known(demoted=demoted)
    same = [one for one in memory.store.with_key(key_of(question)) if one.kind == "episode"]
    for record in same:
        answer = _again(record, library, manner, demoted)
        if answer:
            return Known(answer, [record])
    known = list({one.id: one for one in [*same, *_like(memory, question)]}.values())
    hints = [one for one in known if alike(question, one.text)][:HINTS]

    def is_unknown(word: str) -> bool:
        return 0 in library.store.term_counts(lexical_tokens(word)).values()

    return Known(None, hints, demoted, searches_of(same), reworded(question, known, is_unknown))


def _said(question: str, corrections: Sequence[Record], own: Sequence[Record]) -> Record | None:
    """The newest of the user's own words that answer a question."""
    told = [one for one in own if is_told(one) and (one.kind == "statement" or one.payload["said"])]
    found = [*(one for one in corrections[:1] if one.payload["said"]), answering(question, told)]
    return max((one for one in found if one), key=lambda one: one.created_s, default=None)


def _again(record: Record, library: Library, manner: Manner, demoted: Sequence[str]) -> dict[str, Any] | None:
    """The answer of an episode, where it would be found again now."""
    usable = record.payload.get("demoted", []) == demoted and may_answer(record, manner)
    usable = usable and not is_stale(record, library) and files_stand(record, library)
    if not usable or not nothing_newer(record, library):
        return None
    return answered_again(record, library, len(record.payload["spans"]) * 4 + 4)


def _like(memory: Library, question: str) -> list[Record]:
    """The episodes that share words with a question, likeliest first."""
    if not memory.store.any_of("episode"):
        return []
    found = memory.store.lexical(query_terms(question), LIKE, "mid")
    records = memory.store.records_of_chunks([chunk_id for chunk_id, _ in found])
    return [one for one in records if one.kind == "episode"]


def remembered_note(known: Known, library: Library) -> str:
    """What a reader of the run should know of an answer that was not searched for."""
    record = known.episodes[0]
    day = datetime.fromtimestamp(record.created_s).date().isoformat()
    what = "asked before" if record.kind == "episode" else "you said so"
    # The user's words still count, but a file may say now what is right.
    changed = record.kind == "correction" and record.payload["spans"] and is_stale(record, library)
    since = "; what it corrects does not stand in the files as it did" if changed else ""
    return f"from memory: {what} on {day}{since} (agent memory why {record.id[:12]})"


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
        new.append((_turn(memory, state, now_s), state["answer"]))
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
    if abs(now_s - float(store.get_meta("tidied_s") or 0)) >= DAY_S:  # a clock may have been put back
        tidy(memory, now_s)


def _turn(memory: Library, state: State, now_s: float) -> Record:
    """The turn; after the one before it, though a clock was put back a little meanwhile."""
    last_s = max((one.created_s + TICK_S for one in memory.store.turns(state["thread"], 1)), default=now_s)
    at_s = max(now_s, last_s) if last_s < now_s + DAY_S else now_s
    payload = {
        "standalone": state["standalone"],
        "answer": state["answer"],
        "outcome": state["outcome"],
        "run_id": state["run_id"],
        "told": bool(state.get("told")),
    }
    return _of_run(state, "turn", state["question"], payload, at_s)


def _of_run(
    state: State, kind: str, text: str, payload: dict[str, Any], at_s: float, key: str = "", before: str = ""
) -> Record:
    """A new record that a run leaves."""
    name, tier = record_name(state["run_id"], kind), "short" if kind == "turn" else "mid"
    return Record(name, tier, kind, state["thread"], text, payload, at_s, at_s, 0, key=key, replaces=before)


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
    replaces = before.id if before else ""
    fresh = _of_run(state, "episode", state["standalone"], payload, now_s, key, replaces)
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
        name = record_name(state["run_id"], "correction")
        return correction(memory, said, state["question"], name, state["thread"], now_s)
    key = key_of_subject(said["text"])
    before = [one for one in memory.store.with_key(key) if one.kind in ("statement", "correction")]
    payload = {"words": state["question"], "run_id": state["run_id"]}
    replaces = before[0].id if before else ""
    record = _of_run(state, "statement", said["text"], payload, now_s, key, replaces)
    return record, [one.id for one in before if one.id != record.id]


def tidy(memory: Library, now_s: float) -> policy.Tidying:
    """Move to the tier long what has proved itself, and delete what the policy has no room for.

    A forgetting that was cut short is finished, where nobody else uses the library just then.
    """
    store = memory.store
    with suppress(StoreError):
        memory.finish_forgetting(wait_s=0.0)
    done = policy.tidying(store.ages(turns=False), now_s)
    turns_ = policy.old_turns(store.ages(turns=True), now_s)
    store.keep_records(done.promoted, tier="long")
    store.delete_records([*done.expired, *done.crowded_out, *turns_])
    store.prune_runs(now_s - policy.RUN_DAYS * DAY_S)
    store.set_meta("tidied_s", str(now_s))
    return replace(done, expired=[*done.expired, *turns_])
