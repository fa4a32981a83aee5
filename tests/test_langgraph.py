"""LangGraph's store: one contract over LangGraph's own in-memory store and ours, then what only ours has."""

from __future__ import annotations

import asyncio
import json
import operator
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
    TTLConfig,
)
from langgraph.store.memory import InMemoryStore

from retrieval.embed import HashEmbedder
from retrieval.langchain import ToulminEmbeddings
from retrieval.langgraph import ToulminStore, fits, matches
from retrieval.library import Library

Make = Callable[..., BaseStore]
INDEX = {"dims": 256, "embed": ToulminEmbeddings(HashEmbedder()), "fields": ["text", "notes[*].body"]}


@pytest.fixture(params=["ours", "LangGraph's own"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    with ExitStack() as stack:
        if request.param == "ours":
            yield lambda **more: stack.enter_context(ToulminStore(tmp_path / "items.sqlite", **more))
        else:
            yield InMemoryStore


@pytest.fixture
def store(make: Make) -> BaseStore:
    return make(index=INDEX)


def keys(items: Any) -> list[str]:
    return [item.key for item in items]


def test_put_get_replace_delete(store: BaseStore) -> None:
    assert store.get(("users", "1"), "k") is None
    value = {"a": 1, "deep": {"list": [1, None, True, 2.5]}, "字": "中文"}
    store.put(("users", "1"), "k", value)
    item = store.get(("users", "1"), "k")
    assert item is not None and item.value == value
    assert (item.namespace, item.key) == (("users", "1"), "k")
    assert item.updated_at.tzinfo is not None and item.updated_at >= item.created_at
    store.put(("users", "1"), "k", {"a": 2})
    again = store.get(("users", "1"), "k")
    assert again is not None and again.value == {"a": 2} and again.updated_at >= item.updated_at
    assert store.get(("users",), "k") is None and store.get(("users", "1"), "K") is None
    store.delete(("users", "1"), "k")
    store.delete(("users", "1"), "k")
    assert store.get(("users", "1"), "k") is None and store.search(()) == []


@pytest.mark.parametrize("namespace", [(), ("a.b",), ("a", ""), ("langgraph",), ("a", 1), ("a\0",)])
def test_namespaces_that_are_not(store: BaseStore, namespace: Any) -> None:
    with pytest.raises(InvalidNamespaceError):
        store.put(namespace, "k", {"a": 1})


def test_search_below_a_namespace(store: BaseStore) -> None:
    for namespace, key in [
        (("a",), "1"),
        (("a", "b"), "2"),
        (("ab",), "3"),
        (("a", "b", "c"), "4"),
        (("文",), "5"),
    ]:
        store.put(namespace, key, {"key": key}, index=False)
    assert keys(store.search(())) == ["1", "2", "3", "4", "5"]
    assert keys(store.search(("a",))) == ["1", "2", "4"]
    assert keys(store.search(("a", "b"))) == ["2", "4"]
    assert keys(store.search(("文",))) == ["5"] and store.search(("b",)) == []
    assert keys(store.search((), limit=2, offset=1)) == ["2", "3"]
    assert store.search((), offset=9) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["1", "2", "3"]),
        ({"n": 2}, ["2"]),
        ({"n": {"$eq": 2}}, ["2"]),
        ({"n": {"$ne": 2}}, ["1", "3"]),
        ({"n": {"$gt": 1, "$lte": 3}}, ["2", "3"]),
        ({"n": {"$gte": 2}, "kind": "y"}, ["3"]),
        ({"n": {"$lt": 2}}, ["1"]),
        ({"deep": {"x": 1}}, ["1"]),
        ({"deep": {"x": {"$gt": 1}}}, ["2", "3"]),
        ({"tags": ["a", "b"]}, ["1"]),
        ({"missing": None}, ["1", "2", "3"]),
        ({"missing": 1}, []),
    ],
)
def test_filters(store: BaseStore, wanted: Any, found: list[str]) -> None:
    store.put(("f",), "1", {"n": 1, "kind": "x", "deep": {"x": 1}, "tags": ["a", "b"]})
    store.put(("f",), "2", {"n": 2, "kind": "x", "deep": {"x": 2}, "tags": ["a"]})
    store.put(("f",), "3", {"n": 3, "kind": "y", "deep": {"x": 3}, "tags": []})
    assert keys(store.search(("f",), filter=wanted)) == found


def test_an_unknown_operator(store: BaseStore) -> None:
    store.put(("f",), "1", {"n": 1})
    with pytest.raises(ValueError, match="regex"):
        store.search(("f",), filter={"n": {"$regex": "1"}})


