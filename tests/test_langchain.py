"""LangChain's faces of a library: its own standard suites, then what they do not ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests, VectorStoreIntegrationTests
from langchain_tests.integration_tests.embeddings import EmbeddingsIntegrationTests

from retrieval.embed import EmbedderError, HashEmbedder
from retrieval.langchain import LangChainEmbedder, ToulminEmbeddings, ToulminRetriever, ToulminVectorStore
from retrieval.library import Library
from tests.conftest import SAMPLE


class TestVectorStoreOfLangChainEmbeddings(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:  # type: ignore[override]
        store = ToulminVectorStore.open(tmp_path / "library", self.get_embeddings())
        yield store
        store.close()


class TestVectorStoreOfOurEmbedder(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, hashed: Library) -> VectorStore:  # type: ignore[override]
        return ToulminVectorStore(hashed)

    @staticmethod
    def get_embeddings() -> Embeddings:
        return ToulminEmbeddings(HashEmbedder())


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def filled(self, hashed: Library) -> None:
        hashed.add([SAMPLE])
        self.library = hashed

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return ToulminRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"library": self.library}

    @property
    def retriever_query_example(self) -> str:
        return "contract"


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return ToulminEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"embedder": HashEmbedder()}


@pytest.fixture
def store(hashed: Library) -> ToulminVectorStore:
    filled = ToulminVectorStore(hashed)
    filled.add_texts(
        ["the rent is due in May", "the rent is due in June", "两周开一次会", "a comet"],
        [{"n": 1}, {"n": 2, "deep": {"list": [1, None]}}, {"n": 3, "语言": "中文"}, {}],
        ids=["a", "b", "会", "d"],
    )
    return filled


def ids(documents: list[Document]) -> list[str | None]:
    return [document.id for document in documents]


def test_scores_filters_and_metadata(store: ToulminVectorStore) -> None:
    ranked = store.similarity_search_with_score("rent due in June", k=2)
    assert ids([document for document, _ in ranked]) == ["b", "a"]
    assert 1.0001 > ranked[0][1] > ranked[1][1] > 0
    assert ranked[0][0].metadata == {"n": 2, "deep": {"list": [1, None]}}
    assert ids(store.similarity_search("两周开几次会？", k=1)) == ["会"]
    assert ids(store.similarity_search("rent due in June", filter={"n": 1})) == ["a"]
    assert ids(store.similarity_search("rent", k=9, filter=lambda d: d.metadata.get("n", 0) > 1)) == [
        "b",
        "会",
    ]
    assert store.similarity_search("rent", filter={"n": None}) == []
    assert store.similarity_search("rent", k=0) == []
    ((_, relevance),) = store.similarity_search_with_relevance_scores("a comet", k=1)
    assert relevance == pytest.approx(1)


def test_by_vector_and_diverse(store: ToulminVectorStore) -> None:
    vector = [5 * x for x in store.embeddings.embed_query("rent due in June")]
    assert ids(store.similarity_search_by_vector(vector, k=1)) == ["b"]
    assert ids(store.max_marginal_relevance_search("rent due in June", k=2, lambda_mult=1)) == ["b", "a"]
    diverse = store.max_marginal_relevance_search_by_vector(vector, k=2, lambda_mult=0)
    assert ids(diverse)[0] == "b" and ids(diverse)[1] != "a"
    assert store.max_marginal_relevance_search("—", k=2) == []  # no token, no direction
    retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 2})
    assert len(asyncio.run(retriever.ainvoke("rent"))) == 2


def test_kept_on_disk_for_the_embedder_it_was_made_with(tmp_path: Path) -> None:
    fake = DeterministicFakeEmbedding(size=6)
    store = ToulminVectorStore.from_texts(
        ["foo", "bar"], fake, [{"n": 1}, {}], ids=["1", "2"], folder=tmp_path
    )
    store.close()
    with pytest.raises(ValueError, match="folder"):
        ToulminVectorStore.from_texts(["foo"], fake)
    again = ToulminVectorStore.open(tmp_path, fake)
    assert again.similarity_search("foo", k=1) == [Document(id="1", page_content="foo", metadata={"n": 1})]
    again.close()
    other = ToulminVectorStore.open(tmp_path, ToulminEmbeddings(HashEmbedder()))
    with pytest.raises(EmbedderError, match="DeterministicFakeEmbedding"):
        other.similarity_search("foo")
    other.close()


def test_all_or_none(store: ToulminVectorStore) -> None:
    with pytest.raises(TypeError):
        store.add_texts(["new", "newer"], [{}, {"set": {1}}], ids=["new", "newer"])
    assert store.get_by_ids(["new"]) == []
    with pytest.raises(ValueError, match="2 documents and 1 ids"):
        store.add_documents([Document("x"), Document("y")], ids=["x"])


def test_files_and_texts_in_one_library(store: ToulminVectorStore) -> None:
    library = store.library
    library.add([SAMPLE])
    found = store.similarity_search("contract", k=3, filter=lambda document: "page" in document.metadata)
    assert len(found) == 3 and all(one.metadata["path"].startswith(str(SAMPLE)) for one in found)
    assert store.get_by_ids([found[0].id or "", "chunk:0", "chunk:x"]) == [found[0]]
    for document in ToulminRetriever(library=library, k=8).invoke("rent contract"):
        if document.id in ("a", "b"):
            assert document.metadata["n"] and document.metadata["path"] == f"text:{document.id}"
        source = library.store.source(library.store.document_id(document.metadata["path"]) or 0)
        assert source is not None
        assert source.text[document.metadata["start"] : document.metadata["end"]] == document.page_content
    store.delete()
    assert {document.format for document in library.documents()} != {"text"} and len(library.documents()) == 4
    assert store.get_by_ids(["a"]) == []


def test_search_by_words_without_an_embedder(store: ToulminVectorStore, tmp_path: Path) -> None:
    def missing() -> HashEmbedder:
        raise EmbedderError("none here")

    with Library(store.library.folder, missing) as library:
        assert ToulminRetriever(library=library, k=1).invoke("comet")[0].page_content == "a comet"


def test_embedders_both_ways() -> None:
    hashed = HashEmbedder()
    there_and_back = LangChainEmbedder(ToulminEmbeddings(hashed))
    texts = ["signed in May", "", "两周开一次会", "\ud800"]
    assert np.allclose(there_and_back.embed(texts[:3]), hashed.embed(texts[:3]), atol=1e-6)
    assert np.allclose(there_and_back.embed_queries(texts), there_and_back.embed(texts))
    assert there_and_back.dim == 256 and there_and_back.model_id == "langchain:ToulminEmbeddings"
