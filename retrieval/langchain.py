"""LangChain's faces of a library: `ToulminVectorStore`, `ToulminRetriever` and `ToulminEmbeddings`.

Texts added through the vector store are documents of the library: `agent ask` finds them too, and the vector
store finds the files that `agent add` read. Nothing is pickled; metadata is JSON. Their async methods are
LangChain's own, which run these in a thread. It does not split texts: give it pieces that the embedder can
read whole.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from pydantic import ConfigDict, Field

from retrieval.embed import Embedder
from retrieval.library import Library, printable
from retrieval.store import StoredChunk
from retrieval.texts import Text

if TYPE_CHECKING:
    from retrieval.embed import Vectors

CHUNK_PREFIX = "chunk:"  # of the ids of passages of files

Filter = dict[str, Any] | Callable[[Document], bool]
"""Which documents to search: metadata that must be equal, or a test of a document."""


class LangChainEmbedder:
    """Any LangChain `Embeddings` as an embedder of ours. Making it embeds a word, to learn its length."""

    def __init__(self, embeddings: Embeddings, model_id: str = "") -> None:
        """`model_id`: by default made of the class and of its `model` or `model_name`, where it has one."""
        self.embeddings = embeddings
        name = getattr(embeddings, "model", None) or getattr(embeddings, "model_name", None)
        self.model_id = model_id or ":".join(["langchain", type(embeddings).__name__, str(name or "")]).strip(
            ":"
        )
        self.name = ""
        self.prompts = ("", "")
        self.dim = len(embeddings.embed_query("dimension"))

    def embed(self, texts: Sequence[str]) -> Vectors:
        return _unit(self.embeddings.embed_documents(list(texts)), self.dim)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return _unit([self.embeddings.embed_query(text) for text in texts], self.dim)

    def coverage(self, text: str) -> float:
        return 1.0

    def is_word(self, word: str) -> bool:
        return False


class ToulminEmbeddings(Embeddings):
    """An embedder of ours as LangChain `Embeddings`; a text that it is blind to gets zeros."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [row.tolist() for row in self.embedder.embed([printable(text) for text in texts])]

    def embed_query(self, text: str) -> list[float]:
        return [float(x) for x in self.embedder.embed_queries([printable(text)])[0]]


def as_embeddings(embedding: Embeddings | Embedder) -> Embeddings:
    return embedding if isinstance(embedding, Embeddings) else ToulminEmbeddings(embedding)


def open_library(folder: Path | str, embedding: Embeddings | Embedder) -> Library:
    """A library whose embedder is LangChain's or one of ours."""
    return Library(Path(folder), lambda: _as_embedder(embedding))


def _as_embedder(embedding: Embeddings | Embedder) -> Embedder:
    if isinstance(embedding, ToulminEmbeddings):
        return embedding.embedder
    return LangChainEmbedder(embedding) if isinstance(embedding, Embeddings) else embedding


