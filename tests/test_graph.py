"""Whole runs over the sample library with the extractive reasoner, through the library face."""

from __future__ import annotations

import asyncio
import inspect
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from agent import Agent, Answer, Settings, nodes
from agent.errors import InputError
from retrieval.embed import OnnxEmbedder
from retrieval.library import Library
from retrieval.load import load
from tests.conftest import SAMPLE, ask_in

CONTRACT = "When was the contract signed?"
FEE = "会费每人每年多少钱？"
DRAWING = """\
---
config:
  flowchart:
    curve: linear
---
graph TD;
	__start__([<p>__start__</p>]):::first
	recall(recall)
	plan(plan)
	retrieve(retrieve)
	act(act)
	sweep(sweep)
	draft(draft)
	critique(critique)
	reformulate(reformulate)
	settle(settle)
	remember(remember)
	__end__([<p>__end__</p>]):::last
	__start__ --> recall;
	act --> draft;
	critique -.-> reformulate;
	critique -.-> retrieve;
	critique -.-> settle;
	draft --> critique;
	plan -.-> act;
	plan -.-> draft;
	plan -.-> retrieve;
	plan -.-> sweep;
	recall -.-> plan;
	recall -.-> settle;
	reformulate -.-> draft;
	reformulate -.-> retrieve;
	reformulate -.-> settle;
	retrieve -.-> act;
	retrieve -.-> draft;
	settle --> remember;
	sweep -.-> draft;
	sweep -.-> retrieve;
	remember --> __end__;
	classDef default fill:#f2f0ff,line-height:1.2
	classDef first fill-opacity:0
	classDef last fill:#bfb6fc
"""


@pytest.fixture(scope="module")
def reader(home: Path) -> Iterator[Agent]:
    """An agent over the sample library that remembers nothing."""
    with Agent(Settings(home=home, remember=False), today=lambda: date(2026, 4, 1)) as agent:
        yield agent


@pytest.fixture
def writer(home: Path, tmp_path: Path) -> Iterator[Agent]:
    """An agent over a copy of the sample library, free to remember."""
    copied = tmp_path / "own"
    shutil.copytree(home, copied, symlinks=True)
    with Agent(Settings(home=copied)) as agent:
        yield agent


def assert_cited(answer: Answer) -> None:
    """Every citation stands at its span in the file, read anew; every claim is supported."""
    for claim in answer.claims:
        assert claim.verdict == "supported" and claim.score == 1.0
        for citation in claim.citations:
            source = load(Path(citation.path))[0].text
            assert source[citation.start : citation.end] == citation.quote != ""
            if citation.line is not None and citation.path.endswith((".txt", ".md")):
                line = Path(citation.path).read_text(encoding="utf-8").split("\n")[citation.line - 1]
                assert citation.quote.split("\n")[0] in line


def quotes(answer: Answer) -> list[str]:
    return [citation.quote for claim in answer.claims for citation in claim.citations]


# --- the shape ------------------------------------------------------------------------------------------


def test_drawing(reader: Agent) -> None:
    assert reader.graph.get_graph().draw_mermaid() == DRAWING


def test_every_node_is_the_function_of_its_name(reader: Agent) -> None:
    drawn = {name for name in reader.graph.get_graph().nodes if not name.startswith("__")}
    written = {
        name
        for name, function in inspect.getmembers(nodes, inspect.isfunction)
        if function.__module__ == nodes.__name__ and "runtime" in inspect.signature(function).parameters
    }
    assert drawn == written


# --- answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "said", "file", "line"),
    [
        (CONTRACT, "1 March 2026", "lease.txt", 3),
        ("Who ground the lens of the refractor?", "Margaret Oduya", "observatory.html", 8),
        ("When did Toulmin die in Los Angeles?", "4 December 2009", "argument.md", 23),
        (FEE, "120元", "meeting.zh.md", 21),
        ("《论证的运用》出版于哪一年？", "1958年", "meeting.zh.md", 11),
    ],
)
def test_verified_answer(reader: Agent, question: str, said: str, file: str, line: int) -> None:
    answer = reader.ask(question)
    assert answer.outcome == "verified" and said in answer.text
    assert answer.claims and answer.text.count(answer.claims[0].text) == 1
    assert answer.model == "extractive" and answer.tokens == 0 and answer.rounds == 0
    assert answer.lang == ("zh" if "？" in question else "en")
    first = answer.claims[0].citations[0]
    assert (Path(first.path).name, first.line, first.changed) == (file, line, "")
    assert_cited(answer)


