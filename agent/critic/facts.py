"""Reads a sentence into the tokens that the checks compare: words, names, numbers, dates and links.

A number, a date, a name and a link is one token however it is written, so that 1,024 and 一千零二十四 are the
same. English names are known by their capitals, Chinese ones by the segmenter's tags and by 《》. It does not
understand a sentence, nor does it know that two names are one person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from retrieval.tokens import CJK, ENGLISH_STOP_WORDS, fold, simplified, stem
from tools.dates import DateSpan, find_dates
from tools.numbers import Number, find_numbers

CACHED = 512  # texts kept read: those of a draft and of what it cites


class Token(NamedTuple):
    """`text[start:end]`, a word, name, number, date, time or link. Tokens of one clause share `clause`; `place` is what an alignment compares."""

    kind: str  # word, name, number, date, time, link
    key: str
    value: Any
    start: int
    end: int
    clause: int

    @property
    def place(self) -> str:
        return self.key if self.kind == "word" else f"<{self.kind}>"


_LINK = re.compile(
    r"https?://[^\s<>\"'，。；、）)\]】》]+|www\.[^\s<>\"'，。；、）)\]】》]+"
    r"|(?<![\w.])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?:doi:\s*)?\b10\.\d{4,9}/[^\s<>\"'，。；、）)\]】》]+"
    r"|(?<![\w/])(?:[\w.-]+/)*[\w-]+\.(?:pdf|docx?|xlsx?|pptx?|txt|md|csv|tsv|json|ya?ml|toml|html?|py|rs|go|js|ts|sh|epub|rtf"
    r"|odt|eml|ipynb|cfg|ini|conf|xml|sql|log|png|jpe?g|zip)(?![\w])"
    r"|(?<![\w/.])(?:~|\.{1,2})?(?:/[\w.-]+){2,}/?"
    r"|(?<![\w.])(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|io|cn|uk|de|fr|jp|eu|dev|info|ai)(?![\w.])(?:/[\w./?=&%-]*)?"
    r"|\b(?:sections?|sec\.|§|chapters?|figures?|fig\.|tables?|appendix|page|pp?\.|equations?|eq\.|clauses?|articles?|part|volume|vol\.|ref(?:erence)?s?\.?|footnote|note)"
    r"\s*(?:\d+(?:\.\d+)*[a-z]?|[IVX]+|[A-H])(?![\w-])"
    r"|§\s*\d+(?:\.\d+)*"
    r"|第\s*[\d.〇零一二三四五六七八九十百]+\s*[章节節条條款页頁]"
    r"|(?:图|圖|表|附录|附錄|公式)\s*(?:\d+(?:[.-]\d+)*|[A-H])(?![\w])"
    r"|\[\d{1,3}\]",
    re.IGNORECASE | re.ASCII,
)
_PIECE = re.compile(
    rf"(?P<latin>(?:(?![{CJK}])[\w])+(?:[-'’.](?:(?![{CJK}])[^\W_])+)*)"
    rf"|(?P<cjk>[{CJK}])"
    r"|(?P<break>[，,；;：:。.!?！？()（）、—–\n]+)"
)
_TIME = re.compile(
    r"\b(?P<en>mon|tues|wednes|thurs|fri|satur|sun)days?\b|(?:周|週|星期|礼拜|禮拜)(?P<zh>[一二三四五六日天末])"
    r"|(?<![\d.,，])(?P<zh_hour>[0-9]{1,2}|[两兩一二三四五六七八九]|十[一二]?)\s*[点點](?!\d)(?P<half>半)?"
    r"|(?<![\d:])(?P<hour>[0-2]?\d):(?P<minute>[0-5]\d)(?![\d:])|(?<![\d:.])(?P<oclock>1?\d)\s*(?:[ap]\.?m\b|o['’]clock)",
    re.I,
)
_WEEKDAYS = (
    {name: n for n, name in enumerate("mon tues wednes thurs fri satur sun".split(), 1)}
    | {name: n for n, name in enumerate("一二三四五六日", 1)}
    | {"天": 7, "末": 8}
)
_HOURS = {name: n for n, name in enumerate("一 二 三 四 五 六 七 八 九 十 十一 十二".split(), 1)} | {
    "两": 2,
    "兩": 2,
}
_CLAUSE_WORDS = frozenset("but while whereas although though because however which who".split())
_TITLES = re.compile(r"[《「『“\"]([^《》「」『』“”\"]{2,40})[》」』”\"]")
_NAME_TAGS = frozenset({"nr", "nrt", "nrfg", "ns", "nt", "nz"})
# What the segmenter sometimes takes into a name, in front and behind.
_LOOSE_FRONT = "由与與和及在对對向被把據据从從为為是让讓给給跟同及而即对自至到"
_LOOSE_BACK = "于於在是和与與的為为说說称稱及等之曾被将將也又"
_CAPITAL = re.compile(r"[A-Z\u00c0-\u00de]")
_SENTENCE_START = re.compile(r"(?:^|[.!?。！？:：\n]['\"”’)\]]*\s*|[\"“「『(\[]|[-*•|]\s+)$")
# Capitalised without being a name.
_NOT_NAMES = ENGLISH_STOP_WORDS | frozenset(
    """i i'm i've i'd mr mrs ms dr sir st no also however although though therefore thus hence moreover
    furthermore meanwhile today according despite unlike since because among within without upon two three four
    five six seven eight nine ten one first second third many several much another every like later originally
    eventually finally additionally instead specifically overall initially currently recently""".split()
)
_JOINERS = frozenset("of the de von van der den del la le di da du al bin ibn".split())
_FUNCTION_ZH = frozenset(
    "的了是在和与與及或也都而之其这這那有被把对對于於以为為从從到就将將并並且所则則但由等又着地得过過还還曾已即该該"
)


def is_function(token: Token) -> bool:
    """Whether a token says nothing of its own."""
    return token.kind == "word" and (token.key in ENGLISH_STOP_WORDS or token.key in _FUNCTION_ZH)


def weight(token: Token) -> float:
    """How much of a sentence a token is: a Chinese character half a word, a function word a quarter."""
    if token.kind != "word":
        return 1.0
    if is_function(token):
        return 0.25
    return 0.5 if len(token.key) == 1 and not token.key.isascii() else 1.0


@lru_cache(CACHED)
def dates_of(text: str) -> tuple[DateSpan, ...]:
    return tuple(find_dates(text))


@lru_cache(CACHED)
def links_of(text: str) -> tuple[tuple[int, int, str], ...]:
    """Links and references to parts of documents: start, end and what is compared."""
    found = []
    for match in _LINK.finditer(text):
        shown = match.group().rstrip(".,;:!?")
        key = re.sub(r"\s+", " ", fold(shown)).strip("/")
        key = re.sub(r"^(?:https?://)?(?:www\.)?|^doi: ?", "", key)
        found.append((match.start(), match.start() + len(shown), key))
    return tuple(found)


@lru_cache(CACHED)
def times_of(text: str) -> tuple[tuple[int, int, str], ...]:
    """Weekdays and hours: start, end and what is compared, on a dial of twelve hours."""
    found = []
    for match in _TIME.finditer(text):
        day = match["en"] or match["zh"]
        if day:
            key = f"day {_WEEKDAYS[day.lower()]}"
        elif match["zh_hour"]:
            hour = _HOURS.get(match["zh_hour"]) or int(match["zh_hour"])
            key = f"{hour % 12}:{'30' if match['half'] else '00'}"
        else:
            key = f"{int(match['hour'] or match['oclock']) % 12}:{match['minute'] or '00'}"
        found.append((match.start(), match.end(), key))
    return tuple(found)


@lru_cache(CACHED)
def numbers_of(text: str) -> tuple[Number, ...]:
    """The numbers of a text that are part of no date and no link."""
    taken = [(d.start, d.end) for d in dates_of(text)] + [
        (a, b) for a, b, _ in (*links_of(text), *times_of(text))
    ]
    found = (n for n in find_numbers(text) if not any(a < n.end and n.start < b for a, b in taken))
    return tuple(found)


def opens_sentence(text: str, start: int) -> bool:
    """Whether a capital at `start` may be that of any first word."""
    return bool(_SENTENCE_START.search(text[max(0, start - 12) : start]))


@lru_cache(CACHED)
def latin_names(text: str) -> frozenset[str]:
    """Folded words that are capitalised inside a sentence, so that they are names wherever they stand."""
    found = set()
    pieces = [m for m in _PIECE.finditer(text) if m.lastgroup == "latin"]
    for n, match in enumerate(pieces):
        word = match.group()
        if not _CAPITAL.match(word) or word.lower() in _NOT_NAMES:
            continue
        after = pieces[n + 1] if n + 1 < len(pieces) else None
        paired = bool(
            after
            and text[match.end() : after.start()] == " "
            and _CAPITAL.match(after.group())
            and after.group().lower() not in _NOT_NAMES
        )
        inner = any(c.isupper() or c.isdigit() for c in word[1:])
        if inner or paired or not opens_sentence(text, match.start()):
            found.add(_name_word(word))
    return frozenset(found)


@lru_cache(CACHED)
def chinese_names(text: str) -> frozenset[str]:
    """Names in a Chinese text, as the segmenter and title marks show them; in the script of the text."""
    found = {m.group(1) for m in _TITLES.finditer(text) if re.search(f"[{CJK}]", m.group(1))}
    if not re.search(f"[{CJK}]", text):
        return frozenset()
    import rjieba  # its dictionary takes 0.15 s to load: only when there is Chinese

    end = 0
    for word, tag in rjieba.tag(simplified(text)):  # it knows few traditional words
        word, end = text[end : end + len(word)], end + len(word)
        if tag in _NAME_TAGS and len(word) > 1:
            name = word.lstrip(_LOOSE_FRONT) if word[0] in _LOOSE_FRONT else word
            name = name.rstrip(_LOOSE_BACK)
            if len(name) > 1 and re.fullmatch(f"[{CJK}]+", name):
                found.add(name)
    return frozenset(found)


@lru_cache(CACHED)
def _alternatives(names: frozenset[str]) -> re.Pattern[str] | None:
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, longest_first))) if names else None


@lru_cache(CACHED)
def read(text: str, latin: frozenset[str], chinese: frozenset[str]) -> tuple[Token, ...]:
    """The tokens of a text, where `latin` and `chinese` are the names known from it and its like."""
    taken: list[tuple[int, int, str, str, Any]] = [(a, b, "link", key, key) for a, b, key in links_of(text)]
    taken += [
        (d.start, d.end, "date", d.iso, d)
        for d in dates_of(text)
        if not any(a < d.end and d.start < b for a, b, *_ in taken)
    ]
    taken += [(a, b, "time", key, key) for a, b, key in times_of(text)]
    taken += [_number_span(n, text) for n in numbers_of(text)]
    pattern = _alternatives(frozenset(map(simplified, chinese)))
    if pattern:
        marked = [(a, b) for a, b, *_ in taken]
        taken += [
            (m.start(), m.end(), "name", fold(m.group()), frozenset([fold(m.group())]))
            for m in pattern.finditer(simplified(text))
            if not any(a < m.end() and m.start() < b for a, b in marked)
        ]
    taken.sort()
    return tuple(_merged(_tokens(text, taken, latin)))


def _number_span(number: Number, text: str) -> tuple[int, int, str, str, Any]:
    """A bare number that can only be a year is a date."""
    shown = text[number.start : number.end]
    if not number.unit and len(shown) == 4 and shown.isdigit() and 1500 <= number.value <= 2100:
        year = DateSpan(number.start, number.end, int(number.value))
        return number.start, number.end, "date", year.iso, year
    return number.start, number.end, "number", f"{number.value.normalize()}{number.unit}", number


def _tokens(text: str, taken: list[tuple[int, int, str, str, Any]], latin: frozenset[str]) -> list[Token]:
    tokens: list[Token] = []
    clause = pos = 0
    for start, end, kind, key, value in [*taken, (len(text), len(text), "", "", None)]:
        if start < pos:
            continue
        for match in _PIECE.finditer(text, pos, start):
            group = match.group()
            if match.lastgroup == "break":
                clause += 1
            elif match.lastgroup == "cjk":
                tokens.append(Token("word", fold(group), None, match.start(), match.end(), clause))
            else:
                clause += group.lower() in _CLAUSE_WORDS
                tokens.append(_latin_token(text, match, clause, latin))
        if kind:
            tokens.append(Token(kind, key, value, start, end, clause))
        pos = end
    return tokens


def _latin_token(text: str, match: re.Match[str], clause: int, latin: frozenset[str]) -> Token:
    folded, key, coded, capital = _word(match.group())
    start, end = match.span()
    if coded or (capital and (folded in latin or not opens_sentence(text, start))):
        return Token("name", folded, frozenset([folded]), start, end, clause)
    return Token("word", key, None, start, end, clause)


@lru_cache(8192)
def _word(word: str) -> tuple[str, str, bool, bool]:
    """As a name, as a word, whether it holds a digit, and whether it may be a name by its capital."""
    coded = any(char.isdigit() for char in word)
    capital = bool(_CAPITAL.match(word)) and word.lower() not in _NOT_NAMES
    return _name_word(word), stem(re.sub("['’]s$", "", fold(word))), coded, capital


def _name_word(word: str) -> str:
    return re.sub(r"(?<=\w)\.$|['’]s$", "", fold(word)).replace(".", "")


def _merged(tokens: list[Token]) -> Iterable[Token]:
    """Neighbouring Latin name words as one name: "Ada Fischer", "Bank of England"."""
    n = 0
    while n < len(tokens):
        first = tokens[n]
        m = n + 1
        if first.kind == "name" and first.key.isascii():
            last = n
            while (
                m < len(tokens)
                and tokens[m].clause == first.clause
                and tokens[m].start - tokens[m - 1].end == 1
            ):
                if tokens[m].kind == "name":
                    last = m
                elif tokens[m].key not in _JOINERS:
                    break
                m += 1
            m = last + 1
            words = [t.key for t in tokens[n:m]]
            value = frozenset(t.key for t in tokens[n:m] if t.kind == "name")
            first = Token("name", " ".join(words), value, first.start, tokens[m - 1].end, first.clause)
        yield first
        n = m
