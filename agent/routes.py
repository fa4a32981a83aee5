"""Where the graph goes next: pure functions of the state, one for each fork.

They decide from the plan, the verdicts and the budget; they change nothing.
"""

from __future__ import annotations

from typing import Literal

from langgraph.runtime import Runtime

from agent.budget import Spent
from agent.deps import Deps
from agent.settings import Settings
from agent.state import Plan, State, Stop
from retrieval.filters import Filter

HARD = ("explanation", "summary")  # answers that are written rather than quoted


def after_recall(state: State) -> Literal["plan", "settle"]:
    """What was asked before and still holds needs no plan, nor does what the user tells."""
    return "settle" if state["ready"] else "plan"


def after_plan(state: State) -> Literal["draft", "act", "sweep", "retrieve"]:
    """A conversation needs no evidence, a bare computation only its tool, a sweep no search."""
    need = state["plan"]["need"]
    if need == "conversation":
        return "draft"
    if need == "sweep":
        return "sweep"
    return "act" if need == "tool" else "retrieve"


def after_sweep(state: State) -> Literal["draft", "retrieve"]:
    """A document in which nothing answers is searched as for any question."""
    return "draft" if state["plan"]["need"] == "sweep" else "retrieve"


def after_retrieve(state: State) -> Literal["act", "draft"]:
    return "act" if state["plan"]["call"] else "draft"


def after_critique(state: State, runtime: Runtime[Deps]) -> Literal["settle", "reformulate", "retrieve"]:
    """Settle when it passed, when nothing can help, or when a budget is spent.

    Nothing to be said of whole documents: they are searched as for any question.
    """
    deps = runtime.context
    if state["plan"]["need"] == "search" and not state.get("tried"):
        return "retrieve"
    if state["passed"] or not improvable(state, len(deps.rungs)):
        return "settle"
    stop = stop_of(state, deps.settings, deps.spent(), len(deps.rungs))
    return "settle" if stop else "reformulate"


def after_reformulate(state: State) -> Literal["draft", "settle", "retrieve"]:
    """Search again with the new queries; without any, a higher rung drafts from what there is, if any."""
    if state["queries"]:
        return "retrieve"
    return "draft" if state.get("climbed") else "settle"


def first_rung(plan: Plan, rungs: int) -> int:
    """The rung that a run begins on: the second, where there is one, for what the first seldom does well.

    That is an explanation, a summary, and a question that takes several searches.
    """
    hard = plan["sweep"] is not None and plan["sweep"]["kind"] == "summary"
    if plan["need"] == "search":
        hard = plan["answer_type"] in HARD or len(plan["queries"]) > 1
    return next_rung(0, rungs) if hard else 0


def next_rung(rung: int, rungs: int) -> int:
    """The rung after a draft that did not pass: one higher, up to the last."""
    return rung + 1 if rung + 1 < rungs else rung


def stagnated(state: State) -> bool:
    """Whether the last round's searches brought nothing new."""
    return state["round"] > 0 and len(state["evidence"]) == state["seen"]


def searchable(state: State) -> bool:
    """Whether searching can help at all."""
    return state["plan"]["need"] in ("search", "search_then_tool")


def improvable(state: State, rungs: int) -> bool:
    """Whether another round can help at all: by searching, or by a higher rung that reads whole documents."""
    return searchable(state) or (bool(state["plan"]["sweep"]) and _is_left(state, rungs))


def stop_of(state: State, settings: Settings, spent: Spent, rungs: int = 1) -> Stop:
    """Why no further round may begin; "" when one may, or when none is needed.

    What cannot change any more comes first, so that a later look gives the same reason. `rungs`: of the
    ladder; where a higher one is left, it drafts from what was found when nothing new is.
    """
    if state["passed"] or not improvable(state, rungs):
        return ""
    if len(state["evidence"]) >= settings.max_passages:
        return "passages"
    if stagnated(state) and not _is_left(state, rungs):
        return "stagnated"
    if state["round"] >= settings.max_rounds:
        return "rounds"
    if 0 < settings.max_tokens <= spent["tokens"]:
        return "tokens"
    return "seconds" if spent["seconds"] >= settings.timeout_s else ""


def _is_left(state: State, rungs: int) -> bool:
    """Whether a higher rung is left."""
    rung = state.get("rung", 0)
    return next_rung(rung, rungs) > rung


def scope(state: State) -> Filter:
    """What is searched: in the first round only what the question's words restrict it to, if they do."""
    return state["plan"]["where"] if state["round"] == 0 else state.get("where", {})
