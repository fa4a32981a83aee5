"""Sufficiency of what is written: a claim is read in the place of what it cites, a quotation as it stands."""

from __future__ import annotations

import pytest

from agent.citations import cite
from agent.critic.speakers import asked_speaker
from agent.critic.sufficiency import IN_PART, sufficiency, thresholds
from agent.reasoners.extractive import new_claim
from agent.reasoners.features import Asked, ask
from agent.state import Claim, Evidence
from tests.test_critic import passage

LEASE = (
    "The deadline for giving notice is 12 May 2026. The monthly rent is $3,400 and is due on the first working "
    "day of the month. The tenant pays for electricity; heating and water are included in the rent."
)
MINUTES = "会费维持每人每年六十元。下次会议定于五月二十日，讨论《图尔敏》第三章，由何敏主持。"


def asked(question: str) -> Asked:
    return ask(question, lambda terms: dict.fromkeys(terms, 1.0))


def claimed(text: str, quote: str, evidence: Evidence, *, quoted: bool = False) -> Claim:
    span = {"evidence": 1, "start": evidence["text"].index(quote), "end": 0}
    span["end"] = span["start"] + len(quote)
    claim = new_claim(text, [1], [span])  # type: ignore[list-item]
    claim["citations"] = cite(claim, [evidence])
    return claim if quoted else {**claim, "spans": []}


@pytest.mark.parametrize(
    ("question", "source", "quote", "right", "beside"),
    [
        (
            "How much rent does the tenant pay each month?",
            LEASE,
            "The monthly rent is $3,400 and is due on the first working day of the month.",
            "The tenant must pay a rent of $3,400 each month.",
            "It is due on the first working day.",
        ),
        (
            "下次会议讨论什么？",
            MINUTES,
            "下次会议定于五月二十日，讨论《图尔敏》第三章，由何敏主持。",
            "下次会议讨论《图尔敏》第三章。",
            "主持的是何敏。",
        ),
    ],
)
def test_a_written_claim_is_worth_what_it_says(
    question: str, source: str, quote: str, right: str, beside: str
) -> None:
    item, least = passage(source), thresholds("default")

    def worth(text: str, *, quoted: bool = False) -> float:
        return sufficiency(asked(question), [claimed(text, quote, item, quoted=quoted)], [item])

    assert worth(right) >= least["verified"] > worth(beside)
    assert worth(right) >= worth(quote) == worth(quote, quoted=True)


STAFF = "Ada Fischer,Optics,4471,2021-03-01"
STOCK = "轴承,85,西库"


@pytest.mark.parametrize(
    ("columns", "row", "question", "there"),
    [
        ("Name | Department | Phone extension", STAFF, "What is the phone extension of Ada Fischer?", True),
        ("Name | Department | Phone extension", STAFF, "What is the salary of Ada Fischer?", False),
        ("品名 | 数量 | 仓库", STOCK, "轴承的数量是多少？", True),
        ("品名 | 数量 | 仓库", STOCK, "轴承的价格是多少？", False),
    ],
)
def test_a_row_answers_for_the_columns_that_its_table_has(
    columns: str, row: str, question: str, there: bool
) -> None:
    item: Evidence = {**passage(row), "heading": columns}
    worth = sufficiency(asked(question), [claimed(row, row, item, quoted=True)], [item])
    assert (worth >= thresholds("default")["verified"]) is there


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("我对什么过敏？", "会费改为一百二十元，我对此没有意见。"),  # 我对 is no word: it stands across two
        ("What am I allergic to?", "The monthly rent is due on the first working day."),
    ],
)
def test_what_has_no_word_of_the_question_is_no_part_of_an_answer(question: str, source: str) -> None:
    item = passage(source)
    quotation = claimed(source, source, item, quoted=True)
    assert sufficiency(asked(question), [quotation], [item]) < thresholds("lenient")["partial"]


@pytest.mark.parametrize(
    ("question", "source", "given"),
    [
        ("What does the Heron club cost?", "The Tern club costs 40 euros a year.", False),
        ("What does the Tern club cost?", "The Tern club costs 40 euros a year.", True),
        ("What did the Heron and the Tern club cost?", "The Tern club costs 40 euros a year.", True),
        ("What does membership of the RSPB cost?", "Membership costs 40 euros a year.", True),  # written out
        ("张三的年费是多少？", "李四的年费是每年一百二十元。", False),
        ("李四的年费是多少？", "李四的年费是每年一百二十元。", True),
        ("What is the annual fee of Li Si?", "李四的年费是每年一百二十元。", True),  # in another script
    ],
)
def test_what_is_anothers_is_no_part_of_an_answer(question: str, source: str, given: bool) -> None:
    item = passage(source)
    worth = sufficiency(asked(question), [claimed(source, source, item, quoted=True)], [item])
    assert (worth >= thresholds("lenient")["partial"]) == given, worth


@pytest.mark.parametrize(
    ("question", "source", "verified"),
    [
        ("What did Ada Fischer say?", "Ada Fischer said that the rent is too high.", True),
        ("What did Ada Fischer say?", "Ada Fischer and Bo Lind were at the meeting.", False),
        ("王小川说了什么？", "王小川说，大模型还很贵。", True),
        ("王小川说了什么？", "王小川：大模型还很贵。", True),
        ("王小川说了什么？", "第二层是像王小川、王慧文这样有成功案例的人。", False),
    ],
)
def test_what_is_only_said_of_somebody_is_not_what_he_said(
    question: str, source: str, verified: bool
) -> None:
    item = passage(source)
    worth = sufficiency(asked(question), [claimed(source, source, item, quoted=True)], [item])
    assert (worth > IN_PART) == verified, worth


@pytest.mark.parametrize(
    "question", ["文章讲了什么？", "会议谈了什么？", "What does the lease say?", "他说了什么？"]
)
def test_what_a_text_says_is_no_question_of_a_speaker(question: str) -> None:
    assert not asked_speaker(question)
