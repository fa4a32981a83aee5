"""Whether quality has dropped: the committed sets against their baseline, `python -m evals gate`.

Each score of each row is compared with the same row's of `evals/data/baseline.json`, the corpora of a part
together. It has fallen where a one-sided paired sign-flip test (`evals.metrics.drop_p`) gives p of at most
0.05, each score by itself. Where nothing changed nothing is drawn, so the same program cannot fail by chance;
another processor's rounding may turn a row or two, which is never enough. What it can see, of scores that are
0 or 1: five rows that fall where none rises, seven where one does, nine where two do. That is 4 points of the
130 questions of `retrieval` and `qa` that have an answer, 10 of the 50 that have none, 6 of the 80 drafts of
`repair`, and 42 of the 12 multi-hop questions: there it sees what is broken, not what is a little worse.

Exact besides: of retrieval by words, which is the same on every machine, no metric may fall at all; by
meaning and by both, at most one row may; and what must never happen (`NEVER`) may not happen once more than
before. Two suites are measured at a time, each in a process of its own.
The settings are the defaults, whatever the user's files say, without limits of time. It is no measure of
quality: for that, the sets are too small.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from agent.deps import prepare
from evals.compare import Scored, scored
from evals.data import SMALL_DATA
from evals.kept import Kept
from evals.metrics import drop_p
from evals.orders import Order, measured
from evals.report import Result

BASELINE = SMALL_DATA / "baseline.json"
LEVEL = 0.05
PROCESSES = 2
NO_LIMITS = {"timeout_s": 86_400.0, "critic_timeout_s": 86_400.0}
ORDERS = {
    "qa": Order("qa"),
    "repair": Order("repair", limit=40, spread=True),
    "loop": Order("loop", part="multihop"),
    "retrieval": Order("retrieval"),
    "memory": Order("memory", part="stale", limit=60),
    "critic": Order("critic", part="answer"),
}
"""What is measured, the longest first; the limits keep it under three minutes on two cores."""
EXACT = {"lexical r@1": 0, "lexical r@5": 0, "hybrid r@1": 1, "hybrid r@5": 1, "dense r@1": 1, "dense r@5": 1}
"""Rows that may fall on balance, of retrieval."""
NEVER = ("every sentence is cited", "not stale", "not self_cited", "not unfounded")
"""Scores of which no row may fall that had not fallen before."""


@dataclass(frozen=True)
class Fall:
    """A score that dropped, over so many rows."""

    score: str
    before: float
    after: float
    fell: int
    rose: int
    n: int
    why: str

    def __str__(self) -> str:
        return (
            f"{self.score}: {self.before:.3f} -> {self.after:.3f}, {self.fell} of {self.n} rows fell and"
            f" {self.rose} rose ({self.why})"
        )


def falls(before: Scored, after: Scored) -> list[Fall]:
    """The scores that dropped beyond noise, over the rows that are in both."""
    pairs: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for key, scores in before.items():
        for name, value in scores.items():
            if name in after.get(key, {}):
                pairs.setdefault((key[0], name), []).append((value, after[key][name]))
    return [fall for (part, name), both in pairs.items() if (fall := _fall(part, name, both))]


def _fall(part: str, name: str, pairs: list[tuple[float, float]]) -> Fall | None:
    old, new = [a for a, _ in pairs], [b for _, b in pairs]
    fell, rose = sum(b < a for a, b in pairs), sum(b > a for a, b in pairs)
    p = drop_p(old, new)
    if name in NEVER and fell:
        why = "this must never happen"
    elif name in EXACT and fell - rose > EXACT[name]:
        why = "this is exact"
    elif p <= LEVEL:
        why = f"p {p:.3f}"
    else:
        return None
    return Fall(f"{part} {name}", sum(old) / len(old), sum(new) / len(new), fell, rose, len(pairs), why)


def unasked(before: Scored, after: Scored) -> int:
    """How many scores of the baseline are not there any more."""
    return sum(name not in after.get(key, {}) for key, scores in before.items() for name in scores)


def gate(*, update: bool = False, suite: str | None = None, changes: Mapping[str, Any] | None = None) -> int:
    """Measure, and say what fell; 0 if nothing did, 1 otherwise, 2 where there is no such suite.

    `update`: write the baseline anew instead, of the one suite or all. `changes`: settings other than the
    defaults, to see what they do.
    """
    if suite is not None and suite not in ORDERS:
        print(f"the gate has no part {suite!r}: choose among {', '.join(ORDERS)}", file=sys.stderr)
        return 2
    known: dict[str, Any] = json.loads(BASELINE.read_text("utf-8")) if BASELINE.exists() else {}
    orders = [
        replace(order, alone=True, chosen={**NO_LIMITS, **(changes or {})}, kept=Kept())
        for name, order in ORDERS.items()
        if suite in (None, name)
    ]
    failed = 0
    started = time.perf_counter()
    for result in _results(orders):
        name = result.suite
        found = scored(result.rows)
        if update:
            print(f"{name}: {len(found)} rows are the baseline now")
            known[name] = {"hash": result.hash, "data": result.data["hash"], "scores": means(found),
                           "rows": [[*key, scores] for key, scores in found.items()]}  # fmt: skip
            write(known, BASELINE)
        elif name not in known:
            print(f"{name}: not in the baseline: `python -m evals gate --update --part {name}`")
            failed += 1
        else:
            failed += _told(result, known[name], found)
    print(f"{time.perf_counter() - started:.0f} s")
    return int(failed > 0)


def _results(orders: list[Order]) -> Iterator[Result]:
    """As they come."""
    prepare(orders[0].settings())  # so that not both do
    if len(orders) == 1:
        yield measured(orders[0])
        return
    with get_context("spawn").Pool(PROCESSES, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.imap_unordered(measured, orders, chunksize=1)


def _told(result: Result, known: Mapping[str, Any], found: Scored) -> int:
    """Print how a suite stands; how many of its scores fell."""
    name, before = result.suite, read_scored(known["rows"])
    fallen = falls(before, found)
    lost = unasked(before, found)
    if result.data["hash"] != known["data"]:
        print(f"{name}: the data differ from the baseline's: only rows that are in both are compared")
    for fall in fallen:
        print(f"FELL {name} {fall}")
    if lost:
        print(
            f"FELL {name} {lost} scores of the baseline were not measured (`python -m evals gate --update`?)"
        )
    if not fallen and not lost:
        print(f"ok   {name}: {len(found)} rows, no score fell (hash {result.hash})")
    return len(fallen) + (lost > 0)


def read_scored(rows: Iterable[list[Any]]) -> Scored:
    return {(part, corpus, name, n): scores for part, corpus, name, n, scores in rows}


def means(found: Scored) -> dict[str, float]:
    """Of each score, over the rows that have it."""
    values: dict[str, list[float]] = {}
    for key, scores in found.items():
        for name, value in scores.items():
            values.setdefault(f"{key[0]} {name}", []).append(value)
    return {name: round(sum(own) / len(own), 4) for name, own in sorted(values.items())}


def write(known: Mapping[str, Any], file: Path) -> None:
    """One line for each row, so that a change of the baseline can be read."""
    parts = []
    for name in (name for name in ORDERS if name in known):
        one = known[name]
        rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in one["rows"])
        head = json.dumps({key: value for key, value in one.items() if key != "rows"}, indent=1)
        parts.append(f'"{name}": {head[:-2]},\n "rows": [\n{rows}\n]}}')
    file.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
