"""The library: add files, search them, and keep records, over one folder.

Ties together loading, splitting, embedding, the store and the index. The embedder is loaded when it is first
needed; without one, search is lexical and says so. It knows nothing of questions, answers or chat models.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.addresses import address, is_address, masked, page_name
from retrieval.chunks import embedded_hash, embedded_text
from retrieval.embed import Embedder, EmbedderError
from retrieval.index import SAVE_AFTER_CHANGES, VectorIndex
from retrieval.load import LoadError, Source, load
from retrieval.load.ocr import reads_more
from retrieval.load.walk import walk, walk_changed
from retrieval.lock import locked
from retrieval.search import Passage, hybrid
from retrieval.split import Chunk, split
from retrieval.store import Document, Filter, Message, NewChunk, Record, Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from retrieval.rerank import Reranker

    Vector = npt.NDArray[np.float32]

STORE_FILE = "library.sqlite"
LOCK_FILE = "add.lock"
GROUP_CHUNKS = 64  # chunks of several small documents are embedded together; bounds memory as well

Progress = Callable[[int, int, str], None]  # files done, files in all, path at work


@dataclass
class AddReport:
    """What became of each file and page: dictionaries of `path` and `reason` (empty where all went well)."""

    indexed: list[dict[str, str]] = field(default_factory=list)
    unchanged: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)
    moved: list[dict[str, str]] = field(default_factory=list)
    """Files with the content of one that is gone from another path; the reason names that path."""
    missing: list[dict[str, str]] = field(default_factory=list)
    """Documents below a folder that was added whose files are gone; still in the library unless pruned."""
    pruned: list[dict[str, str]] = field(default_factory=list)
    """Those that were missing and were removed."""
    chunks: int = 0
    """Of the indexed documents; each was embedded or reused a vector."""
    embedded: int = 0
    reused: int = 0
    """Chunks whose text had been embedded before, in this document or another."""
    seconds: float = 0.0


@dataclass(frozen=True)
class _Loaded:
    path: str
    source: Source
    sha256: str
    size_bytes: int
    modified_s: float
    chunks: list[Chunk]
    moved_from: str = ""


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
        self.blind_reason = ""
        """Why there is no embedder to search with, or empty. Known after the first search."""

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
        started = time.perf_counter()
        report = AddReport()
        if not self._words_suffice:
            self.embedder()  # a missing embedder is told before any work
        listed = list(paths)
        pages = dict.fromkeys(page_name(str(one)) or str(one) for one in listed if is_address(one))
        named = [Path(one) for one in listed if not is_address(one)]
        with locked(self.folder / LOCK_FILE, on_wait):
            self._add_files([*walk(named), *((page, None) for page in pages)], report, progress)
            self._account_for_missing([path for path in named if path.is_dir()], report, prune=prune)
            self.save_index()
        report.seconds = round(time.perf_counter() - started, 3)
        return report

    def add_changed(
        self, changed: Sequence[Path], named: Sequence[Path], *, prune: bool = False
    ) -> AddReport:
        """As `add`, for what has changed at or below the paths that were added before.

        `missing` has what is gone of it since. Raises `EmbedderError` and `StoreError`.
        """
        started = time.perf_counter()
        report = AddReport()
        with locked(self.folder / LOCK_FILE):
            self._add_files(list(walk_changed(changed, named)), report, None)
            self._account_for_missing(changed, report, prune=prune)
            if self._index:
                self._index.save(at_least_changes=SAVE_AFTER_CHANGES)
        report.seconds = round(time.perf_counter() - started, 3)
        return report

    def _add_files(
        self, files: Sequence[tuple[Path | str, str | None]], report: AddReport, progress: Progress | None
    ) -> None:
        waiting: list[_Loaded] = []
        for done, (path, reason) in enumerate(files):
            if progress:
                progress(done, len(files), str(path))
            if reason:
                self._leave_out(report, path, reason)
                continue
            loaded = self._load(path, report) if isinstance(path, Path) else self._load_page(path, report)
            if loaded:
                waiting.append(loaded)
            if sum(len(one.chunks) for one in waiting) >= GROUP_CHUNKS:
                self._index_documents(waiting, report, progress, (done, len(files)))
                waiting = []
        self._index_documents(waiting, report, progress, (len(files), len(files)))
        skipped = [(_absolute(Path(one["path"])), one["reason"]) for one in report.skipped]
        if skipped:
            self.store.put_failures([(printable(path), reason) for path, reason in skipped], "skipped")
        if progress:
            progress(len(files), len(files), "")

    def _account_for_missing(self, places: Sequence[Path], report: AddReport, *, prune: bool) -> None:
        """Tell, and with `prune` remove, what was at or below some paths and is gone."""
        roots = {_absolute(path) for path in places}
        if not roots:
            return

        def gone(path: str) -> bool:
            within = path in roots or any(str(parent) in roots for parent in Path(path).parents)
            return within and not os.path.lexists(path)

        failures = [*self.store.failures(), *self.store.failures("skipped")]
        forgotten = [path for path, _ in failures if gone(path)]
        if forgotten:
            self.store.drop_failures(forgotten)
        missing = [path for _, path, _ in self.store.document_names().rows if gone(path)]
        if prune:
            self.store.remove_documents(missing)
        told = report.pruned if prune else report.missing
        told += [{"path": path, "reason": "the file is gone"} for path in sorted(missing)]

    def add_sources(self, named: Sequence[tuple[str, Source]]) -> int:
        """Index texts that are no files, under names of their own; the number of their chunks."""
        loaded = []
        for name, source in named:
            digest = hashlib.sha256(source.text.encode("utf-8", "surrogatepass")).hexdigest()
            loaded.append(_Loaded(name, source, digest, len(source.text), 0.0, split(source)))
        self._put(loaded)
        self.save_index()
        return sum(len(one.chunks) for one in loaded)

    def put_source(self, path: str, source: Source, sha256: str, size_bytes: int, modified_s: float) -> None:
        """Index a source that was read before, as it was read."""
        self._put([_Loaded(path, source, sha256, size_bytes, modified_s, split(source))])

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
            absolute = Path(_absolute(Path(path)))
            gone.update(
                dict.fromkeys(
                    k
                    for k in known
                    if k in (str(path), page) or Path(k) == absolute or absolute in Path(k).parents
                )
            )
        self.store.remove_documents(gone)
        return list(gone)

    def _leave_out(self, report: AddReport, path: Path | str, reason: str) -> None:
        missing = reason.startswith("no such")
        if missing and str(path).startswith("www."):
            reason += " (the address of a page begins with https://)"
        (report.failed if missing else report.skipped).append({"path": str(path), "reason": reason})

    def _load(self, path: Path, report: AddReport) -> _Loaded | None:
        """The document at a path, or None when it is unchanged, moved or broken: the report tells."""
        absolute = _absolute(path)  # symbolic links stay as the user named them
        if absolute != printable(absolute):
            report.failed.append(
                {"path": printable(str(path)), "reason": "its name is not valid text: rename it"}
            )
            return None
        known = self.store.document_hash(absolute)
        more = bool(known) and reads_more(self.store.document_notes(absolute))
        try:
            info = os.stat(absolute)
            described = self.store.is_described(absolute) and not more
            if known and described and known == _file_hash(absolute, info):
                self._leave_unchanged(path, absolute, info, report)
                return None
            source, digest = load(Path(absolute))
        except (LoadError, OSError) as error:
            reason = str(error) if isinstance(error, LoadError) else f"cannot be read: {error.strerror}"
            self.store.put_failure(absolute, reason)
            report.failed.append({"path": str(path), "reason": reason})
            return None
        if known == digest and not more and (described or not _describes(source)):
            self._leave_unchanged(path, absolute, info, report)
            return None
        # What has no absolute path, such as a page, never was a file.
        files = (one for one in self.store.paths_of(digest) if os.path.isabs(one))
        old = next((one for one in files if not os.path.lexists(one)), "")
        if old and not known and self._is_same(old, source):
            self.store.move_document(old, absolute, source, info.st_size, info.st_mtime)
            report.moved.append({"path": str(path), "reason": f"was {old}"})
            return None
        return _Loaded(absolute, source, digest, info.st_size, info.st_mtime, split(source), old)

    def _load_page(self, given: str, report: AddReport) -> _Loaded | None:
        """As `_load`, for the page at an address."""
        from retrieval.web import fetch, noted, read

        try:
            url = address(given)
        except LoadError as error:  # not stored: it may hold a password
            report.failed.append({"path": masked(printable(given)), "reason": str(error)})
            return None
        known = self.store.document_id(url) if self.store.is_described(url) else None
        state = self.store.file_state(known) if known else None
        _, size_bytes, modified_s, digest = state or (url, 0, 0.0, "")
        try:
            page = fetch(url, modified_s)
            source = noted(read(page), page, url) if page and page.sha256 != digest else None
        except LoadError as error:
            self.store.put_failure(url, str(error))
            report.failed.append({"path": url, "reason": str(error)})
            return None
        # A page may differ in nothing but what no reader sees.
        stored = self.store.source(known) if known else None
        if page and source and replace(source, encoding="utf-8") != stored:
            return _Loaded(url, source, page.sha256, len(page.data), page.modified_s, split(source))
        self.store.touch_document(url, size_bytes, page.modified_s if page else modified_s)
        report.unchanged.append({"path": url, "reason": ""})
        return None

    def _leave_unchanged(self, path: Path, absolute: str, info: os.stat_result, report: AddReport) -> None:
        self.store.touch_document(absolute, info.st_size, info.st_mtime)
        report.unchanged.append({"path": str(path), "reason": ""})

    def _is_same(self, path: str, source: Source) -> bool:
        """Whether a document is stored as it is read now, but for its title: another name may change both."""
        stored = self.store.source(self.store.document_id(path) or 0)
        return stored is not None and all(
            getattr(stored, name) == getattr(source, name) for name in ("text", "marks", "format", "lines")
        )

    def _index_documents(
        self, group: list[_Loaded], report: AddReport, progress: Progress | None, at: tuple[int, int]
    ) -> None:
        tell = (lambda what: progress(*at, what)) if progress else None
        embedded, reused = self._put(group, tell)
        report.embedded += embedded
        report.reused += reused
        for one in group:
            notes = "; ".join(one.source.notes)
            if one.moved_from:
                self.store.note_move(one.moved_from, one.path)
                self.store.remove_documents([one.moved_from])
                report.moved.append({"path": one.path, "reason": f"was {one.moved_from}"})
            else:
                report.indexed.append({"path": one.path, "reason": notes})
            report.chunks += len(one.chunks)

    def _put(self, group: list[_Loaded], tell: Callable[[str], None] | None = None) -> tuple[int, int]:
        """Embed the chunks of a group of documents together, then store each on its own.

        How many were embedded, and how many reused a vector. `tell`: hears how far a large group has come.
        """
        texts = [
            embedded_text(one.source.title, c.heading, one.source.text[c.start : c.end])
            for one in group
            for c in one.chunks
        ]
        name = group[-1].path if group else ""
        vectors, fresh = self._reusing_vectors(
            texts, lambda n, all_: tell(f"{name}: {n} of {all_} chunks") if tell else None
        )
        following = iter(vectors)
        for one in group:
            chunks = [
                NewChunk(
                    c.start,
                    c.end,
                    c.heading,
                    c.page,
                    one.source.text[c.start : c.end],
                    *next(following),
                    tuple(Message(mark.start, mark.who, mark.when) for mark in c.messages),
                )
                for c in one.chunks
            ]
            self.store.put_document(one.path, one.sha256, one.source, chunks, one.size_bytes, one.modified_s)
        return fresh, len(texts) - fresh

    def _reusing_vectors(
        self, texts: Sequence[str], tell: Callable[[int, int], None]
    ) -> tuple[list[tuple[bytes | None, bytes | None]], int]:
        """(vector, hash) of each text, and how many had to be embedded, in groups of `GROUP_CHUNKS`."""
        if not texts:
            return [], 0
        try:
            dim = self.embedder().dim
        except EmbedderError:
            if not self._words_suffice:
                raise
            return [(None, None)] * len(texts), 0
        hashes = [embedded_hash(text) for text in texts]
        # A vector of another length is damage.
        known = {
            one: vector
            for one, vector in self.store.embedded(hashes).items()
            if vector is None or len(vector) == 4 * dim
        }
        fresh = {one: text for one, text in zip(hashes, texts, strict=True) if one not in known}
        wanted = list(fresh)
        for start in range(0, len(wanted), GROUP_CHUNKS):
            if len(wanted) > GROUP_CHUNKS * 2:
                tell(start, len(wanted))
            part = wanted[start : start + GROUP_CHUNKS]
            known.update(zip(part, self._vectors([fresh[one] for one in part]), strict=True))
        return [(known[one], one) for one in hashes], len(fresh)

    def _vectors(self, texts: Sequence[str]) -> list[bytes | None]:
        """float32 bytes of each text's vector; None where the embedder is blind to it."""
        return [row.tobytes() if row.any() else None for row in self.embedder().embed(texts)]

    # --- search and records -----------------------------------------------------------------------------

    def search(
        self, query: str, limit: int = 10, tier: str = "long", where: Filter | None = None
    ) -> list[Passage]:
        """The best passages for a query. Lexical only where the embedder is missing or blind.

        `where`: what of the documents to search; of tier "long" only.
        """
        return self._found([query], limit, tier, where)[0][:limit]

    def search_many(
        self, queries: Sequence[str], limit: int, where: Filter | None = None
    ) -> list[list[Passage]]:
        """`search` for several queries, which are embedded together; `limit` counts chunks."""
        return self._found(queries, limit, "long", where)

    def _found(
        self, queries: Sequence[str], limit: int, tier: str, where: Filter | None
    ) -> list[list[Passage]]:
        """What `_hybrid` finds for each query. Words are searched while the queries are embedded."""
        with self._embedding(queries) as vectors:
            return [
                self._hybrid(query, lambda n=n: vectors()[n], limit, tier, where)  # type: ignore[misc]
                for n, query in enumerate(queries)
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
        """Embed queries beside what is done meanwhile; what is given waits for the vector of each.

        None where the embedder is missing or blind.
        """
        try:
            embedder = self.embedder()  # here, as it asks the store, and another thread would open it anew
        except EmbedderError as error:
            self.blind_reason = str(error)
            yield lambda: [None] * len(queries)
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
        try:
            vector = self._vectors([record.text])[0]
        except EmbedderError:
            vector = None
        self.store.put_record(record, vector)
        if self._index:
            self._index.save(at_least_changes=SAVE_AFTER_CHANGES)


def _describes(source: Source) -> bool:
    """Whether there is anything of a document to filter by beside its path, its format and its title."""
    return bool(source.date or source.tags or any(mark.who or mark.when for mark in source.marks))


def _absolute(path: Path) -> str:
    return os.path.abspath(path)


def _file_hash(path: str, info: os.stat_result) -> str:
    """SHA-256 of a regular file; empty for another, which may never end. Raises `OSError`."""
    if not stat.S_ISREG(info.st_mode):
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def printable(text: str) -> str:
    """A text with lone surrogates replaced: they come from broken names and input; nothing stores them."""
    return text.encode("utf-8", "replace").decode("utf-8")
