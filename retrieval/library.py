"""The library: add files, search them, and keep records, over one folder.

Ties together adding, embedding, the store and the index. The embedder is loaded when it is first needed;
without one, search is lexical and says so. It knows nothing of questions, answers or chat models.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.adding import Adding, AddReport, Progress, absolute_path
from retrieval.addresses import page_name
from retrieval.database import printable
from retrieval.embed import Embedder, EmbedderError
from retrieval.index import SAVE_AFTER_CHANGES, VectorIndex
from retrieval.load import Source
from retrieval.lock import locked
from retrieval.records import ERASE_WAIT_S, ERASING
from retrieval.search import Passage, hybrid
from retrieval.store import Document, Filter, NewRecord, Record, Store, StoreError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from retrieval.rerank import Reranker

    Vector = npt.NDArray[np.float32]

STORE_FILE = "library.sqlite"
LOCK_FILE = "add.lock"
ASIDE_FROM = 10_000  # chunks; from there on their words take as long as embedding a question, some ms

__all__ = ["LOCK_FILE", "STORE_FILE", "AddReport", "Library", "Progress", "printable"]


class Library:
    """One library in one folder. Usable from several threads; close it, or use it in a `with`."""

    def __init__(
        self,
        folder: Path,
        load_embedder: Callable[[], Embedder],
        *,
        words_suffice: bool = False,
        read_only: bool = False,
        load_reranker: Callable[[], Reranker] | None = None,
    ) -> None:
        """`words_suffice`: add documents without vectors where the embedder is missing, instead of failing.
        `load_reranker`: what orders the documents that a search found; None for nothing.

        `read_only`: write nothing; so it is opened as well where it cannot be written.

        Raises `StoreError` when the library's file cannot be used.
        """
        self.folder = folder
        self._words_suffice = words_suffice
        self.store = Store(folder / STORE_FILE, read_only=read_only)
        self._load_embedder = load_embedder
        self._embedder: Embedder | None = None
        self._load_reranker = load_reranker
        self._reranker: Reranker | None = None
        self._loading = threading.Lock()
        self._index: VectorIndex | None = None
        self._adding = Adding(self.store, self.embedder, words_suffice=words_suffice)
        self.blind_reason = ""
        """Why there is no embedder to search with, or empty. Known after the first search."""
        self.erased_late = False
        """Whether opening it finished what an earlier `finish_forgetting` was kept from."""
        if not self.store.read_only:
            with contextlib.suppress(StoreError, sqlite3.DatabaseError):  # others use it: another time
                self.erased_late = self.finish_forgetting(wait_s=0.0)

    def close(self) -> None:
        if self._index:
            self._index.close()
        self.store.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Load what a search needs; a failure is left for the search to report."""
        with contextlib.suppress(Exception):
            import faiss  # noqa: F401

            self._query_vector("ready")

    def embedder(self) -> Embedder:
        """The embedder of this library. Raises `EmbedderError` when it is missing or another one."""
        with self._loading:
            if self._embedder is not None and self.store.get_meta("embedder") != self._embedder.model_id:
                if self._index:
                    self._index.close()
                self._embedder = self._index = None  # the library was embedded again meanwhile
            return self._open_embedder()

    def _open_embedder(self) -> Embedder:
        if self._embedder is None:
            embedder = self._load_embedder()
            stored = self.store.embedder()
            if stored is None and not self.store.read_only:
                self.store.put_embedder(embedder.model_id, embedder.name, embedder.prompts)
            elif stored not in (None, (embedder.model_id, embedder.prompts)):
                other = "other prompts" if stored[0] == embedder.model_id else embedder.model_id
                raise EmbedderError(
                    f"this library was embedded with {stored[0]}, not with {other}: open it with that one, "
                    f"or embed it again with `agent setup --embedder {embedder.name or 'NAME'} --reembed`"
                )
            self._index = VectorIndex(self.store, self.folder, embedder.dim)
            self._embedder = embedder
        return self._embedder

    # --- documents --------------------------------------------------------------------------------------

    def add(
        self,
        paths: Iterable[str | Path],
        progress: Progress | None = None,
        *,
        prune: bool = False,
        on_wait: Callable[[], None] | None = None,
    ) -> AddReport:
        """Index files, folders and pages; each document is one transaction, and a broken one fails alone.

        A text that is an address, http or https, is that of a page, which is fetched, and named by `address`.

        `prune`: remove the documents below the folders whose files are gone. One `add` is at work at a time;
        `on_wait` is called when this one has to wait for another. Raises `EmbedderError` and `StoreError`;
        what was indexed until then stays.
        """
        self.store.require_writable()
        if not self._words_suffice:
            self.embedder()  # a missing embedder is told before any work
        with self._reporting(on_wait) as report:
            self._adding.add(paths, report, progress, prune=prune)
            self.save_index()
        return report

    def add_changed(
        self, changed: Sequence[Path], named: Sequence[Path], *, prune: bool = False
    ) -> AddReport:
        """As `add`, for what has changed at or below the paths that were added before.

        `missing` has what is gone of it since. Raises `EmbedderError` and `StoreError`.
        """
        with self._reporting() as report:
            self._adding.add_changed(changed, named, report, prune=prune)
            if self._index:
                self._index.save(at_least_changes=SAVE_AFTER_CHANGES)
        return report

    @contextlib.contextmanager
    def _reporting(self, on_wait: Callable[[], None] | None = None) -> Iterator[AddReport]:
        """A report to fill while nobody else adds; the waiting counts as well."""
        started = time.perf_counter()
        report = AddReport()
        with locked(self.folder / LOCK_FILE, on_wait):
            yield report
        report.seconds = round(time.perf_counter() - started, 3)

    def add_sources(self, named: Sequence[tuple[str, Source]]) -> int:
        """Index texts that are no files, under names of their own; the number of their chunks."""
        chunks = self._adding.add_sources(named)
        self.save_index()
        return chunks

    def put_source(self, path: str, source: Source, sha256: str, size_bytes: int, modified_s: float) -> None:
        """Index a source that was read before, as it was read."""
        self._adding.put_source(path, source, sha256, size_bytes, modified_s)

    def save_index(self) -> None:
        """Bring the index to the kind that fits the library, while searches go on, and write its file."""
        if self._index and not self.store.read_only:
            self._index.build()
            self._index.save()

    def documents(self) -> list[Document]:
        return self.store.documents()

    def remove(self, paths: Iterable[str | Path]) -> list[str]:
        """Remove documents by path or address, those below a folder included; the paths removed."""
        known = [document.path for document in self.store.documents()]
        known += [path for kind in ("failed", "skipped") for path, _ in self.store.failures(kind)]
        gone: dict[str, None] = {}
        for path in paths:
            page = page_name(str(path))
            absolute = Path(absolute_path(Path(path)))
            gone.update(
                dict.fromkeys(
                    k
                    for k in known
                    if k in (str(path), page) or Path(k) == absolute or absolute in Path(k).parents
                )
            )
        self.store.remove_documents(gone)
        return list(gone)

    # --- search and records -----------------------------------------------------------------------------

    def search(
        self, query: str, limit: int = 10, tier: str = "long", where: Filter | None = None
    ) -> list[Passage]:
        """The best passages for a query. Lexical only where the embedder is missing or blind.

        `where`: what of the documents to search; of tier "long" only.
        """
        return self._found([query], [limit], tier, where)[0][:limit]

    def search_many(
        self, queries: Sequence[str], limits: Sequence[int], where: Filter | None = None
    ) -> list[list[Passage]]:
        """`search` for several queries, which are embedded together; the limit of each counts chunks."""
        return self._found(queries, limits, "long", where)

    def _found(
        self, queries: Sequence[str], limits: Sequence[int], tier: str, where: Filter | None
    ) -> list[list[Passage]]:
        """What `_hybrid` finds for each query. Words are searched while the queries are embedded."""
        with self._embedding(queries) as vectors:
            return [
                self._hybrid(query, lambda n=n: vectors()[n], limit, tier, where)  # type: ignore[misc]
                for n, (query, limit) in enumerate(zip(queries, limits, strict=True))
            ]

    def _hybrid(
        self,
        query: str,
        embedded: Callable[[], Vector | None],
        limit: int,
        tier: str,
        where: Filter | None,
    ) -> list[Passage]:
        if self._load_reranker is None or tier != "long":
            return hybrid(self.store, self._index, query, embedded, limit, tier, where)
        from retrieval.rerank import RERANKED, rerank

        with self._loading:
            self._reranker = self._reranker or self._load_reranker()
        found = hybrid(self.store, self._index, query, embedded, max(limit, RERANKED), tier, where)
        return rerank(self._reranker, printable(query), found, limit)

    def nearest(
        self, vector: Vector, limit: int, within: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, cosine) of documents, best first. `within`: chunk ids to choose from; None for all.

        Raises `EmbedderError` as `embedder` does.
        """
        self.embedder()
        assert self._index is not None
        return self._index.search(vector, limit, "long", within) if vector.any() else []

    def nearest_to(
        self, query: str, limit: int, tier: str, within: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """As `nearest`, for a text and any tier; nothing where the embedder is missing or blind."""
        vector = self._query_vector(query)
        if self._index is None or vector is None:
            return []
        return self._index.search(vector, limit, tier, within)

    def dense(self, query: str, limit: int, tier: str = "long") -> list[int]:
        """Chunk ids of the dense part alone, best first; none where it is blind."""
        vector = self._query_vector(query)
        if self._index is None or vector is None:
            return []
        return [item for item, _ in self._index.search(vector, limit, tier)]

    def _query_vector(self, query: str) -> Vector | None:
        with self._embedding([query]) as vectors:
            return vectors()[0]

    @contextlib.contextmanager
    def _embedding(self, queries: Sequence[str]) -> Iterator[Callable[[], list[Vector | None]]]:
        """Embed queries, beside what is done meanwhile; what is given waits for the vector of each.

        None where the embedder is missing or blind. In a small library the words take less than a thread.
        """
        try:
            embedder = self.embedder()  # here, as it asks the store, and another thread would open it anew
        except EmbedderError as error:
            self.blind_reason = str(error)
            yield lambda: [None] * len(queries)
            return
        if self.store.lexicon_size()[0] < ASIDE_FROM:
            found = self._query_vectors(embedder, queries)
            yield lambda: found
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1, "embed") as pool:
            yield pool.submit(self._query_vectors, embedder, queries).result

    def _query_vectors(self, embedder: Embedder, queries: Sequence[str]) -> list[Vector | None]:
        try:
            vectors = embedder.embed_queries([printable(query) for query in queries])
        except EmbedderError as error:
            self.blind_reason = str(error)
            return [None] * len(queries)
        self.blind_reason = ""
        return [vector if vector.any() else None for vector in vectors]

    def is_word(self, word: str) -> bool:
        """Whether the embedder's vocabulary has a lower-case word whole; False without an embedder."""
        try:
            return self.embedder().is_word(word)
        except EmbedderError:
            return False

    def put_record(self, record: Record) -> None:
        """Store an item of memory, found by its text."""
        self.put_records([(record, "")])

    def put_records(
        self,
        records: Sequence[tuple[Record, str]],
        *,
        used: Sequence[str] = (),
        ended: Sequence[str] = (),
        at_s: float = 0.0,
    ) -> None:
        """Store items of memory, each found by its text and by the words of a reply beside it, "" for none.

        What was embedded before is not embedded again. `used`, `ended`, `at_s`: as `Records.put_records`.
        """
        if not (records or used or ended):
            return
        texts = list(dict.fromkeys(record.text for record, _ in records))
        try:
            vectors = dict(zip(texts, self._adding.reusing_vectors(texts, lambda *_: None)[0], strict=True))
        except EmbedderError:
            vectors = {}
        self.store.put_records(
            [NewRecord(one, *vectors.get(one.text, (None, None)), reply) for one, reply in records],
            used=used,
            ended=ended,
            at_s=at_s,
        )
        if self._index:
            self._index.save(at_least_changes=SAVE_AFTER_CHANGES)

    def forget_vectors(self) -> None:
        """Take what was deleted out of the index's file, too: written anew, or made again when needed."""
        if self._index and self._index.save(at_least_changes=1):
            return
        for file in self.folder.glob("vectors.*"):
            file.unlink(missing_ok=True)

    def finish_forgetting(self, wait_s: float = ERASE_WAIT_S) -> bool:
        """Erase the bytes of what `Store.forget` deleted; whether there was anything to erase.

        Raises `StoreError` as `Records.erase` does, after `wait_s`; it can be done again.
        """
        if self.store.get_meta(ERASING) is None:
            return False
        self.forget_vectors()
        with self.store.waiting(wait_s):
            self.store.erase()
        return True
