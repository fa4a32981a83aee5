"""Traditional and simplified Chinese: a question in one script finds and verifies documents in the other."""

from __future__ import annotations

import pytest

from agent.critic.facts import chinese_names
from agent.reasoners.scripted import ScriptedChat
from retrieval.library import Library
from tests.conftest import ask_in, assert_cited
from tests.test_chat_reasoner import drafted
from tests.test_conflicts import found
from tests.test_critic import say

TRADITIONAL = "讀書會的會費每年120元，由張偉華收取。讀書會於2019年在臺灣成立。"
SIMPLIFIED = "读书会的会费每年120元，由张伟华收取。读书会于2019年在台湾成立。"


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        (TRADITIONAL, "读书会的会费每年多少钱？", "120元"),
        (SIMPLIFIED, "讀書會的會費每年多少錢？", "120元"),
        (TRADITIONAL, "读书会是哪一年在台湾成立的？", "2019年"),
        (SIMPLIFIED, "讀書會是哪一年在臺灣成立的？", "2019年"),
    ],
)
def test_found_and_quoted_across_scripts(hashed: Library, text: str, question: str, answer: str) -> None:
    path = hashed.folder / "club.txt"
    path.write_text(text, encoding="utf-8")
    hashed.add([path])
    given = ask_in(hashed, question)
    assert given.outcome == "verified" and answer in given.text
    assert_cited(hashed, given)
    assert all(one.quote in text for claim in given.claims for one in claim.citations)


@pytest.mark.parametrize(
    ("source", "claim"),
    [(TRADITIONAL, "会费每年120元，由张伟华收取。"), (SIMPLIFIED, "會費每年120元，由張偉華收取。")],
)
def test_what_a_model_writes_in_the_other_script_is_judged_alike(source: str, claim: str) -> None:
    for check in ("names", "numbers", "words"):
        assert say(check, claim, source) != "unsupported"
    assert say("words", source.split("。")[0], SIMPLIFIED) == "supported"
    for wrong in (claim.replace("120", "150"), claim.replace("张伟华", "李建国").replace("張偉華", "李建國")):
        assert "unsupported" in [say(check, wrong, source) for check in ("names", "numbers")]


def test_names_come_in_the_script_of_the_text() -> None:
    assert "張偉" in "".join(chinese_names("會費由張偉收取。"))


def test_files_in_two_scripts_can_disagree() -> None:
    [conflict] = found("读书会的会费每年多少钱？", "读书会的会费每年120元。", "讀書會的會費每年150元。")
    assert (conflict["ours"], conflict["theirs"]) == ("120元", "150元")
    assert found("读书会的会费每年多少钱？", "读书会的会费每年120元。", "讀書會的會費每年120元。") == []


def test_a_claim_across_scripts_is_cited(hashed: Library) -> None:
    path = hashed.folder / "club.txt"
    path.write_text(TRADITIONAL, encoding="utf-8")
    hashed.add([path])
    chat = ScriptedChat(replies=[drafted("读书会的会费每年120元，由张伟华收取。", passages=[1])])
    given = ask_in(hashed, "读书会的会费每年多少钱？", chat=chat, max_rounds=0)
    assert given.outcome == "verified" and given.claims[0].citations[0].quote in TRADITIONAL
