"""What a person does with memory: look at it, search it, keep, correct.

Every function takes the library, and the clock where time matters. Forgetting is in `forgetting`, export and
import in `carrying`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from agent import memory, policy
from agent.corrections import is_told
from agent.episodes import is_stale
from agent.errors import InputError
from agent.likeness import key_of
from agent.state import Told
from agent.statements import answering
from retrieval.fusion import fuse
from retrieval.library import Library
from retrieval.records import Record
from retrieval.search import POOL, word_scores
from retrieval.store import UNFINISHED
from retrieval.tokens import query_terms
from tools.periods import Period, find_periods

KINDS = ("turn", "episode", "statement", "correction")
TIERS = ("short", "mid", "long")

_TALK = re.compile(
    r"\b(?:ask|asked|say|said|tell|told|talk|talked|mention|mentioned|discuss|discussed)\b"
    r"|[问問说說聊谈談]|告诉|告訴|提到|提过|提過",
    re.IGNORECASE,
)


def find(library: Library, name: str) -> Record:
    """A record by its id or the start of it. Raises `InputError` when there is none."""
    record = library.store.record_named(name)
    if record is None:
        raise InputError(f"no record {name!r}: `agent memory list` shows them")
    return record


def listed(
    library: Library,
    *,
    tiers: Sequence[str] = (),
    kinds: Sequence[str] = (),
    thread: str | None = None,
    since_s: float = 0.0,
    until_s: float = float("inf"),
    source: str = "",
) -> list[Record]:
    """Records, the newest first. `source`: only what rests on a document with this in its path."""
    found = library.store.records(tiers=tiers, kinds=kinds, thread=thread, since_s=since_s, until_s=until_s)
    return [one for one in found if not source or any(source in path for path in sources(library, one))]


def searched(
    library: Library,
    words: str,
    today: date,
    limit: int,
    *,
    since_s: float = 0.0,
    until_s: float = float("inf"),
    **filters: Any,
) -> list[Record]:
    """Records of every kind by their words and their meaning, turns also by their replies, best first.

    Filters: as `listed`. Where the words ask what was said on a day, only what is of that day; any other day
    in them is words as well, as "my deadline is 12 May" may be what is looked for. `today`: what "last week"
    counts from.
    """
    periods = find_periods(words, today)
    of_days: list[Record] = []
    if periods:
        first_s, last_s = _bounds(periods)
        first_s, last_s = max(since_s, first_s), min(until_s, last_s)
        of_days = listed(library, since_s=first_s, until_s=last_s, **filters)
        if _TALK.search(words):
            if not of_days:
                return []
            since_s, until_s, words = first_s, last_s, _without(words, periods) or words
    within: list[int] | None = None
    if since_s > 0 or until_s < float("inf") or any(filters.values()):
        chosen = listed(library, since_s=since_s, until_s=until_s, **filters)
        within = library.store.record_chunks([one.id for one in chosen])
    found = _ranked(library, words, within) if within is None or within else []
    best = dict.fromkeys([*found, *(one.id for one in of_days)])
    return library.store.records_with(list(best)[:limit])


def _ranked(library: Library, words: str, within: Sequence[int] | None) -> list[str]:
    """Ids of the records of both ranges of chunks that words find, best first."""
    store = library.store
    counts = store.row_counts(query_terms(words))
    dense: list[tuple[int, float]] = []
    lexical: list[tuple[int, float]] = []
    for tier in ("short", "mid"):
        dense += library.nearest_to(words, POOL, tier, within)
        lexical += store.lexical(list(counts), POOL, tier, within, counts)
    scores = word_scores(store, words, counts, [item for item, _ in (*dense, *lexical)])
    fused = fuse(dense, scores.bm25, scores.bound, scores.near)
    chunks = store.chunks([item for item, _ in fused])
    return list(dict.fromkeys(one.record_id for one in chunks if one.record_id))


def _without(words: str, periods: Sequence[Period]) -> str:
    for one in reversed(periods):
        words = f"{words[: one.start]} {words[one.end :]}"
    return words.strip()


def _bounds(periods: Sequence[Period]) -> tuple[float, float]:
    """From when to when days reach, as Unix times."""
    first = [one.first for one in periods if one.first]
    last = [one.last for one in periods if one.last]
    since_s = datetime.combine(min(first), time()).timestamp() if first else 0.0
    until = datetime.combine(max(last) + timedelta(days=1), time()) if last else None
    return since_s, until.timestamp() if until else float("inf")


def sources(library: Library, record: Record) -> list[str]:
    """The paths of the documents that a record rests on, as they are called now."""
    store, found = library.store, dict[str, None]()
    for span in record.payload.get("spans", []):
        document_id = store.document_id(span["path"])
        state = store.file_state(document_id) if document_id else None
        found.setdefault(state[0] if state else span["path"])
    return list(found)


def to_json(library: Library, record: Record, now_s: float) -> dict[str, Any]:
    """A record as the commands print it; its keys are stable."""
    return {
        "id": record.id,
        "tier": record.tier,
        "kind": record.kind,
        "thread": record.thread,
        "text": record.text,
        "said": record.payload.get("said", ""),
        "answer": record.payload.get("answer", ""),
        "created_s": record.created_s,
        "used_s": record.used_s,
        "uses": record.uses,
        "days": record.days,
        "pinned": record.pinned,
        "ended_s": record.ended_s,
        "replaces": record.replaces,
        "activation": round(policy.activation(record, now_s), 4),
        "stale": record.kind == "episode" and is_stale(record, library),
        "sources": sources(library, record),
        "run_id": record.payload.get("run_id", ""),
    }


def why(library: Library, record: Record, now_s: float) -> dict[str, Any]:
    """Where a record came from, what it rests on, what it took the place of, and which runs used it."""
    store = library.store
    spans = []
    for span in record.payload.get("spans", []):
        document_id = store.document_id(span["path"])
        texts = store.source_texts([document_id]) if document_id else {}
        stands = texts.get(document_id or 0, "")[span["start"] : span["end"]] == span["quote"]
        named = {name: span[name] for name in ("path", "start", "end", "quote")}
        spans.append({**named, "stands": bool(stands)})
    older, newer = store.record(record.replaces), store.replaced_by(record.id)
    return {
        **to_json(library, record, now_s),
        "words": record.payload.get("words", record.text),
        "spans": spans,
        "older": to_json(library, older, now_s) if older else None,
        "newer": to_json(library, newer, now_s) if newer else None,
        "used_by": [run for run in store.runs_holding(record.id) if run != record.payload.get("run_id")],
    }


def pin(library: Library, records: Iterable[Record], *, pinned: bool) -> None:
    """Keep records for good, in tier long; or leave them to the policy again."""
    for one in records:
        if one.tier == "short":
            raise InputError(
                f"{one.id[:12]} is a turn: what is pinned is an episode, a statement or a correction"
            )
        kept = policy.is_kept(replace(one, pinned=pinned))
        library.store.keep_records([one.id], tier="long" if kept else "mid", pinned=pinned)


def correct(library: Library, name: str, right: str, now_s: float) -> Record:
    """Note that an answer was wrong, and what is right, "" if that is not known.

    `name`: a run, the record of an episode or a turn, or the question itself.
    """
    store = library.store
    run = store.run(name) if re.fullmatch(r"[0-9a-f]{4,32}", name) else None
    record = store.record_named(name) if not run and re.fullmatch(r"[0-9a-f]{4,32}", name) else None
    if run and run["outcome"] == UNFINISHED:
        raise InputError(f"run {run['id']} is unfinished: there is no answer to correct")
    if run:
        question, run_id = run["payload"].get("standalone") or run["question"], run["id"]
    elif record:
        question = record.payload.get("standalone") or record.text
        run_id = record.payload.get("run_id", "")
    else:
        question, run_id = name, _run_of(library, name)
    told: Told = {"kind": "correction", "text": right.strip(), "question": question, "run_id": run_id}
    name = uuid.uuid4().hex
    found, ended = memory.correction(library, told, right.strip() or "wrong", name, "", now_s)
    if not found.payload["said"] and not found.payload["spans"] and not ended:
        raise InputError(
            "nothing is known of that answer: ask again, then correct the run that `agent runs` lists"
        )
    library.put_records([(found, "")], ended=ended, at_s=now_s)
    return found


def _run_of(library: Library, question: str) -> str:
    """The run that told what answers a question, or that of the latest episode with it, or ""."""
    own = library.store.records(kinds=("statement", "correction"))
    told = answering(question, [one for one in own if one.ended_s is None and is_told(one)])
    known = [told] if told else library.store.with_key(key_of(question))
    same = [one for one in known if one.payload.get("run_id")]
    return str(same[0].payload["run_id"]) if same else ""


def undo(library: Library, record: Record) -> None:
    """Take a correction back: what it ended holds again, but where the user has told something else since."""
    if record.kind != "correction":
        raise InputError(
            f"{record.id[:12]} is no correction: `agent memory list --kind correction` shows them"
        )
    since = [one for one in library.store.with_key(record.key) if one.created_s > record.created_s]
    if not any(one.kind == "statement" for one in since):
        library.store.end_records(record.payload["ended"], None)
    library.store.delete_records([record.id])


def stats(library: Library, now_s: float) -> dict[str, Any]:
    """How much is remembered, how much of it is pinned, stale, or no longer holds, and the library's size."""
    records = library.store.records(tiers=("mid", "long"))
    return {
        "records": library.store.record_counts(),
        "pinned": sum(one.pinned for one in records),
        "stale": sum(one.kind == "episode" and is_stale(one, library) for one in records),
        "ended": sum(one.ended_s is not None for one in records),
        "below_floor": sum(policy.is_expired(one, now_s) for one in records),
        "runs": library.store.counts()["runs"],
        "bytes": sum(file.stat().st_size for file in library.folder.glob("*") if file.is_file()),
    }
