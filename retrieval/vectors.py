"""The vectors of chunks in the library's file, and what changed since an index of them was written.

They lie here as float32 bytes, with the name of their embedder, and beside them those of an embedder that is
to take over; the FAISS index is derived from them and can be lost. It neither embeds nor searches.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from retrieval.chunks import groups, placeholders
from retrieval.database import Database, put_meta

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BLOCK_ROWS = 4_096  # vectors read at a time: 6 MB of 384 numbers each


class Vectors(Database):
    """The vectors of chunks, and the changes to them, each of which has a generation."""

    def generation(self) -> int:
        """Grows with every vector that comes or goes."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'changes'").fetchone()
        return int(row["seq"]) if row else 0

    def vectors(self, dim: int) -> tuple[list[int], npt.NDArray[np.float32], int]:
        """All chunk ids, their vectors (n, dim), and the generation they are of. All of it in memory."""
        import numpy as np

        db = self._db
        db.execute("BEGIN")  # one snapshot for the rows and their generation
        try:
            generation = self.generation()
            blocks = list(self.vector_blocks(dim))
        finally:
            db.execute("COMMIT")
        ids = [chunk_id for block, _ in blocks for chunk_id in block]
        rows = [rows for _, rows in blocks]
        return ids, np.concatenate(rows) if rows else np.empty((0, dim), np.float32), generation

    def vector_blocks(
        self, dim: int, size: int = BLOCK_ROWS
    ) -> Iterator[tuple[list[int], npt.NDArray[np.float32]]]:
        """All chunk ids in order and their vectors, in blocks of at most `size`.

        No snapshot: while they are read others may write, which whoever needs one learns from the changes
        since a generation asked for before.
        """
        import numpy as np

        last = -1
        while True:
            # A vector of another length is damage: that chunk is found by its words only.
            rows = self._db.execute(
                "SELECT chunk_id, vector FROM vectors WHERE chunk_id > ? AND length(vector) = ?"
                " ORDER BY chunk_id LIMIT ?",
                (last, 4 * dim, size),
            ).fetchall()
            if not rows:
                return
            data = b"".join(row[1] for row in rows)
            yield [row[0] for row in rows], np.frombuffer(data, dtype=np.float32).reshape(-1, dim)
            last = rows[-1][0]

    def vector_count(self) -> int:
        """How many chunks have a vector, of any length."""
        return int(self._db.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def vectors_of(self, chunk_ids: Sequence[int]) -> dict[int, bytes]:
        """float32 bytes of the vectors of these chunks, where they have one."""
        found: dict[int, bytes] = {}
        for group in groups(chunk_ids):
            rows = self._db.execute(
                f"SELECT chunk_id, vector FROM vectors WHERE chunk_id IN ({placeholders(group)})", group
            )
            found.update({row["chunk_id"]: row["vector"] for row in rows})
        return found

    def embedder(self) -> tuple[str, tuple[str, str]] | None:
        """The id and the prompts of the embedder that the vectors are of; None before there is any."""
        model_id = self.get_meta("embedder")
        if model_id is None:
            return None
        query, document = json.loads(self.get_meta("embedder_prompts") or '["", ""]')
        return model_id, (query, document)

    def embedder_name(self) -> str:
        """What opens the embedder again; empty for the default, and before there is any."""
        return self.get_meta("embedder_name") or ""

    def put_embedder(self, model_id: str, name: str, prompts: tuple[str, str]) -> None:
        """Note which embedder the vectors are of; `name` is what opens it again."""
        with self._write() as db:
            put_meta(db, "embedder", model_id)
            put_meta(db, "embedder_name", name)
            put_meta(db, "embedder_prompts", json.dumps(prompts))

    def begin_next(self, model_id: str, prompts: tuple[str, str]) -> None:
        """Go on with the vectors of an embedder that is to take over, or begin anew for another one."""
        wanted = json.dumps([model_id, prompts])
        with self._write() as db:
            if self.get_meta("next_embedder") != wanted:
                db.execute("DELETE FROM next_vectors")
                put_meta(db, "next_embedder", wanted)

    def without_next(self, limit: int) -> list[tuple[int, str, str, str]]:
        """(chunk id, title, heading, text) of chunks that the next embedder has not seen, every tier."""
        rows = self._db.execute(
            "SELECT c.id, coalesce(d.title, ''), c.heading, c.text FROM chunks c"
            " LEFT JOIN documents d ON d.id = c.document_id"
            " WHERE c.id NOT IN (SELECT chunk_id FROM next_vectors) ORDER BY c.id LIMIT ?",
            (limit,),
        )
        return [tuple(row) for row in rows]

    def put_next(self, vectors: Sequence[tuple[int, bytes | None]]) -> None:
        """Store vectors of the next embedder; None where it is blind. A chunk gone meanwhile is left out."""
        with self._write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO next_vectors SELECT id, ? FROM chunks WHERE id = ?",
                [(vector, chunk_id) for chunk_id, vector in vectors],
            )

    def next_count(self) -> tuple[int, int]:
        """(chunks that the next embedder has seen, all chunks)."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM next_vectors), (SELECT count(*) FROM chunks)"
        ).fetchone()
        return int(row[0]), int(row[1])

    def switch(self, model_id: str, name: str, prompts: tuple[str, str]) -> bool:
        """Have the next embedder take over; False, and nothing is changed, while it has not seen every chunk.

        Indexes learn of it as of changes too old to catch up with.
        """
        with self._write() as db:
            if self.without_next(1) or self.get_meta("next_embedder") != json.dumps([model_id, prompts]):
                return False
            db.execute("DELETE FROM vectors")
            db.execute(
                "INSERT INTO vectors SELECT chunk_id, vector FROM next_vectors WHERE vector IS NOT NULL"
            )
            db.execute("DELETE FROM next_vectors")
            db.execute("INSERT INTO changes (chunk_id, removed) VALUES (0, 1)")
            put_meta(db, "changes_pruned_to", str(self.generation()))
            db.execute("DELETE FROM changes")
            db.execute("DELETE FROM meta WHERE key IN ('index_state', 'next_embedder')")
            self.put_embedder(model_id, name, prompts)
        return True

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
