"""What a person does with memory: look at it, keep, correct, forget, carry elsewhere.

Every function takes the library, and the clock where time matters. What is imported is not believed: an
episode from elsewhere is a hint until its question is answered from this library and verified.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agent import memory, policy
from agent.episodes import is_stale
from agent.errors import InputError
from agent.likeness import key_of
from agent.state import Told
from agent.statements import key_of_subject
from retrieval.library import Library
from retrieval.records import Record
from retrieval.store import UNFINISHED

KINDS = ("turn", "episode", "statement", "correction")
TIERS = ("short", "mid", "long")
HISTORY = "chat_history"
SHORT_TEXT = 6  # characters below which only what is exactly a text is forgotten with it, not what holds it
FORMAT = "toulmin-memory-1"


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
    if not found.payload["said"] and not found.payload["spans"]:
        raise InputError(
            "nothing is known of that answer: ask again, then correct the run that `agent runs` lists"
        )
    library.put_records([(found, "")], ended=ended, at_s=now_s)
    return found


def _run_of(library: Library, question: str) -> str:
    """The run of the latest turn or episode with a question, or ""."""
    same = [one for one in library.store.with_key(key_of(question)) if one.payload.get("run_id")]
    return str(same[0].payload["run_id"]) if same else ""


def undo(library: Library, record: Record) -> None:
    """Take a correction back: what it ended holds again."""
    if record.kind != "correction":
        raise InputError(
            f"{record.id[:12]} is no correction: `agent memory list --kind correction` shows them"
        )
    library.store.end_records(record.payload["ended"], None)
    library.store.delete_records([record.id])


# --- forgetting -------------------------------------------------------------------------------------------


def forget(library: Library, records: Iterable[Record]) -> tuple[int, int]:
    """Delete records and all that holds their texts, so that no byte of those is left in the library.

    That is other records, runs with their checkpoints, and lines of the chat's history; not documents. How
    many records and runs went. Raises `StoreError` while another process uses the library.
    """
    store = library.store
    chosen = list(records)
    texts = {text for one in chosen for text in texts_of(one)}
    gone, runs = {one.id for one in chosen}, set[str]()
    for text in texts:
        if len(text) >= SHORT_TEXT:
            gone.update(store.records_holding(text))
            runs.update(store.runs_holding(text))
    runs.update(one.payload["run_id"] for one in chosen if one.payload.get("run_id"))
    deleted = store.delete_records(gone)
    for run in runs:
        store.drop_run(run)
    _forget_history(library.folder / HISTORY, texts)
    library.forget_vectors()
    store.erase()
    return deleted, len(runs)


def texts_of(record: Record) -> list[str]:
    """The user's words in a record."""
    payload = record.payload
    found = [record.text, payload.get("standalone", ""), payload.get("words", ""), payload.get("said", "")]
    return [text for text in dict.fromkeys(found) if text]


def _forget_history(file: Path, texts: Iterable[str]) -> None:
    """Leave out the lines of the chat that hold a text: blocks of "# time" and lines after a "+"."""
    if not file.exists():
        return
    blocks = re.split(r"\n(?=# )", file.read_text(encoding="utf-8", errors="replace"))
    kept = []
    for block in blocks:
        said = "\n".join(line[1:] for line in block.split("\n") if line.startswith("+"))
        if not any(text == said or (len(text) >= SHORT_TEXT and text in said) for text in texts):
            kept.append(block)
    file.write_text("\n".join(kept), encoding="utf-8")


# --- carrying elsewhere -----------------------------------------------------------------------------------


def exported(library: Library, records: Iterable[Record]) -> str:
    """Records as JSON lines, the first of which says what they are."""
    head = json.dumps({"format": FORMAT})
    return "\n".join([head, *(json.dumps(asdict(one), ensure_ascii=False) for one in records)]) + "\n"


def imported(library: Library, text: str) -> int:
    """Take in what `exported` gave, beside what is there; how many records. What is there already stays.

    Raises `InputError` for anything else, and then takes in nothing.
    """
    head, *lines = text.splitlines() or [""]
    try:
        if json.loads(head) != {"format": FORMAT}:
            raise ValueError
        records = [_read(line) for line in lines if line.strip()]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"this is no export of a memory ({FORMAT})") from error
    fresh = [one for one in records if library.store.record(one.id) is None]
    library.put_records([(one, one.payload.get("answer", "") if one.kind == "turn" else "") for one in fresh])
    return len(fresh)


def _read(line: str) -> Record:
    """A record of an export. Raises ValueError, TypeError or KeyError for what is none."""
    one = Record(**json.loads(line))
    payload = dict(one.payload)
    wanted: dict[str, tuple[str, ...]] = {
        "turn": ("standalone", "answer", "outcome", "run_id"),
        "episode": ("spans",),
        "statement": (),
        "correction": ("said", "spans", "ended"),
    }
    if any(name not in payload for name in wanted[one.kind]) or one.tier not in TIERS:
        raise ValueError(line)
    texts = (one.id, one.text, one.thread, one.key, one.replaces)
    numbers = (one.created_s, one.used_s, one.uses, one.days)
    if not all(isinstance(text, str) for text in texts) or not all(
        isinstance(n, (int, float)) for n in numbers
    ):
        raise TypeError(line)
    for span in payload.get("spans", []):
        _ = (str(span["path"]), int(span["start"]), int(span["end"]), str(span["quote"]))
    if one.kind == "episode":  # its spans may be looked at; what it says of them was verified elsewhere
        kept: dict[str, Any] = {
            name: payload[name] for name in ("answer", "queries", "run_id") if name in payload
        }
        payload = {**kept, "spans": [{"score": 0.0, "cosine": 0.0, **span} for span in payload["spans"]]}
    key = {"turn": "", "statement": key_of_subject(one.text)}.get(one.kind, key_of(one.text))
    return replace(one, payload=payload, key=key)


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
