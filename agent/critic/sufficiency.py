"""Sufficiency: does the draft answer *this* question? Judged apart from support, and decides abstention.

A true but irrelevant quotation must not pass. The probability comes from the linear model of
`agent.reasoners.features`; the thresholds were chosen on dev data (evals/LOG.md). It reads words, not
meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import TypedDict

from agent.critic.checks import is_quoted
from agent.critic.facts import chinese_names
from agent.critic.speakers import asked_speaker, speakers_of, turn_of
from agent.reasoners.features import (
    COLUMNS,
    Asked,
    Candidate,
    answer_probability,
    asks_only_whose,
    beside_asides,
    candidates,
    cover,
    rank_score,
    stems,
    told,
    uncovered,
)
from agent.reasoners.labels import of_another
from agent.reasoners.language import is_of_another_kind, names_in
from agent.state import Citation, Claim, Evidence
from retrieval.tokens import is_chinese, query_words, stem, words_of

IN_PART = 0.42  # `partial` at any strictness
MOSTLY_OPEN = 0.6  # of the question: what nothing cited speaks of is not answered, whatever else is
NAMES_MISSING = 0.34  # share of the question's names that the passage lacks, likewise (evals/LOG.md)
OPEN_SHARE = 0.2  # of the question: with more of it open, a passing draft gets one round (evals/LOG.md)
MOST_CLAIMS = 0.7
GUESSED = 0.25  # what somebody is asked to have said: below this it is not even said in part
NOTHING_HELD = 0.04  # below `partial` at any strictness

_LATIN = re.compile("[A-Za-z][A-Za-z0-9.-]+")


class Thresholds(TypedDict):
    """From which sufficiency on an answer is `verified`, and from which on it is given at all."""

    verified: float
    partial: float


@cache
def thresholds(strictness: str) -> Thresholds:
    """Those of "strict", "default" or "lenient", with what they came from in `thresholds.json`."""
    text = files("agent.critic").joinpath("thresholds.json").read_text(encoding="utf-8")
    chosen: Thresholds = json.loads(text)[strictness]
    return chosen


def sufficiency(asked: Asked, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> float:
    """Probability in [0, 1] that the claims answer the question; 0 without a supported claim.

    A claim that rests on a tool's result answers: the tool was run because the question asked for it.
    """
    if not claims:
        return 0.0
    if _computed(claims, evidence):
        return 1.0
    found = candidates(asked, evidence)
    cited = [c for c in found if any(_covers(claim, c) for claim in claims)]
    if not cited:
        return 0.0
    best = _best(asked, cited)
    written = [claim for claim in claims if not is_quoted(claim)]
    quoted = [claim for claim in claims if claim not in written]
    worth = [_worth(asked, quoted, found), *(_worth_written(asked, one, found, evidence) for one in written)]
    probability = max(worth)
    if is_whose(asked, claims, evidence):
        return max(probability, IN_PART)
    said = _said(asked, claims, evidence)
    lacking = _leaves_out(asked, said) or _lacks_column(asked, best, said, evidence)
    lacking = lacking or is_of_another_kind(asked.answer_type, best.answer)
    if probability > IN_PART and (lacking or _is_of_another(asked, claims, evidence)):
        probability = IN_PART
    guessed = bool(asked.asides) and probability < GUESSED
    beside = guessed or not _speaks_of(asked, best, evidence) or _bears_another_label(asked, claims, evidence)
    if _in_its_language(asked, claims):
        beside = beside or _holds_no_word(asked, said) or _holds_no_name(asked, said)
    return min(probability, NOTHING_HELD) if beside else probability


def _lacks_column(asked: Asked, best: Candidate, said: frozenset[str], evidence: Sequence[Evidence]) -> bool:
    """Whether the answer is a row of a table of which neither a column nor a cell is what was asked for."""
    row = any(item["number"] == best.evidence and COLUMNS in item["heading"] for item in evidence)
    return row and bool(_unsaid(asked, said))


def _is_of_another(asked: Asked, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> bool:
    """Whether a question asks what somebody said, and nothing cited is told to be of that mouth."""
    asked_for = asked_speaker(asked.text)
    if not asked_for or asked.asides:
        return False
    items = {item["number"]: item for item in evidence}
    known: list[str] = []
    for citation in (citation for claim in claims for citation in claim["citations"]):
        item = items[citation["evidence"]]
        start, end = (citation[side] - item["start"] for side in ("start", "end"))
        known += [*speakers_of(citation["quote"]), *turn_of(item["text"], start, end), *item.get("who", [])]
    return not any(asked_for in name or name in asked_for for name in known)


def _best(asked: Asked, found: Sequence[Candidate]) -> Candidate:
    return max(found, key=lambda candidate: rank_score(asked.lang, candidate.features))


def _worth(asked: Asked, claims: Sequence[Claim], found: Sequence[Candidate]) -> float:
    """Probability in [0, 1] that the best sentence that is cited answers; 0 where none is."""
    cited = [c for c in found if any(_covers(claim, c) for claim in claims)]
    return answer_probability(asked, found, _best(asked, cited)) if cited else 0.0


def _worth_written(
    asked: Asked, claim: Claim, found: Sequence[Candidate], evidence: Sequence[Evidence]
) -> float:
    """The same of a claim in words of its own.

    Of a long sentence it may say in a short one just what was asked, or just what was not: it is read in
    the place of what it cites. In other words than the question's it seems worth little there: it is worth
    the mean of both at least.
    """
    cited, written = _worth(asked, [claim], found), _in_its_place(asked, claim, evidence)
    if not written:
        return cited
    others = [candidate for candidate in found if not _covers(claim, candidate)]
    own = answer_probability(asked, [*others, *written], _best(asked, written))
    return max(own, (own + cited) / 2)


def _in_its_place(asked: Asked, claim: Claim, evidence: Sequence[Evidence]) -> list[Candidate]:
    """The candidates that a claim would be, if it stood where what it cites does."""
    items = {item["number"]: item for item in evidence}
    found: list[Candidate] = []
    for citation in claim["citations"]:
        item = items[citation["evidence"]]
        start, end = (citation[side] - item["start"] for side in ("start", "end"))
        text = f"{item['text'][:start]}{claim['text']}{item['text'][end:]}"
        changed: Evidence = {**item, "text": text, "end": item["start"] + len(text)}
        place: Citation = {**citation, "end": citation["start"] + len(claim["text"])}
        instead: Claim = {**claim, "citations": [place]}
        found += [c for c in candidates(replace(asked, worded={}, read={}), [changed]) if _covers(instead, c)]
    return found


def _in_its_language(asked: Asked, claims: Sequence[Claim]) -> bool:
    """Whether a claim is in the language of the question; of two languages only an embedder knows both."""
    return is_chinese(asked.text) == any(is_chinese(claim["text"]) for claim in claims)


def _holds_no_word(asked: Asked, said: frozenset[str]) -> bool:
    """Whether nothing cited has a word of the question: in a small library anything is the nearest passage."""
    # Of a long Chinese word a part will do; what stands across two words is no word.
    terms = {stem(term) for word in query_words(asked.text) for term in word}
    return bool(terms) and said.isdisjoint(terms)


def _holds_no_name(asked: Asked, said: frozenset[str]) -> bool:
    """Whether nothing cited names anybody or anything that the question names: another's fee is no answer.

    What a question shortens ("the SP", "WWII") its documents write out.
    """
    names = _names_of(asked)
    if asked.lang != "zh":
        names = {tuple(stems(name)) for name in names_in(asked.text) if any(map(str.islower, name))}
    return bool(names) and not any(said.issuperset(name) for name in names)


def _names_of(asked: Asked) -> set[tuple[str, ...]]:
    """The names in a question, as stems; in a Chinese one any Latin word is one."""
    if asked.lang != "zh":
        return set(asked.names)
    own = (*_LATIN.findall(asked.text), *chinese_names(asked.text))
    return {*asked.names, *(tuple(stems(name)) for name in own)}


def _bears_another_label(asked: Asked, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> bool:
    """Whether what is cited is all of another number or letter than the question's: of Plan A, not Plan C."""
    cited = {c["evidence"] for claim in claims for c in claim["citations"]}
    items = [item for item in evidence if item["number"] in cited]
    said = " / ".join(f"{item['title']} / {item['heading']} / {item['text']}" for item in items)
    return of_another(asked.text, said)


