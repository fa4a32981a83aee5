"""Fusion: one score of what meaning, words and their nearness say of a passage, by weights that were fitted.

Pure functions, and the weights of `fusion.json` beside this file, which `evals/train/fusion.py` fits. It
searches nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

Ranking = Sequence[tuple[int, float]]  # (id, score), best first
Word = tuple[str, ...]  # a word of a query: the terms that all have to be there for it to be there

PARTS = ("cosine", "bm25", "near")
WINDOW = 25  # tokens of a text that are near each other: about a sentence
K1, B = 1.2, 0.75  # of FTS5's BM25; they cannot be set there
LEAST_IDF = 1e-6  # what FTS5 gives a term that more than half of the rows hold


@cache
def weights() -> tuple[float, ...]:
    """Of `PARTS`, at least 0; they add up to 1."""
    fitted = json.loads(Path(__file__).with_name("fusion.json").read_text(encoding="utf-8"))
    assert tuple(fitted["parts"]) == PARTS
    return tuple(fitted["weights"])


def rarity(count: int, rows: int) -> float:
    """Inverse document frequency as FTS5 takes it, above 0."""
    return max(math.log((rows - count + 0.5) / (count + 0.5)), LEAST_IDF) if count < rows else LEAST_IDF


def bm25_bound(rarities: Sequence[float]) -> float:
    """What BM25 stays below, however often and in how short a passage the terms of a query occur."""
    return (K1 + 1) * sum(rarities)


def bm25(rarities: Mapping[str, float], found: Sequence[str], length: int, mean_length: float) -> float:
    """BM25 as FTS5 computes it, of the terms that are given with their rarities; at least 0.

    `found`: the terms in a passage, with repeats; `length` and the mean one are in tokens of any kind.
    Robertson and Zaragoza 2009, "The probabilistic relevance framework", section 3.4.
    """
    norm = K1 * (1 - B + B * length / mean_length) if mean_length else K1
    counts = [(term, found.count(term)) for term in dict.fromkeys(found)]  # of few: quicker than a Counter
    return sum([rarities[term] * n * (K1 + 1) / (n + norm) for term, n in counts])


def nearness(
    words: Sequence[Word], rarities: Sequence[float], heading: Sequence[str], body: Sequence[tuple[int, str]]
) -> float:
    """Share, by rarity, of the words of a query that stand together in a passage, in [0, 1].

    `heading`: its tokens; `body`: those of the text with their places, ascending. Tokens of no word of the
    query may be left out of either.
    Together are the words of `WINDOW` tokens of its body and those of its heading, which is about all of it.
    Measures of both kinds, by span and by pairs: Tao and Zhai 2007, "An exploration of proximity measures
    in information retrieval", section 4.
    """
    whole = sum(rarities)
    if not whole:
        return 0.0
    above = set(heading)
    here = above.union([token for _, token in body])
    known = sum([rarities[n] for n, word in enumerate(words) if above.issuperset(word)]) if above else 0.0
    first: dict[str, list[int]] = {}
    for n, word in enumerate(words):
        if here.issuperset(word) and not above.issuperset(word):
            first.setdefault(next(term for term in word if term not in above), []).append(n)
    return min((known + _best_window(body, first, rarities)) / whole, 1.0)


def _best_window(
    places: Sequence[tuple[int, str]], first: Mapping[str, Sequence[int]], rarities: Sequence[float]
) -> float:
    """The largest sum of the rarities of distinct words that begin within one window."""
    seen = [(place, n) for place, token in places for n in first.get(token, ())]
    inside = dict.fromkeys((n for _, n in seen), 0)
    best = total = 0.0
    left = 0
    for place, n in seen:
        inside[n] += 1
        total += rarities[n] if inside[n] == 1 else 0.0
        while seen[left][0] <= place - WINDOW:
            gone = seen[left][1]
            inside[gone] -= 1
            total -= rarities[gone] if not inside[gone] else 0.0
            left += 1
        best = max(best, total)
    return best


def fuse(
    dense: Ranking,
    lexical: Ranking,
    bound: float,
    near: Mapping[int, float] | None = None,
    shares: Sequence[float] | None = None,
) -> list[tuple[int, float]]:
    """Convex combination of cosine, BM25 as a share of its bound, and nearness; ties by cosine, then id.

    A score in [0, 1] that falls with none of its parts rising. `bound`: `bm25_bound` of the query's terms.
    `shares`: other weights of `PARTS` than the fitted ones.

    What tells that a part sees little of a query is in the parts themselves. BM25 is measured against what a
    passage with all terms of the query could reach, not against the best passage found: where no passage
    holds its rare terms the whole list is low, and cosines decide. Cosines are low where the embedder knows
    nothing like the query, and words decide. A part that found nothing at all has no weight. Other measures
    of blindness (coverage of the embedder's vocabulary, rarity of terms, agreement and spread of the
    lists) as factors of the weights changed nothing: evals/LOG.md, 2026-11-22.

    A passage that the dense list does not hold counts with the last cosine of it, which its own is not
    above. Score fusion keeps how far apart the candidates are, which rank fusion throws away: Bruch, Gai and
    Ingber 2023, "An analysis of fusion functions for hybrid retrieval", sections 3 and 4.
    """
    a, b, c = _shares(bool(dense), bool(lexical), shares or weights())
    cosines = dict(dense)
    fused = [
        (item, _unit(a * cosine + b * words + c * nearness))
        for item, (cosine, words, nearness) in parts(dense, lexical, bound, near or {}).items()
    ]
    return sorted(fused, key=lambda pair: (-pair[1], -cosines.get(pair[0], -1.0), pair[0]))


def parts(
    dense: Ranking, lexical: Ranking, bound: float, near: Mapping[int, float]
) -> dict[int, tuple[float, float, float]]:
    """`PARTS` of the passages of both lists, each in [0, 1]."""
    cosines, scores = dict(dense), dict(lexical)
    lowest = min(cosines.values(), default=0.0)
    return {
        item: (
            _unit(cosines.get(item, lowest)),
            _unit(scores.get(item, 0.0) / bound) if bound > 0 else 0.0,
            _unit(near.get(item, 0.0)),
        )
        for item in cosines | scores
    }


def _shares(dense: bool, lexical: bool, shares: Sequence[float]) -> tuple[float, float, float]:
    """The weights of the parts, with nothing for those that found nothing."""
    cosine, bm25, near = shares
    if not lexical:
        return 1.0, 0.0, 0.0
    if not dense:
        words = bm25 + near
        return (0.0, bm25 / words, near / words) if words else (0.0, 1.0, 0.0)
    return cosine, bm25, near


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
