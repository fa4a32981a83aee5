"""Deterministic checks of one claim against the spans it cites, in English and Chinese.

Each takes (claim, evidence, sources) and returns a verdict with its reason. They compare surface facts: spans,
numbers, dates, names, speakers, negation, doubt, comparisons, links, words. Where a claim is nearly the source's
own words, what differs is refused; else it is left to the judge. None of them understands a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps

from agent.citations import ITEMS, LEADS, holds
from agent.critic.align import NEAR_COPY, Comparison, compare
from agent.critic.facts import (
    CACHED,
    chinese_names,
    dates_of,
    latin_names,
    links_of,
    numbers_of,
    read,
    times_of,
)
from agent.critic.speakers import speakers_of, turn_of
from agent.critic.values import akin, bound_of, is_firm_bound, is_initials, same_date, same_link, same_number
from agent.critic.wording import HEDGE, NEGATION, denies_or_doubts, strip_lead_in
from agent.reasoners.features import plain, unwrapped
from agent.state import Citation, Claim, Evidence, Verdict
from retrieval.split import sentences
from retrieval.tokens import STOP_WORDS, fold, is_chinese, lexical_tokens

__all__ = ["CHECKS", "Result", "denies_or_doubts"]

Result = tuple[Verdict, str]
CheckFunction = Callable[[Claim, Sequence[Evidence], Mapping[int, str]], Result]

# Share of a quoted sentence that a verbatim claim must make up, anywhere and from its start: "X" is not "it is
# false that X".
WHOLE_QUOTE, FIRST_PART = 0.7, 0.5
TOO_FEW_WORDS = 0.15  # share of a claim's words in what it cites below which no judge is asked
_PRONOUN = re.compile(r"\b(?:he|she|it|they|his|her|its|their|this|these|the)\b|[他她它其该該此这這]", re.I)
_ONE = re.compile(r"(?:一|one\b|two\b|两|兩)", re.I)  # an article in Chinese; and what may merely be counted


def check_quote(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every citation stands verbatim at its span, there is one (or a tool's result), and none is invented."""
    if not claim["citations"] and not _tool_texts(claim, evidence):
        return "unsupported", "it cites nothing that exists"
    known = {item["number"] for item in evidence}
    passages = "\n".join(item["text"] for item in evidence if item["number"] in claim["evidence"])
    invented = [n for n in claim["evidence"] if n not in known and f"[{n}]" not in passages]
    if invented:
        return "unsupported", f"it cites [{invented[0]}], which does not exist"
    broken = [c for c in claim["citations"] if not holds(c, sources)]
    if broken:
        return "unsupported", f"not found at its place in the source: {broken[0]['quote'][:60]!r}"
    return "supported", "every quotation stands at its place"


