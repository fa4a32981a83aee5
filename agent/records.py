"""What a person does with memory: look at it, keep, correct, forget, carry elsewhere.

Every function takes the library, and the clock where time matters. What is imported is not believed: an
episode from elsewhere is a hint until its question is answered from this library and verified.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from agent import memory, policy
from agent.episodes import is_stale
from agent.errors import InputError
from agent.likeness import key_of
from agent.state import Told
from agent.statements import key_of_subject
from retrieval.fusion import fuse
from retrieval.library import Library
from retrieval.records import ERASE_WAIT_S, Record
from retrieval.search import POOL, word_scores
from retrieval.store import UNFINISHED
from retrieval.tokens import CJK, query_terms
from tools.periods import Period, find_periods

KINDS = ("turn", "episode", "statement", "correction")
TIERS = ("short", "mid", "long")
HISTORY = "chat_history"
FORMAT = "toulmin-memory-1"
FEW = 3  # Chinese characters, of which a word of another script counts as two, that are more than a word
FEW_CHARS = 8  # of a text without Chinese that is more than a word, such as "14 May"
CODE_CHARS = 6  # from which on a word with a digit in it is nobody else's: a code, a number
LAST_S = 253_370_764_800.0  # the year 9999: later times have no date

_WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
_TALK = re.compile(
    r"\b(?:ask|asked|say|said|tell|told|talk|talked|mention|mentioned|discuss|discussed)\b"
    r"|[问問说說聊谈談]|告诉|告訴|提到|提过|提過",
    re.IGNORECASE,
)
# What may stand before and behind a text that is a sentence of its own or quoted; in the bytes of a
# checkpoint, what is no text at all.
_EDGE = r"[\n\r“”\"「」『』«»。！？：；\x00-\x1f\ufffd]"
_BEFORE = rf"(?:^|{_EDGE}|[.!?:;]\s)\s*"
_BEHIND = rf"(?=\s*(?:$|{_EDGE}|[.!?:;](?:$|\s|{_EDGE})))"


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


@dataclass(frozen=True)
class Forgetting:
    """What goes when records are forgotten."""

    records: list[Record]
    runs: list[str]
    """Their ids."""
    texts: frozenset[str] | None
    """Of which nothing stays; None: nothing stays at all."""

    @property
    def pinned(self) -> int:
        """How many of the records are pinned."""
        return sum(one.pinned for one in self.records)


def forget(library: Library, records: Iterable[Record], *, wait_s: float = ERASE_WAIT_S) -> tuple[int, int]:
    """Delete records and all that repeats their texts; how many records and runs went.

    As `reckoned` and `carry_out`.
    """
    return carry_out(library, reckoned(library, records), wait_s=wait_s)


def forget_named(library: Library, names: Sequence[str]) -> tuple[int, int]:
    """`forget` for the ids of records or the starts of them, after finishing what was cut short before."""
    was_cut_short = finished(library)
    return forget(library, named(library, names, was_cut_short=was_cut_short))


def finished(library: Library) -> bool:
    """Erase what is still to be erased; whether a forgetting had been cut short."""
    return library.finish_forgetting() or library.erased_late


def named(library: Library, names: Sequence[str], *, was_cut_short: bool) -> list[Record]:
    """Records by their ids or the starts of them.

    Raises `InputError` for an unknown one, but not where a forgetting was cut short: it may be gone.
    """
    if not was_cut_short:
        return [find(library, name) for name in names]
    known = [library.store.record_named(name) for name in names]
    return [one for one in known if one]


def reckoned(library: Library, records: Iterable[Record], thread: str | None = None) -> Forgetting:
    """What has to go so that no byte of the records' texts is left in the library: of memory, not documents.

    That is other records, runs with their checkpoints, and lines of the chat's history that hold a text. One
    that is no more than a word ("deposit", 押金) is forgotten only where it stands as a sentence of its own
    or is quoted: that others hold the word does not mean that they repeat it. Of `thread`, and of a
    thread that nothing is left of, all runs go as well.
    """
    store, chosen = library.store, list(records)
    gone = dict.fromkeys(one.id for one in chosen)
    runs = dict.fromkeys(one.payload["run_id"] for one in chosen if one.payload.get("run_id"))
    texts = {text for one in chosen for text in texts_of(one)}
    for name in sorted(_left_empty(library, chosen) | ({thread} if thread else set())):
        of_thread = store.run_ids(name)
        runs.update(dict.fromkeys(of_thread))
        texts |= {_quoted(run["question"]) for run in map(store.run, of_thread) if run}
    for text in sorted(texts - {""}):
        holding, of_runs = store.records_holding(text), store.runs_holding(text)
        if not is_telling(text):
            holding = [one.id for one in store.records_with(holding) if _repeats(_strings(one), text)]
            of_runs = [one for one in of_runs if _repeats(_strings_of_run(library, one), text)]
        gone.update(dict.fromkeys(holding))
        runs.update(dict.fromkeys(of_runs))
    return Forgetting(store.records_with(list(gone)), list(runs), frozenset(texts - {""}))


def _left_empty(library: Library, chosen: Sequence[Record]) -> set[str]:
    """The threads of which all records are chosen."""
    ids = {one.id for one in chosen}
    threads = {one.thread for one in chosen if one.thread}
    return {name for name in threads if all(one.id in ids for one in library.store.records(thread=name))}


def everything(library: Library) -> Forgetting:
    """All records, runs and checkpoints."""
    return Forgetting(library.store.records(), library.store.run_ids(), None)


def carry_out(library: Library, going: Forgetting, *, wait_s: float = ERASE_WAIT_S) -> tuple[int, int]:
    """Forget what was reckoned, down to the last byte; how many records and runs went.

    Raises `StoreError` while somebody else uses the library, after `wait_s`: all is deleted then, and its
    bytes are erased by `Library.finish_forgetting`, which the next forgetting and the next opening do.
    """
    _forget_history(library.folder / HISTORY, going.texts)  # first, as nobody knows the texts afterwards
    deleted = library.store.forget([one.id for one in going.records], going.runs)
    library.finish_forgetting(wait_s)
    return deleted, len(going.runs)


def texts_of(record: Record) -> list[str]:
    """The user's words in a record, without the full stop at their end: they are quoted without."""
    payload = record.payload
    found = [record.text, payload.get("standalone", ""), payload.get("words", ""), payload.get("said", "")]
    return [text for text in dict.fromkeys(map(_quoted, found)) if text]


