"""The path of a question, on one screen.

    START > recall > plan > retrieve > act > draft > critique > settle > remember > END
                                 ^                        |
                                 '----- reformulate <-----'

What was asked before and still holds, and what the user tells, goes recall > settle. A tool over the question
alone skips `retrieve`; a whole-document question goes plan > sweep > draft. With nothing new to search, a
higher rung of the ladder drafts at once: reformulate > draft.

Nodes are in `nodes.py`, forks in `routes.py`, the state in `state.py`. No logic here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from agent.deps import Deps
from agent.nodes import act, critique, draft, plan, recall, reformulate, remember, retrieve, settle, sweep
from agent.routes import (
    after_critique,
    after_plan,
    after_recall,
    after_reformulate,
    after_retrieve,
    after_sweep,
)
from agent.state import State


@cache
def build_graph() -> CompiledStateGraph[State, Deps, State, State]:
    """The compiled state machine, one for all. What it needs comes with each run, as `context=Deps(...)`."""
    graph: StateGraph[State, Deps, State, State] = StateGraph(State, context_schema=Deps)
    add: Any = graph.add_node
    add("recall", forked(recall, after_recall), destinations=("plan", "settle"))
    add("plan", forked(plan, after_plan), destinations=("retrieve", "act", "sweep", "draft"))
    add("retrieve", forked(retrieve, after_retrieve), destinations=("act", "draft"))
    add("act", act)
    add("sweep", forked(sweep, after_sweep), destinations=("retrieve", "draft"))
    add("draft", draft)
    add("critique", forked(critique, after_critique), destinations=("settle", "reformulate", "retrieve"))
    add("reformulate", forked(reformulate, after_reformulate), destinations=("retrieve", "draft", "settle"))
    add("settle", settle)
    add("remember", remember)

    graph.add_edge(START, "recall")
    graph.add_edge("act", "draft")
    graph.add_edge("draft", "critique")
    graph.add_edge("settle", "remember")
    graph.add_edge("remember", END)
    return graph.compile(name="toulmin")


def forked(node: Callable[..., dict[str, Any]], fork: Callable[..., Any]) -> Callable[..., Command[Any]]:
    """A node that also says what is next: a conditional edge would copy the whole state first.

    The fork reads what the node changed, as the node gave it: what is appended to is not merged yet.
    """

    @wraps(node)
    def run(state: State, runtime: Runtime[Deps]) -> Command[Any]:
        changed = node(state, runtime)
        now = {**state, **changed}
        # Only the way on from a critique depends on more than the state: on what is spent of the budget.
        goto = fork(now, runtime) if fork is after_critique else fork(now)
        return Command(update=changed, goto=goto)

    return run
