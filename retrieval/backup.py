"""Copies of a library: backed up while it is in use, restored, and saved from a damaged one.

A backup is one SQLite file; the FAISS file is derived and not in it. It keeps no history of backups.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from retrieval.embed import Embedder
from retrieval.library import LOCK_FILE, STORE_FILE, Library
from retrieval.lock import try_lock
from retrieval.records import Record
from retrieval.salvage import Readable, documents_in, moves_in, open_damaged, records_in, runs_in
from retrieval.schema import SCHEMA_VERSION
from retrieval.store import StoreError

SIDECARS = ("-wal", "-shm", "-journal")


def back_up(library_file: Path, target: Path, *, force: bool = False) -> int:
    """Copy a library that may be in use to one file, consistently; its size in bytes.

    Raises `StoreError` when there is no library, when the target exists and `force` is not given, and when it
    cannot be written.
    """
    if not library_file.is_file():
        raise StoreError(f"no library to back up at {library_file.parent}: `agent add PATH` makes one")
    _refuse_to_overwrite(target, force=force)
    if target.exists() and target.samefile(library_file):
        raise StoreError(f"{target} is the library itself: give another file")
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        _copy(library_file, part)
        os.replace(part, target)
    finally:
        _remove(part)
    return target.stat().st_size


def restore(backup: Path, folder: Path, *, force: bool = False) -> Path | None:
    """Put a backup in the place of the library in `folder`; where the replaced one lies now, or None.

    Raises `StoreError` when the file is no whole library, when there is a library and `force` is not given,
    and while an `add` is at work. Programs that have the old library open go on with the old one.
    """
    _check_backup(backup)
    if (folder / STORE_FILE).exists() and not force:
        raise StoreError(
            f"there is a library at {folder}: --force replaces it, and keeps it in a folder beside it"
        )
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        fresh.mkdir(parents=True)
        _copy(backup, fresh / STORE_FILE)
        aside = _set_aside(folder) if folder.exists() else None
        os.replace(fresh, folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be replaced: {error.strerror}") from error
    finally:
        _remove(fresh / STORE_FILE)
        with suppress(OSError):
            fresh.rmdir()
    return aside


def save_what_is_left(
    damaged: Path,
    target: Path,
    load_embedder: Callable[[], Embedder],
    *,
    force: bool = False,
    tell: Callable[[int], None] | None = None,
) -> Readable:
    """Write what can be read of a damaged library to a new file, and say how much that was.

    Chunks, words and vectors are made again from the documents. `tell` hears how many documents are done.
    Raises `StoreError` when nothing can be read, and as `back_up` does.
    """
    _refuse_to_overwrite(target, force=force)
    fresh = target.with_name(f"{target.name}.{os.getpid()}.saved")
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with closing(open_damaged(damaged)) as db, Library(fresh, load_embedder, words_suffice=True) as new:
            saved = _save(db, new, tell)
        if not any((saved.documents, saved.records, saved.runs)):
            raise sqlite3.DatabaseError("no row is whole")
        _copy(fresh / STORE_FILE, part)
        os.replace(part, target)
    except (sqlite3.DatabaseError, FileNotFoundError) as error:
        raise StoreError(
            f"nothing of {damaged} can be read: restore a backup, or add your files again"
        ) from error
    finally:
        _remove(part)
        for file in fresh.glob("*") if fresh.is_dir() else ():
            file.unlink(missing_ok=True)
        with suppress(OSError):
            fresh.rmdir()
    return saved


def _save(db: sqlite3.Connection, new: Library, tell: Callable[[int], None] | None) -> Readable:
    records = runs = 0
    numbers: list[tuple[int, int]] = []  # of each document, before and now
    for one in documents_in(db):
        new.put_source(one.path, one.source, one.sha256, one.size_bytes, one.modified_s)
        numbers.append((one.number, new.store.last_document()))
        if tell:
            tell(len(numbers))
    for record in records_in(db):
        new.put_records([(_renumbered(record, numbers), _reply(record))])
        records += 1
    for run in runs_in(db):
        named = (run[name] for name in ("id", "thread", "question", "outcome", "payload", "created_s"))
        new.store.put_run(*named)
        runs += 1
    for old, now in moves_in(db):
        new.store.note_move(old, now)
    return Readable(len(numbers), records, runs)


def _renumbered(record: Record, numbers: Sequence[tuple[int, int]]) -> Record:
    """A record that knows which of the documents came after it by the ids that they have now.

    Where they came in another order, rather too many count as newer: its question is then searched anew.
    """
    last = record.payload.get("library_at")
    if not isinstance(last, int):
        return record
    newer = [now for before, now in numbers if before > last]
    known = min(newer) - 1 if newer else max((now for _, now in numbers), default=0)
    return replace(record, payload={**record.payload, "library_at": known})


def _reply(record: Record) -> str:
    answer = record.payload.get("answer", "")
    return answer if record.kind == "turn" and isinstance(answer, str) else ""


def _copy(source: Path, target: Path) -> None:
    """One consistent copy in a single file, without write-ahead log. Raises `StoreError`."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{source} cannot be copied to {target.parent} ({error})") from error


def _refuse_to_overwrite(target: Path, *, force: bool) -> None:
    if target.is_dir():
        raise StoreError(f"{target} is a folder: give a file, such as {target / 'library.backup'}")
    if target.exists() and not force:
        raise StoreError(f"{target} exists: give another name, or --force to replace it")
    if not target.parent.is_dir():
        raise StoreError(f"no such folder: {target.parent}")


def _check_backup(backup: Path) -> None:
    if not backup.is_file():
        raise StoreError(f"no such file: {backup}")
    try:
        with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{backup} is not a backup of a library ({error})") from error
    if not {"documents", "chunks", "records"} <= tables:
        raise StoreError(f"{backup} is not a backup of a library")
    if version > SCHEMA_VERSION:
        raise StoreError(f"{backup} was made by a newer Toulmin: upgrade to restore it")
    if verdict != "ok":
        raise StoreError(f"{backup} is damaged ({verdict}): restore another one")


def _set_aside(folder: Path) -> Path | None:
    """Move the library's folder to a name of its own; where to, or None when it held no library."""
    held = try_lock(folder / LOCK_FILE)
    if held is None:
        raise StoreError("another `agent add` is at work on the library: try again when it is done")
    try:
        kept = (folder / STORE_FILE).exists()
        stamp = time.strftime("%Y%m%d-%H%M%S")
        aside = folder.with_name(f"{folder.name}.replaced-{stamp}")
        number = 1
        while aside.exists():
            number += 1
            aside = folder.with_name(f"{folder.name}.replaced-{stamp}-{number}")
        os.replace(folder, aside)
    finally:
        os.close(held)
    return aside if kept else None


def _remove(file: Path) -> None:
    for suffix in ("", *SIDECARS):
        with suppress(OSError):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
