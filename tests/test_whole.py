"""Whole-document questions over real libraries: what is swept, what is quoted of it, and what is asked back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.answer import Answer
from agent.errors import ContextOverflow, ModelError
from agent.memory import recent_documents
from agent.reasoners.scripted import ScriptedChat
from agent.whole import PARTS, aim, parts_of, quoted
from retrieval.embed import HashEmbedder
from retrieval.library import Library
from tests.conftest import SAMPLE, ask_in, assert_cited
from tests.sample import CONTRACT, FEE, PAID, SIGNED, drafted

INTERVIEW = """\
# Water for the town

Ann Lee: The old wells give less water every summer, so the town must save water now.

Bob Ray: I think the wells are fine. The pipes lose a third of the water on their way.

Ann Lee: New pipes would cost 2 million euros, and the town has no money for pipes this year.
"""
TALK = """\
# 城市供水座谈

李明：老水井每年夏天的出水量都在减少，全城必须马上开始节约用水。

王红：我认为水井没有问题，是水管在路上漏掉了三分之一的水。

李明：更换水管要花两百万元，今年市里没有这笔钱。
"""
SUMMARY = {"en": "Summarise lease.txt", "zh": "总结一下《读书会纪要》"}
BACK = {"en": "Which document do you mean?", "zh": "请说明是哪一份文件"}


def opened(folder: Path, files: list[Path]) -> Library:
    library = Library(folder, HashEmbedder)
    library.add(files)
    return library


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The sample files and two conversations."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "interview.md").write_text(INTERVIEW, encoding="utf-8")
    (folder / "供水座谈.md").write_text(TALK, encoding="utf-8")
    with opened(folder / "library", [SAMPLE, folder / "interview.md", folder / "供水座谈.md"]) as library:
        yield library


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "memory", HashEmbedder) as library:
        yield library


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Library]:
    """A library of one document, free to remember."""
    with opened(tmp_path / "own", [SAMPLE / "lease.txt"]) as library:
        yield library


def asked(library: Library, question: str, *replies: Any, **more: Any) -> Answer:
    chat = ScriptedChat(replies=list(replies)) if replies else None
    answer = ask_in(library, question, chat=chat, **more)
    assert_cited(library, answer)
    assert chat is None or chat.remaining == 0
    return answer


def names(answer: Answer) -> set[str]:
    return {Path(one.path).name for claim in answer.claims for one in claim.citations}


# --- aim and parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "kind", "count"),
    [
        (SUMMARY["en"], "summary", 1),
        (SUMMARY["zh"], "summary", 1),
        ("List all dates", "list", 6),
        ("列出所有日期", "list", 6),
        ("What did each speaker say in interview.md?", "speakers", 1),
    ],
)
def test_aim_names_the_documents(library: Library, question: str, kind: str, count: int) -> None:
    aimed = aim(question, library, [])
    assert isinstance(aimed, dict)
    assert (aimed["kind"], len(aimed["documents"])) == (kind, count)


@pytest.mark.parametrize("question", [CONTRACT, FEE, "hello"])
def test_aim_leaves_ordinary_questions_alone(library: Library, question: str) -> None:
    assert aim(question, library, []) is None


@pytest.mark.parametrize("limit", [1, 3, 7, PARTS])
def test_parts_cover_each_document_as_it_is(library: Library, limit: int) -> None:
    documents = [one.id for one in library.documents()]
    found = parts_of({"kind": "list", "subject": "", "speaker": "", "documents": documents}, library, limit)
    assert len(found) <= max(limit, len(documents))
    for document_id in documents:
        items = [item for item in found if item["document_id"] == document_id]
        source = library.store.source(document_id)
        assert source is not None
        assert "".join(item["text"] for item in items) == source.text
        assert all(source.text[item["start"] : item["end"]] == item["text"] for item in items)


def test_parts_of_a_document_that_is_gone_are_none(library: Library) -> None:
    assert parts_of({"kind": "summary", "subject": "", "speaker": "", "documents": [9999]}, library) == []
    assert quoted({"kind": "summary", "subject": "", "speaker": "", "documents": [9999]}, "en", []) == []


# --- answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "file", "said"),
    [
        (SUMMARY["en"], "lease.txt", "rent"),
        (SUMMARY["zh"], "meeting.zh.md", "何佳"),
        ("List all dates in lease.txt", "lease.txt", "12 May 2026"),
        ("列出《读书会纪要》里的所有日期", "meeting.zh.md", "2026年4月18日"),
        ("What did each speaker say in interview.md?", "interview.md", "Bob Ray: "),
        ("供水座谈.md 里谁说了什么？", "供水座谈.md", "王红："),
    ],
)
def test_a_sweep_quotes_one_document(library: Library, question: str, file: str, said: str) -> None:
    answer = asked(library, question)
    assert answer.outcome == "verified" and answer.claims
    assert names(answer) == {file} and said in answer.text
    assert answer.queries == () and answer.stopped == ""
    assert len(answer.claims) == 1 or answer.text.count("\n- ") == len(answer.claims) - 1


def test_what_a_speaker_said_cites_the_name_and_the_words(library: Library) -> None:
    answer = asked(library, "What did Ann Lee say about pipes in interview.md?")
    assert answer.text == f"Ann Lee: {INTERVIEW.split('Ann Lee: ')[-1].strip()}"
    [claim] = answer.claims
    assert claim.citations[0].quote == "Ann Lee" and claim.text.endswith(claim.citations[-1].quote)


MIXED = """\
Ann Lee: The old wells give less water every summer.

