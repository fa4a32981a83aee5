"""The library: add files, search them, and keep records, over one folder.

Ties together loading, splitting, embedding, the store and the index. The embedder is loaded when it is first
needed; without one, search is lexical and says so. It knows nothing of questions, answers or chat models.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.embed import Embedder, EmbedderError
from retrieval.index import SAVE_AFTER_CHANGES, VectorIndex
from retrieval.load import LoadError, Source, load
from retrieval.load.walk import walk
from retrieval.search import Passage, hybrid
from retrieval.split import Chunk, split
from retrieval.store import Document, NewChunk, Record, Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from retrieval.rerank import Reranker

STORE_FILE = "library.sqlite"
GROUP_CHUNKS = 64  # chunks of several small documents are embedded together; bounds memory as well

Progress = Callable[[int, int, str], None]  # files done, files in all, path at work


@dataclass
class AddReport:
    """What became of each file: dictionaries of `path` and `reason` (empty where all went well)."""

    indexed: list[dict[str, str]] = field(default_factory=list)
    unchanged: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    chunks: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Loaded:
    path: str
    source: Source
    sha256: str
    size_bytes: int
    modified_s: float
    chunks: list[Chunk]


class Library:
    """One library in one folder. Usable from several threads; close it, or use it in a `with`."""

    def __init__(
        self,
        folder: Path,
        load_embedder: Callable[[], Embedder],
        *,
        words_suffice: bool = False,
        load_reranker: Callable[[], Reranker] | None = None,
    ) -> None:
        """`words_suffice`: add documents without vectors where the embedder is missing, instead of failing.
        `load_reranker`: what orders the documents that a search found; None for nothing.

        Raises `StoreError` when the library's file cannot be used.
        """
        self.folder = folder
        self._words_suffice = words_suffice
        self.store = Store(folder / STORE_FILE)
        self._load_embedder = load_embedder
        self._embedder: Embedder | None = None
        self._load_reranker = load_reranker
        self._reranker: Reranker | None = None
        self._loading = threading.Lock()
        self._index: VectorIndex | None = None
        self.blind_reason = ""
        """Why there is no embedder to search with, or empty. Known after the first search."""

    def close(self) -> None:
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
                self._embedder = self._index = None  # the library was embedded again meanwhile
            return self._open_embedder()

    def _open_embedder(self) -> Embedder:
        if self._embedder is None:
            embedder = self._load_embedder()
            stored = self.store.embedder()
            if stored is None:
                self.store.put_embedder(embedder.model_id, embedder.name, embedder.prompts)
            elif stored != (embedder.model_id, embedder.prompts):
                other = "other prompts" if stored[0] == embedder.model_id else embedder.model_id
                raise EmbedderError(
                    f"this library was embedded with {stored[0]}, not with {other}: open it with that one, "
                    f"or embed it again with `agent setup --embedder {embedder.name or 'NAME'} --reembed`"
                )
            self._index = VectorIndex(self.store, self.folder, embedder.dim)
            self._embedder = embedder
        return self._embedder

    # --- documents --------------------------------------------------------------------------------------

    def add(self, paths: Iterable[Path], progress: Progress | None = None) -> AddReport:
        """Index files and folders; each document is one transaction, and a broken file fails alone.

        Raises `EmbedderError` and `StoreError`; what was indexed until then stays.
        """
        started = time.perf_counter()
        report = AddReport()
        if not self._words_suffice:
            self.embedder()  # a missing embedder is told before any work
        files = list(walk(paths))
        waiting: list[_Loaded] = []
        for done, (path, reason) in enumerate(files):
            if progress:
                progress(done, len(files), str(path))
            if reason:
                self._leave_out(report, path, reason)
                continue
            loaded = self._load(path, report)
            if loaded:
                waiting.append(loaded)
            if sum(len(one.chunks) for one in waiting) >= GROUP_CHUNKS:
                self._index_documents(waiting, report)
                waiting = []
        self._index_documents(waiting, report)
        if progress:
            progress(len(files), len(files), "")
        self.save_index()
        report.seconds = round(time.perf_counter() - started, 3)
        return report

    def add_sources(self, named: Sequence[tuple[str, Source]]) -> int:
        """Index texts that are no files, under names of their own; the number of their chunks."""
        loaded = []
        for name, source in named:
            digest = hashlib.sha256(source.text.encode("utf-8", "surrogatepass")).hexdigest()
            loaded.append(_Loaded(name, source, digest, len(source.text), 0.0, split(source)))
        self._put(loaded)
        self.save_index()
        return sum(len(one.chunks) for one in loaded)

    def save_index(self) -> None:
        """Write the FAISS file, so that the next start need not catch up."""
        if self._index:
            self._index.save()

    def documents(self) -> list[Document]:
        return self.store.documents()

    def remove(self, paths: Iterable[Path]) -> list[str]:
        """Remove documents by path, those below a folder included; the paths removed."""
        known = [document.path for document in self.store.documents()]
        known += [path for path, _ in self.store.failures()]
        gone: dict[str, None] = {}
        for path in paths:
            absolute = Path(os.path.abspath(path))
            gone.update(
                dict.fromkeys(
                    k for k in known if k == str(path) or Path(k) == absolute or absolute in Path(k).parents
                )
            )
        self.store.remove_documents(gone)
        return list(gone)

    def _leave_out(self, report: AddReport, path: Path, reason: str) -> None:
        missing = reason.startswith("no such")
        (report.failed if missing else report.skipped).append({"path": str(path), "reason": reason})

    def _load(self, path: Path, report: AddReport) -> _Loaded | None:
        """The document at a path, or None when it is unchanged or broken, with a line in the report."""
        absolute = Path(os.path.abspath(path))  # symbolic links stay as the user named them
        if str(absolute) != printable(str(absolute)):
            report.failed.append(
                {"path": printable(str(path)), "reason": "its name is not valid text: rename it"}
            )
            return None
        try:
            info = absolute.stat()
            source, digest = load(absolute)
        except (LoadError, OSError) as error:
            reason = str(error) if isinstance(error, LoadError) else f"cannot be read: {error.strerror}"
            self.store.put_failure(str(absolute), reason)
            report.failed.append({"path": str(path), "reason": reason})
            return None
        if self.store.document_hash(str(absolute)) == digest:
            self.store.touch_document(str(absolute), info.st_size, info.st_mtime)
            report.unchanged.append({"path": str(path), "reason": ""})
            return None
        return _Loaded(str(absolute), source, digest, info.st_size, info.st_mtime, split(source))

    def _index_documents(self, group: list[_Loaded], report: AddReport) -> None:
        self._put(group)
        for one in group:
            report.indexed.append({"path": one.path, "reason": "; ".join(one.source.notes)})
            report.chunks += len(one.chunks)

    def _put(self, group: list[_Loaded]) -> None:
        """Embed the chunks of a group of documents together, then store each on its own."""
        texts = [self._embedded_text(one.source, chunk) for one in group for chunk in one.chunks]
        vectors = iter(self._vectors(texts))
        for one in group:
            chunks = [
                NewChunk(c.start, c.end, c.heading, c.page, one.source.text[c.start : c.end], next(vectors))
                for c in one.chunks
            ]
            self.store.put_document(one.path, one.sha256, one.source, chunks, one.size_bytes, one.modified_s)

    @staticmethod
    def _embedded_text(source: Source, chunk: Chunk) -> str:
        """The chunk under its title and headings, which say what it is about; never part of the span."""
        return embedded_text(source.title, chunk.heading, source.text[chunk.start : chunk.end])

    def _vectors(self, texts: Sequence[str]) -> list[bytes | None]:
        try:
            vectors = self.embedder().embed(texts)
        except EmbedderError:
            if not self._words_suffice:
                raise
            return [None] * len(texts)
        return [row.tobytes() if row.any() else None for row in vectors]

    # --- search and records -----------------------------------------------------------------------------

    def search(self, query: str, limit: int = 10, tier: str = "long") -> list[Passage]:
        """The best passages for a query. Lexical only where the embedder is missing or blind."""
        return self._hybrid(query, self._query_vector(query), limit, tier)

    def search_many(
        self, queries: Sequence[str], limit: int, documents: Sequence[int] = ()
    ) -> list[list[Passage]]:
        """`search` for several queries, which are embedded together. `documents`: ids; empty for all."""
        vectors = self._query_vectors(queries)
        return [
            self._hybrid(query, vector, limit, "long", documents)
            for query, vector in zip(queries, vectors, strict=True)
        ]

    def _hybrid(
        self,
        query: str,
        vector: npt.NDArray[np.float32] | None,
        limit: int,
        tier: str,
        documents: Sequence[int] = (),
    ) -> list[Passage]:
        if self._load_reranker is None or tier != "long":
            return hybrid(self.store, self._index, query, vector, limit, tier, documents)
        from retrieval.rerank import RERANKED, rerank

        with self._loading:
            self._reranker = self._reranker or self._load_reranker()
        found = hybrid(self.store, self._index, query, vector, max(limit, RERANKED), tier, documents)
        return rerank(self._reranker, printable(query), found, limit)

    def nearest(
        self, vector: npt.NDArray[np.float32], limit: int, within: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, cosine) of documents, best first. `within`: chunk ids to choose from; None for all.

        Raises `EmbedderError` as `embedder` does.
        """
        self.embedder()
        assert self._index is not None
        return self._index.search(vector, limit, "long", within) if vector.any() else []

    def dense(self, query: str, limit: int, tier: str = "long") -> list[int]:
        """Chunk ids of the dense part alone, best first; none where it is blind."""
        vector = self._query_vector(query)
        if self._index is None or vector is None:
            return []
        return [item for item, _ in self._index.search(vector, limit, tier)]

    def _query_vector(self, query: str) -> npt.NDArray[np.float32] | None:
        return self._query_vectors([query])[0]

    def _query_vectors(self, queries: Sequence[str]) -> list[npt.NDArray[np.float32] | None]:
        """One vector for each query; None where the embedder is missing or blind."""
        try:
            vectors = self.embedder().embed_queries([printable(query) for query in queries])
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
        try:
            vector = self._vectors([record.text])[0]
        except EmbedderError:
            vector = None
        self.store.put_record(record, vector)
        if self._index:
            self._index.save(at_least_changes=SAVE_AFTER_CHANGES)


def embedded_text(title: str, heading: str, text: str) -> str:
    breadcrumb = " > ".join(part for part in (title, heading) if part)
    return f"{breadcrumb}\n{text}" if breadcrumb else text


def printable(text: str) -> str:
    """A text with lone surrogates replaced: they come from broken names and input; nothing stores them."""
    return text.encode("utf-8", "replace").decode("utf-8")
