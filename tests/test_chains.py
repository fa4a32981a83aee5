"""Answers that need one document to find the next: what leads on is linked, read with it and cited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, Settings
from agent.critic.sufficiency import missing_terms, open_share
from agent.moves import bridge
from agent.reasoners.extractive import LINKED, led_to, new_claim
from agent.reasoners.features import ask, candidates, spanned
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
def test_a_linked_sentence_helps_where_it_covers_what_the_best_leaves_open(
    question: str, first: str, leads: str, second: str, name: str
) -> None:
    asked = ask(question, flat)
    start = first.index(leads)
    link: Span = {"evidence": 1, "start": start, "end": len(first)}
    source, item = passage(first, 1), {**passage(second, 2), "link": link}
    found = candidates(asked, [source, item])  # type: ignore[list-item]
    best = next(one for one in found if one.text == leads)

    def texts(*evidence: Any) -> list[str]:
        own = [one for one in found if any(one.evidence == e["number"] for e in evidence)]
        return [spanned(evidence[span["evidence"] - 1], span) for span in led_to(asked, best, own, evidence)]

    assert texts(source, item) == [leads, second]
    assert texts(source, {**item, "relevance": LINKED[asked.lang] - 0.05}) == []
    assert texts(source, {**item, "link": None}) == []
    assert texts(source) == [], "what leads on has to be there, too"


@pytest.mark.parametrize(("question", "first", "leads", "second", "name"), CHAINS)
def test_what_the_cited_passages_leave_open(
    question: str, first: str, leads: str, second: str, name: str
) -> None:
    asked = ask(question, flat)
    evidence = [passage(first, 1), passage(second, 2)]

    def left(*numbers: int) -> float:
        claims = [new_claim(evidence[n - 1]["text"], [n]) for n in numbers]
        cited = [{**claim, "citations": [{"evidence": claim["evidence"][0]}]} for claim in claims]
        return open_share(asked, missing_terms(asked, cited, evidence))  # type: ignore[arg-type]

    assert left() == pytest.approx(1) and left() > left(1) > left(1, 2) >= 0 and left(2) > left(1, 2)


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
