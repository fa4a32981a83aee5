"""The records in the library's file: items of memory, and the threads that they belong to.

A record of tier "long" is found where those of "mid" are: the long range of chunk ids is for documents alone.
It does not decide what is remembered or forgotten.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from retrieval.chunks import NewChunk, delete_chunks, groups, insert_chunk, placeholders, words_of
from retrieval.database import BUSY_TIMEOUT_S, Database, StoreError

REPLY = "reply"  # heading of the chunk that holds what a turn's question was answered with
DAY_S = 86_400.0
ERASING = "erasing"  # meta: what was deleted is still to be erased
ERASE_WAIT_S = 5.0  # for others to leave the file

NOT_ERASED = "it is deleted, but its bytes are still in the library's file"
ERASE_LATER = "`agent memory tidy` erases them when nobody else uses it, and so does opening it"


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
    """Verified uses."""
    key: str = ""
    """What it is looked up by when its question is asked again."""
    days: int = 0
    """Separate days with a verified use."""
    pinned: bool = False
    ended_s: float | None = None
    """When it ceased to hold; None while it holds."""
    replaces: str = ""
    """The id of the record that it took the place of, or ""."""


class Age(NamedTuple):
    """What of a record tells how long it is kept: fields of the same names."""

    id: str
    tier: str
    kind: str
    thread: str
    created_s: float
    used_s: float
    uses: int
    days: int
    pinned: bool
    ended_s: float | None


@dataclass(frozen=True)
class NewRecord:
    """A record to be stored."""

    record: Record
    vector: bytes | None
    """Of its text; None for a blind embedder."""
    embedded: bytes | None = None
    """What the text is known by that `vector` is of."""
    reply: str = ""
    """What a turn's question was answered with: found by its words."""


