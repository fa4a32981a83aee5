"""Plots as inline SVG texts: data goes in, a drawing that needs no script comes out.

Colours are classes that the page's style gives (`.s0` to `.s7`, `.axis`, `.grid`), so that one drawing serves
light and dark; texts are in the page's font, with a title and a description for who does not see the drawing.
It measures nothing: what is drawn is made by `evals.curves`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, tostring

from agent.markup import element as _e
from evals.curves import BINS, FEWEST, bins, calibration_gap, finite, quantile, risks, shares_below
from evals.metrics import Interval

WIDTH = 360  # of a drawing, in its own units; its texts are 12 high
HEIGHT = 190  # of the space within the axes
LEFT, RIGHT = 44, 12
LINE = 17  # of a text
COLOURS = 8
MOST_TICKS = 6

Point = tuple[float, float]
Band = tuple[float, float, float]  # x, and the ends of an interval
Named = Mapping[str, tuple[Sequence[float], Sequence[bool]]]  # scores, and which are right


class Series(NamedTuple):
    """One line of a plot, all parts of it optional."""

    name: str
    line: Sequence[Point] = ()
    band: Sequence[Band] = ()
    dots: Sequence[Point] = ()
    whiskers: Sequence[Band] = ()
    dashed: bool = False
    told: str = ""  # figures behind the name in the legend


class Axis(NamedTuple):
    label: str
    ticks: Sequence[float]  # ascending; the first and the last are the ends
    log: bool = False


# --- scales -----------------------------------------------------------------------------------------------


def ticks(low: float, high: float, most: int = MOST_TICKS) -> list[float]:
    """Round numbers, 1, 2 or 5 times a power of ten apart, the first at or below `low`, the last at or above.

    At most `most` + 1 of them, `most` at least 2; an empty range is widened to reach 0, or [0, 1] at 0.
    Raises ValueError where an end is no finite number, or the range is larger than a float.
    """
    low, high = finite((low, high))
    if low > high:
        low, high = high, low
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-200:
        low, high = 0.0, 1.0
    [span] = finite([high - low])
    power = math.floor(math.log10(span / most))
    for factor in (1, 2, 5, 10, 20):
        step = factor * 10.0**power
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first <= most:
            break
    # Divided rather than multiplied by a power below 1, so that 3 tenths are 0.3.
    return [n * step if power >= 0 else n * factor / 10.0**-power for n in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten around a positive range, fewer of each where those are too many.

    Raises ValueError for ends that are not positive and finite.
    """
    low, high = finite((low, high))
    if not 0 < low <= high:
        raise ValueError(f"no logarithmic axis from {low} to {high}")
    powers = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = _around([float(f"{factor}e{n}") for n in powers for factor in factors], low, high)
        if len(found) <= MOST_TICKS + 2:
            return found
    stride = math.ceil(len(found) / MOST_TICKS)
    return found[::stride] if (len(found) - 1) % stride == 0 else [*found[::stride], found[-1]]


def _around(marks: Sequence[float], low: float, high: float) -> list[float]:
    """The marks from the last at or below `low` to the first at or above `high`, two of them at least."""
    first = max(n for n, mark in enumerate(marks) if mark <= low)
    last = min(n for n, mark in enumerate(marks) if mark >= high)
    return list(marks[first : max(last, first + 1) + 1])


def place(axis: Axis, value: float, start: float, end: float) -> float:
    """Where a value lies between `start` and `end`; values beyond the ends of the axis lie at them."""
    low, high = axis.ticks[0], axis.ticks[-1]
    value = min(max(value, low), high)
    share = math.log(value / low) / math.log(high / low) if axis.log else (value - low) / (high - low)
    return start + share * (end - start)


def tick_text(value: float) -> str:
    """
    >>> tick_text(0.30000000000000004), tick_text(10_000.0), tick_text(0.0)
    ('0.3', '10,000', '0')
    """
    return f"{value:,.6g}"


# --- plots of lines ---------------------------------------------------------------------------------------


def risk_coverage_plot(named: Named, marks: Mapping[str, Point] | None = None) -> str:
    """Share of wrong answers by coverage, the most confident first.

    `marks`: (coverage, risk) of the answers that were given, by the name of their series.
    Raises ValueError where there is no case at all.
    """
    drawn, told = [], []
    for name, (scores, right) in named.items():
        found = risks(scores, right)
        if not found:
            continue
        mark = [marks[name]] if marks and name in marks else []
        drawn.append(
            Series(
                name,
                [(one.coverage, one.risk) for one in found],
                [(one.coverage, one.low, one.high) for one in found],
                mark,
            )
        )
        told.append(f"{name}: {found[-1].risk:.3f} of all {len(scores)} are wrong.")
    # The bands of the first few cases reach to 1 and would press all else to the ground.
    heights = [y for one in drawn for _, y in (*one.line, *one.dots)]
    heights += [high for one in drawn for coverage, _, high in one.band if coverage >= 0.5]
    top = max(heights, default=0.0)
    x = Axis("coverage: share answered, the most confident first", ticks(0, 1))
    y = Axis("risk: share wrong", ticks(0, top))
    return lines("Risk by coverage", told, drawn, x, y)


