"""Sources that contradict an answer: sentences that say the same of the same subject, but for one value.

Two sentences of the evidence contradict each other when they agree in every word that matters and differ in
exactly one number, date or name, or in a negation. What one of them adds ("for students", "in 2019") may be a
condition, so it rules a contradiction out, unless it is a clause of its own. A false alarm is worse than a
miss. It reads words, not meaning: it misses what is said in other words, in a table's cells, over
several sentences, or in another language, and it does not say which source is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from agent.reasoners.features import Asked, plain, says, stems
from agent.reasoners.language import names_in
from agent.state import AnswerType, Claim, Conflict, Evidence, Lang
from retrieval.split import sentences
from retrieval.tokens import CJK, STOP_WORDS, fold, is_chinese, segments, simplified, stem
from tools.dates import DateSpan, find_dates
from tools.numbers import Number, find_numbers

_MONTHS = frozenset(
    stem(month)
    for month in (
        "january february march april may june july august september october november december "
        "jan feb mar apr jun jul aug sep sept oct nov dec"
    ).split()
)
What = Literal["number", "date", "name", "negation"]

MIN_COVER = 0.3  # idf-weighted share of the question that each sentence must hold itself
MAX_LOST = 0.15  # ... that the cited sentence may hold beyond the other one, with titles and headings
MIN_SHARED = 3  # words that both sentences share; fewer where they are most of the question, too
COPIED = 8  # shared words above which one sentence is a copy of the other, whatever its subject is called
MOST = 0.6  # share of the question that counts as most of it
MAX_CHARS = 600
ROUNDING = Decimal("0.05")  # relative difference allowed to a number that says "about", or that is round


@dataclass(frozen=True)
class _Value:
    kind: Literal["number", "date", "label"]
    start: int
    end: int
    text: str
    read: Number | DateSpan
    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True)
class _Word:
    start: int
    end: int
    text: str  # folded, stemmed


@dataclass(frozen=True)
class _Sentence:
    """A sentence taken apart: what it says, but for its values and negations."""

    text: str
    words: tuple[_Word, ...]
    values: tuple[_Value, ...]
    denials: int
    clauses: tuple[tuple[int, int], ...]
    letters: str  # folded, without values and negations: where Chinese words are looked for


# --- finding ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """A sentence of a passage. Offsets count in its source text."""

    item: Evidence
    start: int
    end: int
    text: str
    tokens: frozenset[str]

    def meets(self, other: _Place) -> bool:
        """Whether both stand in the same document and overlap, as chunks do."""
        same = self.item["document_id"] == other.item["document_id"]
        return same and self.start < other.end and other.start < self.end


def conflicts(asked: Asked, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> list[Conflict]:
    """The sentences of the evidence that contradict what the supported claims cite; one for each document."""
    by_number = {item["number"]: item for item in evidence if item["kind"] == "passage"}
    everywhere = [
        place for item in by_number.values() for place in _places(item, item["text"], item["start"])
    ]
    found: list[Conflict] = []
    for n, claim in enumerate(claims):
        if claim["verdict"] != "supported":
            continue
        cited = [c for c in claim["citations"] if c["evidence"] in by_number]
        own = [p for c in cited for p in _places(by_number[c["evidence"]], c["quote"], c["start"])]
        others = [p for p in everywhere if not any(p.meets(q) for q in own)]
        for ours in own:
            found += _against(asked, n, claim, ours, others)
    return _once(found, by_number)


def _subject_words(text: str) -> frozenset[str]:
    """What two sentences on one subject share: words without numbers and months, which may differ."""
    words = frozenset(stems(text)) - STOP_WORDS - _MONTHS
    return frozenset(word for word in words if not word[0].isdigit())


def _places(item: Evidence, text: str, offset: int) -> list[_Place]:
    return [
        _Place(item, offset + a, offset + b, text[a:b], _subject_words(text[a:b])) for a, b in sentences(text)
    ]


def _against(
    asked: Asked, n: int, claim: Claim, ours: _Place, others: Sequence[_Place]
) -> Iterator[Conflict]:
    """The sentences that contradict one cited sentence."""
    own = _read(ours.text)
    for other in others if own else []:
        if 2 * len(ours.tokens & other.tokens) < min(len(ours.tokens), len(other.tokens)):
            continue
        theirs = _read(other.text)
        found = own and theirs and _differ(asked, own, theirs, ours.item, other.item)
        if not found:
            continue
        what, left, right = found
        if what in ("number", "date") and not _claims(claim["text"], left):
            continue
        yield {
            "claim": n,
            "evidence": other.item["number"],
            "start": other.start,
            "end": other.end,
            "what": what,
            "ours": left,
            "theirs": right,
        }


def _once(found: Sequence[Conflict], by_number: dict[int, Evidence]) -> list[Conflict]:
    """The first conflict of each claim with each document."""
    first: dict[tuple[int, int], Conflict] = {}
    for conflict in found:
        first.setdefault((conflict["claim"], by_number[conflict["evidence"]]["document_id"]), conflict)
    return list(first.values())


def _claims(text: str, value: str) -> bool:
    """Whether a claim itself says the value that its source gives."""
    wanted = _values(value)
    return any(_agree(v, w) for v in _values(text) for w in wanted) or not wanted


# --- deciding -----------------------------------------------------------------------------------------------


def _differ(
    asked: Asked, ours: _Sentence, theirs: _Sentence, item: Evidence, other: Evidence
) -> tuple[What, str, str] | None:
    """What two sentences disagree on, with the two values as written; None where they may both be right."""
    if is_chinese(ours.text) != is_chinese(theirs.text) or not _same_time(ours.text, theirs.text):
        return None
    left, right, mine, yours = _aligned(ours, theirs)
    if left is None or right is None:
        return None
    if not _same_subject(asked, ours, theirs, item, other, len(left.words) - len(mine)):
        return None
    leftover = _unmatched(left.values, right.values)
    if not mine and not yours:
        return _by_value(asked, left, right, leftover)
    if not any(leftover) and left.denials == right.denials == 0 and asked.answer_type in ("person", "place"):
        names = _names_apart(left, right, mine, yours, asked.answer_type)
        return ("name", *names) if names else None
    return None


def _by_value(
    asked: Asked, ours: _Sentence, theirs: _Sentence, leftover: tuple[list[_Value], list[_Value]]
) -> tuple[What, str, str] | None:
    """The one value in which sentences of the same words differ, or that one denies what the other says."""
    mine, yours = leftover
    if not mine and not yours:
        denied = ours.denials != theirs.denials and min(ours.denials, theirs.denials) == 0
        if denied and max(ours.denials, theirs.denials) == 1 and len(ours.words) >= MIN_SHARED:
            return "negation", ours.text, theirs.text
        return None
    if len(mine) != 1 or len(yours) != 1 or ours.denials != theirs.denials:
        return None
    left, right = mine[0], yours[0]
    if left.kind != right.kind or left.kind == "label" or not _wanted(asked.answer_type, left.kind):
        return None
    if left.kind == "number" and _unit(left) != _unit(right):
        return None
    if left.kind == "date" and not _comparable(left, right):
        return None
    if _end_of_span(ours.text, left) != _end_of_span(theirs.text, right):
        return None
    question = _values(asked.text)
    if any(_agree(value, q) for value in (left, right) for q in question):
        return None  # the question's own condition
    return ("number" if left.kind == "number" else "date"), left.text, right.text


def _end_of_span(text: str, value: _Value) -> str:
    """ "from" where a value begins a span ("since 2024"), "to" where it ends one ("until 2025"), else ""."""
    before, after = text[max(0, value.start - 12) : value.start], text[value.end : value.end + 4]
    if _FROM.search(before) or _FROM_AFTER.match(after):
        return "from"
    return "to" if _TO.search(before) or _TO_AFTER.match(after) else ""


def _wanted(answer_type: AnswerType, kind: str) -> bool:
    """A value of another kind than the question asks for is no conflict over its answer."""
    if answer_type in ("number", "date"):
        return answer_type == kind
    return answer_type not in ("person", "place")


def _same_subject(
    asked: Asked, ours: _Sentence, theirs: _Sentence, item: Evidence, other: Evidence, shared: int
) -> bool:
    """Whether both sentences speak of what the question asks about, and of the same thing.

    A title or a heading may name the subject. A sentence that leaves its subject to the one before it
    ("It has 200 members") speaks of the same thing only where the titles share a word.
    """
    own, known = frozenset(stems(ours.text)), frozenset(stems(theirs.text))
    ours_about, theirs_about = (_about(e) for e in (item, other))
    copied = shared >= COPIED
    if not copied and min(_cover(asked, own), _cover(asked, known)) < MIN_COVER:
        return False
    lost = _cover(asked, own | frozenset(ours_about)) - _cover(asked, known | frozenset(theirs_about))
    if lost > MAX_LOST:
        return False
    in_order = [*stems(theirs.text), *theirs_about]
    if not all(says(in_order, name) for name in asked.names if says([*stems(ours.text), *ours_about], name)):
        return False
    if shared < MIN_SHARED and _cover(asked, known) < MOST:
        return False
    same_document = item["document_id"] == other["document_id"]
    if same_document and (shared <= MIN_SHARED or _cover(asked, known) < MOST):
        return False
    leans = _PRONOUN.match(ours.text.lstrip()) or _PRONOUN.match(theirs.text.lstrip())
    if (leans and not copied) or (shared < 2 and _cover(asked, known) < 1):
        return bool(_telling(item["title"]) & _telling(other["title"]))
    return shared > MIN_SHARED or not _apart(item["heading"], other["heading"])


def _about(item: Evidence) -> list[str]:
    return stems(f"{item['title']} {item['heading']}")


def _telling(text: str) -> set[str]:
    return {token for token in stems(text) if token not in STOP_WORDS and not token.isdigit()}


def _apart(ours: str, theirs: str) -> bool:
    """Whether two headings name different things: "Students", "Adults"."""
    left, right = (_telling(heading.rpartition(" > ")[2]) for heading in (ours, theirs))
    return bool(left - right and right - left)


def _cover(asked: Asked, tokens: frozenset[str]) -> float:
    """The idf-weighted share of the question's words among the tokens; in Chinese without stray bigrams."""
    words = _question_words(asked.text) if asked.lang == "zh" else frozenset(asked.terms)
    terms = [t for t in asked.terms if t in words] or asked.terms
    total = sum(asked.idf[t] for t in terms)
    return sum(asked.idf[t] for t in terms if t in tokens) / total if total else 0.0


