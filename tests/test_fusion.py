"""Fusion keeps its promises: bounded, monotone, fair to a blind part; BM25 and nearness are what they say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.fusion import WINDOW, bm25, bm25_bound, fuse, nearness, rarity, weights
from retrieval.tokens import lexical_tokens, query_terms, query_words

SHARES = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 1)).map(
    lambda three: tuple(one / sum(three) for one in three)
)
BOUND = 40.0


def rankings(low: float, high: float) -> st.SearchStrategy[list[tuple[int, float]]]:
    scores = st.dictionaries(st.integers(1, 30), st.floats(low, high), max_size=12)
    return scores.map(lambda found: sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


COSINES = rankings(-1, 1)
BM25 = rankings(0.001, BOUND)
NEAR = st.dictionaries(st.integers(1, 30), st.floats(0, 1))
Scores = list[tuple[int, float]]
Shares = tuple[float, ...]


def test_weights_are_shares() -> None:
    assert len(weights()) == 3 and min(weights()) >= 0
    assert sum(weights()) == pytest.approx(1)


@settings(deadline=None, max_examples=100)
@given(COSINES, BM25, NEAR, SHARES)
def test_fused_scores(dense: Scores, lexical: Scores, near: dict[int, float], shares: Shares) -> None:
    fused = fuse(dense, lexical, BOUND, near, shares)
    items = [item for item, _ in fused]
    scores = [score for _, score in fused]
    assert set(items) == {item for item, _ in [*dense, *lexical]}
    assert len(items) == len(set(items))
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert fuse(dense[::-1], lexical[::-1], BOUND, near, shares) == fused  # ties do not hang on the order


@settings(deadline=None, max_examples=100)
@given(COSINES, BM25, NEAR, SHARES)
def test_better_in_each_part_is_not_lower(
    dense: Scores, lexical: Scores, near: dict[int, float], shares: Shares
) -> None:
    scores = dict(fuse(dense, lexical, BOUND, near, shares))
    cosine, words = dict(dense), dict(lexical)
    for one in cosine.keys() & words.keys():
        for two in scores.keys() - {one}:
            better = cosine[one] >= cosine.get(two, -1) and words[one] >= words.get(two, 0)
            if better and near.get(one, 0) >= near.get(two, 0):
                assert scores[one] >= scores[two] - 1e-12


@settings(deadline=None, max_examples=60)
@given(COSINES, BM25)
def test_a_blind_part_cannot_hurt(dense: Scores, lexical: Scores) -> None:
    assert dict(fuse(dense, [], BOUND)) == {item: max(score, 0) for item, score in dense}
    assert dict(fuse([], lexical, BOUND, {}, (0.5, 0.5, 0.0))) == {
        item: score / BOUND for item, score in lexical
    }
    lexical = [(item, round(score, 3)) for item, score in lexical]
    flat = [(item, 0.3) for item, _ in lexical]  # an embedder that tells nothing apart
    assert [item for item, _ in fuse(flat, lexical, BOUND)] == [item for item, _ in fuse([], lexical, BOUND)]


def test_words_count_for_little_where_no_passage_holds_the_rare_ones() -> None:
    dense = [(1, 0.7), (2, 0.4)]
    assert next(iter(fuse(dense, [(2, 4.0)], 40.0)))[0] == 1
    assert next(iter(fuse(dense, [(2, 4.0)], 4.0)))[0] == 2


def test_a_passage_beyond_the_dense_list_has_its_last_cosine() -> None:
    assert dict(fuse([(1, 0.9), (2, 0.4)], [(3, 1.0)], 0.0, {}, (1.0, 0.0, 0.0)))[3] == 0.4
    assert fuse([], [], 1.0) == []


TEXTS = [
    ("Who paid the deposit of the workshop?", "The deposit of the workshop was paid by Anna Meyer in March."),
    ("读书会的会费由谁收取？", "读书会的会费每人每年一百元，由何佳收取。"),
    ("讀書會的會費由誰收取？", "读书会的会费每人每年一百元，由何佳收取。"),
]


@pytest.mark.parametrize(("query", "text"), TEXTS)
def test_nearness(query: str, text: str) -> None:
    words = query_words(query)
    one = [1.0] * len(words)
    tokens = lexical_tokens(text)
    together = nearness(words, one, [], list(enumerate(tokens)))
    apart = [token for word in tokens for token in (word, *["x"] * WINDOW)]
    assert together >= 0.5
    assert nearness(words, one, tokens, []) == together  # a heading is about all of it
    assert nearness(words, one, [], list(enumerate(tokens, 9))) == together
    assert nearness(words, one, [], [*enumerate(["x"] * 9 + tokens)]) == together  # what is of no word
    assert nearness(words, one, [], list(enumerate(apart))) < together
    assert nearness(words, one, [], [(0, "x")]) == nearness([], [], [], list(enumerate(tokens))) == 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("Who signed the lease?", [("signed",), ("lease",)]),
        ("抗日战争何时结束", [("抗日", "日战", "战争"), ("结束",)]),
        ("什么时候？", None),
        ("was it", None),
        ("", []),
    ],
)
def test_query_words(query: str, words: list[tuple[str, ...]] | None) -> None:
    assert query_words(query) == ([(term,) for term in query_terms(query)] if words is None else words)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(1e-6, 9)), st.lists(st.sampled_from("abcdefgh")))
def test_bm25_stays_below_its_bound(rarities: dict[str, float], tokens: list[str]) -> None:
    score = bm25(rarities, [token for token in tokens if token in rarities], len(tokens), 5.0)
    assert 0 <= score <= bm25_bound(list(rarities.values()))
    assert (score > 0) == bool(rarities.keys() & set(tokens))


def test_rarity() -> None:
    assert rarity(1, 100) > rarity(10, 100) > rarity(60, 100) > 0
    assert rarity(5, 3) > 0
