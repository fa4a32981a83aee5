"""What the measurements of one corpus say: quality, times and ratios, each with its uncertainty."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from evals.data import Row
from evals.metrics import Interval, contains, mean_ci, paired_p
from evals.peers.runner import Measured

LEAST = 1e-6  # a byte of a megabyte, a microsecond of a second: what is less was not measured
ENOUGH = 10  # pairs, for a bootstrap interval; below that the range is told
CUTS = (1, 5)


def summary(found: Mapping[str, Measured], ours: str, asked: Sequence[Row]) -> dict[str, Any]:
    """By name: what was measured, and how many times ours it is; only `failed` of a way that failed."""
    base = None if found[ours].failed else found[ours]
    return {
        name: {"failed": one.failed} if one.failed else {**quality(one, base, asked), **costs(one, base)}
        for name, one in found.items()
    }


def rank(ids: Sequence[str], wanted: str) -> int | None:
    """Place of a document among those found, from 0, each counted once; None where it is not there."""
    documents = list(dict.fromkeys(ids))
    return documents.index(wanted) if wanted in documents else None


def reciprocal(place: int | None) -> float:
    return 0.0 if place is None else 1 / (place + 1)


def hits(measured: Measured, asked: Sequence[Row]) -> dict[str, list[float]]:
    """Of each question, in [0, 1]."""
    places = [rank(one["ids"], row["doc_id"]) for one, row in zip(measured.asking, asked, strict=True)]
    found = {f"r@{k}": [float(p is not None and p < k) for p in places] for k in CUTS}
    return {**found, "mrr": [reciprocal(place) for place in places]}


def quality(measured: Measured, base: Measured | None, asked: Sequence[Row]) -> dict[str, Any]:
    """[mean, low, high] of each score, and p of its difference from ours."""
    out: dict[str, Any] = {}
    theirs, ours = hits(measured, asked), hits(base, asked) if base else {}
    documents = [row["doc_id"] for row in asked]
    for score, values in theirs.items():
        out[score] = list(mean_ci(values, groups=documents))
        if base and base is not measured:
            out[f"{score} p"] = paired_p(values, ours[score], groups=documents)
    return out


def series(measured: Measured) -> dict[str, list[float]]:
    """Every cost, as it was measured round by round or question by question; lower is better."""
    adding, asking = measured.adding, measured.asking
    return {
        "query ms": [1000 * one["seconds"] for one in asking],
        "query processor ms": [1000 * one["processor"] for one in asking],
        "cold start s": measured.cold_s,
        "adding s": [one["seconds"] for one in adding],
        "adding processor s": [one["processor"] for one in adding],
        "peak MB, asking": [measured.asking_peak_mb],
        "peak MB, adding": [max(one["peak_mb"] for one in adding)],
        "MB on disk": [adding[-1]["disk_mb"]],
    }


def costs(measured: Measured, base: Measured | None) -> dict[str, Any]:
    """The median of each cost, and as `times` [ratio, low, high] to ours."""
    out: dict[str, Any] = {}
    ours = series(base) if base else {}
    for cost, values in series(measured).items():
        out[cost] = statistics.median(values)
        if base and base is not measured:
            out[f"{cost}, times"] = list(ratio(values, ours[cost]))
    out["query ms p95"] = p95([1000 * one["seconds"] for one in measured.asking])
    return out


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Interval:
    """Geometric mean of paired ratios, with its 95 % bootstrap interval, or of few pairs their range.

    >>> ratio([4.0, 9.0], [2.0, 3.0])[1:]
    (2.0, 3.0)
    """
    logs = [math.log(max(a, LEAST) / max(b, LEAST)) for a, b in zip(theirs, ours, strict=True)]
    middle, low, high = mean_ci(logs)
    if len(logs) < ENOUGH:
        low, high = min(logs), max(logs)
    return round(math.exp(middle), 6), round(math.exp(low), 6), round(math.exp(high), 6)


def p95(values: Sequence[float]) -> float:
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def answers(measured: Measured, asked: Sequence[Row]) -> dict[str, Any]:
    """Whole answers to answerable questions: shares of all of them, and the median time."""
    if measured.failed or not measured.answers:
        return {"failed": measured.failed or "no answers"}
    told = [one["answer"] for one in measured.answers]
    right = [contains(one["text"], row["answers"]) for one, row in zip(told, asked, strict=True)]
    given = [one["outcome"] in ("verified", "partial") for one in told]
    return {
        "n": len(told),
        "given": list(mean_ci([float(g) for g in given])),
        "given and right": list(mean_ci([float(g and r) for g, r in zip(given, right, strict=True)])),
        "ms": statistics.median(1000 * one["seconds"] for one in measured.answers),
    }
