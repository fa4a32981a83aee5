"""Find written numbers in English and Chinese text, with their place, value and unit.

Reads digits (1,024; 3.5; -2; 1e6; full-width digits), scales (3 million, 1.2亿, 5000万),
number words (twenty-five, two hundred and five), Chinese numerals (三千四百, 两万五, 百分之七,
七成), ordinals (1st, second, 第三) and the unit that follows (%, currencies, common measures).

It does not convert units, read fractions ("1/2" gives 1 and 2, 三分之一 gives nothing), vague
counts (十几, 几百, several hundred, hundreds), spoken decimals ("two point five" gives 2 and 5),
Roman numerals or digits other than ASCII and full-width ones. Dotted strings such as 1.2.3 and
digits glued to letters (H2O, v1, COVID-19) are not numbers. Dates are not recognised here:
2007-10-02 gives three plain numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from .patterns import compiled


@dataclass(frozen=True)
class Number:
    """A number in a text. text[start:end] is its verbatim span, sign and unit included.

    unit is "" when none was recognised, "ordinal" for an ordinal, "%" for a percentage (the
    value of "7%" is 7), otherwise a lower-case name such as "km", "usd", "year", "person".
    """

    start: int
    end: int
    value: Decimal
    unit: str


def is_whole(value: Decimal) -> bool:
    """Of any size: a remainder of more digits than the context holds cannot be taken."""
    return value == value.to_integral_value()


def closing_zeros(value: Decimal) -> int:
    """How many zeros a whole number ends in; 0 for zero and for a fraction."""
    digits = f"{value:f}" if value and is_whole(value) else ""
    whole = digits.partition(".")[0]
    return len(whole) - len(whole.rstrip("0"))


# --- folding -------------------------------------------------------------------------------


def _fold_table() -> dict[int, str]:
    table = {code: chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)}
    del table[0xFF0C]  # ， separates clauses far more often than thousands
    table |= {code: chr(code + 32) for code in range(ord("A"), ord("Z") + 1)}
    table |= {0x3000: " ", 0x00A0: " ", 0x202F: " ", 0x2212: "-", 0xFFE5: "¥", 0x2019: "'"}
    table |= {ord("萬"): "万", ord("億"): "亿", ord("兩"): "两", ord("負"): "负"}
    return table


_FOLD = _fold_table()
_WIDE_COMMA = r"(?<=[０-９])，(?=[０-９]{3})"


def fold(text: str) -> str:
    """Full-width forms to ASCII, ASCII letters to lower case; every offset stays valid."""
    return compiled(_WIDE_COMMA).sub(",", text).translate(_FOLD)


# --- Chinese numerals ----------------------------------------------------------------------

_ZH_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_ZH_SCALES = (("亿", 8), ("万", 4), ("千", 3), ("百", 2), ("十", 1))
_ZH_POWERS = dict(_ZH_SCALES)
_FORMAL = str.maketrans("壹贰叁肆伍陆柒捌玖拾佰仟", "一二三四五六七八九十百千")
_ZH_MAX_CHARS = 40

ZH_CHARS = "零〇一二两三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟"


def parse_chinese(text: str) -> Decimal | None:
    """Value of a whole Chinese numeral (三千四百, 两万五, 三点五亿, 二〇〇七), or None.

    None also for what is not well formed or is vague (三四百, 百万 without a digit) and for
    anything over 40 characters. A lone digit (一) is a value here.
    """
    text = text.translate(_FORMAL)
    if len(text) > _ZH_MAX_CHARS:
        return None
    whole, point, fraction = text.partition("点")
    if point:
        return _chinese_decimal(whole, fraction)
    if len(text) > 2 and all(char in _ZH_DIGITS for char in text):
        return _chinese_positional(text)
    value = _ZH_DIGITS.get(text, _chinese_section(text, 0))
    return None if value is None else Decimal(value)


def _chinese_decimal(whole: str, fraction: str) -> Decimal | None:
    digits = fraction.rstrip("万亿")
    head = _ZH_DIGITS.get(whole, _chinese_section(whole, 0))
    if head is None or not digits or any(char not in _ZH_DIGITS for char in digits):
        return None
    power = sum(_ZH_POWERS[char] for char in fraction[len(digits) :])
    return _plain(f"{head}.{''.join(str(_ZH_DIGITS[char]) for char in digits)}", power)


def _chinese_positional(text: str) -> Decimal | None:
    # 二〇〇七 is a number; 七八 or 五六七 is a guess at one.
    if "两" in text or (len(text) < 4 and not set(text) & {"〇", "零"}):
        return None
    return Decimal("".join(str(_ZH_DIGITS[char]) for char in text))


def _chinese_section(text: str, level: int) -> int | None:
    """Value of text using only the scales from _ZH_SCALES[level] down; None if ill formed."""
    if level == len(_ZH_SCALES):
        return _ZH_DIGITS.get(text) or None
    char, power = _ZH_SCALES[level]
    left, found, right = text.partition(char)
    if not found:
        return _chinese_section(text, level + 1)
    if char == "十" and not left:
        head: int | None = 1
    else:
        head = _chinese_section(left, level + 1 if power > 3 else len(_ZH_SCALES))
    tail = _chinese_tail(right, level)
    return None if head is None or tail is None else head * 10**power + tail


def _chinese_tail(text: str, level: int) -> int | None:
    if not text:
        return 0
    power = _ZH_SCALES[level][1]
    if text[0] in "零〇":
        return _chinese_section(text[1:], level + 1)
    if len(text) == 1 and power > 1 and text in _ZH_DIGITS:
        return _ZH_DIGITS[text] * int(10 ** (power - 1))  # 两万五 is 25000
    return _chinese_section(text, level + 1)


# --- English number words ------------------------------------------------------------------

_ONES_TEXT = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_ONES = _ONES_TEXT.split()
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SMALL = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}
_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_ORDINALS_TEXT = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
)
_ORDINALS = {
    word: value
    for value, word in enumerate(
        _ORDINALS_TEXT.split(),
        1,
    )
} | {word[:-1] + "ieth": 10 * value for value, word in enumerate(_TENS, 2)}


@dataclass
class _Words:
    """Running value of one number in words. limit: the next small word must be below it."""

    total: int = 0
    group: int = 0
    limit: int = 10**18
    scale: int = 10**18
    after_scale: bool = False

    def take(self, word: str) -> bool:
        """Add a word if it can continue this number; False leaves the state as it was."""
        small = _SMALL.get(word, _ORDINALS.get(word))
        if small is not None:
            return self._take_small(small)
        if word == "hundred":
            return self._take_hundred()
        return word in _SCALES and self._take_scale(int(10 ** _SCALES[word]))

    def _take_small(self, small: int) -> bool:
        first = self.total == 0 and self.group == 0
        if small >= self.limit or (small == 0 and not first):
            return False
        self.group += small
        self.limit = 10 if small >= 20 else 0
        self.after_scale = False
        return True

    def _take_hundred(self) -> bool:
        if not 0 < self.group < 100:
            return False
        self.group *= 100
        self.limit, self.after_scale = 100, True
        return True

    def _take_scale(self, scale: int) -> bool:
        if not self.group or scale >= self.scale:
            return False
        self.total += self.group * scale
        self.group, self.scale, self.limit, self.after_scale = 0, scale, 100, True
        return True


def _word_number(words: list[str], start: int) -> tuple[int, int, bool]:
    """Longest number from words[start]: (index after it, value, is ordinal)."""
    state, i, ordinal = _Words(), start, False
    if words[i] == "a":
        state.group, state.limit, i = 1, 0, i + 1
    first = i
    while i < len(words) and not ordinal:
        step = i
        if words[i] == "and" and state.after_scale and i + 1 < len(words):
            step = i + 1
            if words[step] not in _SMALL and words[step] not in _ORDINALS:
                break
        if not state.take(words[step]):
            break
        ordinal = words[step] in _ORDINALS
        i = step + 1
    return (i if i > first else start), state.total + state.group, ordinal


def parse_english(text: str) -> Decimal | None:
    """Value of a whole cardinal in lower-case English words ("a hundred and one"), or None."""
    words = re.findall(r"[a-z]+", text)
    if not words or not re.fullmatch(r"[a-z]+(?:[ -][a-z]+)*", text):
        return None
    end, value, ordinal = _word_number(words, 0)
    return Decimal(value) if end == len(words) and not ordinal else None


# --- units ---------------------------------------------------------------------------------

_UNIT_ALIASES = {
    "%": "%|percent|per cent|pct",
    "‰": "‰|permille|per mille",
    "pp": "percentage point|percentage points|个百分点|百分点",
    "usd": "$|usd|dollar|dollars|us dollar|us dollars|美元|美金",
    "eur": "€|eur|euro|euros|欧元",
    "gbp": "£|gbp|pounds sterling|pound sterling|英镑",
    "cny": "¥|cny|rmb|yuan|renminbi|元|人民币|块钱|块",
    "jpy": "jpy|yen|日元|日圆",
    "hkd": "hkd|港元|港币",
    "km": "km|kilometre|kilometres|kilometer|kilometers|公里|千米",
    "m": "m|metre|metres|meter|meters|米",
    "cm": "cm|centimetre|centimetres|centimeter|centimeters|厘米",
    "mm": "mm|millimetre|millimetres|millimeter|millimeters|毫米",
    "mile": "mile|miles|mi|英里",
    "foot": "ft|foot|feet|英尺",
    "inch": "inch|inches|英寸",
    "m2": "㎡|m²|sqm|square metre|square metres|square meter|square meters|平方米|平米",
    "km2": "km²|square kilometre|square kilometres|square kilometer|square kilometers|平方公里",
    "ha": "ha|hectare|hectares|公顷",
    "kg": "kg|kgs|kilo|kilos|kilogram|kilograms|公斤|千克",
    "g": "g|gram|grams|克",
    "mg": "mg|milligram|milligrams|毫克",
    "t": "t|tonne|tonnes|ton|tons|吨",
    "lb": "lb|lbs|pound|pounds|磅",
    "l": "l|litre|litres|liter|liters|升",
    "ml": "ml|millilitre|millilitres|milliliter|milliliters|毫升",
    "°c": "°c|℃|degrees celsius|摄氏度",
    "°f": "°f|℉|degrees fahrenheit|华氏度",
    "h": "h|hr|hrs|hour|hours|小时|个小时|钟头|个钟头",
    "min": "min|mins|minute|minutes|分钟",
    "s": "s|sec|secs|second|seconds|秒|秒钟",
    "day": "day|days|天",
    "week": "week|weeks|周|星期|个星期",
    "month": "month|months|个月",
    "year": "year|years|yr|yrs|年|周年|年间",
    "year old": "岁|years old|year old",
    "person": "person|people|persons|人|名|位|个人",
    "time": "time|times|次|倍",
    "page": "page|pages|页",
    "kwh": "kwh|千瓦时",
    "kw": "kw|kilowatt|kilowatts|千瓦",
    "mw": "mw|megawatt|megawatts|兆瓦",
    "gb": "gb|gigabyte|gigabytes",
    "mb": "mb|megabyte|megabytes",
    "kb": "kb|kilobyte|kilobytes",
}
_UNITS = {alias: unit for unit, line in _UNIT_ALIASES.items() for alias in line.split("|")}
_PREFIX_TEXT = "$ € £ ¥ usd eur gbp cny rmb jpy hkd"
_PREFIXES = {"us$": "usd", "hk$": "hkd"} | {alias: _UNITS[alias] for alias in _PREFIX_TEXT.split()}

# After one of these a lone Chinese digit is a count, though the unit says nothing.
_CLASSIFIERS = frozenset("个只条张本件份项家座台辆艘架颗棵篇届轮场笔套组种")
_NOT_COUNTS = "一本正经", "一家人", "一个劲", "四周", "一周遭", "一种种", "一人一"
_NOT_BEFORE_ONE = frozenset("统唯同单之每任某这那另逐专其惟划归")

_SYMBOL = r" ?([%‰℃℉㎡]|°[cf](?![a-z])|[$€£¥](?! ?[0-9])|k?m²)"
_LATIN = r"[ -]?([a-z]{1,16})(?: ([a-z]{3,16}))?(?![0-9_À-ɏ])"
_UPPER_IS_OTHER = frozenset("mgths")  # 5M is not metres, 5G is not grams


def unit_at(folded: str, pos: int) -> tuple[str, int]:
    """Unit that starts at pos (one space or hyphen allowed) and its end; ("", pos) if none."""
    symbol = compiled(_SYMBOL).match(folded, pos)
    if symbol:
        name = symbol[1]
        return _UNITS.get(name) or ("km2" if name == "km²" else "m2"), symbol.end()
    latin = compiled(_LATIN).match(folded, pos)
    if latin:
        return _latin_unit(latin, folded, pos)
    skip = pos + (folded[pos : pos + 1] == " ")
    for size in (4, 3, 2, 1):
        name = folded[skip : skip + size]
        if len(name) == size and name in _UNITS and not name.isascii():
            return _UNITS[name], skip + size
    return "", pos


def _latin_unit(match: re.Match[str], folded: str, pos: int) -> tuple[str, int]:
    for name, end in ((f"{match[1]} {match[2]}", match.end()), (match[1], match.end(1))):
        if name in _UNITS and not re.match(r"[a-z]", folded[end : end + 1]):
            return _UNITS[name], end
    return "", pos


# --- finding -------------------------------------------------------------------------------

_EDGE = r"(?<![0-9a-z_À-ɏ])"
_END = r"(?![0-9a-z_À-ɏ])"
# Possessive quantifiers: no way back into a digit run, so the scan stays linear.
DIGITS = (
    r"(?:[0-9]{1,3}(?:,[0-9]{3}(?![0-9]))++|[0-9]++)(?:\.[0-9]++)?+"
    r"(?:e[+-]?[0-9]{1,2}(?![0-9]))?+"
)
_ZH_RUN = rf"[{ZH_CHARS}]++(?:点[零〇一二三四五六七八九]++(?![十百千分刻点滴线])[万亿]{{0,2}})?+"
_ZH_SCALE = r"(?: (?=[万亿]))?(?:[万亿]|百(?!分)|千(?![米克瓦卡])|十(?=[万亿])){1,3}"
_WORD = "(?:" + "|".join(sorted([*_SMALL, *_ORDINALS, "hundred", *_SCALES], reverse=True)) + ")" + _END
_TOKEN = (
    rf"(?P<per>[百千]分之)(?P<per_value>-?{DIGITS}|[{ZH_CHARS}点]++)"
    rf"|第 ?(?P<nth>[0-9]{{1,9}}(?![0-9])|[{ZH_CHARS}]++)"
    rf"|{_EDGE}(?<![0-9]\.)(?<![a-z]-)(?P<sign>负|(?<![0-9)\]%年月日号-])-)?"
    rf"(?:(?P<money>us\$|hk\$|[$€£¥]|usd|eur|gbp|cny|rmb|jpy|hkd) ?)?(?P<digits>{DIGITS})"
    rf"(?!\.[0-9])(?:(?P<zh_scale>{_ZH_SCALE})(?P<zh_rest>(?:[0-9]{{1,4}}[十百千万]{{1,2}}){{0,3}})"
    rf"|[ -]?(?P<scale>(?:hundred|thousand|million|billion|trillion|bn|mn){_END}))?"
    rf"|(?P<zh_sign>负)?(?P<zh>{_ZH_RUN})"
    rf"|{_EDGE}(?P<words>(?:an? (?=(?:hundred|thousand|[mbt]r?illion){_END}))?{_WORD}"
    rf"(?:(?:-|[ \n]{{1,2}})(?:and[ \n])?{_WORD})*+)"
)
_SHORT_SCALES = _SCALES | {"hundred": 2, "bn": 9, "mn": 6}
_MONEY_SUFFIX = {"k": 3, "m": 6, "b": 9}
_NTH_SUFFIX = r"(?:st|nd|rd|th)" + _END
_TENTHS = r"成([一二三四五六七八九半])?(?![为功立本员果长分就交年品千])"


def _plain(digits: str, power: int = 0) -> Decimal:
    """Exact value of digits * 10**power, without an exponent in its written form."""
    value = Decimal(f"{digits}e{power}" if "e" not in digits else digits)
    if "e" in digits and power:
        value = value.scaleb(power)
    return Decimal(format(value, "f"))


def find_numbers(text: str) -> list[Number]:
    """All numbers in text, in order, without overlaps; linear time in len(text).

    A lone Chinese digit counts only before a unit or measure word (三个, not 一样), a lone
    "one" only before a unit. 年 is a unit only where it can be a duration (三年, not 2007年).
    1‰ and 千分之一 have the unit "%" and the value 0.1. Never raises.
    """
    folded = fold(text)
    found: list[Number] = []
    end = 0
    for match in compiled(_TOKEN).finditer(folded):
        if match.start() < end:  # inside the unit of the number before ("one second")
            continue
        for number in _read(match, folded, text):
            if number.start >= end:
                found.append(number)
                end = number.end
    return found


def _read(match: re.Match[str], folded: str, text: str) -> Iterator[Number]:
    if match["digits"]:
        number = _read_digits(match, folded, text)
    elif match["words"]:
        yield from _read_words(match, folded, text)
        return
    elif match["zh"]:
        number = _read_chinese(match, folded, text)
    else:
        number = _read_marked(match)
    if number:
        yield number


def _read_marked(match: re.Match[str]) -> Number | None:
    """百分之七, 千分之三 and 第三."""
    raw = match["nth"] or match["per_value"].rstrip("点")
    value = _plain(raw.replace(",", "")) if raw[0] in "-0123456789" else parse_chinese(raw)
    if raw == "百":
        value = Decimal(100)
    if value is None:
        return None
    end = match.start("nth" if match["nth"] else "per_value") + len(raw)
    if match["nth"]:
        return Number(match.start(), end, value, "ordinal")
    return Number(match.start(), end, value / 10 if match["per"][0] == "千" else value, "%")


def _read_digits(match: re.Match[str], folded: str, text: str) -> Number | None:
    digits = match["digits"].replace(",", "")
    end, value = match.end(), _plain(digits)
    nth = compiled(_NTH_SUFFIX).match(folded, end)
    if nth and not match["money"] and digits.isdigit():
        return Number(match.start(), nth.end(), value, "ordinal")
    if match["zh_scale"]:
        mixed = _mixed_value(digits + match["zh_scale"].strip() + match["zh_rest"])
        if mixed is None:
            return None
        value = mixed
    elif match["scale"]:
        value = _plain(digits, _SHORT_SCALES[match["scale"]])
    elif match["money"] and re.match(rf"[kmb]{_END}", folded[end : end + 2]):
        value = _plain(digits, _MONEY_SUFFIX[folded[end]])
        end += 1
    if match["sign"]:
        value = -value
    if match["money"]:
        return Number(match.start(), end, value, _PREFIXES[match["money"]])
    return _with_unit(match.start(), end, value, folded, text)


def _mixed_value(run: str) -> Decimal | None:
    """3万5千 or 1亿2000万; None unless each scale is smaller than the one before."""
    total, last = Decimal(0), 99
    for digits, scale in re.findall(r"([0-9.e+-]+)([十百千万亿]+)", run):
        power = sum(_ZH_POWERS[char] for char in scale)
        if power >= last:
            return None
        total, last = total + _plain(digits, power), power
    return total


def _read_chinese(match: re.Match[str], folded: str, text: str) -> Number | None:
    raw, start, end = match["zh"], match.start(), match.end()
    if folded[end : end + 1] == "几" or _is_vague_start(folded, match.start("zh"), raw):
        return None
    value = parse_chinese(raw)
    if value is None and raw[-1] == "千" and folded[end : end + 1] in set("米克瓦"):
        value, raw, end = parse_chinese(raw[:-1]), raw[:-1], end - 1  # 十千米 is 10 km
    if value is None:
        return None
    number = _with_unit(start, end, -value if match["zh_sign"] else value, folded, text)
    if len(raw) == 1 and not _is_count(number, raw, match.start("zh"), end, folded):
        return None
    if number and number.unit == "year" and len(raw) > 3 and raw[1] in _ZH_DIGITS:
        positional = all(char in _ZH_DIGITS for char in raw)
        return Number(start, end, number.value, "") if positional else number
    return number


def _is_vague_start(folded: str, start: int, raw: str) -> bool:
    """几百, 数十万, 上千, and the second half of 三分之二十."""
    before = folded[max(0, start - 2) : start]
    if before == "分之" or before.endswith("几"):
        return True
    return raw[0] in "十百千万" and before[-1:] in {"数", "上", "近", "好"}


def _is_count(number: Number | None, raw: str, start: int, end: int, folded: str) -> bool:
    if raw not in _ZH_DIGITS and raw != "十":
        return False
    if raw == "一" and folded[start - 1 : start] in _NOT_BEFORE_ONE and start:
        return False
    if folded.startswith(_NOT_COUNTS, start):
        return False
    if number and number.unit:
        return True
    return folded[end : end + 1] in _CLASSIFIERS and folded[end + 1 : end + 2] != raw


def _with_unit(start: int, end: int, value: Decimal, folded: str, text: str) -> Number | None:
    """The number with the unit after it; None when letters are glued on that are no unit."""
    tenths = compiled(_TENTHS).match(folded, end)
    if tenths and 0 < value <= 10:
        return Number(start, tenths.end(), value * 10 + _extra_tenth(tenths[1]), "%")
    unit, unit_end = unit_at(folded, end)
    if unit in _UPPER_IS_OTHER and text[unit_end - 1].isupper():
        unit, unit_end = "", end
    if unit == "year" and folded[unit_end - 1] == "年" and _is_calendar_year(folded, start, value):
        unit, unit_end = "", end
    if unit == "‰":
        unit, value = "%", value / 10
    if not unit and re.match(r"[a-z_À-ɏ]", folded[end : end + 1]):
        return None
    return Number(start, unit_end, value, unit)


def _is_calendar_year(folded: str, start: int, value: Decimal) -> bool:
    return folded[start] == "0" or (1000 <= value <= 2999 and folded[start : start + 4].isdigit())


def _extra_tenth(char: str | None) -> int:
    return 0 if not char else 5 if char == "半" else _ZH_DIGITS[char]


def _read_words(match: re.Match[str], folded: str, text: str) -> Iterator[Number]:
    spans = [word.span() for word in compiled(r"[a-z]+").finditer(folded, *match.span())]
    words = ["a" if folded[s:e] == "an" else folded[s:e] for s, e in spans]
    i = 0
    while i < len(words):
        after, value, ordinal = _word_number(words, i)
        if after == i:
            i += 1
            continue
        start, end = spans[i][0], spans[after - 1][1]
        number = _word_span(start, end, value, ordinal, folded, text)
        if number:
            yield number
        i = after


def _word_span(start: int, end: int, value: int, ordinal: bool, folded: str, text: str) -> Number | None:
    before = folded[max(0, start - 6) : start]
    if re.search(r"\bhalf $", before):  # half a million
        return None
    if ordinal:
        if folded[start:end] == "second" and re.search(r"\b(?:a|per|each|every|split) $", before):
            return None
        return Number(start, end, Decimal(value), "ordinal")
    number = _with_unit(start, end, Decimal(value), folded, text)
    if folded[start:end] == "one" and (not number or not number.unit):
        return None
    return number