@lru_cache(maxsize=8)
def _question_words(text: str) -> frozenset[str]:
    return frozenset(word.text for word in _words(text))


def _same_time(ours: str, theirs: str) -> bool:
    """Not where one sentence speaks only of the past and the other of the present."""
    past, present = ({bool(p.search(t)) for t in (ours, theirs)} for p in (_PAST, _PRESENT))
    return not (past == {True, False} and present == {True, False})


# --- aligning -----------------------------------------------------------------------------------------------


def _aligned(
    ours: _Sentence, theirs: _Sentence
) -> tuple[_Sentence | None, _Sentence | None, list[_Word], list[_Word]]:
    """Both sentences without clauses that only one of them has, and the words that remain to one alone."""
    left, right = _without_added(ours, theirs), _without_added(theirs, ours)
    if left is None or right is None:
        return None, None, [], []
    return left, right, _alone(left, right), _alone(right, left)


def _alone(sentence: _Sentence, other: _Sentence) -> list[_Word]:
    return [w for w in sentence.words if not _holds(other, w) and w.text not in _NEUTRAL]


def _holds(sentence: _Sentence, word: _Word) -> bool:
    if _CJK.match(word.text):
        return word.text in sentence.letters
    return any(word.text == own.text for own in sentence.words)


def _without_added(sentence: _Sentence, other: _Sentence) -> _Sentence | None:
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

    def inside(thing: _Word | _Value) -> bool:
        return any(start <= thing.start < end for start, end in kept)

    denials = sum(_denials(sentence.text[start:end]) for start, end in kept)
    return _Sentence(
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


def _unmatched(ours: Sequence[_Value], theirs: Sequence[_Value]) -> tuple[list[_Value], list[_Value]]:
    """The values of each that agree with none of the other."""
    rest = list(theirs)
    mine = []
    for value in ours:
        same = next((other for other in rest if _agree(value, other)), None)
        if same:
            rest.remove(same)
        else:
            mine.append(value)
    return mine, rest


def _names_apart(
    ours: _Sentence, theirs: _Sentence, mine: list[_Word], yours: list[_Word], kind: AnswerType
) -> tuple[str, str] | None:
    """The two names in which sentences of otherwise the same words differ."""
    left, right = _run(ours, mine), _run(theirs, yours)
    if not left or not right:
        return None
    if not (_is_name(ours.text, left, kind) and _is_name(theirs.text, right, kind)):
        return None
    a, b = fold(left), fold(right)
    if a in b or b in a or _initials(left) == fold(right) or _initials(right) == fold(left):
        return None
    return left, right


def _run(sentence: _Sentence, words: list[_Word]) -> str:
    """The text of words that stand side by side; "" where others stand between them."""
    if not words:
        return ""
    start, end = words[0].start, words[-1].end
    between = [w for w in sentence.words if start <= w.start < end and w not in words]
    return "" if between else sentence.text[start:end]


def _is_name(text: str, run: str, kind: AnswerType) -> bool:
    if not is_chinese(run):
        whole = run if run in names_in(text) else ""
        return bool(whole)
    import rjieba

    tags = [tag for _, tag in rjieba.tag(simplified(run))]
    wanted = ("nr",) if kind == "person" else ("ns", "nt")
    return bool(tags) and all(tag.startswith(wanted) for tag in tags)


def _initials(name: str) -> str:
    return "".join(word[0] for word in fold(name).split())


# --- values -------------------------------------------------------------------------------------------------

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


def _values(text: str) -> list[_Value]:
    """Numbers, dates and labels ("Chapter 3", "the second") of a text, in order."""
    found = [_Value("date", d.start, d.end, text[d.start : d.end], d) for d in find_dates(text)]
    for number in find_numbers(text):
        if not any(v.start < number.end and number.start < v.end for v in found):
            found.append(_number(text, number))
    return sorted(found, key=lambda value: value.start)


def _number(text: str, number: Number) -> _Value:
    shown = text[number.start : number.end]
    before = text[max(0, number.start - 24) : number.start]
    bare = not number.unit and number.value == number.value.to_integral_value()
    if number.unit == "ordinal" or (bare and _LABELLED.search(before)):
        return _Value("label", number.start, number.end, shown, number)
    if bare and 1000 <= number.value <= 2100 and re.fullmatch(r"\d{4}", shown.strip()):
        year = DateSpan(number.start, number.end, int(number.value))
        return _Value("date", number.start, number.end, shown, year)
    low, high = _range(text, number, shown, before)
    return _Value("number", number.start, number.end, shown, number, low, high)


def _range(text: str, number: Number, shown: str, before: str) -> tuple[Decimal | None, Decimal | None]:
    """What a number as written may stand for; None where it has no bound on that side."""
    scale = _SCALES.get(number.unit, ("", Decimal(1)))[1]
    value, after = number.value * scale, text[number.end : number.end + 8]
    if _AT_LEAST.search(before) or _AT_LEAST_AFTER.match(after):
        return value, None
    if _AT_MOST.search(before) or _AT_MOST_AFTER.match(after):
        return None, value
    if _ABOUT.search(before) or _ABOUT_AFTER.match(after):
        return value - abs(value) * ROUNDING, value + abs(value) * ROUNDING
    width = abs(value) * ROUNDING if _is_round(number, shown) else Decimal(0)
    half = min(_last_place(number.value) * scale / 2, width)
    return value - half, value + half


def _is_round(number: Number, shown: str) -> bool:
    """Whether a number may be a rounded one: 1.2 million, 3.5, 1,900; a price is not."""
    scaled = bool(re.search(r"[万亿萬億百千]|\b(?:thousand|million|billion|trillion|bn|mn)\b", shown, re.I))
    whole = number.value == number.value.to_integral_value()
    zeros = whole and number.value != 0 and number.value % 100 == 0
    return scaled or (number.unit not in _EXACT and (not whole or zeros))


def _last_place(value: Decimal) -> Decimal:
    """One unit of the last digit that is no closing zero: 100 for 1,900, 0.1 for 3.5."""
    exponent = value.normalize().as_tuple().exponent
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) else Decimal(1)


