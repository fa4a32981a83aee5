"""A sentence taken apart into words, values, clauses and denials, and two of them side by side.

What is left out and what one sentence adds to another is decided here; who is right is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from agent.compare import Value, values
from agent.critic.wording import DENIAL_EN, DENIAL_ZH, UNREAL
from agent.reasoners.features import plain
from retrieval.tokens import CJK, STOP_WORDS, fold, is_chinese, segments, stem
from tools.dates import find_dates

MAX_CHARS = 600
_CJK = re.compile(f"[{CJK}]")
_TOKEN = re.compile(rf"[{CJK}]+|(?:(?![{CJK}])[^\W_])+(?:['’](?:(?![{CJK}])[^\W_])+)?")
_CLAUSE = re.compile(r"[,;](?=\s)|[，；：]| [–—-] |——")
_ASIDE = re.compile(r"[(（\[【][^()（）\[\]【】]*[)）\]】]")
_LEAD_EN = re.compile(
    r"\s*(?:according to|as (?:is )?(?:stated|noted|reported|recorded|mentioned|described|shown"
    r"|given) (?:in|by|on))"
    r" [^,\d]{1,60},\s*|\s*(?:it is (?:known|said|reported|recorded) that"
    r"|(?:the|our|this) (?:report|records?|sources?|documents?|files?|minutes)"
    r" (?:say|state|note|show)s? that)\s+"
    r"|\s*(?:in fact|indeed|historically|notably),\s*",
    re.I,
)
_LEAD_ZH = re.compile(
    r"\s*(?:据了解|據了解|事实上|事實上|实际上|實際上|众所周知|眾所周知)[，,]?"
    r"|\s*(?:据|據|根据|根據|按照|依据|依據)[^，,。\d]{1,20}(?:[，,]|显示|顯示|记载|記載|介绍|介紹|所述)[，,]?"
    r"|\s*[^，,。\d]{0,8}(?:资料|資料|文件|报告|報告|记录|記錄)(?:显示|顯示|指出|表明|记载|記載)[，,:：]?"
)
_TAIL_EN = re.compile(
    r",?\s+(?:according to|as (?:stated|noted|reported|recorded) (?:in|by)) [^,\d]{1,60}$", re.I
)
_ADDING = re.compile(
    r"(?:which|who|whose|and|making|becoming|an?|the|one of|including|so|but|while|where)\b", re.I
)
_CONDITION_ZH = re.compile(r"[如若凡除限仅僅只时時者对對]|其中|当|當|以[内內外上下]|[期间間]")
# Words that change nothing where only one of two sentences has them.
_NEUTRAL = frozenset(
    stem(word)
    for word in """
    about approximately roughly around nearly almost currently presently now today total overall altogether
    exactly however moreover furthermore thus therefore indeed actually per upon within among amongst toward
    towards onto also like via amid notably namely precisely officially
    约 約 大约 大約 共 共有 总共 總共 也 则 則 便 即 并 並 且 而且 其实 其實 此外 另外 目前 现在 現在 该 該
    达 達 等 所 而 又
    """.split()
)


@dataclass(frozen=True)
class Word:
    start: int
    end: int
    text: str  # folded, stemmed


@dataclass(frozen=True)
class Sentence:
    """A sentence taken apart: what it says, but for its values and negations."""

    text: str
    words: tuple[Word, ...]
    values: tuple[Value, ...]
    denials: int
    clauses: tuple[tuple[int, int], ...]
    letters: str  # folded, without values and negations: where Chinese words are looked for


@lru_cache(maxsize=1024)
def read(text: str) -> Sentence | None:
    """A sentence taken apart; None where nothing can be held against it: doubt, a question, too long."""
    text = _shown(text)
    if not text or len(text) > MAX_CHARS or text.endswith(("?", "？")) or UNREAL.search(text):
        return None
    found = values(text)
    masked = _blank(text, [(v.start, v.end) for v in found])
    masked = _denial(text).sub(lambda m: " " * len(m.group()), masked)
    words = tuple(words_of(masked))
    edges = [0, *(m.end() for m in _CLAUSE.finditer(text)), len(text)]
    clauses = tuple((a, b) for a, b in pairwise(edges) if a < b)
    return Sentence(text, words, tuple(found), _denials(text), clauses, _letters(masked))


def _shown(text: str) -> str:
    """A sentence without marks, lead-ins and asides; an aside that gives a date stays."""
    text = plain(text)
    text = _ASIDE.sub(lambda m: m.group() if find_dates(m.group()) else " ", text)
    lead = (_LEAD_ZH if is_chinese(text) else _LEAD_EN).match(text)
    text = text[lead.end() :] if lead else text
    return " ".join(_TAIL_EN.sub("", text.rstrip(" .。！!")).split())


def _blank(text: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _denial(text: str) -> re.Pattern[str]:
    return DENIAL_ZH if is_chinese(text) else DENIAL_EN


def _denials(text: str) -> int:
    return len(_denial(text).findall(text))


def _letters(text: str) -> str:
    return "".join(char for char in fold(text) if char.isalnum())


def words_of(text: str) -> Iterator[Word]:
    """The words that matter, with their places: stemmed where English, segmented where Chinese."""
    for match in _TOKEN.finditer(text):
        piece, start = match.group(), match.start()
        if not _CJK.match(piece):
            token = fold(re.sub("['’]s$", "", piece))
            if token not in STOP_WORDS:
                yield Word(start, match.end(), stem(token))
            continue
        for first, last in segments(piece):
            word = fold(piece[first:last])
            if word not in STOP_WORDS:
                yield Word(start + first, start + last, word)


def aligned(
    ours: Sentence, theirs: Sentence
) -> tuple[Sentence | None, Sentence | None, list[Word], list[Word]]:
    """Both sentences without clauses that only one of them has, and the words that remain to one alone."""
    left, right = _without_added(ours, theirs), _without_added(theirs, ours)
    if left is None or right is None:
        return None, None, [], []
    return left, right, _alone(left, right), _alone(right, left)


def _alone(sentence: Sentence, other: Sentence) -> list[Word]:
    return [w for w in sentence.words if not _holds(other, w) and w.text not in _NEUTRAL]


def _holds(sentence: Sentence, word: Word) -> bool:
    if _CJK.match(word.text):
        return word.text in sentence.letters
    return any(word.text == own.text for own in sentence.words)


def _without_added(sentence: Sentence, other: Sentence) -> Sentence | None:
    """A sentence without its clauses that share no word with the other one; None where nothing is left.

    The first clause, and one that may be a condition ("if ...", "for students"), are never left out.
    """
    kept = []
    for n, (start, end) in enumerate(sentence.clauses):
        own = [w for w in sentence.words if start <= w.start < end]
        added = own and not any(_holds(other, w) for w in own)
        clause = sentence.text[start:end].strip(" ,，;；、")
        if not (n and added and _may_be_added(clause)):
            kept.append((start, end))
    if not kept:
        return None

    def inside(thing: Word | Value) -> bool:
        return any(start <= thing.start < end for start, end in kept)

    denials = sum(_denials(sentence.text[start:end]) for start, end in kept)
    return Sentence(
        sentence.text,
        tuple(w for w in sentence.words if inside(w)),
        tuple(v for v in sentence.values if inside(v)),
        denials,
        sentence.clauses,
        sentence.letters,
    )


def _may_be_added(clause: str) -> bool:
    if is_chinese(clause):
        return not _CONDITION_ZH.search(clause)
    return bool(_ADDING.match(clause))
