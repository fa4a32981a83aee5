"""What a run remembers: turns, and episodes that are found by their question and hold only while their source does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent import Agent, Settings, memory
from agent.episodes import Manner
from agent.state import Turn
from agent.turns import WINDOW_TURNS, as_turn, window
from retrieval.library import Library
from retrieval.records import Record

CONTRACT = "When was the contract signed?"
FEE = "会费每人每年多少钱？"
NEVER = Manner((), "", 2.0)


def turns(library: Library | None, thread: str) -> list[Turn]:
    return [as_turn(record) for record in window(library, thread)]


def hints(library: Library, question: str) -> list[Record]:
    """What is known of a question, if no answer is given again."""
    return memory.recall(library, library, question, NEVER).episodes


def test_turns_are_kept_in_order_and_apart(agent: Agent) -> None:
    for question in (CONTRACT, FEE):
        agent.ask(question, thread="a")
    agent.ask("Who painted the Mona Lisa?", thread="b")
    told = turns(agent.library, "a")
    assert [turn["question"] for turn in told] == [CONTRACT, FEE]
    assert "1 March 2026" in told[0]["answer"] and told[1]["outcome"] == "verified"
    assert [record.text for record in agent.memory.turns("a")] == [CONTRACT, FEE]
    assert [turn["outcome"] for turn in turns(agent.library, "b")] == ["abstained"]
    assert turns(agent.library, "") == turns(None, "a") == []


def test_a_clock_that_was_put_back_neither_turns_the_order_nor_stops_the_tidying(agent: Agent) -> None:
    agent.ask(CONTRACT, thread="a")
    store = agent.library.store
    [turn] = store.turns("a", 1)
    agent.library.put_record(replace(turn, created_s=turn.created_s + 600))
    store.set_meta("tidied_s", str(turn.created_s * 2))
    agent.ask(FEE, thread="a")
    assert [turn["question"] for turn in turns(agent.library, "a")] == [CONTRACT, FEE]
    assert float(store.get_meta("tidied_s") or 0) < turn.created_s * 1.5


def test_only_the_latest_turns_are_read(agent: Agent) -> None:
    for n in range(WINDOW_TURNS + 2):
        agent.ask(f"What is {n} + 1?", thread="a")
    told = turns(agent.library, "a")
    assert [turn["question"] for turn in told] == [f"What is {n} + 1?" for n in range(2, WINDOW_TURNS + 2)]


@pytest.mark.parametrize(
    ("question", "again", "by_answer"),
    [
        (
            CONTRACT,
            "when was the contract signed",
            "Ada Fischer, the landlord, and the cooperative Blue Lathe",
        ),
        (FEE, "请问会费每人每年多少钱", "会费每人每年120元，由何佳收取。"),
    ],
)
def test_episode_is_found_by_its_question_never_by_its_answer(
    agent: Agent, question: str, again: str, by_answer: str
) -> None:
    agent.ask(question)
    assert [found.text for found in hints(agent.library, question)] == [question]
    assert [found.text for found in hints(agent.library, again)] == [question]
    assert hints(agent.library, by_answer) == []
    assert memory.recall(None, agent.library, question, NEVER).episodes == []
    [row] = agent.memory.search(by_answer)[:1] or agent.memory.search(question)[:1]
    assert row.chunk.text == question, "an episode's text is its question, and nothing else"


def test_another_question_is_another_episode(agent: Agent) -> None:
    agent.ask(CONTRACT)
    assert hints(agent.library, "When was the deposit paid?") == []
    assert hints(agent.library, "定金是什么时候支付的？") == []


@pytest.mark.parametrize(
    "question", ["Who painted the Mona Lisa?", "水星的沸点是多少？", "What is 12% of 3,400?", "你好"]
)
def test_what_was_not_verified_on_passages_leaves_no_episode(agent: Agent, question: str) -> None:
    agent.ask(question, thread="a")
    assert agent.library.store.chunk_count("mid") == 0
    assert len(agent.memory.turns("a")) == 1


@pytest.mark.parametrize(("question", "file"), [(CONTRACT, "lease.txt"), (FEE, "meeting.zh.md")])
def test_episode_contributes_its_passages_while_the_source_holds(
    agent: Agent, files: Path, question: str, file: str
) -> None:
    agent.ask(question)
    found = hints(agent.library, question)
    evidence = memory.evidence_of(found, agent.library)
    assert evidence and {Path(item["path"]).name for item in evidence} == {file}
    source = agent.library.store.source(evidence[0]["document_id"])
    assert source is not None
    assert all(source.text[item["start"] : item["end"]] == item["text"] for item in evidence)

    changed = files / file
    changed.write_text("A line before.\n\n" + changed.read_text(encoding="utf-8"), encoding="utf-8")
    agent.add(files)
    assert memory.evidence_of(hints(agent.library, question), agent.library) == []
    answer = agent.ask(question)
    assert answer.outcome == "verified"
    for citation in answer.claims[0].citations:
        text = changed.read_text(encoding="utf-8")
        assert text[citation.start : citation.end] == citation.quote


def test_episode_of_a_removed_document_contributes_nothing(agent: Agent) -> None:
    for question in (CONTRACT, FEE):
        agent.ask(question)
    agent.library.store.remove_documents([document.path for document in agent.library.store.documents()])
    for question in (CONTRACT, FEE):
        found = hints(agent.library, question)
        assert len(found) == 1 and memory.evidence_of(found, agent.library) == []
        assert agent.ask(question).outcome == "abstained", "a remembered answer is not an answer"


def test_what_the_assistant_said_is_never_evidence(agent: Agent) -> None:
    said: set[str] = set()
    for question in (CONTRACT, "and who signed it?", CONTRACT, FEE, "那由谁收取？", FEE):
        answer = agent.ask(question, thread="a")
        for item in answer.evidence:
            source = agent.library.store.source(item["document_id"])
            assert item["kind"] == "passage" and source is not None
            assert source.text[item["start"] : item["end"]] == item["text"] not in said
        said.add(answer.text)
    assert {passage.chunk.record_id for passage in agent.search(CONTRACT)} == {None}


def test_uses_are_counted_only_when_verified(agent: Agent) -> None:
    for _ in range(3):
        agent.ask(CONTRACT)
    [found] = hints(agent.library, CONTRACT)
    assert found.uses == 2 and found.used_s > found.created_s
    agent.library.store.remove_documents([document.path for document in agent.library.store.documents()])
    agent.ask(CONTRACT)
    assert hints(agent.library, CONTRACT)[0].uses == 2


def test_without_memory_old_turns_are_not_read_either(settings: Settings, files: Path) -> None:
    with Agent(settings) as agent:
        agent.add(files)
        agent.ask(CONTRACT, thread="a")
    with Agent(replace(settings, remember=False)) as agent:
        answer = agent.ask("and who signed it?", thread="a")
        assert answer.queries[0] == "and who signed it?"
        assert agent.library.store.counts()["runs"] == 1


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("When is the rent due?", "The rent is due on the first of May."),
        ("会费由谁收取？", "会费由何佳收取。"),
    ],
)
def test_what_is_remembered_of_a_file_outlives_its_move(
    settings: Settings, tmp_path: Path, question: str, text: str
) -> None:
    file = tmp_path / "d" / "a.txt"
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    with Agent(settings) as agent:
        agent.add(file)
        assert agent.ask(question, thread="t").outcome == "verified"
        file.rename(tmp_path / "b.txt")
        assert agent.add(tmp_path / "b.txt").moved
        [record] = hints(agent.library, question)
        [evidence] = memory.evidence_of([record], agent.library)
        assert evidence["path"] == str(tmp_path / "b.txt") and evidence["text"] == text
        assert memory.recent_documents(agent.library, "t") == [evidence["document_id"]]
