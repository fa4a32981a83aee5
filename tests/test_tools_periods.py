"""Stretches of time in questions and options, in both languages."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.periods import find_periods, in_year, read_period

TODAY = date(2026, 11, 22)  # a Sunday
TEXT = st.text(
    alphabet=st.sampled_from("0123456789-/ 年月日上本去前三十二天周近以至到从 inmarchlastweekgofdy,.，两百"),
    max_size=40,
)
DAYS = st.dates(min_value=date.min, max_value=date.max)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2025", "2025-01-01", "2025-12-31"),
        ("2025-03", "2025-03-01", "2025-03-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2025/3/2", "2025-03-02", "2025-03-02"),
        ("2 March 2025", "2025-03-02", "2025-03-02"),
        ("march", "2026-03-01", "2026-03-31"),
        ("December", "2025-12-01", "2025-12-31"),
        ("last week", "2026-11-09", "2026-11-15"),
        ("this month", "2026-11-01", "2026-11-30"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("yesterday", "2026-11-21", "2026-11-21"),
        ("the past 10 days", "2026-11-12", "2026-11-22"),
        ("3 days ago", "2026-11-19", "2026-11-19"),
        ("2025年3月", "2025-03-01", "2025-03-31"),
        ("三月份", "2026-03-01", "2026-03-31"),
        ("去年三月", "2025-03-01", "2025-03-31"),
        ("上周", "2026-11-09", "2026-11-15"),
        ("上個月", "2026-10-01", "2026-10-31"),
        ("最近十天", "2026-11-12", "2026-11-22"),
        ("两天前", "2026-11-20", "2026-11-20"),
        ("前年", "2024-01-01", "2024-12-31"),
    ],
)
def test_a_period_has_a_first_and_a_last_day(text: str, first: str, last: str) -> None:
    period = read_period(text, TODAY)
    assert period and (str(period.first), str(period.last)) == (first, last)


@pytest.mark.parametrize(
    "text", ["", "garbage", "2025-13", "2025-02-30", "0000", "march of progress", "三个月", "2025-3-2-1"]
)
def test_what_is_no_period_is_none(text: str) -> None:
    assert read_period(text, TODAY) is None


@pytest.mark.parametrize(
    ("text", "said", "first", "last"),
    [
        ("What did Anna write in March?", "in March", "2026-03-01", "2026-03-31"),
        ("mail since 2 March 2025, please", "since 2 March 2025", "2025-03-02", "None"),
        ("mail after March 2025", "after March 2025", "2025-04-01", "None"),
        ("mail before March 2025", "before March 2025", "None", "2025-02-28"),
        (
            "What came between March and May 2025?",
            "between March and May 2025",
            "2025-03-01",
            "2025-05-31",
        ),
        ("from 2024-01 to 2024-03", "from 2024-01 to 2024-03", "2024-01-01", "2024-03-31"),
        ("安娜三月份写了什么", "三月份", "2026-03-01", "2026-03-31"),
        ("从三月到五月李波说了什么", "从三月到五月", "2026-03-01", "2026-05-31"),
        ("三月以来李波说了什么", "三月以来", "2026-03-01", "None"),
        ("2025年3月之前的邮件", "2025年3月之前", "None", "2025-02-28"),
    ],
)
def test_a_period_is_found_with_what_binds_it(text: str, said: str, first: str, last: str) -> None:
    (one,) = find_periods(text, TODAY)
    assert (text[one.start : one.end], str(one.first), str(one.last)) == (said, first, last)


@pytest.mark.parametrize(
    "text", ["You may march on.", "三个月后再说", "第三月台", "Who is April?", "the last weeks"]
)
def test_what_only_looks_like_a_period_is_none(text: str) -> None:
    assert find_periods(text, TODAY) == []


def test_a_month_alone_may_be_of_another_year() -> None:
    (one,) = find_periods("in March", TODAY)
    assert one.month == 3 and str(in_year(one, 2024).last) == "2024-03-31"


@given(TEXT, DAYS)
def test_periods_are_in_order_and_their_days_too(text: str, today: date) -> None:
    at = 0
    for one in find_periods(text, today):
        assert at <= one.start < one.end <= len(text)
        assert one.first or one.last
        at = one.end
    read_period(text, today)


@given(DAYS, DAYS)
def test_every_written_day_is_itself(day: date, today: date) -> None:
    read = read_period(day.isoformat(), today)
    assert read and read.first == read.last == day
