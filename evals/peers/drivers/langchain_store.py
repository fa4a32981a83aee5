"""LangChain as its tutorial on retrieval does it; the store is kept in memory and dumped as JSON."""

from __future__ import annotations

from pathlib import Path

from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter


class Store:
    def __init__(self, folder: str, model: str) -> None:
        self._file = str(Path(folder) / "store.json")
        self._embeddings = HuggingFaceEmbeddings(model_name=model, model_kwargs={"device": "cpu"})
        self._store = InMemoryVectorStore(self._embeddings)

    def warm(self) -> None:
        self._embeddings.embed_query("ready")

    def ingest(self, rows: list[dict[str, str]]) -> None:
        documents = [
            Document(f"{row['title']}\n\n{row['text']}", metadata={"doc_id": row["doc_id"]}) for row in rows
        ]
        splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=100)
        self._store.add_documents(splitter.split_documents(documents))
        self._store.dump(self._file)

    def load(self) -> None:
        self._store = InMemoryVectorStore.load(self._file, self._embeddings)

    def query(self, question: str, k: int) -> list[str]:
        return [found.metadata["doc_id"] for found in self._store.similarity_search(question, k=k)]