class Records(Database):
    """The records, by id, by key and by thread."""

    def put_record(self, record: Record, vector: bytes | None) -> None:
        """Store a record and what it is found by, in place of one with the same id."""
        self.put_records([NewRecord(record, vector)])

    def put_records(
        self,
        new: Sequence[NewRecord],
        *,
        used: Sequence[str] = (),
        ended: Sequence[str] = (),
        at_s: float = 0.0,
    ) -> None:
        """Store records, each in place of one with the same id, in one transaction.

        That one stays pinned, of tier long or ended where somebody made it so since it was read.
        In it a verified use at `at_s` is counted of those `used`, and those `ended` cease to hold.
        """
        words = [(words_of("", one.record.text), words_of("", one.reply)) for one in new]
        with self._write() as db:
            self.use_records(used, at_s)
            self.end_records(ended, at_s)
            for one, (own, replied) in zip(new, words, strict=True):
                record = _with_what_became_of_it(db, one.record)
                _delete_record(db, record.id)
                db.execute(
                    "INSERT INTO records (id, tier, kind, thread, text, payload, created_s, used_s,"
                    " uses, key, days, pinned, ended_s, replaces)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                        record.key,
                        record.days,
                        int(record.pinned),
                        record.ended_s,
                        record.replaces,
                    ),
                )
                tier = "short" if record.tier == "short" else "mid"
                text = NewChunk(0, len(record.text), "", None, record.text, one.vector, one.embedded)
                insert_chunk(db, tier, text, own, record_id=record.id)
                if one.reply:
                    reply = NewChunk(0, len(one.reply), REPLY, None, one.reply, None)
                    insert_chunk(db, tier, reply, replied, record_id=record.id)
                if record.thread:
                    db.execute(
                        "INSERT INTO threads VALUES (?, ?, ?)"
                        " ON CONFLICT (id) DO UPDATE SET used_s = excluded.used_s",
                        (record.thread, record.created_s, record.created_s),
                    )

    def use_records(self, record_ids: Iterable[str], at_s: float) -> None:
        """Count one verified use of each, and the day if it is the first on it."""
        with self._write() as db:
            db.executemany(
                "UPDATE records SET days = days + (uses = 0 OR CAST(used_s / ?3 AS INTEGER) <"
                " CAST(?1 / ?3 AS INTEGER)), uses = uses + 1, used_s = max(used_s, ?1) WHERE id = ?2",
                [(at_s, record_id, DAY_S) for record_id in record_ids],
            )

    def use_record(self, record_id: str, at_s: float) -> None:
        """Count one verified use."""
        self.use_records([record_id], at_s)

    def record(self, record_id: str) -> Record | None:
        row = self._db.execute("SELECT * FROM records WHERE id = ?", (record_id,)).fetchone()
        return record_of(row) if row else None

    def record_named(self, start: str) -> Record | None:
        """A record by its id or the start of it. Raises `StoreError` when several start so."""
        rows = self._db.execute(
            "SELECT * FROM records WHERE id >= ? AND id < ? ORDER BY id = ? DESC LIMIT 2",
            (start, start + "\U0010ffff", start),
        ).fetchall()
        if len(rows) > 1 and rows[0]["id"] != start:
            raise StoreError(f"several records start with {start!r}: give more of the id")
        return record_of(rows[0]) if rows and start else None

    def with_key(self, key: str) -> list[Record]:
        """The records of a key that hold, the newest first."""
        rows = self._db.execute(
            "SELECT * FROM records WHERE key = ? AND key <> '' AND ended_s IS NULL ORDER BY created_s DESC",
            (key,),
        )
        return [record_of(row) for row in rows]

    def records_with(self, record_ids: Sequence[str]) -> list[Record]:
        """The records of these ids, in that order; those that are gone are left out."""
        found: dict[str, Record] = {}
        for group in groups(record_ids):
            rows = self._db.execute(f"SELECT * FROM records WHERE id IN ({placeholders(group)})", group)
            found.update({row["id"]: record_of(row) for row in rows})
        return [found[one] for one in record_ids if one in found]

    def records_of_chunks(self, chunk_ids: Sequence[int]) -> list[Record]:
        """The records that hold, of chunks of theirs, in that order."""
        rows = self._db.execute(
            f"SELECT id, record_id FROM chunks WHERE id IN ({placeholders(chunk_ids)})", list(chunk_ids)
        )
        owners = {row["id"]: row["record_id"] for row in rows}
        ids = dict.fromkeys(owners[one] for one in chunk_ids if owners.get(one))
        return [one for one in self.records_with(list(ids)) if one.ended_s is None]

    def replaced_by(self, record_id: str) -> Record | None:
        """The record that took the place of one."""
        row = self._db.execute("SELECT * FROM records WHERE replaces = ?", (record_id,)).fetchone()
        return record_of(row) if row else None

    def records(
        self,
        *,
        tiers: Sequence[str] = (),
        kinds: Sequence[str] = (),
        thread: str | None = None,
        since_s: float = 0.0,
        until_s: float = float("inf"),
        limit: int = -1,
    ) -> list[Record]:
        """Records, the newest first; those too that no longer hold. Nothing given restricts nothing."""
        named = [("tier", tiers), ("kind", kinds), ("thread", [] if thread is None else [thread])]
        where = " AND ".join(f"{name} IN ({placeholders(of)})" for name, of in named if of)
        values = [value for _, of in named for value in of]
        rows = self._db.execute(
            f"SELECT * FROM records WHERE created_s >= ? AND created_s < ?{' AND ' + where if where else ''}"
            " ORDER BY created_s DESC, id DESC LIMIT ?",
            (since_s, until_s, *values, limit),
        )
        return [record_of(row) for row in rows]

    def ages(self, *, turns: bool) -> list[Age]:
        """Of all turns, or of all other records, in any order."""
        cursor = self._db.cursor()
        cursor.row_factory = None  # plain tuples: there are thousands
        rows = cursor.execute(
            "SELECT id, tier, kind, thread, created_s, used_s, uses, days, pinned, ended_s FROM records"
            f" WHERE kind {'=' if turns else '<>'} 'turn'"
        )
        return [Age._make(row) for row in rows]

    def record_counts(self) -> dict[str, dict[str, int]]:
        """How many records there are of each kind in each tier."""
        found: dict[str, dict[str, int]] = {}
        for row in self._db.execute(
            "SELECT tier, kind, count(*) AS n FROM records GROUP BY tier, kind ORDER BY tier, kind"
        ):
            found.setdefault(row["tier"], {})[row["kind"]] = row["n"]
        return found

    def any_of(self, *kinds: str) -> bool:
        """Whether there is any record of these kinds."""
        return any(
            self._db.execute("SELECT 1 FROM records WHERE kind = ? LIMIT 1", (kind,)).fetchone()
            for kind in kinds
        )

    def keep_records(self, record_ids: Iterable[str], *, tier: str, pinned: bool | None = None) -> None:
        """Move records to a tier, "mid" or "long", and pin or unpin them."""
        with self._write() as db:
            db.executemany(
                "UPDATE records SET tier = ?, pinned = coalesce(?, pinned) WHERE id = ?",
                [(tier, pinned, record_id) for record_id in record_ids],
            )

    def end_records(self, record_ids: Iterable[str], at_s: float | None) -> None:
        """Have records no longer hold; None has them hold again."""
        with self._write() as db:
            db.executemany("UPDATE records SET ended_s = ? WHERE id = ?", [(at_s, one) for one in record_ids])

    def delete_records(self, record_ids: Iterable[str]) -> int:
        """Delete records with what they are found by, and threads that nothing is left of; how many."""
        with self._write() as db:
            deleted = sum(_delete_record(db, record_id) for record_id in record_ids)
            db.execute("DELETE FROM threads WHERE id NOT IN (SELECT thread FROM records)")
        return deleted

    def records_holding(self, text: str) -> list[str]:
        """Ids of the records in whose text or payload a text stands."""
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        rows = self._db.execute(
            "SELECT id FROM records WHERE instr(text, ?1) OR instr(payload, ?2)", (text, written)
        )
        return [row["id"] for row in rows]

    def turns(self, thread: str, limit: int) -> list[Record]:
        """The last turns of a thread, oldest first."""
        rows = self._db.execute(
            "SELECT * FROM records WHERE thread = ? AND kind = 'turn'"
            " ORDER BY created_s DESC, id DESC LIMIT ?",
            (thread, limit),
        ).fetchall()
        return [record_of(row) for row in reversed(rows)]

    def threads(self, limit: int) -> list[dict[str, Any]]:
        """Threads with turns, the latest first: `thread`, `turns`, `last_s`, `first` (the first question)."""
        rows = self._db.execute(
            "SELECT thread, turns, last_s, (SELECT text FROM records"
            " WHERE thread = found.thread AND kind = 'turn' ORDER BY created_s, id LIMIT 1) AS first"
            " FROM (SELECT thread, count(*) AS turns, max(created_s) AS last_s"
            " FROM records INDEXED BY records_by_thread"  # it covers them: no payload is read
            " WHERE thread > '' AND kind = 'turn' GROUP BY thread) AS found"
            " ORDER BY last_s DESC, thread LIMIT ?",
            (limit,),
        )
        return [dict(row) for row in rows]

    def turn_count(self, thread: str) -> int:
        """How many turns of a thread are kept."""
        row = self._db.execute(
            "SELECT count(*) FROM records WHERE thread = ? AND kind = 'turn'", (thread,)
        ).fetchone()
        return int(row[0])

    def first_turn_s(self, thread: str) -> float:
        """When a thread began; 0 for one without turns."""
        row = self._db.execute(
            "SELECT min(created_s) FROM records WHERE thread = ? AND kind = 'turn'", (thread,)
        ).fetchone()
        return float(row[0] or 0.0)

    def record_chunks(self, record_ids: Sequence[str]) -> list[int]:
        """Ids of the chunks of records."""
        found: list[int] = []
        for group in groups(record_ids):
            rows = self._db.execute(
                f"SELECT id FROM chunks WHERE record_id IN ({placeholders(group)}) ORDER BY id", group
            )
            found += [row["id"] for row in rows]
        return found

    def last_document(self) -> int:
        """The id of the document that came last, also as a new version; 0 before there is any."""
        row = self._db.execute("SELECT max(id) FROM documents").fetchone()
        return int(row[0] or 0)

    def chunks_since(self, document_id: int, limit: int) -> list[int]:
        """Ids of chunks of the documents that came after one."""
        rows = self._db.execute(
            "SELECT id FROM chunks WHERE document_id > ? ORDER BY document_id LIMIT ?", (document_id, limit)
        )
        return [row["id"] for row in rows]

    def erase(self) -> None:
        """Leave nothing in the file of what was deleted: FTS5 and SQLite keep its bytes until they need room.

        Raises `StoreError` while somebody else uses the library; then it is still to be done.
        """
        self.require_writable()
        noted = self.get_meta(ERASING)
        try:
            self._db.execute("INSERT INTO lexicon (lexicon) VALUES ('optimize')")
            self._db.execute("VACUUM")
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError as error:
            raise StoreError(f"{NOT_ERASED} ({error}): {ERASE_LATER}") from error
        if busy:
            raise StoreError(f"{NOT_ERASED}, as somebody else reads the library: {ERASE_LATER}")
        if noted:  # what was deleted meanwhile has a note of its own
            with self._write() as db:
                db.execute("DELETE FROM meta WHERE key = ? AND value = ?", (ERASING, noted))

    @contextmanager
    def waiting(self, wait_s: float) -> Iterator[None]:
        """Wait so long for others, on this thread."""
        self._db.execute(f"PRAGMA busy_timeout = {round(wait_s * 1000)}")
        try:
            yield
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1000)}")


def _with_what_became_of_it(db: sqlite3.Connection, record: Record) -> Record:
    row = db.execute("SELECT tier, pinned, ended_s FROM records WHERE id = ?", (record.id,)).fetchone()
    if row is None:
        return record
    tier = "long" if row["tier"] == "long" else record.tier
    ended_s = row["ended_s"] if record.ended_s is None else record.ended_s
    return replace(record, tier=tier, pinned=record.pinned or bool(row["pinned"]), ended_s=ended_s)


def _delete_record(db: sqlite3.Connection, record_id: str) -> int:
    rows = db.execute("SELECT id FROM chunks WHERE record_id = ?", (record_id,)).fetchall()
    delete_chunks(db, [row["id"] for row in rows])
    return db.execute("DELETE FROM records WHERE id = ?", (record_id,)).rowcount


def record_of(row: sqlite3.Row) -> Record:
    """A row of the table of records; `ValueError` or `TypeError` for a damaged one."""
    found = {**dict(row), "payload": json.loads(row["payload"])}
    return Record(**{**found, "pinned": bool(found.get("pinned"))})