Bob Ray: I think that the wells are fine for now.

# After the talk

The mayor then walked to the mill with all of the guests.
"""
CAST = """\
# 嘉宾

- 李明：老水井每年夏天的出水量都在减少，必须节约用水。
- 王红：我认为水井没有问题，是水管在路上漏掉了水。

# 会后

市长随后带领所有来宾参观了城外的那座磨坊和水库。
"""


@pytest.mark.parametrize(
    ("question", "name", "text", "note"),
    [
        ("Who said what in talk.md?", "talk.md", MIXED, "1 of 3 passages have no speaker label"),
        ("座谈.md 里谁说了什么？", "座谈.md", CAST, "3 段中有 1 段没有标明说话人"),
    ],
)
def test_what_has_no_label_is_counted(tmp_path: Path, question: str, name: str, text: str, note: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with opened(tmp_path / "library", [tmp_path / name]) as library:
        answer = asked(library, question)
    assert answer.outcome == "verified" and len(answer.claims) == 2, "labels of list items count"
    assert [note in one for one in answer.notes] == [True]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("List all dates in lease.txt", "12 May 2026 — "),
        ("列出《读书会纪要》里的所有日期", "2026年4月18日 — "),
        ("列出 meeting.zh.md 里的所有人名", "- 周启明\n"),
        ("List every amount in lease", "$3,400 — "),
    ],
)
def test_a_list_is_of_items(library: Library, question: str, answer: str) -> None:
    given = asked(library, question)
    assert given.outcome == "verified" and answer in given.text
    assert all(len(claim.citations) == 1 for claim in given.claims)


@pytest.mark.parametrize(
    "question", ["List all phone numbers", "列出所有电话号码", "List all penguins in lease.txt"]
)
def test_where_there_is_nothing_to_list_it_is_searched(library: Library, question: str) -> None:
    answer = asked(library, question, max_rounds=0)
    assert answer.queries and answer.queries[0] == question.removesuffix(" in lease.txt")


def test_copies_of_a_document_are_each_read_whole(tmp_path: Path) -> None:
    """Parts that are alike in place and words belong to their own documents."""
    middle = "".join(
        f"Point {n} of the plan is that the town will dig well number {n}.\n\n" for n in range(120)
    )
    for name, day in (("a.txt", "1"), ("b.txt", "2")):
        text = f"The plan is of {day} May 2026.\n\n{middle}The end comes on {day} June 2026.\n"
        (tmp_path / name).write_text(text, encoding="utf-8")
    with opened(tmp_path / "library", [tmp_path / "a.txt", tmp_path / "b.txt"]) as library:
        answer = asked(library, "List all dates")
    quotes = {(Path(one.path).name, one.quote) for claim in answer.claims for one in claim.citations}
    assert {
        (name, f"The end comes on {day} June 2026.") for name, day in (("a.txt", 1), ("b.txt", 2))
    } <= quotes


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_summary_asked_for_again_cites_the_same(library: Library, memory: Library, lang: str) -> None:
    """The episode of the first run brings its passages along; they are no part of the sweep."""
    answers = [asked(library, SUMMARY[lang], memory=memory) for _ in range(2)]
    assert answers[0].text == answers[1].text
    assert answers[0].claims == answers[1].claims


def test_few_passages_still_cover_the_document(library: Library) -> None:
    answer = asked(library, SUMMARY["en"], max_passages=1)
    assert answer.outcome == "verified" and len(answer.evidence) == 1


# --- which document -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "lang"),
    [("Summarise this document", "en"), ("tl;dr", "en"), ("总结一下", "zh"), ("這份文件講了什麼？", "zh")],
)
def test_with_several_documents_it_asks_which(library: Library, question: str, lang: str) -> None:
    answer = asked(library, question)
    assert (answer.outcome, answer.claims, answer.evidence) == ("abstained", (), ())
    assert (answer.text.startswith(BACK[lang]) and "lease.txt" in answer.text) or "argument.md" in answer.text


def test_a_model_is_not_asked_while_it_is_unclear_which(library: Library, memory: Library) -> None:
    for _ in range(2):
        chat = ScriptedChat()
        assert ask_in(library, "总结一下", chat=chat, memory=memory).text.startswith(BACK["zh"])
        assert chat.history == []


def test_an_unknown_file_and_an_empty_library_are_said(library: Library, memory: Library) -> None:
    assert "no document called nowhere.pdf" in asked(library, "Summarise nowhere.pdf").text
    assert asked(memory, "Summarise this").text == "There is no document in the library yet."
    assert asked(memory, "总结一下").text == "库中还没有文件。"


@pytest.mark.parametrize(
    ("question", "follow", "file"),
    [
        (CONTRACT, "Summarise this document", "lease.txt"),
        (FEE, "总结一下这份文件", "meeting.zh.md"),
    ],
)
def test_this_document_is_the_one_cited_last(tmp_path: Path, question: str, follow: str, file: str) -> None:
    with opened(tmp_path / "library", [SAMPLE]) as library:
        ask_in(library, "Who discovered two comets?", thread="t", memory=library)
        assert ask_in(library, question, thread="t", memory=library).outcome == "verified"
        recent = [
            Path(one.path).name
            for n in recent_documents(library, "t")
            for one in library.documents()
            if one.id == n
        ]
        assert recent == [file, "observatory.html"]
        assert (
            recent_documents(library, "other")
            == recent_documents(None, "t")
            == recent_documents(library, "")
            == []
        )
        answer = asked(library, follow, thread="t", memory=library)
        assert names(answer) == {file}
        library.remove([SAMPLE / file])
        assert len(recent_documents(library, "t")) == 1, "what is gone is not meant"


# --- with a chat model ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (SUMMARY["en"], SIGNED),
        (SUMMARY["zh"], PAID),
    ],
)
def test_a_model_writes_and_the_critic_checks(library: Library, question: str, sentence: str) -> None:
    answer = asked(library, question, drafted(sentence, "The rent is $9,999."), paths=3)
    # Half of what the model wrote did not stand: what is left is part of an answer.
    assert (answer.outcome, answer.text) == ("partial", sentence), "one draft, whatever the paths"


@pytest.mark.parametrize(
    "fault", [ModelError("down"), RuntimeError("gone"), "no JSON", ContextOverflow(9, 1)], ids=repr
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_failed_model_leaves_the_quotations(library: Library, lang: str, fault: Any) -> None:
    plain = asked(library, SUMMARY[lang])
    answer = asked(library, SUMMARY[lang], fault)
    assert (answer.outcome, answer.text) == ("verified", plain.text)
    assert [note.split(":")[0] for note in answer.notes] == ["draft"]


@pytest.mark.parametrize("question", ["List all phone numbers", "列出所有电话号码"])
@pytest.mark.parametrize("fault", [ModelError("down"), drafted()], ids=["down", "nothing"])
def test_a_model_that_finds_nothing_to_say_leaves_the_search(
    library: Library, question: str, fault: Any
) -> None:
    calls = [fault] if isinstance(fault, ModelError) else [fault] * 8
    chat = ScriptedChat(replies=[*calls, *[ModelError("down")] * 40])
    answer = ask_in(library, question, chat=chat, max_rounds=0)
    assert_cited(library, answer)
    assert answer.queries == (question,)


def test_what_a_model_makes_up_is_not_given(library: Library) -> None:
    answer = asked(library, SUMMARY["en"], drafted("The rent is $9,999.", "Grace Hopper owns the mill."))
    assert answer.claims == () and answer.outcome == "abstained"
