"""The events of a run: one typed stream that the command line, the chat and embedders share.

Order: `started`; one event per finished node; `settled`, the last. A run that is stopped goes straight on to
`settle`; one that is resumed goes on with the node it was cut short in. Every event can be written as JSON.
`seconds` count from when the run began, the time before it was cut short included.

Only `settled` holds the answer. The texts of `draft` and `critique` are what a model wrote and may be wrong:
to be shown as work in progress at most, never as the answer. Queries are a model's words too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict

from agent.state import AnswerType, Check, Need, Outcome, Stop, Verdict
from retrieval.filters import Filter


class Started(TypedDict):
    """The run has an id; nothing has been done yet."""

    event: Literal["started"]
    seconds: float
    run_id: str
    question: str
    thread: str
    resumable: bool  # it could be resumed if it were killed from now on
    resumed: bool


class Recalled(TypedDict):
    event: Literal["recall"]
    seconds: float
    standalone: str  # the question on its own feet
    episodes: int  # how many earlier questions asked the same


class Planned(TypedDict):
    event: Literal["plan"]
    seconds: float
    need: Need
    answer_type: AnswerType
    queries: list[str]
    tool: str  # "tool: operation", or ""
    where: Filter  # what the first round is restricted to, by the caller and by the question's words


class Retrieved(TypedDict):
    event: Literal["retrieve"]
    seconds: float
    queries: list[str]
    round: int
    hits: int  # passages found, those that were known already among them


class Acted(TypedDict):
    event: Literal["act"]
    seconds: float
    result: str  # a sentence, or "" where the tool could not run
    failure: str


class Swept(TypedDict):
    event: Literal["sweep"]
    seconds: float
    parts: int  # of the documents, read from end to end
    quoted: int  # quotations found in them; none: they are searched


class Drafted(TypedDict):
    """Unverified."""

    event: Literal["draft"]
    seconds: float
    model: str  # the rung of the ladder that wrote it
    claims: list[str]


class Judged(TypedDict):
    text: str
    verdict: Verdict
    reason: str


class Critiqued(TypedDict):
    """The verdicts on the draft: what is not `supported` will not be part of the answer."""

    event: Literal["critique"]
    seconds: float
    verdicts: list[Judged]
    sufficiency: float  # probability that the draft answers the question, [0, 1]
    passed: bool


class Proposed(TypedDict):
    text: str
    move: str  # what proposed it: a name of `agent.moves.MOVES`, or "model"


class Reformulated(TypedDict):
    event: Literal["reformulate"]
    seconds: float
    round: int  # from 1
    queries: list[Proposed]


class Settled(TypedDict):
    """The outcome is known; the answer comes with `settled`, once it is remembered."""

    event: Literal["settle"]
    seconds: float
    outcome: Outcome
    stopped: Stop


class Remembered(TypedDict):
    event: Literal["remember"]
    seconds: float


class Answered(TypedDict):
    """The end of the stream, and the answer."""

    event: Literal["settled"]
    seconds: float
    answer: dict[str, Any]  # as `Answer.to_json`


NodeEvent = (
    Recalled | Planned | Retrieved | Acted | Swept | Drafted | Critiqued | Reformulated | Settled | Remembered
)
Event = Started | NodeEvent | Answered


def event_of(node: str, changed: dict[str, Any], seconds: float) -> NodeEvent:
    """The event that tells of what a node changed; `seconds` since the run began."""
    return _TELL[node](changed, round(seconds, 3))


def first_and_more(texts: Sequence[str]) -> str:
    """The first of some queries and how many there are beside it."""
    return (texts[0] if texts else "") + (f" (and {len(texts) - 1} more)" if len(texts) > 1 else "")


def reason_of(checks: list[Check]) -> str:
    """The reason of the layer that decided a claim: the worst verdict's, else the last one's."""
    order = ("unverified", "unsupported", "undecided", "supported")
    if not checks:
        return ""
    worst = min(checks, key=lambda check: order.index(check["verdict"]))
    return f"{worst['layer']}: {worst['reason']}"


def _recall(changed: dict[str, Any], seconds: float) -> Recalled:
    return {
        "event": "recall",
        "seconds": seconds,
        "standalone": changed["standalone"],
        "episodes": len(changed["episodes"]),
    }


def _plan(changed: dict[str, Any], seconds: float) -> Planned:
    plan = changed["plan"]
    call = plan["call"]
    return {
        "event": "plan",
        "seconds": seconds,
        "need": plan["need"],
        "answer_type": plan["answer_type"],
        "queries": plan["queries"],
        "tool": f"{call['tool']}: {call['operation']}" if call else "",
        "where": plan["where"],
    }


def _retrieve(changed: dict[str, Any], seconds: float) -> Retrieved:
    found = changed["evidence"]["items"]
    return {
        "event": "retrieve",
        "seconds": seconds,
        "queries": changed["tried"],
        "round": found[0]["round"] if found else 0,
        "hits": len(found),
    }


def _act(changed: dict[str, Any], seconds: float) -> Acted:
    results = changed["evidence"]["items"] if "evidence" in changed else []
    return {
        "event": "act",
        "seconds": seconds,
        "result": results[0]["text"] if results else "",
        "failure": changed.get("tool_failure", ""),
    }


def _sweep(changed: dict[str, Any], seconds: float) -> Swept:
    parts = len(changed["evidence"]["items"]) if "evidence" in changed else 0
    return {"event": "sweep", "seconds": seconds, "parts": parts, "quoted": len(changed["quoted"])}


def _draft(changed: dict[str, Any], seconds: float) -> Drafted:
    return {
        "event": "draft",
        "seconds": seconds,
        "model": changed["draft"]["model"],
        "claims": [claim["text"] for claim in changed["draft"]["claims"]],
    }


def _critique(changed: dict[str, Any], seconds: float) -> Critiqued:
    draft = changed["draft"]
    return {
        "event": "critique",
        "seconds": seconds,
        "verdicts": [
            {"text": claim["text"], "verdict": claim["verdict"], "reason": reason_of(claim["checks"])}
            for claim in draft["claims"]
        ],
        "sufficiency": round(draft["sufficiency"], 3),
        "passed": changed["passed"],
    }


def _reformulate(changed: dict[str, Any], seconds: float) -> Reformulated:
    return {
        "event": "reformulate",
        "seconds": seconds,
        "round": changed["round"],
        "queries": [{"text": query["text"], "move": query["move"]} for query in changed["queries"]],
    }


def _settle(changed: dict[str, Any], seconds: float) -> Settled:
    return {
        "event": "settle",
        "seconds": seconds,
        "outcome": changed["outcome"],
        "stopped": changed["stopped"],
    }


def _remember(changed: dict[str, Any], seconds: float) -> Remembered:
    return {"event": "remember", "seconds": seconds}


_TELL: dict[str, Callable[[dict[str, Any], float], NodeEvent]] = {
    "recall": _recall,
    "plan": _plan,
    "retrieve": _retrieve,
    "act": _act,
    "sweep": _sweep,
    "draft": _draft,
    "critique": _critique,
    "reformulate": _reformulate,
    "settle": _settle,
    "remember": _remember,
}
