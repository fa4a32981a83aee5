"""The stream of events: typed as documented, plain JSON, and no unverified text in the place of the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from agent import Agent, Settings, events
from agent.events import Event, event_of
from agent.reasoners.scripted import ScriptedChat
from tests.sample import CONTRACT, FALSE, FEE, GOOD, drafted

KEYS = {get_args(get_type_hints(kind)["event"])[0]: set(get_type_hints(kind)) for kind in get_args(Event)}


@pytest.fixture
def reader(home: Path) -> Iterator[Agent]:
    with Agent(Settings(home=home, remember=False)) as agent:
        yield agent


def assert_sound(stream: list[Event]) -> None:
    """In order, with exactly the documented keys, and the same after JSON."""
    assert json.loads(json.dumps(stream, ensure_ascii=False)) == stream
    assert all(set(event) == KEYS[event["event"]] for event in stream)
    names = [event["event"] for event in stream]
    assert (names[0], names[-3:]) == ("started", ["settle", "remember", "settled"])
    assert names.count("settled") == names.count("started") == names.count("settle") == 1
    seconds = [event["seconds"] for event in stream]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize(
    "question",
    [CONTRACT, FEE, "Who painted the Mona Lisa?", "水星的沸点是多少？", "What is 12% of 3,400?", "5除以0等于多少？",
     "How many days from the contract date to 1 June 2026?", "hello", "你好"],
)  # fmt: skip
def test_every_run_tells_sound_events(reader: Agent, question: str) -> None:
    stream = list(reader.stream(question))
    assert_sound(stream)
    settle, last = stream[-3], stream[-1]
    assert settle["event"] == "settle" and last["event"] == "settled"
    assert (settle["outcome"], settle["stopped"]) == (last["answer"]["outcome"], last["answer"]["stopped"])


@pytest.mark.parametrize(("question", "good"), GOOD)
def test_what_is_not_verified_is_never_the_answer(home: Path, question: str, good: str) -> None:
    bad = FALSE[question]
    chat = ScriptedChat(replies=[drafted(good, bad)])
    with Agent(Settings(home=home, remember=False, max_rounds=0), chat_model=chat) as agent:
        stream = list(agent.stream(question))
    assert_sound(stream)
    told = {event["event"] for event in stream if bad in json.dumps(event, ensure_ascii=False)}
    assert told == {"draft", "critique"}
    last = stream[-1]
    assert last["event"] == "settled" and last["answer"]["answer"] == good


def test_every_node_has_its_event(reader: Agent) -> None:
    nodes = {name for name in reader.graph.get_graph().nodes if not name.startswith("__")}
    assert nodes == set(KEYS) - {"started", "settled"} == set(events._TELL)
    assert event_of("remember", {}, 1.23456) == {"event": "remember", "seconds": 1.235}