def _agree(left: _Value, right: _Value) -> bool:
    """Whether both values may be right: 1998 and 5 May 1998, about 200 and 204, 1.2 million and 1,200,000."""
    if isinstance(left.read, DateSpan) and isinstance(right.read, DateSpan):
        return all(a == b for a, b in _parts(left.read, right.read)) and _comparable(left, right)
    if not isinstance(left.read, Number) or not isinstance(right.read, Number) or left.kind != right.kind:
        return False
    if _unit(left) != _unit(right):
        return False
    if left.kind == "label":
        return left.read.value == right.read.value
    if (left.low is None and right.low is None) or (left.high is None and right.high is None):
        return left.read.value == right.read.value
    return _below(left.low, right.high) and _below(right.low, left.high)


def _below(low: Decimal | None, high: Decimal | None) -> bool:
    return low is None or high is None or low <= high


def _comparable(left: _Value, right: _Value) -> bool:
    return (
        isinstance(left.read, DateSpan)
        and isinstance(right.read, DateSpan)
        and bool(_parts(left.read, right.read))
    )


def _parts(left: DateSpan, right: DateSpan) -> list[tuple[int, int]]:
    """The parts that both dates have."""
    pairs = ((left.year, right.year), (left.month, right.month), (left.day, right.day))
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def _unit(value: _Value) -> str:
    unit = value.read.unit if isinstance(value.read, Number) else ""
    return _SCALES.get(unit, (unit,))[0]


