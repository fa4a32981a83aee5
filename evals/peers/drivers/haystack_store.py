"""Haystack as its tutorial on hybrid retrieval does it, with the store in memory, saved as JSON."""

from __future__ import annotations

from pathlib import Path

from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.utils import ComponentDevice
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)

CPU = ComponentDevice.from_str("cpu")


class Store:
    def __init__(self, folder: str, model: str) -> None:
        self._file = str(Path(folder) / "store.json")
        self._model = model
        self._store = InMemoryDocumentStore()

    def warm(self) -> None:
        self._embedder = SentenceTransformersDocumentEmbedder(
            model=self._model, device=CPU, progress_bar=False
        )
        self._embedder.warm_up()
        self._embedder.run([Document(content="ready")])

    def ingest(self, rows: list[dict[str, str]]) -> None:
        adding = Pipeline()
        adding.add_component("split", DocumentSplitter())
        adding.add_component("embed", self._embedder)
        adding.add_component("write", DocumentWriter(self._store))
        adding.connect("split", "embed")
        adding.connect("embed", "write")
        documents = [
            Document(content=f"{row['title']}\n\n{row['text']}", meta={"doc_id": row["doc_id"]})
            for row in rows
        ]
        adding.run({"split": {"documents": documents}})
        self._store.save_to_disk(self._file)

    def load(self) -> None:
        store = InMemoryDocumentStore.load_from_disk(self._file)
        self._search = Pipeline()
        self._search.add_component(
            "embed", SentenceTransformersTextEmbedder(model=self._model, device=CPU, progress_bar=False)
        )
        self._search.add_component("meaning", InMemoryEmbeddingRetriever(store))
        self._search.add_component("words", InMemoryBM25Retriever(store))
        self._search.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
        self._search.connect("embed.embedding", "meaning.query_embedding")
        self._search.connect("meaning", "join")
        self._search.connect("words", "join")

    def query(self, question: str, k: int) -> list[str]:
        asked = {
            "embed": {"text": question},
            "meaning": {"top_k": k},
            "words": {"query": question, "top_k": k},
            "join": {"top_k": k},
        }
        return [found.meta["doc_id"] for found in self._search.run(asked)["join"]["documents"]]
