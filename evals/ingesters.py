"""Ways to make a folder of Markdown searchable, each for a process of its own that prints what it took.

`ours` is `Agent.add`. `theirs` is what a tutorial does: LangChain's recursive splitter, the same weights
through sentence-transformers and torch, and an exact FAISS index, all of it kept in memory only. Imports are
inside the functions, as they are measured. Both have loaded their model before the time begins.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHUNK_CHARS = 1000
OVERLAP_CHARS = 100


def ours(folder: str, home: str) -> None:
    """Add a folder to a new library. Its tokens are those of the texts that were embedded."""
    from dataclasses import replace

    from agent.assistant import Agent
    from agent.settings import read_settings

    with Agent(replace(read_settings(), home=Path(home))) as assistant:
        assistant.library.warm_up()
        megabytes, started = _memory("VmRSS"), _clock()
        report = assistant.add(folder)
        seconds, peak = _clock(started), _memory("VmHWM")
        texts = _embedded(assistant.settings.library_folder / "library.sqlite")
        told = {"chunks": report.chunks, "embedded": report.embedded, "files": len(report.indexed)}
        _tell(seconds, megabytes, peak, texts, told)


def theirs(folder: str) -> None:
    """Split, embed and index a folder in memory."""
    import faiss
    from sentence_transformers import SentenceTransformer

    from retrieval.embed import minilm_folder

    name, split = splitter()
    model = SentenceTransformer(str(minilm_folder()), device="cpu")
    model.encode(["ready"])
    megabytes, started = _memory("VmRSS"), _clock()
    files = sorted(Path(folder).rglob("*.md"))
    texts = [text for file in files for text in split(file.read_text(encoding="utf-8"))]
    vectors = model.encode(texts, normalize_embeddings=True)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    seconds, peak = _clock(started), _memory("VmHWM")
    told = {"chunks": index.ntotal, "embedded": len(texts), "files": len(files), "splitter": name}
    _tell(seconds, megabytes, peak, texts, told)


def splitter() -> tuple[str, Callable[[str], list[str]]]:
    """LangChain's splitter where it is installed, else cuts at fixed lengths, which cost nothing at all."""
    from importlib import import_module

    try:
        langchain: Any = import_module("langchain_text_splitters")
    except ImportError:
        return "fixed length", fixed_length
    made = langchain.RecursiveCharacterTextSplitter(chunk_size=CHUNK_CHARS, chunk_overlap=OVERLAP_CHARS)
    return "RecursiveCharacterTextSplitter", made.split_text


def fixed_length(text: str) -> list[str]:
    """Pieces of `CHUNK_CHARS`, each of which begins with the last `OVERLAP_CHARS` of the one before."""
    step = CHUNK_CHARS - OVERLAP_CHARS
    return [text[at : at + CHUNK_CHARS] for at in range(0, max(1, len(text) - OVERLAP_CHARS), step)]


def _embedded(file: Path) -> list[str]:
    """The texts that have a vector, each once."""
    import sqlite3
    from contextlib import closing

    from retrieval.chunks import embedded_text

    with closing(sqlite3.connect(file)) as db:
        rows = db.execute(
            "SELECT d.title, c.heading, c.text FROM chunks c JOIN documents d ON d.id = c.document_id"
            " JOIN vectors v ON v.chunk_id = c.id GROUP BY c.embedded"
        )
        return [embedded_text(*row) for row in rows]


def _tell(
    seconds: tuple[float, float], megabytes: float, peak: float, texts: Iterable[str], told: dict[str, Any]
) -> None:
    from tokenizers import Tokenizer

    from retrieval.embed import MINILM_TOKENS, minilm_folder

    tokenizer = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MINILM_TOKENS)
    tokens = sum(len(row.ids) for row in tokenizer.encode_batch(list(texts)))
    wall, processor = seconds
    measured = {
        "seconds": wall,
        "processor seconds": processor,
        "tokens": tokens,
        "MB when ready": megabytes,
        "peak MB": peak,
    }
    print(json.dumps({**measured, **told}))


def _clock(since: tuple[float, float] = (0.0, 0.0)) -> tuple[float, float]:
    """Seconds, and seconds of processor time of all threads, since a moment told by this function."""
    return time.perf_counter() - since[0], time.process_time() - since[1]


def _memory(name: str) -> float:
    """Megabytes of this process: "VmRSS" now, "VmHWM" at most."""
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) / 1e3
