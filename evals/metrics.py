"""Scores and their uncertainty: pure functions over plain lists, numpy inside.

Text is compared after folding width, case and punctuation, so that "７%" is "7%"; see `normalise`.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from retrieval.tokens import CJK, lexical_tokens

RESAMPLES = 2000
EXACT_PAIRS = 12
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


def contains_all(text: str, groups: Sequence[Sequence[str]]) -> bool:
    """Whether a text holds one answer of every group; never for no groups at all.

    >>> contains_all("From 1815 to 1820.", [["1815"], ["1820", "the year after"]])
    True
    """
    return bool(groups) and all(contains(text, group) for group in groups)


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


def mean_ci(
    values: Sequence[float], seed: int = 0, groups: Sequence[object] | None = None
) -> tuple[float, float, float]:
    """Mean with a 95 % bootstrap interval: (mean, low, high); zeros for no values.

    `groups`: of each value, what it shares with others (a question, a document). Such values are not
    independent, and are resampled together: Davison and Hinkley 1997, "Bootstrap Methods", section 3.8.
    """
    if not values:
        return 0.0, 0.0, 0.0
    data = np.asarray(values, dtype=float)
    totals, counts = _by_group(data, groups)
    drawn = np.random.default_rng(seed).integers(0, len(totals), (RESAMPLES, len(totals)))
    low, high = np.percentile(totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return float(data.mean()), float(low), float(high)


def _by_group(
    data: npt.NDArray[np.float64], groups: Sequence[object] | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Sum and number of the values of each group, in the order in which the groups come."""
    if groups is None:
        return data, np.ones(len(data), dtype=np.int64)
    numbers = {group: n for n, group in enumerate(dict.fromkeys(groups))}
    where = np.array([numbers[group] for group in groups])
    return np.bincount(where, weights=data).astype(float), np.bincount(where).astype(np.int64)


def paired_p(
    left: Sequence[float], right: Sequence[float], seed: int = 0, groups: Sequence[object] | None = None
) -> float:
    """Two-sided p of a paired sign-flip permutation test on the mean difference.

    `groups`: as of `mean_ci`; the differences of a group are flipped together.
    """
    difference, _ = _by_group(np.asarray(left, dtype=float) - np.asarray(right, dtype=float), groups)
    observed = abs(difference.sum())
    if observed == 0:
        return 1.0
    changed = difference[difference != 0]
    flips = np.random.default_rng(seed).choice([-1.0, 1.0], (RESAMPLES * 5, len(changed)))
    return float((np.abs(flips @ changed) >= observed - 1e-12).mean())


def drop_p(before: Sequence[float], after: Sequence[float], seed: int = 0) -> float:
    """One-sided p that the mean has not fallen: a paired sign-flip permutation test.

    Exact where at most `EXACT_PAIRS` values changed; of values of 0 and 1 it is the sign test then, so that
    five which fell where none rose have p = 1/32. Fisher 1935, "The Design of Experiments", section 21.

    >>> drop_p([1.0] * 5, [0.0] * 5), drop_p([0.0, 1.0], [1.0, 1.0])
    (0.03125, 1.0)
    """
    fallen = np.asarray(before, dtype=float) - np.asarray(after, dtype=float)
    changed = fallen[fallen != 0]
    if not changed.size:
        return 1.0
    if changed.size <= EXACT_PAIRS:
        flips = np.array(list(product((-1.0, 1.0), repeat=changed.size)))
    else:
        flips = np.random.default_rng(seed).choice([-1.0, 1.0], (RESAMPLES * 5, changed.size))
    return float((flips @ changed >= changed.sum() - 1e-12).mean())


def selective_accuracy(scores: Sequence[float], right: Sequence[bool], coverage: float) -> float:
    """Share of right answers among the `coverage` (0, 1] of questions with the highest scores."""
    count = max(1, round(len(scores) * coverage))
    order = sorted(range(len(scores)), key=lambda n: -scores[n])
    return sum(right[n] for n in order[:count]) / count


