"""Recorded runs: everything about one question, kept and shown again as a tree.

It records and renders; it does not re-run anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.answer import Answer
from agent.budget import Spent
from agent.events import first_and_more
from agent.filters import said
from agent.models.names import shown_name
from agent.state import State
from retrieval.store import UNFINISHED, Store

SHOWN_CHARS = 100  # of a passage or a claim in the tree


def record(store: Store, answer: Answer, state: State, events: Sequence[Any]) -> None:
    """Keep a run: the plan, queries, scores, evidence, drafts, verdicts, timings and tokens."""
    payload = {
        **answer.to_json(),
        "question": answer.question,
        "standalone": state["standalone"],
        "where": state.get("where", {}),
        "plan": state["plan"],
        "draft": state["best"],
        "memory": state.get("episodes", []),
        "events": list(events),
    }
    store.put_run(answer.run_id, state["thread"], answer.question, answer.outcome, payload)


def record_unfinished(store: Store, state: State, model: str, events: Sequence[Any], spent: Spent) -> None:
    """Keep how far a run has come, so that it can be resumed and shown."""
    payload = {
        "question": state["question"],
        "where": state.get("where", {}),
        "started_s": state["started_s"],
        "outcome": UNFINISHED,
        "answer": "",
        "claims": [],
        "missing": [],
        "model": model,
        "rounds": state.get("round", 0),
        "evidence": state.get("evidence", []),
        "events": list(events),
        **spent,
    }
    store.put_run(state["run_id"], state["thread"], state["question"], UNFINISHED, payload)


Node = tuple[str, list[Any]]  # a line and the nodes below it


def tree(run: dict[str, Any]) -> Node:
    """A recorded run as a tree of plain lines, one branch per step."""
    payload = run["payload"]
    steps: list[Node] = [_step(event, payload) for event in payload["events"]]
    if run["outcome"] == UNFINISHED:
        steps.append((f"unfinished: agent ask --resume {run['id']}", []))
    else:
        steps.append((f"answer: {payload['answer']}", [_claim(claim) for claim in payload["claims"]]))
    if "budget" in payload:
        steps.append((_budget(payload), []))
    head = f"run {run['id']}: {run['question']}  ->  {run['outcome']}"
    tail = f"{payload['seconds']:.2f} s, {payload['rounds']} rounds, {payload['model']}"
    tokens = f", {payload['tokens']} tokens" if payload["tokens"] else ""
    return (f"{head} ({tail}{tokens})", steps)


def _budget(payload: dict[str, Any]) -> str:
    """What was used of each budget, and which one ended the loop."""
    parts = []
    for name, use in payload["budget"].items():
        limit = f" of {use['limit']:,.6g}" if use["limit"] or name != "tokens" else ""
        parts.append(f"{round(use['used'], 1):,.10g}{limit} {'s' if name == 'seconds' else name}")
    stopped = payload["stopped"]
    return f"budget: {', '.join(parts)}" + (f"; stopped: {stopped}" if stopped else "")


def _step(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    tell = _TELL.get(event["event"])
    line, below = tell(event, payload) if tell else ("", [])
    return (f"{event['event']} {line}".rstrip() + f"  [{event['seconds']:.2f} s]", below)


def _recall(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    seen = f" ({event['episodes']} like it before)" if event["episodes"] else ""
    return (f"{event['standalone']!r}{seen}", [])


def _plan(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    tool = f", tool {event['tool']}" if event["tool"] else ""
    only = f", only {said(event['where'])}" if event.get("where") else ""
    return (f"{event['need']}, expects {event['answer_type']}{tool}{only}", [])


def _retrieve(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    queries = event["queries"]
    found = [item for item in payload["evidence"] if item["query"] in queries]
    return (
        f"{first_and_more(queries)}: {event['hits']} passages, {len(found)} shown",
        [_item(i) for i in found],
    )


def _item(item: dict[str, Any]) -> Node:
    place = " > ".join(part for part in (item["title"], item["heading"]) if part)
    text = " ".join(item["text"].split())[:SHOWN_CHARS]
    return (f"[{item['number']}] {item['score']:.2f} {place}: {text}", [])


def _act(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    return (event["result"] or f"failed: {event['failure']}", [])


def _sweep(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    return (f"{event['parts']} parts of whole documents, {event['quoted']} quotations", [])


def _draft(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    by = f" by {shown_name(event['model'])}" if event.get("model") else ""
    return (f"{len(event['claims'])} claims{by}", [(text[:SHOWN_CHARS], []) for text in event["claims"]])


def _critique(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    passed = "passed" if event["passed"] else "not passed"
    below: list[Node] = [
        (f"{v['verdict']}: {v['text'][:SHOWN_CHARS]} ({v['reason']})", []) for v in event["verdicts"]
    ]
    return (f"{passed}, answers the question with probability {event['sufficiency']:.2f}", below)


def _reformulate(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    return (f"round {event['round']}", [(f"{q['move']}: {q['text']}", []) for q in event["queries"]])


def _settle(event: dict[str, Any], payload: dict[str, Any]) -> Node:
    missing = ", ".join(payload["missing"][:8])
    return (f"{event['outcome']}" + (f"; nowhere in what is cited: {missing}" if missing else ""), [])


def _claim(claim: dict[str, Any]) -> Node:
    below: list[Node] = []
    for c in claim["citations"]:
        place = f"{c['path']}:{c['line']}" if c["line"] else c["path"]
        page = f" p. {c['page']}" if c["page"] else ""
        below.append(
            (f"{place}{page} [{c['start']}:{c['end']}] {' '.join(c['quote'].split())[:SHOWN_CHARS]}", [])
        )
    return (f"{claim['verdict']}: {claim['text']}", below)


_TELL = {
    "recall": _recall,
    "plan": _plan,
    "retrieve": _retrieve,
    "act": _act,
    "sweep": _sweep,
    "draft": _draft,
    "critique": _critique,
    "reformulate": _reformulate,
    "settle": _settle,
}
