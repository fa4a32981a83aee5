"""txtai with its hybrid index, the texts kept beside it."""

from __future__ import annotations

from pathlib import Path

from txtai import Embeddings


class Store:
    def __init__(self, folder: str, model: str) -> None:
        self._folder = str(Path(folder) / "index")
        self._store = Embeddings(path=model, hybrid=True, content=True, gpu=False)

    def warm(self) -> None:
        self._store.transform("ready")

    def ingest(self, rows: list[dict[str, str]]) -> None:
        self._store.index((row["doc_id"], f"{row['title']}\n\n{row['text']}", None) for row in rows)
        self._store.save(self._folder)

    def load(self) -> None:
        self._store.load(self._folder)

    def query(self, question: str, k: int) -> list[str]:
        return [found["id"] for found in self._store.search(question, k)]
