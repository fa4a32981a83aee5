"""Sentences over wrapped lines and page breaks, and places between words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.wrapped import between_words, on_words, whole_sentences

COLUMN = """\
大模型走向更智能

林咏华：从从业者的角度来看，因
为国内大模型大多数情况都还是要依

赖人去调教。坦白来说，目前我们还没

能够摸到天花板，一些

激进想法会更为慎重。6月16日在巴黎举行的

科技创新展上，大家都在谈论技术。

新的一节

张三：好的，我们继续谈论这件事情。
"""
PAPER = """\
The committee met in the town hall and agreed that the bridge over the river must be closed by
Monday at the latest.

A short title

Nobody spoke against it.
"""
PAGES = (
    "谷歌可以把五万张卡直接连在一起训练，英伟达是两万张卡，如果这方面多做一些优化，再多做一些测试，最后至少集\n\n\n"
    "群可以提高三五倍。\n\n市场预期\n\n大家的预期都很高。\n"
)


def read(text: str) -> list[str]:
    return ["".join(text[start:end].split("\n")) for start, end in whole_sentences(text)]


def test_columns_are_read_on() -> None:
    found = read(COLUMN)
    assert "林咏华：从从业者的角度来看，因为国内大模型大多数情况都还是要依赖人去调教。" in found
    assert "6月16日在巴黎举行的科技创新展上，大家都在谈论技术。" in found
    assert "大模型走向更智能" in found and "新的一节" in found


def test_a_page_break_ends_no_sentence_and_a_heading_is_one() -> None:
    found = read(PAGES)
    assert found[0].endswith("最后至少集群可以提高三五倍。") and found[1] == "市场预期"
    assert read(PAPER)[-2:] == ["A short title", "Nobody spoke against it."]
    assert len(read(PAPER)) == 3


@pytest.mark.parametrize(
    ("text", "place", "between"),
    [
        ("我们对于模型", 3, False),
        ("我们对于模型", 4, True),
        ("a word", 3, False),
        ("a word", 2, True),
        ("用GPT做", 1, True),
    ],
)
def test_between_words(text: str, place: int, between: bool) -> None:
    assert between_words(text, place) == between


PIECES = st.sampled_from(
    ["模型很大", "。", "\n", "\n\n", "- ", "a line of words ", "张三：", "on.", "# H\n", "，因"]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_sentences_are_trimmed_spans_in_order(text: str) -> None:
    spans = whole_sentences(text)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert spans == sorted(spans) and sum(end - start for start, end in spans) <= len(text)
    for start, end in spans:
        a, b = on_words(text, (start, end))
        assert start <= a < b <= end