def test_semantic_search(store: BaseStore) -> None:
    store.put(("m", "en"), "rent", {"text": "the rent is due in May"})
    store.put(("m", "zh"), "club", {"text": "读书会每两周一次"})
    store.put(
        ("m", "en"), "notes", {"text": "a comet", "notes": [{"body": "x"}, {"body": "who pays the rent?"}]}
    )
    store.put(("m", "en"), "unseen", {"text": "the rent is due in May"}, index=False)
    store.put(("m", "en"), "other", {"text": "nothing here", "title": "the rent is due"}, index=["title"])
    found = store.search(("m",), query="who pays the rent?")
    assert keys(found)[0] == "notes" and keys(found)[-1] == "unseen" and len(found) == 5
    assert found[0].score == pytest.approx(1, abs=1e-5) and found[-1].score is None
    scores = [item.score for item in found if item.score is not None]
    assert scores == sorted(scores, reverse=True)
    assert keys(store.search(("m",), query="读书会多久一次？", limit=1)) == ["club"]
    assert keys(store.search(("m", "en"), query="the rent is due", limit=1)) == ["other"]
    assert keys(store.search(("m",), query="the rent is due", limit=1, offset=1)) == ["rent"]
    assert keys(store.search(("m",), query="rent", filter={"text": "a comet"})) == ["notes"]
    store.put(("m", "zh"), "club", {"text": "the rent is due in May"})
    assert {"rent", "club"} == set(keys(store.search(("m",), query="the rent is due in May", limit=2)))
    store.delete(("m", "zh"), "club")
    assert "club" not in keys(store.search(("m",), query="the rent is due in May"))


def test_without_an_index_a_query_changes_nothing(make: Make) -> None:
    store = make()
    store.put(("m",), "1", {"text": "rent"}, index=["text"])
    (found,) = store.search(("m",), query="rent")
    assert found.key == "1" and found.score is None


def test_list_namespaces(store: BaseStore) -> None:
    spaces = [
        ("a", "b", "c"),
        ("a", "b", "d", "e"),
        ("a", "b", "d", "i"),
        ("a", "b", "f"),
        ("a", "c", "f"),
        ("中", "f"),
    ]
    for space in spaces:
        store.put(space, "k", {"a": 1})
        store.put(space, "l", {"a": 1})
    assert store.list_namespaces() == sorted(spaces)
    assert store.list_namespaces(prefix=("a", "b"), max_depth=3) == [
        ("a", "b", "c"),
        ("a", "b", "d"),
        ("a", "b", "f"),
    ]
    assert store.list_namespaces(suffix=("f",)) == [("a", "b", "f"), ("a", "c", "f"), ("中", "f")]
    assert store.list_namespaces(prefix=("a", "*", "f")) == [("a", "b", "f"), ("a", "c", "f")]
    assert store.list_namespaces(prefix=("a",), suffix=("d", "*")) == [
        ("a", "b", "d", "e"),
        ("a", "b", "d", "i"),
    ]
    assert store.list_namespaces(limit=2, offset=1) == sorted(spaces)[1:3]
    assert store.list_namespaces(prefix=("b",)) == []


def test_a_batch_reads_what_was_there_before_it(store: BaseStore) -> None:
    store.put(("b",), "old", {"n": 1})
    results = store.batch(
        [
            PutOp(("b",), "new", {"n": 2}),
            GetOp(("b",), "old"),
            GetOp(("b",), "new"),
            SearchOp(("b",)),
            ListNamespacesOp(),
            PutOp(("b",), "new", {"n": 3}),
            PutOp(("b",), "old", None),
        ]
    )
    assert [type(result).__name__ for result in results] == [
        "NoneType", "Item", "NoneType", "list", "list", "NoneType", "NoneType",
    ]  # fmt: skip
    assert keys(results[3]) == ["old"] and results[4] == [("b",)]
    assert {item.key: item.value for item in store.search(("b",))} == {"new": {"n": 3}}


async def test_async(store: BaseStore) -> None:
    await store.aput(("a",), "1", {"text": "the rent is due"})
    await asyncio.gather(*(store.aput(("a",), str(n), {"text": f"note {n}"}) for n in range(2, 6)))
    item = await store.aget(("a",), "1")
    assert item is not None and item.value == {"text": "the rent is due"}
    assert keys(await store.asearch(("a",), query="rent", limit=1)) == ["1"]
    assert await store.alist_namespaces() == [("a",)]
    await store.adelete(("a",), "1")
    assert await store.aget(("a",), "1") is None


async def test_a_function_embeds(make: Make) -> None:
    async def embed(texts: Any) -> list[list[float]]:
        return [[float("rent" in text), float("comet" in text), 0.1] for text in texts]

    store = make(index={"dims": 3, "embed": embed})
    await store.abatch([PutOp(("a",), "1", {"x": "rent"}), PutOp(("a",), "2", {"x": "comet"})])
    assert keys(await store.asearch(("a",), query="comet", limit=1)) == ["2"]


