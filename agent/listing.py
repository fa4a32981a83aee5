"""Finds the places of a document that name an item of what is asked for. Pure: a text in, spans out.

List items and table rows under a heading or a line that names the subject, definitions, then sentences that
say it; dates, amounts, names, links and questions by their form. It finds places, it does not merge items.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from agent.reasoners.language import names_in
from agent.speakers import prose, turns
from agent.state import Lang
from retrieval.split import Span, sentences, weight
from retrieval.tokens import STOP_WORDS, fold, is_chinese, lexical_tokens, segments, stem
from tools.dates import find_dates
from tools.numbers import find_numbers

MOST_ITEMS = 40
SAME_SHARE = 0.85  # share of common words from which two items are one
CURRENCIES = frozenset("usd eur gbp cny jpy hkd twd inr krw chf cad aud".split())

_LINE = re.compile(r"[^\n]+")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(.*)")
_ITEM = re.compile(
    r"\s*(?:[-*+•·●▪]\s+|[(（]?\d{1,3}[.)、）]\s*|[一二三四五六七八九十]{1,3}、|\|(?!\s*:?-{2,}))\S"
)
_URL = re.compile(r"(?:https?://|www\.)[^\s)\]>\"'，。）」]+")
_DUE = re.compile(
    r"\b(?:due|deadline|by|until|till|before|no later than|expir\w+|submit\w*|closes?|ends?)\b|截止|到期|之前|前|期限|为止|為止|最晚|不迟于",
    re.IGNORECASE,
)
_KINDS = {
    "deadline": r"deadlines?|due dates?|截止(?:日期|时间)?|期限|截止時間",
    "date": r"(?:\w+ )?dates?|日期|时间点?|時間點?|日子|年份|years?",
    "money": r"(?:\w+ )?(?:amounts?|prices?|costs?|sums?(?: of money)?|payments?|fees?)|金额|金額|价格|價格|费用|費用|钱数|款项",
    "number": r"(?:(?:key|main|important|exact) )?numbers?|(?:\w+ )?(?:figures?|statistics|percentages?|quantities)|数字|數字|数据|數據|数值|數值|百分比|数量|數量",
    "person": r"people|persons?|names?(?: of (?:all )?(?:the )?people)?|names|individuals|人|人名|人物|名字|姓名",
    "link": r"links?|urls?|web ?sites?|(?:web )?address(?:es)?|链接|鏈接|連結|网址|網址",
    "question": r"questions?(?: asked)?|问题|問題|提问|提問",
}
_INSIDE = frozenset("list item name mention document file 名称 名稱 名字 列表 内容 所有 具体 主要".split())


def list_items(text: str, subject: str, lang: Lang) -> list[Span]:
    """At most `MOST_ITEMS` spans in document order, without near-duplicates; none where nothing names it."""
    kind = next((kind for kind, words in _KINDS.items() if re.fullmatch(words, subject.strip(), re.I)), "")
    cut = [(start, end) for start, end in sentences(text) if text[start:end].strip("#-|=*_ ")]
    if kind == "link":
        return _capped(text, [match.span() for match in _URL.finditer(text)], [])
    if kind == "question":
        asked = [span for span in cut if re.search(r"[?？][\"”’)）]*$", text[slice(*span)])]
        return _capped(text, asked, [])
    if kind == "person":
        return _capped(text, _people(text, cut), [])
    if kind:
        holds = _VALUES[kind]
        found = [span for span in cut if holds(text[slice(*span)])]
        return _capped(text, found, [])
    wanted = _wanted(subject)
    items = list(_under(text, wanted))
    said = [
        span for span in cut if _says(text[slice(*span)], wanted) and not _HEADING.match(text[slice(*span)])
    ]
    return _capped(text, items, said)


def _has_date(sentence: str) -> bool:
    return any(date.month or 1500 <= (date.year or 0) <= 2100 for date in find_dates(sentence))


_VALUES: dict[str, Callable[[str], bool]] = {
    "date": _has_date,
    "deadline": lambda sentence: bool(_DUE.search(sentence)) and _has_date(sentence),
    "money": lambda sentence: any(number.unit in CURRENCIES for number in find_numbers(sentence)),
    "number": lambda sentence: bool(re.search(r"\d", sentence)) and bool(find_numbers(sentence)),
}


def _people(text: str, cut: list[Span]) -> list[Span]:
    """The first sentence for each person: speakers, and names in the running text."""
    found: dict[str, Span] = {}
    for turn in [*turns(text), *prose(text)]:
        found.setdefault(
            turn.speaker, next((span for span in cut if span[1] > turn.start), (turn.start, turn.end))
        )
    for span in cut:
        for name in _names(text[slice(*span)]):
            found.setdefault(name, span)
    return sorted(set(found.values()))


def _names(sentence: str) -> Iterator[str]:
    if is_chinese(sentence):
        import rjieba

        yield from (word for word, tag in rjieba.tag(sentence) if tag == "nr" and 1 < len(word) < 5)
        return
    yield from (
        name
        for name in names_in("x " + sentence)
        if 2 <= len(name.split()) <= 4 and name.replace(" ", "").isalpha()
    )


def _wanted(subject: str) -> list[str]:
    """What must be said: stems, and the words of Chinese."""
    if is_chinese(subject):
        words = [fold(subject[a:b]) for a, b in segments(subject) if subject[a:b].strip()]
    else:
        words = [stem(token) for token in lexical_tokens(subject)]
    kept = [word for word in words if word not in STOP_WORDS]
    return [word for word in kept if word not in _INSIDE] or kept or words


def _says(text: str, wanted: list[str]) -> bool:
    folded = fold(text)
    stems = {stem(token) for token in lexical_tokens(text)}
    return bool(wanted) and all(word in folded if is_chinese(word) else word in stems for word in wanted)


def _under(text: str, wanted: list[str]) -> Iterator[Span]:
    """Items and rows under a heading, or after a line ending in a colon, that names the subject."""
    level, named, introduced = 0, False, False
    for match in _LINE.finditer(text):
        line = match.group()
        if heading := _HEADING.match(line):
            if not named or len(heading.group(1)) <= level:
                level, named = len(heading.group(1)), _says(heading.group(2), wanted)
            introduced = False
        elif _ITEM.match(line):
            if (named or introduced) and re.search(r"\w", line):
                yield match.start() + len(line) - len(line.lstrip()), match.start() + len(line.rstrip())
        elif line.strip():
            introduced = line.rstrip(" *_").endswith((":", "：")) and _says(line, wanted)


def _capped(text: str, items: list[Span], said: list[Span]) -> list[Span]:
    """Items first, then the sentences that add most names, up to the limit; without near-duplicates."""
    kept: list[Span] = []
    bags: list[frozenset[str]] = []
    known: set[str] = set()
    ranked = said
    if len(items) + len(said) > MOST_ITEMS:
        fresh: list[tuple[int, Span]] = []
        for span in said:
            names = set(re.findall(r"[A-Z][A-Za-z0-9.-]+|[“「《][^”」》]+", text[slice(*span)]))
            fresh.append((len(names - known), span))
            known |= names
        ranked = [span for _, span in sorted(fresh, key=lambda pair: (-pair[0], pair[1]))]
    for span in [*items, *ranked]:
        bag = frozenset(lexical_tokens(text[slice(*span)]))
        inside = any(start <= span[0] and span[1] <= end for start, end in kept)
        around = any(span[0] <= start and end <= span[1] for start, end in kept)
        if inside or around or any(len(bag & one) > SAME_SHARE * len(bag | one) for one in bags):
            continue
        if weight(text[slice(*span)]) > 2 and len(kept) < MOST_ITEMS:
            kept.append(span)
            bags.append(bag)
    return sorted(kept)
