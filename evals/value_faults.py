"""The rules that make a sentence false in a number, a date or a unit, or that exchange two of its parts.

What would be false only perhaps, such as another number after "about", is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from random import Random

from evals.names import find_names
from evals.places import Corpus, Place
from evals.rewrites import MONTHS, chinese_numeral, digits_span, exact_numbers, is_vague
from retrieval.tokens import is_chinese
from tools.dates import find_dates
from tools.numbers import find_numbers


def number(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A number by another value: next to it, its digits exchanged, tenfold, or another altogether."""
    known = {n.value for n in find_numbers(place.source)}
    found = exact_numbers(text)
    rng.shuffle(found)
    for one in found:
        if is_vague(text, one.start, one.end) or one.value != int(one.value) or one.value > 10**9:
            continue
        value = int(one.value)
        options = [
            value + 1,
            value - 1,
            value * 10,
            round(value * rng.choice((0.4, 0.6, 1.7, 2.6))),
            _exchanged(value),
        ]
        if one.unit == "%":
            options = [v for v in options if v <= 100]
        rng.shuffle(options)
        for new in options:
            if new > 1 and new != value and new not in known:
                written = _as_written(text, one.start, one.end, new)
                if written:
                    yield text[: one.start] + written + text[one.end :]


def _exchanged(value: int) -> int:
    digits = str(value)
    for n in range(len(digits) - 1):
        if digits[n] != digits[n + 1] and digits[n + 1] != "0":
            return int(digits[:n] + digits[n + 1] + digits[n] + digits[n + 2 :])
    return value + 3


_SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()


def _as_written(text: str, start: int, end: int, value: int) -> str | None:
    """A value in the notation of the number at text[start:end], its unit kept."""
    one = next(n for n in find_numbers(text) if n.start == start)
    said, span = text[start:end], digits_span(text, one)
    if span:
        digits = text[slice(*span)]
        new = (
            f"{value:,}"
            if "," in digits or (value >= 10000 > one.value and not is_chinese(text))
            else str(value)
        )
        if any("０" <= c <= "９" for c in digits):
            new = "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in new)
        return said.replace(digits, new, 1)
    word = re.match(r"[a-z]+(?=\s|$)", said)
    if word and word.group() in _SMALL:
        return (_SMALL[value] if value < len(_SMALL) else str(value)) + said[word.end() :]
    numeral = re.match(r"[一二两兩三四五六七八九十百千零]+(?![万萬亿億分])", said)
    return chinese_numeral(value) + said[numeral.end() :] if numeral and value < 10000 else None


_BOUND = re.compile(r"(?:before|by|until|till|prior to|between|after|since|than|c\.|circa|around|about|mid-?|early|late)\W*(?:\w+ )?$", re.IGNORECASE)  # fmt: skip
_BOUND_AFTER = re.compile(r"\s?(?:s\b|年代|之?前|以前|之?后|之?後|以后|以後|以来|以來|左右|代|[-–—~至到])")


