"""Makes evidence of what was found or computed. It is numbered when it is merged into the state."""

from __future__ import annotations

from agent.state import Evidence, Span
from retrieval.search import Passage
from retrieval.store import StoredChunk
from tools import Call


def of_chunk(chunk: StoredChunk, query: str, score: float, cosine: float, round_: int) -> Evidence:
    """A chunk of a document as evidence, with the scores of the query that found it."""
    return {
        "number": 0,
        "kind": "passage",
        "chunk_id": chunk.id,
        "document_id": chunk.document_id or 0,
        "path": chunk.path,
        "title": chunk.title,
        "heading": chunk.heading,
        "page": chunk.page,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "score": round(score, 4),
        "cosine": round(cosine, 4),
        "query": query,
        "round": round_,
        "rests_on": [],
    }


def of_passage(passage: Passage, query: str, round_: int) -> Evidence:
    return of_chunk(passage.chunk, query, passage.score, passage.cosine or 0.0, round_)


def of_tool(call: Call, text: str, rests_on: list[Span], round_: int) -> Evidence:
    """A tool's sentence as evidence; `rests_on` is where its operands stand."""
    return {
        "number": 0,
        "kind": "tool",
        "chunk_id": 0,
        "document_id": 0,
        "path": call["tool"],
        "title": call["operation"],
        "heading": "",
        "page": None,
        "start": 0,
        "end": len(text),
        "text": text,
        "score": 1.0,
        "cosine": 0.0,
        "query": "",
        "round": round_,
        "rests_on": rests_on,
    }
