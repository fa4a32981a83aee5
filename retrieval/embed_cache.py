"""A cache of embeddings by content hash, for files that are asked without being added.

It keeps hashes and vectors, never text, in one SQLite file of bounded size.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.embed import Embedder

if TYPE_CHECKING:
    from retrieval.embed import Vectors

MAX_ROWS = 50_000  # about 80 MB of 384-dimensional vectors; the oldest go first


class CachedEmbedder:
    """An embedder that remembers the vectors of texts it has seen. A broken cache is only slower."""

    def __init__(self, embedder: Embedder, file: Path) -> None:
        self.model_id = embedder.model_id
        self.name = embedder.name
        self.prompts = embedder.prompts
        self.dim = embedder.dim
        self._embedder = embedder
        self._file = file

    def coverage(self, text: str) -> float:
        return self._embedder.coverage(text)

    def is_word(self, word: str) -> bool:
        return self._embedder.is_word(word)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embedder.embed_queries(texts)  # hardly ever asked twice

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        keys = [
            hashlib.sha256(f"{self.model_id}\0{text}".encode("utf-8", "replace")).digest() for text in texts
        ]
        known = self._read(keys)
        fresh = [n for n, key in enumerate(keys) if key not in known]
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for n, key in enumerate(keys):
            if key in known:
                vectors[n] = np.frombuffer(known[key], dtype=np.float32)
        if fresh:
            vectors[fresh] = self._embedder.embed([texts[n] for n in fresh])
            self._write([(keys[n], vectors[n].tobytes()) for n in fresh])
        return vectors

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        if not self._file.exists():
            return {}
        try:
            with closing(sqlite3.connect(self._file, timeout=5)) as db:
                rows = (db.execute("SELECT vector FROM cache WHERE key = ?", (k,)).fetchone() for k in keys)
                size = self.dim * 4
                return {k: row[0] for k, row in zip(keys, rows, strict=True) if row and len(row[0]) == size}
        except sqlite3.Error:
            return {}

    def _write(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=5)) as db, db:
                db.execute("CREATE TABLE IF NOT EXISTS cache (key BLOB PRIMARY KEY, vector BLOB, at_s REAL)")
                now_s = time.time()
                db.executemany(
                    "INSERT OR REPLACE INTO cache VALUES (?, ?, ?)", [(k, v, now_s) for k, v in rows]
                )
                db.execute(
                    "DELETE FROM cache WHERE rowid IN"
                    " (SELECT rowid FROM cache ORDER BY at_s DESC LIMIT -1 OFFSET ?)",
                    (MAX_ROWS,),
                )
        except (sqlite3.Error, OSError):
            return  # a full disk or a locked cache must not stop an answer