# --- ours alone -----------------------------------------------------------------------------------------


def ours(tmp_path: Path, **more: Any) -> ToulminStore:
    return ToulminStore(tmp_path / "items.sqlite", **more)


def test_it_is_still_there_when_opened_again(tmp_path: Path) -> None:
    with ours(tmp_path, index={"embed": HashEmbedder()}) as store:
        store.put(("a",), "1", {"text": "the rent"})
        created = store.search(())[0].created_at
        store.put(("a",), "1", {"text": "the comet"})
    with ours(tmp_path, index={"embed": HashEmbedder()}) as store:
        (item,) = store.search((), query="comet")
        assert item.value == {"text": "the comet"} and item.created_at == created and (item.score or 0) > 0.3


def test_in_the_file_of_a_library(hashed: Library) -> None:
    hashed.add_sources([])
    with ToulminStore(hashed.store.file) as store:
        store.put(("a",), "1", {"x": 1})
    assert hashed.search("x") == [] and hashed.store.check() == "ok"


@pytest.mark.parametrize("bad", [{"set": {1}}, {"bytes": b""}])
def test_what_is_not_json_leaves_the_batch_undone(tmp_path: Path, bad: dict[str, Any]) -> None:
    with ours(tmp_path) as store:
        with pytest.raises(TypeError, match="JSON"):
            store.batch([PutOp(("a",), "1", {"fine": 1}), PutOp(("a",), "2", bad)])
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(("a",), "1", {"fine": 1}), GetOp(("a.b",), "2")])
        assert store.search(()) == []


def test_time_to_live(tmp_path: Path) -> None:
    ttl: TTLConfig = {"default_ttl": None, "refresh_on_read": False, "omit_expired": True}
    with ours(tmp_path, ttl=ttl) as store:
        store.put(("t",), "brief", {"x": 1}, ttl=0.001)
        store.put(("t", "u"), "brief", {"x": 1}, ttl=0.001)
        store.put(("t",), "long", {"x": 1}, ttl=60)
        store.put(("t",), "ever", {"x": 1})
        assert len(store.search(("t",))) == 4
        time.sleep(0.1)
        assert set(keys(store.search(("t",)))) == {"long", "ever"}
        assert store.get(("t",), "brief") is None and store.list_namespaces() == [("t",)]
        assert store.sweep_ttl() == 2 and store.sweep_ttl() == 0
        assert len(store.search(("t",))) == 2


def test_reading_refreshes_and_a_sweep_comes_by_itself(tmp_path: Path) -> None:
    with ours(tmp_path, ttl={"default_ttl": 60}) as store:
        store.put(("t",), "k", {"x": 1})

        def expires_s() -> float:
            return float(store._items.db.execute("SELECT expires_s FROM items").fetchone()[0])

        first = expires_s()
        time.sleep(0.01)
        store.get(("t",), "k", refresh_ttl=False)
        assert expires_s() == first
        store.get(("t",), "k")
        second = expires_s()
        time.sleep(0.01)
        store.search(("t",))
        assert first < second < expires_s()
        store.put(("t",), "k", {"x": 1}, ttl=0.0001)
    time.sleep(0.02)
    with ours(tmp_path) as store:
        assert store.get(("t",), "k", refresh_ttl=False) is not None  # expired, but nobody has swept
    with ours(tmp_path, ttl={"sweep_interval_minutes": 1}) as store:
        assert store.get(("t",), "k") is None


LABELS = st.lists(st.sampled_from(["a", "b", "*", "中"]), max_size=4).map(tuple)


@given(LABELS, LABELS)
def test_a_prefix_is_a_suffix_backwards(namespace: tuple[str, ...], path: tuple[str, ...]) -> None:
    forwards = fits(namespace, MatchCondition("prefix", path))
    assert forwards == fits(namespace[::-1], MatchCondition("suffix", path[::-1]))
    if "*" not in path:
        assert forwards == (namespace[: len(path)] == path)


@given(st.floats(-9, 9), st.floats(-9, 9))
def test_numbers_are_compared_as_numbers(left: float, right: float) -> None:
    for name in ("gt", "lt"):
        assert matches(left, {f"${name}": right}) == getattr(operator, name)(left, right)
    assert matches(left, {"$gte": right}) == (left >= right)
    assert matches(str(left), {"$lte": json.dumps(right)}) == (left <= right)


def test_what_has_no_order() -> None:
    assert matches("2026-05-01", {"$gt": "2026-04-30"}) and not matches(None, {"$gt": 1})
    assert not matches([1], {"$lt": 2}) and not matches("x", {"$gte": 2})
