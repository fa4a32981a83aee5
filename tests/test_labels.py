"""Things told apart by a mark alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.assistant import Agent
from agent.reasoners.labels import labels_of, of_another
from agent.settings import Settings


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Plan B costs 900 euros a year.", {("plan", "b")}),
        ("What does plan b cost?", {("plan", "b")}),
        ("Room no. 12 is free; Rooms are not.", {("room", "12")}),
        ("After World War II, Apollo 11 flew.", {("war", "2"), ("apollo", "11")}),
        (
            "GPT-4 and Qwen3 beat GPT-3.5 (COVID-19 was over).",
            {("gpt", "4"), ("qwen", "3"), ("gpt", "3.5"), ("covid", "19")},
        ),
        ("They won 3 titles in May 1815 with 12 men.", set()),
        ("John F. Kennedy met Harry.", set()),
        ("甲公司和乙方签了合同。", {("公司", "甲"), ("方", "乙")}),
        (
            "第二章，3号楼，三班，方案B，附件二",
            {("章", "2"), ("楼", "3"), ("班", "3"), ("方案", "b"), ("附件", "2")},
        ),
        ("第十二屆", {("届", "12")}),
        ("哪一班？第一次，三个人，甲板上的乙醇", set()),
    ],
)
def test_marks_are_read_beside_their_nouns(text: str, labels: set[tuple[str, str]]) -> None:
    assert labels_of(text) == labels


@pytest.mark.parametrize(
    ("question", "sentence", "context", "another"),
    [
        ("How much does Plan B cost?", "Plan A costs 1,200 euros.", "", True),
        ("How much does Plan B cost?", "Plan B costs 900 euros.", "", False),
        ("How much does Plan B cost?", "Unlike Plan A, this one is cheap.", "Plan B", False),
        ("How much does Plan B cost?", "It is cheaper than Plan A.", "", False),
        ("How much does Plan B cost?", "The price is 1,200 euros.", "Plan A", True),
        ("How much does Plan B cost?", "The price is 1,200 euros.", "Prices", False),
        ("When was Windows 10 released?", "Win 10 came after Windows 8.", "", False),
        ("Is Plan A cheaper than Plan B?", "Plan A costs 1,200 euros.", "", False),
        ("How large is GPT-5?", "GPT-4 has 1.75 trillion parameters.", "", True),
        ("GPT-5 的参数量是多少？", "比如说 GPT-4 是 1.75 万亿", "", True),
        ("丙公司的年费是多少？", "甲公司的年费是五千元。", "", True),
        ("丙公司的年费是多少？", "丙公司的年费比甲公司低。", "", False),
        ("三班的班主任是谁？", "二班的班主任是刘老师。", "", True),
        ("第3班的班主任是谁？", "三班的班主任是刘老师。", "", False),
    ],
)
def test_another_mark_of_the_same_noun_is_another_thing(
    question: str, sentence: str, context: str, another: bool
) -> None:
    assert of_another(question, sentence, context) is another


@given(st.text(max_size=80), st.text(max_size=80))
def test_what_is_asked_is_never_of_another(question: str, other: str) -> None:
    assert not of_another(question, question)
    assert not of_another(question, f"{other} / {question}")
    assert not of_another("Who came?", other) and not of_another("谁来了？", other)


RATES = """甲公司的年费是五千元，按季度支付。
乙公司的年费是八千元，按月支付。

Room 11 is booked by Anna until Friday. Room 14 is booked by Tom.
"""


@pytest.mark.parametrize(
    ("question", "outcome", "said"),
    [
        ("乙公司的年费是多少？", "verified", "乙公司的年费是八千元，按月支付。"),
        ("丙公司的年费是多少？", "abstained", ""),
        ("Who booked room 14?", "verified", "Room 14 is booked by Tom."),
        ("Who booked room 12?", "abstained", ""),
    ],
)
def test_what_is_said_of_another_is_no_answer(
    settings: Settings, tmp_path: Path, question: str, outcome: str, said: str
) -> None:
    (tmp_path / "rates.md").write_text(RATES, encoding="utf-8")
    with Agent(settings) as agent:
        agent.add(tmp_path / "rates.md")
        answer = agent.ask(question)
    assert answer.outcome == outcome
    if said:
        assert [claim.text for claim in answer.claims] == [said]