def date(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A day, month or year by another that the document does not name."""
    known = find_dates(place.source)
    found = find_dates(text)
    rng.shuffle(found)
    for one in found:
        if _BOUND.search(text[: one.start]) or _BOUND_AFTER.match(text, one.end):
            continue
        said = text[one.start : one.end]
        parts = [p for p in ("year", "month", "day") if getattr(one, p)]
        rng.shuffle(parts)
        for part in parts:
            new = _other_date(said, part, int(getattr(one, part)), rng)
            changed = text[: one.start] + (new or said) + text[one.end :]
            moved = [d for d in find_dates(changed) if d.start == one.start]
            if moved and all(getattr(moved[0], part) != getattr(d, part) for d in known):
                yield changed


def _other_date(said: str, part: str, value: int, rng: Random) -> str | None:
    step = rng.choice((-9, -4, -2, -1, 1, 2, 3, 6, 10))
    if part == "year":
        return said.replace(str(value), str(value + step), 1) if str(value) in said else None
    if part == "month":
        new = (value - 1 + step) % 12 + 1
        if MONTHS[value - 1] in said:
            return said.replace(MONTHS[value - 1], MONTHS[new - 1])
        return re.sub(rf"(?<!\d){value}(?=月)", str(new), said)
    new = (value - 1 + step) % 28 + 1
    return re.sub(rf"(?<!\d){value}(?=[日号號]|,| [A-Z]|$)", str(new), said)


_UNITS_EN = {
    "kilometres": "miles", "kilometers": "miles", "km": "miles", "miles": "kilometres", "metres": "feet",
    "meters": "feet", "m": "feet", "feet": "metres", "ft": "m", "million": "billion", "billion": "million",
    "acres": "square miles", "hectares": "square miles", "square kilometres": "square miles", "square miles": "acres",
    "sq mi": "acres", "%": "‰", "percent": "per thousand", "per cent": "per thousand", "years": "months",
    "months": "years", "days": "weeks", "weeks": "days", "hours": "minutes", "minutes": "hours", "seconds": "minutes",
    "centuries": "decades", "decades": "centuries", "tons": "kilograms", "tonnes": "kilograms", "pounds": "tons",
    "inches": "feet", "°C": "°F", "°F": "°C", "MHz": "kHz", "mm": "cm", "cm": "mm", "kg": "tons", "dollars": "euros",
    "thousand": "million", "degrees Celsius": "degrees Fahrenheit",
}  # fmt: skip
_UNITS_ZH = {
    "平方公里": "平方米", "公里": "公尺", "千米": "米", "公尺": "公里", "米": "公里", "厘米": "米", "公顷": "平方公里",
    "公頃": "平方公里", "万": "亿", "亿": "万", "萬": "億", "億": "萬", "%": "‰", "％": "‰", "小时": "分钟", "小時": "分鐘",
    "分钟": "小时", "分鐘": "小時", "公斤": "吨", "吨": "公斤", "噸": "公斤", "美元": "欧元", "英镑": "美元", "日元": "美元",
    "天": "个月", "个月": "年", "個月": "年", "摄氏度": "华氏度", "毫米": "厘米", "英里": "公里", "英尺": "米", "岁": "个月",
    "世纪": "年代", "光年": "公里", "元": "万元",
}  # fmt: skip
del _UNITS_ZH["世纪"]
_MONEY = {"$": "£", "£": "€", "€": "$"}


def unit(text: str, place: Place, rng: Random) -> Iterator[str]:
    """The unit, the scale or the currency of a number by another; the number stays."""
    table = _UNITS_ZH if place.corpus.chinese else _UNITS_EN
    names = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))
    digits = r"(?<![\w.,])[$€£]?(?P<value>\d[\d,.]*\d|\d|(?:two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|forty|fifty)|[二两兩三四五六七八九十百千]+)"
    if place.corpus.chinese:
        digits = r"(?<![数數几幾])(?P<value>[\d０-９][\d,.，．０-９]*|(?<![一二三四五六七八九十])[二两兩三四五六七八九十百千]{1,6})"
    found = list(
        re.finditer(
            rf"{digits}(?P<gap>[ -]?)(?P<unit>{names})(?![A-Za-z])(?![\d克分万萬亿億多余餘]|以上|方公|左右)",
            text,
        )
    )
    rng.shuffle(found)
    for match in found:
        if is_vague(text, match.start(), match.end()) or match["value"].strip("0.") == "":
            continue
        new = table[match["unit"]]
        if match["gap"] == "-" or f"{match['value']}{match['gap']}{new}" in place.source:
            continue
        written = text[: match.start("unit")] + new + text[match.end("unit") :]
        yield written if new[0] != "‰" or match["gap"] == "" else written.replace(" ‰", "‰")
    for match in re.finditer(r"[$£€](?=\d)", text):
        if not is_vague(text, match.start(), match.start()):
            yield text[: match.start()] + _MONEY[match.group()] + text[match.end() :]


_SYMMETRIC = re.compile(
    r"\bbetween\b|\bboth\b|\bmet\b|\bmarried|\bequal|\brespectively|\bsame\b|之间|之間|相互|互相|同时|分别|分別|邻|鄰|结婚|結婚|同",
    re.IGNORECASE,
)
_ALIAS = re.compile(r"known|called|named|alias|formerly|i\.e\.|\(|（|又|即|称|稱|简|簡|原名|也叫|别|別")


def swap(text: str, place: Place, rng: Random) -> Iterator[str]:
    """Two names, years or quantities of one type in the sentence, exchanged."""
    if _SYMMETRIC.search(text):
        return
    pairs = []
    for parts in _like_parts(text, place.corpus):
        pairs += [(a, b) for n, a in enumerate(parts) for b in parts[n + 1 :]]
    rng.shuffle(pairs)
    for (a, b), (c, d) in pairs:
        between, first, second = text[b:c], text[a:b], text[c:d]
        if b >= c or first == second or _ALIAS.search(between) or in_one_list(between):
            continue
        if text.count(first) == text.count(second) == 1 and not set(first.split()) & set(second.split()):
            yield text[:a] + second + between + first + text[d:]


def in_one_list(between: str) -> bool:
    """Whether two things with this text between them may be items of one list: exchanged, nothing changes."""
    if is_chinese(between):
        return len(between) < 4 or ("、" in between and not re.search("[，；。]", between))
    words = [
        w
        for w in re.findall(r"\b[a-z]+\b", between)
        if w not in ("and", "or", "the", "of", "a", "to", "as", "well", "am", "la", "le", "de")
    ]
    return len(words) < (2 if "," in between or " and " in between or " or " in between else 1)


def swap_in_passage(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A year or a quantity by another of its type from a different sentence of the same document."""
    elsewhere = [place.said(n) for n in range(len(place.spans)) if n != place.at]
    for found, others in zip(
        _values(text),
        zip(*(_values(said) for said in elsewhere), strict=True) if elsewhere else ((), ()),
        strict=True,
    ):
        pool = [said[a:b] for spans, said in zip(others, elsewhere, strict=True) for a, b in spans]
        for a, b in found:
            good = [value for value in pool if value not in text and _type(value) == _type(text[a:b])]
            bound = _BOUND.search(text[:a]) or _BOUND_AFTER.match(text, b) or is_vague(text, a, b)
            if good and not bound:
                yield text[:a] + rng.choice(good) + text[b:]


def _values(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Spans of the dates, and of the exact numbers with their units."""
    dates = [
        (d.start, d.end)
        for d in find_dates(text)
        if d.year
        and not re.search("[-–—~至到]$", text[: d.start])
        and not re.match("[-–—~至到]", text[d.end :])
    ]  # the ends of a range are told by their order
    return dates, [(n.start, n.end) for n in exact_numbers(text)]


def _type(value: str) -> str:
    """What of a value must be alike for it to stand in another's place: the parts of a date, or the unit."""
    dates = find_dates(value if "年" in value else f"in {value}")
    if dates and dates[0].year:
        return f"date {dates[0].month is None} {dates[0].day is None}"
    found = find_numbers(value)
    return (found[0].unit or "plain") + str(bool(re.match(r"\d", value))) if found else "none"


def _like_parts(text: str, corpus: Corpus) -> Iterator[list[tuple[int, int]]]:
    by_type: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for start, end, kind in find_names(text, corpus.chinese, corpus.common):
        by_type[kind].append((start, end))
    for spans in _values(text):
        for start, end in spans:
            by_type[_type(text[start:end])].append((start, end))
    yield from by_type.values()
