"""Corrections: what is one, what it corrects, what it outranks, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import Agent, Settings, records
from agent.corrections import corrects, without_quotes
from agent.evidence import of_part
from agent.state import AnswerType, Evidence
from retrieval.records import Record
from retrieval.store import Document

NOW = 1_800_000_000.0
SIGNED = "When was the contract signed?"
RENT = "月租金是多少？"


@pytest.fixture
def agent(settings: Settings) -> Iterator[Agent]:
    with Agent(settings) as opened:
        yield opened


def holding(agent: Agent, folder: Path, **texts: str) -> Path:
    """A folder of files that the library has read."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    agent.add(folder)
    return folder


@pytest.mark.parametrize(
    "message",
    [
        "No, it's fine.",
        "No, it was great, thanks",
        "Not yet, but I'm sure I will have one.",
        "No, it is not.",
        "No, it is not 5 May.",
        "No, it is OK",
        "No, it's attached.",
        "Wrong-way driving: the fine",
        "It is wrong to smoke here",
        "That's not true for tenants",
        "不，是的",
        "不，应该是这样的",
        "不对称加密",
        "错的是谁",
        "不对的地方请指出",
    ],
)
@pytest.mark.parametrize("kind", ["other", "date", "person"])
def test_what_is_no_correction(message: str, kind: AnswerType) -> None:
    assert corrects(message, kind) is None


@pytest.mark.parametrize(
    ("message", "kind", "right"),
    [
        ("No, it is 5 May", "date", "5 May"),
        ("No, it is the tenant.", "person", "the tenant"),
        ("No, it is Ada", "person", "Ada"),
        ("No, it was 1,450 euros.", "number", "1,450 euros"),
        ("No, it is Ada", "number", None),
        ("No, it is next Monday", "date", "next Monday"),
        ("That's wrong - 5 May 2026", "date", "5 May 2026"),
        ("That's wrong, thanks", "other", ""),
        ("That's wrong. Please try again.", "date", ""),
        ("That's wrong, it is not in the lease.", "date", ""),
        ("That's wrong: 5 May 2026", "date", "5 May 2026"),
        ("不，是王丽", "person", "王丽"),
        ("不，是王丽", "date", None),
        ("不對，是四萬元。", "number", "四萬元"),
        ("不对，谢谢", "number", ""),
        ("That's wrong, check clause 5", "number", ""),
        ("不对，请看第3页", "number", ""),
        ("错了，我要的是2024年的", "date", ""),
        ("You're wrong", "date", ""),
        ("That isn't right, it's 19 May", "date", "19 May"),
        ("Actually it's 19 May", "date", "19 May"),
        ("No - it's 19 May", "date", "19 May"),
        ("It's 19 May, not 12 May", "date", "19 May"),
        ("No, not 12 May but 19 May", "date", "19 May"),
        ("No, it is four months", "other", "four months"),
        ("不是5月12日，是5月19日", "date", "5月19日"),
        ("錯，是王麗", "person", "王麗"),
        ("Actually, it is a good answer", "other", None),
        ("It's not that, it's the deposit", "other", None),
        ("No, it is 5 " + "x" * 600, "number", None),
    ],
)
def test_a_correction_is_of_the_kind_that_was_asked_for(
    message: str, kind: AnswerType, right: str | None
) -> None:
    assert corrects(message, kind) == right


@pytest.mark.parametrize(
    ("message", "question", "right"),
    [
        ("No, the rent is 950 euros", "How much is the rent of flat 3A?", "950 euros"),
        ("No, the rent is stated in clause 5", "How much is the rent of flat 3A?", None),
        ("No, the deposit is 950 euros", "How much is the rent of flat 3A?", None),
        ("不，月租金是950元", "3A的月租金是多少？", "950元"),
        ("不，押金是950元", "3A的月租金是多少？", None),
    ],
)
def test_a_sentence_corrects_what_it_is_of(message: str, question: str, right: str | None) -> None:
    assert corrects(message, "number", question) == right


@pytest.mark.parametrize(
    ("told", "asked", "thanks", "words", "like"),
    [
        (
            "My deadline is 12 May.",
            "When is my deadline?",
            "thanks",
            "No, it is 19 May",
            "What is my deadline?",
        ),
        ("我叫王丽", "我叫什么？", "谢谢", "不对，应该是王莉", "我的名字是什么？"),
    ],
)
def test_an_answer_from_what_was_told_is_corrected_for_all_who_ask_for_it(
    agent: Agent, told: str, asked: str, thanks: str, words: str, like: str
) -> None:
    agent.ask(told)
    for message in (asked, thanks, words):
        agent.ask(message, thread="t")
    assert words in agent.ask(like).text
    agent.ask(told)
    [made] = agent.library.store.records(kinds=("correction",))
    records.undo(agent.library, made)
    newest = max(agent.library.store.records(kinds=("statement",)), key=lambda one: one.created_s)
    answer = agent.ask(like)
    assert answer.evidence[0]["path"] == f"memory:{newest.id}"


