"""Sentences and chunks: spans of the source that lose nothing, in both languages and in awkward layouts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.load import Mark, Source
from retrieval.load.markdown import load_markdown
from retrieval.split import CHUNK_CHARS, SENTENCE_CHARS, sentences, split, weight

ENGLISH = ["The cat sat", "Dr. Smith", "e.g. this", "J. R. R. Tolkien", "3.5", "No. 7", "etc.", "U.S.", "a"]
CHINESE = ["图尔敏", "他说：“走吧。”", "。", "！", "？」", "……", "；", "，", "（完）", "一、", "第3章"]
MARKS = [
    ". ",
    "! ",
    "?” ",
    '." ',
    "... ",
    ".",
    "- ",
    "1. ",
    "| a | b |\n",
    "```\nx = 1\n```\n",
    "# Heading\n",
    "🙂",
]
SPACES = ["\n", "\n\n", " \n \n ", "  ", "\t", "\u3000", "\u00a0", "\x0b", "\u2028"]
PIECES = st.sampled_from([*ENGLISH, *CHINESE, *MARKS, *SPACES, "word " * 90, "字" * 170])
MIXED = st.lists(PIECES, max_size=25).map("".join)


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def plain(text: str, marks: tuple[Mark, ...] = ()) -> Source:
    return Source(text, "", marks, "text", None, "utf-8")


def markdown(text: str) -> Source:
    return load_markdown(text.encode(), Path("x.md"))


def check_spans(text: str, spans: list[tuple[int, int]]) -> None:
    """In order, disjoint, trimmed, not empty, and all that is not white space is in one of them."""
    assert all(start < end for start, end in spans)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())


@settings(deadline=None, max_examples=200)
@given(MIXED)
def test_sentences_lose_nothing(text: str) -> None:
    spans = sentences(text)
    check_spans(text, spans)
    assert all(weight(text[start:end]) <= SENTENCE_CHARS for start, end in spans)


@settings(deadline=None, max_examples=60)
@given(MIXED, st.data())
def test_sentences_of_a_part_stay_in_it(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    spans = sentences(text, start, end)
    assert all(start <= left < right <= end for left, right in spans)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text[start:end].split())


@pytest.mark.parametrize(
    "parts",
    [
        ["One thing happened.", "Then another did!", "Why?", "Nobody knows."],
        ["Dr. Smith met Mrs. Jones at No. 7 on Jan. 5.", "They talked."],
        ["J. R. R. Tolkien wrote it.", "C. S. Lewis read it."],
        ["It costs $3.50, or 1.25 per unit.", "See fig. 2.1 for more, e.g. the axis."],
        ["They bought pens, paper, etc. for the office.", "It rained."],
        ["They bought pens, paper, etc.", "It rained."],
        ["The shop opens at 9 a.m. on weekdays.", "It is closed now."],
        ['He said "Go."', "Then he left."],
        ["She said “Stop!”", "He did (at last).", "[So it is told.]", "The end."],
        ["Well... maybe.", "Yes...", "No?!", "Done."],
        ['"Really?" he asked.', "She nodded."],
    ],
)
def test_english_sentences(parts: list[str]) -> None:
    assert cut(" ".join(parts)) == parts


@pytest.mark.parametrize(
    "parts",
    [
        ["图尔敏提出了模型。", "它有六个要素！", "是哪六个？", "请看下文。"],
        ["他说：“走吧。”", "然后他走了。"],
        ["她问：“是吗？！”", "他没有回答。"],
        ["「好。」", "他说。", "『不行！』", "她说。"],
        ["（见第三章。）", "下面继续。"],
        ["我想……", "算了吧。"],
        ["会费120.5元，由何佳收取。", "Daniel Weber说：英国反应冷淡。", "大家同意。"],
        ["他在IBM工作过。", "He left in 1960.", "后来回国了。"],
        ["先读第一章；", "再读第二章。"],
    ],
)
def test_chinese_sentences(parts: list[str]) -> None:
    assert cut("".join(parts)) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1. Sign it\n2. Pay the rent\n10. Leave", ["1. Sign it", "2. Pay the rent", "10. Leave"]),
        ("- apples\n* pears\n• plums", ["- apples", "* pears", "• plums"]),
        ("一、签字\n二、付款\n（3）离开\n4、结束", ["一、签字", "二、付款", "（3）离开", "4、结束"]),
        ("| a | b |\n|---|---|\n| 甲 | 乙 |", ["| a | b |", "|---|---|", "| 甲 | 乙 |"]),
        ("# The model\nIt has six parts.", ["# The model", "It has six parts."]),
        ("# 模型\n它有六个要素", ["# 模型", "它有六个要素"]),
        ("The list:\nfirst of all", ["The list:", "first of all"]),
        ("林晓雯：读第三章\n何佳：好\nAnna: fine", ["林晓雯：读第三章", "何佳：好", "Anna: fine"]),
        ("Title of the paper\n\nThe text begins", ["Title of the paper", "The text begins"]),
        ("标题在这里\n\n正文从这里开始", ["标题在这里", "正文从这里开始"]),
    ],
)
def test_lines(text: str, parts: list[str]) -> None:
    assert cut(text) == parts


def test_hard_wrapped_english_is_joined() -> None:
    text = (
        "He had trained as a physicist and then as a philosopher at Cambridge, and he\n"
        "found that formal logic said little about how people argue in a court or in\n"
        "a laboratory. British philosophers gave the book a cold welcome, as teachers\n"
        "Brockriede and Ehninger told the readers of their own journal two years on.\n"
        "It was read."
    )
    assert [" ".join(part.split())[:20] for part in cut(text)] == [
        "He had trained as a ",
        "British philosophers",
        "It was read.",
    ]


def test_hard_wrapped_chinese_is_joined() -> None:
    text = (
        "图尔敏在剑桥先学物理学，后来转学哲学，他发现\n"
        "形式逻辑很少谈到人们在法庭上或者在实验室里究\n"
        "竟怎样进行论证。英国的哲学家们对这本书反应冷\n"
        "淡，倒是美国的修辞学教师很快就接受了这个模型\n"
        "并且加以推广。"
    )
    parts = ["".join(part.split()) for part in cut(text)]
    assert [part[:4] for part in parts] == ["图尔敏在", "英国的哲"]
    assert "".join(parts) == "".join(text.split())


def test_double_spaced_chinese_columns_are_joined() -> None:
    lines = [
        "图尔敏在剑桥先学物理学，后来转学哲学，他发现",
        "形式逻辑很少谈到人们在法庭上或者在实验室里究",
        "竟怎样进行这些论证，英国的哲学家们反应冷淡，倒",
        "是美国的修辞学教师们很快就接受了这一个新模型",
        "并且加以推广。后来也传到了中国。",
    ]
    assert ["".join(part.split())[:4] for part in cut("\n\n".join(lines))] == ["图尔敏在", "后来也传"]


def test_a_turn_of_two_or_three_lines_of_a_column_is_joined() -> None:
    turn = "图尔敏：我从法庭上学来的，不\n是从书上学来的。后来大家都说\n\n这样的论证更好懂"
    assert ["".join(part.split()) for part in cut(turn)] == [
        "图尔敏：我从法庭上学来的，不是从书上学来的。",
        "后来大家都说这样的论证更好懂",
    ]
    duties = "张三负责后端接口的开发工作\n李四负责前端页面的设计工作"
    assert cut(duties) == duties.split("\n"), "nothing shows that these were wrapped"


@pytest.mark.parametrize(
    "log",
    [
        "66c9369 make eval: all of quality over larger data\n328e849 Follow-ups that name another of the same noun\n"
        "77f2c30 What nobody is told to say has to name\n4e25aa1 Merge branch of the evals of today",
        "2026-11-22 The server was started by anna\n2026-11-22 The server was stopped by anna\n"
        "2026-11-23 服务器已经由安娜重新启动成功\n2026-11-24 The server was started by bob",
    ],
)
def test_each_line_of_a_log_is_a_sentence(log: str) -> None:
    assert cut(log) == log.split("\n")


def test_short_unwrapped_lines_stay_apart() -> None:
    assert cut("红色的花\n蓝色的天\n绿色的树\n白色的雪") == ["红色的花", "蓝色的天", "绿色的树", "白色的雪"]
    assert cut("Red flowers\nBlue sky\nGreen trees") == ["Red flowers", "Blue sky", "Green trees"]


@pytest.mark.parametrize("text", ["so we went on and on " * 120, "我们就这样一直走下去" * 150, "x" * 3000])
def test_a_transcript_without_punctuation_is_cut_by_length(text: str) -> None:
    spans = sentences(text)
    check_spans(text, spans)
    assert all(SENTENCE_CHARS / 4 <= weight(text[a:b]) <= SENTENCE_CHARS for a, b in spans[:-1])
    words = set(text.split())
    if len(words) > 1:  # cut between words, never inside one
        assert all(set(text[a:b].split()) <= words for a, b in spans)


@pytest.mark.parametrize("text", ["", "  \n\t\u3000 ", "\n\n\n"])
def test_nothing_gives_nothing(text: str) -> None:
    assert sentences(text) == []
    assert split(plain(text)) == []


@settings(deadline=None, max_examples=120)
@given(MIXED, st.integers(40, 1200))
def test_chunks_lose_nothing(text: str, chunk_chars: int) -> None:
    spans = [(chunk.start, chunk.end) for chunk in split(plain(text), chunk_chars)]
    check_spans(text, spans)
    assert all(weight(text[start:end]) <= chunk_chars for start, end in spans)


@settings(deadline=None, max_examples=120)
@given(MIXED, st.data())
def test_chunks_do_not_cross_marks(text: str, data: st.DataObject) -> None:
    starts = sorted(data.draw(st.sets(st.integers(0, max(0, len(text) - 1)), max_size=6)))
    kinds = data.draw(st.lists(st.sampled_from(["heading", "page"]), min_size=6, max_size=6))
    marks = tuple(
        Mark(start, "page", str(n + 1), 0) if kind == "page" else Mark(start, "heading", f"h{n}", 1)
        for n, (start, kind) in enumerate(zip(starts, kinds, strict=False))
    )
    chunks = split(plain(text, marks))
    check_spans(text, [(chunk.start, chunk.end) for chunk in chunks])
    for chunk in chunks:
        assert not [mark for mark in marks if chunk.start < mark.start < chunk.end]
        pages = [mark for mark in marks if mark.kind == "page" and mark.start <= chunk.start]
        assert chunk.page == (int(pages[-1].label) if pages else None)


def test_long_english_and_chinese_texts_fill_their_chunks() -> None:
    for sentence in (
        "The rent is due on the first working day of each month. ",
        "租金在每个月的第一个工作日支付。",
    ):
        text = sentence * 200
        chunks = split(plain(text))
        weights = [weight(text[chunk.start : chunk.end]) for chunk in chunks]
        assert max(weights) <= CHUNK_CHARS
        assert min(weights[:-1]) > CHUNK_CHARS / 2
        assert all(text[chunk.end - 1] in ".。" for chunk in chunks)  # at sentence ends


def test_headings_part_chunks_and_give_the_breadcrumb() -> None:
    source = markdown("# Guide\n\nIntro.\n\n## Install\n\nRun it.\n\n# 指南\n\n## 安装\n\n运行它。\n")
    found = [(chunk.heading, source.text[chunk.start : chunk.end]) for chunk in split(source)]
    assert found == [
        ("Guide", "# Guide\n\nIntro."),
        ("Guide > Install", "## Install\n\nRun it."),
        ("指南", "# 指南"),
        ("指南 > 安装", "## 安装\n\n运行它。"),
    ]


def test_short_paragraphs_share_a_chunk() -> None:
    text = "One.\n\nTwo.\n\n三。\n"
    assert [(chunk.start, chunk.end) for chunk in split(plain(text))] == [(0, len(text) - 1)]


def test_front_matter_is_left_out() -> None:
    source = markdown("---\ntitle: 论证模型\ntags: [a, b]\n---\nThe text.\n")
    assert [source.text[chunk.start : chunk.end] for chunk in split(source)] == ["The text."]


@pytest.mark.parametrize("fence", ["```", "~~~~", "````"])
def test_fenced_code_stays_whole(fence: str) -> None:
    code = f"{fence}python\nx = 1\n\n\ny = 2  # 注释。再来。\n\n# not a heading\n{fence}"
    filler = "A sentence stands here. " * 30
    source = markdown(f"# T\n\n{filler}\n\n{code}\n\n{filler}\n")
    holding = [chunk for chunk in split(source) if "x = 1" in source.text[chunk.start : chunk.end]]
    assert len(holding) == 1
    assert code in source.text[holding[0].start : holding[0].end]


def test_an_unclosed_fence_reaches_to_the_end() -> None:
    source = markdown("Before.\n\n```\nx = 1\n\n\ny = 2\n")
    text = [source.text[chunk.start : chunk.end] for chunk in split(source, 25)]
    assert text == ["Before.", "```\nx = 1\n\n\ny = 2"]


def test_weight_counts_chinese_as_more() -> None:
    assert weight("abcd") == 4
    assert weight("论证") == 5
    assert weight("a论") == 3.5
