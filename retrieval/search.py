"""Hybrid search: a dense and a lexical list, fused by scores, near-duplicates out.

`same_words` is pure, and so is `retrieval.fusion`. It returns passages with their scores; it does not read or
judge them, and it does not re-rank with a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from typing import TYPE_CHECKING

from retrieval.filters import Filter, narrowed
from retrieval.fusion import Ranking, bm25, bm25_bound, fuse, nearness, rarity
from retrieval.tokens import lexical_tokens, query_terms, query_words, telling_tokens

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from retrieval.index import VectorIndex
    from retrieval.store import Store, StoredChunk

POOL = 60  # candidates taken from each list before fusion
LARGEST_POOL = 2000  # where many copies of the same passages fill a smaller one
DUPLICATE_OVERLAP = 0.9  # Jaccard overlap of word sets above which two passages say the same


@dataclass(frozen=True)
class Passage:
    """A chunk returned for a query."""

    chunk: StoredChunk
    score: float
    """Fused score in [0, 1], higher is better; comparable within one query only."""
    cosine: float | None
    """Dense cosine in [-1, 1], or None when the dense list did not hold it."""
    bm25: float | None
    """BM25 score, at least 0, or None when no term of the query occurs in it."""
    also: list[StoredChunk] = field(default_factory=list)
    """Other chunks found that say the same in the same words: the same passage, elsewhere."""


def same_words(left: str, right: str) -> bool:
    """Whether two texts share so many words that they say the same.

    Not where they differ in a number, a negation, a date or a name: those may contradict each other, and
    both are wanted.
    """
    return _same(left, _words(left), right, _words(right))


def _same(left: str, own: frozenset[str], right: str, other: frozenset[str]) -> bool:
    """`same_words` of texts with their words. Sizes are compared first: they tell most texts apart."""
    here, there = len(own), len(other)
    if not here or here < DUPLICATE_OVERLAP * there or there < DUPLICATE_OVERLAP * here:
        return False
    shared = len(own & other)
    if shared / (here + there - shared) < DUPLICATE_OVERLAP:
        return False
    # Of each side by its own text: "MAY" is no name where the other one has "may".
    return not (own - other) & _telling(left) and not (other - own) & _telling(right)


@lru_cache(1024)  # the queries of a run find the same chunks again
def _words(text: str) -> frozenset[str]:
    return frozenset(lexical_tokens(text))


@lru_cache(1024)
def _telling(text: str) -> frozenset[str]:
    return telling_tokens(text)


def hybrid(
    store: Store,
    index: VectorIndex | None,
    query: str,
    embedded: Callable[[], npt.NDArray[np.float32] | None],
    limit: int,
    tier: str,
    where: Filter | None = None,
) -> list[Passage]:
    """The best passages of a tier for a query, near-duplicates folded into one, best first.

    `embedded`: waits for the query's vector, of unit length, or None where the embedder is missing or blind
    to it; asked after the words were searched. `where`: what to search, of documents only. Of a chunk of
    which a part passes, that part is a passage, or several are: what else the chunk says is not given, and
    `limit` counts chunks.
    """
    where = store.resolved(where) if where else Filter()
    within = store.selected(where) if where else None
    counts = store.row_counts(query_terms(query))
    pool = POOL
    while True:
        lexical = store.lexical(list(counts), pool, tier, within, counts)
        vector = embedded() if index else None
        dense: Ranking = index.search(vector, pool, tier, within) if index and vector is not None else []
        scores = word_scores(store, query, counts, [item for item, _ in (*dense, *lexical)])
        passages, found = distinct(store, query, where, dense, scores, limit)
        _add_copies(store, passages, within)
        full = max(len(dense), len(lexical)) == pool
        if found == limit or not full or pool >= LARGEST_POOL or not any(p.also for p in passages):
            return passages
        pool *= 4


def _add_copies(store: Store, passages: Sequence[Passage], within: Sequence[int] | None) -> None:
    """Name the other documents with the same content, too, that lie beyond the lists."""
    of = {passage.chunk.id: passage for passage in passages}
    copies = store.copies_of(list(of))
    chunks = {chunk.id: chunk for chunk in store.chunks([copy for _, copy in copies])}
    allowed = None if within is None else set(within)
    for chunk_id, copy in copies:
        found = chunks.get(copy)
        known = [one.id for one in of[chunk_id].also]
        if found and found.id not in known and (allowed is None or found.id in allowed):
            of[chunk_id].also.append(found)


@dataclass(frozen=True)
class WordScores:
    """What the words of a query say of the passages of both lists."""

    bm25: Ranking
    """Of those that hold a term."""
    bound: float
    near: dict[int, float]
    held: dict[int, list[str]]
    """The words of each passage."""


def word_scores(store: Store, query: str, counts: dict[str, int], found: Sequence[int]) -> WordScores:
    """BM25 by all terms, those too that were not searched for as they are in very many chunks.

    `counts`: rows of the terms of the query that occur at all.
    """
    rows, mean_length = store.lexicon_size()
    rarities = {term: rarity(counts.get(term, 0), rows) for term in query_terms(query)}
    words = query_words(query)
    of_words = [max(rarities[term] for term in word) for word in words]
    scores, near, held = [], {}, {}
    for item, (heading, body) in store.tokens(list(dict.fromkeys(found))).items():
        # Most tokens are of no term: they are passed over once, for both scores.
        above = [token for token in heading if token in rarities]
        within = list(compress(enumerate(body), map(rarities.__contains__, body)))
        near[item] = nearness(words, of_words, above, within)
        held[item] = body
        terms = [*above, *(token for _, token in within)]
        score = bm25(rarities, terms, len(heading) + len(body), mean_length)
        if score > 0:
            scores.append((item, score))
    return WordScores(scores, bm25_bound(list(rarities.values())), near, held)


def distinct(
    store: Store, query: str, where: Filter, dense: Ranking, words: WordScores, limit: int
) -> tuple[list[Passage], int]:
    """The best passages of two lists, each once, with the places where else it stands; of how many chunks."""
    cosines, scores = dict(dense), dict(words.bm25)
    fused = fuse(dense, words.bm25, words.bound, words.near)
    taken = fused[: max(3 * limit + 10, len(fused) if len(fused) > 2 * POOL else 0)]
    # A document removed since the lists were made is simply not there any more.
    chunks = {chunk.id: chunk for chunk in store.chunks([item for item, _ in taken])}
    passages: list[Passage] = []
    texts: dict[int, tuple[str, frozenset[str]]] = {}  # by `id` of the passage: several may be of one chunk
    count = 0
    for item, score in taken:
        fresh: list[Passage] = []
        for part in narrowed(chunks[item], where) if item in chunks else []:
            whole = part.text == chunks[item].text and item in words.held
            own = frozenset(words.held[item]) if whole else _words(part.text)
            same = next((n for n in (*passages, *fresh) if _same(part.text, own, *texts[id(n)])), None)
            if same:
                same.also.append(part)
            else:
                fresh.append(Passage(part, score, cosines.get(item), scores.get(item)))
                texts[id(fresh[-1])] = part.text, own
        if fresh and count < limit:
            count += 1
            held = {one.chunk.start: _held(query, one.chunk.text) for one in fresh} if len(fresh) > 1 else {}
            passages += sorted(fresh, key=lambda one: -held.get(one.chunk.start, 0))
    return passages, count


def _held(query: str, text: str) -> int:
    """How many terms of a query a text holds."""
    return len(_words(text) & set(query_terms(query)))
