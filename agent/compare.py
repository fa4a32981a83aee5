"""The numbers, dates and labels of a sentence, and whether two of them may both be right. Pure functions.

Units of one kind are brought to one scale. Whether a claim's value is its source's is for `critic.values`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from agent.critic.values import ROUNDING, bound_of, is_about, is_firm_bound, same_date
from tools.dates import DateSpan, find_dates
from tools.numbers import Number, closing_zeros, find_numbers, is_whole

# Units of one kind, as so many of the smallest.
_SCALES = {
    "km": ("m", Decimal(1000)),
    "cm": ("m", Decimal("0.01")),
    "mm": ("m", Decimal("0.001")),
    "g": ("kg", Decimal("0.001")),
    "mg": ("kg", Decimal("0.000001")),
    "t": ("kg", Decimal(1000)),
    "ml": ("l", Decimal("0.001")),
    "ha": ("m2", Decimal(10000)),
    "km2": ("m2", Decimal(1000000)),
    "min": ("s", Decimal(60)),
    "h": ("s", Decimal(3600)),
    "day": ("s", Decimal(86400)),
    "week": ("s", Decimal(604800)),
}
_EXACT = frozenset({"usd", "eur", "gbp", "cny", "jpy", "hkd"})

_LABELLED = re.compile(
    r"(?:\b[A-Z][\w.-]*|\b(?:chapter|section|figure|fig|table|version|article|type|phase|step|part|grade|level|page"
    r"|group|class|room|day|week|stage|zone|appendix|line|no|number|item|question|release|python|question|note|case"
    r"|[a-z]+ v)\.?)[ -]$|[图圖表章节節]\s*$|版本\s*$|编号\s*$",
)
# Which end of a span a value is: "from 2024" and "until 2025" agree.
_FROM = re.compile(r"\b(?:from|since|after|starting|beginning)\s*$|[自从從]\s*$", re.I)
_TO = re.compile(r"\b(?:to|until|till|before|by|through|ending)\s*$|[-–—~至到]\s*$", re.I)
_FROM_AFTER, _TO_AFTER = re.compile(r"\s*(?:起|[以之]?[后後]|开始|開始)"), re.compile(r"\s*(?:止|[以之]?前)")


@dataclass(frozen=True)
class Value:
    """A value where it stands. A number is anything from `low` to `high`; None: it has no bound there."""

    kind: Literal["number", "date", "label"]
    start: int
    end: int
    text: str
    read: Number | DateSpan
    low: Decimal | None = None
    high: Decimal | None = None


def values(text: str) -> list[Value]:
    """Numbers, dates and labels ("Chapter 3", "the second") of a text, in order."""
    found = [Value("date", d.start, d.end, text[d.start : d.end], d) for d in find_dates(text)]
    for number in find_numbers(text):
        if not any(v.start < number.end and number.start < v.end for v in found):
            found.append(_number(text, number))
    return sorted(found, key=lambda value: value.start)


def _number(text: str, number: Number) -> Value:
    shown = text[number.start : number.end]
    before = text[max(0, number.start - 24) : number.start]
    bare = not number.unit and is_whole(number.value)
    if number.unit == "ordinal" or (bare and _LABELLED.search(before)):
        return Value("label", number.start, number.end, shown, number)
    if bare and 1000 <= number.value <= 2100 and re.fullmatch(r"\d{4}", shown.strip()):
        year = DateSpan(number.start, number.end, int(number.value))
        return Value("date", number.start, number.end, shown, year)
    low, high = _range(text, number, shown)
    return Value("number", number.start, number.end, shown, number, low, high)


def _range(text: str, number: Number, shown: str) -> tuple[Decimal | None, Decimal | None]:
    """What a number as written may stand for; None where it has no bound on that side."""
    scale = _SCALES.get(number.unit, ("", Decimal(1)))[1]
    value = number.value * scale
    if is_firm_bound(text, number):
        return (value, None) if bound_of(text, number) > 0 else (None, value)
    if is_about(text, number):
        return value - abs(value) * ROUNDING, value + abs(value) * ROUNDING
    width = abs(value) * ROUNDING if _is_round(number, shown) else Decimal(0)
    half = min(_last_place(number.value) * scale / 2, width)
    return value - half, value + half


def _is_round(number: Number, shown: str) -> bool:
    """Whether a number may be a rounded one: 1.2 million, 3.5, 1,900; a price is not."""
    scaled = bool(re.search(r"[万亿萬億百千]|\b(?:thousand|million|billion|trillion|bn|mn)\b", shown, re.I))
    rounded = not is_whole(number.value) or closing_zeros(number.value) >= 2
    return scaled or (number.unit not in _EXACT and rounded)


def _last_place(value: Decimal) -> Decimal:
    """One unit of the last digit that is no closing zero: 100 for 1,900, 0.1 for 3.5."""
    exponent = value.normalize().as_tuple().exponent
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) else Decimal(1)


def agree(left: Value, right: Value) -> bool:
    """Whether both values may be right: 1998 and 5 May 1998, about 200 and 204, 1.2 million and 1,200,000."""
    if isinstance(left.read, DateSpan) and isinstance(right.read, DateSpan):
        return same_date(left.read, right.read, strict=False)
    if not isinstance(left.read, Number) or not isinstance(right.read, Number) or left.kind != right.kind:
        return False
    if unit_of(left) != unit_of(right):
        return False
    if left.kind == "label":
        return left.read.value == right.read.value
    if (left.low is None and right.low is None) or (left.high is None and right.high is None):
        return left.read.value == right.read.value
    return _below(left.low, right.high) and _below(right.low, left.high)


def _below(low: Decimal | None, high: Decimal | None) -> bool:
    return low is None or high is None or low <= high


def comparable(left: Value, right: Value) -> bool:
    """Whether both are dates that give the same part: a year, a month or a day."""
    ours, theirs = left.read, right.read
    if not isinstance(ours, DateSpan) or not isinstance(theirs, DateSpan):
        return False
    parts = ((ours.year, theirs.year), (ours.month, theirs.month), (ours.day, theirs.day))
    return any(a is not None and b is not None for a, b in parts)


def unit_of(value: Value) -> str:
    """The unit that the bounds of a number are in, or ""."""
    unit = value.read.unit if isinstance(value.read, Number) else ""
    return _SCALES.get(unit, (unit,))[0]


def unmatched(ours: Sequence[Value], theirs: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """The values of each that agree with none of the other."""
    rest = list(theirs)
    mine = []
    for value in ours:
        same = next((other for other in rest if agree(value, other)), None)
        if same:
            rest.remove(same)
        else:
            mine.append(value)
    return mine, rest


def end_of_span(text: str, value: Value) -> str:
    """ "from" where a value begins a span ("since 2024"), "to" where it ends one ("until 2025"), else ""."""
    before, after = text[max(0, value.start - 12) : value.start], text[value.end : value.end + 4]
    if _FROM.search(before) or _FROM_AFTER.match(after):
        return "from"
    return "to" if _TO.search(before) or _TO_AFTER.match(after) else ""
