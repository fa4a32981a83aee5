"""Follow-ups that name an item of the answer before."""

from __future__ import annotations

import pytest

from agent.ordinals import items_of, with_item
from agent.state import Turn


def turn(answer: str) -> Turn:
    return {"question": "q", "standalone": "q", "answer": answer, "outcome": "verified"}


@pytest.mark.parametrize(
    ("question", "answer", "meant"),
    [
        ("What does the second one cost?", "- the red bike\n- the blue bike", "What does blue bike cost?"),
        ("And the last one?", "The members are Ada, Ben and Chi.", "And Chi?"),
        ("第二个多少钱？", "可选的有：红车、蓝车、绿车。", "蓝车多少钱？"),
        ("那最后一个呢？", "1. 红车\n2. 蓝车", "蓝车呢？"),
        ("What is the first point about?", "1. Rent.\n2. Deposit.", "What is Rent about?"),
    ],
)
def test_the_item_takes_the_place_of_its_number(question: str, answer: str, meant: str) -> None:
    assert with_item(question, [turn(answer)]) == meant


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What does the fourth one cost?", "- red\n- blue"),
        ("Who was the second president?", "- red\n- blue"),
        ("第二个月的租金是多少？", "有红车、蓝车。"),
        ("And the second one?", "It was signed in 2021."),
    ],
)
def test_a_question_that_names_none_stays(question: str, answer: str) -> None:
    assert with_item(question, [turn(answer)]) == question
    assert with_item(question, []) == question


def test_items_of_lists() -> None:
    assert items_of("- a\n- b\n- c") == ["a", "b", "c"]
    assert items_of("It was signed in 2021.") == []
