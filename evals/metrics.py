"""Scores and their uncertainty: pure functions over plain lists, numpy inside.

Text is compared after folding width, case and punctuation, so that "７%" is "7%"; see `normalise`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from retrieval.tokens import CJK, lexical_tokens

RESAMPLES = 2000
_ARTICLES = frozenset({"a", "an", "the"})


def normalise(text: str) -> str:
    """Width and case folded, only letters and digits kept.

    >>> normalise("The Ａ-Team, 1,024!")
    'theateam1024'
    """
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether any reference answer stands in a text, at word boundaries for short Latin ones.

    >>> contains("It was signed in 1815.", ["1815"]), contains("in 18150", ["1815"])
    (True, False)
    """
    return any(_contains(text, answer) for answer in answers)


def _contains(text: str, answer: str) -> bool:
    if any("\u3400" <= c <= "\u9fff" for c in answer):
        wanted = normalise(answer)
        return bool(wanted) and wanted in normalise(text)
    words, wanted_words = _words(text), _words(answer)
    n = len(wanted_words)
    return n > 0 and any(words[i : i + n] == wanted_words for i in range(len(words) - n + 1))


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().replace(",", "").replace("'s", " ")
    split = "".join(c if c.isalnum() or c == "." else " " for c in folded).split()
    return [w for w in (word.strip(".") for word in split) if w and w not in _ARTICLES]


def token_f1(text: str, answers: Sequence[str]) -> float:
    """Best F1 over tokens (words, or characters of Chinese) against the reference answers, [0, 1].

    >>> token_f1("in 1815", ["1815"])
    0.6666666666666666
    """
    return max((_f1(_units(text), _units(answer)) for answer in answers), default=0.0)


def _units(text: str) -> Counter[str]:
    import re

    pattern = re.compile(f"[{CJK}]")
    latin = pattern.sub(" ", text)
    return Counter(pattern.findall(text) + [t for t in lexical_tokens(latin) if t not in _ARTICLES])


def _f1(said: Counter[str], wanted: Counter[str]) -> float:
    shared = sum((said & wanted).values())
    return 2 * shared / (sum(said.values()) + sum(wanted.values())) if shared else 0.0


def mean_ci(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean with a 95 % bootstrap interval: (mean, low, high); zeros for no values."""
    if not values:
        return 0.0, 0.0, 0.0
    data = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    means = data[rng.integers(0, len(data), (RESAMPLES, len(data)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(data.mean()), float(low), float(high)


def paired_p(left: Sequence[float], right: Sequence[float], seed: int = 0) -> float:
    """Two-sided p of a paired sign-flip permutation test on the mean difference."""
    difference = np.asarray(left, dtype=float) - np.asarray(right, dtype=float)
    observed = abs(difference.sum())
    if observed == 0:
        return 1.0
    changed = difference[difference != 0]
    flips = np.random.default_rng(seed).choice([-1.0, 1.0], (RESAMPLES * 5, len(changed)))
    return float((np.abs(flips @ changed) >= observed - 1e-12).mean())


def selective_accuracy(scores: Sequence[float], right: Sequence[bool], coverage: float) -> float:
    """Share of right answers among the `coverage` (0, 1] of questions with the highest scores."""
    count = max(1, round(len(scores) * coverage))
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    return sum(right[n] for n in order[:count]) / count
