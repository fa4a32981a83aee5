"""Find stretches of time in English and Chinese text: days, months, years, and those counted from today.

Reads what `tools.dates` reads, and 2025-03, a month alone after a preposition (in March, 三月份), last week, this
month, yesterday, the past 10 days, 3 days ago, 上周, 去年三月, 最近十天; with since, after, before, until, from ... to
... around them, and 以来, 之前, 从……到……. Weeks begin on Monday. A month or a day without a year is the last one
that is not after today.

It does not read seasons, quarters, weekdays, times of day, or "recently".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import MINYEAR, date, timedelta

from .calendar import add_months
from .dates import DateSpan, find_dates
from .numbers import fold, parse_chinese
from .patterns import compiled

DAY = timedelta(days=1)
MOST_UNITS = 9999  # of "the past N days"

_MONTHS_TEXT = "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_ZH_NUMBER = "[0-9]{1,4}|[一二两三四五六七八九十百]{1,4}"
_ZH_MONTH = "1[0-2]|0?[1-9]|十[一二]|[一二三四五六七八九十]"
_BEFORE_MONTH = (
    r"in|during|of|since|from|after|before|until|till|by|to|and|through|early|mid|late|between|last|this"
)
_PATTERN = (
    r"(?<![0-9a-z_./-])(?P<iso>[12][0-9]{3}-(?:0[1-9]|1[0-2]))(?![0-9a-z_]|-[0-9])"
    rf"|(?<![a-z])(?:(?:{_BEFORE_MONTH}) )(?P<month>{_MONTHS_TEXT})(?![a-z'’]|\.[a-z]| [0-9])"
    r"|(?<![a-z])(?P<day>today|yesterday)(?![a-z'’])"
    r"|(?<![a-z])(?P<which>this|last|past) (?P<unit>week|month|year)(?![a-z'’])"
    r"|(?<![a-z])(?:last|past|previous) (?P<n>[0-9]{1,4}|two|three|four|five|six|seven|ten) (?P<units>day|week|month|year)s(?![a-z'’])"
    r"|(?<![a-z])(?P<ago>[0-9]{1,4}|an?|two|three|four|five|six|seven|ten) (?P<agos>day|week|month|year)s? ago(?![a-z])"
    rf"|(?P<zy>去年|今年|前年)(?:的?(?P<zym>{_ZH_MONTH})月份?(?![0-9一二三四五六七八九十]))?"
    rf"|(?<![0-9一二三四五六七八九十年个個第几幾])(?P<zm>{_ZH_MONTH})月份?(?![0-9一二三四五六七八九十]+[日号號])"
    r"|(?P<zd>今天|今日|昨天|昨日|前天)"
    r"|(?P<zwhich>上上|上|本|这|這)(?:一)?[个個]?(?P<zunit>周|週|星期|礼拜|禮拜|月)(?![一二三四五六日天末])"
    rf"|(?P<zago>{_ZH_NUMBER})[个個]?(?P<zagos>天|日|周|週|星期|月|年)以?前"
    rf"|(?:最近|过去|過去|近)(?:的)?(?P<zn>{_ZH_NUMBER})[个個]?(?P<zunits>天|日|周|週|星期|月|年)"
)
_WORDS = {"a": 1, "an": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
_ZH_UNITS = {"天": "day", "日": "day", "月": "month", "年": "year"}  # any other is a week
_ZH_DAYS = {"今天": 0, "今日": 0, "昨天": 1, "昨日": 1, "前天": 2}
_ZH_YEARS = {"今年": 0, "去年": 1, "前年": 2}

_OPENS = r"(?:(?P<since>since|after|starting(?: in| from)?)|(?P<until>before|until|till|by|up to))(?: the)? (?:in )?$"
_OPENS_ZH = r"(?:(?P<since>自从|自從|自)|(?P<until>截至|直到))$"
_CLOSES_ZH = r"(?:(?P<since>以来|以來|以后|以後|之后|之後|起)|(?P<until>以前|之前))"
_FROM = r"(?<![a-z])(?:from|between) (?:in )?$|(?:从|從|自)$"
_TO = r" ?(?:to|and|until|till|through|-|–|—|~|到|至) ?(?:the )?"
_LEADS = r"(?<![a-z])(?:in|during|on|over|within|for|of|from)(?: the)? $|(?:在|于|於)$"
_TRAILS = r"(?:期间|期間|[里裡内內]|的时候|的時候)"


@dataclass(frozen=True)
class Period:
    """A stretch of time in a text. text[start:end] says it, with the words that only bind it."""

    start: int
    end: int
    first: date | None
    """Its first day; None where it has no beginning."""
    last: date | None
    """Its last day; None where it has no end."""
    month: int = 0
    """1 to 12 where nothing but a month is written, so that its year is assumed; else 0."""


def find_periods(text: str, today: date) -> list[Period]:
    """All stretches of time in text, in order, without overlaps. Never raises."""
    folded = fold(text)
    found = _apart([*_of_dates(text, today), *_of_words(folded, today)])
    joined: list[Period] = []
    at = 0
    while at < len(found):
        one, before = found[at], folded[: found[at].start]
        after = found[at + 1] if at + 1 < len(found) else None
        opens = compiled(_FROM).search(before)
        gap = folded[one.end : after.start] if after else ""
        if after and compiled(_TO).fullmatch(_unled(gap)) and (opens or "-" in gap or gap in ("到", "至")):
            start = opens.start() if opens else one.start
            joined.append(Period(start, after.end, _first_of(one, after), after.last))
            at += 2
            continue
        joined.append(_bound(one, folded))
        at += 1
    return joined


def read_period(text: str, today: date) -> Period | None:
    """The stretch of time that text is, and is nothing but; None for any other text."""
    bare = text.strip()
    if match := re.fullmatch(r"([0-9]{4})(?:[-/.]([0-9]{1,2})(?:[-/.]([0-9]{1,2}))?)?年?", bare):
        return _unit(0, len(text), *(int(part) if part else None for part in match.groups()), today=today)
    for lead in ("", "in "):
        for one in find_periods(lead + bare, today):
            if one.start in (0, len(lead)) and one.end == len(lead + bare):
                return replace(one, start=0, end=len(text))
    return None


def _first_of(one: Period, after: Period) -> date | None:
    """Where a stretch up to another begins: "March to May 2025" is in one year."""
    if one.month and not after.month and after.first and after.last and after.first.year > MINYEAR:
        same = in_year(one, after.first.year)
        return (
            same.first
            if same.first and same.first <= after.last
            else in_year(one, after.first.year - 1).first
        )
    return one.first


def _unled(gap: str) -> str:
    return re.sub(r"(?<= )in $", "", gap)


def _apart(found: list[Period]) -> list[Period]:
    """Those that overlap none before them; the longer one of two that begin together."""
    kept: list[Period] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
        elif one.end > kept[-1].end:
            kept[-1] = one  # 去年 and 去年3月2日
    return kept


def _bound(one: Period, folded: str) -> Period:
    """A stretch with the words around it that bind it, and open at the end that they leave open."""
    before, after = folded[: one.start], folded[one.end :]
    opens = compiled(_OPENS).search(before) or compiled(_OPENS_ZH).search(before)
    closes = compiled(_CLOSES_ZH).match(after)
    if found := closes or opens:
        start = opens.start() if opens else one.start
        end = one.end + (closes.end() if closes else 0)
        word = found["since"] or found["until"]
        if found["since"]:
            later = word.startswith(("after", "以后", "以後", "之后", "之後"))
            first = one.last + DAY if later and one.last and one.last < date.max else one.first
            return Period(start, end, first, None)
        sooner = word in ("before", "以前", "之前")
        last = one.first - DAY if sooner and one.first and one.first > date.min else one.last
        return Period(start, end, None, last)
    lead, trail = compiled(_LEADS).search(before), compiled(_TRAILS).match(after)
    start = lead.start() if lead else one.start
    return replace(one, start=start, end=one.end + (trail.end() if trail else 0))


def _of_dates(text: str, today: date) -> Iterator[Period]:
    for span in find_dates(text):
        start = span.start
        if lead := re.match(r"(?:[a-z]+[ -]|\()(?=[0-9])", text[start : span.end], re.I):
            start += lead.end() if span.month is None else 0  # "in 2007" is read with its preposition
        if one := _of_date(start, span, today):
            yield one


def _of_date(start: int, span: DateSpan, today: date) -> Period | None:
    if span.year is not None or span.month is None:
        return _unit(start, span.end, span.year, span.month, span.day, today=today)
    for year in range(today.year, max(today.year - 8, MINYEAR), -1):  # 29 February waits for its year
        one = _unit(start, span.end, year, span.month, span.day, today=today)
        if one and one.first and one.first <= today:
            return one
    return None


def _unit(
    start: int, end: int, year: int | None, month: int | None, day: int | None, *, today: date
) -> Period | None:
    """A day, a month or a year; None where the calendar has none such."""
    try:
        if year is None:
            return None
        first = date(year, month or 1, day or 1)
    except ValueError:
        return None
    if day:
        return Period(start, end, first, first)
    return Period(start, end, first, _month_end(first) if month else date(first.year, 12, 31))


def _month_end(first: date) -> date:
    return date(first.year, 12, 31) if first.month == 12 else first.replace(month=first.month + 1) - DAY


def _of_words(folded: str, today: date) -> Iterator[Period]:
    for match in compiled(_PATTERN).finditer(folded):
        try:
            if one := _worded(match, today):
                yield one
        except (ValueError, OverflowError):  # before the calendar begins
            continue


def _worded(match: re.Match[str], today: date) -> Period | None:
    start, end = match.span()
    if match["iso"]:
        year, month = match["iso"].split("-")
        return _unit(start, end, int(year), int(month), None, today=today)
    if match["month"]:
        return _month(match.start("month"), end, _MONTHS.index(match["month"][:3]) + 1, today)
    if match["zm"]:
        return _month(start, end, _chinese(match["zm"]), today)
    if match["day"] or match["zd"]:
        back = _ZH_DAYS[match["zd"]] if match["zd"] else int(match["day"] == "yesterday")
        return Period(start, end, today - back * DAY, today - back * DAY)
    if match["zy"]:
        year = today.year - _ZH_YEARS[match["zy"]]
        return _unit(start, end, year, _chinese(match["zym"]) if match["zym"] else None, None, today=today)
    if match["unit"]:
        return Period(start, end, *_whole(match["unit"], int(match["which"] != "this"), today))
    if match["zunit"]:
        unit = _ZH_UNITS.get(match["zunit"], "week")
        return Period(start, end, *_whole(unit, {"上上": 2, "上": 1}.get(match["zwhich"], 0), today))
    if match["ago"]:
        return Period(
            start, end, *_whole_at(match["agos"], _back(_count(match["ago"]), match["agos"], today))
        )
    if match["zago"]:
        unit = _ZH_UNITS.get(match["zagos"], "week")
        return Period(start, end, *_whole_at(unit, _back(_count(match["zago"]), unit, today)))
    count, unit = match["n"] or match["zn"], match["units"] or _ZH_UNITS.get(match["zunits"] or "", "week")
    return Period(start, end, _back(_count(count), unit, today), today)


def _month(start: int, end: int, month: int, today: date) -> Period:
    first = date(today.year - (month > today.month), month, 1)
    return Period(start, end, first, _month_end(first), month)


def in_year(one: Period, year: int) -> Period:
    """A month alone, in another year. Raises ValueError for a year that the calendar does not have."""
    first = date(year, one.month, 1)
    return replace(one, first=first, last=_month_end(first))


def _count(text: str) -> int:
    return min(_WORDS.get(text) or (int(text) if text.isdecimal() else _chinese(text)), MOST_UNITS)


def _chinese(text: str) -> int:
    value = int(text) if text.isdecimal() else parse_chinese(text.replace("两", "二"))
    if value is None or value < 1:
        raise ValueError(text)
    return int(value)


def _back(count: int, unit: str, today: date) -> date:
    if unit in ("day", "week"):
        return today - timedelta(days=count * (7 if unit == "week" else 1))
    return add_months(today, -count * (12 if unit == "year" else 1))


def _whole(unit: str, back: int, today: date) -> tuple[date, date]:
    """The first and the last day of a calendar week, month or year, so many before today's."""
    return _whole_at(unit, _back(back, unit, today))


def _whole_at(unit: str, day: date) -> tuple[date, date]:
    if unit == "day":
        return day, day
    if unit == "week":
        monday = day - day.weekday() * DAY
        return monday, monday + 6 * DAY
    first = day.replace(day=1, month=1 if unit == "year" else day.month)
    return first, date(day.year, 12, 31) if unit == "year" else _month_end(first)