@pytest.mark.parametrize(
    ("question", "missing"),
    [("Who painted the Mona Lisa?", "lisa"), ("水星的沸点是多少？", "沸点")],
)
def test_abstention(reader: Agent, question: str, missing: str) -> None:
    answer = reader.ask(question)
    assert answer.outcome == "abstained" and answer.claims == () and answer.text
    assert missing in " ".join(answer.missing).lower()
    assert answer.rounds >= 1, "it looked again before it gave up"
    assert len(set(answer.queries)) == len(answer.queries)


def test_nothing_is_found_in_an_empty_library(settings: Settings) -> None:
    with Agent(settings) as agent:
        for question in (CONTRACT, FEE):
            answer = agent.ask(question)
            assert (answer.outcome, answer.claims, answer.evidence) == ("abstained", (), ())


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is 12% of 3,400?", "408"),
        ("三千四百的百分之十二是多少？", "408"),
        ("How many days are there between 1 March 2026 and 12 May 2026?", "72"),
        ("2026年3月1日到2026年5月12日有多少天？", "72"),
        ("What day of the week was 12 May 2026?", "Tuesday"),
        ("三天前是几号？", "2026-03-29"),
    ],
)
def test_tool_alone(reader: Agent, question: str, said: str) -> None:
    answer = reader.ask(question)
    assert answer.outcome == "verified" and said in answer.text
    assert answer.queries == () and quotes(answer) == []
    assert [item["kind"] for item in answer.evidence] == ["tool"]


@pytest.mark.parametrize("question", ["What is 5 / 0?", "5除以0等于多少？"])
def test_tool_that_cannot_run_gives_no_answer(reader: Agent, question: str) -> None:
    answer = reader.ask(question)
    assert answer.outcome == "abstained" and answer.claims == ()
    assert any("division by zero" in note for note in answer.notes)


def test_search_then_tool_cites_what_it_computed_from(reader: Agent) -> None:
    answer = reader.ask("How many days from the contract date to 1 June 2026?")
    assert answer.outcome == "verified" and "92 days" in answer.text
    assert len(quotes(answer)) == 1 and "signed on 1 March 2026" in quotes(answer)[0]
    rent = reader.ask("What is 12% of the monthly rent?")
    assert rent.outcome == "verified" and "408" in rent.text and "$3,400" in quotes(rent)[0]
    fee = reader.ask("会费的百分之五是多少？")
    assert fee.outcome == "verified" and fee.text == "120 的 5% 是 6。"
    assert quotes(fee) == ["会费每人每年120元，由何佳收取。"]
    for one in (answer, rent, fee):
        assert_cited(one)


@pytest.mark.parametrize(
    ("text", "question", "days"),
    [
        (
            "Contract date: 1 March 2026.\n\nThe deadline for giving notice is 12 April 2026.\n",
            "How many days from the contract date to the deadline for giving notice?",
            "42",
        ),
        (
            "合同签署日期是2026年3月1日。\n\n通知截止日期是2026年5月12日。\n",
            "从合同签署日期到通知截止日期有多少天？",
            "72",
        ),
    ],
)
def test_two_dates_looked_up(reader: Agent, tmp_path: Path, text: str, question: str, days: str) -> None:
    file = tmp_path / "dates.txt"
    file.write_text(text, encoding="utf-8")
    answer = reader.ask(question, docs=[file])
    assert answer.outcome == "verified" and days in answer.text
    assert quotes(answer) == text.strip().split("\n\n")
    assert_cited(answer)


@pytest.mark.parametrize(("question", "said"), [("hello", "Hello."), ("你好", "你好。")])
def test_small_talk_searches_nothing(reader: Agent, question: str, said: str) -> None:
    answer = reader.ask(question)
    assert answer.text.startswith(said) and answer.claims == () and answer.queries == ()


