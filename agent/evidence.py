"""Makes evidence of what was found or computed, and looks up what it stands in.

It is numbered when it is merged into the state.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.reasoners.features import Asked
from agent.relevance import features, relevance
from agent.state import Evidence, Query, Span, State
from retrieval.filters import Filter, covers
from retrieval.search import Passage
from retrieval.store import Document, Store, StoredChunk
from tools import Call


def of_chunk(
    chunk: StoredChunk, query: str, score: float, cosine: float, round_: int, relevance: float = 1.0
) -> Evidence:
    """A chunk of a document as evidence, with the scores of the query that found it."""
    item: Evidence = {
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
        "relevance": relevance,
        "link": None,
        "round": round_,
        "rests_on": [],
    }
    if chunk.format:
        item["format"] = chunk.format
    if chunk.who:
        item["who"] = list(chunk.who)
    if chunk.when:
        item["when"] = chunk.when
    return item


def of_passages(
    asked: Asked, query: Query, passages: Sequence[Passage], round_: int, rarity: float
) -> list[Evidence]:
    """What one query found, best first, with how likely each is needed; `rarity` of the query's name."""
    found = []
    for rank, passage in enumerate(passages):
        item = of_chunk(passage.chunk, query["text"], passage.score, passage.cosine or 0.0, round_)
        item["relevance"] = round(relevance(features(asked, item, query, rank, rarity)), 4)
        item["link"] = query["link"]
        found.append(item)
    return found


def of_part(
    document: Document, source: str, span: tuple[int, int], heading: str, page: int | None
) -> Evidence:
    """A part of a document that is read from end to end; it belongs to no chunk."""
    return {
        "number": 0,
        "kind": "passage",
        "chunk_id": 0,
        "document_id": document.id,
        "path": document.path,
        "title": document.title,
        "heading": heading,
        "page": page,
        "start": span[0],
        "end": span[1],
        "text": source[span[0] : span[1]],
        "score": 1.0,
        "cosine": 0.0,
        "query": "",
        "relevance": 1.0,
        "link": None,
        "round": 0,
        "rests_on": [],
    }


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
        "relevance": 1.0,
        "link": None,
        "round": round_,
        "rests_on": rests_on,
    }


def shown_evidence(state: State) -> list[Evidence]:
    """The evidence that the draft was given, in the order of its numbers."""
    shown = set(state.get("shown", []))
    return [item for item in state.get("evidence", []) if item["number"] in shown]


def sources_of(evidence: Sequence[Evidence], store: Store) -> dict[int, str]:
    """The source texts that the evidence names, as they are in the library now."""
    return store.source_texts({item["document_id"] for item in evidence if item["kind"] == "passage"})


def meant_evidence(state: State) -> list[Evidence]:
    """What was found, at first only of what the question's words restrict the search to, if they do."""
    where: Filter = state["plan"]["where"] if state["round"] == 0 else {}
    return [item for item in state.get("evidence", []) if item["kind"] == "tool" or meets(item, where)]


def meets(item: Evidence, where: Filter) -> bool:
    """Whether a passage passes a filter, as far as the passage itself tells."""
    if where.get("documents") and item["document_id"] not in where["documents"]:
        return False
    if where.get("who") and not set(item.get("who", [])) & set(where["who"]):
        return False
    if where.get("formats") and item.get("format", "") not in where["formats"]:
        return False
    return not item.get("when") or covers(where, item["when"])
