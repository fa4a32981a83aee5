"""Small files to add to a library, and whether a library is whole: what the tests of libraries share."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from retrieval.index import VectorIndex
from retrieval.library import STORE_FILE, AddReport, Library

RENT = "The rent is due on the first working day of each month."


DUES = "会费每人每年120元，由何佳收取。"


def write(folder: Path, **texts: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return [folder / f"{name}.txt" for name in texts]


def names(entries: list[dict[str, str]]) -> list[str]:
    return [Path(entry["path"]).name for entry in entries]


def summary(report: AddReport) -> dict[str, list[str]]:
    """The lists of a report that hold something, as file names."""
    lists = {
        key: names(getattr(report, key)) for key in ("indexed", "unchanged", "skipped", "failed", "moved")
    }
    return {key: found for key, found in lists.items() if found}


def found(library: Library, query: str, limit: int = 5) -> list[str]:
    """Names of the documents that share a word with the query; the dense list holds others as well."""
    passages = library.search(query, limit)
    return [Path(passage.chunk.path).name for passage in passages if passage.bm25 is not None]


def check_whole(folder: Path) -> None:
    """SQLite is content, nothing is orphaned, and every chunk is a span of its source."""
    with closing(sqlite3.connect(folder / STORE_FILE)) as db:

        def one(sql: str) -> object:
            return db.execute(sql).fetchone()[0]

        assert one("PRAGMA quick_check") == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert one("SELECT count(*) FROM vectors WHERE chunk_id NOT IN (SELECT id FROM chunks)") == 0
        assert one("SELECT count(*) FROM chunks WHERE id NOT IN (SELECT rowid FROM lexicon)") == 0
        assert one("SELECT count(*) FROM lexicon WHERE rowid NOT IN (SELECT id FROM chunks)") == 0
        assert one("SELECT count(*) FROM chunks WHERE (document_id IS NULL) = (record_id IS NULL)") == 0
        db.execute("INSERT INTO lexicon (lexicon, rank) VALUES ('integrity-check', 1)")
        db.rollback()
        rows = db.execute(
            'SELECT source, start, "end", text FROM chunks JOIN documents d ON d.id = document_id'
        )
        assert all(source[start:end] == text for source, start, end, text in rows)


def check_index(library: Library) -> None:
    """A dense search gives what SQLite holds."""
    assert (
        len(VectorIndex(library.store, library.folder, library.embedder().dim))
        == library.store.counts()["vectors"]
    )
