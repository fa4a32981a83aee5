"""Which documents of the library a question names: by file name, stem or title, whole or in part.

Pure functions over names: no document is read. A word that may be a document's name or just a word ("lease")
names one only where the wording says so ("according to the lease", 在租约中).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath

from agent.state import Lang
from retrieval.documents import Names
from retrieval.tokens import CJK, STOP_WORDS, fold, is_chinese, lexical_tokens, stem

Document = tuple[int, str, str]  # id, path, title

NAMED_SHARE = 0.6  # idf-weighted share of the words of a name that a document's path and title must hold
TELLING_PARTS = 3  # a stem of as many parts is no phrase of a language: gpt4-closed-door-notes
TELLING_CHARS = 4  # before 里 or 中, a shorter word is more likely a word

FILE = re.compile(
    r"[^\s\"“”'《》「」,，。?？:：;；]+\.(?:md|markdown|txt|pdf|docx?|html?|csv|tsv|xlsx?|pptx?|epub|rtf|odt|eml|mbox"
    r"|ipynb|json|tex|org|rst|log|srt|vtt)(?![A-Za-z])",
    re.I,
)
_JOINT = r"[-_\s]+"
_OPENING, _CLOSING = r"[《「『“\"'‘]", r"[》」』”\"'’]"
_POINTS_EN = re.compile(
    r"\b(?:according to|based on|going by|as per|per|as (?:stated|described|written|given) in"
    r"|in the (?:file|document|notes?|article|report|transcript)(?: (?:called|named))?)\s+"
    rf"(?P<article>(?:the|my|our|this)\s+)?{_OPENING}?$",
    re.I,
)
_IN_EN = re.compile(rf"\b(?:in|from|of|by)\s+(?:the\s+|my\s+|our\s+)?(?P<open>{_OPENING})?$", re.I)
_SAYS_EN = re.compile(
    r"\s+(?:says?|mentions?|tells?|talks?|discuss(?:es)?|covers?|contains?|states?)\b", re.I
)
_STEM = re.compile(r"[^\W\d_]{3,}[-_][^\W\d_]{3,}")  # talk-notes, not gpt-4
_BY_ZH = (
    "(?:根据|根據|依据|依據|依照|按照|参照|參照|据|據|按|查看|看看)"
    "(?:我们?的?|我們的?|[这這那][份篇个個]|文件|文档|文檔)*"
)
_POINTS_ZH = re.compile(rf"{_BY_ZH}\s*{_OPENING}?$")
_AT_ZH = re.compile(rf"在\s*{_OPENING}?$")
_IN_ZH = re.compile(
    rf"{_CLOSING}?\s*(?:[这這那][份篇个個](?:文件|文档|文檔|文章)|[里裡中内內](?![国國文学學年心]))"
)
# What one may call a document in the other language.
_CALLED = {
    "podcast": "播客",
    "transcript": "转录 轉錄 文字稿 逐字稿",
    "interview": "访谈 訪談 采访 採訪",
    "newspaper": "报纸 報紙",
    "notes": "笔记 筆記 纪要 紀要",
    "talk": "讲座 講座 演讲 演講 夜聊",
    "meeting": "会议 會議",
    "report": "报告 報告",
    "contract": "合同",
    "paper": "论文 論文",
    "email": "邮件 郵件",
    "table": "圆桌 圓桌",
}
GENERIC = frozenset(
    "document doc file article text page pdf md txt 文章 文件 文档 文檔 文本 资料 資料".split()
)


@dataclass(frozen=True)
class Mention:
    """Documents named at `question[start:end]`; more than one where they share the name."""

    documents: tuple[int, ...]
    start: int
    end: int
    sure: bool
    """Whether it can be nothing but a document's name."""


def mentions(question: str, names: Names) -> list[Mention]:
    """The documents that a question names for certain or likely, in its order.

    A stem of one word is likely where it is what something is in: "every date in lease".
    """
    by_name: dict[str, set[int]] = {}
    asked = _flat(question)
    stems, titles = _begins(names)
    for begin, (id_, path, title) in stems:  # most are named by nothing in the question
        if begin in asked:
            for name in names_of(path, title):
                if _flat(name) in asked:
                    by_name.setdefault(name, set()).add(id_)
    for flat, (id_, _, title) in titles:
        if flat in asked:
            by_name.setdefault(title.strip(), set()).add(id_)
    found: list[Mention] = []
    for name in sorted(by_name, key=len, reverse=True):
        for match in _pattern(name).finditer(question):
            if any(one.start < match.end() and match.start() < one.end for one in found):
                continue
            sure = _is_sure(question, match)
            if sure or _is_likely(question, match):
                found.append(Mention(tuple(sorted(by_name[name])), *match.span(), sure))
    return sorted(found, key=lambda one: one.start)


Begins = list[tuple[str, Document]]


@lru_cache(4)  # the same documents at every question
def _begins(names: Names) -> tuple[Begins, Begins]:
    """Flat, what a name of a document has to hold: its stem up to the first dot; and the titles there are."""
    stems = [(_flat(re.split(r"[/\\]", row[1])[-1].split(".")[0]), row) for row in names.rows]
    titles = [(_flat(row[2]), row) for row in names.rows]
    return [one for one in stems if one[0]], [one for one in titles if one[0]]


def _flat(text: str) -> str:
    return re.sub(_JOINT, "-", text.strip().lower())


def _pattern(name: str) -> re.Pattern[str]:
    """A name as one may write it: in any case, spaces for its hyphens; not within a longer word."""
    parts = [re.escape(part) for part in re.split(_JOINT, name) if part]
    before = r"(?<![A-Za-z0-9_-])(?<![A-Za-z0-9]\.)" if name[0].isascii() else ""
    after = r"(?!\.?[A-Za-z0-9_-])" if name[-1].isascii() else rf"(?!\.(?![{CJK}])\w)"
    return re.compile(before + _JOINT.join(parts) + after, re.I) if parts else re.compile(r"(?!)")


