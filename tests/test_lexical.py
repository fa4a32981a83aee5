"""Search by words where some of them are very common: it leaves them out, and still finds and answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.chunks import MATCHES, telling_terms
from retrieval.fusion import bm25, rarity
from retrieval.load import Source
from retrieval.store import NewChunk, Store
from retrieval.tokens import query_terms

TEXTS = [
    "The rent of the workshop is paid by Anna.",
    "The rent of the boathouse is paid by the club.",
    "工作室的租金由安娜支付。",
    "船屋的租金由俱乐部支付。",
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "library.sqlite")) as store:
        for n, text in enumerate([*TEXTS, *[f"Comet {n} 彗星。" for n in range(12)]]):
            chunk = NewChunk(0, len(text), "", None, text, None)
            store.put_document(
                f"/{n}", str(n), Source(text, "", (), "text", None, "utf-8"), [chunk], len(text)
            )
        yield store


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 2 * MATCHES)))
def test_telling_terms(counts: dict[str, int]) -> None:
    rows = sorted(counts.items(), key=lambda pair: (pair[1], pair[0]))
    telling = telling_terms(rows)
    assert telling == [term for term, _ in rows[: len(telling)]]
    assert sum(counts[term] for term in telling) <= MATCHES
    assert telling or not counts or min(counts.values()) > MATCHES


@pytest.mark.parametrize(
    ("query", "common", "best"), [("rent of the boathouse", ["rent"], 1), ("船屋租金", ["租金", "屋租"], 3)]
)
def test_common_words_are_left_out_beside_rare_ones(
    store: Store, query: str, common: list[str], best: int
) -> None:
    counts = {**store.row_counts(query_terms(query)), **dict.fromkeys(common, MATCHES + 1)}
    found = store.lexical(list(counts), 10, "long", None, counts)
    texts = [chunk.text for chunk in store.chunks([item for item, _ in found])]
    assert texts == [TEXTS[best]]


@pytest.mark.parametrize(("query", "texts"), [("the rent is paid", TEXTS[:2]), ("租金支付", TEXTS[2:])])
def test_common_words_alone_still_find(store: Store, query: str, texts: list[str]) -> None:
    counts = dict.fromkeys(store.row_counts(query_terms(query)), MATCHES + 1)
    found = store.lexical(list(counts), 2, "long", None, counts)
    assert {chunk.text for chunk in store.chunks([item for item, _ in found])} == set(texts)
    # Where no chunk holds them all, those of the rarest.
    found = store.lexical([], 2, "long") or store.lexical(
        [*counts, "comet"], 2, "long", None, {**counts, "comet": MATCHES + 2}
    )
    assert {chunk.text for chunk in store.chunks([item for item, _ in found])} <= set(texts)
    assert found


@pytest.mark.parametrize("query", ["the rent of Anna 租金", "安娜支付"])
def test_our_bm25_is_that_of_fts5(store: Store, query: str) -> None:
    terms = query_terms(query)
    counts = store.row_counts(terms)
    rows, mean_length = store.lexicon_size()
    assert rows == len(TEXTS) + 12
    rarities = {term: rarity(count, rows) for term, count in counts.items()}
    found = store.lexical(terms, 10, "long")
    tokens = store.tokens([item for item, _ in found])
    for item, score in found:
        heading, body = tokens[item]
        both = [*heading, *body]
        held = [token for token in both if token in rarities]
        assert bm25(rarities, held, len(both), mean_length) == pytest.approx(score)


def test_counts_follow_the_library(store: Store) -> None:
    assert store.row_counts(["rent", "租金", "none"]) == {"rent": 2, "租金": 2}
    store.remove_documents(["/0"])
    assert store.row_counts(["rent", "租金"]) == {"rent": 1, "租金": 2}
    assert store.lexicon_size()[0] == len(TEXTS) + 11


def test_a_filter_costs_no_search_for_each_chunk_that_passes(store: Store) -> None:
    terms = query_terms("comet 彗星")
    store.row_counts(terms)
    within = [item for item, _ in store.lexical(terms, 100, "long")]
    assert len(within) == 12
    steps = {}
    for name, ids in (("none", None), ("all", within), ("more", [*within, *range(1000, 3000)])):
        count = [0]

        def step(count: list[int] = count) -> None:
            count[0] += 1

        store._db.set_progress_handler(step, 10)
        assert [item for item, _ in store.lexical(terms, 100, "long", ids)] == within
        steps[name] = count[0]
    assert steps["all"] < 3 * steps["none"] and steps["more"] < 3000
