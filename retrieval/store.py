"""The library's SQLite file: the truth about documents, chunks, records, vectors, threads and runs.

One file in WAL mode: many readers and one writer, also across processes; each public method that writes is
one short transaction. Vectors lie here as float32 bytes; the FAISS index is derived from them and can be
lost. It does not embed, rank or decide anything.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from retrieval.load import Mark, Source
from retrieval.tokens import lexical_tokens

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BUSY_TIMEOUT_S = 30.0

Tier = Literal["short", "mid", "long"]
TIERS: tuple[Tier, ...] = ("short", "mid", "long")
# Each tier owns a range of chunk ids, so that one range test selects it in FTS5 and in FAISS alike.
TIER_BASE: dict[str, int] = {"long": 0, "mid": 1 << 40, "short": 2 << 40}
TIER_SPAN = 1 << 40

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,       -- absolute, as the user's system writes it
    sha256 TEXT NOT NULL,            -- of the file's bytes
    size_bytes INTEGER NOT NULL,
    modified_s REAL NOT NULL,        -- the file's mtime when it was read
    added_s REAL NOT NULL,
    format TEXT NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,            -- the source text: citations are spans of it
    marks TEXT NOT NULL,             -- JSON: headings and pages
    lines TEXT NOT NULL,             -- JSON: offset-to-line map, or null where text lines are file lines
    notes TEXT NOT NULL              -- JSON: what could not be read
);
CREATE TABLE failures (path TEXT PRIMARY KEY, reason TEXT NOT NULL, at_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    id TEXT PRIMARY KEY,
    tier TEXT NOT NULL,
    kind TEXT NOT NULL,              -- turn or episode
    thread TEXT NOT NULL,
    text TEXT NOT NULL,              -- what it is found by: a user's words
    payload TEXT NOT NULL,           -- JSON: the rest of it
    created_s REAL NOT NULL,
    used_s REAL NOT NULL,
    uses INTEGER NOT NULL            -- verified uses
) WITHOUT ROWID;
CREATE INDEX records_by_thread ON records (thread, kind, created_s);
CREATE TABLE chunks (
    id INTEGER PRIMARY KEY,          -- within the range of its tier
    document_id INTEGER REFERENCES documents ON DELETE CASCADE,
    record_id TEXT REFERENCES records ON DELETE CASCADE,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    heading TEXT NOT NULL,
    page INTEGER,
    text TEXT NOT NULL
);
CREATE INDEX chunks_by_document ON chunks (document_id, start);
CREATE INDEX chunks_by_record ON chunks (record_id);
CREATE TABLE vectors (chunk_id INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE, vector BLOB NOT NULL);
CREATE TABLE changes (               -- what an index written at an earlier generation has to catch up with
    generation INTEGER PRIMARY KEY AUTOINCREMENT, chunk_id INTEGER NOT NULL, removed INTEGER NOT NULL
);
CREATE TABLE threads (id TEXT PRIMARY KEY, created_s REAL NOT NULL, used_s REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    id TEXT PRIMARY KEY, thread TEXT NOT NULL, question TEXT NOT NULL, outcome TEXT NOT NULL,
    created_s REAL NOT NULL, payload TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_time ON runs (created_s);
CREATE VIRTUAL TABLE lexicon USING fts5(heading, body, tokenize="ascii tokenchars '._'");
"""
_CHECKPOINTS = """
CREATE TABLE checkpoints (           -- of unfinished runs; serialised by whoever writes them
    run_id TEXT NOT NULL, space TEXT NOT NULL, id TEXT NOT NULL, parent TEXT,
    kind TEXT NOT NULL, checkpoint BLOB NOT NULL, metadata_kind TEXT NOT NULL, metadata BLOB NOT NULL,
    PRIMARY KEY (run_id, space, id)
) WITHOUT ROWID;
CREATE TABLE checkpoint_writes (     -- what tasks wrote after a checkpoint
    run_id TEXT NOT NULL, space TEXT NOT NULL, checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL,
    place INTEGER NOT NULL, task_path TEXT NOT NULL, channel TEXT NOT NULL,
    kind TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (run_id, space, checkpoint_id, task_id, place)
) WITHOUT ROWID;
"""
_VERSIONS = (_SCHEMA, _CHECKPOINTS)  # what each version of the file added to the one before
SCHEMA_VERSION = len(_VERSIONS)
UNFINISHED = "unfinished"  # outcome of a run that may be resumed


