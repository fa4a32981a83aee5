"""The documents in the library's file: their source text, their marks, and the files that failed.

It reads no files and splits nothing: `retrieval.load` and `retrieval.split` do.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from retrieval.chunks import NewChunk, delete_chunks, groups, insert_chunk, placeholders, words_of
from retrieval.database import Database
from retrieval.load import Mark, Source


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
    date: str = ""
    """What the document says of itself, in ISO 8601, or ""."""
    tags: tuple[str, ...] = ()
    described: bool = True
    """False for a document added before its date, tags, senders and speakers were kept."""


@dataclass(frozen=True, eq=False)
class Names:
    """Id, path and title of every document. Equal only to itself, so that it is quick to look up by."""

    rows: tuple[tuple[int, str, str], ...]
    changes: str = ""
    """How often they had changed."""


class Documents(Database):
    """The documents, by path and by id."""

    _names: Names | None = None

    def put_document(
        self,
        path: str,
        sha256: str,
        source: Source,
        chunks: Sequence[NewChunk],
        size_bytes: int = 0,
        modified_s: float = 0.0,
        etag: str = "",
    ) -> int:
        """Store a document in place of the one at the same path, if any; its id.

        `etag`: of a page, what its server calls this version of it.
        """
        for chunk in chunks:  # the promise that citations rest on
            if source.text[chunk.start : chunk.end] != chunk.text:
                raise ValueError(f"chunk {chunk.start}-{chunk.end} of {path} is not a span of its source")
        # Before the transaction: tokenising a large document takes seconds, and others wait for the writer.
        words = [words_of(f"{source.title} {chunk.heading}", chunk.text) for chunk in chunks]
        with self._write() as db:
            _delete_document(db, path)
            cursor = db.execute(
                "INSERT INTO documents (path, sha256, size_bytes, modified_s, added_s, format, title,"
                " source, marks, lines, notes, date, tags, etag, described)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
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
                    source.date,
                    json.dumps(source.tags, ensure_ascii=False),
                    etag,
                ),
            )
            document_id = int(cursor.lastrowid or 0)
            for chunk, chunk_words in zip(chunks, words, strict=True):
                insert_chunk(db, "long", chunk, chunk_words, document_id=document_id)
            db.execute("DELETE FROM failures WHERE path = ?", (path,))
        return document_id

    def move_document(self, old: str, new: str, source: Source, size_bytes: int, modified_s: float) -> None:
        """Give a document a new path and title; its chunks, vectors and records stay.

        `source`: as read at the new path; its text and marks are those that are stored.
        """
        with self._write() as db:
            row = db.execute("SELECT id, title FROM documents WHERE path = ?", (old,)).fetchone()
            db.execute(
                "UPDATE documents SET path = ?, title = ?, size_bytes = ?, modified_s = ? WHERE id = ?",
                (new, source.title, size_bytes, modified_s, row["id"]),
            )
            if source.title != row["title"]:
                chunks = db.execute(
                    "SELECT id, heading, text FROM chunks WHERE document_id = ?", (row["id"],)
                )
                for chunk in chunks.fetchall():
                    words = words_of(f"{source.title} {chunk['heading']}", chunk["text"])
                    db.execute(
                        "UPDATE lexicon SET heading = ?, body = ? WHERE rowid = ?", (*words, chunk["id"])
                    )
            _note_move(db, old, new)
            db.execute("DELETE FROM failures WHERE path IN (?, ?)", (old, new))

    def note_move(self, old: str, new: str) -> None:
        """Remember that what was at a path is at another, for the records that name the old one."""
        with self._write() as db:
            _note_move(db, old, new)

    def paths_of(self, sha256: str) -> list[str]:
        """The paths of the documents with this content, in order."""
        rows = self._db.execute("SELECT path FROM documents WHERE sha256 = ? ORDER BY path", (sha256,))
        return [row["path"] for row in rows]

    def also_at(self, document_id: int) -> list[str]:
        """The paths of the other documents with exactly the content of one."""
        rows = self._db.execute(
            "SELECT b.path FROM documents a JOIN documents b ON b.sha256 = a.sha256 AND b.id <> a.id"
            " WHERE a.id = ? ORDER BY b.path",
            (document_id,),
        )
        return [row["path"] for row in rows]

    def put_failure(self, path: str, reason: str) -> None:
        """Remember that a file could not be read, until it can or is removed."""
        self.put_failures([(path, reason)], "failed")

    def put_failures(self, found: Iterable[tuple[str, str]], kind: str) -> None:
        """Remember (path, reason) of files; `kind`: "failed" or "skipped"."""
        now_s = time.time()
        with self._write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)",
                [(path, reason, now_s, kind) for path, reason in found],
            )

    def failures(self, kind: str = "failed") -> list[tuple[str, str]]:
        """(path, reason) of the files that "failed", or were "skipped", when they were last tried."""
        rows = self._db.execute("SELECT path, reason FROM failures WHERE kind = ? ORDER BY path", (kind,))
        return [(row["path"], row["reason"]) for row in rows]

    def drop_failures(self, paths: Iterable[str]) -> None:
        """Forget files that could not be read, or were skipped, and are gone."""
        with self._write() as db:
            db.executemany("DELETE FROM failures WHERE path = ?", [(path,) for path in paths])

    def document_names(self) -> Names:
        """What every document is called; the same object as before while that is the same."""
        changes = self.get_meta("names") or ""
        known = self._names
        if known is None or known.changes != changes:
            cursor = self._db.cursor()
            cursor.row_factory = None  # plain tuples: there may be many
            rows = cursor.execute("SELECT id, path, title FROM documents ORDER BY id")
            known = self._names = Names(tuple(rows), changes)
        return known

    def documents(self) -> list[Document]:
        """All documents by path, without their text."""
        rows = self._db.execute(
            "SELECT id, path, sha256, size_bytes, modified_s, added_s, format, title, notes, date, tags,"
            " described, (SELECT count(*) FROM chunks WHERE document_id = documents.id) AS chunks"
            " FROM documents ORDER BY path"
        )
        return [_document(row) for row in rows]

    def document_hash(self, path: str) -> str | None:
        """SHA-256 of the file as it was indexed, or None when it is not in the library."""
        row = self._db.execute("SELECT sha256 FROM documents WHERE path = ?", (path,)).fetchone()
        return row["sha256"] if row else None

    def document_id(self, path: str) -> int | None:
        """The id of the document at a path, or of the one that was moved from there."""
        row = self._db.execute(
            "SELECT id FROM documents WHERE path = ?1"
            " OR path = (SELECT now FROM moved WHERE path = ?1) ORDER BY path = ?1 DESC",
            (path,),
        ).fetchone()
        return int(row["id"]) if row else None

    def is_described(self, path: str) -> bool:
        """Whether a document was added since dates, tags, senders and speakers are kept."""
        row = self._db.execute("SELECT described FROM documents WHERE path = ?", (path,)).fetchone()
        return bool(row and row["described"])

    def document_notes(self, path: str) -> list[str]:
        """What was noted when a document was read: pages without text, for one."""
        row = self._db.execute("SELECT notes FROM documents WHERE path = ?", (path,)).fetchone()
        return list(json.loads(row["notes"])) if row else []

    def touch_document(self, path: str, size_bytes: int, modified_s: float, etag: str = "") -> None:
        """Note the new time, or tag, of what did not change in content, and has no more to tell.

        Writes nothing when nothing is new.
        """
        known = self._db.execute(
            "SELECT size_bytes = ? AND modified_s = ? AND etag = ? AND described"
            " AND NOT EXISTS (SELECT 1 FROM failures f WHERE f.path = d.path)"
            " FROM documents d WHERE path = ?",
            (size_bytes, modified_s, etag, path),
        ).fetchone()
        if known and known[0]:
            return
        with self._write() as db:
            db.execute(
                "UPDATE documents SET size_bytes = ?, modified_s = ?, etag = ?, described = 1 WHERE path = ?",
                (size_bytes, modified_s, etag, path),
            )
            db.execute("DELETE FROM failures WHERE path = ?", (path,))

    def etag(self, document_id: int) -> str:
        """What the server of a page calls the version that was read; "" where it did not say."""
        row = self._db.execute("SELECT etag FROM documents WHERE id = ?", (document_id,)).fetchone()
        return str(row["etag"]) if row else ""

    def source(self, document_id: int) -> Source | None:
        """The source text of a document with its marks."""
        row = self._db.execute("SELECT * FROM documents WHERE id = ?", (document_id,)).fetchone()
        if row is None:
            return None
        return source_of(row)

    def source_texts(self, document_ids: Iterable[int]) -> dict[int, str]:
        """The source texts of documents, by id, without their marks; those that are gone are left out."""
        found: dict[int, str] = {}
        for group in groups(list(document_ids)):
            rows = self._db.execute(
                f"SELECT id, source FROM documents WHERE id IN ({placeholders(group)})", group
            )
            found.update((row["id"], row["source"]) for row in rows)
        return found

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
                removed += _delete_document(db, path)
                db.execute("DELETE FROM failures WHERE path = ?", (path,))
                db.execute("DELETE FROM moved WHERE now = ?", (path,))
        return removed


def _document(row: sqlite3.Row) -> Document:
    read = {name: tuple(json.loads(row[name])) for name in ("notes", "tags")}
    return Document(**{**dict(row), **read, "described": bool(row["described"])})


def _note_move(db: sqlite3.Connection, old: str, new: str) -> None:
    db.execute("UPDATE moved SET now = ? WHERE now = ?", (new, old))  # one step, however often it moved
    db.execute("INSERT OR REPLACE INTO moved VALUES (?, ?)", (old, new))
    db.execute("DELETE FROM moved WHERE path = ?", (new,))


def _delete_document(db: sqlite3.Connection, path: str) -> int:
    rows = db.execute(
        "SELECT c.id FROM chunks c JOIN documents d ON d.id = c.document_id WHERE d.path = ?", (path,)
    )
    delete_chunks(db, [row["id"] for row in rows])
    return db.execute("DELETE FROM documents WHERE path = ?", (path,)).rowcount


def source_of(row: sqlite3.Row) -> Source:
    """The source text in a row of the table of documents; `ValueError` or `TypeError` for a damaged one."""
    lines = json.loads(row["lines"])
    return Source(
        text=row["source"],
        title=row["title"],
        marks=tuple(Mark(**mark) for mark in json.loads(row["marks"])),
        format=row["format"],
        lines=tuple((offset, line) for offset, line in lines) if lines is not None else None,
        encoding="utf-8",
        notes=tuple(json.loads(row["notes"])),
        date=row["date"],
        tags=tuple(json.loads(row["tags"])),
    )
