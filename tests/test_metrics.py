"""Scores of refusing: precision and recall, their curve, and risk by coverage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import metrics

Cases = list[tuple[float, bool]]
some_cases = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.booleans()), max_size=40)


def columns(cases: Cases) -> tuple[list[float], list[bool]]:
    return [score for score, _ in cases], [flag for _, flag in cases]


@pytest.mark.parametrize(
    ("text", "groups", "expected"),
    [
        ("From 1815 to 1820.", [["1815"], ["1820", "later"]], True),
        ("From 1815.", [["1815"], ["1820", "later"]], False),
        ("簽訂於1815年，廢除於1820年。", [["1815年"], ["1820年"]], True),
        ("anything", [], False),
        ("anything", [[]], False),
    ],
)
def test_every_group_must_be_met(text: str, groups: list[list[str]], expected: bool) -> None:
    assert metrics.contains_all(text, groups) is expected


def test_precision_and_recall() -> None:
    flagged, positive = [True, True, False, True], [True, False, True, True]
    assert metrics.precision_recall(flagged, positive) == (2 / 3, 2 / 3)
    assert metrics.precision_recall([False], [True]) == (0.0, 0.0)
    assert metrics.precision_recall([], []) == (0.0, 0.0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_intervals_lie_within_bounds(cases: list[tuple[bool, bool]]) -> None:
    flagged, positive = [f for f, _ in cases], [p for _, p in cases]
    intervals = metrics.precision_recall_ci(flagged, positive)
    assert tuple(interval[0] for interval in intervals) == metrics.precision_recall(flagged, positive)
    assert all(0 <= low <= high <= 1 for _, low, high in intervals)


def test_an_interval_narrows_with_the_number_of_cases() -> None:
    flagged, positive = [True, True, False], [True, False, True]
    (value, low, high), _ = metrics.precision_recall_ci(flagged * 10, positive * 10)
    (same, nearer, closer), _ = metrics.precision_recall_ci(flagged * 200, positive * 200)
    assert value == same == 0.5
    assert low < nearer < 0.5 < closer < high


@given(some_cases)
def test_the_last_point_of_the_curve_refuses_everything(cases: Cases) -> None:
    scores, positive = columns(cases)
    curve = metrics.refusal_curve(scores, positive)
    assert len(curve) == len(set(scores))
    recalls = [recall for _, recall in curve]
    assert recalls == sorted(recalls)
    if any(positive):
        assert curve[-1] == (sum(positive) / len(positive), 1.0)


@given(some_cases, st.floats(0.01, 1), st.floats(0.01, 1))
def test_precision_at_recall_and_recall_at_precision_agree(cases: Cases, p: float, r: float) -> None:
    curve = metrics.refusal_curve(*columns(cases))
    reached = metrics.precision_at_recall(curve, r) >= p
    assert reached is (metrics.recall_at_precision(curve, p) >= r)


def test_the_least_confident_are_refused_first() -> None:
    curve = metrics.refusal_curve([0.1, 0.2, 0.2, 0.9], [True, True, False, False])
    assert curve == [(1.0, 0.5), (2 / 3, 1.0), (0.5, 1.0)]
    assert metrics.precision_at_recall(curve, 0.6) == 2 / 3
    assert metrics.recall_at_precision(curve, 0.8) == 0.5


@given(some_cases, st.randoms())
def test_risk_does_not_hang_on_the_order_of_the_cases(cases: Cases, random: object) -> None:
    risks = metrics.risk_coverage(*columns(cases))
    random.shuffle(cases)  # type: ignore[attr-defined]
    assert metrics.risk_coverage(*columns(cases)) == pytest.approx(risks)
    assert len(risks) == len(cases)
    if cases:
        assert risks[-1] == pytest.approx(sum(not flag for _, flag in cases) / len(cases))


@given(some_cases)
def test_no_order_beats_the_perfect_one(cases: Cases) -> None:
    scores, right = columns(cases)
    perfect = metrics.risk_coverage([float(one) for one in right], right)
    assert metrics.risk_area(perfect) <= metrics.risk_area(metrics.risk_coverage(scores, right)) + 1e-9


def test_risk_by_coverage() -> None:
    risks = metrics.risk_coverage([0.9, 0.5, 0.5, 0.1], [True, True, False, False])
    assert risks == pytest.approx([0, 0.25, 1 / 3, 0.5])
    assert metrics.risk_at(risks, 0.5) == 0.25
    assert metrics.risk_at(risks, 0.01) == 0.0
    assert metrics.risk_area(risks) == pytest.approx((0.25 + 1 / 3 + 0.5) / 4)
    assert metrics.risk_at([], 0.5) == metrics.risk_area([]) == 0.0
