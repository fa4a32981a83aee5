"""What a user tells, and which question it answers."""

from __future__ import annotations

import pytest

from agent.statements import answering, quoted, stated, subject_of
from retrieval.records import Record

TOLD = [
    "My deadline is 12 May.",
    "I'm allergic to peanuts",
    "I live in Leiden.",
    "Remember that the spare key is with Ms Okoye",
    "I have two cats",
    "我对花生过敏",
    "我的截止日期是5月12日。",
    "我住在成都",
    "请记住：备用钥匙在王丽那里",
    "我對花生過敏",
]
ASKED = [
    "When is my deadline?",
    "Is my deadline in May?",
    "my deadline?",
    "I want a summary of the report",
    "I have a question about the lease",
    "Tell me my deadline",
    "The deadline is 12 May.",
    "我的截止日期是哪天？",
    "我对什么过敏",
    "我想知道租金是多少",
    "总结一下这篇文章",
    "你好",
    "",
]


@pytest.mark.parametrize("message", TOLD)
def test_a_statement_is_kept_verbatim(message: str) -> None:
    found = stated(message)
    assert found is not None and found.text in message


@pytest.mark.parametrize("message", ASKED)
def test_a_question_is_no_statement(message: str) -> None:
    assert stated(message) is None


def test_one_value_at_a_time_has_a_subject() -> None:
    assert subject_of("My deadline is 12 May.") == "My deadline"
    assert subject_of("我的截止日期是5月12日") == "我的截止日期"
    assert subject_of("I like tea") == subject_of("我喜欢茶") == ""


def record(text: str, at_s: float = 0.0) -> Record:
    return Record(text, "mid", "statement", "", text, {}, at_s, at_s, 0)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("When is my deadline?", "My deadline is 12 May."),
        ("What am I allergic to?", "I'm allergic to peanuts"),
        ("Where do I live?", "I live in Leiden."),
        ("How many cats do I have?", "I have two cats"),
        ("我对什么过敏？", "我对花生过敏"),
        ("我的截止日期是哪天？", "我的截止日期是5月12日。"),
        ("我住在哪里？", "我住在成都"),
    ],
)
def test_a_statement_answers_a_question_of_oneself(question: str, text: str) -> None:
    told = [record(one, -float(n)) for n, one in enumerate(TOLD)]
    found = answering(question, told)
    assert found is not None and found.text == text


@pytest.mark.parametrize(
    "question",
    [
        "When is the deadline?",  # of nobody in particular: for the files
        "When is my deadline for the tax return?",
        "截止日期是哪天？",
        "我的租金是多少？",
    ],
)
def test_no_statement_answers_another_question(question: str) -> None:
    assert answering(question, [record(one) for one in TOLD]) is None


def test_the_newest_counts_and_whose_words_they_are_is_said() -> None:
    told = [record("My deadline is 12 May", 1.0), record("My deadline is 19 May", 2.0)]
    newest = answering("When is my deadline?", told)
    assert newest is told[1]
    assert quoted("it is 3.", 1_772_000_000.0, "en").startswith("You said on ")
    assert quoted("我吃素", 1_772_000_000.0, "zh").endswith("日说过：“我吃素”。")
