"""Forgetting what is remembered, down to the last byte in the library's files; documents stay.

It reckons first what has to go, so that whoever asks may see it, and then carries it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.records import find
from retrieval.library import Library
from retrieval.records import ERASE_WAIT_S, Record
from retrieval.tokens import CJK

HISTORY = "chat_history"
FEW = 3  # Chinese characters, of which a word of another script counts as two, that are more than a word
FEW_CHARS = 8  # of a text without Chinese that is more than a word, such as "14 May"
CODE_CHARS = 6  # from which on a word with a digit in it is nobody else's: a code, a number

_WORD = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
# What may stand before and behind a text that is a sentence of its own or quoted; in the bytes of a
# checkpoint, what is no text at all.
_EDGE = r"[\n\r“”\"「」『』«»。！？：；\x00-\x1f\ufffd]"
_BEFORE = rf"(?:^|{_EDGE}|[.!?:;]\s)\s*"
_BEHIND = rf"(?=\s*(?:$|{_EDGE}|[.!?:;](?:$|\s|{_EDGE})))"


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
