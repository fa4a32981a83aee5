"""The derived FAISS index: exact inner-product search over every vector of a library.

SQLite holds the vectors; this holds a copy that can be searched. The file is named after the generation it
was written at, carries its checksum in SQLite, and is replaced atomically; when it is missing, stale or
damaged the index catches up from SQLite or is rebuilt. It does not choose an index kind by size yet.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.store import TIER_BASE, TIER_SPAN, Store, StoreError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

STALE_PART_S = 3600.0  # a half-written file as old as this belongs to nobody any more
SAVE_AFTER_CHANGES = 512  # catching up on more than this costs a noticeable part of a cold start


class VectorIndex:
    """Searchable vectors of one library. One search or update at a time."""

    def __init__(self, store: Store, folder: Path, dim: int) -> None:
        self._store = store
        self._folder = folder
        self._dim = dim
        self._lock = threading.Lock()
        self._generation = -1  # nothing loaded yet
        self._saved_generation = -1
        self._faiss: Any = None

    def search(
        self, query: npt.NDArray[np.float32], limit: int, tier: str, within: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """(chunk id, cosine in [-1, 1]), best first. `query`: float32 (dim,), of unit length.

        `within`: the ids of the chunks to search; None for those of the whole tier.
        """
        import faiss
        import numpy as np

        low = TIER_BASE[tier]
        with self._lock:
            self._refresh()
            selected: faiss.IDSelector = faiss.IDSelectorRange(low, low + TIER_SPAN)
            if within is not None:
                selected = faiss.IDSelectorBatch(np.asarray(within, np.int64))
            wanted = faiss.SearchParameters(sel=selected)  # type: ignore[call-arg]  # set by its SWIG wrapper
            scores, ids = self._faiss.search(query.reshape(1, -1), limit, params=wanted)
        pairs = zip(ids[0].tolist(), scores[0].tolist(), strict=True)
        return [(chunk_id, score) for chunk_id, score in pairs if chunk_id >= 0]

    def save(self, *, at_least_changes: int = 1) -> bool:
        """Write the index file when so many changes are not in it yet; whether it was written."""
        if self._store.read_only:
            return False
        import faiss

        with self._lock:
            self._refresh()
            if self._generation - max(self._saved_generation, 0) < at_least_changes:
                return False
            data = faiss.serialize_index(self._faiss).tobytes()
            target = self._file(self._generation)
            temporary = target.with_suffix(f".{os.getpid()}.part")
            try:
                temporary.write_bytes(data)
                os.replace(temporary, target)
                state = {"generation": self._generation, "crc32": zlib.crc32(data)}
                if not self._store.put_index_state(self._generation, json.dumps(state)):
                    target.unlink(missing_ok=True)
                    return False
            except (OSError, StoreError):
                temporary.unlink(missing_ok=True)  # it is a copy: a full disk or a busy writer may wait
                return False
            self._saved_generation = self._generation
            self._clear_away(self._generation)
            return True

    def _clear_away(self, generation: int) -> None:
        """Remove older index files, and what a crash left half-written."""
        for file in self._folder.glob("vectors.*"):
            parts = file.name.split(".")
            older = parts[-1] == "faiss" and parts[1].isdigit() and int(parts[1]) < generation
            with contextlib.suppress(OSError):  # another process may take it away under our hands
                if older or (parts[-1] == "part" and time.time() - file.stat().st_mtime > STALE_PART_S):
                    file.unlink(missing_ok=True)

    def __len__(self) -> int:
        with self._lock:
            self._refresh()
            return int(self._faiss.ntotal)

    def _file(self, generation: int) -> Path:
        return self._folder / f"vectors.{generation}.faiss"

    def _refresh(self) -> None:
        """Catch up with the library: replay what changed, or load everything again."""
        if self._faiss is None:
            self._load_file()
        if self._faiss is None or not self._replay():
            self._rebuild()

    def _load_file(self) -> None:
        import faiss
        import numpy as np

        try:
            state = json.loads(self._store.get_meta("index_state") or "{}")
            data = self._file(state["generation"]).read_bytes()
            if zlib.crc32(data) != state["crc32"]:
                return
            loaded = faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8))
        except (OSError, RuntimeError, ValueError, KeyError, TypeError):
            return  # missing or damaged: SQLite has the vectors
        if loaded.d == self._dim:
            self._faiss = loaded
            self._generation = self._saved_generation = state["generation"]

    def _replay(self) -> bool:
        """Apply what changed since; False when the library no longer knows."""
        import numpy as np

        if self._store.generation() == self._generation:
            return True
        changes = self._store.changes_since(self._generation)
        if changes is None:
            return False
        if not changes:
            return True
        gone = {chunk_id for _, chunk_id, removed in changes if removed}
        come = [chunk_id for _, chunk_id, removed in changes if not removed and chunk_id not in gone]
        if gone:
            self._faiss.remove_ids(np.fromiter(gone, dtype=np.int64))
        vectors = self._store.vectors_of(come)
        self._add([n for n in come if n in vectors], b"".join(vectors[n] for n in come if n in vectors))
        self._generation = changes[-1][0]
        return True

    def _rebuild(self) -> None:
        import faiss

        ids, vectors, self._generation = self._store.vectors(self._dim)
        self._saved_generation = -1
        self._faiss = faiss.IndexIDMap2(faiss.IndexFlatIP(self._dim))
        self._add(ids, vectors.tobytes())

    def _add(self, ids: list[int], data: bytes) -> None:
        import numpy as np

        if ids:
            vectors = np.frombuffer(data, dtype=np.float32).reshape(-1, self._dim)
            self._faiss.add_with_ids(vectors, np.array(ids, dtype=np.int64))
