"""What a reader of passages adds: which sentence is chosen, the short answer, and what is left without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent import Agent
from agent.cli.render import plain, print_answer, print_markdown
from agent.reasoners.extractive import choose, mark_answer, new_claim
from agent.reasoners.features import FEATURES, READ, SURE, ask, candidates, rank_score
from agent.settings import Settings
from agent.verifier import Reading, Span
from tests.test_features import flat, passage

RIVERS = "The ferry crosses the lake at noon. The old mill by the lake burnt in 1911. Nobody was hurt."


class Knows:
    """A reader that knows the answer, and counts what it is asked."""

    def __init__(self, answer: str, score: float = 0.9) -> None:
        self.answer, self.score = answer, score
        self.asked: list[tuple[str, str]] = []

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        self.asked += pairs
        return [self._reading(text) for _, text in pairs]

    def _reading(self, text: str) -> Reading:
        at = text.find(self.answer)
        if at < 0:
            return Reading(0.05, 0.5, Span(0, len(text), 0.01), ((0, 0.01),))
        return Reading(0.95, 0.5, Span(at, at + len(self.answer), self.score), ((at, self.score),))


def test_a_reader_chooses_the_sentence_that_holds_the_answer() -> None:
    question = "When was the fire at the mill?"
    for answer in ("noon", "1911"):
        asked = ask(question, flat, reader=Knows(answer))
        found = candidates(asked, [passage(RIVERS)])
        assert all(len(one.features) == len(FEATURES) + len(READ) for one in found)
        assert answer in choose(asked, found)[0].text


@pytest.mark.parametrize(
    ("title", "score", "known"), [("", 0.9, "1911"), ("Mills", 0.9, "1911"), ("Mills", SURE - 0.01, "")]
)
def test_the_answer_is_found_below_a_title_and_only_where_it_is_sure(
    title: str, score: float, known: str
) -> None:
    reader = Knows("1911", score)
    found = candidates(ask("When did the mill burn?", flat, reader=reader), [passage(RIVERS, title=title)])
    assert {one.answer for one in found if "1911" in one.text} == {known}
    assert not any(one.answer for one in found if "1911" not in one.text)
    assert reader.asked == [("When did the mill burn?", (f"{title}: " if title else "") + RIVERS)]


def test_each_passage_is_read_once() -> None:
    reader = Knows("1911")
    asked = ask("When did the mill burn?", flat, reader=reader)
    first = candidates(asked, [passage(RIVERS)])
    again = candidates(asked, [passage(RIVERS), passage("另一段。The mill was rebuilt in 1920.", number=2)])
    assert len(reader.asked) == 2 and again[: len(first)] == first


def test_without_a_reader_the_words_alone_tell() -> None:
    asked = ask("When did the mill burn?", flat)
    found = candidates(asked, [passage(RIVERS)])
    assert all(len(one.features) == len(FEATURES) and not one.answer for one in found)
    assert "1911" in max(found, key=lambda one: rank_score("en", one.features)).text


@pytest.mark.parametrize(
    ("text", "answer", "marked"),
    [
        ("The old mill by the lake burnt in 1911.", "1911", "1911"),
        ("The old mill by the lake burnt in 1911.", "The old mill by the lake burnt", ""),
        ("The old mill by the lake burnt in 1911.", "1912", ""),
        ("磨坊在**1911年**被烧毁，无人受伤。", "1911年", ""),
        ("The old mill burnt in May 1911, and nobody knows why.", "May\n1911", "May 1911"),
        ("The old mill burnt.", "", ""),
    ],
)
def test_a_short_answer_is_a_piece_of_its_claim(text: str, answer: str, marked: str) -> None:
    claim = new_claim(text.replace("**1911年**", "一九一一年"), [1])
    mark_answer(claim, answer)
    assert claim.get("answer", "") == marked


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "mill.md").write_text(RIVERS, encoding="utf-8")
    (folder / "灯塔.md").write_text(
        "灯塔由陈海生看守了三十年。灯塔高十八米，灯光十五海里外可见。", encoding="utf-8"
    )
    return folder


def test_an_answer_begins_with_its_short_answer(
    notes: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    question, short = "When did the old mill burn?", "1911"
    with Agent(settings) as agent:
        agent.add(notes)
        answer = agent.ask(question)
        again = agent.ask(question.replace("old ", ""), thread="t")
    told = answer.to_json()
    assert (answer.short, told["short"], told["claims"][0]["answer"]) == (short, short, short)
    assert short in answer.text and again.short == short
    print_answer(answer, plain())
    assert capsys.readouterr().out.startswith(f"{short}\n{answer.text}")
    print_markdown(answer)
    assert capsys.readouterr().out.startswith(f"**{short}**\n\n")


def test_chinese_is_read_by_words_alone(notes: Path, settings: Settings) -> None:
    """As the verifier has not been shown to help there."""
    with Agent(settings) as agent:
        agent.add(notes)
        answer = agent.ask("灯塔高多少米？")
    assert "十八米" in answer.text and answer.short == ""
    assert ask("灯塔高多少米？", flat, reader=Knows("十八米")).reader is None


def test_what_was_remembered_keeps_its_short_answer(notes: Path, settings: Settings) -> None:
    with Agent(settings) as agent:
        agent.add(notes)
        first, again = (agent.ask("When did the old mill burn?") for _ in range(2))
    assert first.short == again.short == "1911" and any("memory" in note for note in again.notes)


def test_no_short_answer_to_a_list_or_without_a_reader(notes: Path, settings: Settings) -> None:
    with Agent(replace(settings, verifier="off")) as agent:
        agent.add(notes)
        assert agent.ask("When did the old mill burn?").short == ""
    with Agent(settings) as agent:
        assert agent.ask("Why did the mill burn?").short == ""
        assert agent.ask("Hello").short == ""
