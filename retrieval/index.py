"""The derived FAISS index: inner-product search over every vector of a library, of a kind that fits its size.

SQLite holds the vectors; this holds a copy that can be searched. The file is named after the generation it
was written at and its kind, carries its checksum in SQLite, and is replaced atomically; when it is missing,
stale or damaged the index catches up from SQLite or is rebuilt. When the library has outgrown its kind,
another one is built while the old one answers. Which kind, and how each is searched, is for
`retrieval.index_kinds`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.index_kinds import (
    REGROWN,
    Copy,
    Kind,
    Sizes,
    candidates,
    empty,
    kind_for,
    read,
    sample_size,
    threads,
    write,
)
from retrieval.lock import try_lock
from retrieval.store import Store, StoreError
from retrieval.vectors import BLOCK_ROWS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

STALE_PART_S = 3600.0  # a half-written file as old as this belongs to nobody any more
SAVE_AFTER_CHANGES = 512  # catching up on more than this costs a noticeable part of a cold start
SAVE_SHARE = 1000  # one change in so many vectors is worth writing the file again
LOCK_FILE = "index.lock"  # held by the one that writes the file, or builds what is to be written
READ_FROM_STORE = 500  # a selection as small as this is read from SQLite: some 10 microseconds for each
SETTLED_S = 10.0  # a command that lives for less starts no build that it would not see the end of
RETRY_S = 60.0  # between two builds that a search starts
SAMPLE_SEED = 1


class _Closed(Exception):
    """The library is being closed: a build is given up."""


InUse = Callable[[], contextlib.AbstractContextManager[None]]
FAILURES = (_Closed, StoreError, OSError, sqlite3.Error, RuntimeError, MemoryError)  # a build may meet


class VectorIndex:
    """Searchable vectors of one library. One search or update at a time; a build holds up neither."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        dim: int,
        sizes: Sizes | None = None,
        *,
        settled_s: float = SETTLED_S,
    ) -> None:
        """`sizes`: from which number of vectors on which kind is used. `settled_s`: how long after this a
        search may start a build.
        """
        self._store = store
        self._folder = folder
        self._dim = dim
        self._sizes = sizes or Sizes()
        self._lock = threading.Lock()  # over the copy
        self._building = threading.Lock()
        self._reading = threading.Lock()  # over what a build does with the store
        self._closed = False
        self._copy: Copy | None = None
        self._not_before = time.monotonic() + settled_s

    def search(
        self, query: npt.NDArray[np.float32], limit: int, tier: str, within: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, cosine in [-1, 1]), best first. `query`: float32 (dim,), of unit length.

        `within`: the ids of the chunks to search; None for those of the whole tier.
        """
        with self._lock:
            copy = self._refresh()
            if copy.kind == "exact":
                found = copy.nearest(query, limit, tier, within)
            elif within is not None and len(within) <= READ_FROM_STORE:
                found = [(chunk_id, 0.0) for chunk_id in within]
            else:
                found = copy.nearest(query, candidates(limit), tier, within)
            wanted = self._wanted(copy)
        if wanted and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + RETRY_S
            threading.Thread(target=self._build_aside, name="index", daemon=True).start()
        return found if copy.kind == "exact" else self._scored(query, [n for n, _ in found])[:limit]

    def save(self, *, at_least_changes: int | None = None) -> bool:
        """Write the index file when so many changes are not in it yet; whether it was written.

        By default it is written for any change to a small library; for one to a large one it is not worth it.
        Not while another one is written or built: it is a copy and may wait.
        """
        if self._store.read_only:
            return False
        with self._lock:
            copy = self._refresh()
            if at_least_changes is None:
                at_least_changes = max(1, min(SAVE_AFTER_CHANGES, len(copy) // SAVE_SHARE))
            if copy.generation - max(copy.saved, 0) < at_least_changes:
                return False
            with self._sole_writer() as sole:
                return sole and self._write(copy)

    def build(self) -> bool:
        """Change to the kind that the library's size asks for, if it is another; whether it was changed.

        The old one answers until then. Whatever goes wrong leaves it as it was.
        """
        try:
            with self._building:
                return self._build()
        except FAILURES:
            return False

    def close(self) -> None:
        """Give up a build that is at work: the store is about to be closed."""
        with self._reading:
            self._closed = True

    def __len__(self) -> int:
        with self._lock:
            return len(self._refresh())

    @property
    def kind(self) -> Kind:
        """The kind that answers now."""
        with self._lock:
            return self._refresh().kind

    # --- one that answers -------------------------------------------------------------------------------

    def _refresh(self) -> Copy:
        """The copy, up with the library: what changed is replayed, or all is loaded again."""
        copy = self._copy
        while copy is None or not self._replay(copy):
            copy = self._load()
            if copy is None or not self._replay(copy):
                copy = self._rebuilt()
        self._copy = copy
        return copy

    def _load(self) -> Copy | None:
        """What the file holds; None when it is missing or damaged: SQLite has the vectors."""
        for _ in range(2):  # another one may replace it between our reading of its name and of itself
            try:
                state = self._state()
                generation = int(state["generation"])
                index = read(self._file(generation, state["kind"]), state["crc32"])
                if index is not None and index.d == self._dim:
                    return Copy(index, generation, int(state["trained"]), saved=generation)
            except (OSError, RuntimeError, ValueError, KeyError, TypeError):
                continue
        return None

    def _state(self) -> dict[str, Any]:
        """What the library says of the file: its `generation`, `kind`, `trained` and `crc32`, or nothing."""
        with contextlib.suppress(ValueError, TypeError):
            state = json.loads(self._store.get_meta("index_state") or "{}")
            # A file that an older version wrote is of the only kind there was.
            return {"kind": "exact", "trained": 0, **state}
        return {}

    def _replay(self, copy: Copy, there: npt.NDArray[np.int64] | None = None) -> bool:
        """Apply what changed since; False when the library no longer knows. `there`: ids not to add again."""
        import numpy as np

        if self._store.generation() == copy.generation:
            return True
        changes = self._store.changes_since(copy.generation)
        if changes is None:
            return False
        if not changes:
            return True
        gone = {chunk_id for _, chunk_id, removed in changes if removed}
        come = [chunk_id for _, chunk_id, removed in changes if not removed and chunk_id not in gone]
        if there is not None:
            come = np.setdiff1d(come, there).tolist()
        copy.generation = -1  # should this be interrupted, it is of no generation, and loaded again
        copy.remove(gone)
        for start in range(0, len(come), BLOCK_ROWS):
            copy.add(*self._vectors_of(come[start : start + BLOCK_ROWS]))
        copy.generation = changes[-1][0]
        return True

    def _rebuilt(self) -> Copy | None:
        """A new copy for a search that waits: of a kind that is quick to make."""
        kind = self._sizes.kind(self._store.vector_count())
        return self._made("exact" if kind == "exact" else "reduced")

    def _vectors_of(self, chunk_ids: Sequence[int]) -> tuple[list[int], npt.NDArray[np.float32]]:
        """Those of these ids that have a vector of the right length, and their vectors (n, dim)."""
        import numpy as np

        vectors = self._store.vectors_of(chunk_ids)
        found = {n: vector for n, vector in vectors.items() if len(vector) == 4 * self._dim}
        data = np.frombuffer(b"".join(found.values()), dtype=np.float32)
        return list(found), data.reshape(-1, self._dim)

    def _scored(self, query: npt.NDArray[np.float32], chunk_ids: Sequence[int]) -> list[tuple[int, float]]:
        """These chunks with their exact cosines, best first; a chunk removed meanwhile is left out."""
        import numpy as np

        ids, vectors = self._vectors_of(chunk_ids)
        scores = vectors @ query
        return [(ids[n], float(scores[n])) for n in np.argsort(-scores, kind="stable")]

    # --- one that is built ------------------------------------------------------------------------------

    def _wanted(self, copy: Copy) -> Kind | None:
        """The kind to be built in place of a copy, or None when it is as it should be."""
        kind = kind_for(len(copy), copy.kind, self._sizes)
        outgrown = kind == "lists" and len(copy) > REGROWN * copy.trained
        return kind if kind != copy.kind or outgrown else None

    def _build_aside(self) -> None:
        with threads(1):  # searches need the others
            self.build()

    def _build(self) -> bool:
        with self._in_use(), self._lock:
            old = self._refresh()
            wanted = self._wanted(old)
        if wanted is None:
            return False
        with self._sole_writer() as sole:
            if not sole:
                return False
            with self._in_use():
                fresh = self._of_another(old)
            if fresh is None or fresh.kind != wanted or self._wanted(fresh):
                fresh = self._made(wanted, interruptible=True)
            with self._in_use():
                if fresh is None or not self._replay(fresh):
                    return False
                if fresh.saved != fresh.generation and not self._store.read_only:
                    self._write(fresh)
        with self._in_use(), self._lock:
            if not self._replay(fresh):
                return False
            self._copy = fresh
        return True

    def _of_another(self, old: Copy) -> Copy | None:
        """What the file holds if it is not the old copy: another process may have been faster to build."""
        state = self._state()
        return self._load() if (state.get("generation"), state.get("kind")) != (old.saved, old.kind) else None

    def _made(self, kind: Kind, *, interruptible: bool = False) -> Copy | None:
        """A copy of a kind, of all vectors there are, read in blocks so that memory never holds them all.

        None when the library forgot meanwhile what changed since it began.
        """
        import numpy as np

        in_use = self._in_use if interruptible else contextlib.nullcontext
        with in_use():
            generation, count = self._store.generation(), self._store.vector_count()
        index = empty(kind, self._dim, self._sample(sample_size(kind, count), count, in_use), count)
        copy = Copy(index, generation, count)
        known = [np.empty(0, np.int64)]
        for ids, vectors in self._blocks(in_use):
            copy.add(ids, vectors)
            known.append(np.array(ids, np.int64))
        with in_use():
            return copy if self._replay(copy, np.concatenate(known)) else None

    def _sample(self, size: int, count: int, in_use: InUse) -> npt.NDArray[np.float32]:
        """About `size` of `count` vectors, the same ones every time."""
        import numpy as np

        dice = np.random.default_rng(SAMPLE_SEED)
        parts = [np.empty((0, self._dim), np.float32)]
        for _, vectors in self._blocks(in_use) if size else ():
            parts.append(vectors[dice.random(len(vectors)) < size / count])
        return np.concatenate(parts)

    def _blocks(self, in_use: InUse) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
        blocks = self._store.vector_blocks(self._dim)
        while True:
            with in_use():
                block = next(blocks, None)
            if block is None:
                return
            yield block

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """Keep the store open for so long. Raises `_Closed` when it may be closed already."""
        with self._reading:
            if self._closed:
                raise _Closed
            yield

    # --- the file ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _sole_writer(self) -> Iterator[bool]:
        """Whether nobody else, in any process, writes the file, or builds one to write, for so long."""
        held = None
        if not self._store.read_only:
            with contextlib.suppress(OSError):
                held = try_lock(self._folder / LOCK_FILE)
        try:
            yield held is not None or self._store.read_only
        finally:
            if held is not None:
                os.close(held)

    def _write(self, copy: Copy) -> bool:
        target = self._file(copy.generation, copy.kind)
        temporary = target.with_suffix(f".{os.getpid()}.part")
        state = {"generation": copy.generation, "kind": copy.kind, "trained": copy.trained}
        try:
            state["crc32"] = write(copy.index, temporary)
            os.replace(temporary, target)
            if not self._store.put_index_state(copy.generation, json.dumps(state)):
                target.unlink(missing_ok=True)
                return False
        except (OSError, RuntimeError, StoreError):
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)  # it is a copy: a full disk or a busy writer may wait
            return False
        copy.saved = copy.generation
        self._clear_away(target)
        return True

    def _clear_away(self, kept: Path) -> None:
        """Remove the index files before this one, and what a crash left half-written."""
        generation = int(kept.name.split(".")[1])
        for file in self._folder.glob("vectors.*"):
            parts = file.name.split(".")
            older = parts[-1] == "faiss" and parts[1].isdigit() and int(parts[1]) <= generation
            with contextlib.suppress(OSError):  # another process may take it away under our hands
                if (older and file != kept) or (
                    parts[-1] == "part" and time.time() - file.stat().st_mtime > STALE_PART_S
                ):
                    file.unlink(missing_ok=True)

    def _file(self, generation: int, kind: Kind) -> Path:
        # The kinds have names of their own: one takes over from another at the same generation.
        return self._folder / f"vectors.{generation}{'' if kind == 'exact' else f'.{kind}'}.faiss"