def reliability_plot(named: Named) -> str:
    """The share of right answers by confidence, in bins of equally many cases; right on the diagonal."""
    drawn, told = [], []
    for name, (scores, right) in named.items():
        found = bins(scores, right, min(BINS, max(1, len(scores) // FEWEST)))
        if not found:
            continue
        gap = calibration_gap(found)
        sizes = sorted({one.n for one in found})
        size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}-{sizes[-1]}"
        dots = [(one.score, one.share) for one in found]
        drawn.append(
            Series(
                name,
                dots,
                dots=dots,
                whiskers=[(one.score, one.low, one.high) for one in found],
                told=f": error {gap:.3f}, {len(found)} {'bin' if len(found) == 1 else 'bins'} of {size}",
            )
        )
        told.append(f"{name}: expected calibration error {gap:.3f}, {len(scores)} cases.")
    low = min((x for one in drawn for x, _ in one.dots), default=0.0)
    high = max((x for one in drawn for x, _ in one.dots), default=1.0)
    if low < 0 or high > 1:
        raise ValueError("a confidence lies outside [0, 1]")
    x, y = Axis("mean confidence of the bin", ticks(0, 1)), Axis("share right", ticks(0, 1))
    return lines("Confidence against share right", told, drawn, x, y, diagonal=True)


def gain_plot(named: Mapping[str, tuple[Mapping[int, Interval], Interval | None]], label: str) -> str:
    """A share by number of rounds, and dashed, in a band, what one search alone reaches."""
    drawn, told = [], []
    rounds = sorted({n for by_round, _ in named.values() for n in by_round})
    for n, (name, (by_round, single)) in enumerate(named.items()):
        aside = 0.07 * (n - (len(named) - 1) / 2)  # whiskers of two series stand side by side
        found = sorted(by_round.items())
        dots = [(k + aside, value) for k, (value, _, _) in found]
        drawn.append(
            Series(name, dots, dots=dots, whiskers=[(k + aside, low, high) for k, (_, low, high) in found])
        )
        told.append(f"{name}: " + ", ".join(f"{k} rounds {value:.3f}" for k, (value, _, _) in found) + ".")
        if single:
            ends = (rounds[0] - 0.25, rounds[-1] + 0.25)
            drawn.append(
                Series(
                    name,
                    [(x, single[0]) for x in ends],
                    [(x, *single[1:]) for x in ends],
                    dashed=True,
                    told=": one search",
                )
            )
            told.append(f"One search: {single[0]:.3f}.")
    x = Axis("rounds at most", [float(n) for n in rounds])
    y = Axis(label, ticks(0, 1))
    return lines("Gain per round", told, drawn, x, y, margin=0.3)


def recall_plot(named: Mapping[str, Sequence[Interval]], title: str) -> str:
    """Recall among the first 1, 2, 3 ... documents."""
    drawn = [
        Series(
            name,
            [(k, one[0]) for k, one in enumerate(found, start=1)],
            [(k, *one[1:]) for k, one in enumerate(found, start=1)],
        )
        for name, found in named.items()
    ]
    told = [
        f"{name}: {found[0][0]:.3f} at 1, {found[-1][0]:.3f} at {len(found)}."
        for name, found in named.items()
    ]
    most = max(len(found) for found in named.values())
    low = min(one[1] for found in named.values() for one in found)
    x = Axis(
        "among the first documents", [1.0, *(n for n in ticks(0, max(most, 2)) if n > 1 and n == int(n))]
    )
    return lines(title, told, drawn, x, Axis("share found", ticks(low, 1)))


def latency_plot(named: Mapping[str, Sequence[float]]) -> str:
    """The distribution of seconds on a logarithmic axis; what took none counts as a millisecond.

    Raises ValueError for a negative duration, and where there is none at all.
    """
    drawn, told = [], []
    for name, seconds in named.items():
        if not seconds:
            continue
        if min(finite(seconds)) < 0:
            raise ValueError("a duration is negative")
        steps = shares_below([max(one, 0.001) for one in seconds])
        corners: list[Point] = [(steps[0][0], 0.0)]
        for value, share in steps:
            corners += [(value, corners[-1][1]), (value, share)]
        half, most = quantile(seconds, 0.5), quantile(seconds, 0.95)
        drawn.append(Series(name, corners, told=f": median {_seconds(half)}, 95 % {_seconds(most)}"))
        told.append(f"{name}: median {_seconds(half)}, 95 % within {_seconds(most)}, {len(seconds)} cases.")
    values = [x for one in drawn for x, _ in one.line]
    if not values:
        raise ValueError("no durations")
    x = Axis("seconds", log_ticks(min(values), max(values)), log=True)
    return lines("Latency", told, drawn, x, Axis("share of questions within", ticks(0, 1)))


def _seconds(value: float) -> str:
    return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"


def lines(
    title: str,
    told: Sequence[str],
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    *,
    diagonal: bool = False,
    margin: float = 0.0,
) -> str:
    """A plot of lines with their legend; `margin`: free space at both ends of x, in its units.

    Raises ValueError without a series, and for a point that is no finite number.
    """
    if not series:
        raise ValueError("nothing to draw")
    legend, top = _legend([(one.name, one.told) for one in series])
    top += LINE
    bottom, right = top + HEIGHT, WIDTH - RIGHT
    ends = x._replace(ticks=[x.ticks[0] - margin, x.ticks[-1] + margin])

    def at(point: Sequence[float]) -> str:
        across, up = finite(point)
        return f"{place(ends, across, LEFT, right):.1f},{place(y, up, bottom, top):.1f}"

    body: list[Element] = [_text(0, top - 9, y.label, "label")]
    for value in y.ticks:
        height = place(y, value, bottom, top)
        body += [
            _line(LEFT, height, right, height, "grid"),
            _text(LEFT - 6, height + 4, tick_text(value), "end"),
        ]
    for value in x.ticks:
        across = place(ends, value, LEFT, right)
        body += [
            _line(across, bottom, across, bottom + 4, "axis"),
            _text(across, bottom + LINE, tick_text(value), "mid"),
        ]
    body += [
        _line(LEFT, bottom, right, bottom, "axis"),
        _text((LEFT + right) / 2, bottom + 2 * LINE, x.label, "mid label"),
    ]
    if diagonal:
        body.append(_e("path", d=f"M{LEFT},{bottom} L{right},{top}", class_="diagonal"))
    for n, one in enumerate(series):
        body.append(_e("g", *_series(one, at), class_=f"s{n % COLOURS}"))
    return _svg(title, told, bottom + 2 * LINE + 6, [*legend, *body])


def _series(one: Series, at: Callable[[Sequence[float]], str]) -> list[Element]:
    parts = []
    if one.band:
        edge = [(x, high) for x, _, high in one.band] + [(x, low) for x, low, _ in reversed(one.band)]
        parts.append(_e("path", d=f"M{' L'.join(map(at, edge))} Z", class_="band"))
    if one.line:
        parts.append(
            _e("path", d=f"M{' L'.join(map(at, one.line))}", class_="dashed" if one.dashed else "line")
        )
    for x, low, high in one.whiskers:
        parts.append(_e("path", d=f"M{at((x, low))} L{at((x, high))}", class_="whisker"))
    for x, y in one.dots:
        across, up = at((x, y)).split(",")
        parts.append(_e("circle", _e("title", f"{x:.3g}: {y:.3f}"), cx=across, cy=up, r="4", class_="dot"))
    return parts


# --- plots of bars ----------------------------------------------------------------------------------------


def bars_plot(title: str, rows: Sequence[tuple[str, Mapping[str, Interval]]]) -> str:
    """Shares as bars with their intervals: under each name one bar for each of its series.

    Raises ValueError without a bar, and for a share outside [0, 1].
    """
    names = list(dict.fromkeys(name for _, bars in rows for name in bars))
    if not names:
        raise ValueError("nothing to draw")
    legend, top = _legend([(name, "") for name in names]) if len(names) > 1 else ([], 4)
    end = WIDTH - 52  # the figures stand behind
    highs = finite(high for _, bars in rows for _, _, high in bars.values())
    axis = Axis("", ticks(0, min(max(highs), 1.0)))
    body, height = [], float(top)
    for label, bars in rows:
        body.append(_text(0, height + 12, label, "", room=WIDTH))
        height += LINE
        for name, interval in bars.items():
            value, low, high = finite(interval)
            if not (0 <= low <= 1 and 0 <= value <= 1 and 0 <= high <= 1):
                raise ValueError(f"{label}: a share lies outside [0, 1]")
            upto, left, right = (place(axis, one, 0, end) for one in (value, low, high))
            bar = _e("rect", x="0", y=f"{height:.1f}", width=f"{upto:.1f}", height="11", class_="bar-of")
            whisker = _e(
                "path", d=f"M{left:.1f},{height + 5.5:.1f} L{right:.1f},{height + 5.5:.1f}", class_="whisker"
            )
            body.append(_e("g", bar, whisker, class_=f"s{names.index(name) % COLOURS}"))
            body.append(_text(WIDTH, height + 10, f"{value:.3f}", "end"))
            height += 15
        height += 5
    grid = _upright(axis, end, top, height)
    told = [
        f"{label}: " + ", ".join(f"{name} {one[0]:.3f}" for name, one in bars.items()) + "."
        for label, bars in rows
    ]
    return _svg(title, told, height + LINE + 4, [*legend, *grid, *body])


def stacked_plot(title: str, rows: Sequence[tuple[str, Mapping[str, float]]], unit: str) -> str:
    """Parts of a whole as stacked bars, one for each name, with their sum behind.

    Raises ValueError without a part, and for a part below 0.
    """
    parts = list(dict.fromkeys(name for _, found in rows for name in found))
    if not parts:
        raise ValueError("nothing to draw")
    if min(finite(value for _, found in rows for value in found.values())) < 0:
        raise ValueError("a part is negative")
    legend, top = _legend([(name, "") for name in parts])
    end = WIDTH - 64
    axis = Axis("", ticks(0, max(sum(found.values()) for _, found in rows)))
    body, height = [], float(top)
    for label, found in rows:
        body.append(_text(0, height + 12, label, "", room=WIDTH))
        height += LINE
        before = 0.0
        for name, value in found.items():
            left, right = (place(axis, one, 0, end) for one in (before, before + value))
            piece = _e(
                "rect",
                _e("title", f"{name}: {value:.3g} {unit}"),
                x=f"{left:.1f}",
                y=f"{height:.1f}",
                width=f"{right - left:.1f}",
                height="16",
                class_="bar-of",
            )
            body.append(_e("g", piece, class_=f"s{parts.index(name) % COLOURS}"))
            before += value
        body.append(_text(WIDTH, height + 12, f"{before:.3g} {unit}", "end"))
        height += 24
    grid = _upright(axis, end, top, height)
    told = [
        f"{label}: " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()) + f" {unit}."
        for label, found in rows
    ]
    return _svg(title, told, height + LINE + 4, [*legend, *grid, *body])


def _upright(axis: Axis, end: float, top: float, height: float) -> list[Element]:
    """The lines of an axis behind bars, with their numbers below."""
    grid = []
    for value in axis.ticks:
        across = place(axis, value, 0, end)
        grid += [
            _line(across, top, across, height, "grid"),
            _text(across, height + 14, tick_text(value), "mid" if value else ""),
        ]
    return grid


# --- parts of a drawing -----------------------------------------------------------------------------------


def text_width(text: str) -> float:
    """About how wide a text is, in units of a drawing; a Chinese character is as wide as it is high."""
    return sum(12.0 if unicodedata.east_asian_width(char) in "WF" else 6.8 for char in text)


def cut(text: str, room: float) -> str:
    """A text that is no wider than `room`, with … for what had to go from its middle."""
    kept = len(text)
    shown = text
    while kept and text_width(shown) > room:
        kept -= 1
        shown = f"{text[: kept - kept // 2].rstrip()}…{text[len(text) - kept // 2 :].lstrip()}"
    return shown


def _legend(names: Sequence[tuple[str, str]]) -> tuple[list[Element], int]:
    """The series' names, colours and figures, in as many lines as they need, and where those end."""
    parts, across, line = [], 0.0, 0
    for n, (name, told) in enumerate(names):
        shown = cut(name, WIDTH - 20 - text_width(told)) + told
        width = 20 + text_width(shown) + 14
        if across and across + width - 14 > WIDTH:
            across, line = 0.0, line + 1
        height = 4 + line * LINE
        key = _e(
            "rect", x=f"{across:.1f}", y=f"{height + 1}", width="14", height="10", rx="2", class_="bar-of"
        )
        parts.append(_e("g", key, _text(across + 20, height + 10, shown, ""), class_=f"s{n % COLOURS}"))
        across += width
    return parts, 4 + (line + 1) * LINE + 6


def _svg(title: str, told: Sequence[str], height: float, parts: Sequence[Element]) -> str:
    drawing = _e(
        "svg",
        _e("title", title),
        _e("desc", " ".join(told)),
        *parts,
        class_="plot",
        role="img",
        viewBox=f"0 0 {WIDTH} {height:.0f}",
    )
    return tostring(drawing, encoding="unicode")


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    return _e("path", d=f"M{x1:.1f},{y1:.1f} L{x2:.1f},{y2:.1f}", class_=kind)


def _text(x: float, y: float, text: str, kind: str, room: float | None = None) -> Element:
    shown = text if room is None else cut(text, room)
    whole = _e("title", text) if shown != text else None
    return _e("text", shown, whole, x=f"{x:.1f}", y=f"{y:.1f}", class_=kind or None)
