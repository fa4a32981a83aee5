"""Hybrid search: fusion that keeps its promises, near-duplicates out, both languages, and blind embedders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrieval.embed import EmbedderError, HashEmbedder, OnnxEmbedder
from retrieval.library import Library
from retrieval.search import same_words
from tests.conftest import SAMPLE


def test_same_words() -> None:
    words = "a b c d e f g h i j"
    assert same_words(words, words)
    assert same_words(words, words + " k")
    assert not same_words(words, words + " k l")
    assert not same_words("...", "...")  # texts without a word are not the same


MINUTES_EN = (
    "Minutes of the yearly meeting. All members were there and the accounts of the past year were read out and "
    "approved. The treasurer of the rowing club is {}. The fee stays as it is and is due in {}; guests {} row "
    "on the lake when a member is with them, and the boats must be cleaned and put away after every outing."
)
MINUTES_ZH = (
    "年度会议纪要。全体成员都出席了会议，会上宣读并通过了上一年度的账目。赛艇俱乐部的司库是{}。会费保持原样，应在{}缴纳；"
    "客人在会员陪同下{}在湖上划船，每次活动结束之后都必须把船只清洗干净并且放回原来的位置，钥匙交给值班人员统一保管。"
)


@pytest.mark.parametrize(
    ("text", "one", "other", "same"),
    [
        (MINUTES_EN, ("Anna Meyer", "March", "may"), ("Ben Okafor", "March", "may"), False),
        (MINUTES_EN, ("Anna Meyer", "March", "may"), ("Anna Meyer", "April", "may"), False),
        (MINUTES_EN, ("Anna Meyer", "March", "may"), ("Anna Meyer", "March", "may not"), False),
        (MINUTES_EN, ("Anna Meyer", "March", "may"), ("Anna Meyer", "March", "can"), True),
        (MINUTES_ZH, ("王小明", "三月", "可以"), ("李建国", "三月", "可以"), False),
        (MINUTES_ZH, ("何佳", "三月", "可以"), ("何嘉", "三月", "可以"), False),
        (MINUTES_ZH, ("何佳", "三月", "可以"), ("何佳", "四月", "可以"), False),
        (MINUTES_ZH, ("何佳", "三月", "可以"), ("何佳", "三月", "不可以"), False),
        (MINUTES_ZH, ("何佳", "三月", "可以"), ("何佳", "三月", "能够"), True),
    ],
)
def test_texts_that_differ_in_a_fact_are_not_the_same(
    text: str, one: tuple[str, ...], other: tuple[str, ...], same: bool
) -> None:
    left, right = text.format(*one), text.format(*other)
    assert same_words(left, right) == same_words(right, left) == same
    assert same_words(left, left.upper())


# --- over a library ----------------------------------------------------------


@pytest.fixture(scope="module")
def sample(minilm: OnnxEmbedder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The sample files with the real embedder."""
    with Library(tmp_path_factory.mktemp("library"), lambda: minilm) as library:
        library.add([SAMPLE])
        yield library


def write(folder: Path, **texts: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return [folder / f"{name}.txt" for name in texts]


@pytest.mark.parametrize(
    ("query", "file"),
    [
        ("By which day do we have to tell the owner that we move out?", "lease.txt"),
        ("When can I look through the telescope at night?", "observatory.html"),
        ("philosophy of reasoning in court", "argument.md"),
        ("Margaret Oduya", "observatory.html"),
    ],
)
def test_english_is_found_by_meaning_and_by_name(sample: Library, query: str, file: str) -> None:
    best = sample.search(query)[0]
    assert Path(best.chunk.path).name == file
    assert best.cosine is not None
    assert sample.blind_reason == ""


def test_meaning_alone_suffices(minilm: OnnxEmbedder, tmp_path: Path) -> None:
    with Library(tmp_path / "library", lambda: minilm) as library:
        library.add(
            write(tmp_path / "d", cat="A kitten sleeps upon a sofa.", tax="Taxes rose by two percent.")
        )
        best = library.search("young feline resting")[0]
        assert (Path(best.chunk.path).name, best.bm25) == ("cat.txt", None)


@pytest.mark.parametrize("query", ["会费由谁收取？", "读书会什么时候开始", "英国哲学界反应"])
def test_chinese_is_found_by_words(sample: Library, query: str) -> None:
    best = sample.search(query)[0]
    assert Path(best.chunk.path).name == "meeting.zh.md"
    assert best.cosine is None and best.bm25 is not None and best.bm25 > 0
    assert sample.dense(query, 5) == []  # the embedder is blind to it and must not guess


@pytest.mark.parametrize("query", ["deadline for giving notice", "会费", "Toulmin 论证", "x"])
def test_passages_are_spans_with_scores(sample: Library, query: str) -> None:
    passages = sample.search(query, 3)
    assert 0 < len(passages) <= 3
    assert [p.score for p in passages] == sorted((p.score for p in passages), reverse=True)
    for passage in passages:
        assert passage.chunk.document_id is not None
        source = sample.store.source(passage.chunk.document_id)
        assert source is not None
        assert source.text[passage.chunk.start : passage.chunk.end] == passage.chunk.text
        assert 0 <= passage.score <= 1
        assert (passage.cosine, passage.bm25) != (None, None)


@pytest.mark.parametrize("query", ["", "  ", "？！", '"" OR NEAR(* ^ -:'])
def test_queries_without_words_do_no_harm(sample: Library, query: str) -> None:
    assert isinstance(sample.search(query, 3), list)
    assert sample.search(query, 0) == []


@pytest.mark.parametrize(
    "text",
    [
        "The contract was signed on 1 March by the landlord and the tenant of the workshop.",
        "合同于三月一日由房东和承租人在工作室里共同签订，双方各执一份。",
    ],
)
def test_near_duplicates_are_left_out(hashed: Library, tmp_path: Path, text: str) -> None:
    other = "The contract about comets 合同与彗星."
    hashed.add(write(tmp_path / "d", a=text, b=text + " ", c=text.upper(), d=other))
    found = hashed.search("contract 合同")
    assert sorted(Path(p.chunk.path).name[0] for p in found) in (["a", "d"], ["b", "d"], ["c", "d"])


def test_without_an_embedder_search_is_lexical_and_says_so(tmp_path: Path) -> None:
    files = write(tmp_path / "d", rent="The rent is due each month.", huifei="会费每年一百元，由何佳收取。")
    with Library(tmp_path / "library", HashEmbedder) as library:
        library.add(files)

    def missing() -> OnnxEmbedder:
        raise EmbedderError("the default embedder is not prepared yet: run `agent setup`")

    with Library(tmp_path / "library", missing) as library:
        assert library.blind_reason == ""
        for query, name in [("When is the rent due?", "rent.txt"), ("会费由谁收取", "huifei.txt")]:
            [best] = library.search(query)
            assert Path(best.chunk.path).name == name
            assert best.cosine is None and 0 < best.score <= 1
        assert "agent setup" in library.blind_reason
        assert library.dense("rent", 5) == []
        with pytest.raises(EmbedderError, match="agent setup"):
            library.add(files)
