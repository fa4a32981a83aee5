"""Which passages a draft may cite: features in range, weights that match them, a choice that keeps its promises."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent.evidence import of_chunk, of_passages, of_tool
from agent.moves import question_query
from agent.reasoners.features import ask
from agent.relevance import (
    FEATURES,
    by_relevance,
    features,
    most_relevant,
    name_rarities,
    relevance,
)
from agent.state import Evidence, Query
from retrieval.search import Passage
from retrieval.store import StoredChunk
from tests.test_features import TEXT, flat, passage

DIRECTOR = "Where was the director of Polish-Russian War born?"


def bridging(name: str, left_open: list[str], rank: int = 0, covered: float = 0.5) -> Query:
    query = question_query(f"{name} {' '.join(left_open)}")
    return {**query, "move": "bridge", "name": name, "rank": rank, "cover": covered, "open": left_open}


def named(
    question: str, item: Evidence, query: Query, rank: int = 0, rarity: float = 0.5
) -> dict[str, float]:
    return dict(zip(FEATURES, features(ask(question, flat), item, query, rank, rarity), strict=True))


def numbered(*rows: tuple[int, float], kind: Any = "passage") -> list[Evidence]:
    return [{**passage("x", number), "relevance": value, "kind": kind} for number, value in rows]


def numbers(evidence: list[Evidence]) -> list[int]:
    return [item["number"] for item in evidence]


def test_weights_belong_to_the_features() -> None:
    fitted = json.loads(files("agent").joinpath("relevance.json").read_text(encoding="utf-8"))
    assert tuple(fitted["features"]) == FEATURES and len(fitted["weights"]) == len(FEATURES)
    assert len(set(FEATURES)) == len(FEATURES)
    with pytest.raises(ValueError, match="zip"):
        relevance([1.0] * (len(FEATURES) + 1))


@given(TEXT, TEXT, TEXT, TEXT, st.booleans(), st.integers(0, 30), st.floats(-1, 1), st.floats(0, 1))
@bounds(max_examples=150, deadline=None)
def test_features_and_relevance_are_in_range(
    question: str, title: str, text: str, name: str, bridged: bool, rank: int, cosine: float, rarity: float
) -> None:
    asked = ask(question, flat)
    query = bridging(name, list(asked.terms[:2]), rank) if bridged else question_query(question)
    values = features(asked, passage(text, title=title, cosine=cosine), query, rank, rarity)
    assert len(values) == len(FEATURES) and all(0 <= value <= 1 + 1e-9 for value in values)
    assert 0 <= relevance(values) <= 1


@given(st.lists(st.floats(-1e9, 1e9), min_size=len(FEATURES), max_size=len(FEATURES)))
def test_relevance_is_a_probability_for_any_values(values: list[float]) -> None:
    assert 0 <= relevance(values) <= 1


def test_features_of_a_bridged_passage() -> None:
    item = passage("He was born in Warsaw.", title="Xawery Zulawski")
    there = named(DIRECTOR, item, bridging("Xawery Zulawski", ["born"], 1), 2, 0.7)
    assert (there["question"], there["bridge"], there["rank"]) == (0.0, 1.0, pytest.approx(1 / 3))
    assert (there["title_is_name"], there["name_there"], there["open_covered"]) == (1.0, 1.0, 1.0)
    assert (there["source_covered"], there["source_rank"], there["name_rarity"]) == (0.5, 0.5, 0.7)
    elsewhere = named(DIRECTOR, passage("Warsaw is a town."), bridging("Xawery Zulawski", ["born"]))
    assert elsewhere["title_is_name"] == elsewhere["name_there"] == elsewhere["open_covered"] == 0.0
    asked = named(
        DIRECTOR, passage("It is a film.", title="The Polish-Russian War"), question_query(DIRECTOR)
    )
    assert (asked["question"], asked["title_asked"], asked["bridge"], asked["source_rank"]) == (1, 1, 0, 0)
    assert named(DIRECTOR, item, question_query(DIRECTOR))["title_asked"] == 0.0
    assert named(DIRECTOR, passage("born"), question_query(DIRECTOR))["title_asked"] == 0.0, "no title"


@pytest.mark.parametrize(
    ("name", "text", "there"),
    [
        ("图尔敏", "后来图尔敏论证模型流传很广。", True),
        ("圖爾敏", "後來圖爾敏論證模型流傳很廣。", True),
        ("人类的理解", "他写过《人类的理解》一书。", True),
        ("图尔敏", "后来论证模型流传很广。", False),
        ("GPT-5", "GPT-4 cost 5000.", False),
        ("GPT-5", "GPT-5 cost 4000.", True),
    ],
)
def test_name_is_there(name: str, text: str, there: bool) -> None:
    assert named("他是谁？", passage(text), bridging(name, []))["name_there"] == float(there)


def test_rarities_of_names() -> None:
    def idf(terms: Iterable[str]) -> Mapping[str, float]:
        return {term: {"born": 2.0, "zulawski": 4.0, "敏论": 1.0}.get(term, 0.5) for term in terms}

    asked = ask("Where was he born?", idf)
    queries = [question_query("born"), bridging("Xawery Zulawski", []), bridging("敏论", [])]
    assert name_rarities(asked, queries, idf) == [0.0, 2.0, 0.5]
    assert name_rarities(asked, [], idf) == []


def test_tools_what_is_kept_and_the_likeliest_are_shown() -> None:
    found = [*numbered((1, 0.1), (2, 0.9), (3, 0.2), (4, 0.8), (6, 0.8)), *numbered((5, 0.0), kind="tool")]
    assert numbers(most_relevant(found, 3)) == [2, 4, 5]
    assert numbers(most_relevant(found, 3, keep={3})) == [2, 3, 5]
    assert numbers(most_relevant(found, 2, keep={1, 3})) == [1, 3]
    assert numbers(most_relevant(found, 9)) == [1, 2, 3, 4, 5, 6]
    assert most_relevant([], 3) == []
    assert numbers(by_relevance(found)) == [2, 4, 6, 3, 1, 5]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30),
    st.integers(1, 12),
    st.sets(st.integers(1, 30), max_size=5),
)
def test_choice_of_evidence(rows: list[tuple[float, bool]], limit: int, keep: set[int]) -> None:
    found: list[Evidence] = []
    for number, (value, tool) in enumerate(rows, start=1):
        found += numbered((number, value), kind="tool" if tool else "passage")
    shown = most_relevant(found, limit, keep)
    chosen, kept = set(numbers(shown)), keep & set(numbers(found))
    assert len(shown) == min(limit, len(found)) and numbers(shown) == sorted(chosen)
    assert kept <= chosen if len(kept) <= limit else chosen <= kept
    free = [item for item in found if item["number"] not in keep and item["kind"] == "passage"]
    taken = [item["relevance"] for item in free if item["number"] in chosen]
    left = [item["relevance"] for item in free if item["number"] not in chosen]
    assert not taken or min(taken) >= max(left, default=0.0)


def test_evidence_of_passages_knows_how_likely_it_is() -> None:
    chunk = StoredChunk(7, 1, None, "a.txt", "论证的运用", 3, 9, "", None, "作者是图尔敏。")
    asked, query = ask("《论证的运用》的作者是谁？", flat), question_query("《论证的运用》的作者是谁？")
    first, second = of_passages(
        asked, query, [Passage(chunk, 0.8, 0.7, None), Passage(chunk, 0.8, None, 2.0)], 1, 0.0
    )
    assert 0 < second["relevance"] < first["relevance"] <= 1 and second["cosine"] == 0.0
    assert (first["number"], first["query"], first["round"], first["chunk_id"]) == (0, query["text"], 1, 7)
    assert of_chunk(chunk, "q", 0.5, 0.5, 0)["relevance"] == 1.0
    computed = of_tool({"tool": "calculator", "operation": "add", "operands": []}, "是 6。", [], 0)
    assert (computed["relevance"], computed["kind"]) == (1.0, "tool")
