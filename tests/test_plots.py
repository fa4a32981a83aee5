"""Plots: scales, curves and drawings, of real and of degenerate data."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from xml.etree.ElementTree import Element, fromstring

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals import curves, plots

sizes = st.floats(-1e100, 1e100)
cases = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.1, 0.5, 0.9, 1.0]) | st.floats(0, 1), st.booleans()))
shares = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(lambda three: sorted(three))
names = st.sampled_from(
    ["en", "全部语料", "a-model-with-a-really-long-name-q4_k_m-after-the-change", "<b>&", ""]
)


# --- scales -----------------------------------------------------------------------------------------------


@given(sizes, sizes, st.integers(2, 9))
def test_ticks_surround_their_range(one: float, other: float, most: int) -> None:
    low, high = sorted((one, other))
    found = plots.ticks(low, high, most)
    assert 2 <= len(found) <= most + 1
    assert found == sorted(set(found))
    slack = 1e-6 * (found[-1] - found[0])
    assert found[0] <= low + slack and found[-1] >= high - slack


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0, 0, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0.94, 1, ["0.94", "0.95", "0.96", "0.97", "0.98", "0.99", "1"]),
        (0, 83.1, ["0", "20", "40", "60", "80", "100"]),
        (7, 7, ["0", "2", "4", "6", "8"]),
        (-3, 12_000, ["-5,000", "0", "5,000", "10,000", "15,000"]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[str]) -> None:
    assert [plots.tick_text(value) for value in plots.ticks(low, high)] == expected


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9))
def test_logarithmic_ticks_surround_their_range(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = plots.log_ticks(low, high)
    assert 2 <= len(found) <= 8
    assert found == sorted(set(found))
    assert found[0] <= low <= high <= found[-1]
    assert all(re.fullmatch(r"[1235]e[+-]\d+", f"{value:.0e}") for value in found)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(-2e3, 2e3))
def test_every_value_has_a_place_on_its_axis(one: float, other: float, value: float) -> None:
    low, high = sorted((one, other))
    for axis in (
        plots.Axis("", plots.ticks(low, high)),
        plots.Axis("", plots.log_ticks(low, high), log=True),
    ):
        assert 40 <= plots.place(axis, value, 40, 300) <= 300
        assert plots.place(axis, axis.ticks[0], 40, 300) == 40
        assert plots.place(axis, axis.ticks[-1], 40, 300) == pytest.approx(300)


@pytest.mark.parametrize(
    "make",
    [
        lambda bad: plots.ticks(0, bad),
        lambda bad: plots.log_ticks(1, bad),
        lambda bad: curves.risks([0.5, bad], [True, False]),
        lambda bad: curves.bins([bad], [True]),
        lambda bad: curves.shares_below([1.0, bad]),
        lambda bad: plots.risk_coverage_plot({"": ([bad], [True])}),
        lambda bad: plots.reliability_plot({"": ([bad], [True])}),
        lambda bad: plots.latency_plot({"": [bad]}),
        lambda bad: plots.gain_plot({"": ({0: (bad, 0.0, 1.0)}, None)}, ""),
        lambda bad: plots.recall_plot({"": [(bad, 0.0, 1.0)]}, ""),
        lambda bad: plots.bars_plot("", [("", {"": (bad, 0.0, 1.0)})]),
        lambda bad: plots.stacked_plot("", [("", {"": bad})], "ms"),
    ],
)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_refused(make: Callable[[float], object], bad: float) -> None:
    with pytest.raises(ValueError, match="no finite number"):
        make(bad)


# --- curves -----------------------------------------------------------------------------------------------


@given(st.integers(0, 200), st.integers(0, 200))
def test_an_interval_of_a_share_holds_it(part: int, more: int) -> None:
    value, low, high = curves.wilson(part, part + more)
    assert 0 <= low <= value <= high <= 1
    if part + more:
        assert high - low > 0  # also where all cases agree


def test_the_interval_is_the_one_of_the_textbooks() -> None:
    assert curves.wilson(81, 263) == pytest.approx((0.30798, 0.25530, 0.36617), abs=1e-4)  # Newcombe 1998
    assert curves.wilson(0, 20)[2] == pytest.approx(0.1611, abs=1e-4)


@given(cases)
def test_the_last_risk_is_that_of_all(found: list[tuple[float, bool]]) -> None:
    scores, right = [score for score, _ in found], [flag for _, flag in found]
    risks = curves.risks(scores, right)
    assert [one.coverage for one in risks] == sorted({one.coverage for one in risks})
    assert all(0 <= one.low <= one.risk <= one.high <= 1 for one in risks)
    if found:
        assert risks[-1].coverage == 1
        assert risks[-1].risk == pytest.approx(1 - sum(right) / len(right))
    else:
        assert risks == []


def test_a_long_curve_is_thinned() -> None:
    risks = curves.risks([n / 5000 for n in range(5000)], [n % 3 > 0 for n in range(5000)])
    assert len(risks) <= 1.2 * curves.POINTS
    assert len(curves.shares_below([float(n) for n in range(5000)])) <= 1.2 * curves.POINTS


@given(cases, st.integers(1, 12), st.randoms())
def test_bins_hold_every_case_once_in_any_order(
    found: list[tuple[float, bool]], count: int, random: object
) -> None:
    made = curves.bins(*columns(found), count)
    assert sum(one.n for one in made) == len(found)
    assert len(made) <= count
    assert [one.score for one in made] == sorted(one.score for one in made)
    assert 0 <= curves.calibration_gap(made) <= 1
    random.shuffle(found)  # type: ignore[attr-defined]
    assert curves.bins(*columns(found), count) == made


def columns(found: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [score for score, _ in found], [flag for _, flag in found]


def test_bins_are_equally_large_and_their_gap_is_right() -> None:
    scores = [n / 100 for n in range(100)]
    made = curves.bins(scores, [True] * 100)
    assert [one.n for one in made] == [10] * 10
    assert curves.calibration_gap(made) == pytest.approx(1 - sum(scores) / 100)


@given(st.lists(st.floats(0, 100), max_size=500))
def test_shares_rise_to_one(values: list[float]) -> None:
    found = curves.shares_below(values)
    assert found == sorted(set(found))
    if values:
        assert found[-1] == (max(values), 1.0)
        assert curves.quantile(values, 0.5) == pytest.approx(float(np.percentile(values, 50)))
        assert curves.quantile(values, 0.95) == pytest.approx(float(np.percentile(values, 95)))


# --- drawings ---------------------------------------------------------------------------------------------


def drawn(svg: str) -> Element:
    """A drawing taken apart: whole, told in words, and with nothing beyond its frame."""
    root = fromstring(svg)
    assert root.get("role") == "img"
    assert root.findtext("title") and root.find("desc") is not None
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for part in root.iter():
        for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", part.get("d", "")):
            assert -0.1 <= float(x) <= width + 0.1 and -0.1 <= float(y) <= height + 0.1
        if part.tag in ("rect", "text"):
            assert -0.1 <= float(part.attrib["x"]) <= width and 0 <= float(part.attrib["y"]) <= height
        if part.tag == "rect":
            assert float(part.attrib["x"]) + float(part.attrib["width"]) <= width + 0.1
        assert not {"style", "fill", "stroke"} & set(part.attrib)  # colours are the page's
    for text in root.iter("text"):
        assert plots.text_width(text.text or "") <= width + 1
    return root


@settings(max_examples=25)
@given(st.dictionaries(names, cases.filter(bool), min_size=1, max_size=4))
def test_scored_cases_are_drawn(found: dict[str, list[tuple[float, bool]]]) -> None:
    named = {name: columns(rows) for name, rows in found.items()}
    drawn(plots.risk_coverage_plot(named, dict.fromkeys(named, (0.5, 0.9))))
    drawn(plots.reliability_plot(named))
    seconds = {name: [score for score, _ in rows] for name, rows in found.items()}
    drawn(plots.latency_plot(seconds))


@settings(max_examples=25)
@given(
    st.lists(st.tuples(names, st.dictionaries(names, shares, min_size=1, max_size=3)), min_size=1, max_size=4)
)
def test_shares_are_drawn(rows: list[tuple[str, dict[str, list[float]]]]) -> None:
    bars = [(label, {name: (m, low, high) for name, (low, m, high) in own.items()}) for label, own in rows]
    drawn(plots.bars_plot("Shares", bars))
    drawn(
        plots.stacked_plot(
            "Parts", [(label, {n: m for n, (m, _, _) in own.items()}) for label, own in bars], "ms"
        )
    )
    found = {label: (dict(enumerate(own.values())), next(iter(own.values()))) for label, own in bars}
    drawn(plots.gain_plot(found, "share"))
    drawn(plots.recall_plot({label: list(own.values()) for label, own in bars}, "Recall"))


def test_nothing_is_not_drawn() -> None:
    for make in (
        lambda: plots.risk_coverage_plot({}),
        lambda: plots.risk_coverage_plot({"en": ([], [])}),
        lambda: plots.reliability_plot({"en": ([], [])}),
        lambda: plots.latency_plot({"en": []}),
        lambda: plots.bars_plot("", []),
        lambda: plots.stacked_plot("", [("", {})], "ms"),
    ):
        with pytest.raises(ValueError, match=r"nothing to draw|no durations"):
            make()


def test_what_lies_outside_its_range_is_refused() -> None:
    for make, told in (
        (lambda: plots.reliability_plot({"": ([1.5], [True])}), "outside"),
        (lambda: plots.bars_plot("", [("a", {"": (1.2, 1.0, 1.3)})]), "outside"),
        (lambda: plots.stacked_plot("", [("a", {"": -1.0})], "ms"), "negative"),
        (lambda: plots.latency_plot({"": [-1.0]}), "negative"),
    ):
        with pytest.raises(ValueError, match=told):
            make()


def test_a_drawing_says_its_figures_in_words() -> None:
    rows = [("number", {"en": (0.9, 0.8, 1.0), "zh": (1.0, 1.0, 1.0)}), ("数字 <b>", {"en": (0.0, 0.0, 0.1)})]
    svg = plots.bars_plot("Caught", rows)
    root = drawn(svg)
    assert root.findtext("desc") == "number: en 0.900, zh 1.000. 数字 <b>: en 0.000."
    assert [part.text for part in root.iter("text")][:2] == ["en", "zh"]  # the legend
    assert "<b>" not in svg


def test_long_names_keep_both_ends() -> None:
    assert plots.cut("short", 100) == "short"
    assert plots.cut("model-q4-before-the-change", 100) == "model-q…change"
    assert plots.text_width(plots.cut("一二三四五六七八九十", 60)) <= 60
