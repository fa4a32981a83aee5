"""Deterministic checks of one claim against the spans it cites, in English and Chinese.

Each takes (claim, evidence, sources) and returns a verdict with its reason. They compare surface facts:
spans, numbers, dates, names, negation, words. None of them understands a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from agent.citations import holds
from agent.reasoners.features import plain, says
from agent.reasoners.language import names_in
from agent.state import Claim, Evidence, Verdict
from retrieval.tokens import STOP_WORDS, fold, is_chinese, lexical_tokens
from tools.dates import DateSpan, find_dates
from tools.numbers import Number, find_numbers

Result = tuple[Verdict, str]
CheckFunction = Callable[[Claim, Sequence[Evidence], Mapping[int, str]], Result]

# Share of a quoted sentence that a verbatim claim must make up, anywhere and from its start: "X" is not "it is
# false that X".
WHOLE_QUOTE, FIRST_PART = 0.7, 0.5
TOO_FEW_WORDS = 0.15  # share of a claim's words in what it cites below which no judge is asked
ROUNDING = Decimal("0.05")  # relative difference allowed to a number that says "about"

_NEGATION_EN = re.compile(
    r"\b(not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n['’]t|fail(?:s|ed)? to|lacks?|unable)\b",
    re.I,
)
_NEGATION_ZH = re.compile(
    r"(?<![特分个各级区差无])(?:不(?!仅|僅|但|过|過|同|断|斷|少|久|管|论|論|只|禁|光|得不|约而同)|没有?|沒有?|未(?!来|來)|"
    r"无法|無法|并非|並非|从未|從未|毫无|毫無|绝非|絕非|尚未|禁止)"
)
_HEDGE = re.compile(
    r"\b(?-i:may)\b(?! not\b)|\b(?:might|could|possibly|perhaps|probably|likely|suggests?|allegedly|reportedly|estimated|appears?|seems?)\b"
    r"|可能|也许|也許|或许|或許|大概|据说|據說|似乎|估计|估計|疑似|据称|據稱",
    re.I,
)
_FALSE = re.compile(
    r"\b(?:false|untrue|wrong|incorrect|mistaken(?:ly)?)\b|错误|錯誤|不实|不實|有误|有誤", re.I
)
# "About" must stand beside the number that it loosens.
_ABOUT_BEFORE = re.compile(
    r"(?:\b(?:about|around|roughly|approximately|nearly|almost)|约|大约|近|大概|将近)\s*$", re.I
)
_ABOUT_AFTER = re.compile(r"\s*(?:or so\b|左右|上下)", re.I)


def check_quote(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every citation stands verbatim at its span, and there is one (or a tool's result)."""
    if not claim["citations"] and not _tool_texts(claim, evidence):
        return "unsupported", "it cites nothing that exists"
    broken = [c for c in claim["citations"] if not holds(c, sources)]
    if broken:
        return "unsupported", f"not found at its place in the source: {broken[0]['quote'][:60]!r}"
    return "supported", "every quotation stands at its place"