# --- reading ------------------------------------------------------------------------------------------------

_CJK = re.compile(f"[{CJK}]")
_TOKEN = re.compile(rf"[{CJK}]+|(?:(?![{CJK}])[^\W_])+(?:['’](?:(?![{CJK}])[^\W_])+)?")
_CLAUSE = re.compile(r"[,;](?=\s)|[，；：]| [–—-] |——")
_ASIDE = re.compile(r"[(（\[【][^()（）\[\]【】]*[)）\]】]")
_DENIAL_EN = re.compile(
    r"\b(?:not(?! only| just| merely)|no(?! doubt)|never|cannot|neither|nor|none)\b|n['’]t\b", re.I
)
_DENIAL_ZH = re.compile(
    r"(?<![特分个各级区差无不])(?:并不|並不|不(?![仅僅但过過同断斷少久管论論只禁光得变變足锈鏽良利])|没有?|沒有?|未(?![来來])|无法|無法|并非|並非|尚未)"
)
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
_DOUBT = re.compile(
    r"\b(?:false|untrue|wrong|incorrect|mistaken(?:ly)?|myth|rumou?red|allegedly|supposedly|if|whether|might|could"
    r"|would|should have|hypothe\w+|suppose|assum\w+|for example|e\.g\.)\b"
    r"|错误|錯誤|不实|不實|有误|有誤|谣传|謠傳"
    r"|误传|誤傳|假如|假设|假設|如果|倘若|若是|例如|比如|可能|也许|也許|据说|據說|传说|傳說",
    re.I,
)
_PRONOUN = re.compile(
    r"(?:it|its|he|his|she|her|they|their|this|that|these|those|here|there)\b|[它他她牠其这這那该該]|此(?!外)|本",
    re.I,
)
_PAST = re.compile(
    r"\b(?:was|were|had|did|used to|formerly|previously|originally)\b|曾|原[为為来來]|以前|此前|当时|當時"
)
_PRESENT = re.compile(
    r"\b(?:is|are|has|have|does|do|will|now|currently)\b|现[在为為]|現[在為]|目前|如今|今[后後]"
)
_ADDING = re.compile(
    r"(?:which|who|whose|and|making|becoming|an?|the|one of|including|so|but|while|where)\b", re.I
)
_CONDITION_ZH = re.compile(r"[如若凡除限仅僅只时時者对對]|其中|当|當|以[内內外上下]|[期间間]")
_LABELLED = re.compile(
    r"(?:\b[A-Z][\w.-]*|\b(?:chapter|section|figure|fig|table|version|article|type|phase|step|part|grade|level|page"
    r"|group|class|room|day|week|stage|zone|appendix|line|no|number|item|question|release|python|question|note|case"
    r"|[a-z]+ v)\.?)[ -]$|[图圖表章节節]\s*$|版本\s*$|编号\s*$",
)
_ABOUT = re.compile(
    r"(?:\b(?:about|around|roughly|approximately|nearly|almost|some|circa|estimated|ca\.)"
    r"|[约約]|[大约約]概|近|将近|將近|估[计計])\s*(?:at |to be )?[$€£¥]?$",
    re.I,
)
_ABOUT_AFTER = re.compile(r"\s*(?:or so\b|左右|上下|[多余餘几幾])", re.I)
_AT_LEAST = re.compile(
    r"(?:\b(?:at least|more than|over|above|exceed(?:s|ed|ing)?|minimum of|no (?:less|fewer) than)"
    r"|超[过過]|至少|不少于|不低于|多[达達]|逾|[达達]到?)\s*[$€£¥]?$",
    re.I,
)
_AT_LEAST_AFTER = re.compile(r"\s*(?:or more\b|以上|\+)", re.I)
_AT_MOST = re.compile(
    r"(?:\b(?:at most|less than|fewer than|under|below|up to|maximum of|no more than|within)"
    r"|不到|不足|不超过|不超過|至多|最多|低于|少于)\s*[$€£¥]?$",
    re.I,
)
_AT_MOST_AFTER = re.compile(r"\s*(?:or (?:less|fewer)\b|以[下内內])", re.I)
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
# Which end of a span a value is: "from 2024" and "until 2025" agree.
_FROM = re.compile(r"\b(?:from|since|after|starting|beginning)\s*$|[自从從]\s*$", re.I)
_TO = re.compile(r"\b(?:to|until|till|before|by|through|ending)\s*$|[-–—~至到]\s*$", re.I)
_FROM_AFTER, _TO_AFTER = re.compile(r"\s*(?:起|[以之]?[后後]|开始|開始)"), re.compile(r"\s*(?:止|[以之]?前)")


