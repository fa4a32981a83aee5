"""The peers, with what is installed of each: the one place that names versions."""

from __future__ import annotations

from dataclasses import dataclass

TORCH = ("torch==2.13.0", "sentence-transformers==6.2.0")


@dataclass(frozen=True)
class Peer:
    """One way to search, and the file in `drivers` that speaks for it."""

    name: str
    driver: str
    packages: tuple[str, ...]
    """With exact versions; the first one is the peer itself. What these bring along is pip's choice."""
    licence: str
    how: str
    """How it is set up, for the page."""


OURS = Peer(
    "Toulmin", "toulmin", (), "Apache-2.0", "`Agent.search`; MiniLM in ONNX Runtime and BM25 in SQLite"
)
PEERS = (
    Peer(
        "LangChain",
        "langchain_store",
        ("langchain-core==1.7.2", "langchain-huggingface==1.2.3", "langchain-text-splitters==1.1.3", *TORCH),
        "MIT",
        "`RecursiveCharacterTextSplitter(1000, 100)`, `HuggingFaceEmbeddings`, `InMemoryVectorStore`",
    ),
    Peer(
        "LlamaIndex",
        "llama_index_store",
        ("llama-index-core==0.14.25", "llama-index-embeddings-huggingface==0.8.0", *TORCH),
        "MIT",
        "`SentenceSplitter` to the 256 tokens that the embedder reads, `VectorStoreIndex` in its own store",
    ),
    Peer(
        "Haystack",
        "haystack_store",
        ("haystack-ai==3.4.0", "sentence-transformers-haystack==2.0.0", *TORCH),
        "Apache-2.0",
        "`DocumentSplitter` as it comes, BM25 and embeddings in memory, reciprocal rank fusion",
    ),
    Peer(
        "txtai",
        "txtai_store",
        ("txtai==9.14.0", *TORCH),
        "Apache-2.0",
        "`Embeddings(hybrid=True)`: Faiss and BM25; texts whole, as it splits nothing by itself",
    ),
    Peer(
        "Chroma",
        "chroma_store",
        ("chromadb==1.5.9",),
        "Apache-2.0",
        "`PersistentClient`, `ONNXMiniLM_L6_V2` kept open (its default opens it in each call); texts whole",
    ),
    Peer(
        "BM25s",
        "bm25s_store",
        ("bm25s==0.3.16",),
        "MIT",
        "BM25 alone with the tokenizer and stop words that it comes with; texts whole",
    ),
)