def check_numbers(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every number of the claim, with its unit, is in what it cites; 1,024 = 1024 and 百分之七 = 7 %."""
    said = _without_dates(claim["text"])
    known = _without_dates(_support(claim, evidence))
    unsure = ""
    for number in said:
        shown = claim["text"][number.start : number.end]
        near = [other for other in known if _same_value(number, other, _is_rounded(claim["text"], number))]
        if not any(other.unit in ("", number.unit) or not number.unit for other in near):
            return "unsupported", f"{shown!r} is not in what it cites"
        if number.unit and all(other.unit != number.unit for other in near):
            unsure = f"what it cites gives no unit to {shown!r}"
    if unsure:
        return "undecided", unsure
    return "supported", f"{len(said)} numbers agree" if said else "no numbers"


def check_dates(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every date of the claim agrees with one in what it cites, as far as both say."""
    said = find_dates(claim["text"])
    known = find_dates(_support(claim, evidence))
    for date in said:
        if not any(_same_date(date, other) for other in known):
            return "unsupported", f"the date {date.iso} is not in what it cites"
    return "supported", f"{len(said)} dates agree" if said else "no dates"


def check_names(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every capitalised name and quoted title of the claim is in what it cites or in its heading."""
    tokens = lexical_tokens(_support(claim, evidence, context=True))
    for name in names_in(claim["text"]):
        own = lexical_tokens(name)
        if own and not says(tokens, own):
            return "unsupported", f"{name!r} is not in what it cites"
    return "supported", "all names are there"


def check_negation(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """The claim has the negations of what it cites, one for one; left to the judge where it has not."""
    pattern = _NEGATION_ZH if is_chinese(claim["text"]) else _NEGATION_EN
    said, known = (len(pattern.findall(text)) for text in (claim["text"], _support(claim, evidence)))
    if said != known:
        return "undecided", f"the claim has {said} negations, its source {known}"
    return "supported", "negation agrees"


def check_hedges(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """A claim may not be surer than its source; left to the judge."""
    said, known = _HEDGE.findall(claim["text"]), _HEDGE.findall(_support(claim, evidence))
    if len(known) > len(said):
        return "undecided", "the source is less sure"
    return "supported", "as sure as the source"


def denies_or_doubts(text: str) -> bool:
    """Whether a sentence negates, doubts or calls false what it says; nothing may be computed from it."""
    negation = _NEGATION_ZH if is_chinese(text) else _NEGATION_EN
    return bool(negation.search(text) or _HEDGE.search(text) or _FALSE.search(text))


def check_words(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Only a quotation, or a tool's own sentence, needs no judge; too few shared words need none either.

    Word overlap proves nothing more: one swapped word, or the same words in another order, can say the opposite.
    """
    text = _letters(claim["text"])
    if text in {_letters(result) for result in _tool_texts(claim, evidence)}:
        return "supported", "the tool's own sentence"
    quotes = [_letters(citation["quote"]) for citation in claim["citations"]]
    if text and any(_is_most_of(text, quote) for quote in quotes):
        return "supported", "quoted word for word"
    own = set(lexical_tokens(claim["text"])) - STOP_WORDS
    shared = own & set(lexical_tokens(_support(claim, evidence, context=True)))
    share = len(shared) / len(own) if own else 0.0
    # The words of a very short claim may be there in another form: 百分之七 and 7 %.
    elsewhere = not own or (share < TOO_FEW_WORDS and len(own) > 3)
    verdict: Verdict = "unsupported" if elsewhere else "undecided"
    return verdict, f"{share:.0%} of its words are in what it cites"


# In this order; `check_quote` first, as the others read what is cited.
CHECKS: dict[str, CheckFunction] = {
    "quote": check_quote,
    "numbers": check_numbers,
    "dates": check_dates,
    "names": check_names,
    "negation": check_negation,
    "hedges": check_hedges,
    "words": check_words,
}


def _support(claim: Claim, evidence: Sequence[Evidence], *, context: bool = False) -> str:
    """The text that a claim cites: quotes and tool results; with titles and headings as `context`."""
    parts = [citation["quote"] for citation in claim["citations"]] + _tool_texts(claim, evidence)
    if context:
        cited = {citation["evidence"] for citation in claim["citations"]}
        parts += [f"{e['title']} {e['heading']}" for e in evidence if e["number"] in cited]
    return "\n".join(parts)


def _tool_texts(claim: Claim, evidence: Sequence[Evidence]) -> list[str]:
    return [e["text"] for e in evidence if e["kind"] == "tool" and e["number"] in claim["evidence"]]


def _without_dates(text: str) -> list[Number]:
    """The numbers of a text that are not part of a date: those are compared as dates."""
    dates = find_dates(text)
    return [n for n in find_numbers(text) if not any(d.start < n.end and n.start < d.end for d in dates)]


def _is_rounded(text: str, number: Number) -> bool:
    before, after = text[max(0, number.start - 16) : number.start], text[number.end : number.end + 8]
    return bool(_ABOUT_BEFORE.search(before) or _ABOUT_AFTER.match(after))


def _same_value(said: Number, known: Number, rounded: bool) -> bool:
    if said.unit and known.unit and said.unit != known.unit:
        return False
    allowed = abs(known.value) * ROUNDING if rounded else Decimal(0)
    return abs(said.value - known.value) <= allowed


def _is_most_of(text: str, quote: str) -> bool:
    if quote.startswith(text):
        return len(text) >= FIRST_PART * len(quote)
    return text in quote and len(text) >= WHOLE_QUOTE * len(quote)


def _letters(text: str) -> str:
    """What is compared where a claim should be a quotation: letters, digits and signs, as shown and folded."""
    kept = "".join(char for char in fold(plain(text)) if char.isalnum() or char in "%-+<>=°.")
    return kept.rstrip(".")  # where the sentence ends; a point within a number stays


def _same_date(said: DateSpan, known: DateSpan) -> bool:
    """Whether the known date says all that the claim says."""
    pairs = ((said.year, known.year), (said.month, known.month), (said.day, known.day))
    return all(a is None or a == b for a, b in pairs)
