"""What a reader of passages adds: which sentence is chosen, the short answer, and what is left without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from agent import Agent
from agent.citations import cite
from agent.cli.render import _body, plain, print_answer, print_markdown
from agent.critic.sufficiency import IN_PART, sufficiency
from agent.reasoners.extractive import Extractive, choose, mark_short, new_claim
from agent.reasoners.features import FEATURES, READ, READINGS, SURE, UNREAD, ask, candidates, rank_score
from agent.settings import Settings
from agent.state import Claim, Conflict
from agent.verifier import Reading, Span
from retrieval.embed import HashEmbedder
from retrieval.library import Library
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


def test_what_is_read_depends_on_the_passages_alone() -> None:
    texts = [f"The mill of village {n} burnt down, it is said, when {'it rained ' * n}." for n in range(12)]
    passages = [passage(text, number) for number, text in enumerate(texts, 1)]
    reader, other = Knows("1911"), Knows("1911")
    asked = ask("When did the mill of village 7 burn down?", flat, reader=reader)
    for some in (passages[:8], passages[6:], passages):
        found = candidates(asked, some)
    read = {one.evidence for one in found if one.features[len(FEATURES) :] != UNREAD}
    assert len(read) == READINGS and 8 in read
    assert candidates(ask(asked.text, flat, reader=other), passages) == found
    assert len(other.asked) == READINGS and len(reader.asked) == 3 * READINGS
    assert candidates(asked, passages) is found, "the same passages are not read again"


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
        ("In 1911 the fire in the old mill killed 11 people.", "11", "11"),
        ("In 1911 the old mill by the lake burnt.", "11", ""),
    ],
)
def test_a_short_answer_is_a_piece_of_its_claim(text: str, answer: str, marked: str) -> None:
    claim = new_claim(text.replace("**1911年**", "一九一一年"), [1])
    mark_short(claim, answer)
    assert claim.get("short", "") == marked


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
    assert (answer.short, told["short"], told["claims"][0]["short"]) == (short, short, short)
    assert short in answer.text and again.short == short
    print_answer(answer, plain())
    assert capsys.readouterr().out.startswith(f"{short}\n{answer.text}")
    print_markdown(answer)
    assert capsys.readouterr().out.startswith(f"**{short}**\n\n")


def test_chinese_is_read_too(notes: Path, settings: Settings) -> None:
    with Agent(settings) as agent:
        agent.add(notes)
        answer = agent.ask("灯塔高多少米？")
    assert "十八米" in answer.text and "十八米" in answer.short
    assert ask("灯塔高多少米？", flat, reader=Knows("十八米")).reader is not None


def test_no_short_answer_where_files_disagree_or_what_is_partial(notes: Path, settings: Settings) -> None:
    with Agent(settings) as agent:
        agent.add(notes)
        answer = agent.ask("When did the old mill burn?")
    conflict: Conflict = {
        "claim": 0, "evidence": 1, "start": 0, "end": 9, "what": "number", "ours": "1911", "theirs": "1912"
    }  # fmt: skip
    assert answer.short and not replace(answer, outcome="partial").short
    assert not replace(answer, conflicts=(conflict,)).short


def test_the_piece_that_is_underlined_is_the_one_that_answers(
    notes: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Agent(settings) as agent:
        agent.add(notes)
        answer = agent.ask("When did the old mill burn?")
    claim = replace(answer.claims[0], text="In 1911 it killed 11 people.", short="11", citations=())
    body, _ = _body(replace(answer, claims=(claim,)), "[{}]")
    assert [body.plain[span.start : span.end] for span in body.spans if "underline" in str(span.style)] == [
        "11"
    ]
    assert body.spans[-1].start == body.plain.rindex("11")


def test_what_was_remembered_keeps_its_short_answer(notes: Path, settings: Settings) -> None:
    with Agent(settings) as agent:
        agent.add(notes)
        first, again = (agent.ask("When did the old mill burn?") for _ in range(2))
    assert first.short == again.short == "1911" and any("memory" in note for note in again.notes)


@pytest.mark.parametrize(
    ("question", "text", "answer", "verified"),
    [
        ("Where do adults pay?", "At the gate, adults pay 9 euros.", "9 euros", False),
        ("How much do adults pay?", "At the gate, adults pay 9 euros.", "9 euros", True),
        ("Where was the lease signed?", "The lease was signed on 1 March 2026.", "on 1 March 2026", False),
        ("租约在哪里签的？", "租约签于2026年3月1日。", "2026年3月1日", False),
        ("租约是哪天签的？", "租约签于2026年3月1日。", "2026年3月1日", True),
        ("谁说租金太高？", "会上有人说：我觉得租金太高。", "我觉得", True),
    ],
)
def test_a_price_is_no_place_and_a_pronoun_no_answer(
    question: str, text: str, answer: str, verified: bool
) -> None:
    reader, item = Knows(answer, 0.99), passage(text)
    asked = ask(question, flat, reader=reader)
    [best, *_] = choose(asked, candidates(asked, [item]))
    claim = new_claim(text, [1], [{"evidence": 1, "start": best.start, "end": best.end}])
    cited: Claim = {**claim, "verdict": "supported", "citations": cite(claim, [item])}
    assert (sufficiency(asked, [cited], [item]) > IN_PART) == verified
    assert best.answer == ("" if answer.startswith("我") else answer)


def test_no_short_answer_to_a_list_or_without_a_reader(notes: Path, settings: Settings) -> None:
    with Agent(replace(settings, verifier="off")) as agent:
        agent.add(notes)
        assert agent.ask("When did the old mill burn?").short == ""
    with Library(settings.library_folder, HashEmbedder) as library:
        reasoner = Extractive(library, reader=Knows("1911"))
        for question, known in (
            ("When did the old mill burn?", "1911"),
            ("Explain why the old mill burnt.", ""),
        ):
            plan = reasoner.plan(question, date(2026, 1, 1))
            [claim, *_] = reasoner.draft(question, plan, [passage(RIVERS)])
            assert claim.get("short", "") == known