def _leaves_out(asked: Asked, said: frozenset[str]) -> bool:
    """Whether nothing cited speaks of most of the question, or of many of the names in it."""
    names = _names_of(asked)
    lacking = [name for name in names if not said.issuperset(name)]
    return len(lacking) > NAMES_MISSING * len(names) or open_share(asked, _unsaid(asked, said)) > MOSTLY_OPEN


def _speaks_of(asked: Asked, best: Candidate, evidence: Sequence[Evidence]) -> bool:
    """Whether a passage has any word of the question but that it is of whom, or of when, it asks.

    The few passages of one sender have a best one, too, where he speaks of something else.
    """
    item = next(item for item in evidence if item["number"] == best.evidence)
    passage = stems(f"{item['title']} {item['heading']} {item['text']}")
    return not asked.asides or not beside_asides(asked).isdisjoint(passage)


def is_whose(asked: Asked, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> bool:
    """Whether a question asks only for what is somebody's, of a time or of a kind, and all that is cited is.

    It is part of an answer at least, and a further search finds nothing that is more so.
    """
    cited = {c["evidence"] for claim in claims for c in claim["citations"]}
    passages = [item for item in evidence if item["number"] in cited]
    whose = all(told(asked, item).issuperset(asked.terms) for item in passages)
    return bool(passages) and whose and asks_only_whose(asked)


def swept_enough(claims: Sequence[Claim], whole: bool) -> float:
    """What a sweep's claims are worth: an answer where all was read and most claims stand, else part of one."""
    supported = sum(claim["verdict"] == "supported" for claim in claims)
    if not supported:
        return 0.0
    return 1.0 if whole and supported >= MOST_CLAIMS * len(claims) else IN_PART


def missing_terms(asked: Asked, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> list[str]:
    """Words of the question that neither the claims nor the passages they cite hold, rarest first.

    For people to read: in Chinese, words in place of character bigrams. A tool's result misses none.
    """
    return [] if _computed(claims, evidence) else _unsaid(asked, _said(asked, claims, evidence))


def _unsaid(asked: Asked, said: frozenset[str]) -> list[str]:
    return words_of(asked.text, uncovered(asked, said))


def open_share(asked: Asked, missing: Sequence[str]) -> float:
    """How much of the question's words, weighted by idf, the missing ones are, in [0, 1]."""

    def weight(words: Sequence[str]) -> float:
        return cover(asked, frozenset(token for word in words for token in stems(word)))

    every = weight(words_of(asked.text, asked.terms))
    return weight(missing) / every if every else 0.0


def _computed(claims: Sequence[Claim], evidence: Sequence[Evidence]) -> bool:
    """Whether a claim rests on a tool's result."""
    tools = {item["number"] for item in evidence if item["kind"] == "tool"}
    return any(tools & set(claim["evidence"]) for claim in claims)


def _said(asked: Asked, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> frozenset[str]:
    """Tokens of the claims and of the passages that they cite, and what these are told to be."""
    cited = {c["evidence"] for claim in claims for c in claim["citations"]}
    texts = [claim["text"] for claim in claims]
    texts += [f"{e['title']} {e['heading']} {e['text']}" for e in evidence if e["number"] in cited]
    spoken = [told(asked, e) for e in evidence if e["number"] in cited]
    return frozenset(token for text in texts for token in stems(text)).union(*spoken)


def _covers(claim: Claim, candidate: Candidate) -> bool:
    return any(
        c["evidence"] == candidate.evidence and c["start"] < candidate.end and candidate.start < c["end"]
        for c in claim["citations"]
    )
