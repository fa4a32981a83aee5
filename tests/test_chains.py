"""Answers that need one document to find the next: what leads on is linked, read with it and cited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import Agent, Settings
from agent.critic.sufficiency import open_share
from agent.moves import bridge
from agent.reasoners.extractive import linked, new_claim
from agent.reasoners.features import FEATURES, ask, candidates, spanned
from agent.state import Span
from tests.test_features import passage
from tests.test_moves import failure

CHAINS = [
    (
        "Where was the buyer of the mill at Hill End born?",
        "It rained all day. The mill at Hill End was bought by Joan Near.",
        "The mill at Hill End was bought by Joan Near.",
        "Joan Near was born in Aarburg, on the river.",
        "Joan Near",
    ),
    (
        "河口磨坊的买主出生在哪里？",
        "那天下着雨。河口磨坊的买主是何佳。",
        "河口磨坊的买主是何佳。",
        "何佳出生在洛阳，家住河边。",
        "何佳",
    ),
]


def flat(terms: Iterable[str]) -> Mapping[str, float]:
    return dict.fromkeys(terms, 1.0)


@pytest.mark.parametrize(("question", "first", "leads", "second", "name"), CHAINS)
def test_a_bridge_is_linked_to_the_sentence_that_says_the_name(
    question: str, first: str, leads: str, second: str, name: str
) -> None:
    item = {**passage(first, 3), "start": 40, "end": 40 + len(first)}
    [query] = [query for query in bridge(failure(question, item)) if query["name"] == name]  # type: ignore[arg-type]
    assert query["link"] and query["link"]["evidence"] == 3
    assert spanned(item, query["link"]) == leads  # type: ignore[arg-type]


@pytest.mark.parametrize(("question", "first", "leads", "second", "name"), CHAINS)
def test_a_linked_passage_is_read_with_what_led_to_it(
    question: str, first: str, leads: str, second: str, name: str
) -> None:
    asked = ask(question, flat)
    start = first.index(leads)
    link: Span = {"evidence": 1, "start": start, "end": len(first)}
    source, item = passage(first, 1), passage(second, 2)
    alone = candidates(asked, [source, item])[-1]
    with_link = candidates(asked, [source, {**item, "link": link}])[-1]
    without_source = candidates(asked, [{**item, "link": link}])[-1]
    assert alone.text == with_link.text and alone.link is without_source.link is None
    assert with_link.link == link
    at = FEATURES.index
    assert with_link.features[at("cover_passage")] > alone.features[at("cover_passage")]
    assert with_link.features[at("linked")] == 1 and without_source.features == alone.features


@pytest.mark.parametrize(("question", "first", "leads", "second", "name"), CHAINS)
def test_what_the_cited_passages_leave_open(
    question: str, first: str, leads: str, second: str, name: str
) -> None:
    asked = ask(question, flat)
    evidence = [passage(first, 1), passage(second, 2)]

    def left(*numbers: int) -> float:
        claims = [new_claim(evidence[n - 1]["text"], [n]) for n in numbers]
        cited = [{**claim, "citations": [{"evidence": claim["evidence"][0]}]} for claim in claims]
        return open_share(asked, cited, evidence)  # type: ignore[arg-type]

    assert 1 == left() > left(1) > left(1, 2) >= 0 and left(2) > left(1, 2)


SPANS = st.builds(
    lambda n, start, size: Span(evidence=n, start=start, end=start + size),
    st.integers(1, 3),
    st.integers(0, 40),
    st.integers(1, 20),
)


@given(st.lists(st.tuples(st.none() | SPANS, SPANS), max_size=4))
def test_spans_follow_what_leads_to_them_and_never_overlap(pairs: list[tuple[Span | None, Span]]) -> None:
    spans = linked(pairs)
    for n, one in enumerate(spans):
        for other in spans[:n]:
            apart = one["end"] <= other["start"] or other["end"] <= one["start"]
            assert apart or one["evidence"] != other["evidence"]
    wanted = [span for pair in pairs for span in pair if span]
    assert all(span in wanted for span in spans)
    assert spans[:1] == wanted[:1]


@pytest.mark.parametrize(("question", "first", "leads", "second", "name"), CHAINS)
def test_the_answer_shows_the_way_to_it(
    question: str, first: str, leads: str, second: str, name: str, tmp_path: Path, cache_folder: Path
) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "mill.txt").write_text(first, encoding="utf-8")
    (files / "person.txt").write_text(second, encoding="utf-8")
    for n in range(12):
        (files / f"{n}.txt").write_text(
            f"Note {n}: the mill of street {n}. 笔记{n}：第{n}号磨坊。", encoding="utf-8"
        )
    home = tmp_path / "home"
    home.mkdir()
    (home / "cache").symlink_to(cache_folder)
    with Agent(Settings(home=home, remember=False)) as agent:
        agent.add(files)
        answer = agent.ask(question)
    assert answer.rounds >= 1
    assert [claim.text for claim in answer.claims][:2] == [leads, second], answer.text
