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

from functools import cache
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

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
    nodes: tuple[Any, ...] = (
        recall, plan, retrieve, act, sweep, draft, critique, reformulate, settle, remember,
    )  # fmt: skip
    for node in nodes:
        graph.add_node(node.__name__, node)

    graph.add_edge(START, "recall")
    graph.add_conditional_edges("recall", after_recall, ["plan", "settle"])
    graph.add_conditional_edges("plan", after_plan, ["retrieve", "act", "sweep", "draft"])
    graph.add_conditional_edges("retrieve", after_retrieve, ["act", "draft"])
    graph.add_conditional_edges("sweep", after_sweep, ["retrieve", "draft"])
    graph.add_edge("act", "draft")
    graph.add_edge("draft", "critique")
    graph.add_conditional_edges("critique", after_critique, ["settle", "reformulate", "retrieve"])
    graph.add_conditional_edges("reformulate", after_reformulate, ["retrieve", "draft", "settle"])
    graph.add_edge("settle", "remember")
    graph.add_edge("remember", END)
    return graph.compile(name="toulmin")
