"""A recorded run holds everything about its question and reads as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, Settings
from agent.runs import Node, tree


@pytest.fixture(scope="module")
def agent(home: Path) -> Iterator[Agent]:
    with Agent(Settings(home=home)) as opened:
        yield opened


def events_of(run: Any, kind: str) -> list[Any]:
    return [event for event in run["payload"]["events"] if event["event"] == kind]


def lines(node: Node) -> list[str]:
    return [node[0], *(line for below in node[1] for line in lines(below))]


@pytest.mark.parametrize(
    ("question", "steps", "told"),
    [
        (
            "When was the contract signed?",
            ["recall", "plan", "retrieve", "draft", "critique", "settle", "remember", "answer:", "budget:"],
            ["expects date", "1 March 2026", "supported:", "lease.txt:3", "passed", "verified"],
        ),
        (
            "会费每人每年多少钱？",
            ["recall", "plan", "retrieve", "draft", "critique", "settle", "remember", "answer:", "budget:"],
            ["expects number", "120元", "supported:", "meeting.zh.md:21", "verified"],
        ),
        (
            "What is 12% of 3,400?",
            ["recall", "plan", "act", "draft", "critique", "settle", "remember", "answer:", "budget:"],
            ["tool calculator", "408"],
        ),
        (
            "5除以0等于多少？",
            ["recall", "plan", "act", "draft", "critique", "settle", "remember", "answer:", "budget:"],
            ["failed: division by zero", "abstained"],
        ),
        (
            "你好",
            ["recall", "plan", "draft", "critique", "settle", "remember", "answer:", "budget:"],
            ["conversation"],
        ),
    ],
)
def test_tree_shows_every_step(agent: Agent, question: str, steps: list[str], told: list[str]) -> None:
    answer = agent.ask(question, thread=question)
    run = agent.library.store.run(answer.run_id)
    assert run is not None and run["question"] == question and run["thread"] == question
    assert run["outcome"] == answer.outcome
    head, below = tree(run)
    assert answer.run_id in head and question in head
    assert [line.split()[0] for line, _ in below] == steps
    text = "\n".join(lines((head, below)))
    assert all(word in text for word in told)


@pytest.mark.parametrize(
    ("question", "missing"), [("Who painted the Mona Lisa?", "Mona"), ("读书会的沸点是多少？", "沸点")]
)
def test_tree_of_a_run_with_several_rounds(agent: Agent, question: str, missing: str) -> None:
    answer = agent.ask(question)
    run = agent.library.store.run(answer.run_id[:6])
    assert run is not None
    told = lines(tree(run))
    text = "\n".join(told)
    assert "reformulate round 1" in text and missing.lower() in text.lower()
    proposed = [query for event in events_of(run, "reformulate") for query in event["queries"]]
    assert proposed and all(f"{query['move']}: {query['text']}" in told for query in proposed)
    assert list(answer.queries) == list(dict.fromkeys([question, *(query["text"] for query in proposed)]))
    searches = [event["queries"] for event in events_of(run, "retrieve")]
    assert all(any(line.startswith(f"retrieve {queries[0]}") for line in told) for queries in searches)
    assert all(f"[{item['number']}]" in text for item in answer.evidence)


def test_run_keeps_what_is_needed_to_tell_why(agent: Agent) -> None:
    answer = agent.ask("Who ground the lens of the refractor?")
    run = agent.library.store.run(answer.run_id)
    assert run is not None
    payload = run["payload"]
    assert payload["plan"]["answer_type"] == "person"
    assert payload["standalone"] == payload["question"] == answer.question
    assert [claim["verdict"] for claim in payload["draft"]["claims"]] == ["supported"]
    assert payload["draft"]["claims"][0]["checks"][0]["layer"] == "quote"
    assert payload["queries"] == list(answer.queries)
    assert len(payload["evidence"]) == len(answer.evidence) > 0
    assert [event["event"] for event in payload["events"]][-1] == "remember"


def test_latest_run_comes_first(agent: Agent) -> None:
    ids = [agent.ask(question).run_id for question in ("What is 1 + 1?", "一加二等于多少？")]
    assert [run["id"] for run in agent.library.store.runs(2)] == ids[::-1]
    latest = agent.library.store.run()
    assert latest is not None and latest["id"] == ids[-1]
    assert agent.library.store.run("no such run") is None
