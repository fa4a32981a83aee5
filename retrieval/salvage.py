"""Read what can be read of a damaged library file, row by row, and store it in a new one.

Of a document its source is read: chunks and words are made anew from it. It mends nothing in place, and it
knows no embedder: `Library` makes the vectors again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.documents import source_of
from retrieval.load import Source
from retrieval.records import Record, record_of

PROBED = 100_000  # row numbers tried one by one between what is read from both ends
DOCUMENT = "path, sha256, size_bytes, modified_s, format, title, source, marks, lines, notes"
RECORD = "id, tier, kind, thread, text, payload, created_s, used_s, uses"
RECORD_SINCE = "key, days, pinned, ended_s, replaces"
RUN = "id, thread, question, outcome, created_s, payload"


@dataclass(frozen=True)
class Salvaged:
    """A document that could be read."""

    number: int
    """Its id: documents that came later have higher ones."""
    path: str
    sha256: str
    size_bytes: int
    modified_s: float
    source: Source


@dataclass(frozen=True)
class Readable:
    """How much of a damaged file can be read."""

    documents: int
    records: int
    runs: int


def readable(file: Path) -> Readable | None:
    """Count what can be saved; None where the file is no SQLite database at all."""
    try:
        with closing(_open(file)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return Readable(
                sum(1 for _ in documents_in(db)), sum(1 for _ in records_in(db)), sum(1 for _ in runs_in(db))
            )
    except (sqlite3.DatabaseError, OSError):
        return None


def open_damaged(file: Path) -> sqlite3.Connection:
    """The file for reading only. Raises `sqlite3.DatabaseError` where it is no database."""
    db = _open(file)
    db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return db


def documents_in(db: sqlite3.Connection) -> Iterator[Salvaged]:
    """The documents whose rows are whole."""
    known = {row["name"] for row in db.execute("PRAGMA table_info(documents)")}
    told = (
        "date, tags" if {"date", "tags"} <= known else "'' AS date, '[]' AS tags"
    )  # a file of an older version
    for row in _by_number(db, f"SELECT id AS number, {DOCUMENT}, {told} FROM documents", "id"):
        try:
            yield Salvaged(
                row["number"],
                str(row["path"]),
                row["sha256"],
                row["size_bytes"],
                row["modified_s"],
                source_of(row),
            )
        except (ValueError, TypeError, KeyError):
            continue  # its own text is damaged


def records_in(db: sqlite3.Connection) -> Iterator[Record]:
    """The records whose rows are whole."""
    known = {row["name"] for row in db.execute("PRAGMA table_info(records)")}
    told = f"{RECORD}, {RECORD_SINCE}" if "key" in known else RECORD  # a file of an older version
    for row in _by_name(db, f"SELECT {told} FROM records"):
        try:
            yield record_of(row)
        except (ValueError, TypeError):
            continue


def runs_in(db: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """The runs whose rows are whole."""
    for row in _by_name(db, f"SELECT {RUN} FROM runs"):
        try:
            yield {**dict(row), "payload": json.loads(row["payload"])}
        except (ValueError, TypeError):
            continue


def moves_in(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """(old path, new path) of what was moved, as far as it can be read."""
    try:
        return [(row["path"], row["now"]) for row in db.execute("SELECT path, now FROM moved")]
    except (sqlite3.Error, UnicodeDecodeError):
        return []


def _open(file: Path) -> sqlite3.Connection:
    if not file.is_file():
        raise FileNotFoundError(file)
    db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    db.row_factory = sqlite3.Row
    # Text that is no UTF-8 any more is damage: it must not pass for what was read.
    db.text_factory = lambda data: data.decode("utf-8")
    return db


def _by_number(db: sqlite3.Connection, select: str, key: str) -> Iterator[sqlite3.Row]:
    """The rows of a table with row numbers: from both ends, and one by one where a page is broken."""
    low, high = 0, 1 << 62
    low = yield from _until_broken(db, f"{select} WHERE {key} > ? ORDER BY {key}", low)
    if low is None:
        return
    top = yield from _until_broken(
        db, f"{select} WHERE {key} < ? AND {key} > {low} ORDER BY {key} DESC", high
    )
    if top is None:
        return
    for number in range(low + 1, min(top, low + PROBED)):
        try:
            row = db.execute(f"{select} WHERE {key} = ?", (number,)).fetchone()
        except (sqlite3.Error, UnicodeDecodeError):
            continue
        if row:
            yield row


def _until_broken(db: sqlite3.Connection, select: str, start: int) -> Any:
    """Yields row by row; returns the last number before one that cannot be read, or None at the end."""
    at = start
    while True:
        try:
            row = db.execute(f"{select} LIMIT 1", (at,)).fetchone()
        except (sqlite3.Error, UnicodeDecodeError):
            return at
        if row is None:
            return None
        at = row["number"]
        yield row


def _by_name(db: sqlite3.Connection, select: str) -> Iterator[sqlite3.Row]:
    """The rows of a table that is sorted by its ids: from both ends up to where it is broken."""
    seen: set[str] = set()
    for order, beyond, at in (("ASC", ">", ""), ("DESC", "<", "\U0010ffff")):
        while True:
            try:
                row = db.execute(
                    f"{select} WHERE id {beyond} ? ORDER BY id {order} LIMIT 1", (at,)
                ).fetchone()
            except (sqlite3.Error, UnicodeDecodeError):
                break
            if row is None or row["id"] in seen:
                return
            at = row["id"]
            seen.add(at)
            yield row
