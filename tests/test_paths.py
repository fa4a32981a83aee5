"""Several drafts of one answer: what each path reads, which claims say the same, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent import Agent, Answer, Settings
from agent.errors import ModelError
from agent.paths import best_of, rank, says_same, turned
from agent.reasoners.extractive import new_claim
from agent.reasoners.scripted import ScriptedChat
from agent.state import Claim, Draft, Evidence
from retrieval.embed import HashEmbedder
from retrieval.library import Library
from tests.conftest import SAMPLE, ask_in, assert_cited
from tests.sample import CONTRACT, FEE, PAID, REWORDED, SIGNED, WRONG, drafted
from tests.test_chat_reasoner import passage

RENT = "The monthly rent is $3,400."
SAID = {CONTRACT: SIGNED, FEE: PAID}


def evidence(count: int) -> list[Evidence]:
    return [passage(n, f"Passage {n} 第{n}段。") for n in range(1, count + 1)]


def claim(text: str, supported: bool = True, cites: int = 1) -> Claim:
    return {**new_claim(text, [cites]), "verdict": "supported" if supported else "unsupported"}


def judged(*claims: Claim, sufficiency: float = 0.9) -> Draft:
    return {"claims": list(claims), "sufficiency": sufficiency, "missing": [], "round": 0}


def texts(draft: Draft) -> list[str]:
    return [one["text"] for one in draft["claims"]]


# --- turned ---------------------------------------------------------------------------------------------


@given(st.integers(0, 12), st.integers(0, 7))
@bounds(deadline=None)
def test_each_path_reads_all_the_evidence_in_an_order_of_its_own(count: int, path: int) -> None:
    items = evidence(count)
    order = turned(items, path)
    assert sorted(one["number"] for one in order) == list(range(1, count + 1))
    assert all(one is items[one["number"] - 1] for one in order), "numbers and texts stay as they are"
    assert path or order == items


def test_the_first_paths_begin_at_different_places() -> None:
    begins = [turned(evidence(9), path)[0]["number"] for path in range(6)]
    assert begins[:2] == [1, 9] and len(set(begins)) == 6


# --- says_same ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (SIGNED, "On 1 March 2026 the contract was signed by Ada Fischer.", True),
        (SIGNED, "The contract was signed on 2 March 2026 by Ada Fischer.", False),
        (SIGNED, RENT, False),
        ("The rent is high.", "The rent is 3400.", False),
        (PAID, "会费由何佳收取，每人每年120元。", True),
        (PAID, "会费由何佳收取，每人每年130元。", False),
        (PAID, "下一次读第三章。", False),
        ("the of", "the of", False),
        ("", "", False),
    ],
)
def test_claims_say_the_same_by_words_and_numbers(left: str, right: str, same: bool) -> None:
    assert says_same(claim(left), claim(right)) is same
    assert says_same(claim(right), claim(left)) is same


# --- rank and best_of -----------------------------------------------------------------------------------


def test_rank_prefers_what_answers_then_what_is_supported_then_what_fails_least() -> None:
    drafts = [
        judged(claim(RENT), sufficiency=0.95),
        judged(claim(RENT), claim(SIGNED)),
        judged(claim(RENT)),
        judged(claim(RENT), claim(SIGNED, False)),
        judged(claim(RENT, False)),
        judged(sufficiency=0.0),
    ]
    assert sorted(drafts, key=rank, reverse=True) == drafts
    assert max([judged(claim("a")), judged(claim("b"))], key=rank)["claims"][0]["text"] == "a"


@pytest.mark.parametrize("question", [CONTRACT, FEE])
def test_a_failed_claim_gives_way_to_one_that_cites_the_same(question: str) -> None:
    bad, good = claim(WRONG[question], False), claim(SAID[question])
    more = claim("另外一条有据可查的陈述。", cites=2)
    first = judged(bad, more, more)
    assert texts(best_of([first, judged(good)])) == [good["text"], more["text"], more["text"]]
    elsewhere = claim(SAID[question], cites=3)
    assert texts(best_of([first, judged(elsewhere)])) == texts(first), "it rests on something else"


def test_a_failed_claim_never_hides_a_supported_one() -> None:
    bad = claim("The contract was signed on 1 March 2026 by Grace Hopper, the landlord.", False)
    assert SIGNED in texts(best_of([judged(bad, claim(SIGNED)), judged()]))
    assert texts(best_of([judged(bad, claim(SIGNED)), judged(claim(SIGNED))])).count(SIGNED) == 1


def test_supported_claims_of_one_draft_stay_however_alike_they_are() -> None:
    pair = [claim("Ann Lee leads the water project."), claim("Bob Ray leads the water project.")]
    assert texts(best_of([judged(*pair), judged()])) == [one["text"] for one in pair]
    pair = [claim("李明负责供水项目。"), claim("王红负责供水项目。")]
    assert texts(best_of([judged(*pair), judged()])) == [one["text"] for one in pair]


def test_what_most_of_the_other_drafts_say_is_added_once() -> None:
    first = judged(claim(SIGNED), claim(PAID))
    with_rent = judged(claim(RENT), sufficiency=0.8)
    assert texts(best_of([first, with_rent, with_rent])) == [SIGNED, PAID, RENT]
    assert texts(best_of([first, with_rent, judged(sufficiency=0.1)])) == [SIGNED, PAID]
    unsupported = judged(claim(RENT, False), sufficiency=0.1)
    assert texts(best_of([first, unsupported, unsupported])) == [SIGNED, PAID]


CLAIMS = st.builds(
    claim, st.sampled_from([SIGNED, RENT, PAID, *WRONG.values(), ""]), st.booleans(), st.integers(1, 2)
)


@given(
    st.lists(
        st.builds(judged, CLAIMS, CLAIMS, sufficiency=st.sampled_from([0.2, 0.9])), min_size=1, max_size=4
    )
)
@bounds(deadline=None)
def test_nothing_is_made_up_and_nothing_supported_is_lost(drafts: list[Draft]) -> None:
    before, best = max(drafts, key=rank), best_of(drafts)
    written = [one for draft in drafts for one in draft["claims"]]
    assert all(one in written for one in best["claims"])
    assert all(one in best["claims"] for one in before["claims"] if one["verdict"] == "supported")
    assert rank(best) >= rank(before)


# --- whole runs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    with Library(tmp_path_factory.mktemp("paths"), HashEmbedder) as opened:
        opened.add([SAMPLE])
        yield opened


def asked(library: Library, question: str, *replies: Any, judge: Any = None, **limits: Any) -> Answer:
    chat = ScriptedChat(replies=list(replies))
    answer = ask_in(library, question, chat=chat, judge=judge, max_rounds=0, **limits)
    assert_cited(library, answer)
    assert chat.remaining == 0
    return answer


@pytest.mark.parametrize("question", [CONTRACT, FEE])
def test_three_paths_give_the_same_kind_of_answer(library: Library, question: str) -> None:
    good, bad = SAID[question], WRONG[question]
    one = asked(library, question, drafted(good), paths=1)
    three = asked(library, question, drafted(bad), drafted(good), drafted(good), paths=3)
    assert (three.outcome, three.text) == (one.outcome, one.text) == ("verified", good)
    assert type(three) is Answer and set(three.to_json()) == set(one.to_json())


def test_paths_read_different_orders_and_may_cite_the_same_numbers(library: Library) -> None:
    chat = ScriptedChat(replies=[drafted(SIGNED)] * 3)
    assert ask_in(library, CONTRACT, chat=chat, paths=3, max_rounds=0).text == SIGNED
    orders = [
        [int(part.split('"')[0]) for part in str(call[-1].text).split('<passage number="')[1:]]
        for call in chat.history
    ]
    assert orders[1] == orders[0][::-1] and sorted(orders[2]) == orders[0] and len(orders[0]) > 2
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("question", [CONTRACT, FEE])
def test_a_path_that_fails_is_drafted_by_quotation(library: Library, question: str) -> None:
    down = ModelError("down")
    answer = asked(library, question, drafted(SAID[question]), down, down, paths=3)
    assert (answer.outcome, answer.notes) == ("verified", ("draft: down",))
    answer = asked(library, question, down, down, down, paths=3)
    assert answer.outcome == "verified" and answer.claims


@pytest.mark.parametrize("question", [CONTRACT, FEE])
def test_extractive_paths_change_nothing(library: Library, question: str) -> None:
    one, three = (ask_in(library, question, paths=paths) for paths in (1, 3))
    assert_cited(library, three)
    assert (one.outcome, one.text) == (three.outcome, three.text)


# --- the judge model ------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [CONTRACT, FEE])
@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        ({"S1": "supported"}, "verified"),
        ({"S1": "unsupported"}, "abstained"),
        (ModelError("down"), "unverified"),
    ],
    ids=["yes", "no", "down"],
)
def test_verdicts_come_from_the_judge_model(
    library: Library, question: str, verdict: Any, outcome: str
) -> None:
    judge = ScriptedChat(replies=[verdict])
    answer = asked(library, question, drafted(REWORDED[question]), paths=1, judge=judge)
    assert answer.outcome in ({outcome, "partial"} if outcome == "verified" else {outcome})
    assert bool(answer.claims) is (outcome == "verified")
    assert judge.remaining == 0 and "S1: " in str(judge.history[0][-1].text)


def test_the_judge_model_drafts_every_other_path(library: Library) -> None:
    judge = ScriptedChat(replies=[drafted(SIGNED)])
    answer = asked(library, CONTRACT, drafted(WRONG[CONTRACT]), drafted(), paths=3, judge=judge)
    assert (answer.outcome, answer.text) == ("verified", SIGNED)
    assert judge.remaining == 0 and answer.tokens > 0


def test_a_judge_that_cannot_draft_costs_one_path(library: Library) -> None:
    judge = ScriptedChat(replies=[ModelError("gone")])
    answer = asked(library, FEE, drafted(PAID), paths=2, judge=judge)
    assert (answer.outcome, answer.notes) == ("verified", ("draft: gone",)) and PAID in answer.text


def test_a_judge_without_a_writer_is_not_asked(library: Library) -> None:
    judge = ScriptedChat()
    assert ask_in(library, CONTRACT, judge=judge, paths=2).outcome == "verified"
    assert judge.history == []


def test_a_run_of_several_paths_is_recorded_as_any_other(settings: Settings) -> None:
    recorded = []
    for paths in (1, 3):
        chat = ScriptedChat(replies=[drafted(SIGNED)] * paths)
        with Agent(replace(settings, paths=paths), chat_model=chat) as agent:
            agent.add(SAMPLE / "lease.txt")
            answer = agent.ask(CONTRACT)
            recorded.append(agent.library.store.run(answer.run_id))
    one, three = recorded
    assert one["outcome"] == three["outcome"] == "verified" and set(one) == set(three)
    assert set(one["payload"]) == set(three["payload"])
    names = [[event["event"] for event in run["payload"]["events"]] for run in recorded]
    assert names[0] == names[1]
