"""Hybrid search: a dense and a lexical list, fused by scores, near-duplicates out.

`fuse` and `same_words` are pure. It returns passages with their scores; it does not read or judge them, and
it does not re-rank with a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from retrieval.filters import Filter, narrowed
from retrieval.tokens import lexical_tokens, query_terms, telling_tokens

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from retrieval.index import VectorIndex
    from retrieval.store import Store, StoredChunk

POOL = 60  # candidates taken from each list before fusion
LARGEST_POOL = 2000  # where many copies of the same passages fill a smaller one
DENSE_WEIGHT = 0.5  # chosen on the dev sets: evals/LOG.md, 2026-11-21
DUPLICATE_OVERLAP = 0.9  # Jaccard overlap of word sets above which two passages say the same

Ranking = Sequence[tuple[int, float]]  # (id, score), best first


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


def fuse(dense: Ranking, lexical: Ranking, dense_weight: float) -> list[tuple[int, float]]:
    """Convex combination of cosines and of BM25 scores divided by their largest; ties by cosine, then id.

    A score in [0, 1]. When a list is empty the other stands alone, so that a part that is blind to the query
    cannot hurt. Score fusion keeps how far apart the candidates are, which rank fusion throws away: Bruch,
    Gai and Ingber 2023, "An analysis of fusion functions for hybrid retrieval", section 4.
    """
    weight = 1.0 if not lexical else dense_weight if dense else 0.0
    top = max((score for _, score in lexical), default=0.0)
    fused: dict[int, float] = {}
    for item, cosine in dense:
        fused[item] = weight * min(max(cosine, 0.0), 1.0)
    for item, bm25 in lexical:
        fused[item] = fused.get(item, 0.0) + (1 - weight) * (bm25 / top if top > 0 else 0.0)
    cosines = dict(dense)
    return sorted(fused.items(), key=lambda pair: (-pair[1], -cosines.get(pair[0], -1.0), pair[0]))


def same_words(left: str, right: str) -> bool:
    """Whether two texts share so many words that they say the same.

    Not where they differ in a number, a negation, a date or a name: those may contradict each other, and
    both are wanted.
    """
    own, other = _words(left), _words(right)
    union = len(own | other)
    if not union or len(own & other) / union < DUPLICATE_OVERLAP:
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
    vector: npt.NDArray[np.float32] | None,
    limit: int,
    tier: str,
    where: Filter | None = None,
) -> list[Passage]:
    """The best passages of a tier for a query, near-duplicates folded into one, best first.

    `vector`: the query's, of unit length, or None where the embedder is missing or blind to it. `where`:
    what to search, of documents only. Of a chunk of which a part passes, that part is a passage, or several
    are: what else the chunk says is not given, and `limit` counts chunks.
    """
    where = store.resolved(where) if where else Filter()
    within = store.selected(where) if where else None
    terms = query_terms(query)
    pool = POOL
    while True:
        dense: Ranking = index.search(vector, pool, tier, within) if index and vector is not None else []
        lexical = store.lexical(terms, pool, tier, within)
        passages, found = _distinct(store, query, where, dense, lexical, limit)
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


def _distinct(
    store: Store, query: str, where: Filter, dense: Ranking, lexical: Ranking, limit: int
) -> tuple[list[Passage], int]:
    """The best passages of two lists, each once, with the places where else it stands; of how many chunks."""
    cosines, scores = dict(dense), dict(lexical)
    fused = fuse(dense, lexical, DENSE_WEIGHT)
    taken = fused[: max(3 * limit + 10, len(fused) if len(fused) > 2 * POOL else 0)]
    # A document removed since the lists were made is simply not there any more.
    chunks = {chunk.id: chunk for chunk in store.chunks([item for item, _ in taken])}
    passages: list[Passage] = []
    count = 0
    for item, score in taken:
        fresh: list[Passage] = []
        for part in narrowed(chunks[item], where) if item in chunks else []:
            same = next((one for one in (*passages, *fresh) if same_words(part.text, one.chunk.text)), None)
            if same:
                same.also.append(part)
            else:
                fresh.append(Passage(part, score, cosines.get(item), scores.get(item)))
        if fresh and count < limit:
            count += 1
            held = {one.chunk.start: _held(query, one.chunk.text) for one in fresh} if len(fresh) > 1 else {}
            passages += sorted(fresh, key=lambda one: -held.get(one.chunk.start, 0))
    return passages, count


def _held(query: str, text: str) -> int:
    """How many terms of a query a text holds."""
    return len(_words(text) & set(query_terms(query)))
