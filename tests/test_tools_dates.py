"""Dates in text: forms, spans, and what must not count as a date."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.linear import assert_linear
from tools.dates import DateSpan, find_dates

FORMS = [
    ("on 2007-10-02.", "2007-10-02", "2007-10-02"),
    ("2007/10/2", "2007/10/2", "2007-10-02"),
    ("2007.10.2", "2007.10.2", "2007-10-02"),
    ("report_2007-10-02.txt", "2007-10-02", "2007-10-02"),
    ("in 2007-10-02T10:00", "2007-10-02", "2007-10-02"),
    ("Monday, 2 October 2007", "2 October 2007", "2007-10-02"),
    ("October 2, 2007", "October 2, 2007", "2007-10-02"),
    ("Oct. 2nd 2007", "Oct. 2nd 2007", "2007-10-02"),
    ("2nd of October", "2nd of October", "--10-02"),
    ("in October 2007", "October 2007", "2007-10"),
    ("in 2007, then", "2007", "2007"),
    ("since 1998", "1998", "1998"),
    ("the year 2007", "2007", "2007"),
    ("(2007)", "2007", "2007"),
    ("(Smith, 2007)", "2007", "2007"),
    ("2007年10月2日", "2007年10月2日", "2007-10-02"),
    ("2007年10月", "2007年10月", "2007-10"),
    ("2007年", "2007年", "2007"),
    ("10月2日", "10月2日", "--10-02"),
    ("10月2号", "10月2号", "--10-02"),
    ("二〇〇七年十月二日", "二〇〇七年十月二日", "2007-10-02"),
    ("２００７年１０月２日", "２００７年１０月２日", "2007-10-02"),
    ("２００７－１０－０２", "２００７－１０－０２", "2007-10-02"),
    ("2月29日", "2月29日", "--02-29"),
]

NOT_DATES = [
    "",
    "1,024 of them",
    "in 1500 people",
    "of 1500 books",
    "in 1200 BC",
    "公元前1200年",
    "Feb 30, 2007",
    "2007-02-30",
    "2007年2月30日",
    "you may 5 times",
    "10/2/2007",
    "v1.2007.10.2",
    "3个月 5日",
    "the model 2007",
]


@pytest.mark.parametrize(("text", "span", "iso"), FORMS)
def test_form(text: str, span: str, iso: str) -> None:
    [found] = find_dates(text)
    assert (text[found.start : found.end], found.iso) == (span, iso)


@pytest.mark.parametrize("text", NOT_DATES)
def test_no_date(text: str) -> None:
    assert find_dates(text) == []


@pytest.mark.parametrize(
    ("text", "isos"),
    [
        ("between 1998 and 2007", ["1998", "2007"]),
        ("(1998–2007)", ["1998", "2007"]),
        ("1 March 2026 and 12 May 2026", ["2026-03-01", "2026-05-12"]),
        ("2007年10月2日至2008年1月3日", ["2007-10-02", "2008-01-03"]),
    ],
)
def test_several(text: str, isos: list[str]) -> None:
    assert [span.iso for span in find_dates(text)] == isos


def test_to_date() -> None:
    assert DateSpan(0, 1, 2007, 10, 2).to_date() == date(2007, 10, 2)
    assert DateSpan(0, 1, 2007, 10).to_date() is None
    assert DateSpan(0, 1, None, 10, 2).to_date() is None


@given(st.dates(date(1000, 1, 1), date(2100, 12, 31)))
def test_round_trip(day: date) -> None:
    months = "January February March April May June July August September October November December"
    name = months.split()[day.month - 1]
    for text in (
        day.isoformat(),
        f"{day.day} {name} {day.year}",
        f"{name} {day.day}, {day.year}",
        f"{day.year}年{day.month}月{day.day}日",
    ):
        [span] = find_dates(f"({text})")
        assert (span.to_date(), span.end - span.start) == (day, len(text))


ALPHABET = st.sampled_from(list("0123456789-/. ,()年月日号一二十〇stndmay"))
PIECES = "in 2007 1998 2 30 October May of , 2nd - and 年 月 日 ( )"
WORDS = st.lists(st.sampled_from(PIECES.split())).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text(ALPHABET), WORDS))
def test_spans_are_ordered_and_inside(text: str) -> None:
    end = 0
    for span in find_dates(text):
        assert end <= span.start < span.end <= len(text)
        assert span.iso
        span.to_date()
        end = span.end


@pytest.mark.parametrize("piece", ["1", "2007-", "in 2007 ", "October ", "年", "2007 and ", "(2007"])
def test_long_input_is_linear(piece: str) -> None:
    assert_linear(lambda size: find_dates(piece * size), 25_000 // len(piece))
