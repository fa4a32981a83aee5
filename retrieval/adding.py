"""Adds documents to a library: reads files and pages, embeds what is new, and stores each on its own.

What is unchanged, moved or gone is told apart here; which files there are, `retrieval.load.walk` says. It
holds no lock, writes no index file and searches nothing: `retrieval.library` does.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from retrieval.addresses import address, is_address, masked, page_name
from retrieval.chunks import embedded_hash, embedded_text
from retrieval.database import printable
from retrieval.embed import Embedder, EmbedderError
from retrieval.load import LoadError, Source, load
from retrieval.load.ocr import reads_more
from retrieval.load.walk import walk, walk_changed
from retrieval.split import Chunk, split
from retrieval.store import Message, NewChunk, Store

GROUP_CHUNKS = 64  # chunks of several small documents are embedded together; bounds memory as well

Progress = Callable[[float, int, str], None]
"""Files done (with a fraction while a large one is embedded), files in all, and the path at work."""


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
    etag: str = ""
    """The server's name for this version of a page, or ""."""


class Adding:
    """What puts documents into one library's store."""

    def __init__(self, store: Store, embedder: Callable[[], Embedder], *, words_suffice: bool) -> None:
        """`words_suffice`: as `Library` takes it."""
        self._store = store
        self._embedder = embedder
        self._words_suffice = words_suffice

    def add(
        self, paths: Iterable[str | Path], report: AddReport, progress: Progress | None, *, prune: bool
    ) -> None:
        """Add files, folders and pages; as `Library.add`."""
        listed = list(paths)
        pages = dict.fromkeys(page_name(str(one)) or str(one) for one in listed if is_address(one))
        named = [Path(one) for one in listed if not is_address(one)]
        self._add_files([*walk(named), *((page, None) for page in pages)], report, progress)
        self._account_for_missing([path for path in named if path.is_dir()], report, prune=prune)

    def add_changed(
        self, changed: Sequence[Path], named: Sequence[Path], report: AddReport, *, prune: bool
    ) -> None:
        """Add what has changed; as `Library.add_changed`."""
        self._add_files(list(walk_changed(changed, named)), report, None)
        self._account_for_missing(changed, report, prune=prune)

    def add_sources(self, named: Sequence[tuple[str, Source]]) -> int:
        """Add texts that are no files; the number of their chunks."""
        loaded = []
        for name, source in named:
            digest = hashlib.sha256(source.text.encode("utf-8", "surrogatepass")).hexdigest()
            loaded.append(_Loaded(name, source, digest, len(source.text), 0.0, split(source)))
        self._put(loaded)
        return sum(len(one.chunks) for one in loaded)

    def put_source(self, path: str, source: Source, sha256: str, size_bytes: int, modified_s: float) -> None:
        """Add a source that was read before, as it was read."""
        self._put([_Loaded(path, source, sha256, size_bytes, modified_s, split(source))])

    def vectors(self, texts: Sequence[str]) -> list[bytes | None]:
        """float32 bytes of each text's vector; None where the embedder is blind to it."""
        return [row.tobytes() if row.any() else None for row in self._embedder().embed(texts)]

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
        self._index_documents(waiting, report, progress, (max(len(files) - 1, 0), len(files)))
        skipped = [(absolute_path(Path(one["path"])), one["reason"]) for one in report.skipped]
        if skipped:
            self._store.put_failures([(printable(path), reason) for path, reason in skipped], "skipped")
        if progress:
            progress(len(files), len(files), "")

    def _account_for_missing(self, places: Sequence[Path], report: AddReport, *, prune: bool) -> None:
        """Tell, and with `prune` remove, what was at or below some paths and is gone."""
        roots = {absolute_path(path) for path in places}
        if not roots:
            return

        def gone(path: str) -> bool:
            within = path in roots or any(str(parent) in roots for parent in Path(path).parents)
            return within and not os.path.lexists(path)

        failures = [*self._store.failures(), *self._store.failures("skipped")]
        forgotten = [path for path, _ in failures if gone(path)]
        if forgotten:
            self._store.drop_failures(forgotten)
        missing = [path for _, path, _ in self._store.document_names().rows if gone(path)]
        if prune:
            self._store.remove_documents(missing)
        told = report.pruned if prune else report.missing
        told += [{"path": path, "reason": "the file is gone"} for path in sorted(missing)]

    def _leave_out(self, report: AddReport, path: Path | str, reason: str) -> None:
        missing = reason.startswith("no such")
        if missing and str(path).startswith("www."):
            reason += " (the address of a page begins with https://)"
        (report.failed if missing else report.skipped).append({"path": str(path), "reason": reason})

    def _load(self, path: Path, report: AddReport) -> _Loaded | None:
        """The document at a path, or None when it is unchanged, moved or broken: the report tells."""
        absolute = absolute_path(path)  # symbolic links stay as the user named them
        if absolute != printable(absolute):
            report.failed.append(
                {"path": printable(str(path)), "reason": "its name is not valid text: rename it"}
            )
            return None
        known = self._store.document_hash(absolute)
        more = bool(known) and reads_more(self._store.document_notes(absolute))
        try:
            info = os.stat(absolute)
            described = self._store.is_described(absolute) and not more
            if known and described and known == _file_hash(absolute, info):
                self._leave_unchanged(path, absolute, info, report)
                return None
            source, digest = load(Path(absolute))
        except (LoadError, OSError) as error:
            reason = str(error) if isinstance(error, LoadError) else f"cannot be read: {error.strerror}"
            self._store.put_failure(absolute, reason)
            report.failed.append({"path": str(path), "reason": reason})
            return None
        if known == digest and not more and (described or not _describes(source)):
            self._leave_unchanged(path, absolute, info, report)
            return None
        # What has no absolute path, such as a page, never was a file.
        files = (one for one in self._store.paths_of(digest) if os.path.isabs(one))
        old = next((one for one in files if not os.path.lexists(one)), "")
        if old and not known and self._is_same(old, source):
            self._store.move_document(old, absolute, source, info.st_size, info.st_mtime)
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
        known = self._store.document_id(url) if self._store.is_described(url) else None
        state = self._store.file_state(known) if known else None
        _, size_bytes, modified_s, digest = state or (url, 0, 0.0, "")
        etag = self._store.etag(known) if known else ""
        try:
            page = fetch(url, modified_s, etag)
            source = noted(read(page), page, url) if page and page.sha256 != digest else None
        except LoadError as error:
            self._store.put_failure(url, str(error))
            report.failed.append({"path": url, "reason": str(error)})
            return None
        # A page may differ in nothing but what no reader sees.
        stored = self._store.source(known) if known else None
        if page and source and replace(source, encoding="utf-8") != stored:
            size_bytes, modified_s = len(page.data), page.modified_s
            return _Loaded(
                url, source, page.sha256, size_bytes, modified_s, split(source), etag=page.etag_at(url)
            )
        if page:
            modified_s, etag = page.modified_s, page.etag_at(url)
        self._store.touch_document(url, size_bytes, modified_s, etag)
        report.unchanged.append({"path": url, "reason": ""})
        return None

    def _leave_unchanged(self, path: Path, absolute: str, info: os.stat_result, report: AddReport) -> None:
        self._store.touch_document(absolute, info.st_size, info.st_mtime)
        report.unchanged.append({"path": str(path), "reason": ""})

    def _is_same(self, path: str, source: Source) -> bool:
        """Whether a document is stored as it is read now, but for its title: another name may change both."""
        stored = self._store.source(self._store.document_id(path) or 0)
        return stored is not None and all(
            getattr(stored, name) == getattr(source, name) for name in ("text", "marks", "format", "lines")
        )

    def _index_documents(
        self, group: list[_Loaded], report: AddReport, progress: Progress | None, at: tuple[int, int]
    ) -> None:
        name = group[-1].path if group else ""

        def tell(done: int, of: int) -> None:
            if progress:
                progress(at[0] + done / of, at[1], f"{name}: {done} of {of} chunks")

        embedded, reused = self._put(group, tell)
        report.embedded += embedded
        report.reused += reused
        for one in group:
            notes = "; ".join(one.source.notes)
            if one.moved_from:
                self._store.note_move(one.moved_from, one.path)
                self._store.remove_documents([one.moved_from])
                report.moved.append({"path": one.path, "reason": f"was {one.moved_from}"})
            else:
                report.indexed.append({"path": one.path, "reason": notes})
            report.chunks += len(one.chunks)

    def _put(
        self, group: list[_Loaded], tell: Callable[[int, int], None] = lambda *_: None
    ) -> tuple[int, int]:
        """Embed the chunks of a group of documents together, then store each on its own.

        How many were embedded, and how many reused a vector. `tell`: hears how far a large group has come.
        """
        texts = [
            embedded_text(one.source.title, c.heading, one.source.text[c.start : c.end])
            for one in group
            for c in one.chunks
        ]
        vectors, fresh = self.reusing_vectors(texts, tell)
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
            self._store.put_document(
                one.path, one.sha256, one.source, chunks, one.size_bytes, one.modified_s, one.etag
            )
        return fresh, len(texts) - fresh

    def reusing_vectors(
        self, texts: Sequence[str], tell: Callable[[int, int], None]
    ) -> tuple[list[tuple[bytes | None, bytes | None]], int]:
        """(vector, hash) of each text, and how many had to be embedded, in groups of `GROUP_CHUNKS`."""
        if not texts:
            return [], 0
        try:
            dim = self._embedder().dim
        except EmbedderError:
            if not self._words_suffice:
                raise
            return [(None, None)] * len(texts), 0
        hashes = [embedded_hash(text) for text in texts]
        # A vector of another length is damage.
        known = {
            one: vector
            for one, vector in self._store.embedded(hashes).items()
            if vector is None or len(vector) == 4 * dim
        }
        fresh = {one: text for one, text in zip(hashes, texts, strict=True) if one not in known}
        wanted = list(fresh)
        for start in range(0, len(wanted), GROUP_CHUNKS):
            if len(wanted) > GROUP_CHUNKS * 2:
                tell(start, len(wanted))
            part = wanted[start : start + GROUP_CHUNKS]
            known.update(zip(part, self.vectors([fresh[one] for one in part]), strict=True))
        return [(known[one], one) for one in hashes], len(fresh)


def _describes(source: Source) -> bool:
    """Whether there is anything of a document to filter by beside its path, its format and its title."""
    return bool(source.date or source.tags or any(mark.who or mark.when for mark in source.marks))


def absolute_path(path: Path) -> str:
    return os.path.abspath(path)


def _file_hash(path: str, info: os.stat_result) -> str:
    """SHA-256 of a regular file; empty for another, which may never end. Raises `OSError`."""
    if not stat.S_ISREG(info.st_mode):
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
