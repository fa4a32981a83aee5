"""The events of a run: what `Agent.stream` yields, JSON-serialisable, in order.

One event per finished node, `{"event": NODE, "seconds": ...}` and the keys below, then one `settled`. Text in
a `draft` event is unverified; only the `settled` event holds the answer.

    recall      standalone (the question on its own feet), episodes
    plan        need, answer_type, queries, tool
    retrieve    query, round, hits
    act         result (a sentence), failure
    draft       claims (unverified texts)
    critique    verdicts (text, verdict, reason), sufficiency, passed
    reformulate round, queries
    settle      outcome
    remember    -
    settled     answer (as `Answer.to_json`)
"""

from __future__ import annotations

from typing import Any

from agent.state import Check

Event = dict[str, Any]


def event_of(node: str, changed: dict[str, Any], seconds: float) -> Event:
    """The event that tells of what a node changed; `seconds` since the run began."""
    tell = _TELL.get(node)
    return {"event": node, "seconds": round(seconds, 3), **(tell(changed) if tell else {})}


def reason_of(checks: list[Check]) -> str:
    """The reason of the layer that decided a claim: the worst verdict's, else the last one's."""
    order = ("unverified", "unsupported", "undecided", "supported")
    if not checks:
        return ""
    worst = min(checks, key=lambda check: order.index(check["verdict"]))
    return f"{worst['layer']}: {worst['reason']}"


def _recall(changed: dict[str, Any]) -> Event:
    return {"standalone": changed["standalone"], "episodes": len(changed["episodes"])}


def _plan(changed: dict[str, Any]) -> Event:
    plan = changed["plan"]
    call = plan["call"]
    tool = f"{call['tool']}: {call['operation']}" if call else ""
    return {
        "need": plan["need"],
        "answer_type": plan["answer_type"],
        "queries": plan["queries"],
        "tool": tool,
    }


def _retrieve(changed: dict[str, Any]) -> Event:
    found = changed["evidence"]
    return {"queries": changed["tried"], "round": found[0]["round"] if found else 0, "hits": len(found)}


def _act(changed: dict[str, Any]) -> Event:
    results = changed.get("evidence", [])
    return {"result": results[0]["text"] if results else "", "failure": changed.get("tool_failure", "")}


def _draft(changed: dict[str, Any]) -> Event:
    return {"claims": [claim["text"] for claim in changed["draft"]["claims"]]}


def _critique(changed: dict[str, Any]) -> Event:
    draft = changed["draft"]
    verdicts = [
        {"text": claim["text"], "verdict": claim["verdict"], "reason": reason_of(claim["checks"])}
        for claim in draft["claims"]
    ]
    return {"verdicts": verdicts, "sufficiency": round(draft["sufficiency"], 3), "passed": changed["passed"]}


def _reformulate(changed: dict[str, Any]) -> Event:
    queries = [{"text": query["text"], "move": query["move"]} for query in changed["queries"]]
    return {"round": changed["round"], "queries": queries}


def _settle(changed: dict[str, Any]) -> Event:
    return {"outcome": changed["outcome"]}


_TELL = {
    "recall": _recall,
    "plan": _plan,
    "retrieve": _retrieve,
    "act": _act,
    "draft": _draft,
    "critique": _critique,
    "reformulate": _reformulate,
    "settle": _settle,
}