def test_follow_up(writer: Agent) -> None:
    assert writer.ask(CONTRACT, thread="en").outcome == "verified"
    signed = writer.ask("and who signed it?", thread="en")
    assert signed.outcome == "verified" and "Ada Fischer" in signed.text
    assert writer.ask("《论证的运用》出版于哪一年？", thread="zh").outcome == "verified"
    parts = writer.ask("那它提出了哪些要素？", thread="zh")
    assert parts.outcome == "verified" and "反驳" in parts.text
    assert "论证的运用" in parts.queries[0]
    alone = writer.ask("and who signed it?", thread="another")
    assert alone.queries[0] == "and who signed it?", "threads do not leak into each other"
    assert_cited(signed)
    assert_cited(parts)


# --- what is kept ---------------------------------------------------------------------------------------


def test_docs_are_answered_from_and_not_kept(settings: Settings) -> None:
    with Agent(settings) as agent:
        answer = agent.ask(CONTRACT, thread="t", docs=[SAMPLE / "lease.txt"])
        assert answer.outcome == "verified"
        assert_cited(answer)
        chinese = agent.ask(FEE, docs=[SAMPLE])
        assert chinese.outcome == "verified"
        assert_cited(chinese)
        assert not any(agent.library.store.counts().values())
        with pytest.raises(InputError, match="nothing to read"):
            agent.ask(CONTRACT, docs=[SAMPLE / "no-such-file.txt"])


def test_docs_alone_are_read(writer: Agent) -> None:
    before = writer.library.store.counts()
    assert writer.ask(CONTRACT, docs=[SAMPLE / "observatory.html"]).outcome != "verified"
    assert writer.library.store.counts() == before


def test_without_memory_nothing_is_written(reader: Agent) -> None:
    before = reader.library.store.counts()
    reader.ask(CONTRACT, thread="t")
    reader.ask(FEE, thread="t")
    after = reader.library.store.counts()
    assert after == before and after["records"] == after["runs"] == after["threads"] == 0


@pytest.mark.parametrize("question", [CONTRACT, FEE])
def test_same_question_again_uses_its_episode(writer: Agent, question: str) -> None:
    first = list(writer.stream(question))
    again = list(writer.stream(question))
    assert (first[1]["episodes"], again[1]["episodes"]) == (0, 1)
    assert again[-1]["answer"]["answer"] == first[-1]["answer"]["answer"]
    assert writer.library.store.chunk_count("mid") == 1
    [found] = writer.memory.search(question)
    record = writer.library.store.record(found.chunk.record_id or "")
    assert record is not None and record.uses == 1


def test_changed_and_gone_files_are_marked(settings: Settings, tmp_path: Path) -> None:
    files = tmp_path / "files"
    shutil.copytree(SAMPLE, files)
    with Agent(replace(settings, remember=False)) as agent:
        agent.add(files)
        assert agent.ask(CONTRACT).claims[0].citations[0].changed == ""
        (files / "lease.txt").write_text("Another text altogether.", encoding="utf-8")
        (files / "meeting.zh.md").unlink()
        lease, fee = agent.ask(CONTRACT), agent.ask(FEE)
        assert lease.claims[0].citations[0].changed == "changed"
        assert fee.claims[0].citations[0].changed == "gone"
        assert agent.library.store.source(
            agent.library.store.document_id(str((files / "lease.txt").resolve())) or 0
        ), "the source text is kept in the library"


# --- events and faces -----------------------------------------------------------------------------------


def test_events_come_in_order_and_as_json(reader: Agent) -> None:
    events = list(reader.stream(CONTRACT))
    assert [event["event"] for event in events] == [
        "started", "recall", "plan", "retrieve", "draft", "critique", "settle", "remember", "settled",
    ]  # fmt: skip
    seconds = [event["seconds"] for event in events]
    assert seconds == sorted(seconds)
    assert json.loads(json.dumps(events, ensure_ascii=False))[-1]["answer"]["outcome"] == "verified"
    assert events[4]["claims"] and events[5]["passed"] is True