@lru_cache(maxsize=1024)
def _read(text: str) -> _Sentence | None:
    """A sentence taken apart; None where nothing can be held against it: doubt, a question, too long."""
    text = _shown(text)
    if not text or len(text) > MAX_CHARS or text.endswith(("?", "？")) or _DOUBT.search(text):
        return None
    values = _values(text)
    masked = _blank(text, [(v.start, v.end) for v in values])
    masked = _denial(text).sub(lambda m: " " * len(m.group()), masked)
    words = tuple(_words(masked))
    edges = [0, *(m.end() for m in _CLAUSE.finditer(text)), len(text)]
    clauses = tuple((a, b) for a, b in pairwise(edges) if a < b)
    return _Sentence(text, words, tuple(values), _denials(text), clauses, _letters(masked))


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
    return _DENIAL_ZH if is_chinese(text) else _DENIAL_EN


def _denials(text: str) -> int:
    return len(_denial(text).findall(text))


def _letters(text: str) -> str:
    return "".join(char for char in fold(text) if char.isalnum())


def _words(text: str) -> Iterator[_Word]:
    """The words that matter, with their places: stemmed where English, segmented where Chinese."""
    for match in _TOKEN.finditer(text):
        piece, start = match.group(), match.start()
        if not _CJK.match(piece):
            token = fold(re.sub("['’]s$", "", piece))
            if token not in STOP_WORDS:
                yield _Word(start, match.end(), stem(token))
            continue
        for first, last in segments(piece):
            word = fold(piece[first:last])
            if word not in STOP_WORDS:
                yield _Word(start + first, start + last, word)


