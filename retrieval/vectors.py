"""The vectors of chunks in the library's file, and what changed since an index of them was written.

They lie here as float32 bytes; the FAISS index is derived from them and can be lost. It does not search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from retrieval.chunks import groups, placeholders
from retrieval.database import Database, put_meta

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Vectors(Database):
    """The vectors of chunks, and the changes to them, each of which has a generation."""

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
        for group in groups(chunk_ids):
            rows = self._db.execute(
                f"SELECT chunk_id, vector FROM vectors WHERE chunk_id IN ({placeholders(group)})", group
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
            put_meta(db, "index_state", state)
            put_meta(db, "changes_pruned_to", str(generation))
            db.execute("DELETE FROM changes WHERE generation <= ?", (generation,))
        return True
