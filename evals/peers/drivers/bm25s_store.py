"""BM25s with its own tokenizer and stop words, which are made for English."""

from __future__ import annotations

from pathlib import Path

import bm25s


class Store:
    def __init__(self, folder: str, model: str) -> None:
        self._folder = str(Path(folder) / "index")

    def warm(self) -> None:
        bm25s.tokenize(["ready"], show_progress=False)

    def ingest(self, rows: list[dict[str, str]]) -> None:
        texts = [f"{row['title']}\n\n{row['text']}" for row in rows]
        store = bm25s.BM25()
        store.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
        corpus = [{"id": row["doc_id"], "text": text} for row, text in zip(rows, texts, strict=True)]
        store.save(self._folder, corpus=corpus)

    def load(self) -> None:
        self._store = bm25s.BM25.load(self._folder, load_corpus=True)

    def query(self, question: str, k: int) -> list[str]:
        words = bm25s.tokenize([question], show_progress=False)
        found, _ = self._store.retrieve(words, k=min(k, len(self._store.corpus)), show_progress=False)
        return [row["id"] for row in found[0]]