class StoreError(Exception):
    """The library's file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Document:
    """A document without its text."""

    id: int
    path: str
    sha256: str
    size_bytes: int
    modified_s: float
    added_s: float
    format: str
    title: str
    chunks: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StoredChunk:
    """A chunk with the document or the record that it belongs to."""

    id: int
    document_id: int | None
    record_id: str | None
    path: str
    title: str
    start: int
    end: int
    heading: str
    page: int | None
    text: str


@dataclass(frozen=True)
class NewChunk:
    """A chunk to be stored. `vector` is float32 bytes, or None where the embedder is blind."""

    start: int
    end: int
    heading: str
    page: int | None
    text: str
    vector: bytes | None


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


class Store:
    """One library file. Safe to use from several threads: each has a connection of its own."""

    def __init__(self, file: Path) -> None:
        """Open the library file, or make it.

        Raises `StoreError` when the file is not a library, is damaged, or is of a newer version.
        """
        self.file = file
        self._local = threading.local()
        self._connections: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._migrate()
        except OSError as error:
            raise StoreError(f"the library folder {file.parent} cannot be made: {error.strerror}") from error
        except StoreError:
            self.close()
            raise
        except sqlite3.DatabaseError as error:
            self.close()
            if "locked" in str(error):
                raise StoreError("another process is busy with the library: try again") from error
            raise StoreError(
                f"the library {file} cannot be opened ({error}): restore a copy of it, or move it away "
                "and add your files again"
            ) from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()

    @property
    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            self._close_those_of_ended_threads()
        return connection

    def _close_those_of_ended_threads(self) -> None:
        """A long-lived library is asked from many short threads, and each left a connection behind."""
        with self._guard:
            ended = [thread for thread in self._connections if not thread.is_alive()]
            for thread in ended:
                self._connections.pop(thread).close()

    def _connect(self) -> sqlite3.Connection:
        # Autocommit, so that `_write` alone begins transactions; closed by another thread in `close`.
        connection = sqlite3.connect(
            self.file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        with self._guard:
            self._connections[threading.current_thread()] = connection
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        return connection

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION:
            raise StoreError(f"the library {self.file} was made by a newer Toulmin: upgrade to open it")
        with self._write():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]  # somebody may have been faster
            if version == 0 and self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise StoreError(f"{self.file} is another program's database: choose another folder")
            for schema in _VERSIONS[version:]:
                for statement in schema.split(";\n"):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing. Waits for another writer, then gives up clearly."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            raise StoreError(
                "another process is writing to the library: try again when it is done"
            ) from error
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):  # a full disk, above all
                raise StoreError(f"the library cannot be written ({error}): nothing was changed") from error
            raise

    # --- meta -------------------------------------------------------------------------------------------

    def get_meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row["value"] if row else None

    def set_meta(self, key: str, value: str) -> None:
        with self._write() as db:
            _set_meta(db, key, value)

    def counts(self) -> dict[str, int]:
        """Rows of every table that a user would ask after."""
        tables = ("documents", "chunks", "vectors", "records", "threads", "runs", "failures")
        return {t: self._db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}

    def check(self) -> str:
        """SQLite's own verdict on the file: "ok", or what is damaged."""
        return str(self._db.execute("PRAGMA quick_check(1)").fetchone()[0])

    # --- documents --------------------------------------------------------------------------------------

    def put_document(
        self,
        path: str,
        sha256: str,
        source: Source,
        chunks: Sequence[NewChunk],
        size_bytes: int = 0,
        modified_s: float = 0.0,
    ) -> int:
        """Store a document in place of the one at the same path, if any; its id."""
        for chunk in chunks:  # the promise that citations rest on
            if source.text[chunk.start : chunk.end] != chunk.text:
                raise ValueError(f"chunk {chunk.start}-{chunk.end} of {path} is not a span of its source")
        with self._write() as db:
            self._delete_document(db, path)
            cursor = db.execute(
                "INSERT INTO documents (path, sha256, size_bytes, modified_s, added_s, format, title,"
                " source, marks, lines, notes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    path,
                    sha256,
                    size_bytes,
                    modified_s,
                    time.time(),
                    source.format,
                    source.title,
                    source.text,
                    json.dumps([asdict(mark) for mark in source.marks], ensure_ascii=False),
                    json.dumps(source.lines),
                    json.dumps(source.notes, ensure_ascii=False),
                ),
            )
            document_id = int(cursor.lastrowid or 0)
            for chunk in chunks:
                heading = f"{source.title} {chunk.heading}"
                self._insert_chunk(db, "long", chunk, heading, document_id=document_id)
            db.execute("DELETE FROM failures WHERE path = ?", (path,))
        return document_id

    def put_failure(self, path: str, reason: str) -> None:
        """Remember that a file could not be read, until it can or is removed."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", (path, reason, time.time()))

    def failures(self) -> list[tuple[str, str]]:
        """(path, reason) of the files that could not be read when they were last tried."""
        rows = self._db.execute("SELECT path, reason FROM failures ORDER BY path")
        return [(row["path"], row["reason"]) for row in rows]

    def document_names(self) -> list[tuple[int, str, str]]:
        """Id, path and title of every document, without the counting that `documents` does."""
        rows = self._db.execute("SELECT id, path, title FROM documents ORDER BY id")
        return [(row["id"], row["path"], row["title"]) for row in rows]

    def documents(self) -> list[Document]:
        """All documents by path, without their text."""
        rows = self._db.execute(
            "SELECT id, path, sha256, size_bytes, modified_s, added_s, format, title, notes,"
            " (SELECT count(*) FROM chunks WHERE document_id = documents.id) AS chunks"
            " FROM documents ORDER BY path"
        )
        return [Document(**{**dict(row), "notes": tuple(json.loads(row["notes"]))}) for row in rows]

    def document_hash(self, path: str) -> str | None:
        """SHA-256 of the file as it was indexed, or None when it is not in the library."""
        row = self._db.execute("SELECT sha256 FROM documents WHERE path = ?", (path,)).fetchone()
        return row["sha256"] if row else None

    def document_id(self, path: str) -> int | None:
        row = self._db.execute("SELECT id FROM documents WHERE path = ?", (path,)).fetchone()
        return int(row["id"]) if row else None

    def touch_document(self, path: str, size_bytes: int, modified_s: float) -> None:
        """Note the new time of a file whose content did not change."""
        with self._write() as db:
            db.execute(
                "UPDATE documents SET size_bytes = ?, modified_s = ? WHERE path = ?",
                (size_bytes, modified_s, path),
            )
            db.execute("DELETE FROM failures WHERE path = ?", (path,))

    def source(self, document_id: int) -> Source | None:
        """The source text of a document with its marks."""
        row = self._db.execute("SELECT * FROM documents WHERE id = ?", (document_id,)).fetchone()
        if row is None:
            return None
        lines = json.loads(row["lines"])
        return Source(
            text=row["source"],
            title=row["title"],
            marks=tuple(Mark(**mark) for mark in json.loads(row["marks"])),
            format=row["format"],
            lines=tuple((offset, line) for offset, line in lines) if lines is not None else None,
            encoding="utf-8",
            notes=tuple(json.loads(row["notes"])),
        )

    def source_chars(self, document_id: int) -> int:
        """Length of a document's source text, in characters; 0 for an unknown one."""
        row = self._db.execute("SELECT length(source) FROM documents WHERE id = ?", (document_id,)).fetchone()
        return int(row[0]) if row else 0

    def file_state(self, document_id: int) -> tuple[str, int, float, str] | None:
        """(path, size_bytes, modified_s, sha256) of a document's file as it was read."""
        row = self._db.execute(
            "SELECT path, size_bytes, modified_s, sha256 FROM documents WHERE id = ?", (document_id,)
        ).fetchone()
        return tuple(row) if row else None

    def remove_documents(self, paths: Iterable[str]) -> int:
        """Remove documents, and failures, by path; how many documents there were."""
        removed = 0
        for path in paths:
            with self._write() as db:
                removed += self._delete_document(db, path)
                db.execute("DELETE FROM failures WHERE path = ?", (path,))
        return removed

    def _delete_document(self, db: sqlite3.Connection, path: str) -> int:
        rows = db.execute(
            "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.path = ?", (path,)
        )
        self._delete_chunks(db, [row["id"] for row in rows])
        return db.execute("DELETE FROM documents WHERE path = ?", (path,)).rowcount

    # --- chunks and vectors -----------------------------------------------------------------------------

    def _insert_chunk(
        self,
        db: sqlite3.Connection,
        tier: str,
        chunk: NewChunk,
        heading_tokens_of: str,
        document_id: int | None = None,
        record_id: str | None = None,
    ) -> None:
        chunk_id = _next_chunk_id(db, tier)
        db.execute(
            'INSERT INTO chunks (id, document_id, record_id, start, "end", heading, page, text)'
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (chunk_id, document_id, record_id, chunk.start, chunk.end, chunk.heading, chunk.page, chunk.text),
        )
        db.execute(
            "INSERT INTO lexicon (rowid, heading, body) VALUES (?, ?, ?)",
            (chunk_id, " ".join(lexical_tokens(heading_tokens_of)), " ".join(lexical_tokens(chunk.text))),
        )
        if chunk.vector is not None:
            db.execute("INSERT INTO vectors VALUES (?, ?)", (chunk_id, chunk.vector))
            db.execute("INSERT INTO changes (chunk_id, removed) VALUES (?, 0)", (chunk_id,))

    def _delete_chunks(self, db: sqlite3.Connection, chunk_ids: Sequence[int]) -> None:
        rows = [(chunk_id,) for chunk_id in chunk_ids]
        db.executemany(
            "INSERT INTO changes (chunk_id, removed) SELECT chunk_id, 1 FROM vectors WHERE chunk_id = ?", rows
        )
        db.executemany("DELETE FROM lexicon WHERE rowid = ?", rows)
        db.executemany("DELETE FROM chunks WHERE id = ?", rows)

    def chunks(self, chunk_ids: Sequence[int]) -> list[StoredChunk]:
        """The chunks of these ids, in that order; those that are gone are left out."""
        found = {}
        for group in _groups(chunk_ids):
            rows = self._db.execute(
                "SELECT c.id, c.document_id, c.record_id, coalesce(d.path, '') AS path,"
                " coalesce(d.title, '') AS title,"
                ' c.start, c."end", c.heading, c.page, c.text'
                " FROM chunks c LEFT JOIN documents d ON d.id = c.document_id"
                f" WHERE c.id IN ({_marks(group)})",
                group,
            )
            found.update({row["id"]: StoredChunk(**dict(row)) for row in rows})
        return [found[chunk_id] for chunk_id in chunk_ids if chunk_id in found]

    def chunks_of(self, document_ids: Sequence[int]) -> list[int]:
        """The ids of all chunks of some documents."""
        listed = ", ".join(str(int(one)) for one in document_ids)
        return [
            row["id"] for row in self._db.execute(f"SELECT id FROM chunks WHERE document_id IN ({listed})")
        ]

    def chunks_over(self, document_id: int, start: int, end: int) -> list[int]:
        """Ids of the chunks of a document that overlap a span."""
        rows = self._db.execute(
            'SELECT id FROM chunks WHERE document_id = ? AND start < ? AND "end" > ? ORDER BY start',
            (document_id, end, start),
        )
        return [row["id"] for row in rows]

    def lexical(
        self, terms: Sequence[str], limit: int, tier: str, documents: Sequence[int] = ()
    ) -> list[tuple[int, float]]:
        """BM25 over any of the terms: (chunk id, score), best first; higher is better.

        `documents`: ids of those to search; empty for all.
        """
        if not terms:
            return []
        query = " OR ".join(f'"{term}"' for term in terms)
        within = ""
        if documents:
            listed = ", ".join(str(int(one)) for one in documents)
            within = f" AND rowid IN (SELECT id FROM chunks WHERE document_id IN ({listed}))"
        rows = self._db.execute(
            f"SELECT rowid, rank FROM lexicon WHERE lexicon MATCH ? AND rowid BETWEEN ? AND ?{within}"
            " ORDER BY rank LIMIT ?",
            (query, TIER_BASE[tier] + 1, TIER_BASE[tier] + TIER_SPAN - 1, limit),
        )
        return [(row["rowid"], -row["rank"]) for row in rows]

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many chunks of documents each term occurs: what was asked before makes no word less rare."""
        counts = {}
        low = TIER_BASE["long"]
        for term in terms:
            row = self._db.execute(
                "SELECT count(*) FROM lexicon WHERE lexicon MATCH ? AND rowid > ? AND rowid < ?",
                (f'"{term}"', low, low + TIER_SPAN),
            ).fetchone()
            counts[term] = int(row[0])
        return counts

    def terms_with(self, prefix: str) -> dict[str, int]:
        """The terms that begin with a prefix, with the number of chunks they occur in, all tiers together."""
        db = self._db
        db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, lexicon, row)")
        rows = db.execute(
            "SELECT term, doc FROM temp.vocabulary WHERE term >= ? AND term < ?",
            (prefix, prefix + "\U0010ffff"),
        )
        return {row["term"]: row["doc"] for row in rows}

    def chunk_count(self, tier: str = "long") -> int:
        low = TIER_BASE[tier]
        row = self._db.execute(
            "SELECT count(*) FROM chunks WHERE id > ? AND id < ?", (low, low + TIER_SPAN)
        ).fetchone()
        return int(row[0])

    def generation(self) -> int:
        """Grows with every vector that comes or goes."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
        return int(row["seq"]) if row else 0

    def vectors(self, dim: int) -> tuple[list[int], npt.NDArray[np.float32], int]:
        """All chunk ids, their vectors (n, dim), and the generation they are of."""
        import numpy as np

        db = self._db
        db.execute("BEGIN")  # one snapshot for the rows and their generation
        try:
            generation = self.generation()
            # A vector of another length is damage: that chunk is found by its words only.
            rows = db.execute(
                "SELECT chunk_id, vector FROM vectors WHERE length(vector) = ? ORDER BY chunk_id", (4 * dim,)
            ).fetchall()
        finally:
            db.execute("COMMIT")
        ids = [row["chunk_id"] for row in rows]
        data = b"".join(row["vector"] for row in rows)
        return ids, np.frombuffer(data, dtype=np.float32).reshape(-1, dim), generation

    def vectors_of(self, chunk_ids: Sequence[int]) -> dict[int, bytes]:
        """float32 bytes of the vectors of these chunks, where they have one."""
        found: dict[int, bytes] = {}
        for group in _groups(chunk_ids):
            rows = self._db.execute(
                f"SELECT chunk_id, vector FROM vectors WHERE chunk_id IN ({_marks(group)})", group
            )
            found.update({row["chunk_id"]: row["vector"] for row in rows})
        return found

    def changes_since(self, generation: int) -> list[tuple[int, int, bool]] | None:
        """(generation, chunk id, removed) after a generation, or None when that is forgotten."""
        rows = self._db.execute(
            "SELECT generation, chunk_id, removed FROM changes WHERE generation > ? ORDER BY generation",
            (generation,),
        ).fetchall()
        # Asked after the rows: had they been pruned before they were read, this tells.
        if generation < int(self.get_meta("changes_pruned_to") or 0):
            return None
        return [(row[0], row[1], bool(row[2])) for row in rows]

    def put_index_state(self, generation: int, state: str) -> bool:
        """Note an index file as written and forget the changes it holds; False if a newer one is noted."""
        with self._write() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'changes_pruned_to'").fetchone()
            if row and int(row["value"]) > generation:
                return False  # somebody wrote a newer one meanwhile; this one cannot catch up any more
            _set_meta(db, "index_state", state)
            _set_meta(db, "changes_pruned_to", str(generation))
            db.execute("DELETE FROM changes WHERE generation <= ?", (generation,))
        return True

    # --- records, threads, runs -------------------------------------------------------------------------

    def put_record(self, record: Record, vector: bytes | None) -> None:
        """Store a record and what it is found by, in place of one with the same id."""
        chunk = NewChunk(0, len(record.text), "", None, record.text, vector)
        with self._write() as db:
            self._delete_record(db, record.id)
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
            self._insert_chunk(db, record.tier, chunk, "", record_id=record.id)
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

    def _delete_record(self, db: sqlite3.Connection, record_id: str) -> None:
        rows = db.execute("SELECT id FROM chunks WHERE record_id = ?", (record_id,)).fetchall()
        self._delete_chunks(db, [row["id"] for row in rows])
        db.execute("DELETE FROM records WHERE id = ?", (record_id,))

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

    def put_run(self, run_id: str, thread: str, question: str, outcome: str, payload: dict[str, Any]) -> None:
        """Record a run, in place of what is known of it. The checkpoints of a finished one go."""
        with self._write() as db:
            if outcome != UNFINISHED:
                _delete_checkpoints(db, run_id)
            db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, thread, question, outcome, time.time(), json.dumps(payload, ensure_ascii=False)),
            )

    def run(self, run_id: str | None = None) -> dict[str, Any] | None:
        """A recorded run by its id or the start of it; the latest without one.

        Raises `StoreError` when several runs start so.
        """
        rows = self._db.execute(
            "SELECT id, thread, question, outcome, created_s, payload FROM runs"
            " WHERE id >= ? AND id < ? ORDER BY id = ? DESC, created_s DESC LIMIT 2",
            (run_id or "", (run_id or "") + "\U0010ffff", run_id),
        ).fetchall()
        if run_id and len(rows) > 1 and rows[0]["id"] != run_id:
            raise StoreError(f"several runs start with {run_id!r}: give more of the id")
        chosen = rows[0] if rows else None
        return {**dict(chosen), "payload": json.loads(chosen["payload"])} if chosen else None

    def drop_run(self, run_id: str) -> None:
        """Forget a run with its checkpoints."""
        with self._write() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
            _delete_checkpoints(db, run_id)

    def drop_unfinished(self, before_s: float) -> None:
        """Forget the unfinished runs that nobody has worked on since a time."""
        rows = self._db.execute(
            "SELECT id FROM runs WHERE outcome = ? AND created_s < ?", (UNFINISHED, before_s)
        ).fetchall()
        for row in rows:
            self.drop_run(row["id"])

    def runs(self, limit: int) -> list[dict[str, Any]]:
        """The latest runs, newest first, without their payload."""
        rows = self._db.execute(
            "SELECT id, thread, question, outcome, created_s FROM runs ORDER BY created_s DESC LIMIT ?",
            (limit,),
        )
        return [dict(row) for row in rows]

    # --- checkpoints ------------------------------------------------------------------------------------

    def put_checkpoint(self, row: Sequence[Any]) -> None:
        """Keep a checkpoint: the values of its columns, in their order."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def checkpoints(self, run_id: str | None, space: str | None = None) -> list[sqlite3.Row]:
        """The checkpoints of a run, or of all, newest first."""
        return self._db.execute(
            "SELECT * FROM checkpoints WHERE (?1 IS NULL OR run_id = ?1) AND (?2 IS NULL OR space = ?2)"
            " ORDER BY run_id, space, id DESC",
            (run_id, space),
        ).fetchall()

    def put_checkpoint_writes(self, rows: Sequence[Sequence[Any]]) -> None:
        """Keep what a task wrote. A place below 0 is written anew, another keeps what it holds."""
        with self._write() as db:
            for row in rows:
                verb = "REPLACE" if row[4] < 0 else "IGNORE"
                db.execute(f"INSERT OR {verb} INTO checkpoint_writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def checkpoint_writes(self, run_id: str, space: str, checkpoint_id: str) -> list[sqlite3.Row]:
        """What tasks wrote after a checkpoint, in the order in which it is applied."""
        return self._db.execute(
            "SELECT * FROM checkpoint_writes WHERE run_id = ? AND space = ? AND checkpoint_id = ?"
            " ORDER BY task_path, task_id, place",
            (run_id, space, checkpoint_id),
        ).fetchall()

    def delete_checkpoints(self, run_id: str) -> None:
        with self._write() as db:
            _delete_checkpoints(db, run_id)


def _delete_checkpoints(db: sqlite3.Connection, run_id: str) -> None:
    db.execute("DELETE FROM checkpoints WHERE run_id = ?", (run_id,))
    db.execute("DELETE FROM checkpoint_writes WHERE run_id = ?", (run_id,))


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. The switch itself does not wait for others, so we do."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _record(row: sqlite3.Row) -> Record:
    return Record(**{**dict(row), "payload": json.loads(row["payload"])})


def _set_meta(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _next_chunk_id(db: sqlite3.Connection, tier: str) -> int:
    """An id never used before: a counter, as the largest id may have been deleted."""
    key = f"last_chunk_{tier}"
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    chunk_id = int(row["value"]) + 1 if row else TIER_BASE[tier] + 1
    _set_meta(db, key, str(chunk_id))
    return chunk_id


def _groups(ids: Sequence[int], size: int = 500) -> Iterator[list[int]]:
    """Ids in groups that fit SQLite's limit on bound values."""
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])


def _marks(group: Sequence[int]) -> str:
    return ",".join("?" * len(group))