def verbatim_passes(check: CheckFunction) -> CheckFunction:
    """A check of what a claim says: a claim that is all of its one quotation says what that says."""

    @wraps(check)
    def checked(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
        quotes = [citation["quote"] for citation in claim["citations"]]
        if len(quotes) == 1 and _is_all_of(claim["text"], quotes[0]):
            return "supported", "quoted word for word"
        return check(claim, evidence, sources)

    return checked


@lru_cache(CACHED)
def _is_all_of(text: str, quote: str) -> bool:
    return any(char.isalnum() for char in text) and text in (quote, plain(quote))


@verbatim_passes
def check_numbers(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every number of the claim, with its unit, is in what it cites; 1,024 = 1024 and 百分之七 = 7 %."""
    text, support = strip_lead_in(claim["text"]), _support(claim, evidence)
    said, known = numbers_of(text), numbers_of(support)
    unsure = ""
    for number in said:
        shown = text[number.start : number.end]
        near = [other for other in known if same_number(number, text, other, support)]
        if not near:
            passage = _passages(claim, evidence)
            dates = dates_of(_support(claim, evidence, context=True))
            if not number.unit and any(number.value == date.year for date in dates):
                continue
            counted = number.unit == "ordinal" or (_ONE.match(shown) and number.value <= 2)
            if (counted and not _is_near_copy(claim, evidence)) or (
                counted and number.value == 1 and shown[0] != "第"
            ):
                unsure = unsure or f"what it cites does not count {shown!r}"
                continue
            if not _is_near_copy(claim, evidence) and any(
                same_number(number, text, other, passage) for other in numbers_of(passage)
            ):
                unsure = f"{shown!r} stands elsewhere in the passage"
                continue
            return "unsupported", f"{shown!r} is not in what it cites"
        if number.unit and all(other.unit != number.unit for other in near):
            unsure = f"what it cites gives no unit to {shown!r}"
    return _differing("numbers", claim, evidence) or (
        ("undecided", unsure)
        if unsure
        else ("supported", f"{len(said)} numbers agree" if said else "no numbers")
    )


@verbatim_passes
def check_dates(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every date of the claim agrees with one in what it cites or its title, as far as both say."""
    text, support = strip_lead_in(claim["text"]), _support(claim, evidence, context=True)
    said, unsure = dates_of(text), ""
    for date in said:
        known = dates_of(support)
        if any(same_date(date, other) for other in known):
            continue
        if date.month is None and any(date.year == n.value for n in numbers_of(support) if not n.unit):
            continue
        passage = dates_of(_passages(claim, evidence))
        if any(date.year == other.year for other in passage) and any(
            other.year is None and same_date(date, other, strict=False) for other in known
        ):
            unsure = f"the year of {date.iso} stands elsewhere in the passage"
            continue
        if not _is_near_copy(claim, evidence) and any(same_date(date, other) for other in passage):
            unsure = f"{date.iso} stands elsewhere in the passage"
            continue
        return "unsupported", f"the date {date.iso} is not in what it cites"
    for start, end, key in times_of(text):
        if key not in [other for _, _, other in times_of(support)]:
            elsewhere = key in [other for _, _, other in times_of(_passages(claim, evidence))]
            if not elsewhere or _is_near_copy(claim, evidence):
                return "unsupported", f"{text[start:end]!r} is not in what it cites"
            unsure = f"{text[start:end]!r} stands elsewhere in the passage"
    return _differing("dates", claim, evidence) or (
        ("undecided", unsure) if unsure else ("supported", f"{len(said)} dates agree" if said else "no dates")
    )


@verbatim_passes
def check_names(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every name and quoted title of the claim is in what it cites or in its heading, and in its place."""
    text, support = strip_lead_in(claim["text"]), _support(claim, evidence, context=True)
    passage = _passages(claim, evidence)
    crossing = is_chinese(text) != is_chinese(support)
    unsure = ""
    for name in _names(text):
        if _is_named(name, support):
            continue
        replaced = _is_near_copy(claim, evidence) and not _PRONOUN.search(support)
        if _is_named(name, passage) and not replaced:
            unsure = f"{name!r} is named elsewhere in the passage"
        elif crossing:
            unsure = f"{name!r} is in another script"
        else:
            return "unsupported", f"{name!r} is not in what it cites"
    return _differing("names", claim, evidence) or (
        ("undecided", unsure) if unsure else ("supported", "all names are there")
    )


@verbatim_passes
def check_speaker(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Who the claim says said it is who said it: in the cited sentence, or by the label of its turn."""
    said = speakers_of(strip_lead_in(claim["text"]))
    if not said:
        return "supported", "it reports nobody's words"
    known = _known_speakers(claim, evidence, said)
    for speaker in said:
        own = _unbroken(speaker)
        if any(own in _unbroken(other) or _unbroken(other) in own for other in known):
            continue
        named = [other for other in known if not _PRONOUN.fullmatch(other)]
        if is_chinese(claim["text"]) != is_chinese(_support(claim, evidence)) or not named:
            return "undecided", f"what it cites does not show that {speaker} said it"
        return "unsupported", f"the claim has {speaker!r} say it, its source {named[0]!r}"
    return "supported", "the speaker agrees"


def _known_speakers(claim: Claim, evidence: Sequence[Evidence], said: Sequence[str]) -> list[str]:
    """The speakers of the cited sentence that is most like what the claim reports, or of its turn."""
    reported = claim["text"]
    for speaker in said:
        reported = reported.replace(speaker, " ")
    wanted = _token_set(reported) - STOP_WORDS
    items = {item["number"]: item for item in evidence}
    best: tuple[int, list[str]] = (-1, [])
    labels = [c["quote"] for c in claim["citations"] if _is_label(c, items[c["evidence"]])]
    for citation in claim["citations"]:
        text = items[citation["evidence"]]["text"]
        first = citation["start"] - items[citation["evidence"]]["start"]
        for start, end in sentences(text, first, first + len(citation["quote"])):
            shared = len(wanted & _token_set(text[start:end]))
            # The label may stand in the passage before, and is then cited itself.
            speakers = speakers_of(text[start:end]) or turn_of(text, start, end) or labels
            if shared > best[0]:
                best = (shared, speakers)
    return best[1]


def _is_label(citation: Citation, item: Evidence) -> bool:
    """Whether what is cited is followed by a colon, as the label of a turn is."""
    end = citation["end"] - item["start"]
    return bool(re.match(r"[*_\s]*(?:[(（][^)）\n]{1,20}[)）])?[*_\s]*[:：]", item["text"][end : end + 40]))


@verbatim_passes
def check_negation(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """The claim denies what its source denies: refused in a near copy, else left to the judge."""
    text, support = strip_lead_in(claim["text"]), _support(claim, evidence)
    refused = _differing("negation", claim, evidence)
    if refused:
        return refused
    said, known = (len(NEGATION.findall(part)) for part in (text, support))
    if said != known:
        return "undecided", f"the claim has {said} negations, its source {known}"
    return "supported", "negation agrees"


@verbatim_passes
def check_hedges(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """A claim may not be surer than its source; left to the judge."""
    said, known = HEDGE.findall(claim["text"]), HEDGE.findall(_support(claim, evidence))
    if len(known) > len(said):
        return "undecided", "the source is less sure"
    return "supported", "as sure as the source"


@verbatim_passes
def check_comparison(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Bounds of numbers keep their direction, and no word has become its opposite."""
    text, support = strip_lead_in(claim["text"]), _support(claim, evidence)
    for number in numbers_of(text):
        bound, shown = bound_of(text, number), text[number.start : number.end]
        same = [other for other in numbers_of(support) if other.value == number.value]
        if not bound or not same or not is_firm_bound(text, number):
            continue
        if all(bound_of(support, other) == -bound for other in same):
            return "unsupported", f"the bound of {shown!r} is the other way round"
    refused = _differing("comparison", claim, evidence)
    if refused:
        return refused
    return "supported", "comparisons agree"


@verbatim_passes
def check_links(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Every address, file and numbered part that the claim names stands in the passage, its title or path."""
    said = links_of(claim["text"])
    for start, end, key in said:
        passage = _passages(claim, evidence)
        known = [other for _, _, other in links_of(passage)]
        if key not in fold(passage) and not any(same_link(key, other) for other in known):
            return "unsupported", f"{claim['text'][start:end]!r} is in no source"
    refused = _differing("links", claim, evidence)
    return refused or ("supported", "all links are there" if said else "no links")


@verbatim_passes
def check_words(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Result:
    """Only a quotation, or a tool's own sentence, needs no judge; too few shared words need none either.

    Word overlap proves nothing more: one swapped word, or the same words in another order, can say the opposite.
    """
    text = _letters(claim["text"])
    if text in {_letters(result) for result in _tool_texts(claim, evidence)}:
        return "supported", "the tool's own sentence"
    quotes = [_letters(citation["quote"]) for citation in claim["citations"]]
    # Several quotations one after the other: a speaker's label and what was said.
    if text and (any(_is_most_of(text, quote) for quote in quotes) or text == "".join(quotes)):
        return "supported", "quoted word for word"
    if claim["spans"] and _leads_with_items(claim["text"], quotes):
        return "supported", "items of a quotation before it, word for word"
    refused = _differing("words", claim, evidence)
    if refused:
        return refused
    own = _token_set(claim["text"]) - STOP_WORDS
    support = _support(claim, evidence, context=True)
    shared = own & _token_set(support)
    share = len(shared) / len(own) if own else 0.0
    if own and is_chinese(claim["text"]) != is_chinese(support):
        return "undecided", "the claim and its source are in two languages"
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
    "speaker": check_speaker,
    "negation": check_negation,
    "hedges": check_hedges,
    "comparison": check_comparison,
    "links": check_links,
    "words": check_words,
}


def _differing(layer: str, claim: Claim, evidence: Sequence[Evidence]) -> Result | None:
    found = _compared(claim, evidence).of(layer)
    return ("unsupported", f"it says {found.said!r} where the source says {found.known!r}") if found else None


def _is_near_copy(claim: Claim, evidence: Sequence[Evidence]) -> bool:
    return _compared(claim, evidence).coverage >= NEAR_COPY


def _compared(claim: Claim, evidence: Sequence[Evidence]) -> Comparison:
    context = _passages(claim, evidence)
    return compare(claim["text"], _support(claim, evidence), context)


def _support(claim: Claim, evidence: Sequence[Evidence], *, context: bool = False) -> str:
    """The text that a claim cites: quotes and tool results; with titles and headings as `context`."""
    parts = [unwrapped(citation["quote"]) for citation in claim["citations"]] + _tool_texts(claim, evidence)
    if context:
        cited = {citation["evidence"] for citation in claim["citations"]}
        parts += [f"{e['title']} {e['heading']}" for e in evidence if e["number"] in cited]
    return "\n".join(parts)


def _passages(claim: Claim, evidence: Sequence[Evidence]) -> str:
    """All of the passages that a claim cites, with their titles, headings and paths."""
    cited = {citation["evidence"] for citation in claim["citations"]} | set(claim["evidence"])
    return "\n".join(
        f"{e['text']}\n{e['title']}\n{e['heading']}\n{e['path']}" for e in evidence if e["number"] in cited
    )


def _tool_texts(claim: Claim, evidence: Sequence[Evidence]) -> list[str]:
    return [e["text"] for e in evidence if e["kind"] == "tool" and e["number"] in claim["evidence"]]


def _names(text: str) -> list[str]:
    """Words and Chinese names that the source must hold."""
    tokens = read(text, latin_names(text), chinese_names(text))
    return [text[t.start : t.end] for t in tokens if t.kind == "name"]


_LOOSE = re.compile(r"\d{1,2}(?::\d\d)?[ap]m|\d{4}s|Q[1-4]|H[12]", re.I)  # times, written in many ways


@lru_cache(CACHED)
def _token_set(text: str) -> frozenset[str]:
    return frozenset(lexical_tokens(text))


def _is_named(name: str, text: str) -> bool:
    if not name.isascii() and is_chinese(name):
        known, name = _unbroken(text), _unbroken(name)
        # The segmenter may take a neighbour in: what is left of a long name must be there.
        return name in known or (len(name) > 3 and (name[1:] in known or name[:-1] in known))
    own = [word for word in lexical_tokens(name) if word not in STOP_WORDS]
    known_words = _token_set(text)
    if all(word in known_words or word.removesuffix("s") in known_words for word in own) or _LOOSE.fullmatch(
        name
    ):
        return True
    if all(any(akin(word, other) for other in known_words) for word in own):
        return True
    if not (name.isupper() or " " in name):
        return False
    runs = {t.key for t in read(text, latin_names(text), frozenset()) if t.kind == "name"}
    return any(is_initials(fold(name), run) or is_initials(run, fold(name)) for run in runs)


def _unbroken(text: str) -> str:
    """A text without white space: a name may be broken over two lines."""
    return "".join(fold(text).split())


def _is_most_of(text: str, quote: str) -> bool:
    if quote.startswith(text):
        return len(text) >= FIRST_PART * len(quote)
    return text in quote and len(text) >= WHOLE_QUOTE * len(quote)


def _leads_with_items(text: str, quotes: Sequence[str]) -> bool:
    """Whether a text is parts of a quotation followed by all of it."""
    lead, _, rest = text.partition(LEADS)
    items = [_letters(item) for item in lead.split(ITEMS)]
    return any(_letters(rest) == quote and all(item and item in quote for item in items) for quote in quotes)


def is_quoted(claim: Claim) -> bool:
    """Whether a claim says only what it quotes, in its words and order."""
    text, quotes = _letters(claim["text"]), [_letters(citation["quote"]) for citation in claim["citations"]]
    return bool(claim["spans"]) or any(text in quote for quote in quotes) or text == "".join(quotes)


def _letters(text: str) -> str:
    """What is compared where a claim should be a quotation: letters, digits and signs, as shown and folded."""
    kept = _NO_LETTER.sub("", fold(plain(text)))
    return kept.rstrip(".")  # where the sentence ends; a point within a number stays


_NO_LETTER = re.compile(r"(?:_|[^\w%+<>=°.-])+")
