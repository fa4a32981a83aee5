"""Features of candidate sentences: finite, in range, and telling an answer from its neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent.reasoners.features import (
    FEATURES,
    Asked,
    answer_probability,
    ask,
    candidates,
    plain,
    rank_score,
    says,
    uncovered,
)
from agent.state import Evidence
from retrieval.tokens import lexical_tokens

TEXT = st.text(
    alphabet=st.sampled_from("ab Z.!?，。？《》0123456789\n#*-年月合同签署的谁何e\u0301\u3000('"),
    max_size=120,
)


def flat(terms: Iterable[str]) -> Mapping[str, float]:
    return dict.fromkeys(terms, 1.0)


def passage(text: str, number: int = 1, title: str = "", cosine: float = 0.4) -> Evidence:
    return {
        "number": number,
        "kind": "passage",
        "chunk_id": number,
        "document_id": 1,
        "path": "a.txt",
        "title": title,
        "heading": "",
        "page": None,
        "start": 0,
        "end": len(text),
        "text": text,
        "score": 0.5,
        "cosine": cosine,
        "query": "q",
        "relevance": 1.0,
        "link": None,
        "round": 0,
        "rests_on": [],
    }


def best_of(question: str, text: str) -> str:
    asked = ask(question, flat)
    found = candidates(asked, [passage(text)])
    return max(found, key=lambda c: rank_score(asked.lang, c.features)).text


@given(TEXT, TEXT, st.text(max_size=20), st.floats(-1, 1))
@bounds(max_examples=80, deadline=None)
def test_features_are_finite_and_in_range(question: str, text: str, title: str, cosine: float) -> None:
    asked = ask(question, flat)
    assert set(asked.idf) == set(asked.terms)
    everything = candidates(asked, [passage(text, title=title, cosine=cosine)])
    for found in everything:
        assert text[found.start : found.end] == found.text
        assert len(found.features) == len(FEATURES)
        values = dict(zip(FEATURES, found.features, strict=True))
        assert all(math.isfinite(value) for value in values.values())
        assert all(
            0 <= value <= 1 + 1e-9 for name, value in values.items() if name not in ("length", "asked")
        )
        assert values["length"] > 0
        assert math.isfinite(rank_score(asked.lang, found.features))
        assert 0 < answer_probability(asked, everything, found) < 1


@pytest.mark.parametrize(
    ("question", "text", "answer"),
    [
        (
            "When was the contract signed?",
            "Notice must be given in writing to the landlord. The contract was signed on 1 March 2026 by the "
            "landlord. The contract may be read at the office.",
            "The contract was signed on 1 March 2026 by the landlord.",
        ),
        (
            "Who ground the lens?",
            "The lens weighs a lot of kilos. The lens was ground by Margaret Oduya. It is open on Fridays.",
            "The lens was ground by Margaret Oduya.",
        ),
        (
            "会费每人每年多少钱？",
            "读书会每两周一次。会费每人每年120元，由何佳收取。大家都说会费很便宜。",
            "会费每人每年120元，由何佳收取。",
        ),
        (
            "《论证的运用》出版于哪一年？",
            "何佳觉得保证最容易被忽略。《论证的运用》出版于1958年。《论证的运用》是一本好书。",
            "《论证的运用》出版于1958年。",
        ),
    ],
)
def test_sentence_that_answers_ranks_first(question: str, text: str, answer: str) -> None:
    assert best_of(question, text) == answer


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("When was the contract signed?", "When was the contract signed?"),
        ("When was the contract signed?", "when was the contract signed"),
        ("合同是什么时候签署的？", "合同是什么时候签署的？"),
        ("合同是什么时候签署的？", "合同是什么时候签署的"),
        ("When was the contract signed?", "# The contract signed in 2026"),
        ("Who came?", "Margaret Oduya"),
    ],
)
def test_question_said_again_a_heading_and_a_bare_name_are_no_candidates(question: str, text: str) -> None:
    assert candidates(ask(question, flat), [passage(text)]) == []


def test_tool_results_are_no_candidates() -> None:
    item: Evidence = {**passage("From 2026-03-01 to 2026-05-12 it is 72 days."), "kind": "tool"}
    assert candidates(ask("How many days is it?", flat), [item]) == []


def test_offsets_count_in_the_source() -> None:
    item: Evidence = {**passage("One thing was said. The lens was ground by hand."), "start": 100}
    found = candidates(ask("How was the lens ground?", flat), [item])
    assert [(c.start, c.end) for c in found] == [(100, 119), (120, 148)]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("GPT-4 was trained with 5000 machines", "GPT-5", False),
        ("GPT-5 was trained", "GPT-5", True),
        ("the model of Toulmin", "model of Toulmin", True),
        ("the Toulmin model", "model of Toulmin", False),
        ("图尔敏写了论证的运用一书", "论证的运用", True),
        ("论证有许多种运用", "论证的运用", False),
        ("哲学家图尔敏的书", "图尔敏", True),
        ("哲学家圖爾敏的書", "图尔敏", True),
        ("会议由欧阳明月主持", "欧阳明月", True),
        ("会议由欧阳明主持，明月当空", "欧阳明月", False),
        ("图尔与尔敏", "图尔敏", False),
        ("中华人民共和国成立了", "中华人民共和国", True),
        ("中华民国与人民共和国", "中华人民共和国", False),
        ("巴金写了小说家", "家", True),
        ("巴金写了小说", "家", False),
        ("用GPT-5模型写的", "GPT-5模型", True),
    ],
)
def test_a_name_is_said_only_side_by_side(text: str, name: str, expected: bool) -> None:
    assert says(lexical_tokens(text), lexical_tokens(name)) is expected


def test_terms_left_open_come_rarest_first() -> None:
    weights = {"brick": 1.0, "ground": 3.0, "refractor": 2.0}
    asked: Asked = ask("ground brick refractor", lambda terms: {term: weights[term] for term in terms})
    assert uncovered(asked, frozenset({"brick"})) == ["ground", "refractor"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**Stephen Toulmin** wrote `it`.", "Stephen Toulmin wrote it."),
        ("see [the book](https://example.org/a)", "see the book"),
        ("![a lens](lens.png) of glass", "a lens of glass"),
        ("## A heading", "A heading"),
        ("- an item", "an item"),
        ("> quoted words", "quoted words"),
        ("two\nlines", "two lines"),
        ("会费每人\n每年120元", "会费每人每年120元"),
        ("**会费**每年120元", "会费每年120元"),
        ("The rent is $3,400.", "The rent is $3,400."),
    ],
)
def test_plain_strips_markdown(written: str, shown: str) -> None:
    assert plain(written) == shown


@given(st.text(max_size=80))
@bounds(max_examples=60, deadline=None)
def test_plain_is_one_line_and_adds_nothing(text: str) -> None:
    shown = plain(text)
    assert "\n" not in shown and shown == shown.strip()
    assert set(shown) <= set(text) | {" "}


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("How many fatal accidents did Air France have?", "Air France,3004002661,14,4,79"),
        ("How many seats has the Blue Lathe?", "Blue Lathe\t120\t7"),
        ("蓝车床有多少座位？", "蓝车床,120,7"),
    ],
)
def test_a_row_of_a_table_may_answer(question: str, row: str) -> None:
    assert [one.text for one in candidates(ask(question, flat), [passage(row)])] == [row]