def test_events_of_a_run_that_searches_again(reader: Agent) -> None:
    events = list(reader.stream("水星的沸点是多少？"))
    json.dumps(events, ensure_ascii=False)
    names = [event["event"] for event in events]
    assert "reformulate" in names and names[-1] == "settled"
    rounds = [event["round"] for event in events if event["event"] == "reformulate"]
    assert rounds == list(range(1, len(rounds) + 1))
    assert events[-1]["answer"]["rounds"] == len(rounds) <= reader.settings.max_rounds


def test_keys_of_the_json_are_stable(reader: Agent) -> None:
    told = json.loads(json.dumps(reader.ask(CONTRACT).to_json(), ensure_ascii=False))
    promised = {
        "outcome", "answer", "claims", "rounds", "queries", "evidence", "missing", "model", "run_id",
        "seconds", "tokens",
    }  # fmt: skip
    assert promised <= set(told)
    assert {"text", "verdict", "score", "citations"} <= set(told["claims"][0])
    place = {"path", "start", "end", "quote", "page", "heading"}
    assert place <= set(told["claims"][0]["citations"][0])


def test_async_faces(reader: Agent) -> None:
    async def both() -> tuple[Answer, list[str]]:
        answer = await reader.aask(FEE)
        return answer, [event["event"] async for event in reader.astream(CONTRACT)]

    answer, events = asyncio.run(both())
    assert answer.outcome == "verified" and "120元" in answer.text
    assert events[:2] == ["started", "recall"] and events[-1] == "settled"


@pytest.mark.parametrize(
    ("question", "reason"), [("  \n", "empty"), ("x" * 4001, "4001"), ("问" * 4001, "4000")]
)
def test_questions_that_cannot_be_used(reader: Agent, question: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        reader.ask(question)


def test_no_round_begins_after_the_time_is_up(home: Path) -> None:
    for limits in (
        Settings(home=home, timeout_s=0, remember=False),
        Settings(home=home, max_rounds=0, remember=False),
    ):
        with Agent(limits) as agent:
            answer = agent.ask("Who painted the Mona Lisa?")
        assert (answer.outcome, answer.rounds) == ("abstained", 0)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How many people work in the Zorbia office?",
         "The Graz office is near the river. About 300 people work in the Graz office."),
        ("Zorbia 的办公室有多少人工作？", "格拉茨的办公室在河边。格拉茨的办公室有300人工作。"),
        ("赵明的办公室有多少人工作？", "格拉茨的办公室在河边。格拉茨的办公室有300人工作。"),
        ("趙明的辦公室有多少人工作？", "格拉茨的辦公室在河邊。格拉茨的辦公室有300人工作。"),
    ],
)  # fmt: skip
def test_what_is_said_of_another_name_is_not_verified(
    hashed: Library, tmp_path: Path, question: str, text: str
) -> None:
    (tmp_path / "office.txt").write_text(text, encoding="utf-8")
    hashed.add([tmp_path / "office.txt"])
    answer = ask_in(hashed, question)
    assert answer.outcome != "verified"
    assert any(name in answer.missing for name in ("Zorbia", "赵明", "趙明"))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who designed the greenhouse?", "On 3 April we planted 24 seedlings. Rosa paid for the compost."),
        ("谁设计了温室？", "四月三日我们种了24株番茄苗。罗莎付了堆肥的钱。"),
    ],
)
def test_the_nearest_passage_of_a_small_library_is_no_answer(
    minilm: OnnxEmbedder, tmp_path: Path, question: str, text: str
) -> None:
    (tmp_path / "garden.txt").write_text(text, encoding="utf-8")
    with Library(tmp_path / "library", lambda: minilm) as library:
        library.add([tmp_path / "garden.txt"])
        assert ask_in(library, question).outcome == "abstained"


@pytest.mark.parametrize(
    ("question", "outcome", "quote", "note"),
    [
        (
            "When was the contarct signed?",
            "verified",
            "signed on 1 March 2026",
            "read as: When was the contract",
        ),
        ("Toulmni是什么时候去世的？", "abstained", "没有", "按此理解：Toulmin是什么时候"),
    ],
)
def test_a_misspelt_question_is_answered_as_it_is_read(
    reader: Agent, question: str, outcome: str, quote: str, note: str
) -> None:
    answer = reader.ask(question)
    assert (answer.question, answer.outcome) == (question, outcome) and quote in answer.text
    assert any(one.startswith(note) for one in answer.notes)
