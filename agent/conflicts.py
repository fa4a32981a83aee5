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
from functools import lru_cache
from typing import Literal

from agent.compare import Value, agree, comparable, end_of_span, unit_of, unmatched, values
from agent.reasoners.features import Asked, says, stems
from agent.reasoners.language import names_in
from agent.sentences import Sentence, Word, aligned, read, words_of
from agent.state import AnswerType, Claim, Conflict, Evidence
from retrieval.split import sentences
from retrieval.tokens import STOP_WORDS, fold, is_chinese, simplified, stem

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
    own = read(ours.text)
    for other in others if own else []:
        if 2 * len(ours.tokens & other.tokens) < min(len(ours.tokens), len(other.tokens)):
            continue
        theirs = read(other.text)
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
    wanted = values(value)
    return any(agree(v, w) for v in values(text) for w in wanted) or not wanted


# --- deciding -----------------------------------------------------------------------------------------------


def _differ(
    asked: Asked, ours: Sentence, theirs: Sentence, item: Evidence, other: Evidence
) -> tuple[What, str, str] | None:
    """What two sentences disagree on, with the two values as written; None where they may both be right."""
    if is_chinese(ours.text) != is_chinese(theirs.text) or not _same_time(ours.text, theirs.text):
        return None
    left, right, mine, yours = aligned(ours, theirs)
    if left is None or right is None:
        return None
    if not _same_subject(asked, ours, theirs, item, other, len(left.words) - len(mine)):
        return None
    leftover = unmatched(left.values, right.values)
    if not mine and not yours:
        return _by_value(asked, left, right, leftover)
    if not any(leftover) and left.denials == right.denials == 0 and asked.answer_type in ("person", "place"):
        names = _names_apart(left, right, mine, yours, asked.answer_type)
        return ("name", *names) if names else None
    return None


def _by_value(
    asked: Asked, ours: Sentence, theirs: Sentence, leftover: tuple[list[Value], list[Value]]
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
    if left.kind == "number" and unit_of(left) != unit_of(right):
        return None
    if left.kind == "date" and not comparable(left, right):
        return None
    if end_of_span(ours.text, left) != end_of_span(theirs.text, right):
        return None
    question = values(asked.text)
    if any(agree(value, q) for value in (left, right) for q in question):
        return None  # the question's own condition
    return ("number" if left.kind == "number" else "date"), left.text, right.text


def _wanted(answer_type: AnswerType, kind: str) -> bool:
    """A value of another kind than the question asks for is no conflict over its answer."""
    if answer_type in ("number", "date"):
        return answer_type == kind
    return answer_type not in ("person", "place")


def _same_subject(
    asked: Asked, ours: Sentence, theirs: Sentence, item: Evidence, other: Evidence, shared: int
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
    return shared > MIN_SHARED or not _apart(_subject(item), _subject(other))


def _about(item: Evidence) -> list[str]:
    return stems(f"{item['title']} {item['heading']}")


def _telling(text: str) -> set[str]:
    return {token for token in stems(text) if token not in STOP_WORDS and not token.isdigit()}


def _subject(item: Evidence) -> str:
    """The heading, where it may name what is spoken of; that of a message says who writes, and when."""
    return "" if item.get("who") or item.get("when") else item["heading"]


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
    return frozenset(word.text for word in words_of(text))


def _same_time(ours: str, theirs: str) -> bool:
    """Not where one sentence speaks only of the past and the other of the present."""
    past, present = ({bool(p.search(t)) for t in (ours, theirs)} for p in (_PAST, _PRESENT))
    return not (past == {True, False} and present == {True, False})


def _names_apart(
    ours: Sentence, theirs: Sentence, mine: list[Word], yours: list[Word], kind: AnswerType
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


def _run(sentence: Sentence, words: list[Word]) -> str:
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
