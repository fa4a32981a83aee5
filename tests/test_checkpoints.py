"""Our checkpointer gives the same answers as LangGraph's own one in memory, and keeps no code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from agent.checkpoints import Checkpoints
from agent.state import append
from retrieval.store import UNFINISHED, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "library.sqlite")
    yield opened
    opened.close()


class Words(TypedDict, total=False):
    words: Annotated[list[str], append]
    turn: int


def fan(state: Words) -> list[Send]:
    return [Send("say", {"word": word}) for word in ("一", "two")]


def say(asked: dict[str, str]) -> dict[str, Any]:
    return {"words": [asked["word"]]}


def end(state: Words) -> dict[str, Any]:
    if state.get("turn", 0) == 0:
        raise RuntimeError("cut short")
    return {"words": ["end"]}


def graph(saver: Any) -> Any:
    built: Any = StateGraph(Words)
    built.add_node("say", say)
    built.add_node("end", end)
    built.add_conditional_edges(START, fan, ["say"])
    built.add_edge("say", "end")
    built.add_edge("end", END)
    return built.compile(checkpointer=saver)


def told(saver: Any, config: Any, **asked: Any) -> list[Any]:
    """What a saver lists, without what differs from run to run."""
    return [
        (
            {k: v for k, v in one.checkpoint["channel_values"].items() if not k.startswith("branch")},
            one.metadata["step"],
            one.metadata["source"],
            one.parent_config is None,
            sorted((channel, str(value)) for _, channel, value in one.pending_writes or []),
        )
        for one in saver.list(config, **asked)
    ]


def test_the_same_as_in_memory(store: Store) -> None:
    answers = []
    for saver in (Checkpoints(store), InMemorySaver()):
        one, two = ({"configurable": {"thread_id": name}} for name in ("one", "two"))
        made = graph(saver)
        for config in (one, two):
            with pytest.raises(RuntimeError, match="cut short"):
                made.invoke({"words": ["零"]}, config, durability="sync")
        made.update_state(one, {"turn": 1}, as_node="say")
        assert made.invoke(None, one, durability="sync")["words"][-1] == "end"
        every = list(saver.list(one))
        old = every[-1].config
        answers.append(
            [
                told(saver, one),
                told(saver, two),
                told(saver, None),
                told(saver, one, limit=2),
                told(saver, one, before=every[1].config),
                told(saver, one, filter={"source": "input"}),
                told(saver, old),
                saver.get_tuple(old).metadata["step"],
                saver.get_tuple(one).config == every[0].config,
                saver.get_tuple({"configurable": {"thread_id": "none"}}),
                made.get_state(two).next,
                made.get_state(one).values,
            ]
        )
        saver.delete_thread("one")
        assert saver.get_tuple(one) is None and saver.get_tuple(two) is not None
    assert answers[0] == answers[1]


def test_writes_are_kept_once_and_in_order(store: Store) -> None:
    answers = []
    for saver in (Checkpoints(store), InMemorySaver()):
        at = saver.put(
            {"configurable": {"thread_id": "t", "checkpoint_ns": ""}},
            {"v": 1, "id": "1", "ts": "", "channel_values": {"a": {"数": [1.5, None]}}, "channel_versions": {"a": 1},
             "versions_seen": {}, "updated_channels": None},
            {"source": "loop", "step": 0, "parents": {}},
            {"a": 1},
        )  # fmt: skip
        saver.put_writes(at, [("a", 1), ("a", "二")], "task2", "~2")
        saver.put_writes(at, [("a", b"3"), ("__error__", "first")], "task1", "~3")
        saver.put_writes(at, [("a", "ignored"), ("__error__", "second")], "task1", "~3")
        found = saver.get_tuple(at)
        assert found is not None
        answers.append((found.checkpoint["channel_values"], sorted(map(str, found.pending_writes or []))))
    assert answers[0] == answers[1]


def test_without_every_write_a_run_that_was_cut_short_goes_on(store: Store) -> None:
    """Only what tells of an error or an interrupt is written beside the checkpoints."""
    saver = Checkpoints(store, every_write=False)
    made, config = graph(saver), {"configurable": {"thread_id": "t"}}
    with pytest.raises(RuntimeError, match="cut short"):
        made.invoke({"words": ["零"]}, config, durability="async")
    kept = [channel for one in saver.list(config) for _, channel, _ in one.pending_writes or []]
    assert all(channel.startswith("__") for channel in kept)
    made.update_state(config, {"turn": 1}, as_node="say")
    assert made.invoke(None, config, durability="async")["words"] == ["零", "一", "two", "end"]


class Foreign:
    """What no checkpoint may bring back to life."""


def test_nothing_is_pickled_and_no_class_comes_back(store: Store) -> None:
    saver = Checkpoints(store)
    with pytest.raises(TypeError):
        saver.serde.dumps_typed(Foreign())
    with pytest.raises(
        NotImplementedError
    ):  # how the serializer refuses a form it does not read, pickle here
        saver.serde.loads_typed(("pickle", b"cos\nsystem\n"))


def test_a_finished_run_has_no_checkpoints_and_an_old_one_is_forgotten(store: Store) -> None:
    for name in ("one", "two"):
        store.put_run(name, "", "q", UNFINISHED, {})
        store.put_checkpoint((name, "", "1", None, "null", b"", "null", b""))
        store.put_checkpoint_writes([(name, "", "1", "task", 0, "", "a", "null", b"")])
    store.put_run("one", "", "q", "verified", {})
    assert not store.checkpoints("one") and not store.checkpoint_writes("one", "", "1")
    store.drop_unfinished(0.0)
    assert store.checkpoints("two")
    store.drop_unfinished(9e9)
    assert not store.checkpoints(None) and [run["id"] for run in store.runs(9)] == ["one"]
