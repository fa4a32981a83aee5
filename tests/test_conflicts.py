"""Contradicting sources: what is one, what only looks like one, and how it is said; in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.citations import cite
from agent.conflicts import Conflict, conflicts
from agent.reasoners.extractive import new_claim
from agent.reasoners.features import ask
from agent.state import Evidence


def passage(text: str, number: int, title: str = "", heading: str = "") -> Evidence:
    return {
        "number": number,
        "kind": "passage",
        "chunk_id": number,
        "document_id": number,
        "path": f"{number}.txt",
        "title": title,
        "heading": heading,
        "page": None,
        "start": 100,
        "end": 100 + len(text),
        "text": text,
        "score": 0.5,
        "cosine": 0.5,
        "query": "q",
        "relevance": 1.0,
        "link": None,
        "round": 0,
        "rests_on": [],
    }


def found(question: str, ours: str, *others: str, titles: tuple[str, ...] = ()) -> list[Conflict]:
    """What contradicts the claim that quotes `ours` whole."""
    texts = [ours, *others]
    evidence = [passage(t, n, titles[n - 1] if titles else "") for n, t in enumerate(texts, 1)]
    claim = new_claim(ours, [1], [{"evidence": 1, "start": 100, "end": 100 + len(ours)}])
    claim["citations"] = cite(claim, evidence)
    claim["verdict"] = "supported"
    return conflicts(ask(question, lambda terms: dict.fromkeys(terms, 3.0)), [claim], evidence)


@pytest.mark.parametrize(
    ("question", "ours", "theirs", "what"),
    [
        ("How much is the fee?", "The fee is 200 euros.", "The fee is 250 euros.", "number"),
        (
            "How much is the fee?",
            "The fee is 200 euros.",
            "According to the office, the fee is 250 euros.",
            "number",
        ),
        (
            "How long is the river Inn?",
            "The river Inn is 517 km long.",
            "The river Inn is 498 km long.",
            "number",
        ),
        (
            "When was the contract with Acme signed?",
            "The contract with Acme was signed on 1 March 2024.",
            "On 2 April 2024 the contract with Acme was signed.",
            "date",
        ),
        (
            "When was the library in Graz founded?",
            "The library in Graz was founded in 1895.",
            "The library in Graz was founded in 1901, which makes it the oldest of its kind.",
            "date",
        ),
        (
            "Who wrote the report on water quality?",
            "The report on water quality was written by Ada Brown.",
            "The report on water quality was written by Carl Weber.",
            "name",
        ),
        (
            "Is the swimming pool open on Sundays?",
            "The swimming pool is open on Sundays.",
            "The swimming pool is not open on Sundays.",
            "negation",
        ),
        ("会费每年多少钱？", "会费每年120元。", "会费每年150元。", "number"),
        ("會費每年多少錢？", "會費每年120元。", "根據規定，會費每年150元。", "number"),
        ("图书馆什么时候成立？", "图书馆成立于1998年5月。", "图书馆成立于1999年5月。", "date"),
        ("谁担任学校的校长？", "学校的校长由李明担任。", "学校的校长由王强担任。", "name"),
        ("周日游泳馆开放吗？", "游泳馆周日对外开放。", "游泳馆周日不对外开放。", "negation"),
    ],
)
def test_says_otherwise(question: str, ours: str, theirs: str, what: str) -> None:
    (conflict,) = found(question, ours, theirs)
    assert (conflict["claim"], conflict["evidence"], conflict["what"]) == (0, 2, what)
    assert (conflict["start"], conflict["end"]) == (100, 100 + len(theirs))
    assert conflict["ours"] != conflict["theirs"]


@pytest.mark.parametrize(
    ("question", "ours", "theirs"),
    [
        # Another subject, condition or time.
        ("How much is the fee?", "The fee for students is 200 euros.", "The fee for adults is 250 euros."),
        ("How much is the fee?", "The fee is 200 euros.", "The fee for students is 150 euros."),
        ("How much was the fee?", "In 2019 the fee was 200 euros.", "In 2021 the fee was 250 euros."),
        ("How much is the fee?", "The fee is 200 euros.", "The fee was 180 euros."),
        ("How much is the fee in Graz?", "The fee in Graz is 200 euros.", "The fee in Linz is 250 euros."),
        ("How many members are there?", "It has 200 members.", "It has 250 members."),
        ("How long is step 1?", "In step 1 wait for 5 minutes.", "In step 2 wait for 10 minutes."),
        ("学生票多少钱？", "学生票价为20元。", "成人票价为50元。"),
        ("会费是多少？", "2019年会费是200元。", "2021年会费是250元。"),
        ("When is the parking permit valid?", "The parking permit is valid from 1 May 2024.",
         "The parking permit is valid until 1 May 2025."),
        ("停车证什么时候有效？", "停车证自2024年5月起有效。", "停车证2025年5月前有效。"),
        # The same value.
        ("How many people live in Graz?", "Graz has 1.2 million people.", "Graz has 1,200,000 people."),
        ("How many people live in Graz?", "Graz has about 200 people.", "Graz has 204 people."),
        ("How many people live in Graz?", "Graz has more than 200 people.", "Graz has 240 people."),
        ("How far is the lake from Graz?", "The lake is 5 km from Graz.", "The lake is 5,000 metres from Graz."),
        ("When did the club open?", "The chess club opened in 1998.", "The chess club opened on 5 May 1998."),
        ("会费每年多少钱？", "会费每年120元。", "每年会费一百二十元。"),
        ("全市有多少人？", "全市人口约120万人。", "全市人口1198000人。"),
        ("全市有多少人？", "全市人口不少于120万人。", "全市人口130万人。"),
        ("全市有多少人？", "全市人口不低於120萬人。", "全市人口130萬人。"),
        ("How many people live in Graz?", "Graz has no fewer than 200 people.", "Graz has 240 people."),
        ("How many grains are there?", "It has 1e71 grains.", "It has about 1e71 grains."),
        # Not the value that was asked for.
        ("Who signed the contract with Acme?", "Ada signed the contract with Acme in 2019.",
         "Ada signed the contract with Acme in 2020."),
        # Doubt is no contradiction.
        ("How much is the fee?", "The fee is 200 euros.", "It is false that the fee is 250 euros."),
        ("会费每年多少钱？", "会费每年120元。", "如果会费每年150元。"),
    ],
)  # fmt: skip
def test_may_both_be_right(question: str, ours: str, theirs: str) -> None:
    assert found(question, ours, theirs) == []


def test_a_title_names_the_subject() -> None:
    texts = "How many members has it?", "It has 200 members.", "It has 250 members."
    assert found(*texts, titles=("Chess club", "Chess club"))
    assert not found(*texts, titles=("Chess club", "Rowing team"))
    named = "How many members has the rowing team?", *texts[1:]
    assert not found(*named, titles=("Rowing team", "Chess club"))


def test_one_conflict_for_each_document_and_claim() -> None:
    again = "The fee is 250 euros. The fee is 250 euros."
    assert [c["evidence"] for c in found("How much is the fee?", "The fee is 200 euros.", again, again)] == [
        2,
        3,
    ]


LEADS = {"en": ["", "According to the town office, ", "In fact, "], "zh": ["", "据了解，", "根据官方介绍，"]}
FACTS = [
    ("en", "How many seats has the theatre in Graz?", "{lead}the theatre in Graz has {n} seats."),
    ("en", "How much is the yearly fee?", "{lead}the yearly fee is {n} euros."),
    ("en", "In what year was the bridge at Linz built?", "{lead}the bridge at Linz was built in {y}."),
    ("zh", "会费每年多少钱？", "{lead}会费每年{n}元。"),
    ("zh", "图书馆是哪一年成立的？", "{lead}图书馆成立于{y}年。"),
]


@given(st.sampled_from(FACTS), st.integers(0, 2), st.integers(101, 899), st.integers(1, 9))
def test_altered_copies_contradict_and_agreeing_ones_do_not(
    fact: tuple[str, str, str], lead: int, value: int, more: int
) -> None:
    lang, question, form = fact

    def said(n: int, lead: str) -> str:
        return form.format(lead=lead, n=n, y=1100 + n)

    # A round number may be a rounded one and four digits a year: neither is among these.
    ours, altered = 10 * (value // 10) + 1, 10 * ((value + 10 * more) // 10) + 3
    assert found(question, said(ours, ""), said(altered, LEADS[lang][lead]))
    assert not found(question, said(ours, ""), said(ours, LEADS[lang][lead]))


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_spans_stand_in_the_source(question: str, ours: str, theirs: str) -> None:
    for conflict in found(question, ours or "x", theirs or "x"):
        assert 100 <= conflict["start"] < conflict["end"] <= 100 + len(theirs)


@pytest.mark.parametrize(
    ("question", "ours", "theirs"),
    [
        ("How much is the budget?", "The budget is 4,200 euros.", "The budget is 5,000 euros."),
        ("预算是多少？", "预算是三百元。", "预算是五百元。"),
    ],
)
def test_two_senders_are_not_two_subjects(question: str, ours: str, theirs: str) -> None:
    """Headings of messages say who writes; those of documents may say of what."""
    left = passage(ours, 1, heading="Dinner — Anna Lind, 2025-03-03")
    right = passage(theirs, 2, heading="Tickets — Bob Li, 2025-03-14")
    claim = new_claim(ours, [1], [{"evidence": 1, "start": 100, "end": 100 + len(ours)}])
    claim["citations"] = cite(claim, [left, right])
    claim["verdict"] = "supported"
    asked = ask(question, lambda terms: dict.fromkeys(terms, 3.0))
    assert conflicts(asked, [claim], [left, right]) == []
    left["who"], right["who"] = ["Anna Lind <anna@example.org>"], ["Bob Li <bob@example.org>"]
    assert [one["what"] for one in conflicts(asked, [claim], [left, right])] == ["number"]
