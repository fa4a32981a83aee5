"""What the plots of a report show, as points: pure functions over plain lists.

A value that is no finite number is refused with a ValueError. It draws nothing; `evals.plots` does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from evals.metrics import Interval, risk_coverage

BINS = 10
FEWEST = 10  # cases that a share is drawn of, where there are enough: one of fewer says little
POINTS = 200  # of a curve, at most about so many
_Z = 1.959964  # of a 95 % interval


def finite(values: Iterable[float]) -> list[float]:
    """The values as floats; raises ValueError for one that is no finite number."""
    found = []
    for value in values:
        if isinstance(value, str) or not math.isfinite(value):
            raise ValueError(f"{value!r} is no finite number")
        found.append(float(value))
    return found


def wilson(part: float, whole: int) -> Interval:
    """A share with its 95 % interval, [0, 1]; (0, 0, 1) of nothing.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference": unlike a bootstrap
    it does not shrink to nothing where all cases agree.
    """
    if not whole:
        return 0.0, 0.0, 1.0
    share = part / whole
    middle = share + _Z**2 / (2 * whole)
    spread = _Z * math.sqrt(max(0.0, share * (1 - share) / whole + _Z**2 / (4 * whole**2)))
    low, high = ((middle + sign * spread) / (1 + _Z**2 / whole) for sign in (-1, 1))
    return share, min(max(low, 0.0), share), max(min(high, 1.0), share)


class Risk(NamedTuple):
    coverage: float
    risk: float
    low: float
    high: float


def risks(scores: Sequence[float], right: Sequence[bool]) -> list[Risk]:
    """The share of wrong answers by coverage, from `FEWEST` cases or half of all on, thinned.

    The intervals are Wilson's and take the order of the cases as given.
    """
    curve = risk_coverage(finite(scores), right)
    n = len(curve)
    first = min(FEWEST, max(1, n // 2))
    wanted = {n, *range(first, n + 1, max(1, n // POINTS))} if n else set()
    return [Risk(k / n, *wilson(curve[k - 1] * k, k)) for k in sorted(wanted)]


class Bin(NamedTuple):
    score: float  # the mean of its cases
    share: float  # of right ones, with its interval
    low: float
    high: float
    n: int


def bins(scores: Sequence[float], right: Sequence[bool], count: int = BINS) -> list[Bin]:
    """At most `count` bins of about equally many cases, by score; cases of one score are never parted."""
    cases = sorted(zip(finite(scores), map(bool, right), strict=True))
    made: list[Bin] = []
    kept: list[tuple[float, bool]] = []
    done = 0
    for _, group in groupby(cases, key=lambda case: case[0]):
        kept += group
        if (done + len(kept)) * count >= (len(made) + 1) * len(cases):
            made.append(_bin(kept))
            done, kept = done + len(kept), []
    return [*made, _bin(kept)] if kept else made


def _bin(cases: Sequence[tuple[float, bool]]) -> Bin:
    n = len(cases)
    return Bin(sum(score for score, _ in cases) / n, *wilson(sum(right for _, right in cases), n), n)


def calibration_gap(found: Sequence[Bin]) -> float:
    """Expected calibration error over these bins; 0 without any.

    With bins of equally many cases: Nguyen and O'Connor 2015, "Posterior calibration and exploratory analysis
    for natural language processing models".
    """
    cases = sum(one.n for one in found)
    return sum(one.n * abs(one.share - one.score) for one in found) / max(cases, 1)


def shares_below(values: Sequence[float]) -> list[tuple[float, float]]:
    """(value, share of the values up to it) of each distinct value, thinned: the empirical distribution."""
    ordered = sorted(finite(values))
    last = {value: n / len(ordered) for n, value in enumerate(ordered, start=1)}
    step = max(1, len(last) // POINTS)
    return list(last.items())[::-step][::-1]


def quantile(values: Sequence[float], share: float) -> float:
    """The value with this share of the values below it, between two where need be; IndexError for none."""
    ordered = sorted(finite(values))
    place = share * (len(ordered) - 1)
    below = ordered[math.floor(place)]
    return below + (place - math.floor(place)) * (ordered[math.ceil(place)] - below)
