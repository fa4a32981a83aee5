"""Faults found once, in both languages: each must stay mended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import Agent, Settings
from agent.citations import cite
from agent.critic import critique_claims
from agent.critic.checks import CHECKS
from agent.reasoners.extractive import Extractive, new_claim
from agent.reasoners.features import plain
from agent.reasoners.language import names_in, standalone
from agent.reasoners.scripted import ScriptedChat
from agent.state import Turn
from retrieval.library import Library
from tests.test_critic import passage, say


@pytest.fixture(scope="module")
def reader(home: Path) -> Iterator[Agent]:
    with Agent(Settings(home=home, remember=False)) as agent:
        yield agent


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        # 1. a dropped negation hides behind another one
        (
            "The tenant may not sublet the workshop without the landlord's written consent.",
            "The tenant may sublet the workshop without the landlord's written consent.",
        ),
        ("没有书面同意，承租人不得转租。", "没有书面同意，承租人可以转租。"),
        ("他并没有不签署合同。", "他没有签署合同。"),
        # 2. one word swapped: 60 % of the words suffice
        ("The tenant pays for electricity.", "The landlord pays for electricity."),
        ("Repairs below $150 are the tenant's business.", "Repairs above $150 are the tenant's business."),
        ("会费每人每年120元，由何佳收取。", "会费每人每年120元，由林晓雯收取。"),
        ("读书会改在周四晚上七点开始。", "读书会改在周五晚上七点开始。"),
        ("读书会改在周四晚上七点开始。", "读书会改在周四晚上八点开始。"),
        # 3. the same words in another order
        ("The tenant pays the landlord for electricity.", "The landlord pays the tenant for electricity."),
        ("Toulmin died in 2009 and was born in 1922.", "Toulmin died in 1922 and was born in 2009."),
        ("The match was won 3-1 by Leeds.", "The match was won 1-3 by Leeds."),
        # 4. names as a bag of words
        ("Ada Fischer met Daniel Weber.", "Ada Weber met Daniel Fischer."),
        # 5. numbers of dates count as numbers
        ("The club met on 12 May 2026.", "The club of 12 met in May 2026."),
        # 6. "about" anywhere lets every number be 5 % off
        ("The fee is 100 euros for some members.", "The fee for some members is 104 euros."),
        ("会费每人每年120元。", "最近会费每人每年125元。"),
        # 7. May the month is taken for a hedge
        ("The deadline is probably 12 May 2026.", "The deadline is 12 May 2026."),
        # 8. a unit against a bare number
        ("The rent rose by 7 points.", "The rent rose by 7 %."),
    ],
)
def test_what_the_source_does_not_say_is_not_supported(hashed: Library, source: str, claim: str) -> None:
    critiqued = critique_claims(
        "q", [new_claim(claim, [1])], [passage(source)], {1: source}, Extractive(hashed)
    )
    assert critiqued[0]["verdict"] != "supported"


@pytest.mark.parametrize(
    ("check", "claim", "source"),
    [
        ("hedges", "the deadline is 2026-05-12", "The deadline is 12 May 2026."),
        ("hedges", "截止日期是2026年5月12日", "The deadline is 12 May 2026."),
        ("names", "Guests pay.", "Every guest pays."),
        ("numbers", "About 98 people came.", "100 people came."),
    ],
)
def test_what_agrees_is_not_refused(check: str, claim: str, source: str) -> None:
    assert say(check, claim, source) == "supported"


@pytest.mark.parametrize(
    "question",
    [
        "How many days from the date the contract was signed to the deadline for giving notice?",
        "How many days from the contract date to the deadline for giving notice?",
    ],
)
def test_days_between_two_dates_of_the_lease(reader: Agent, question: str) -> None:
    answer = reader.ask(question)
    assert "72" in answer.text and answer.outcome == "verified"
    assert all(Path(c.path).name == "lease.txt" for claim in answer.claims for c in claim.citations)


@pytest.mark.parametrize("question", ["How many days from the deadline for giving notice to 1 June 2026?"])
def test_tool_result_over_a_date_in_may(reader: Agent, question: str) -> None:
    assert "20 days" in reader.ask(question).text


@pytest.mark.parametrize(
    "question",
    [
        "How many days from the date the contract was signed to the end of the war?",
        "从签署合同那天到战争结束有多少天？",
    ],
)
def test_a_computation_that_cannot_be_done_is_not_answered_by_a_date(reader: Agent, question: str) -> None:
    assert reader.ask(question).outcome == "abstained"


@pytest.mark.parametrize(
    "error", [RuntimeError("connection refused"), OSError("reset"), ValueError("bad reply")]
)
def test_any_failure_of_a_chat_model_lets_the_extractive_reasoner_stand_in(
    home: Path, error: Exception
) -> None:
    chat = ScriptedChat(replies=[error])
    with Agent(Settings(home=home, remember=False, max_rounds=0), chat_model=chat) as agent:
        assert agent.ask("When was the contract signed?").outcome == "verified"


BEFORE: list[Turn] = [
    {
        "question": "Who ground the lens of the refractor?",
        "standalone": "Who ground the lens of the refractor?",
        "answer": "Its refractor has a lens which was ground by Margaret Oduya over two years.",
        "outcome": "verified",
    }
]
BEFORE_ZH: list[Turn] = [
    {
        "question": "《论证的运用》是谁写的？",
        "standalone": "《论证的运用》是谁写的？",
        "answer": "图尔敏写的。",
        "outcome": "verified",
    }
]


@pytest.mark.parametrize(
    ("turns", "question"),
    [
        (BEFORE, "What is the deposit that the tenant paid?"),
        (BEFORE, "What did Toulmin say about his model?"),
        (BEFORE, "What is Toulmin?"),
        (BEFORE, "Who signed the contract on this page of the lease?"),
        (BEFORE, "hello"),
        (BEFORE_ZH, "除其他人外，谁出席了会议？"),
        (BEFORE_ZH, "尤其重要的要素是什么？"),
        (BEFORE_ZH, "读书会是这样决定的吗？"),
        (BEFORE_ZH, "你好"),
        (BEFORE_ZH, "谢谢"),
    ],
)
def test_question_that_stands_on_its_own_is_left_alone(turns: list[Turn], question: str) -> None:
    assert standalone(question, turns) == question


@pytest.mark.parametrize(
    ("turns", "question", "expected"),
    [
        (BEFORE, "How long did she take?", "How long did Margaret Oduya take?"),
        (BEFORE_ZH, "那它呢？", "《论证的运用》是谁写的？"),
    ],
)
def test_follow_up_reads_well(turns: list[Turn], question: str, expected: str) -> None:
    assert standalone(question, turns) == expected


@pytest.mark.parametrize(
    ("first", "said"), [("When was the contract signed?", "hello"), ("会费每人每年多少钱？", "谢谢")]
)
def test_small_talk_in_a_thread_searches_nothing(own_sample: Settings, first: str, said: str) -> None:
    with Agent(own_sample) as agent:
        agent.ask(first, thread="t")
        assert agent.ask(said, thread="t").queries == ()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("-5 °C was measured.", "-5 °C was measured."),
        ("2**10 is 1024.", "2**10 is 1024."),
        (">5 people", ">5 people"),
    ],
)
def test_plain_keeps_signs_and_powers(written: str, shown: str) -> None:
    assert plain(written) == shown


@pytest.mark.parametrize("text", ["Visitors are welcome.", "It is old. Guests pay."])
def test_word_that_opens_a_sentence_is_no_name(text: str) -> None:
    assert names_in(text) == []


@pytest.mark.parametrize(
    "question", ["Who designed the hill observatory's famous lenses and refractors in 1850?"]
)
def test_new_queries_are_words_that_the_index_holds(reader: Agent, question: str) -> None:
    """The index is not stemmed, so a stemmed query finds nothing by its stems."""
    events = list(reader.stream(question))
    queries = [q["text"] for event in events if event["event"] == "reformulate" for q in event["queries"]]
    whole = {
        term
        for event in events
        if event["event"] == "settled"
        for item in event["answer"]["evidence"]
        for term in item["text"].lower().split()
    }
    assert queries
    for word in ("observatori", "len", "refractor"):
        assert word in whole or all(word not in query.split() for query in queries)


def test_a_citation_does_not_reach_beyond_the_source() -> None:
    from agent.citations import holds

    item = passage("The end.")
    [citation] = cite(new_claim("The end.", [1]), [item])
    assert CHECKS and not holds({**citation, "end": citation["end"] + 9}, {1: "The end."})
