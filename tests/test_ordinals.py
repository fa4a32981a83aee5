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
        (
            "What does the second one cost?",
            "- the red bike\n- the blue bike",
            "What does the blue bike cost?",
        ),
        ("And the last one?", "The members are Ada, Ben and Chi.", "And Chi?"),
        ("第二个多少钱？", "可选的有：红车、蓝车、绿车。", "蓝车多少钱？"),
        ("那最后一个呢？", "1. 红车\n2. 蓝车", "蓝车呢？"),
        ("What is the first point about?", "1. Rent.\n2. Deposit.", "What is Rent about?"),
        ("What does the second cost?", "- the red bike\n- the blue bike", "What does the blue bike cost?"),
        ("And the second?", "The members are Ada, Ben and Chi.", "And Ben?"),
        ("Where does the latter live?", "The members are Ada and Ben.", "Where does Ben live?"),
        ("第一个住在哪里？", "理事会成员有陈静、赵敏和孙浩。", "陈静住在哪里？"),
        ("第二个要多少钱？", "可选的有：红车、蓝车、绿车。", "蓝车要多少钱？"),
        ("第二个由谁负责？", "可选的有：红车、蓝车、绿车。", "蓝车由谁负责？"),
        ("第二个何时开始？", "可选的有：红车、蓝车、绿车。", "蓝车何时开始？"),
        ("第二个能退吗？", "可选的有：红车、蓝车、绿车。", "蓝车能退吗？"),
        ("第二个几点开门？", "可选的有：红车、蓝车、绿车。", "蓝车几点开门？"),
        ("第二位是谁？", "成员有：陈静、赵敏。", "赵敏是谁？"),
        ("第二輛呢？", "可选的有：红车、蓝车、绿车。", "蓝车呢？"),
        ("倒数第二个呢？", "可选的有：红车、橙车、蓝车、绿车。", "蓝车呢？"),
        ("后者呢？", "1. 红车\n2. 蓝车", "蓝车呢？"),
        ("前者多少钱？", "1. 红车\n2. 蓝车", "红车多少钱？"),
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
        ("第二个人是谁？", "有红车、蓝车。"),
        ("第二个季度的销售额是多少？", "有红车、蓝车。"),
        ("最后一个星期做什么？", "有红车、蓝车。"),
        ("倒数第三个呢？", "有红车、蓝车。"),
        ("When is the second of May?", "- red\n- blue"),
        ("Who is the latter president?", "- red\n- blue"),
        ("And the second one?", "It was signed in 2021."),
        ("Is the rent due on the first?", "- red\n- blue"),
        ("第二和第三个呢？", "1. 红车\n2. 蓝车\n3. 绿车"),
    ],
)
def test_a_question_that_names_none_stays(question: str, answer: str) -> None:
    assert with_item(question, [turn(answer)]) == question
    assert with_item(question, []) == question


def test_items_of_lists() -> None:
    assert items_of("- a\n- b\n- c") == ["a", "b", "c"]
    assert items_of("It was signed in 2021.") == []


@pytest.mark.parametrize(
    ("listed", "question", "meant"),
    [
        ("The members are Ada, Ben and Chi.", "And the second one?", "And Ben?"),
        ("成员有：陈静、赵敏。", "第二个呢？", "赵敏呢？"),
    ],
)
def test_the_items_of_an_earlier_answer_are_still_meant(listed: str, question: str, meant: str) -> None:
    turns = [turn("- red\n- blue"), turn(listed), turn("Ada is a doctor.")]
    assert with_item(question, turns) == meant