@pytest.mark.parametrize(
    ("told", "question", "right", "like"),
    [
        ("My deadline is 12 May.", "When is my deadline?", "19 May", "What is my deadline?"),
        ("我叫王丽", "我叫什么？", "王莉", "我的名字是什么？"),
    ],
)
def test_by_command_too_what_was_told_is_corrected(
    agent: Agent, told: str, question: str, right: str, like: str
) -> None:
    agent.ask(told)
    records.correct(agent.library, question, right, NOW)
    assert right in agent.ask(like).text
    records.correct(agent.library, like, "", NOW + 1)
    assert agent.ask(question).outcome == "abstained"


@pytest.mark.parametrize(
    ("file", "asked", "told", "words", "question", "right"),
    [
        (
            "The contract was signed on 2 March 2024.",
            SIGNED,
            "My deadline is 12 May.",
            "No, it is 19 May.",
            "When is my deadline?",
            "19 May",
        ),
        (
            "月租金是900元。",
            RENT,
            "我的截止日期是5月12日",
            "不对，应该是5月19日",
            "我的截止日期是哪天？",
            "5月19日",
        ),
    ],
)
def test_what_was_told_last_is_corrected_and_can_be_taken_back(
    agent: Agent, tmp_path: Path, file: str, asked: str, told: str, words: str, question: str, right: str
) -> None:
    holding(agent, tmp_path / "d", a=file)
    first = agent.ask(asked, thread="t")
    agent.ask(told, thread="t")
    agent.ask(words, thread="t")
    assert agent.ask(asked).text == first.text
    answer = agent.ask(question)
    assert words.rstrip(".") in answer.text and answer.evidence[0]["text"] == words
    [made] = agent.library.store.records(kinds=("correction",))
    records.undo(agent.library, made)
    assert agent.ask(question).evidence[0]["text"] in told


@pytest.mark.parametrize(
    ("told", "question", "words", "later"),
    [
        ("My deadline is 12 May.", "When is my deadline?", "No, it is 19 May", "My deadline is 26 May."),
        ("我的截止日期是5月12日", "我的截止日期是哪天？", "不对，应该是5月19日", "我的截止日期是5月26日"),
    ],
)
@pytest.mark.parametrize("asking_first", [True, False])
def test_the_newest_words_count(
    agent: Agent, told: str, question: str, words: str, later: str, asking_first: bool
) -> None:
    agent.ask(told, thread="t")
    if asking_first:
        agent.ask(question, thread="t")
    agent.ask(words, thread="t")
    assert "19" in agent.ask(question).text
    agent.ask(later, thread="t")
    assert "26" in agent.ask(question).text
    [made] = agent.library.store.records(kinds=("correction",))
    records.undo(agent.library, made)
    told_ = agent.library.store.records(kinds=("statement",))
    assert [one.text for one in told_ if one.ended_s is None] == [later]


def test_what_is_right_for_one_party_is_not_for_another(agent: Agent, tmp_path: Path) -> None:
    question = "{}公司与丙公司签订的房屋租赁合同的押金是多少？"
    text = "{}公司与丙公司签订的房屋租赁合同的押金是{}万元。"
    holding(agent, tmp_path / "d", a=text.format("甲", "三"), b=text.format("乙", "五"))
    agent.ask(question.format("甲"), thread="t")
    agent.ask("不对，应该是四万元", thread="t")
    assert agent.ask(question.format("甲")).evidence[0]["text"] == "不对，应该是四万元"
    assert "五万元" in agent.ask(question.format("乙")).text


@pytest.mark.parametrize(
    ("told", "question"),
    [("My weight is {} kg.", "What is my weight?"), ("我的体重是{}公斤", "我的体重是多少？")],
)
def test_neither_what_was_superseded_nor_episodes_hide_what_holds(
    agent: Agent, told: str, question: str
) -> None:
    for n in range(26):
        agent.ask(told.format(60 + n))
    for n in range(120):
        text = f"Which weight 体重 has parcel {n}?"
        agent.library.put_record(
            Record(f"e{n}", "mid", "episode", "", text, {"spans": []}, NOW, NOW, 0, f"k{n}")
        )
    assert "85" in agent.ask(question).text


# --- wrong, and nobody knows what is right ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "sentence", "wrong"),
    [
        (SIGNED, "The contract was signed on 2 March 2024 by Anna Keller.", "That is wrong"),
        (RENT, "公寓的月租金是一千四百五十元。", "不对"),
    ],
)
def test_it_is_left_out_wherever_it_stands(
    agent: Agent, tmp_path: Path, question: str, sentence: str, wrong: str
) -> None:
    folder = holding(agent, tmp_path / "d", a=sentence, b=f"Minutes. 会议记录。 {sentence}")
    assert sentence in agent.ask(question, thread="t").text
    agent.ask(wrong, thread="t")
    assert sentence not in agent.ask(question).text
    holding(agent, folder, a=f"A title. 标题。\n\n{sentence}")
    answer = agent.ask(question)
    assert all(sentence not in item["text"] for item in answer.evidence)
    restricted = agent.ask(question, where={"paths": ["*a.txt"]})
    assert sentence not in restricted.text