def precision_recall(flagged: Sequence[bool], positive: Sequence[bool]) -> tuple[float, float]:
    """(precision, recall) of the flagged; 0 where nothing is flagged, or nothing is positive.

    >>> precision_recall([True, True, False], [True, False, False])
    (0.5, 1.0)
    """
    hits = sum(f and p for f, p in zip(flagged, positive, strict=True))
    return hits / max(sum(flagged), 1), hits / max(sum(positive), 1)


Interval = tuple[float, float, float]  # value, and the ends of its 95 % interval


def precision_recall_ci(
    flagged: Sequence[bool], positive: Sequence[bool], seed: int = 0
) -> tuple[Interval, Interval]:
    """`precision_recall`, each with a 95 % bootstrap interval over the cases.

    Resamples in which a share has no denominator say nothing of it and are left out.
    """
    precision, recall = precision_recall(flagged, positive)
    said, true = np.asarray(flagged, dtype=bool), np.asarray(positive, dtype=bool)
    if not said.size:
        return (precision, 0.0, 0.0), (recall, 0.0, 0.0)
    drawn = np.random.default_rng(seed).integers(0, said.size, (RESAMPLES, said.size))
    hits = (said & true)[drawn].sum(axis=1)
    return (
        (precision, *_ends(hits, said[drawn].sum(axis=1))),
        (recall, *_ends(hits, true[drawn].sum(axis=1))),
    )


def _ends(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> tuple[float, float]:
    shares = part[whole > 0] / whole[whole > 0]
    if not shares.size:
        return 0.0, 0.0
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def refusal_curve(confidence: Sequence[float], positive: Sequence[bool]) -> list[tuple[float, float]]:
    """(precision, recall) of refusing every case up to each confidence that occurs, the lowest first.

    Cases of one confidence are refused together: no threshold parts them. Recall never falls.
    """
    total, curve = max(sum(positive), 1), []
    hits = refused = 0
    for right in _by_score([-c for c in confidence], positive):
        hits, refused = hits + sum(right), refused + len(right)
        curve.append((hits / refused, hits / total))
    return curve


def precision_at_recall(curve: Sequence[tuple[float, float]], recall: float) -> float:
    """The best precision of a curve at this recall or a higher one; 0 where it is not reached.

    Interpolated precision: Manning, Raghavan, Schuetze 2008, "Introduction to Information Retrieval", 8.4.
    """
    return max((p for p, r in curve if r >= recall), default=0.0)


def recall_at_precision(curve: Sequence[tuple[float, float]], precision: float) -> float:
    """The highest recall of a curve at this precision or a higher one; 0 where it is not reached."""
    return max((r for p, r in curve if p >= precision), default=0.0)


def risk_coverage(scores: Sequence[float], right: Sequence[bool]) -> list[float]:
    """Share of wrong answers among the n cases with the highest scores, for n = 1 ... all.

    Cases of one score come in no order: each counts as the mean of them. The risk-coverage curve of El-Yaniv
    and Wiener 2010, "On the foundations of noise-free selective classification".
    """
    risks: list[float] = []
    wrong = 0.0
    for group in _by_score(scores, right):
        for _ in group:
            wrong += 1 - sum(group) / len(group)
            risks.append(wrong / (len(risks) + 1))
    return risks


def risk_at(risks: Sequence[float], coverage: float) -> float:
    """The risk of a `risk_coverage` curve at a coverage in (0, 1]; 0 for an empty curve."""
    return risks[max(1, round(len(risks) * coverage)) - 1] if risks else 0.0


def risk_area(risks: Sequence[float]) -> float:
    """Area under a `risk_coverage` curve: the mean of its risks, [0, 1]; 0 for an empty curve.

    AURC of Geifman, Uziel, El-Yaniv 2019, "Bias-reduced uncertainty estimation for deep neural classifiers".
    """
    return sum(risks) / max(len(risks), 1)


def _by_score(scores: Sequence[float], right: Sequence[bool]) -> list[list[bool]]:
    """`right` in groups of one score, the highest score first."""
    groups: dict[float, list[bool]] = {}
    for score, one in zip(scores, right, strict=True):
        groups.setdefault(score, []).append(one)
    return [groups[score] for score in sorted(groups, reverse=True)]
