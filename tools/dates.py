"""Find written dates in English and Chinese text, with their place and their parts.

Reads 2007-10-02, 2007/10/2, 2007.10.2, 2 October 2007, October 2, 2007, Oct. 2nd 2007,
2nd of October, October 2007, 2007年10月2日, 2007年10月, 2007年, 10月2日, 二〇〇七年十月二日,
full-width digits, and bare years 1000-2100 where the words around them say so (in 2007,
between 1998 and 2007, (1998–2007), the year 2007).

It does not read relative dates (tomorrow, 下周日), times of day, two-digit years, years BC,
民国 years, the lunar calendar, a month or a weekday alone, 2007-10, or 10/2/2007, whose order
differs between countries. What is not a day of the calendar (30 February) is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from .numbers import fold, parse_chinese, unit_at
from .patterns import compiled


@dataclass(frozen=True)
class DateSpan:
    """A date in a text. text[start:end] is its verbatim span; a part not written is None.

    At least a year, or a month with a day, is present; the parts are valid together.
    """

    start: int
    end: int
    year: int | None
    month: int | None = None
    day: int | None = None

    @property
    def iso(self) -> str:
        """2007-10-02, 2007-10, 2007, or --10-02 when the year is not written."""
        year = "-" if self.year is None else f"{self.year:04d}"
        parts = [f"{part:02d}" for part in (self.month, self.day) if part is not None]
        return "-".join([year, *parts])

    def to_date(self) -> date | None:
        """The day, or None when a part is missing."""
        if self.year is None or self.month is None or self.day is None:
            return None
        return date(self.year, self.month, self.day)


_MONTHS_TEXT = "january february march april may june july august september october november december"
_MONTH_NAMES = _MONTHS_TEXT.split()
_MONTHS = {name[:3]: number for number, name in enumerate(_MONTH_NAMES, 1)}

_EDGE = r"(?<![0-9a-z_])"
_MON = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?)(?![a-z0-9_])"
)
_DAY = r"[0-3]?[0-9](?:st|nd|rd|th)?(?![0-9a-z_]|[.,][0-9])"
_YEAR = r"[12][0-9]{3}(?![0-9a-z_]|[.,][0-9])"
_GAP = r"[ \n]{1,2}"
_ZH_YEAR = r"[12][0-9]{3}|[一二][零〇一二三四五六七八九]{3}"
_ZH_PART = r"[0-3]?[0-9]|[一二三四五六七八九十]{1,3}"
# Words before a bare year. "of" and "to" also come before counts: see _is_count.
_BEFORE_YEAR = (
    r"(?:in|since|by|of|from|until|till|before|after|during|around|circa|between|to|early|late"
    r"|mid|year|spring|summer|autumn|fall|winter)"
)
_BARE_YEAR = r"(?:1[0-9]{3}|20[0-9]{2}|2100)(?![0-9a-z_]|[.,/][0-9]|-[0-9]{1,2}(?![0-9])| ?[年%])"
_TOKEN = (
    r"(?<![0-9a-z])(?<![0-9][-/.])(?P<iy>[12][0-9]{3})(?P<sep>[-/.])(?P<im>[01]?[0-9])(?P=sep)"
    r"(?P<id>[0-3]?[0-9])(?![0-9]|[-/.][0-9])"
    rf"|{_EDGE}(?<![0-9][-.,/])(?P<dd>{_DAY}){_GAP}(?:of )?(?P<dm>{_MON})"
    rf"(?:,?{_GAP}(?P<dy>{_YEAR}))?"
    rf"|{_EDGE}(?P<mm>{_MON}){_GAP}(?:(?P<my>{_YEAR})|(?P<md>{_DAY})(?:,?{_GAP}(?P<mdy>{_YEAR}))?)"
    rf"|(?<![0-9零〇一二三四五六七八九前])(?P<zy>{_ZH_YEAR}) ?年"
    rf"(?: ?(?P<zm>{_ZH_PART}) ?月(?: ?(?P<zd>{_ZH_PART}) ?[日号])?)?"
    rf"|(?<![0-9一二三四五六七八九十年])(?P<nm>{_ZH_PART}) ?月 ?(?P<nd>{_ZH_PART}) ?[日号]"
    rf"|{_EDGE}(?:{_BEFORE_YEAR}[ -]|\()(?P<by>{_BARE_YEAR})"
    rf"|(?<=, )(?P<cy>{_BARE_YEAR})(?=\))"
)
_RANGE = rf"(?: ?[-–—~] ?| (?:and|to|or|until) )(?P<by>{_BARE_YEAR})"
_ERA = r" ?(?:bc|bce)(?![a-z])"
_PLURAL = r" (?!(?:was|is|has|as|this|its|his|does|us|onwards)\b)[a-z]{2,20}s(?![a-z])"


def find_dates(text: str) -> list[DateSpan]:
    """All dates in text, in order, without overlaps; linear time in len(text). Never raises."""
    folded = fold(text)
    found: list[DateSpan] = []
    pos = 0
    while match := compiled(_TOKEN).search(folded, pos):
        span = _read(match, text)
        pos = match.end()
        if span is None:
            continue
        if (match["by"] or match["cy"]) and _is_count(folded, span.end):
            continue
        found.append(span)
        if match["by"]:
            pos = _read_range(folded, pos, found)
    return found


def _read_range(folded: str, pos: int, found: list[DateSpan]) -> int:
    """Further years of "between 1998 and 2007"; the position to go on from."""
    while (more := compiled(_RANGE).match(folded, pos)) and not _is_count(folded, more.end()):
        found.append(DateSpan(*more.span("by"), int(more["by"])))
        pos = more.end()
    return pos


def _is_count(folded: str, end: int) -> bool:
    """In 1500 people, of 1200 books, in 1200 BC: no year of the calendar."""
    if unit_at(folded, end)[0] or compiled(_ERA).match(folded, end):
        return True
    return bool(compiled(_PLURAL).match(folded, end))


def _read(match: re.Match[str], text: str) -> DateSpan | None:
    start, end = match.span()
    if match["iy"]:
        return _span(start, end, match["iy"], match["im"], match["id"])
    if match["dm"]:
        if not match["dy"] and _is_plain_word(text, *match.span("dm")):
            return None
        return _span(start, end, match["dy"], _month(match["dm"]), match["dd"])
    if match["mm"]:
        if not (match["my"] or match["mdy"]) and _is_plain_word(text, *match.span("mm")):
            return None
        return _span(start, end, match["my"] or match["mdy"], _month(match["mm"]), match["md"])
    if match["zy"]:
        return _span(start, end, match["zy"], match["zm"], match["zd"])
    if match["nm"]:
        return _span(start, end, None, match["nm"], match["nd"])
    group = "by" if match["by"] else "cy"
    return DateSpan(*match.span(group), int(match[group]))


def _is_plain_word(text: str, start: int, end: int) -> bool:
    """may and march in small letters: "they may 10 times", "march 5 miles"."""
    return text[start:end] in {"may", "march", "mar"}


def _month(name: str) -> str:
    return str(_MONTHS[name[:3]])


def _span(start: int, end: int, year: str | None, month: str | None, day: str | None) -> DateSpan | None:
    """The span, or None when the parts are no valid date."""
    parts = [None if part is None else _integer(part) for part in (year, month, day)]
    try:
        date(*(part if part is not None else default for part, default in zip(
            parts, (2000, 1, 1), strict=True)))  # 2000 is a leap year  # fmt: skip
    except ValueError:
        return None
    return DateSpan(start, end, *parts)


def _integer(part: str) -> int:
    """Value of 10, 2nd, 十二 or 二〇〇七; 0, which no date accepts, for an ill-formed numeral."""
    if part[0].isascii():
        return int(part.rstrip("stndrh"))
    value = parse_chinese(part)
    return 0 if value is None else int(value)
