"""Which documents a question names, in both languages, and that an answer comes from them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.named import mentions, pointed_out, unknown_file, without
from retrieval.documents import Names
from retrieval.embed import HashEmbedder
from retrieval.library import Library
from tests.conftest import ask_in, assert_cited

DOCUMENTS = Names(
    (
        (1, "/n/lease.txt", "Lease agreement"),
        (2, "/n/gpt-closed-door-notes.zh.md", ""),
        (3, "/n/合同.txt", ""),
        (4, "/n/会议纪要.md", "圆桌对话"),
        (5, "/n/paris.md", "Paris"),
        (6, "/n/talk_notes.md", ""),
        (7, "/o/lease.txt", ""),
    )
)


def sure(question: str) -> list[int]:
    return [id_ for one in mentions(question, DOCUMENTS) if one.sure for id_ in one.documents]


@pytest.mark.parametrize(
    ("question", "documents"),
    [
        ("According to lease.txt, when does it end?", [1, 7]),
        ("According to the lease, when does it end?", [1, 7]),
        ("What is the rent in /n/lease.txt?", [1]),
        ("What does gpt-closed-door-notes say of agents?", [2]),
        ("What do the gpt closed door notes say of agents?", []),
        ("based on talk_notes, who spoke?", [6]),
        ("根据合同.txt，租金是多少？", [3]),
        ("根据合同，租金是多少？", [3]),
        ("合同.txt里租金是多少？", [3]),
        ("《圆桌对话》里谁提到了水管？", [4]),
        ("在会议纪要中，会费是多少？", [4]),
        ("根據gpt-closed-door-notes，誰在說話？", [2]),
        ("When was the lease signed?", []),
        ("Who lived in Paris?", []),
        ("合同哪天到期？", []),
        ("《圆桌对话》的作者是谁？", []),
        ("What does talk_notes say of agents?", [6]),
        ("What do talk notes cost?", []),
        ("Where is notlease.txt.bak?", []),
    ],
)
def test_documents_that_are_named_for_certain(question: str, documents: list[int]) -> None:
    assert sure(question) == documents


@pytest.mark.parametrize(
    ("question", "bare"),
    [
        ("According to lease.txt, when is the rent due?", "when is the rent due?"),
        ("When is the rent due in lease.txt?", "When is the rent due?"),
        ("根据《圆桌对话》，谁提到了水管？", "谁提到了水管？"),
        ("在会议纪要.md中，会费是多少？", "会费是多少？"),
        ("lease.txt?", "lease.txt?"),
    ],
)
def test_a_question_without_the_names(question: str, bare: str) -> None:
    assert without(question, mentions(question, DOCUMENTS)) == bare


def test_a_question_that_points_in_the_place_of_names() -> None:
    for question, lang, pointed in (
        ("总结一下 gpt-closed-door-notes", "zh", "总结一下这份文件"),
        ("列出《圆桌对话》里的所有人名", "zh", "列出这份文件里的所有人名"),
        ("List every date in the talk notes", "en", "List every date in this document"),
    ):
        assert pointed_out(question, mentions(question, DOCUMENTS), lang) == pointed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "file"),
    [
        ("according to nowhere.pdf, who won?", "nowhere.pdf"),
        ("根据账单.pdf，水费是多少？", "账单.pdf"),
        ("根据合同.txt，租金是多少？", ""),
        ("Is main.json a good name?", ""),
    ],
)
def test_a_file_that_is_not_there(question: str, file: str) -> None:
    assert unknown_file(question, mentions(question, DOCUMENTS)) == file


NAMED = st.sampled_from(
    ["lease.txt", "《圆桌对话》", "根据", "合同", "里", " in ", "the ", "lease", "?", "，", "talk-notes "]
)


@given(st.lists(NAMED, max_size=8).map("".join))
def test_mentions_are_places_in_order(question: str) -> None:
    found = mentions(question, DOCUMENTS)
    assert all(one.documents and one.start < one.end <= len(question) for one in found)
    assert all(left.end <= right.start for left, right in pairwise(found))
    assert bool(without(question, found)) == bool(question)


@pytest.mark.parametrize(
    ("question", "file", "noted"),
    [
        ("According to a.txt, when is the rent due?", "a.txt", ""),
        ("According to b.txt, when is the rent due?", "b.txt", ""),
        ("根据a.txt，会费是多少？", "a.txt", ""),
        ("根据b.txt，会费是多少？", "b.txt", ""),
        ("According to b.txt, who painted the harbour mural?", "a.txt", "b.txt does not answer this"),
        ("According to c.txt, who painted the harbour mural?", "a.txt", "no document called c.txt"),
    ],
)
def test_an_answer_is_from_the_file_that_is_named(
    tmp_path: Path, question: str, file: str, noted: str
) -> None:
    for name, day, fee in (("a.txt", "first", "120"), ("b.txt", "tenth", "300")):
        mural = "Ines Okafor painted the harbour mural.\n\n" if name == "a.txt" else ""
        text = f"The rent is due on the {day} day of the month.\n\n{mural}会费每人每年{fee}元。\n"
        (tmp_path / name).write_text(text, encoding="utf-8")
    with Library(tmp_path / "library", HashEmbedder) as library:
        library.add([tmp_path / "a.txt", tmp_path / "b.txt"])
        answer = ask_in(library, question)
        assert_cited(library, answer)
    assert {Path(one.path).name for claim in answer.claims for one in claim.citations} == {file}
    assert (noted in " ".join(answer.notes)) if noted else not answer.notes
