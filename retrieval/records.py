"""The records in the library's file: items of memory, and the threads that they belong to.

It does not decide what is remembered or forgotten.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from retrieval.chunks import NewChunk, delete_chunks, insert_chunk, words_of
from retrieval.database import Database


@dataclass(frozen=True)
class Record:
    """One item of memory. `text` is what it is found by; `payload` is plain JSON."""

    id: str
    tier: str
    kind: str
    thread: str
    text: str
    payload: dict[str, Any]
    created_s: float
    used_s: float
    uses: int


class Records(Database):
    """The records, by id and by thread."""

    def put_record(self, record: Record, vector: bytes | None) -> None:
        """Store a record and what it is found by, in place of one with the same id."""
        chunk = NewChunk(0, len(record.text), "", None, record.text, vector)
        words = words_of("", record.text)
        with self._write() as db:
            _delete_record(db, record.id)
            db.execute(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    record.id,
                    record.tier,
                    record.kind,
                    record.thread,
                    record.text,
                    json.dumps(record.payload, ensure_ascii=False),
                    record.created_s,
                    record.used_s,
                    record.uses,
                ),
            )
            insert_chunk(db, record.tier, chunk, words, record_id=record.id)
            if record.thread:
                db.execute(
                    "INSERT INTO threads VALUES (?, ?, ?)"
                    " ON CONFLICT (id) DO UPDATE SET used_s = excluded.used_s",
                    (record.thread, record.created_s, record.created_s),
                )

    def use_record(self, record_id: str, at_s: float) -> None:
        """Count one verified use."""
        with self._write() as db:
            db.execute("UPDATE records SET uses = uses + 1, used_s = ? WHERE id = ?", (at_s, record_id))

    def record(self, record_id: str) -> Record | None:
        row = self._db.execute("SELECT * FROM records WHERE id = ?", (record_id,)).fetchone()
        return _record(row) if row else None

    def turns(self, thread: str, limit: int) -> list[Record]:
        """The last turns of a thread, oldest first."""
        rows = self._db.execute(
            "SELECT * FROM records WHERE thread = ? AND kind = 'turn'"
            " ORDER BY created_s DESC, id DESC LIMIT ?",
            (thread, limit),
        ).fetchall()
        return [_record(row) for row in reversed(rows)]


def _delete_record(db: sqlite3.Connection, record_id: str) -> None:
    rows = db.execute("SELECT id FROM chunks WHERE record_id = ?", (record_id,)).fetchall()
    delete_chunks(db, [row["id"] for row in rows])
    db.execute("DELETE FROM records WHERE id = ?", (record_id,))


def _record(row: sqlite3.Row) -> Record:
    return Record(**{**dict(row), "payload": json.loads(row["payload"])})