class ToulminVectorStore(VectorStore):
    """The texts and files of a library, by vector. Scores are cosines: higher is better.

    Every search takes `filter`, a `Filter`. Raises `EmbedderError` for a library of another embedder.
    """

    def __init__(self, library: Library) -> None:
        self.library = library

    @classmethod
    def open(cls, folder: Path | str, embedding: Embeddings | Embedder) -> ToulminVectorStore:
        """The library in a folder, made where there is none."""
        return cls(open_library(folder, embedding))

    def close(self) -> None:
        """Write the index file and close the library."""
        self.library.save_index()
        self.library.close()

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> ToulminVectorStore:
        """Add texts to the library in `folder`, which is required."""
        folder = kwargs.pop("folder", None)
        if folder is None:
            raise ValueError("from_texts needs folder=..., where the library is kept")
        store = cls.open(folder, embedding)
        store.add_texts(texts, metadatas, ids=ids, **kwargs)
        return store

    @property
    def embeddings(self) -> Embeddings:
        embedder = self.library.embedder()
        return embedder.embeddings if isinstance(embedder, LangChainEmbedder) else ToulminEmbeddings(embedder)

    def add_documents(
        self, documents: list[Document], ids: list[str] | None = None, **kwargs: Any
    ) -> list[str]:
        """Add documents, all or none; those with the id of another take its place. Their ids."""
        if ids is not None and len(ids) != len(documents):
            raise ValueError(f"there are {len(documents)} documents and {len(ids)} ids")
        given = ids if ids is not None else [document.id for document in documents]
        names = [name or str(uuid.uuid4()) for name in given]
        texts = [printable(document.page_content) for document in documents]
        vectors = self.library.embedder().embed(texts)
        rows = zip(names, texts, documents, vectors, strict=True)
        self.library.store.put_texts(
            [(Text(n, t, d.metadata), v.tobytes() if v.any() else None) for n, t, d, v in rows]
        )
        return names

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Texts by their ids, and passages of files by those that a search gave them."""
        found = {text.id: _from_text(text) for text in self.library.store.texts(ids)}
        numbers = [name.removeprefix(CHUNK_PREFIX) for name in ids if name.startswith(CHUNK_PREFIX)]
        chunks = self.library.store.chunks([int(n) for n in numbers if n.isascii() and n.isdigit()])
        found.update({f"{CHUNK_PREFIX}{chunk.id}": from_chunk(chunk) for chunk in chunks})
        return [found[name] for name in ids if name in found]

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete texts by id, or all texts. Files stay: `Library.remove` removes those."""
        self.library.store.remove_texts(ids)
        return True

    def similarity_search(
        self, query: str, k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[Document]:
        return [document for document, _ in self.similarity_search_with_score(query, k, filter)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The nearest documents with their cosines, best first."""
        return [(document, score) for document, score, _ in self._near(self._query(query), k, filter)]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[Document]:
        return [document for document, _, _ in self._near(self._vector(embedding), k, filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        return self._diverse(self._query(query), k, fetch_k, lambda_mult, filter)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        return self._diverse(self._vector(embedding), k, fetch_k, lambda_mult, filter)

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: min(max(cosine, 0.0), 1.0)

    def _query(self, query: str) -> Any:
        return self.library.embedder().embed_queries([printable(query)])[0]

    def _vector(self, embedding: list[float]) -> Any:
        return _unit([embedding], self.library.embedder().dim)[0]

    def _diverse(
        self, vector: Any, k: int, fetch_k: int, lambda_mult: float, filter: Filter | None
    ) -> list[Document]:
        near = self._near(vector, fetch_k, filter)
        stored = self.library.store.vectors_of([chunk_id for _, _, chunk_id in near])
        kept = [(document, stored[chunk_id]) for document, _, chunk_id in near if chunk_id in stored]
        rows: list[Any] = [np.frombuffer(row, dtype=np.float32) for _, row in kept]
        chosen = maximal_marginal_relevance(vector, rows, lambda_mult, k) if rows else []
        return [kept[n][0] for n in chosen]

    def _near(self, vector: Any, k: int, filter: Filter | None) -> list[tuple[Document, float, int]]:
        """Documents with their cosines and their chunk ids, best first."""
        within = None if filter is None else self._passing(filter)
        if within == [] or k < 1:
            return []
        scores = dict(self.library.nearest(vector, k, within))
        chunks = self.library.store.chunks(list(scores))
        documents = self._documents(chunks)
        return [
            (document, scores[chunk.id], chunk.id) for chunk, document in zip(chunks, documents, strict=True)
        ]

    def _documents(self, chunks: Sequence[StoredChunk]) -> list[Document]:
        """What the chunks are of: the text as its owner gave it, or the passage of a file."""
        texts = self.library.store.texts_of(list({chunk.document_id or 0 for chunk in chunks}))
        return [
            _from_text(texts[chunk.document_id or 0]) if chunk.document_id in texts else from_chunk(chunk)
            for chunk in chunks
        ]

    def _passing(self, filter: Filter) -> list[int]:
        """The chunks whose documents pass a filter. It reads them all."""
        store = self.library.store
        chunks = store.chunks(
            store.selected({"documents": [one for one, _, _ in store.document_names().rows]})
        )
        documents = self._documents(chunks)
        return [
            chunk.id for chunk, document in zip(chunks, documents, strict=True) if _passes(document, filter)
        ]


def _passes(document: Document, filter: Filter) -> bool:
    if callable(filter):
        return filter(document)
    return all(key in document.metadata and document.metadata[key] == value for key, value in filter.items())


class ToulminRetriever(BaseRetriever):
    """Hybrid search of a library: words and meaning, near-duplicates left out, best first.

    The metadata of each document: `path`, `title`, `start`, `end`, `page`, `heading` and `score`, where
    `start` and `end` are characters of the source text; for a text of the vector store its own as well.
    `invoke(query, k=3)` asks for another number of documents. Without an embedder it searches words.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    library: Library
    k: int = Field(default=5, ge=1)

    @classmethod
    def open(cls, folder: Path | str, embedding: Embeddings | Embedder, k: int = 5) -> ToulminRetriever:
        """The library in a folder."""
        return cls(library=open_library(folder, embedding), k=k)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None, **kwargs: Any
    ) -> list[Document]:
        passages = self.library.search(query, k or self.k)
        documents = [from_chunk(passage.chunk, score=passage.score) for passage in passages]
        ids = [passage.chunk.document_id or 0 for passage in passages]
        texts = self.library.store.texts_of(ids)
        for document, document_id in zip(documents, ids, strict=True):
            if document_id in texts:
                document.id = texts[document_id].id
                document.metadata = {**document.metadata, **texts[document_id].metadata}
        return documents


def from_chunk(chunk: StoredChunk, **more: Any) -> Document:
    """A passage of a file as LangChain has it."""
    metadata = {
        "path": chunk.path,
        "title": chunk.title,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "heading": chunk.heading,
        **more,
    }
    return Document(id=f"{CHUNK_PREFIX}{chunk.id}", page_content=chunk.text, metadata=metadata)


def _from_text(text: Text) -> Document:
    return Document(id=text.id, page_content=text.text, metadata=text.metadata)


def _unit(rows: Sequence[Sequence[float]], dim: int) -> Vectors:
    """Rows of unit length; one of zeros stays as it is."""
    vectors = np.asarray(rows, dtype=np.float32).reshape(-1, dim)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, norms, out=vectors, where=norms > 0)
    return vectors
