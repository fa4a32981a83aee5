"""What the checks make of sound rewritings and of faults, under a judge that says yes to everything."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.critic import critique_claims
from agent.reasoners.extractive import Extractive, new_claim
from agent.state import Claim, Evidence, Verdict
from retrieval.library import Library
from tests.test_critic import passage

PRIZE = (
    "Marie Curie was born in Warsaw on 7 November 1867 and won the Nobel Prize in Physics in 1903 with Pierre"
    " Curie. She was the first woman to win it."
)
FIRM = (
    "The company earned 3.5 million dollars in 2019, up 7% from 2018. Revenue was more than 1,024 thousand euros."
    " Ada Fischer said that costs fell by 12 km."
)
LEASE = (
    "The tenant pays the landlord a deposit of two months before the lease begins. The landlord may not enter"
    " without notice. See https://example.com/lease for details."
)
TALK = "林咏华：我们周四晚上七点开会，会费每人120元。\n何佳：我不同意，应该改到周五。\n陈明表示，读书会超过三十人参加，王小红没有参加。"
SPEECH = "1998年5月5日，北京大学教授李明在上海发表了题为《数据的力量》的演讲，约一万二千人参加，占总数的7%。他曾获得诺贝尔奖。"


class Gullible(Extractive):
    def judge(
        self, question: str, claims: Sequence[Claim], evidence: Sequence[Evidence]
    ) -> list[tuple[Verdict, str]]:
        return [("supported", "yes")] * len(claims)


def is_kept(library: Library, source: str, claim: str, evidence: list[int] | None = None) -> bool:
    claims = [new_claim(claim, evidence or [1])]
    critiqued = critique_claims("q", claims, [passage(source)], {1: source}, Gullible(library))
    return all(claim["verdict"] == "supported" for claim in critiqued)


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        (PRIZE, "Curie was born on November 7, 1867."),
        (PRIZE, "Marie Curie was born in 1867 in Warsaw."),
        (PRIZE, "According to the text, Marie Curie won the Nobel Prize in Physics in 1903."),
        (PRIZE, "In 1903, Marie Curie won the Nobel Prize in Physics."),
        (PRIZE, "Marie Curie shared the 1903 physics prize with Pierre Curie."),
        (PRIZE, "玛丽·居里1867年11月7日出生于华沙。"),
        (FIRM, "The company earned $3.5 million in 2019."),
        (FIRM, "The company earned 3,500,000 dollars in 2019."),
        (FIRM, "In 2019 the company's earnings rose seven percent compared with 2018."),
        (FIRM, "According to Ada Fischer, costs fell by 12 km."),
        (LEASE, "The tenant pays a deposit of two months to the landlord before the lease begins."),
        (LEASE, "A deposit of two months is paid by the tenant to the landlord."),
        (LEASE, "The landlord must not enter without giving notice."),
        (LEASE, "Details are at https://example.com/lease."),
        (TALK, "林咏华说周四晚上七点开会。"),
        (TALK, "会费每人一百二十元。"),
        (TALK, "何佳认为应该改到周五。"),
        (TALK, "据陈明介绍，读书会超过三十人参加。"),
        (TALK, "The fee is 120 yuan per person."),
        (SPEECH, "约12,000人参加了演讲，占总数的百分之七。"),
        (SPEECH, "约１２０００人参加。"),
        (SPEECH, "据文中所述，李明在1998年于上海发表演讲。"),
        (SPEECH, "Li Ming gave a talk in Shanghai on 5 May 1998 before about 12,000 people."),
    ],
)
def test_sound_rewriting_is_left_to_the_judge(hashed: Library, source: str, claim: str) -> None:
    assert is_kept(hashed, source, claim)


@pytest.mark.parametrize(
    ("source", "claim"),
    [
        (PRIZE, "In 1867, Marie Curie won the Nobel Prize in Physics."),
        (PRIZE, "Marie Curie was born in Warsaw in 1903."),
        (PRIZE, "Pierre Curie was born in Warsaw on 7 November 1867."),
        (PRIZE, "Marie Curie won the Nobel Prize in Chemistry in 1903."),
        (PRIZE, "Marie Curie was not born in Warsaw."),
        (PRIZE, "Marie Curie was the second woman to win it."),
        (PRIZE, "玛丽·居里1868年11月7日出生于华沙。"),
        (FIRM, "The company earned 3.5 billion dollars in 2019."),
        (FIRM, "The company earned 3.5 million euros in 2019."),
        (FIRM, "The company earned 3.5 million dollars in 2018."),
        (FIRM, "Revenue was less than 1,024 thousand euros."),
        (FIRM, "Daniel Weber said that costs fell by 12 km."),
        (FIRM, "Costs fell by 12 miles, Ada Fischer said."),
        (LEASE, "The landlord pays the tenant a deposit of two months before the lease begins."),
        (LEASE, "The tenant pays the landlord a deposit of two months after the lease begins."),
        (LEASE, "The landlord may enter without notice."),
        (LEASE, "See https://example.com/rent for details."),
        (LEASE, "The tenant pays the landlord a deposit of two months (see section 4.2)."),
        (LEASE, "The tenant pays the landlord a deposit of two months, as rent-2019.pdf says."),
        (TALK, "何佳说周四晚上七点开会。"),
        (TALK, "林咏华认为应该改到周五。"),
        (TALK, "王小红认为，读书会超过三十人参加。"),
        (TALK, "读书会不到三十人参加。"),
        (TALK, "王小红参加了读书会。"),
        (TALK, "我们周五晚上七点开会。"),
        (TALK, "我们周四晚上八点开会。"),
        (TALK, "The fee is 130 yuan per person."),
        (SPEECH, "清华大学教授李明在上海发表了演讲。"),
        (SPEECH, "李明在北京发表了题为《数据的力量》的演讲。"),
        (SPEECH, "李明未曾获得诺贝尔奖。"),
        (SPEECH, "李明发表了题为《数据的价值》的演讲。"),
        (SPEECH, "1998年5月6日，李明在上海发表演讲。"),
        (SPEECH, "李明在上海发表演讲（见第三节）。"),
    ],
)
def test_fault_is_refused_whatever_the_judge_says(hashed: Library, source: str, claim: str) -> None:
    assert not is_kept(hashed, source, claim)


def test_a_number_of_evidence_that_does_not_exist_is_refused(hashed: Library) -> None:
    claim = "The tenant pays the landlord a deposit of two months before the lease begins."
    assert is_kept(hashed, LEASE, claim)
    assert not is_kept(hashed, LEASE, claim, [1, 7])
