"""What is read off a question by rule, in English and Chinese."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent.reasoners.language import (
    answer_type_of,
    has_answer_of_type,
    is_follow_up,
    is_small_talk,
    language_of,
    names_in,
    standalone,
    topic_of,
)
from agent.state import AnswerType, Turn

WHO_EN = ("Who ground the lens of the refractor?", "The lens was ground by Margaret Oduya over two years.")
WHEN_EN = ("When was the contract signed?", "The contract was signed on 1 March 2026 by Ada Fischer.")
BOOK_ZH = ("《论证的运用》是谁写的？", "《论证的运用》是图尔敏写的。")


def turn(question: str, answer: str) -> Turn:
    return {"question": question, "standalone": question, "answer": answer, "outcome": "verified"}


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When did Toulmin die?", "date"),
        ("In which year was the observatory opened?", "date"),
        ("何时签署了合同？", "date"),
        ("这本书是哪一年出版的？", "date"),
        ("How many people came?", "number"),
        ("What percentage of members voted?", "number"),
        ("会费每人每年多少钱？", "number"),
        ("有几名成员出席？", "number"),
        ("Who signed the contract?", "person"),
        ("Whose lens is it?", "person"),
        ("谁主持会议？", "person"),
        ("哪位成员收取会费？", "person"),
        ("Where did Toulmin die?", "place"),
        ("Which city has the observatory?", "place"),
        ("会议在哪里举行？", "place"),
        ("List the six parts of an argument.", "list"),
        ("论证有哪些要素？", "list"),
        ("Why do people leave the warrant unsaid?", "explanation"),
        ("为什么保证常被忽略？", "explanation"),
        ("Summarise the lease.", "summary"),
        ("总结一下这份纪要。", "summary"),
        ("Is heating included in the rent?", "other"),
        ("租金包含暖气吗？", "other"),
    ],
)
def test_answer_type(question: str, kind: AnswerType) -> None:
    assert answer_type_of(question) == kind


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("hello", True),
        ("Hi there!", True),
        ("Thank you very much.", True),
        ("thanks so much", True),
        ("你好", True),
        ("谢谢你！", True),
        ("Hello, when was the contract signed?", False),
        ("help me find the deadline", False),
        ("你好，合同是什么时候签署的？", False),
        ("你是谁推荐来的？", False),
        ("", False),
    ],
)
def test_small_talk_is_only_what_asks_nothing_else(question: str, expected: bool) -> None:
    assert is_small_talk(question) is expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("When did Stephen Toulmin die?", ["Stephen Toulmin"]),
        ("In Los Angeles he met Wayne Brockriede.", ["Los Angeles", "Wayne Brockriede"]),
        ("a book called “The Uses of Argument”", ["The Uses of Argument", "Uses of Argument"]),
        ("《论证的运用》出版于1958年", ["论证的运用"]),
        ("林晓雯和 Daniel Weber 出席", ["Daniel Weber"]),
        ("影片由George Lucas导演", ["George Lucas"]),
        ("他是OpenAI公司的，George Lucas生於加州", ["OpenAI", "George Lucas"]),
        ("he likes the McCartney Rose", ["McCartney Rose"]),
        ("what is due on the first day?", []),
        ("谁签署了合同？", []),
        ("Ada met Ada and Ada Fischer", ["Ada and Ada Fischer"]),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert names_in(text) == names


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("When was it?", "en"),
        ("何时签署？", "zh"),
        ("GPT-4 是哪一年发布的？", "zh"),
        ("", "en"),
        ("1958", "en"),
    ],
)
def test_language(text: str, lang: str) -> None:
    assert language_of(text) == lang


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("When did Stephen Toulmin die?", "Stephen Toulmin"),
        ("Did Toulmin write The Uses of Argument?", "Uses of Argument"),
        ("What is the monthly rent?", "monthly rent"),
        ("《论证的运用》是哪一年出版的？", "论证的运用"),
        ("读书会的会费由谁收取？", "读书会"),
        ("天文台是什么时候开放的？", "天文台"),
    ],
)
def test_topic(question: str, topic: str) -> None:
    assert topic in topic_of(question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("and who signed it?", True),
        ("What about the deposit?", True),
        ("When was he born?", True),
        ("Why?", True),
        ("那是哪一年？", True),
        ("那它呢？", True),
        ("它的租金是多少？", True),
        ("会费呢？", True),
        ("When was the contract signed?", False),
        ("Who opened the observatory in 1897?", False),
        ("合同是什么时候签署的？", False),
        ("图尔敏的书出版于哪一年？", False),
    ],
)
def test_follow_up(question: str, expected: bool) -> None:
    assert is_follow_up(question) is expected


@pytest.mark.parametrize(
    ("before", "question", "there", "gone"),
    [
        (WHEN_EN, "and who signed it?", "contract", " it"),
        (WHO_EN, "When was she born?", "When was Margaret Oduya born?", " she "),
        (WHEN_EN, "What about the deposit?", "contract", "\n"),
        (BOOK_ZH, "那是哪一年？", "论证的运用是哪一年？", "那"),
        (BOOK_ZH, "它是哪一年出版的？", "论证的运用是哪一年出版的？", "它"),
        (BOOK_ZH, "出版社呢？", "论证的运用", "\n"),
    ],
)
def test_follow_up_gets_what_it_leans_on(
    before: tuple[str, str], question: str, there: str, gone: str
) -> None:
    written = standalone(question, [turn(*before)])
    assert there in written and gone not in written and written != question


@pytest.mark.parametrize(
    ("before", "question", "expected"),
    [
        # What is done to something, or what does something, is the object.
        ("How do I build the documentation?", "package it", "package the documentation"),
        ("How do I install toulmin?", "How do I package it?", "How do I package toulmin?"),
        ("How do I publish my project on PyPI?", "how do I package it?", "how do I package my project?"),
        ("Does toulmin run on Windows?", "How do I package it?", "How do I package toulmin?"),
        ("What is a package?", "how do I package it?", "how do I package package?"),
        # Something else is named: the question before, asked of that.
        ("How much does Orion cost?", "And Vega?", "How much does Vega cost?"),
        ("How much does Orion cost?", "What about Vega?", "How much does Vega cost?"),
        ("When was Ada Fischer born?", "And Ben Okafor?", "When was Ben Okafor born?"),
        ("What was the revenue in 2023?", "And in 2024?", "What was the revenue in 2024?"),
        ("Who sold Orion to Vega?", "And to Altair?", "Who sold Orion to Altair?"),
        ("What is the monthly rent?", "And the deposit?", "What is the deposit?"),
        ("李四的电话是多少？", "那张三呢？", "张三的电话是多少？"),
        ("李四的電話是多少？", "那張三呢", "張三的電話是多少？"),
        ("北京分公司在哪里？", "那上海呢？", "上海分公司在哪里？"),
        ("《论证的运用》是谁写的？", "那《宇宙之城》呢？", "《宇宙之城》是谁写的？"),
        ("会费2023年是多少？", "2024年呢？", "会费2024年是多少？"),
        ("Vega的价格是多少？", "Orion呢？", "Orion的价格是多少？"),
        ("读书会的会费是多少？", "押金呢？", "读书会的押金是多少？"),
        # Nothing else is named: the question before.
        ("望远镜是谁造的？", "那它呢？", "望远镜是谁造的？"),
        # "it" takes no person where there is a thing, "he" and "she" take one.
        ("When did Ada Fischer found Acme?", "What is its address?", "What is Acme's address?"),
        ("When did Ada Fischer sign the contract?", "How long is it?", "How long is the contract?"),
        ("When did Acme hire Ben Okafor?", "Where was he born?", "Where was Ben Okafor born?"),
        ("张三是什么时候创办读书会的？", "它的会费是多少？", "读书会的会费是多少？"),
        ("张三是什么时候入会的？", "他的电话呢？", "张三的电话呢？"),
        ("甲公司的年费是多少？", "那乙公司呢？", "乙公司的年费是多少？"),
        ("会费有哪三种？", "它的价格呢？", "会费的价格呢？"),
        ("How much does Plan A cost?", "And plan b?", "How much does plan b cost?"),
        ("Who booked room 11?", "What about room 14?", "Who booked room 14?"),
        (
            "How high is the fee of the club?",
            "What about the rent of flat 3B?",
            "What about the rent of flat 3B?",
        ),
    ],
)
def test_follow_up_as_it_stands_alone(before: str, question: str, expected: str) -> None:
    assert standalone(question, [turn(before, "")]) == expected


@pytest.mark.parametrize("question", ["And why?", "Really?", "And then?", "那为什么呢？", "And who signed?"])
def test_what_names_nothing_else_replaces_nothing(question: str) -> None:
    written = standalone(question, [turn("How much does Orion cost?", "Orion costs 5 euros.")])
    assert written.startswith(question.rstrip("?？")) or question in written


@pytest.mark.parametrize("before", [WHO_EN, WHEN_EN, BOOK_ZH])
@pytest.mark.parametrize(
    "question",
    [
        "Who opened the observatory in 1897?",
        "How much is the monthly rent?",
        "会费每人每年多少钱？",
        "图尔敏的书出版于哪一年？",
    ],
)
def test_ordinary_question_stays_as_it_is(before: tuple[str, str], question: str) -> None:
    assert standalone(question, [turn(*before)]) == question


@pytest.mark.parametrize("question", ["and who signed it?", "那它呢？"])
def test_without_a_turn_nothing_is_put_in(question: str) -> None:
    assert standalone(question, []) == question


def test_topic_that_is_there_already_is_not_repeated() -> None:
    question = "And when did Stephen Toulmin die?"
    assert standalone(question, [turn("Who was Stephen Toulmin?", "A philosopher.")]) == question


def test_latest_turn_counts() -> None:
    turns = [turn(*WHO_EN), turn("When did Stephen Toulmin die?", "On 4 December 2009.")]
    assert standalone("Where did he die?", turns) == "Where did Stephen Toulmin die?"
    assert "Oduya" not in standalone("它呢？", turns)


@given(
    st.text(max_size=40), st.lists(st.builds(turn, st.text(max_size=30), st.text(max_size=30)), max_size=2)
)
@bounds(max_examples=40, deadline=None)
def test_any_text_is_read_without_failing(question: str, turns: list[Turn]) -> None:
    written = standalone(question, turns)
    assert written == question or is_follow_up(question)
    assert all(name for name in names_in(question))


@pytest.mark.parametrize(
    ("kind", "sentence", "question", "expected"),
    [
        ("date", "It was signed on 1 March 2026.", "When was it signed?", 1.0),
        ("date", "合同于2026年3月1日签署。", "合同何时签署？", 1.0),
        ("date", "It was built in the last century.", "When was it built?", 1.0),
        ("date", "It was signed by Ada.", "When was it signed?", 0.0),
        ("date", "合同由她签署。", "合同何时签署？", 0.0),
        ("number", "Adults pay 9 euros.", "How much do adults pay?", 1.0),
        ("number", "会费每人每年120元。", "会费每年多少钱？", 1.0),
        ("number", "The 12 members pay.", "How much do the 12 members pay?", 0.0),
        ("number", "由何佳收取。", "会费每年多少钱？", 0.0),
        ("person", "The lens was ground by Margaret Oduya.", "Who ground the lens?", 1.0),
        ("person", "The lens was ground with care.", "Who ground the lens?", 0.0),
        ("person", "The book of Toulmin is old.", "Who was Toulmin?", 0.0),
        ("person", "由何佳收取。", "由谁收取？", 0.5),
        ("place", "Toulmin died in Los Angeles.", "Where did Toulmin die?", 1.0),
        ("other", "Heating is included.", "Is heating included?", 0.5),
        ("other", "包含暖气。", "包含暖气吗？", 0.5),
    ],
)
def test_answer_of_the_wanted_kind(kind: AnswerType, sentence: str, question: str, expected: float) -> None:
    assert has_answer_of_type(kind, sentence, question) == expected
