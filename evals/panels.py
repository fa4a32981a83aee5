"""Which plots the results of a suite have: rows and metrics go in, titles and drawings come out.

With one result its corpora are the lines of a plot; with several each corpus has a plot, in which they are.
What cannot be drawn says in one line why. It draws nothing itself: see `evals.plots`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from evals.metrics import Interval, mean_ci
from evals.plots import (
    Point,
    bars_plot,
    gain_plot,
    latency_plot,
    recall_plot,
    reliability_plot,
    risk_coverage_plot,
    stacked_plot,
)
from evals.results import INTERVAL, Loaded, Path_, Rows, interval_of, shared

AMONG = 10  # documents of a recall plot
APART = "uhgeval"  # of the critic's sources: there a supported claim is a sentence of its source
_BINS = (
    "Bins of about equally many cases; on the dashed line a confidence is what it says. "
    "Error: expected calibration error."
)
MOST_SERIES = 4  # beside each other
MOST_BARS = 60  # of a plot that is not folded


class Panel(NamedTuple):
    title: str
    svg: str  # empty where there is nothing to draw
    note: str = ""  # below the drawing, or why there is none
    large: bool = False


class _MissingError(Exception):
    """Why a plot cannot be drawn, in one line."""


def panels(results: Sequence[Loaded]) -> list[Panel]:
    """The plots of results of one suite."""
    found: list[Panel] = []
    for title, make in _PLOTS.get(results[0].suite, [("Shares", _bars)]):
        try:
            found += make(results)
        except (_MissingError, ValueError) as error:
            found.append(Panel(title, "", f"Not drawn: {error}."))
        except (TypeError, LookupError, AttributeError, ArithmeticError):  # written by hand, or long ago
            found.append(Panel(title, "", "Not drawn: the results have another form."))
    return found


# --- rows ---------------------------------------------------------------------------------------------------


def _series(results: Sequence[Loaded], key: str = "corpus") -> dict[str, dict[str, Rows]]:
    """By the title of a plot, the rows of each of its lines."""
    found: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for result in results:
        for row in result.rows:
            name = str(row.get(key) or "all")
            plot, line = (name, result.name) if len(results) > 1 else ("", name)
            found.setdefault(plot, {}).setdefault(line, []).append(row)
    if not found:
        raise _MissingError(f"no rows in {', '.join(result.name for result in results)}")
    return {plot: dict(lines) for plot, lines in found.items()}


def _numbers(rows: Rows, *keys: str) -> list[float]:
    """The number that each row has under the first of these keys that it has."""
    found = []
    for row in rows:
        value = next((row[key] for key in keys if key in row), None)
        if not isinstance(value, bool | int | float):
            raise _MissingError(f"a row has no number for {keys[0]!r}")
        found.append(float(value))
    return found


def _scored(rows: Rows, score: str, *right: str) -> tuple[list[float], list[bool]]:
    return _numbers(rows, score), [value > 0 for value in _numbers(rows, *right)]


def _titled(title: str, plot: str) -> str:
    return f"{title}, {plot}" if plot else title


# --- plots of rows ------------------------------------------------------------------------------------------


def _risk(results: Sequence[Loaded]) -> Iterator[Panel]:
    for plot, found in _series(results).items():
        named = {name: _scored(rows, "confidence", "draft_right", "right") for name, rows in found.items()}
        marks = {name: mark for name, rows in found.items() if (mark := _verified(rows))}
        svg = risk_coverage_plot(named, marks)
        note = "Of the best draft, answered or not, with 95 % bands. A dot: what was given as verified."
        yield Panel(_titled("Risk by coverage", plot), svg, note)


def _verified(rows: Rows) -> Point | None:
    """The coverage and the risk of what was given as verified; None where nothing was."""
    right = [bool(row.get("right")) for row in rows if row.get("outcome") == "verified"]
    return (len(right) / len(rows), 1 - sum(right) / len(right)) if right else None


def _reliability(results: Sequence[Loaded]) -> Iterator[Panel]:
    for plot, found in _series(results).items():
        named = {name: _scored(rows, "confidence", "draft_right", "right") for name, rows in found.items()}
        yield Panel(_titled("Reliability", plot), reliability_plot(named), _BINS)


def _critic_reliability(results: Sequence[Loaded]) -> Iterator[Panel]:
    kept = [
        one._replace(rows=[_with_language(row) for row in one.rows if row.get("source") != APART])
        for one in results
    ]
    for plot, found in _series(kept, "lang").items():
        named = {
            name: _scored(rows, "verifier", "label")
            if "label" in rows[0]
            else _scored(rows, "answer", "exact")
            for name, rows in found.items()
        }
        note = f"{_BINS} Without the source {APART}; claims of one context count as independent in the bars."
        yield Panel(_titled("Reliability of the score", plot), reliability_plot(named), note)


def _with_language(row: Mapping[str, Any]) -> Mapping[str, Any]:
    corpus = row.get("corpus")
    told = f"answers, {corpus}" if corpus else str(row.get("lang") or "all").split("-")[0]
    return {**row, "lang": told}


def _recall(results: Sequence[Loaded]) -> Iterator[Panel]:
    """Of dense, lexical and hybrid search with one result; of the hybrid search of each with several."""
    wanted = _series(results)
    if len(results) == 1:
        for corpus, rows in wanted[""].items():
            named = {part: _recalls(rows, part) for part in ("dense", "lexical", "hybrid")}
            yield Panel(f"Recall, {corpus}", recall_plot(named, f"Recall, {corpus}"), "With 95 % bands.")
        return
    for corpus, found in wanted.items():
        named = {name: _recalls(rows, "hybrid") for name, rows in found.items()}
        note = "Of hybrid search, with 95 % bands."
        yield Panel(f"Recall, {corpus}", recall_plot(named, f"Recall, {corpus}"), note)


def _recalls(rows: Rows, search: str) -> list[Interval]:
    """By number of documents, over what rows share, as their suite and its tables have it."""
    ranks = _numbers(rows, search)
    groups = shared(rows)
    return [mean_ci([rank < k for rank in ranks], groups=groups) for k in range(1, AMONG + 1)]


def _latency(results: Sequence[Loaded]) -> Iterator[Panel]:
    for plot, found in _series(results).items():
        named = {name: _numbers(rows, "seconds") for name, rows in found.items()}
        yield Panel(
            _titled("Latency", plot), latency_plot(named), "Share of questions done within so many seconds."
        )


# --- the loop -----------------------------------------------------------------------------------------------


def _gain(results: Sequence[Loaded]) -> Iterator[Panel]:
    for key, label in (
        ("all_support_recall", "share of questions with all needed passages"),
        ("containment of the best draft", "share of best drafts with a right answer"),
    ):
        found: dict[str, tuple[dict[int, Interval], Interval | None]] = {}
        for result in results:
            by_round = result.metrics.get(key)
            if isinstance(by_round, dict) and by_round:
                shares = {int(n): _interval(value) for n, value in by_round.items() if n.isdecimal()}
                single = result.metrics.get(f"{key} single-shot")
                if shares:
                    found[result.name] = shares, _interval(single) if single else None
        if found:
            yield Panel(label[0].upper() + label[1:], gain_plot(found, label), "With 95 % intervals.")
        elif key == "all_support_recall" and not any("moves" in one.metrics for one in results):
            raise _MissingError("no part `multihop` in these results")


def _interval(value: Any) -> Interval:
    found = interval_of(value)
    if not found:
        raise _MissingError("a share has no interval")
    return found


def _loop_latency(results: Sequence[Loaded]) -> Iterator[Panel]:
    """Of the multihop questions, by the number of rounds."""
    named: dict[str, list[float]] = {}
    for result in results:
        for rounds in ("0", "1", "2", "3"):
            rows = [row[rounds] for row in result.rows if isinstance(row.get(rounds), dict)]
            if rows:
                name = f"{rounds} rounds" if len(results) == 1 else f"{result.name}, {rounds} rounds"
                named[name] = _numbers(rows, "seconds")
    if len(results) > 1:  # the most rounds of each
        last = {name.rpartition(", ")[0]: name for name in named}
        named = {name: named[name] for name in last.values()}
    if named:
        yield Panel("Latency by rounds at most", latency_plot(named), "Of multi-hop questions.")


def _added(results: Sequence[Loaded]) -> Iterator[Panel]:
    rows = []
    for result in results:
        for corpus, told in (result.metrics.get("added") or {}).items():
            parts = {
                "one search and one draft": told["one search and one draft ms p50"],
                "added by the loop": max(0.0, told["added ms p50"]),
            }
            rows.append((corpus if len(results) == 1 else f"{corpus}, {result.name}", parts))
    if rows:
        title = "What the loop adds where it is not needed"
        yield Panel(title, stacked_plot(title, rows, "ms"), "Medians of questions that pass in round 0.")


# --- memory -------------------------------------------------------------------------------------------------


def _repeats(results: Sequence[Loaded]) -> Iterator[Panel]:
    """Of questions asked twice."""
    named: dict[str, list[float]] = {}
    for result in results:
        for asked in ("first", "again"):
            rows = [row[asked] for row in result.rows if isinstance(row.get(asked), dict)]
            if rows:
                name = asked if len(results) == 1 else f"{result.name}, {asked}"
                named[name] = [ms / 1000 for ms in _numbers(rows, "clock")]
    if named:
        yield Panel("Latency of the same question again", latency_plot(named), "First, and from memory.")


# --- parts of a search --------------------------------------------------------------------------------------


def _parts(results: Sequence[Loaded]) -> Iterator[Panel]:
    """Stacked milliseconds wherever the metrics give parts: two names or more that end in ", ms"."""
    rows = []
    for result in results:
        for path, found in _groups(result.metrics):
            parts = {
                name.removesuffix(", ms"): float(value[0])
                for name, value in found.items()
                if name.endswith(", ms")
                and isinstance(value, list)
                and value
                and not name.startswith("total")
            }
            if len(parts) > 1:
                rows.append(
                    (", ".join((result.name, *path)) if len(results) > 1 or path else "search", parts)
                )
    if rows:
        note = (
            "Medians by the clock, each part measured alone; within a search some of them run side by side."
        )
        yield Panel("Parts of a search", stacked_plot("Parts of a search", rows, "ms"), note)


def _groups(metrics: Mapping[str, Any], path: Path_ = ()) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
    """The metrics, and every group of metrics within, with the names that lead there."""
    yield path, metrics
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from _groups(value, (*path, name))


# --- shares with intervals ----------------------------------------------------------------------------------


def _bars(results: Sequence[Loaded]) -> Iterator[Panel]:
    """Bars of every group of shares with intervals that has no plot of its own."""
    made: dict[Path_, dict[str, dict[str, Interval]]] = {}
    for result in results:
        for path, rows in _shares(result.metrics):
            own = made.setdefault(tuple(name.removesuffix(INTERVAL) for name in path), {})
            for label, bars in rows.items():
                for name, interval in bars.items():
                    if len(results) == 1:
                        own.setdefault(label, {})[name] = interval
                    else:
                        own.setdefault(", ".join(filter(None, (label, name))), {})[result.name] = interval
    for path, rows in made.items():
        series = {name for bars in rows.values() for name in bars}
        only = series.pop() if len(series) == 1 and len(results) == 1 else ""
        title = ": ".join(filter(None, ("Shares", " › ".join(path), only)))
        large = sum(map(len, rows.values())) > MOST_BARS
        yield Panel(title, bars_plot(title, list(rows.items())), "With 95 % intervals.", large)


def _shares(
    metrics: Mapping[str, Any], path: Path_ = ()
) -> Iterator[tuple[Path_, dict[str, dict[str, Interval]]]]:
    """Groups of shares with intervals, by the names that lead there: label, series, share.

    Groups beside each other are one where they name the same few shares. By number of rounds: see `_gain`.
    """
    below = {name: value for name, value in metrics.items() if isinstance(value, dict)}
    nested = {name: own for name, value in below.items() if (own := _own_shares(value))}
    series = {name for own in nested.values() for name in own}
    together = len(nested) > 1 and len(series) <= MOST_SERIES
    if together and not all(name.isdecimal() for name in series):
        yield path, nested
    flat = _own_shares(metrics)
    if len(flat) > 1 and not all(name.isdecimal() for name in flat):
        yield (*path, "shares") if together else path, {name: {"": one} for name, one in flat.items()}
    for name, value in below.items():
        inner = value if not together else {key: one for key, one in value.items() if isinstance(one, dict)}
        yield from _shares(inner, (*path, name))


def _own_shares(metrics: Mapping[str, Any]) -> dict[str, Interval]:
    found = {
        name.removesuffix(INTERVAL): interval
        for name, value in metrics.items()
        if " above " not in name and (interval := interval_of(value))
    }
    return {name: one for name, one in found.items() if min(one) >= 0 and max(one) <= 1}


_Plots = list[tuple[str, Callable[[Sequence[Loaded]], Iterator[Panel]]]]
_ANSWERED: _Plots = [
    ("Risk by coverage", _risk),
    ("Reliability", _reliability),
    ("Latency", _latency),
    ("Shares", _bars),
]
_PLOTS: dict[str, _Plots] = {
    "critic": [("Reliability of the score", _critic_reliability)],
    "loop": [
        ("Gain per round", _gain),
        ("Latency by rounds at most", _loop_latency),
        ("What the loop adds", _added),
        ("Shares", _bars),
    ],
    "memory": [("Latency of the same question again", _repeats), ("Shares", _bars)],
    "qa": _ANSWERED,
    "refusal": _ANSWERED,
    "retrieval": [("Recall", _recall)],
    "speed": [("Parts of a search", _parts)],
}
