"""LlamaIndex with its vector index and its own store, persisted to a folder."""

from __future__ import annotations

from llama_index.core import (
    Document,
    Settings,
    StorageContext,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.node_parser import SentenceSplitter
from llama_index.embeddings.huggingface import HuggingFaceEmbedding

TOKENS = 256  # what the embedder reads; the default of 1024 would leave most of a passage unread


class Store:
    def __init__(self, folder: str, model: str) -> None:
        self._folder = folder
        Settings.embed_model = HuggingFaceEmbedding(model_name=model, device="cpu")
        Settings.llm = None

    def warm(self) -> None:
        Settings.embed_model.get_query_embedding("ready")

    def ingest(self, rows: list[dict[str, str]]) -> None:
        # The title is part of the text, as for all others, so what is told beside it stays out of the vector.
        documents = [
            Document(
                text=f"{row['title']}\n\n{row['text']}",
                metadata={"doc_id": row["doc_id"]},
                excluded_embed_metadata_keys=["doc_id"],
            )
            for row in rows
        ]
        splitter = SentenceSplitter(chunk_size=TOKENS, chunk_overlap=20)
        self._index = VectorStoreIndex.from_documents(documents, transformations=[splitter])
        self._index.storage_context.persist(self._folder)

    def load(self) -> None:
        self._index = load_index_from_storage(StorageContext.from_defaults(persist_dir=self._folder))

    def query(self, question: str, k: int) -> list[str]:
        found = self._index.as_retriever(similarity_top_k=k).retrieve(question)
        return [one.node.metadata["doc_id"] for one in found]