@pytest.mark.parametrize(
    ("question", "words", "right"),
    [(SIGNED, "That is wrong, it is 3 March 2024", "3 March 2024"), (RENT, "错了，应该是1500元", "1500元")],
)
def test_a_question_of_some_documents_minds_corrections_too(
    agent: Agent, tmp_path: Path, question: str, words: str, right: str
) -> None:
    holding(agent, tmp_path / "d", a="The contract was signed on 2 March 2024. 月租金是1400元。")
    agent.ask(question, thread="t")
    agent.ask(words, thread="t")
    answer = agent.ask(question, where={"paths": ["*a.txt"]})
    assert right in answer.text and "does not stand" not in " ".join(answer.notes)
    holding(agent, tmp_path / "d", a="The contract was signed on 4 March 2024. 月租金是1600元。")
    assert "does not stand" in " ".join(agent.ask(question).notes), "a file may say now what is right"


@pytest.mark.parametrize(
    ("text", "question", "wrong", "gone"),
    [
        (
            "Keys.\n\nThe contract was signed on 2 March 2024.\n\nThe deposit was paid on 9 June 2024.",
            "List all dates in a.txt",
            "That is wrong",
            "2 March 2024",
        ),
        (
            "钥匙。\n\n合同于2024年3月2日签订。\n\n押金于2024年6月9日支付。",
            "列出a.txt中的所有日期",
            "不对",
            "3月2日",
        ),
    ],
)
def test_a_list_of_a_whole_document_leaves_it_out(
    agent: Agent, tmp_path: Path, text: str, question: str, wrong: str, gone: str
) -> None:
    folder = holding(agent, tmp_path / "d", a=text)
    assert gone in agent.ask(question, thread="t").text
    agent.ask(wrong, thread="t")
    assert gone not in agent.ask(question, thread="t").text
    holding(agent, folder, a=f"{text}\n\nThe keys were given on 1 July 2025. 钥匙于2025年7月1日交付。")
    answer = agent.ask(question, thread="t")
    assert "2025" in answer.text and gone not in answer.text
    for claim in answer.claims:
        for citation in claim.citations:
            assert (folder / "a.txt").read_text(encoding="utf-8")[
                citation.start : citation.end
            ] == citation.quote


@pytest.mark.parametrize(
    ("one", "other", "question", "wrong", "found"),
    [
        (
            "The rent of the flat is 1,450 euros.",
            "For the garage: the rent is 90 euros a month, flat.",
            "How much is the rent of the flat?",
            "That is wrong",
            "1,450",
        ),
        ("公寓的租金是1450元。", "车库的租金是90元。", "公寓的租金是多少？", "不对", "1450"),
    ],
)
def test_taken_back_it_leaves_nothing_that_was_found_meanwhile(
    agent: Agent, tmp_path: Path, one: str, other: str, question: str, wrong: str, found: str
) -> None:
    holding(agent, tmp_path / "d", a=one, b=other)
    assert found in agent.ask(question, thread="t").text
    agent.ask(wrong, thread="t")
    for _ in range(2):
        assert found not in agent.ask(question).text
    [made] = agent.library.store.records(kinds=("correction",))
    records.undo(agent.library, made)
    assert found in agent.ask(question).text


def passage(text: str) -> Evidence:
    document = Document(1, "/a.txt", "", 0, 0.0, 0.0, "text", "a", 1, ())
    return of_part(document, text, (0, len(text)), "", None)


@given(st.text("a. 甲\n", max_size=30), st.text("a. 甲\n", min_size=1, max_size=12))
def test_what_is_left_stands_where_it_stood(text: str, quote: str) -> None:
    for part in without_quotes([passage(text)], [quote]):
        assert text[part["start"] : part["end"]] == part["text"]


def test_lines_may_be_broken_otherwise_and_borders_may_cut() -> None:
    quote = "The rent is 900 euros a month."
    [before, after] = without_quotes(
        [passage(f"Flat three.\n\nThe rent is\n900 euros a month. {quote} The end is near.")], [quote]
    )
    assert before["text"].strip() == "Flat three." and after["text"].strip() == "The end is near."
    [left] = without_quotes([passage("euros a month. The deposit is 1,800 euros. The rent is 900")], [quote])
    assert left["text"].strip() == "The deposit is 1,800 euros."
    whole = passage("The rent is 900,000 euros.")
    assert without_quotes([whole], ["The rent is 900"]) == [whole]
