"""What a question's words say of where to look, and that an answer keeps to it; both languages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent.asides import filter_of, find_asides, without_asides
from retrieval.embed import HashEmbedder, OnnxEmbedder
from retrieval.filters import Filter
from retrieval.library import Library
from tests.conftest import ask_in, assert_cited
from tests.test_filters import TODAY, write_samples

ANNA, BOB = "Anna Lind <anna@example.org>", "Bob Li <bob@example.org>"
MARCH = {"since": "2025-03-01", "until": "2025-03-31"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, minilm: OnnxEmbedder) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("messages")
    write_samples(folder)
    (folder / "caesar.md").write_text(
        "# Julius Caesar\nJulius Caesar wrote the Commentaries. In 44 BC he was made dictator for life.\n",
        encoding="utf-8",
    )
    with Library(tmp_path_factory.mktemp("asides"), lambda: minilm) as filled:
        filled.add([folder])
        yield filled


@pytest.mark.parametrize(
    ("question", "where"),
    [
        ("What did Anna write in March?", {"who": [ANNA], **MARCH}),
        ("what did bob li say about the budget", {"who": [BOB]}),
        ("In March, what did Anna say about the budget?", {"who": [ANNA], **MARCH}),
        ("What did Bob say about the meeting on 5 May 2025?", {"who": [BOB]}),
        ("emails from Bob last week", {"who": [BOB], "formats": ["mail"], "since": "2026-11-09", "until": "2026-11-15"}),
        ("Which messages from Anna Lind mention euros?", {"who": [ANNA]}),
        ("What does Bob's latest email say?", {"who": [BOB], "formats": ["mail"]}),
        ("According to Bob, how much is it?", {"who": [BOB]}),
        ("In my mails, when does the train leave?", {"formats": ["mail"]}),
        ("What is the budget on WeChat?", {"formats": ["chat"]}),
        ("安娜三月份写了什么？", {"who": ["安娜"], **MARCH}),
        ("安娜在2025年4月说了什么？", {"who": ["安娜"], "since": "2025-04-01", "until": "2025-04-30"}),
        ("李波说预算是多少？", {"who": ["李波"]}),
        ("关于预算李波说了什么？", {"who": ["李波"]}),
        ("李波發來的消息", {"who": ["李波"]}),
        ("How does Bob see the budget?", {"who": [BOB]}),
        ("What is Anna's view of the hotel?", {"who": [ANNA]}),
        ("what are bob li's thoughts about trains", {"who": [BOB]}),
        ("李波怎么看预算？", {"who": ["李波"]}),
        ("李波对预算有什么看法？", {"who": ["李波"]}),
        ("請問安娜對酒店持什麼態度？", {"who": ["安娜"]}),
        ("李波对预算怎么看？", {"who": ["李波"]}),
        ("安娜的观点是什么？", {"who": ["安娜"]}),
        ("在微信里预算是多少？", {"formats": ["chat"]}),
        ("我的邮件里火车几点开？", {"formats": ["mail"]}),
        ("What did Caesar write in 44 BC?", {}),
        ("What happened in March 2025?", {}),
        ("What did the report say in March?", {}),
        ("Who wrote the Commentaries?", {}),
        ("What did Zoe write?", {}),
        ("In my PDFs, what is the budget?", {}),
        ("三月的预算是多少？", {}),
        ("凯撒写了什么？", {}),
        ("凯撒对高卢怎么看？", {}),
        ("Did Anna's train see delays?", {}),
        ("What is Bob's position?", {}),
        ("微信是什么？", {}),
    ],
)  # fmt: skip
def test_what_a_question_restricts(library: Library, question: str, where: Filter) -> None:
    assert filter_of(find_asides(question, TODAY, library.store)) == where


@pytest.mark.parametrize(
    ("question", "outcomes", "said", "who"),
    [
        ("What did Bob Li say about the budget?", {"verified"}, "5,000 euros", [BOB]),
        ("What did Anna say about the budget in March?", {"verified"}, "4,200 euros", [ANNA]),
        ("What did Anna write in March?", {"verified", "partial"}, "4,200 euros", [ANNA]),
        ("李波说预算是多少？", {"verified"}, "三百元", ["李波"]),
        ("安娜三月份写了什么？", {"verified", "partial"}, "东门", ["安娜"]),
    ],
)
def test_an_answer_is_in_the_words_of_whom_it_is_asked(
    library: Library, question: str, outcomes: set[str], said: str, who: list[str]
) -> None:
    answer = ask_in(library, question)
    assert answer.outcome in outcomes and said in answer.text and not answer.missing
    assert_cited(library, answer)
    assert all(item.get("who") == who for item in answer.evidence)


def test_what_others_say_is_not_what_somebody_says(library: Library) -> None:
    """Bob booked the hotel; Anna does not speak of it."""
    assert "Astoria" in ask_in(library, "What did Bob say about the hotel?").text
    assert ask_in(library, "What did Anna say about the hotel?").outcome == "abstained"
    assert ask_in(library, "李波说酒店在哪里？").outcome == "abstained"


@pytest.mark.parametrize(
    ("question", "note"),
    [
        (
            "What did Bob write about the train in February?",
            "nothing matches --from Bob Li --since 2026-02-01",
        ),
        ("李波七月说了什么？", "没有符合问题所说 --from 李波 --since 2026-07-01"),
    ],
)
def test_a_restriction_that_nothing_passes_is_widened_with_a_note(
    library: Library, question: str, note: str
) -> None:
    answer = ask_in(library, question)
    assert any(one.startswith(note) for one in answer.notes)
    assert answer.evidence


def test_a_question_for_no_sender_is_read_as_ever(library: Library) -> None:
    answer = ask_in(library, "What did Caesar write?")
    assert "Commentaries" in answer.text and not answer.notes


WORDS = st.lists(
    st.sampled_from("Anna Bob Li what did say write in March last week emails from my mails 安娜 李波 三月 说了 写 的 邮件 里 ? ， 's by".split()),
    max_size=12,
)  # fmt: skip


@given(WORDS, st.dates())
@bounds(max_examples=150, deadline=None)
def test_asides_are_spans_of_the_question_apart_from_each_other(
    library: Library, words: list[str], today: date
) -> None:
    question = " ".join(words)
    at = 0
    asides = find_asides(question, today, library.store)
    for one in asides:
        assert at <= one.start < one.end <= len(question) and one.where
        at = one.end
    assert len(without_asides(question, asides)) == len(question)


def test_a_library_without_messages_restricts_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Library(tmp_path_factory.mktemp("empty"), HashEmbedder) as empty:
        assert find_asides("What did Anna write in March in my mails?", TODAY, empty.store) == []
