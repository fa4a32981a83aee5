"""Every fork of the graph, both ways, and the budget that ends the loop."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from langgraph.runtime import Runtime

from agent.budget import Spent
from agent.deps import Deps, build_deps
from agent.moves import new_query
from agent.routes import (
    after_critique,
    after_plan,
    after_recall,
    after_reformulate,
    after_retrieve,
    scope,
    stagnated,
    stop_of,
)
from agent.settings import Settings
from agent.state import Need, Query, State, merge_evidence
from retrieval.library import Library
from tools import read_call

QUESTION = "What is the rent?"


def query(text: str, move: str = "question") -> Query:
    return new_query(text, move)


def state(need: Need = "search", **changed: Any) -> State:
    from datetime import date

    question = "What is 12% of the monthly rent?" if "tool" in need else "租金是多少？"
    planned: State = {
        "standalone": QUESTION,
        "plan": {
            "need": need,
            "lang": "en",
            "answer_type": "number",
            "queries": ["a", "b"],
            "call": read_call(question, date(2026, 4, 1)),
            "sweep": None,
            "where": {},
        },
        "queries": [query("a"), query("b")],
        "tried": ["a", "b"],
        "evidence": [],
        "passed": False,
        "round": 0,
        "seen": 0,
    }
    planned.update(changed)  # type: ignore[typeddict-item]
    return planned


@pytest.fixture
def run(hashed: Library, settings: Settings) -> Runtime[Deps]:
    return Runtime(context=build_deps(settings, hashed, None, None))


def test_after_recall() -> None:
    assert after_recall({**state("search"), "ready": True}) == "settle"
    assert after_recall({**state("search"), "ready": False}) == "plan"


def test_after_plan() -> None:
    assert after_plan(state("conversation")) == "draft"
    assert after_plan(state("tool")) == "act"
    for need in ("search", "search_then_tool"):
        assert after_plan(state(need)) == "retrieve"


def test_after_retrieve() -> None:
    assert after_retrieve(state("search")) == "draft"
    assert after_retrieve(state("search_then_tool")) == "act"


def test_after_critique_settles_what_passed(run: Runtime[Deps]) -> None:
    assert after_critique(state(passed=True), run) == "settle"
    assert after_critique(state(), run) == "reformulate"


def test_where_nothing_is_to_be_said_of_whole_documents_they_are_searched(run: Runtime[Deps]) -> None:
    assert after_critique(state(tried=[]), run) == "retrieve"
    assert after_critique(state("sweep", tried=[]), run) == "settle"


@pytest.mark.parametrize("need", ["conversation", "tool"])
def test_searching_cannot_help_where_nothing_was_searched(run: Runtime[Deps], need: Need) -> None:
    assert after_critique(state(need), run) == "settle"


def test_search_then_tool_may_search_again(run: Runtime[Deps]) -> None:
    assert after_critique(state("search_then_tool"), run) == "reformulate"


def test_rounds_are_bounded(run: Runtime[Deps]) -> None:
    found = [{"number": 1}, {"number": 2}]
    assert run.context.settings.max_rounds == 2
    assert after_critique(state(round=1, evidence=found, seen=1), run) == "reformulate"
    assert after_critique(state(round=2, evidence=found, seen=1), run) == "settle"


def test_seconds_are_bounded(run: Runtime[Deps]) -> None:
    late: Spent = {"seconds": run.context.settings.timeout_s + 1, "tokens": 0}
    assert after_critique(state(), Runtime(context=replace(run.context, spent=lambda: late))) == "settle"


@pytest.mark.parametrize(
    ("changed", "spent", "stopped"),
    [
        ({}, {}, ""),
        ({"passed": True, "round": 9}, {"tokens": 9999}, ""),
        ({"round": 2, "evidence": [1, 2]}, {}, "rounds"),
        ({}, {"tokens": 4000}, "tokens"),
        ({}, {"tokens": 3999}, ""),
        ({}, {"seconds": 60.0}, "seconds"),
        ({"evidence": [1, 2, 3]}, {}, "passages"),
        ({"evidence": [1, 2, 3], "seen": 3, "round": 2}, {"seconds": 99.0}, "passages"),
        ({"evidence": [1], "seen": 1, "round": 2}, {}, "stagnated"),
    ],
)
def test_the_budget_that_is_spent_is_named(changed: dict[str, Any], spent: Any, stopped: str) -> None:
    limits = Settings(max_rounds=2, max_tokens=4000, timeout_s=60, max_passages=3)
    assert stop_of(state(**changed), limits, {"seconds": 0.0, "tokens": 0, **spent}) == stopped
    for need in ("conversation", "tool"):
        assert stop_of(state(need, **changed), limits, {"seconds": 99.0, "tokens": 9999}) == ""


def test_a_round_that_found_nothing_new_is_the_last(run: Runtime[Deps]) -> None:
    found = [{"number": 1}]
    assert after_critique(state(round=1, evidence=found, seen=1), run) == "settle"
    assert after_critique(state(round=1, evidence=found, seen=0), run) == "reformulate"
    assert stagnated(state(round=1, evidence=found, seen=1))
    assert not stagnated(state(round=0, evidence=[], seen=0)), "the first pass cannot stagnate"


def test_after_reformulate() -> None:
    assert after_reformulate(state(round=1, queries=[])) == "settle"
    assert after_reformulate(state(round=1, queries=[query("会费", "near")])) == "retrieve"


def test_only_the_first_round_keeps_to_what_the_question_names() -> None:
    named = state()
    named["plan"]["where"] = {"documents": [3, 4]}
    assert scope(named) == {"documents": [3, 4]}
    assert scope({**named, "round": 1}) == {}


def test_every_round_keeps_to_what_the_caller_asks_for() -> None:
    only = state(where={"formats": ["mail"]})
    only["plan"]["where"] = {"formats": ["mail"], "who": ["安娜"]}
    assert scope(only) == {"formats": ["mail"], "who": ["安娜"]}
    assert scope({**only, "round": 1}) == {"formats": ["mail"]}


@given(st.integers(0, 12), st.integers(0, 10), st.floats(0, 200), st.floats(0, 100))
@bounds(max_examples=60, deadline=None)
def test_budget(round_: int, max_rounds: int, gone_s: float, timeout_s: float) -> None:
    limits = Settings(max_rounds=max_rounds, timeout_s=timeout_s)
    stopped = stop_of(state(round=round_, seen=-1), limits, {"seconds": gone_s, "tokens": 10**9})
    assert stopped == ("rounds" if round_ >= max_rounds else "seconds" if gone_s >= timeout_s else "")


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), max_size=20), max_size=6),
    st.integers(1, 100),
    st.integers(1, 100),
)
def test_evidence_keeps_within_its_limit_and_its_numbers(
    found: list[list[tuple[int, float]]], limit: int, later: int
) -> None:
    held: list[Any] = []
    best: dict[int, float] = {}
    for n, pairs in enumerate(found):
        items: Any = [
            {
                "document_id": 1,
                "chunk_id": i,
                "start": 0,
                "text": str(i),
                "number": 0,
                "relevance": r,
                "link": r,
            }
            for i, r in pairs
        ]
        before, at_most = deepcopy(held), limit if n % 2 else later
        after = merge_evidence(held, {"items": items, "limit": at_most})
        assert held == before, "what was held is not changed in place"
        same = [{**item, "relevance": None, "link": None} for item in after[: len(before)]]
        assert same == [{**item, "relevance": None, "link": None} for item in before]
        assert all(item["link"] == item["relevance"] for item in after), "the link of the best find"
        assert len(after) <= max(len(before), at_most)
        held = after
        for i, r in pairs:
            if i in best or any(item["chunk_id"] == i for item in held):
                best[i] = max(best.get(i, 0.0), r)
    assert [item["number"] for item in held] == list(range(1, len(held) + 1))
    assert len({item["chunk_id"] for item in held}) == len(held)
    assert all(item["relevance"] == best[item["chunk_id"]] for item in held)