def _quoted(text: str) -> str:
    """A text as answers quote it."""
    return text.strip().rstrip(".。 ")


def is_telling(text: str) -> bool:
    """Whether a text is more than a word, so that whatever holds it repeats it."""
    words = _WORD.findall(text)
    chinese = sum(len(word) == 1 and bool(re.match(f"[{CJK}]", word)) for word in words)
    if len(words) == 1 and not chinese:
        return len(text) >= CODE_CHARS and any(char.isdigit() for char in text)
    return 2 * len(words) - chinese >= FEW and (bool(chinese) or len(text) >= FEW_CHARS)


def _repeats(texts: Iterable[str], text: str) -> bool:
    """Whether a text stands in one of others as a sentence of its own, or quoted."""
    whole = re.compile(_BEFORE + re.escape(text) + _BEHIND)
    return any(whole.search(one) for one in texts)


def _strings(record: Record) -> Iterator[str]:
    yield record.text
    yield from _strings_in(record.payload)


def _strings_in(value: Any) -> Iterator[str]:
    """The texts in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings_in(one)


def _strings_of_run(library: Library, run_id: str) -> Iterator[str]:
    """The texts of a run; of its checkpoints their bytes, as far as they are text."""
    store = library.store
    run = store.run(run_id)
    if run and run["id"] == run_id:
        yield from _strings_in([run["question"], run["payload"]])
    for row in store.checkpoints(run_id):
        blobs = [row["checkpoint"], row["metadata"]]
        blobs += [one["value"] for one in store.checkpoint_writes(run_id, row["space"], row["id"])]
        yield from (bytes(blob).decode("utf-8", "replace") for blob in blobs)


def _forget_history(file: Path, texts: frozenset[str] | None) -> None:
    """Leave out the lines of the chat that hold a text: blocks of "# time" and lines after a "+"."""
    if not file.exists():
        return
    if texts is None:
        file.unlink()
        return
    blocks = re.split(r"\n(?=# )", file.read_text(encoding="utf-8", errors="replace"))
    kept = []
    for block in blocks:
        said = "\n".join(line[1:] for line in block.split("\n") if line.startswith("+"))
        if not any(text in said and (is_telling(text) or _repeats([said], text)) for text in texts):
            kept.append(block)
    part = file.with_name(f"{file.name}.part")
    part.write_text("\n".join(kept), encoding="utf-8")
    part.replace(file)


# --- carrying elsewhere -----------------------------------------------------------------------------------


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
    fresh = [one for one in records if library.store.record(one.id) is None]
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