# --- saying -------------------------------------------------------------------------------------------------


def newer(left: str, right: str) -> int:
    """1 where the first of two ISO dates is the newer one, -1 where it is the older, 0 where unknown.

    "" is unknown; partial dates are compared as far as both say.
    """
    if not left or not right:
        return 0
    for a, b in zip(left.split("-"), right.split("-"), strict=False):
        if a != b:
            return 1 if int(a) > int(b) else -1
    return 0


@dataclass(frozen=True)
class Said:
    """What one document says, for `conflict_sentence`."""

    name: str
    date: str  # ISO, or ""
    value: str


def newest_first(said: Sequence[Said]) -> list[Said]:
    """Newest first where every two dates tell which; else as given."""
    for n, one in enumerate(said):
        for other in said[n + 1 :]:
            if newer(one.date, other.date) == 0 and one.date != other.date:
                return list(said)
            if not one.date:
                return list(said)
    return sorted(said, key=lambda one: one.date, reverse=True)


def conflict_sentence(lang: Lang, said: Sequence[Said]) -> str:
    """One plain line that says that sources disagree, newest first where the dates are known."""
    ordered = newest_first(said)
    if lang == "zh":
        return "你的文件说法不一：" + "，".join(_said_zh(one) for one in ordered) + "。"
    return "Your files disagree: " + ", ".join(_said_en(one) for one in ordered) + "."


def _said_en(one: Said) -> str:
    date = f" ({one.date})" if one.date else ""
    return f"{one.name}{date} says {_short(one.value)}"


def _said_zh(one: Said) -> str:
    date = f"（{one.date}）" if one.date else ""
    return f"{one.name}{date}写的是{_short(one.value)}"


def _short(value: str) -> str:
    """A value on one line; a whole sentence in quotation marks, cut where it is long."""
    value = " ".join(value.split()).rstrip(".。")
    if len(value) > 120:
        value = value[:119].rstrip() + "…"
    sentence = len(value.split()) > 5 or (is_chinese(value) and len(value) > 15)
    return f"“{value}”" if sentence else value
