"""Which questions ask the same, and which are like each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.likeness import alike, key_of, same_words


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("When was the contract signed?", "when was contract signed"),
        ("When was the contract signed?", "Please, when was the contract signed?"),
        ("Can you tell me who owns the house?", "who owns the house"),
        ("会费每人每年多少钱？", "请问会费每人每年多少钱"),
        ("會費每人每年多少錢？", "会费每人每年多少钱呢"),
        ("Ｗhat is 1,024?", "what is 1024"),
    ],
)
def test_politeness_and_punctuation_do_not_tell_questions_apart(left: str, right: str) -> None:
    assert key_of(left) == key_of(right) != ""


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Who beat France?", "Who did France beat?"),
        ("What is C++?", "What is C#?"),
        ("Does the tenant pay?", "Does the tenant not pay?"),
        ("What was it in 2023?", "What was it in 2024?"),
        ("What is 1.5 kg?", "What is 15 kg?"),
        ("甲方欠乙方多少？", "乙方欠甲方多少？"),
        ("他喜欢吗？", "他不喜欢吗？"),
        ("What does Plan A cost?", "What does the plan cost?"),
        ("what does plan a cost?", "what does the plan cost?"),
        ("What is vitamin A?", "What is a vitamin?"),
    ],
)
def test_other_questions_have_other_keys(left: str, right: str) -> None:
    assert key_of(left) != key_of(right)


@given(st.text(max_size=60))
def test_a_key_is_a_digest_and_keeps_no_word(text: str) -> None:
    assert key_of(text) == key_of(f" {text} ") and len(key_of(text)) in (0, 32)


def test_alike_minds_what_is_asked_for() -> None:
    assert alike("When was the contract signed?", "The contract, when was it signed?")
    assert not alike("When was the contract signed?", "Who signed the contract?")
    assert not alike("How many members in 2023?", "How many members in 2024?")
    assert not alike("Which guests may smoke?", "Which guests may not smoke?")
    assert not alike("Who beat France?", "Who did France beat?")
    assert not alike("甲方欠乙方多少？", "乙方欠甲方多少？")
    assert alike("会费由谁收取？", "请问会费由谁收取呢")
    assert not alike("会费由谁收取？", "会费什么时候收取？")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("When was the contract signed?", "The contract: when was it signed?"),
        ("会费每人每年多少钱？", "请问会费每人每年要多少钱？"),
        ("會費由誰收取？", "会费由谁收取呢"),
        ("When's the rent due?", "When is the rent due?"),
        ("月租金是多少？", "月租金多少"),
    ],
)
def test_the_same_words_in_another_order(left: str, right: str) -> None:
    assert same_words(left, right) and same_words(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (
            "甲公司与丙公司签订的房屋租赁合同的押金是多少？",
            "乙公司与丙公司签订的房屋租赁合同的押金是多少？",
        ),
        ("张三的妻子的电话号码是多少", "张三的儿子的电话号码是多少"),
        (
            "What is the deposit of the lease that company A signed with the city?",
            "What is the deposit of the lease that company B signed with the city?",
        ),
        ("What does Plan A cost?", "What does the plan cost?"),
        ("What is vitamin A?", "What is a vitamin?"),
        ("Who is the chair of the board?", "Who was the chair of the board?"),
        ("When is my rent due?", "When is his rent due?"),
        ("What is on the roof?", "What is under the roof?"),
        ("How much was the refund to Anna from Bob?", "How much was the refund from Anna to Bob?"),
        ("合同约定的已付租金的总金额一共是多少元？", "合同约定的应付租金的总金额一共是多少元？"),
        ("张三请了谁？", "谁请了张三？"),
    ],
)
def test_a_word_more_is_another_question(left: str, right: str) -> None:
    assert not same_words(left, right)
