"""Lexical tokens: folding, numbers, identifiers, Chinese bigrams and words, queries, and what people read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.tokens import (
    STOP_WORDS,
    cjk_share,
    fold,
    is_chinese,
    lexical_tokens,
    query_terms,
    simplified,
    stem,
    words_of,
)
from tests.processes import python

# Latin with case, marks and joiners, full width, digits, Chinese, kana, punctuation, an emoji, controls.
MIXED = st.text(
    st.sampled_from("aZé İßﬁ_'’sＡ１0.9,- \n\t中文图书馆的ー々かカ。，“🙂\u0301\u0345\x00\u200b½Ⅳ٣")
    | st.characters(codec="utf-8"),
    max_size=40,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Café CAFÉ cafe\u0301", ["cafe", "cafe", "cafe"]),
        ("ＡＢＣ　ａｂｃ", ["abc", "abc"]),
        ("Straße ﬁne", ["strasse", "fine"]),
        ("1,024 = 1024 = １，０２４", ["1024", "1024", "1024"]),
        ("3.14 and 1,234,567.5", ["3.14", "and", "1234567.5"]),
        ("version 1.2.3", ["version", "1.2.3"]),
        ("getUserName", ["getusername", "get", "user", "name"]),
        ("HTTPServer", ["httpserver", "http", "server"]),
        ("max_round_count", ["max_round_count", "max", "round", "count"]),
        ("Toulmin TOULMIN toulmin", ["toulmin"] * 3),
        ("the landlord's dog, Ada’s cat", ["the", "landlord", "dog", "ada", "cat"]),
        ("don't", ["don't"]),
        ("人", ["人"]),
        ("论证", ["论证"]),
        ("图书馆", ["图书", "书馆", "图书馆"]),
        ("在图书馆里", ["在图", "图书", "书馆", "馆里", "图书馆"]),
        ("中A国", ["中", "a", "国"]),
        ("图尔敏Toulmin模型", ["图尔", "尔敏", "toulmin", "模型"]),
        ("テスト", ["テス", "スト"]),
        ("图书，馆藏。", ["图书", "馆藏"]),
        ("— … ！？ 🙂", []),
        ("", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert lexical_tokens(text) == tokens


def test_full_width_and_traditional_width_forms_meet_in_a_query() -> None:
    assert query_terms("ＰＤＦ１，０２４") == query_terms("pdf1,024") == query_terms("PDF1,024")


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("When was the contract signed?", ["contract", "signed"]),
        ("contract contract CONTRACT", ["contract"]),
        ("what is the", ["what", "is", "the"]),  # nothing else is left
        ("How many comets were seen?", ["comets", "seen"]),
        ("谁主持会议？", ["主持", "持会", "会议"]),
        ("请问读书会什么时候开始呢？", ["读书", "书会", "开始"]),
        ("什么时候", ["什么", "么时", "时候"]),  # nothing else is left
        ("的", ["的"]),
        ("Who chairs 会议?", ["chairs", "会议"]),
        ("会费占预算的百分之几？", ["会费", "费占", "占预", "预算", "算的"]),
        ("占了几成", ["占了"]),
    ],
)
def test_query_terms(query: str, terms: list[str]) -> None:
    found = query_terms(query)
    assert [term for term in found if len(term) < 3 or term.isascii()] == terms
    assert len(found) == len(set(found))


def test_a_query_finds_the_words_of_its_document() -> None:
    document = set(
        lexical_tokens("读书会的会费每人每年由何佳收取。 The deposit was paid by O'Neil's tenant.")
    )
    assert set(query_terms("会费由谁收取")) & document >= {"会费", "收取"}
    assert set(query_terms("Who paid the deposit?")) <= document


def test_words_of_joins_bigrams_to_words() -> None:
    text = "Toulmin 在北京大学的图书馆读书"
    assert words_of(text, query_terms(text)) == ["Toulmin", "北京大学", "图书馆", "读书"]


def test_words_of_leaves_out_words_that_are_not_asked_for() -> None:
    assert words_of("北京大学的图书馆", query_terms("图书馆")) == ["图书馆"]
    assert words_of("北京大学的图书馆", ["图书"]) == []  # half a word is not one
    assert words_of("Both contracts", ["contract"]) == ["contracts"]  # a stem, as it stands in the text
    assert words_of("北京", []) == []


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["sign", "signs", "signed", "signing"], True),
        (["contract", "contracts"], True),
        (["rent", "rental", "renting"], False),
        (["universe", "contract"], False),
    ],
)
def test_stems(words: list[str], same: bool) -> None:
    assert (len({stem(word) for word in words}) == 1) == same


@pytest.mark.parametrize("word", ["1024", "the", "does", "has", "café", "会费", "v2beta", "bus"])
def test_what_has_no_stem_stays_whole(word: str) -> None:
    assert stem(word) == word


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("会议什么时候开始", True),
        ("Toulmin的模型", True),
        ("Stephen Toulmin wrote it, 图", False),
        ("plain English", False),
        ("２０２６", False),
        ("？！", False),
        ("", False),
    ],
)
def test_is_chinese(text: str, chinese: bool) -> None:
    assert is_chinese(text) == chinese
    assert 0 <= cjk_share(text) <= 1


@settings(deadline=None, max_examples=150)
@given(MIXED)
def test_any_text_gives_sound_tokens(text: str) -> None:
    tokens = lexical_tokens(text)
    for token in tokens:
        assert token.strip() == token != ""
        assert '"' not in token  # they are quoted in a full-text query
        assert fold(token) == token
    terms = query_terms(text)
    assert set(terms) <= set(tokens)
    assert bool(terms) == bool(tokens)
    assert not set(terms) & STOP_WORDS or set(terms) <= STOP_WORDS


@settings(deadline=None, max_examples=100)
@given(MIXED, MIXED)
def test_a_line_break_separates(left: str, right: str) -> None:
    assert lexical_tokens(f"{left}\n{right}") == lexical_tokens(left) + lexical_tokens(right)


@settings(deadline=None, max_examples=100)
@given(st.text(st.sampled_from("abcXYZ 中文图书馆 12"), max_size=30))
def test_width_changes_nothing(text: str) -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)
    assert lexical_tokens(wide) == lexical_tokens(text)


# --- traditional and simplified ---------------------------------------------


@pytest.mark.parametrize(
    ("traditional", "plain"),
    [
        ("臺灣後來的發展", "台湾后来的发展"),
        ("餘額、頭髮與裏面", "余额、头发与里面"),
        ("羅密歐與朱麗葉 (Romeo)", "罗密欧与朱丽叶 (Romeo)"),
        ("café", "café"),
    ],
)
def test_either_script_gives_the_same_tokens(traditional: str, plain: str) -> None:
    assert simplified(traditional) == plain
    assert lexical_tokens(traditional) == lexical_tokens(plain)
    assert query_terms(traditional) == query_terms(plain)


def test_words_are_shown_as_they_were_written() -> None:
    assert words_of("臺灣的餘額", query_terms("台湾的余额")) == ["臺灣", "餘額"]


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=30))
def test_script_folding_keeps_every_offset(text: str) -> None:
    folded = simplified(text)
    assert len(folded) == len(text) and simplified(folded) == folded


def test_english_never_loads_the_script_table() -> None:
    code = "import sys; from retrieval.tokens import lexical_tokens as t; t('Façade, 1,024'); print('opencc' in sys.modules)"
    assert python(code).stdout == "False\n"


def test_numbers_in_the_cells_of_a_table() -> None:
    assert lexical_tokens("Paris,3004002661,14,4,79") == ["paris", "3004002661", "14", "4", "79"]
    assert lexical_tokens("北京,1,024,12.5") == ["北京", "1024", "12.5"]
