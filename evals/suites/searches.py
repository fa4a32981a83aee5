"""Whole searches in a library of a size: milliseconds of each question, and of the parts of a search.

Texts are sentences drawn at random from the English corpora of the data folder (`evals.suites.lexical`),
vectors noisy copies of embedded passages (`evals.suites.sizes`): what a passage says and its vector have
nothing in common, so both lists share hardly any passage, and more are scored than in a real library.
Everything is warm, but no question is asked twice before its parts are.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from agent.deps import build_embedder
from agent.settings import read_settings
from evals.data import Row, read_rows
from evals.suites import lexical, sizes
from retrieval.chunks import NewChunk, insert_chunk
from retrieval.filters import Filter
from retrieval.library import STORE_FILE, Library
from retrieval.search import POOL, distinct, word_scores
from retrieval.store import Store
from retrieval.tokens import query_terms

if TYPE_CHECKING:
    import numpy.typing as npt

    from evals.suites.sizes import Vectors

T = TypeVar("T")

PASSAGES = 100_000
QUESTIONS = 40
WARMING = 10  # questions before those
EMBEDDED = 500  # passages that the vectors are noisy copies of
OF_DOCUMENT = 20  # passages
LIMIT = 10


def measure(data: Path, count: int) -> dict[str, Any]:
    """[wall p50, p95, processor p50, p95] in milliseconds, by part, and what it took to fill the library."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        vectors, _ = sizes.embedded(data, EMBEDDED)
        rows = [row for one in sorted(data.glob("*corpus*_en.jsonl*")) for row in read_rows(one)]
        fill(Path(folder) / STORE_FILE, rows, vectors, count)
        filled = time.perf_counter() - started
        settings = read_settings()
        with Library(Path(folder), lambda: build_embedder(settings)) as library:
            library.warm_up()
            library.save_index()
            known = [row for row in read_rows(data / "qa_en.jsonl") if row["answerable"]]
            asked = [row["question"] for row in known][: WARMING + QUESTIONS]
            for question in asked[:WARMING]:
                library.search(question, LIMIT)
            half = [one.id for one in library.documents()][::2]
            times = [timed(library, question, half) for question in asked[WARMING:] or asked]
            size = (Path(folder) / STORE_FILE).stat().st_size / 1e6
    out: dict[str, Any] = {"passages": count, "seconds to fill": filled, "MB of SQLite": size}
    for part in times[0]:
        both = [[one[part][clock] for one in times] for clock in (0, 1)]
        out[f"{part}, ms"] = [float(np.percentile(own, share)) for own in both for share in (50, 95)]
    return out


def fill(file: Path, rows: Sequence[Row], vectors: Vectors, count: int) -> None:
    """A library of so many passages in a new file, in one transaction."""
    with closing(Store(file)):
        pass  # it makes the tables
    picked, dice = sizes.copied(count), np.random.default_rng(2)
    passages = lexical.passages(rows, count)
    with sizes.writing(file) as db:
        db.row_factory = sqlite3.Row
        for start in range(0, count, sizes.BLOCK):
            noisy = iter(sizes.noisy(vectors, picked[start : start + sizes.BLOCK], dice))
            block = islice(passages, min(sizes.BLOCK, count - start))
            while group := list(islice(block, OF_DOCUMENT)):
                _put_document(db, group, noisy)


def _put_document(
    db: sqlite3.Connection, group: Sequence[lexical.Drawn], vectors: Iterator[npt.NDArray[np.float32]]
) -> None:
    title, text = f"Document {group[0].id}", "\n".join(one.text for one in group)
    cursor = db.execute(
        "INSERT INTO documents (path, sha256, size_bytes, modified_s, added_s, format, title, source, marks,"
        " lines, notes) VALUES (?, ?, ?, 0, 0, 'text', ?, ?, '[]', 'null', '[]')",
        (f"/{title}.txt", title, len(text), title, text),
    )
    start = 0
    for one, vector in zip(group, vectors, strict=False):
        end = start + len(one.text)
        chunk = NewChunk(start, end, one.heading, None, one.text, vector.tobytes())
        insert_chunk(db, "long", chunk, one.words, document_id=cursor.lastrowid)
        start = end + 1


def timed(library: Library, question: str, half: list[int]) -> dict[str, tuple[float, float]]:
    """(wall, processor) milliseconds of a search and then of its parts; the embedder's threads count too.

    In the search the question is embedded while its words are searched. `half`: ids of documents, for the
    same search within them.
    """
    store = library.store
    times: dict[str, tuple[float, float]] = {}

    def clock(part: str, work: Callable[[], T]) -> T:
        wall, processor = time.perf_counter(), time.process_time()
        done = work()
        times[part] = (1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - processor))
        return done

    clock("total", lambda: library.search(question, LIMIT))
    clock("total, half of the documents", lambda: library.search(question, LIMIT, where={"documents": half}))
    vector = clock("embedding the question", lambda: library.embedder().embed_queries([question])[0])
    dense = clock("dense", lambda: library.nearest(vector, POOL))
    terms = query_terms(question)
    counts = clock("counting terms", lambda: store.row_counts(terms))
    found = clock("lexical", lambda: store.lexical(terms, POOL, "long", None, counts))
    ids = [item for item, _ in (*dense, *found)]
    words = clock("scoring", lambda: word_scores(store, question, counts, ids))
    clock("the best of them", lambda: distinct(store, question, Filter(), dense, words, LIMIT))
    return times
