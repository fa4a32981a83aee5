"""Answers that need no search: the user's own words given again, and the noting of what he tells.

What is known, and whether it answers, is for `agent.memory`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.reasoners.language import language_of
from agent.state import Check, Claim, Draft, Evidence, Plan, Told
from agent.statements import noted, quoted
from retrieval.records import Record

USER = "memory:"  # begins the path of evidence that is the user's own words; the record's id follows


def acknowledged(said: Told, message: str) -> dict[str, Any]:
    """The changes to the state by which what was told is acknowledged."""
    text = noted(said["text"] or message, language_of(message))
    return _ready(_claim(text, [], []), [], {**_plan(message), "need": "conversation"})


def in_own_words(question: str, record: Record) -> dict[str, Any]:
    """The changes to the state by which the user's own words answer a question."""
    words = record.payload.get("words", record.payload["said"]) if record.payload.get("said") else record.text
    day = datetime.fromtimestamp(record.created_s).date().isoformat()
    item: Evidence = {
        "number": 0,
        "kind": "said",
        "chunk_id": 0,
        "document_id": 0,
        "path": f"{USER}{record.id}",
        "title": "you said",
        "heading": day,
        "page": None,
        "start": 0,
        "end": len(words),
        "text": words,
        "score": 1.0,
        "cosine": 0.0,
        "query": question,
        "relevance": 1.0,
        "link": None,
        "round": 0,
        "rests_on": [],
    }
    check: Check = {"layer": "memory", "verdict": "supported", "reason": f"the user's own words of {day}"}
    claim = _claim(quoted(words, record.created_s, language_of(question)), [1], [check])
    return {**_ready(claim, [item], _plan(question)), "standalone": question}


def _claim(text: str, evidence: list[int], checks: list[Check]) -> Claim:
    return {
        "text": text,
        "evidence": evidence,
        "spans": [],
        "citations": [],
        "verdict": "supported",
        "score": 1.0,
        "checks": checks,
    }


def _plan(message: str) -> Plan:
    return {
        "need": "search",
        "lang": language_of(message),
        "answer_type": "other",
        "queries": [],
        "call": None,
        "sweep": None,
        "where": {},
    }


def _ready(claim: Claim, items: list[Evidence], plan: Plan) -> dict[str, Any]:
    best: Draft = {"claims": [claim], "sufficiency": 1.0, "missing": [], "round": 0, "model": "memory"}
    return {
        "ready": True,
        "plan": plan,
        "evidence": {"items": items, "limit": len(items)},
        "shown": list(range(1, len(items) + 1)),
        "draft": best,
        "best": best,
        "passed": True,
    }