def _is_sure(question: str, match: re.Match[str]) -> bool:
    name, before, after = match.group(), question[: match.start()], question[match.end() :]
    if FILE.fullmatch(name) or "/" in name or len(re.split("[-_]+", name)) >= TELLING_PARTS:
        return True
    compound = bool(re.search(r"[-_\s\d]", name))
    if points := _POINTS_EN.search(before):
        return compound or bool(points["article"]) or is_chinese(name)
    if _POINTS_ZH.search(before):
        return True
    inside = _IN_EN.search(before)
    if (inside and inside["open"]) or (_STEM.fullmatch(name) and (inside or _SAYS_EN.match(after))):
        return True
    if not _IN_ZH.match(after):
        return False
    enough = len(name) >= TELLING_CHARS if is_chinese(name) else "-" in name or "_" in name
    return enough or bool(_AT_ZH.search(before)) or before[-1:] in "《「“"


def _is_likely(question: str, match: re.Match[str]) -> bool:
    name = match.group()
    quoted = re.search(f"{_OPENING}$", question[: match.start()]) and re.match(
        _CLOSING, question[match.end() :]
    )
    long = len(name) >= TELLING_CHARS if is_chinese(name) else bool(re.search(r"\w[-_\s]+\w", name))
    last = _IN_EN.search(question[: match.start()]) and not re.search(r"\w", question[match.end() :])
    return bool(quoted or long or last or _IN_ZH.match(question[match.end() :]))


def pointed_out(question: str, found: Sequence[Mention], lang: Lang) -> str:
    """The question with "this document" in the place of what names one, for rules that read only wording."""
    this = " 这份文件 " if lang == "zh" else " this document "
    text = question
    for one in reversed(found):
        start, end = one.start, one.end
        if re.search(f"{_OPENING}$", text[:start]) and re.match(_CLOSING, text[end:]):
            start, end = start - 1, end + 1
        before = re.sub(r"\b(?:the|my|our)\s+$", "", text[:start], flags=re.I)
        text = before + this + re.sub("^ *[这這那][份篇个個](?:文件|文档|文檔|文章)?", "", text[end:])
    return " ".join(text.split()) if lang == "en" else re.sub(rf"\s+(?=[{CJK}])|(?<=[{CJK}])\s+", "", text)


def without(question: str, found: Sequence[Mention]) -> str:
    """The question without the names and what points at them, which say nothing of what is asked."""
    text = question
    for one in reversed(found):
        before, after = text[: one.start], text[one.end :]
        for points in (_POINTS_EN, _IN_EN, _POINTS_ZH, _AT_ZH, re.compile(f"{_OPENING}$")):
            before = points.sub("", before)
        after = re.sub(f"^{_CLOSING}", "", _IN_ZH.sub("", after, count=1) if _IN_ZH.match(after) else after)
        text = f"{before.rstrip()} {after.lstrip(' ,，:：、')}".strip()
        text = re.sub(r"\s+(?=[?？.。!！]|$)", "", text)
    return text if re.search(r"\w", text) else question


def unknown_file(question: str, found: Sequence[Mention]) -> str:
    """A file that the question points at and that is none of those found; "" for none."""
    for match in FILE.finditer(question):
        if any(one.start < match.end() and match.start() < one.end for one in found):
            continue
        name = re.sub(f"^.*(?:{_BY_ZH}|在)", "", match.group())  # Chinese runs on without a space
        before = question[: match.end() - len(name)]
        if any(points.search(before) for points in (_POINTS_EN, _IN_EN, _POINTS_ZH, _AT_ZH)):
            return name
    return ""


def matching(name: str, documents: Sequence[Document]) -> list[int]:
    """The documents that a name fits best: a file name or a title exactly, else most of its words."""
    folded = fold(name).strip()
    exact = [id_ for id_, path, title in documents if folded in {fold(one) for one in names_of(path, title)}]
    exact = exact or [id_ for id_, path, _ in documents if folded.endswith(fold(PurePath(path).name))]
    if exact:
        return exact
    words = {id_: _words(f"{PurePath(path).name} {title}") for id_, path, title in documents}
    counts = Counter(word for own in words.values() for word in own)
    wanted = _words(name)
    weights = {word: math.log(1 + len(documents) / (1 + counts[word])) + 0.1 for word in wanted}
    total = sum(weights.values())
    shares = {id_: sum(weights[word] for word in wanted & own) for id_, own in words.items()}
    top = max(shares.values(), default=0.0)
    if not total or top < NAMED_SHARE * total:
        return []
    return [id_ for id_, share in shares.items() if share > top - 1e-9]


@lru_cache(4096)
def names_of(path: str, title: str) -> frozenset[str]:
    """What a document may be called: path, file name, stem and title."""
    return frozenset(name.strip() for name in _names(path, title) if name.strip())


def _names(path: str, title: str) -> Iterator[str]:
    parts, name = PurePath(path).parts, PurePath(path).name
    yield from (path, title, name, PurePath(name).stem)
    yield name.split(".")[0]  # notes.zh.md is "notes" as well
    yield from ("/".join(parts[-count:]) for count in range(2, len(parts)))


def _words(text: str) -> set[str]:
    text = re.sub(r"[_-]+", " ", text)
    for english, chinese in _CALLED.items():
        for word in chinese.split():
            text = text.replace(word, f" {english} ")
    return {stem(token) for token in lexical_tokens(text) if token not in STOP_WORDS and token not in GENERIC}
