"""Short- and mid-term memory of a run: turns of the thread, and episodes found by their question.

Rules: an episode is found by its question and never by its answer; what it contributes is its spans, after
they are checked against the current source. An assistant's sentence is never evidence. It does not decay,
promote or forget yet.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

from agent.evidence import of_chunk
from agent.state import Evidence, State, Turn
from retrieval.library import Library
from retrieval.store import Record
from retrieval.tokens import query_terms

WINDOW_TURNS = 6  # turns of the thread that a follow-up may lean on
EPISODES = 3  # earlier questions looked at
SAME_QUESTION = 0.8  # Jaccard overlap of the terms of two questions that ask the same
SAME_COSINE = 0.95  # or this cosine between them


def turns(memory: Library | None, thread: str) -> list[Turn]:
    """The latest turns of a thread, oldest first."""
    if memory is None or not thread:
        return []
    return [
        {
            "question": record.text,
            "standalone": record.payload["standalone"],
            "answer": record.payload["answer"],
            "outcome": record.payload["outcome"],
        }
        for record in memory.store.turns(thread, WINDOW_TURNS)
    ]


def recent_documents(memory: Library | None, thread: str) -> list[int]:
    """Ids of the documents that answers of the thread cited, the latest first."""
    if memory is None or not thread:
        return []
    found: dict[int, None] = {}
    for record in reversed(memory.store.turns(thread, WINDOW_TURNS)):
        run = memory.store.run(record.payload["run_id"])
        for claim in run["payload"]["claims"] if run else []:
            for citation in claim["citations"]:
                document_id = memory.store.document_id(citation["path"])
                if document_id:
                    found.setdefault(document_id)
    return list(found)


def episodes(memory: Library | None, question: str) -> list[Record]:
    """Earlier verified questions that asked the same, likeliest first."""
    if memory is None or not memory.store.chunk_count("mid"):
        return []
    wanted = set(query_terms(question))
    found = []
    for passage in memory.search(question, EPISODES, tier="mid"):
        known = set(query_terms(passage.chunk.text))
        overlap = len(wanted & known) / max(len(wanted | known), 1)
        record = memory.store.record(passage.chunk.record_id or "")
        if record and (overlap >= SAME_QUESTION or (passage.cosine or 0.0) >= SAME_COSINE):
            found.append(record)
    return found


def evidence_of(found: Sequence[Record], library: Library) -> list[Evidence]:
    """The passages around the spans that episodes rest on; none where a source has changed since."""
    evidence: list[Evidence] = []
    for record in found:
        for pointer in record.payload["spans"]:
            document_id = library.store.document_id(pointer["path"])
            source = library.store.source(document_id) if document_id else None
            start, end = pointer["start"], pointer["end"]
            if not document_id or source is None or source.text[start:end] != pointer["quote"]:
                continue
            for chunk in library.store.chunks(library.store.chunks_over(document_id, start, end)):
                scores = pointer["score"], pointer["cosine"]
                evidence.append(of_chunk(chunk, record.text, *scores, round_=0))
    return evidence


def write(memory: Library | None, state: State) -> None:
    """Write the turn, and the episode when the answer was verified on passages."""
    if memory is None:
        return
    now_s = time.time()
    if state["thread"]:
        memory.put_record(_turn(state, now_s))
    for episode_id in state["episodes"] if state["outcome"] == "verified" else []:
        memory.store.use_record(episode_id, now_s)
    spans = _spans(state)
    if state["outcome"] == "verified" and spans and not state["episodes"]:
        memory.put_record(_episode(state, spans, now_s))


def _turn(state: State, now_s: float) -> Record:
    payload = {
        "standalone": state["standalone"],
        "answer": state["answer"],
        "outcome": state["outcome"],
        "run_id": state["run_id"],
    }
    return Record(
        _id(state, "turn"), "short", "turn", state["thread"], state["question"], payload, now_s, now_s, 0
    )


def _episode(state: State, spans: list[dict[str, Any]], now_s: float) -> Record:
    payload = {
        "answer": state["answer"],
        "spans": spans,
        "queries": state["tried"],
        "run_id": state["run_id"],
    }
    return Record(
        _id(state, "episode"),
        "mid",
        "episode",
        state["thread"],
        state["standalone"],
        payload,
        now_s,
        now_s,
        0,
    )


def _id(state: State, kind: str) -> str:
    """The same for the same run, so that one that is resumed writes nothing twice."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{state['run_id']} {kind}").hex


def _spans(state: State) -> list[dict[str, Any]]:
    """Pointers to what the answer cites, with the scores that found it."""
    items = {item["number"]: item for item in state.get("evidence", [])}
    return [
        {
            "path": citation["path"],
            "start": citation["start"],
            "end": citation["end"],
            "quote": citation["quote"],
            "score": items[citation["evidence"]]["score"],
            "cosine": items[citation["evidence"]]["cosine"],
        }
        for claim in state["claims"]
        for citation in claim["citations"]
    ]
