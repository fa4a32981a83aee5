"""Hybrid search: a dense and a lexical list, fused by scores, near-duplicates out.

`fuse` and `same_words` are pure. It returns passages with their scores; it does not read or judge them, and
it does not re-rank with a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    """The best passages of a tier for a query, near-duplicates left out, best first.

    `vector`: the query's, of unit length, or None where the embedder is missing or blind to it. `where`:
    what to search, of documents only. Of a chunk of which a part passes, that part is a passage, or several
    are: what else the chunk says is not given, and `limit` counts chunks.
    """
    where = store.resolved(where) if where else Filter()
    within = store.selected(where) if where else None
    dense: Ranking = index.search(vector, POOL, tier, within) if index and vector is not None else []
    lexical = store.lexical(query_terms(query), POOL, tier, within)
    cosines, scores = dict(dense), dict(lexical)
    fused = fuse(dense, lexical, DENSE_WEIGHT)
    # A document removed since the lists were made is simply not there any more.
    chunks = {chunk.id: chunk for chunk in store.chunks([item for item, _ in fused[: 3 * limit + 10]])}
    passages: list[Passage] = []
    seen: list[str] = []
    taken = 0
    for item, score in fused:
        if taken == limit:
            break
        parts = narrowed(chunks[item], where) if item in chunks else []
        fresh = [one for one in parts if not any(same_words(one.text, other) for other in seen)]
        seen += [one.text for one in fresh]
        taken += bool(fresh)
        held = {part.start: _held(query, part.text) for part in fresh} if len(fresh) > 1 else {}
        for part in sorted(fresh, key=lambda part: -held.get(part.start, 0)):
            passages.append(Passage(part, score, cosines.get(item), scores.get(item)))
    return passages


def _held(query: str, text: str) -> int:
    """How many terms of a query a text holds."""
    return len(_words(text) & set(query_terms(query)))
