"""Asked again: from the episode while it holds, from the files as soon as it may not; corrections and statements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import Agent, Answer, Settings, carrying, memory, records
from agent.corrections import corrects
from agent.episodes import Manner, replacement, reworded, searches_of, worked
from agent.reasoners.features import fitted_with
from agent.turns import find_turns, turns_for, window
from retrieval.records import Record
from tests.conftest import assert_cited

CONTRACT = "When was the contract signed?"
FEE = "会费每人每年多少钱？"
BOTH = [(CONTRACT, "lease.txt"), (FEE, "meeting.zh.md")]
NOW = 1_800_000_000.0


def from_memory(answer: Answer) -> bool:
    return any(note.startswith("from memory") for note in answer.notes)


def kept(agent: Agent, kind: str) -> list[Record]:
    return agent.library.store.records(kinds=(kind,))


@pytest.mark.parametrize(("question", "file"), BOTH)
def test_a_question_asked_again_is_not_searched_again(agent: Agent, question: str, file: str) -> None:
    first = agent.ask(question, thread="a")
    again = agent.ask(question.rstrip("?？").lower(), thread="b")
    assert first.outcome == again.outcome == "verified" and again.text == first.text
    assert first.queries and not again.queries and from_memory(again) and not from_memory(first)
    assert [c.citations for c in again.claims] == [c.citations for c in first.claims]
    assert_cited(agent.library, again)
    [episode] = kept(agent, "episode")
    assert (episode.uses, episode.days) == (1, 1)
    assert len(kept(agent, "turn")) == 2


@pytest.mark.parametrize(("question", "file"), BOTH)
def test_a_changed_document_is_searched_again_and_the_older_answer_is_kept(
    agent: Agent, files: Path, question: str, file: str
) -> None:
    agent.ask(question)
    path = files / file
    text = path.read_text(encoding="utf-8").replace("1 March 2026", "4 April 2027").replace("120", "150")
    path.write_text(text, encoding="utf-8")
    unread = agent.ask(question)
    assert not from_memory(unread), "the file has changed, though nobody has told the library"
    agent.add(files)
    answer = agent.ask(question)
    assert not from_memory(answer) and ("2027" in answer.text or "150" in answer.text)
    assert from_memory(agent.ask(question))
    new, old = kept(agent, "episode")
    assert new.replaces == old.id and old.ended_s is not None and new.ended_s is None
    told = records.why(agent.library, new, NOW)
    assert told["older"]["id"] == old.id and told["spans"][0]["stands"]
    assert records.why(agent.library, old, NOW)["newer"]["id"] == new.id
    assert records.to_json(agent.library, old, NOW)["stale"]


@pytest.mark.parametrize(
    ("question", "name", "text"),
    [
        (CONTRACT, "new.txt", "The contract was signed again on 9 June 2026."),
        (FEE, "new.md", "会费每人每年改为200元。"),
    ],
)
def test_a_new_document_that_speaks_of_the_same_has_it_searched_again(
    agent: Agent, files: Path, question: str, name: str, text: str
) -> None:
    agent.ask(question)
    (files / "other.txt").write_text("Tomatoes grow in summer. 番茄在夏天生长。", encoding="utf-8")
    agent.add(files)
    assert from_memory(agent.ask(question)), "what came speaks of something else"
    (files / name).write_text(text, encoding="utf-8")
    agent.add(files)
    assert not from_memory(agent.ask(question))


@pytest.mark.parametrize(("question", "file"), BOTH)
def test_a_move_keeps_and_a_removal_ends_it(
    agent: Agent, files: Path, tmp_path: Path, question: str, file: str
) -> None:
    agent.ask(question)
    (files / file).rename(tmp_path / file)
    agent.add(tmp_path / file)
    moved = agent.ask(question)
    assert from_memory(moved) and moved.claims[0].citations[0].path == str(tmp_path / file)
    agent.library.remove([tmp_path / file])
    gone = agent.ask(question)
    assert gone.outcome == "abstained" and not from_memory(gone)


def test_restricted_and_unremembered_questions_use_and_leave_nothing(settings: Settings, files: Path) -> None:
    with Agent(settings) as agent:
        agent.add(files)
        assert agent.ask(CONTRACT, where={"paths": ["*.txt"]}).outcome == "verified"
        assert kept(agent, "episode") == [], "an answer from a part is none from the whole"
        agent.ask(CONTRACT)
        assert agent.ask(CONTRACT, where={"paths": ["*.txt"]}).queries
        before = agent.library.store.counts()
        agent.ask(FEE, docs=[files / "meeting.zh.md"])
        assert agent.library.store.counts() == before
    with Agent(replace(settings, remember=False)) as agent:
        for question in (CONTRACT, "My deadline is 12 May.", "我对花生过敏"):
            assert not from_memory(agent.ask(question, thread="t"))
        assert agent.library.store.counts() == before


def test_another_writer_or_a_stricter_measure_answers_anew(agent: Agent) -> None:
    agent.ask(CONTRACT)
    library = agent.library
    now = Manner(("extractive",), f"1 {fitted_with()} built-in", 0.5)
    assert memory.recall(library, library, CONTRACT, now).answer is not None
    for other in (replace(now, models=("x",)), replace(now, checked="3"), replace(now, verified_at=1.01)):
        assert memory.recall(library, library, CONTRACT, other).answer is None


@pytest.mark.parametrize(
    "changed", [{"verifier": "off"}, {"scorer_model": "off"}, {"rerank_model": "built-in"}]
)
def test_what_reads_and_checks_otherwise_answers_anew(agent: Agent, changed: dict[str, str]) -> None:
    agent.ask(CONTRACT)
    assert from_memory(agent.ask(CONTRACT))
    with Agent(replace(agent.settings, **changed)) as other:
        assert not from_memory(other.ask(CONTRACT))


# --- statements and corrections -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "question", "later"),
    [
        ("My deadline is 12 May.", "When is my deadline?", "My deadline is 19 May."),
        ("我的截止日期是5月12日", "我的截止日期是哪天？", "我的截止日期是5月19日"),
    ],
)
def test_what_was_told_answers_until_something_else_is_told(
    agent: Agent, told: str, question: str, later: str
) -> None:
    assert told.rstrip(".") in agent.ask(told).text
    answer = agent.ask(question)
    assert answer.outcome == "verified" and told.rstrip(".") in answer.text
    [item] = answer.evidence
    assert item["kind"] == "said" and item["text"] in told and item["path"].startswith("memory:")
    agent.ask(later)
    assert later.rstrip(".") in agent.ask(question).text
    new, old = kept(agent, "statement")
    assert new.replaces == old.id and old.ended_s is not None and old.uses == 1


@pytest.mark.parametrize(
    ("question", "words", "right", "like"),
    [
        (CONTRACT, "That's wrong, it is 2 March 2026.", "2 March 2026", "The contract: when was it signed?"),
        (FEE, "不对，应该是130元", "130元", "请问会费每人每年要多少钱？"),
    ],
)
def test_a_correction_outranks_and_can_be_undone(
    agent: Agent, question: str, words: str, right: str, like: str
) -> None:
    wrong = agent.ask(question, thread="t")
    agent.ask(words, thread="t")
    for again in (question, like):
        answer = agent.ask(again)
        assert right in answer.text and answer.evidence[0]["kind"] == "said"
    [made] = kept(agent, "correction")
    records.undo(agent.library, made)
    assert agent.ask(question).text == wrong.text


@pytest.mark.parametrize(("question", "wrong"), [(CONTRACT, "that is wrong"), (FEE, "不对")])
def test_without_the_right_answer_the_sentence_is_left_out_for_like_questions(
    agent: Agent, question: str, wrong: str
) -> None:
    said = agent.ask(question, thread="t").claims[0].citations[0].quote
    agent.ask(wrong, thread="t")
    after = agent.ask(question)
    assert said not in after.text
    assert all(said not in item["text"] for item in after.evidence)
    assert said in " ".join(passage.chunk.text for passage in agent.search(said)), (
        "the files stay as they are"
    )


def test_a_correction_by_run_by_record_and_by_question(agent: Agent) -> None:
    run = agent.ask(CONTRACT).run_id
    [episode] = kept(agent, "episode")
    for n, name in enumerate((run, episode.id[:10], CONTRACT)):
        made = records.correct(agent.library, name, f"{n + 3} May 2026", NOW + n)
        assert made.text == CONTRACT and made.payload["spans"]
        assert f"{n + 3} May" in agent.ask(CONTRACT).text
    with pytest.raises(Exception, match="nothing is known"):
        records.correct(agent.library, "Who is the queen?", "", NOW)


@pytest.mark.parametrize(
    ("message", "right"),
    [
        ("That's wrong.", ""),
        ("No, it is 5 May", "5 May"),
        ("that is not correct, it should be Ada", "Ada"),
        ("不对", ""),
        ("错了，是王丽", "王丽"),
        ("這個答案不對，應該是王麗", "王麗"),
        ("Is that wrong?", None),
        ("No smoking rules?", None),
        ("What is wrong with the boiler?", None),
        ("哪里不对？", None),
    ],
)
def test_what_corrects(message: str, right: str | None) -> None:
    assert corrects(message) == right


# --- never evidence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "asks"),
    [
        ("Who is the zookeeper of Atlantis?", ["Is Quillon the zookeeper of Atlantis?", "Who is Quillon?"]),
        ("亚特兰蒂斯的园长是谁？", ["亚特兰蒂斯的园长是奎隆吗？", "奎隆是谁？"]),
    ],
)
def test_it_cannot_be_made_to_cite_itself(agent: Agent, told: str, asks: list[str]) -> None:
    """An answer that stands in no source, in a turn, an episode, a run and an import, answers nothing."""
    lie = "Quillon is the zookeeper of Atlantis. 奎隆是亚特兰蒂斯的园长。"
    agent.ask(CONTRACT, thread="t")
    [turn], [episode] = kept(agent, "turn"), kept(agent, "episode")
    library = agent.library
    forged = {**episode.payload, "answer": lie, "claims": [{**episode.payload["claims"][0], "text": lie}]}
    library.put_record(replace(turn, id="t1", text=told, payload={**turn.payload, "answer": lie}))
    file = carrying.exported(
        library, [replace(episode, id="e1", text=told, payload=forged, pinned=True, tier="long")]
    )
    assert carrying.imported(library, file) == 1
    unfounded = {**forged, "spans": [{**forged["spans"][0], "quote": lie, "start": 0, "end": len(lie)}]}
    library.put_record(replace(episode, id="e2", text=told, key=memory.key_of(told), payload=unfounded))
    for question in (told, *asks, told):
        answer = agent.ask(question, thread="t")
        assert lie not in answer.text and "Quillon" not in answer.text.replace(question, "")
        assert all(lie not in item["text"] for item in answer.evidence)
        if answer.claims:
            assert_cited(library, answer)


# --- short, and rewordings ----------------------------------------------------------------------------------


def test_the_window_has_room_for_tokens_and_what_overflows_is_found(agent: Agent) -> None:
    library = agent.library
    for n in range(40):
        words = f"the greenhouse number {n}" if n != 3 else "the walnut table of my aunt"
        payload = {"standalone": words, "answer": "x " * 400, "outcome": "verified", "run_id": "r"}
        at_s = NOW + n * 60
        library.put_records([(Record(f"t{n}", "short", "turn", "t", words, payload, at_s, at_s, 0), "")])
    recent = window(library, "t")
    assert 3 < len(recent) < 15 and recent[-1].id == "t39"
    from datetime import date

    found = turns_for(library, "t", "and the walnut table?", date(2027, 1, 15))
    assert found[0]["question"] == "the walnut table of my aunt" or found[1]["question"].startswith(
        "the walnut"
    )
    assert find_turns(library, "walnut", date(2027, 1, 15), thread="other") == []


def test_turns_are_found_by_their_day_and_by_whose_words_they_are(agent: Agent) -> None:
    from datetime import date, datetime

    library = agent.library
    for day in (5, 6, 7):
        at_s = datetime(2027, 5, day, 12).timestamp()
        payload = {"standalone": "q", "answer": "", "outcome": "verified", "run_id": "r"}
        for m, words in enumerate(("I read a book about tea 我读了一本书", "I cooked rice 我做了饭")):
            record = Record(f"d{day}.{m}", "short", "turn", "t", words, payload, at_s + m, at_s + m, 0)
            library.put_records([(record, "You could read a book, too. 你也可以读一本书" if m else "")])
    today = date(2027, 6, 1)
    for question in ("On May 6th I read a book. Which one?", "5月6日我读了一本书，是哪本？"):
        assert find_turns(library, question, today, 1)[0].record.id == "d6.0"
    assert find_turns(library, "What did you tell me to read on 6 May?", today, 1)[0].record.id == "d6.1"


@pytest.mark.parametrize(
    ("question", "query", "replaced"),
    [
        ("who designed the grenhouse?", "who designed the greenhouse?", ("grenhouse", "greenhouse")),
        ("grenhouse rent", "greenhouse rent", ("grenhouse", "greenhouse")),
        ("长儿县有多少人？", "长崎县有多少人？", ("长儿县", "长崎县")),
        ("who designed it?", "who designed it?", ("", "")),
        ("who designed it?", "ada fischer greenhouse", ("", "")),
    ],
)
def test_the_word_that_was_replaced(question: str, query: str, replaced: tuple[str, str]) -> None:
    assert replacement(question, query) == replaced


@given(st.text("ab 温室c", max_size=20), st.text("ab 温室c", max_size=20))
def test_a_replacement_leads_from_one_to_the_other(question: str, query: str) -> None:
    asked, put = replacement(question, query)
    assert not asked or (asked in question and put in query)


@pytest.mark.parametrize(
    ("asked", "found", "question", "reworded_"),
    [
        ("grenhouse", "greenhouse", "When was the Grenhouse built?", "When was the greenhouse built?"),
        ("长儿县", "长崎县", "长儿县在哪里？", "长崎县在哪里？"),
    ],
)
def test_a_rewording_that_worked_is_tried_first(
    asked: str, found: str, question: str, reworded_: str
) -> None:
    payload = {"worked": [{"asked": asked, "found": found, "query": "q"}]}
    record = Record("r", "mid", "episode", "", question, payload, 0, 0, 0)
    assert reworded(question, [record], lambda word: True) == (reworded_, asked, found)
    assert reworded(question, [record], lambda word: False)[0] == "", "a word that the library has is meant"
    assert reworded("Who built the bridge?", [record], lambda word: True)[0] == ""
    assert reworded("Two grenhouses?", [record], lambda word: True)[0] == "", "within another word it is none"
    assert searches_of([record]) == ["q"]


@pytest.mark.parametrize("read_as", ["When was the grenhouse built?", "When was the greenhouse built?"])
def test_what_worked_is_told_from_the_question_as_asked(read_as: str) -> None:
    """By the end of a run a misspelt question is read as it was meant."""
    item: Any = {"number": 1, "title": "", "heading": "", "text": "The greenhouse was built in 1990."}
    item |= {"round": 1, "query": "When was the greenhouse built?"}
    state: Any = {
        "standalone": read_as,
        "round": 1,
        "tried": ["When was the grenhouse built?", "When was the greenhouse built?"],
        "evidence": [item],
        "claims": [{"citations": [{"evidence": 1}]}],
    }
    assert [(one["asked"], one["found"]) for one in worked(state)] == [("grenhouse", "greenhouse")]
