"""Finds the items of a document that are asked for, each with the sentence or line that names it. Pure.

Dates, amounts, names, links, tasks, headings and questions by their form; for what else is asked for: list items
and table rows under a heading or line that names the subject, things enumerated beside it ("tools such as A and
B", A、B等工具), then sentences that say it. It knows no kinds of things but those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agent.enumerations import enumerated
from agent.persons import ROLE, people_in
from agent.speakers import naming, prose, turns
from agent.state import Lang
from agent.wrapped import whole_sentences
from retrieval.split import Span, weight
from retrieval.tokens import STOP_WORDS, fold, is_chinese, lexical_tokens, segments, stem
from tools.dates import find_dates
from tools.numbers import find_numbers

MOST_ITEMS = 40
SAME_SHARE = 0.85  # share of common words from which two items are one
CURRENCIES = frozenset("usd eur gbp cny jpy hkd twd inr krw chf cad aud".split())
SMALL_NUMBER = 5.0  # Latin-character equivalents of a number in words that is one of the smallest
NEAR_BEFORE, NEAR_AFTER = 30, 6  # characters around a date in which "due by" or 前 makes it a deadline

_LINE = re.compile(r"[^\n]+")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(.*)")
_ITEM = re.compile(
    r"\s*(?:[-*+•·●▪]\s+|[(（]?\d{1,3}[.)、）]\s*|[一二三四五六七八九十]{1,3}、|\|(?!\s*:?-{2,}))\S"
)
_CHAPTER = re.compile(
    r"\s*(?:第[一二三四五六七八九十百\d]+[章节節篇部]|(?:Chapter|Section|Part)\s+[\dIVX]+\b)[^。.]{0,60}$"
)
_TASK = re.compile(
    r"\s*(?:[-*+]|\d+[.)])?\s*(?:\[(?P<done>[ xX✓√])\]\s*(?=\S)"
    r"|[【\[(]?(?:TODO|FIXME|To[- ]do|Action(?: item)?|待办(?:事项)?|待辦(?:事項)?|行动项|行動項)[】\])]?\s*[:：】\]])"
)
_TODO = re.compile(r"\b(?:TODO|FIXME)\b")
_URL = re.compile(r"(?:https?://|www\.)[^\s)\]>\"'，。）」]+")
_EMAIL = re.compile(r"[\w.+-]+@\w[\w-]*(?:\.\w[\w-]*)+")
_DUE = re.compile(
    r"\b(?:due|deadline|by|until|till|before|no later than|expir\w+|submit\w*|closes?|ends?)\b|截止|到期|之前|前|期限|为止|為止|最晚|不迟于",
    re.IGNORECASE,
)
_KINDS = {
    "deadline": r"deadlines?|due dates?|截止(?:日期|时间)?|期限|截止時間",
    "date": r"(?:\w+ )?dates?|日期|时间点?|時間點?|日子|年份|years?",
    "money": r"(?:\w+ )?(?:amounts?|prices?|costs?|sums?|payments?|fees?)(?: of money)?|金额|金額|价格|價格|费用|費用|钱数|款项",
    "percentage": r"percentages?|百分比|比例",
    "number": r"(?:(?:key|main|important|exact) )?numbers?|(?:\w+ )?(?:figures?|statistics|quantities)|数字|數字|数据|數據|数值|數值|数量|數量",
    "person": r"people|persons?|(?:people's )?names?(?: of (?:all )?(?:the )?people)?|individuals|人|人名|人物|名字|姓名|人员|人員",
    "link": r"(?:hyper)?links?|urls?|web ?sites?|web ?pages?|web address(?:es)?|链接|鏈接|連結|网址|網址",
    "email": r"e-?mails?(?: address(?:es)?)?|邮箱(?:地址)?|郵箱|电子邮件(?:地址)?|電子郵件",
    "heading": r"(?:sub)?headings?|(?:section |chapter )?titles|sections|chapters|标题|標題|小标题|小標題|章节|章節",
    "task": r"(?:(?:open|unfinished|remaining|pending|done|finished|completed) )?(?:tasks?|to-?dos?|todo items?|action items?|check ?boxes)"
    r"|(?:未完成的?|已完成的?)?(?:待办(?:事项)?|待辦(?:事項)?|任务|任務|行动项|行動項)",
    "question": r"questions?(?: asked)?|问题|問題|提问|提問",
}
_OPEN = re.compile(r"open|unfinished|remaining|pending|未完成", re.I)
_DONE = re.compile(r"done|finished|completed|已完成", re.I)
_INSIDE = frozenset("list item name mention document file 名称 名稱 名字 列表 内容 所有 具体 主要".split())


@dataclass(frozen=True)
class Item:
    """What is asked for, and the sentence or line that names it."""

    values: tuple[Span, ...]
    """The dates, amounts or things that the place names; empty where the place is itself the item."""
    place: Span


def list_items(text: str, subject: str, lang: Lang) -> list[Item]:
    """At most `MOST_ITEMS`, in document order, without near-duplicates; none where nothing names it."""
    subject = subject.strip()
    kind = next((kind for kind, words in _KINDS.items() if re.fullmatch(words, subject, re.I)), "")
    if kind in _FORMS:
        return _capped(text, [Item((), span) for span in _FORMS[kind](text)], [])
    if kind == "task":
        return _capped(text, [Item((), span) for span in _tasks(text, subject)], [])
    cut = [(start, end) for start, end in whole_sentences(text) if text[start:end].strip("#-|=*_ ")]
    if kind == "question":
        asked = [Item((), span) for span in cut if re.search(r"[?？][\"”’)）]*$", text[slice(*span)])]
        return _capped(text, asked, [])
    if kind == "person":
        return [Item((), span) for span in _people(text, cut)[:MOST_ITEMS]]
    if kind:
        found = [Item(tuple(values), span) for span in cut if (values := list(_values(kind, text, span)))]
        return _capped(text, found, [])
    wanted = _wanted(subject)
    items = [Item((), span) for span in _under(text, wanted)]
    said: list[Item] = []
    for start, end in cut:
        sentence = text[start:end]
        if _says(sentence, wanted) and not _HEADING.match(sentence):
            said.append(
                Item(tuple((start + a, start + b) for a, b in enumerated(sentence, wanted)), (start, end))
            )
    return _capped(text, items, said)


# --- items by their form ----------------------------------------------------------------------------------


def _values(kind: str, text: str, span: Span) -> Iterator[Span]:
    """The dates or numbers of a kind in a sentence."""
    start, sentence = span[0], text[slice(*span)]
    if kind in ("date", "deadline"):
        found = [d for d in find_dates(sentence) if d.month or 1500 <= (d.year or 0) <= 2100]
        places = [(date.start, date.end) for date in found]
        if kind == "deadline":
            places = [place for place in places if _is_due(sentence, place)]
    else:
        lead = _ITEM.match(sentence)  # the number of a list item is none of its own
        first = lead.end() - 1 if lead else 0
        places = [
            (number.start, number.end)
            for number in find_numbers(sentence)
            if number.start >= first and _NUMBERS[kind](number.unit)
        ]
        if kind == "number":  # not the parts of dates, nor "one" and 一, which count nothing
            dates = [(date.start, date.end) for date in find_dates(sentence) if date.month]
            places = [
                (a, b)
                for a, b in places
                if re.search(r"\d", sentence[a:b]) or weight(sentence[a:b].strip()) > SMALL_NUMBER
                if not any(start < b and a < end for start, end in dates)
                if not re.match(r"[月年日号號]", sentence[b : b + 1])
            ]
    for a, b in places:
        own = sentence[a:b]
        yield start + a + len(own) - len(own.lstrip()), start + b - len(own) + len(own.rstrip(" .,\n"))


_NUMBERS: dict[str, Callable[[str], bool]] = {
    "money": lambda unit: unit in CURRENCIES,
    "percentage": lambda unit: unit == "%",
    "number": lambda unit: unit != "ordinal",
}


def _is_due(sentence: str, place: Span) -> bool:
    before = sentence[max(0, place[0] - NEAR_BEFORE) : place[0]]
    return bool(
        _DUE.search(before) or _DUE.match(sentence[place[1] : place[1] + NEAR_AFTER].lstrip("日号號 之以"))
    )


def _matches(pattern: re.Pattern[str]) -> Callable[[str], Iterator[Span]]:
    return lambda text: (match.span() for match in pattern.finditer(text))


def _headings(text: str) -> Iterator[Span]:
    fenced = False
    for match in _LINE.finditer(text):
        line = match.group()
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        if not fenced and (_HEADING.match(line) or _CHAPTER.match(line)):
            yield match.start() + len(line) - len(line.lstrip()), match.start() + len(line.rstrip())


_FORMS: dict[str, Callable[[str], Iterator[Span]]] = {
    "link": _matches(_URL),
    "email": _matches(_EMAIL),
    "heading": _headings,
}


def _tasks(text: str, subject: str) -> Iterator[Span]:
    """Check boxes and lines marked as to be done; only the open or the done ones where that is asked."""
    listed = set(_under(text, ["待办"])) | set(_under(text, ["task"])) | set(_under(text, ["todo"]))
    for match in _LINE.finditer(text):
        line = match.group()
        span = match.start() + len(line) - len(line.lstrip()), match.start() + len(line.rstrip())
        task, inline = _TASK.match(line), _TODO.search(line)
        done = bool(task and task["done"] and task["done"].strip())
        if (_OPEN.search(subject) and done) or (_DONE.search(subject) and not done):
            continue
        if task or span in listed:
            yield span
        elif inline:
            yield match.start() + inline.start(), span[1]


def _people(text: str, cut: list[Span]) -> list[Span]:
    """Where each person is named first: speakers, and names in the running text."""
    found: dict[str, Span] = {}
    for turn in [*turns(text), *prose(text)]:
        if ROLE.fullmatch(turn.speaker):
            continue
        for place in naming(text, turn.speaker, 0)[:1]:
            found.setdefault(fold("".join(turn.speaker.split())), place)
    for start, end in cut:
        if _HEADING.match(text[start:end]):
            continue
        for a, b in people_in(text[start:end]):
            name = fold("".join(text[start + a : start + b].split()))
            if not any(name in known for known in found):
                found[name] = (start + a, start + b)
    return sorted(set(found.values()))


# --- what else is asked for -------------------------------------------------------------------------------


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


def _capped(text: str, items: list[Item], said: list[Item]) -> list[Item]:
    """Items first, then the sentences that add most names, up to the limit; without near-duplicates."""
    kept: list[Item] = []
    bags: list[tuple[frozenset[str], frozenset[str]]] = []
    ranked = _by_names(text, said) if len(items) + len(said) > MOST_ITEMS else said
    for item in [*items, *ranked]:
        start, end = item.place
        bag = frozenset(lexical_tokens(text[start:end]))
        values = frozenset(fold("".join(text[a:b].split())) for a, b in item.values)
        overlap = any(one.place[0] < end and start < one.place[1] for one in kept)
        same = any(values == other and len(bag & one) > SAME_SHARE * len(bag | one) for one, other in bags)
        if not overlap and not same and weight(text[start:end]) > 2 and len(kept) < MOST_ITEMS:
            kept.append(item)
            bags.append((bag, values))
    return sorted(kept, key=lambda item: item.place)


def _by_names(text: str, said: Sequence[Item]) -> list[Item]:
    """Sentences by how many names they add to those before them."""
    fresh: list[tuple[int, Item]] = []
    known: set[str] = set()
    for item in said:
        names = set(re.findall(r"[A-Z][A-Za-z0-9.-]+|[“「《][^”」》]+", text[slice(*item.place)]))
        fresh.append((len(names - known), item))
        known |= names
    return [item for _, item in sorted(fresh, key=lambda pair: (-pair[0], pair[1].place))]
