"""Chroma with a collection on disk and the embedder behind its default, kept open.

Its `DefaultEmbeddingFunction` would open the model anew for every call, each query included.
"""

from __future__ import annotations

import chromadb
from chromadb.utils.embedding_functions import ONNXMiniLM_L6_V2

MOST = 5000  # documents in one call; it refuses more than its SQLite takes variables


class Store:
    def __init__(self, folder: str, model: str) -> None:
        # `model` is not read: its embedder looks for the same weights in a folder of its own.
        self._client = chromadb.PersistentClient(folder)
        self._embedder = ONNXMiniLM_L6_V2()

    def warm(self) -> None:
        self._embedder(["ready"])

    def ingest(self, rows: list[dict[str, str]]) -> None:
        self._collection = self._client.create_collection("texts", embedding_function=self._embedder)
        for start in range(0, len(rows), MOST):
            part = rows[start : start + MOST]
            self._collection.add(
                ids=[row["doc_id"] for row in part],
                documents=[f"{row['title']}\n\n{row['text']}" for row in part],
            )

    def load(self) -> None:
        self._collection = self._client.get_collection("texts", embedding_function=self._embedder)

    def query(self, question: str, k: int) -> list[str]:
        return list(self._collection.query(query_texts=[question], n_results=k)["ids"][0])
