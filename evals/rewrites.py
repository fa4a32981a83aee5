"""Sound rewritings of a sentence, as a good chat model writes them: each says no more than its source does.

A rewriting that is not surely entailed is not made. It adds no fault (see `faults`) and judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal

from retrieval.tokens import is_chinese
from tools.dates import DateSpan, find_dates
from tools.numbers import Number, closing_zeros, find_numbers, is_whole

ROUNDING = 0.03  # a number after "about" may be off by this share
MONTHS = (
    "January February March April May June July August September October November December".split()
)  # fmt: skip
_SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()
_ZH_DIGITS = "零一二三四五六七八九"
# What makes a number a bound or an estimate: another value may then be true as well.
_VAGUE = re.compile(
    r"(?:about|around|approximately|roughly|nearly|almost|some|over|under|above|below|than|least|most|up to|to"
    r"|exceed\w*|within|circa|c\.|~|约|約|近|超过|超過|逾|至少|最多|不到|不足|达|達|上|高于|低于|多于|少于|大約|大约)\s*[$€£¥]?$",
    re.IGNORECASE,
)
_VAGUE_AFTER = re.compile(
    r"\s*[歲岁%]?(?:and over|or over|or more|or less|or so|odd|\+|余|餘|多|几|幾|左右|以上|以下|上下|以内|以內)"
)

Rewriting = Callable[[str], Iterator[str]]


def is_traditional(text: str) -> bool:
    """Whether a Chinese text is written in traditional characters, by a few frequent ones."""
    return len(
        re.findall("[國會為個這來對時後發與於學們當長縣數總則戶車號場區條線電機關處萬億種]", text)
    ) > len(re.findall("[国会为个这来对时后发与学们当]", text))


def is_vague(text: str, start: int, end: int) -> bool:
    """Whether the words around text[start:end] make it a bound or an estimate."""
    return bool(_VAGUE.search(text[max(0, start - 20) : start]) or _VAGUE_AFTER.match(text, end))


def exact_numbers(text: str) -> list[Number]:
    """The numbers of a text that are no part of a date, an ordinal, a name, a range or a fraction."""
    dates = find_dates(text)
    return [n for n in find_numbers(text) if _stands_alone(text, n, dates)]


def _stands_alone(text: str, number: Number, dates: list[DateSpan]) -> bool:
    before, after = text[: number.start], text[number.end : number.end + 3]
    if number.unit in ("ordinal", "year", "s") or any(
        d.start < number.end and number.start < d.end for d in dates
    ):
        return False
    if re.search(r"[A-Za-z0-9\-–—/:~.+×±第至到]$", before) or re.search(r".[A-Z][\w.'-]*\s$", before):
        return False  # glued to something, or part of a name: Apollo 11
    if re.match(r"\s?[-–—/:~×±年月日世號号至到]|\.\d|\s(?:BC|AD)\b|s\b", after):
        return False
    if before.count("《") > before.count("》"):
        return False  # in a title
    bare_year = re.fullmatch(r"[12]\d{3}", text[number.start : number.end])
    return not bare_year and number.value > 1 and number.value == abs(number.value)


def digits_span(text: str, number: Number) -> tuple[int, int] | None:
    """Where the digits of a number stand; None when it is written in words or with a scale."""
    match = re.match(r"\D{0,2}?(\d[\d,]*(?:\.\d+)?)", text[number.start : number.end])
    if not match or re.search(r"illion|thousand|[千万萬亿億百]", text[number.start : number.end]):
        return None
    return number.start + match.start(1), number.start + match.end(1)


def chinese_numeral(value: int) -> str:
    """A whole number below 10000 in Chinese numerals.

    >>> chinese_numeral(205), chinese_numeral(17)
    ('二百零五', '十七')
    """
    written, gap = "", False
    for power, scale in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = value // power % 10
        if digit:
            written += ("零" if gap and written else "") + _ZH_DIGITS[digit] + scale
            gap = False
        else:
            gap = True
    return written.removeprefix("一") if written.startswith("一十") else written or "零"


# --- trimming -----------------------------------------------------------------------------


def trimmed(text: str) -> Iterator[str]:
    """Without a parenthesis, a leading connective or date, a trailing relative clause."""
    yield from _trimmed_zh(text) if is_chinese(text) else _trimmed_en(text)


def _trimmed_en(text: str) -> Iterator[str]:
    if text.count("(") == text.count(")") == 1 and not re.search(r"\([^)]*$|\)[A-Za-z]", text):
        yield re.sub(r"\s*\([^()]*\)", "", text)
    lead = re.match(
        r"(?:However|Moreover|Furthermore|In addition|For example|For instance|Therefore|Thus|Additionally"
        r"|(?:In|On) (?:\w+ ){0,3}\d{4}), (?=the |a |an |[A-Z]|it |he |she |they )",
        text,
    )
    if lead:
        yield capitalised(text[lead.end() :])
    tail = re.fullmatch(r"([^,;:()\"“]{30,}), (?:which|who|whose|where) [^,;:\"]+\.", text)
    if tail:
        yield tail[1] + "."


_ZH_CONNECTIVE = re.compile(r"(?:但是|然而|此外|另外|因此|所以|不过|不過|而且|同时|同時|其中)，(?=.{10})")
_ZH_DEPENDENT = re.compile(
    "如果|若|虽|雖|不仅|不僅|不但|因|由于|由於|当|當|时$|時$|除|一方面|为了|為了|无论|無論|即使|尽管|儘管|只有|既|要|后$|後$|前$|之|是否|以|從|从|对|對|在[^，]*$"
)


_ZH_OPEN = re.compile(
    "若|如果|一旦|虽|雖|因|由于|由於|当|當|除|不仅|不僅|不但|无论|無論|相比|比[^赛賽利例]|不是"
)


def _trimmed_zh(text: str) -> Iterator[str]:
    if len(re.findall("[（(]", text)) == len(re.findall("[）)]", text)) == 1:
        yield re.sub(r"\s*[（(][^（()）]*[）)]", "", text)
    lead = _ZH_CONNECTIVE.match(text)
    if lead:
        yield text[lead.end() :]
    clauses = text.rstrip("。").split("，")
    head = "，".join(clauses[:-1])
    whole = re.search("是|有|位于|位於|成为|成為|属于|屬於|出生|担任|擔任|获得|獲得", head)
    if (
        len(clauses) >= 3
        and len(head) >= 14
        and whole
        and not _ZH_DEPENDENT.search(clauses[-2])
        and not _ZH_OPEN.search(head)
    ):
        linked = re.match("但|却|卻|而|不|则|則|就|才|也|还|還|所以|因此|使", clauses[-1])
        if not linked and not _ZH_DEPENDENT.search(clauses[0]) and not re.search("[「“《（(]", head):
            yield head + "。"


def capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


# --- numbers and dates --------------------------------------------------------------------


def numbers_rewritten(text: str) -> Iterator[str]:
    """One number in another notation, its value kept."""
    for number in exact_numbers(text):
        for written in _notations(text, number):
            yield text[: number.start] + written + text[number.end :]


def _notations(text: str, number: Number) -> Iterator[str]:
    said = text[number.start : number.end]
    span = digits_span(text, number)
    whole = is_whole(number.value)
    if span is None:
        word = re.match(r"[a-z]+|[一二三四五六七八九十百千零]+", said)
        if (
            word
            and whole
            and number.value <= 9999
            and not re.search("illion|thousand|hundred|[万萬亿億]", said)
        ):
            yield f"{int(number.value)}{said[word.end() :]}"
        percent = re.fullmatch(r"百分之[^\d]+", said)
        if percent:
            yield f"{number.value}%"
        return
    digits = text[slice(*span)]
    after = said[said.index(digits) + len(digits) :]
    before = said[: said.index(digits)]
    if number.unit == "%":
        if is_chinese(text):
            yield f"百分之{digits}" if "%" in said else f"{digits}%"
            if whole and number.value < 100:
                yield f"百分之{chinese_numeral(int(number.value))}"
        else:
            yield f"{digits} percent" if "%" in said else f"{digits}%"
        return
    if "," in digits:
        yield before + digits.replace(",", "") + after
    elif whole and number.value >= 10000:
        yield f"{before}{int(number.value):,}{after}"
    if is_chinese(text):
        if whole and number.value >= 10000 and closing_zeros(number.value) >= 2 and not before:
            yield f"{(number.value / 10000).normalize():f}万{after}"
        yield before + "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in digits) + after
    elif whole and number.value >= 10**6 and closing_zeros(number.value) >= 5:
        yield f"{before}{(number.value / 10**6).normalize():f} million{after}"
    elif whole and 2 <= number.value <= 12 and not before and after.startswith(" "):
        yield _SMALL[int(number.value)] + after


def dates_rewritten(text: str) -> Iterator[str]:
    """One full date in another order or notation."""
    for found in find_dates(text):
        # A range, or an hour, is glued to it.
        glued = re.match(r"\s?[-–—－~～至到\d]", text[found.end :])
        if found.year and found.month and found.day and not glued:
            said = text[found.start : found.end]
            month = MONTHS[found.month - 1]
            forms = (
                [f"{found.iso}", f"{found.year}年{found.month:02d}月{found.day:02d}日"]
                if is_chinese(text)
                else [f"{found.day} {month} {found.year}", f"{month} {found.day}, {found.year}", found.iso]
            )
            yield from (text[: found.start] + form + text[found.end :] for form in forms if form != said)


def rounded(text: str) -> Iterator[str]:
    """One number of three digits or more as "about" its value to two figures."""
    for number in exact_numbers(text):
        span = digits_span(text, number)
        if span is None or number.value < 100 or is_vague(text, number.start, number.end):
            continue
        power = len(str(int(number.value))) - 2
        near = int(Decimal(number.value).scaleb(-power).to_integral_value()) * 10**power
        if near == number.value or abs(near - number.value) > Decimal(str(ROUNDING)) * number.value:
            continue
        if re.search(
            r"(?:\b(?:the|these|its|a|an|all)|[.,]\d*)\s$|[$€£¥]$|[\u3400-\u9fff](?:共|第)$", text[: span[0]]
        ):
            continue
        word, written = ("约" if not is_traditional(text) else "約", str(near)) if is_chinese(text) else (
            "about ", f"{near:,}")  # fmt: skip
        after = text[number.end : number.end + 1]
        counted = (
            number.unit
            or "," in text[slice(*span)]
            or after in set("條条戶户票間间座所艘种種")
            or after == " "
        )
        if number.start == 0 or not counted or text[span[0]] == "0":
            continue
        yield text[: span[0]] + word + written + text[span[1] :]


# --- wording ------------------------------------------------------------------------------

_LEADS_EN = ("According to the text, ", "The passage says that ", "As the source states, ")
_LEADS_ZH = ("据文中所述，", "文中提到，", "根据资料，")
_LEADS_HANT = ("據文中所述，", "文中提到，", "根據資料，")
_OPENERS = re.compile(
    r"(?:The|A|An|It|This|These|They|He|She|In|On|At|During|After|Before|By|From|For|Most|Many|Some|There"
    r"|Its|His|Her|Their|Two|Three|Several|As|While|Although|Under|Since|One|Both|Other|Each|All|To|About|Across"
    r"|Throughout|Between|Over|Following|Within|When|If|Where|Another|Such|Until) "
)


def lowered(text: str) -> str:
    """The sentence as it reads after a lead-in: its first word small unless that is a name."""
    return text[:1].lower() + text[1:] if _OPENERS.match(text) else text


def led_in(text: str) -> Iterator[str]:
    """With a lead-in that names the source."""
    if re.match(r"According|However|But|And|据|據|根据|根據|但|而|不过|不過|因此|所以|[「『“\"]", text):
        return
    leads = (_LEADS_HANT if is_traditional(text) else _LEADS_ZH) if is_chinese(text) else _LEADS_EN
    lead = leads[len(text) % 3]
    # Before a word that may be a name a colon spares the question of its capital.
    yield (
        lead + lowered(text)
        if is_chinese(text) or lowered(text) != text
        else "According to the text: " + text
    )


def joined(first: str, second: str) -> Iterator[str]:
    """Two neighbouring sentences as one."""
    if first.endswith("。") and second.endswith("。"):
        yield first[:-1] + "；" + second
    elif re.search(r"[a-z0-9)]\.$", first) and second.endswith(".") and lowered(second) != second:
        yield first[:-1] + "; " + lowered(second)


def divided(text: str) -> Iterator[str]:
    """One half of a sentence that a semicolon or ", and it" divides."""
    halves = re.split(r"[;；]\s*", text)
    if len(halves) == 2 and min(map(len, halves)) >= (8 if is_chinese(text) else 30) and "(" not in text:
        first = halves[0]
        if not re.search('[：:「“"《（]|首先|一方面', text[: len(first)]):
            yield first + ("。" if is_chinese(text) else ".")
    clause = re.fullmatch(r"([^,;:\"“()]{30,}), and ((?:it|he|she|they|the) [^;:\"“()]{30,}\.)", text)
    if clause:
        yield capitalised(clause[2])


_SYNONYMS = (
    (r"\bsuch as\b", "like"), (r"\bbecause of\b", "due to"), (r"^However, ", "Nevertheless, "),
    (r"\bin order to\b", "to"), (r"\bfor example\b", "for instance"), (r"\btherefore\b", "thus"),
    (r"\balthough\b", "though"), (r"\bmore than (?=\d)", "over "), (r"\bapproximately\b", "about"),
    (r"\b(is|are|was|were) also\b", r"\1 additionally"), (r"\bbegan\b", "started"), 
    (r"^In addition, ", "Also, "), (r"\busually\b", "normally"), (r"\bprior to\b", "before"),
    ("例如", "比如"), ("并且", "而且"), ("並且", "而且"), ("因为", "由于"), ("因為", "由於"), ("目前", "现在"),
    ("大约", "约"), ("大約", "約"), ("此外", "另外"), ("虽然", "尽管"), ("雖然", "儘管"), ("(?<!、)以及", "和"),
    ("(?:^|(?<=[，；]))因此", "所以"), ("位于", "坐落在"), ("位於", "坐落在"), ("曾经", "曾"),
    ("曾經", "曾"), ("由于", "因为"), ("由於", "因為"), ("但是", "不过"),
)  # fmt: skip


def reworded(text: str) -> Iterator[str]:
    """One function word by another of the same sense."""
    for pattern, word in _SYNONYMS:
        if len(re.findall(pattern, text)) == 1:
            yield re.sub(pattern, word, text)


VARIETIES: dict[str, Rewriting] = {
    "verbatim": lambda text: iter((text,)),
    "trimmed": trimmed,
    "number rewritten": numbers_rewritten,
    "date rewritten": dates_rewritten,
    "rounded": rounded,
    "lead-in": led_in,
    "divided": divided,
    "reworded": reworded,
}  # `joined` needs two sentences


def rewritings(text: str) -> list[tuple[str, str]]:
    """(variety, sentence) of every rewriting that fits, the sentence itself first."""
    found: dict[str, str] = {}
    for variety, rewrite in VARIETIES.items():
        for said in rewrite(text):
            if said:  # nothing is left of a text that is one parenthesis
                found.setdefault(said, variety)
    return [(variety, said) for said, variety in found.items()]
