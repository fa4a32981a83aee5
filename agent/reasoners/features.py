"""How well a sentence answers a question: a few interpretable numbers and a linear model over them.

Used to pick sentences (extractive drafting) and to tell whether a draft suffices (critic). The weights in
`weights.json` are fitted by `evals/train/extractive.py` on training data, never on dev data. Words alone
cannot tell "A hit B" from "B hit A"; a reader, where the question has one, may.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from agent.asides import Aside, borne_out, without_asides
from agent.reasoners.labels import of_another
from agent.reasoners.language import answer_type_of, has_answer_of_type, language_of, names_in
from agent.state import AnswerType, Evidence, Lang, Span
from agent.verifier import under
from retrieval.load.source import name_of
from retrieval.split import sentences
from retrieval.tokens import has_cjk, lexical_tokens, query_terms, simplified, stem

if TYPE_CHECKING:
    from agent.verifier import Reading

FEATURES = (
    "cover_sentence",  # idf-weighted share of the question's terms in the sentence
    "cover_window",  # ... in the sentence and its two neighbours
    "cover_passage",  # ... in the passage with its title and heading
    "rare_missing",  # idf of the rarest question term that the passage lacks, over the largest idf
    "phrase",  # share of the question's neighbouring word pairs that stand in the sentence
    "names_missing",  # share of the question's names and numbers that the passage lacks
    "type_match",  # something of the wanted kind that the question does not hold
    "cosine",  # dense cosine of the passage with the query that found it
    "score",  # fused score of the passage
    "first",  # 1 / rank of the passage
    "length",  # log of the sentence's tokens
    "missing_share",  # share of the question's terms, unweighted, that the window and the headings lack
    "lead",  # 1 / position of the sentence in its passage
)
READ = (  # further ones, where a reader has read the passage
    "begins",  # probability that the answer begins in the sentence
    "begins_log",  # its logarithm over that of `LEAST`, from -1 to 0
    "find",  # probability that the passage answers the question
    "find_log",  # its log odds over `FARTHEST`, from -1 to 1
)
LEAST = 1e-3
SURE = 0.6  # score of a piece from which on it is an answer
FARTHEST = 5.0
UNREAD = (0.0, -1.0, 0.0, -1.0)  # of READ: what is least likely
READINGS = 5  # passages read of all: reading is most of the time of an answer
CACHED_CHARS = 4000  # longer texts are not kept
Vector = tuple[float, ...]
_Place = tuple[int, int, int]  # of a passage: number, start, end
Idf = Callable[[Iterable[str]], Mapping[str, float]]

_LEADING_MARK = re.compile(r"^\s*(?:(?:#{1,6}|[-*+>|]|\d{1,3}[.)])\s+)+")
_ENVELOPE = re.compile(r"(?:From|To|Cc|Date|Subject|Attachments): ")  # as `retrieval.load.mail` writes them
_PRONOUN = re.compile(
    r"(?:I|you|he|she|it|we|they)\b|[我你您他她它]", re.I
)  # answers to nobody who has not read on
_BREAK = re.compile(r"[\s,;|]+")  # of words, and of the cells of a table
_EMPHASIS = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")


class Reader(Protocol):
    """Reads passages as possible answers to a question; `agent.verifier.Verifier` is one."""

    def read(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Reading]:
        """What each (question, passage) says."""
        ...


@dataclass(frozen=True)
class Asked:
    """A question, read once."""

    text: str
    lang: Lang
    answer_type: AnswerType
    terms: tuple[str, ...]
    idf: Mapping[str, float]
    tokens: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    names: tuple[tuple[str, ...], ...]
    """Tokens, in order, of each name and number that the question mentions."""
    asides: tuple[Aside, ...] = ()
    """Its words that only say where to look."""
    reader: Reader | None = field(default=None, compare=False, repr=False)
    worded: dict[_Place, list[Candidate]] = field(default_factory=dict, compare=False, repr=False)
    """The candidates of each passage by words alone: draft and critic look at the same."""
    read: dict[tuple[_Place, ...], list[Candidate]] = field(default_factory=dict, compare=False, repr=False)
    """Those of passages together, with what the reader says."""


COLUMNS = " | "  # between the names of a table's columns, in a heading


@dataclass(frozen=True)
class Candidate:
    """A sentence of the evidence. Offsets count in the source text."""

    evidence: int
    start: int
    end: int
    text: str
    tokens: frozenset[str]
    features: Vector
    """Of `FEATURES`, and of `READ` where the question has a reader."""
    missing: frozenset[str]
    """Terms of the question that neither its window nor the headings hold."""
    answer: str = ""
    """The piece of it that answers, where the question's reader is sure of one."""


def ask(question: str, idf: Idf, asides: Sequence[Aside] = (), reader: Reader | None = None) -> Asked:
    """Read a question; `idf` gives the weights of its terms in the library.

    `asides`: its words that only say where to look. `reader`: of what the features of `READ` come from.
    """
    idfs = idf(query_terms(question))
    # Words that share a stem count as one, as rare as the rarer.
    weights = {stem(term): idfs[term] for term in sorted(idfs, key=lambda term: idfs[term])}
    terms = tuple(dict.fromkeys(stem(term) for term in query_terms(question)))
    tokens = stems(question)
    names = [tuple(stems(name)) for name in names_in(question)]
    names += [(token,) for token in tokens if token[0].isdigit()]
    return Asked(
        question,
        language_of(question),
        answer_type_of(question),
        terms,
        weights,
        frozenset(tokens),
        frozenset(pairwise(tokens)),
        tuple(name for name in names if name),
        tuple(asides),
        reader if f"{language_of(question)} read" in _weights() else None,
    )


def candidates(asked: Asked, evidence: Sequence[Evidence]) -> list[Candidate]:
    """Every sentence of the passages that could stand in an answer, with its features."""
    passages = {_place(item): item for item in evidence if item["kind"] == "passage"}
    together = tuple(passages)
    if together not in asked.read:
        for place, item in passages.items():
            if place not in asked.worded:
                asked.worded[place] = _of_passage(asked, item)
        found = {place: asked.worded[place] for place in together}
        if asked.reader:
            found = _with_readings(asked, passages, found)
        asked.read[together] = [candidate for place in together for candidate in found[place]]
    return asked.read[together]


def _with_readings(
    asked: Asked, passages: Mapping[_Place, Evidence], found: Mapping[_Place, list[Candidate]]
) -> dict[_Place, list[Candidate]]:
    """The candidates of each passage, with what the reader says of those whose words promise most."""
    scores = {place: [rank_score(asked.lang, one.features) for one in some] for place, some in found.items()}
    promising = [place for place, some in scores.items() if some]
    likeliest = sorted(promising, key=lambda place: -max(scores[place]))[:READINGS]
    readings = dict(zip(likeliest, _readings(asked, [passages[place] for place in likeliest]), strict=True))
    return {
        place: [_read(one, passages[place], readings.get(place)) for one in some]
        for place, some in found.items()
    }


def _place(item: Evidence) -> _Place:
    return item["number"], item["start"], item["end"]


def _readings(asked: Asked, passages: Sequence[Evidence]) -> Sequence[Reading]:
    """What the question's reader says of each passage, under its title."""
    assert asked.reader is not None
    return asked.reader.read(
        [(_asked_of(asked, item), under(item["title"], item["text"])) for item in passages]
    )


def _read(candidate: Candidate, item: Evidence, reading: Reading | None) -> Candidate:
    """A candidate with what was read of its passage; where it was not, as if nothing spoke for it."""
    if reading is None:
        return replace(candidate, features=candidate.features + UNREAD)
    start, end = candidate.start - item["start"], candidate.end - item["start"]
    return replace(
        candidate,
        features=candidate.features + _read_features(item, reading, start, end),
        answer=_answer_in(item, reading, start, end),
    )


def _asked_of(asked: Asked, item: Evidence) -> str:
    """The question without what the sender, the time and the kind of a passage speak to already."""
    return " ".join(without_asides(asked.text, borne_out(asked.asides, item)).split()) or asked.text


def _read_features(item: Evidence, reading: Reading, start: int, end: int) -> Vector:
    """The values of `READ` for a sentence at item["text"][start:end]."""
    before = len(under(item["title"], ""))
    begins = reading.within(before + start, before + end)
    odds = math.log(max(reading.find, 1e-6) / max(1 - reading.find, 1e-6))
    return (
        begins,
        -math.log(max(begins, LEAST)) / math.log(LEAST),
        reading.find,
        max(-FARTHEST, min(FARTHEST, odds)) / FARTHEST,
    )


def told(asked: Asked, item: Evidence) -> frozenset[str]:
    """Terms of the question that the sender, the time and the kind of a passage speak to.

    To "what did Anna write in March", Anna's message of March need say neither.
    """
    asides = borne_out(asked.asides, item)
    if not asides:
        return frozenset()
    left = {stem(term) for term in query_terms(without_asides(asked.text, asides))}
    return frozenset(asked.terms) - left


def asks_only_whose(asked: Asked) -> bool:
    """Whether a question asks for nothing but what is somebody's, of a time or a kind: "mails from Bob"."""
    return bool(asked.asides) and not beside_asides(asked)


def beside_asides(asked: Asked) -> frozenset[str]:
    """The terms of a question that are not only there to say where to look."""
    if not asked.asides:
        return frozenset(asked.terms)
    left = {stem(term) for term in query_terms(without_asides(asked.text, asked.asides))}
    return frozenset(left) & frozenset(asked.terms)


def _left_open(asked: Asked, spoken: frozenset[str]) -> Asked:
    """The question without terms that a passage need not say: the rest weighs as if asked alone."""
    if not spoken:
        return asked
    return replace(
        asked,
        terms=tuple(term for term in asked.terms if term not in spoken),
        idf={term: weight for term, weight in asked.idf.items() if term not in spoken},
        pairs=frozenset(pair for pair in asked.pairs if not spoken & set(pair)),
        names=tuple(name for name in asked.names if not spoken.issuperset(name)),
    )


def spanned(item: Evidence, span: Span) -> str:
    """The text of a span that lies in the evidence."""
    return item["text"][span["start"] - item["start"] : span["end"] - item["start"]]


def _answer_in(item: Evidence, reading: Reading, start: int, end: int) -> str:
    """The best piece of a passage where it is sure and lies in item["text"][start:end]."""
    span, before = reading.span, len(under(item["title"], ""))
    if span is None or span.score < SURE or span.start < before + start or before + end < span.end:
        return ""
    piece = item["text"][span.start - before : span.end - before]
    return "" if _PRONOUN.match(piece) else piece


def _of_passage(asked: Asked, item: Evidence) -> list[Candidate]:
    """The candidates of a passage, told by words alone."""
    text = item["text"]
    spans = sentences(text)
    tokens = [stems(text[start:end]) for start, end in spans]
    context_tokens = stems(f"{item['title']} {item['heading']}")
    spoken, others = told(asked, item), _to_be_named(asked, item)
    envelope = bool(asked.asides)
    columns = frozenset(context_tokens) if COLUMNS in item["heading"] else frozenset()  # a row means by them
    if not spoken.issuperset(asked.terms):
        asked, spoken = _left_open(asked, spoken), frozenset()
    context = spoken.union(context_tokens)
    passage = context.union(*tokens) if tokens else context
    in_order = [*context_tokens, *(t for row in tokens for t in row)]
    shared = _passage_features(asked, item, passage, in_order, spoken)
    around = f"{item['title']} / {item['heading']}"
    found = []
    for n, (start, end) in enumerate(spans):
        sentence = text[start:end]
        if not _could_answer(asked, sentence, tokens[n]) or (envelope and _is_envelope(asked, sentence)):
            continue
        if others and others.isdisjoint(tokens[n] if item.get("who") else passage):
            continue
        if of_another(asked.text, sentence, around):
            continue
        near = spoken.union(token for row in tokens[max(0, n - 1) : n + 2] for token in row)
        own = frozenset(tokens[n])
        missing = frozenset(uncovered(asked, near | context))
        values = {
            **shared,
            "cover_sentence": cover(asked, own | spoken | columns),
            "cover_window": cover(asked, near),
            "phrase": _phrase(asked, tokens[n]),
            "type_match": has_answer_of_type(asked.answer_type, sentence, asked.text),
            "length": math.log1p(len(tokens[n])),
            "missing_share": len(missing) / max(len(asked.terms), 1),
            "lead": 1 / (1 + n),
        }
        features = tuple(values[name] for name in FEATURES)
        at = item["start"] + start
        found.append(Candidate(item["number"], at, at + len(sentence), sentence, own, features, missing))
    return found


def _passage_features(
    asked: Asked, item: Evidence, passage: frozenset[str], in_order: Sequence[str], spoken: frozenset[str]
) -> dict[str, float]:
    largest = max(asked.idf.values(), default=1.0) or 1.0
    missing = [asked.idf[term] for term in asked.terms if term not in passage]
    lacking = [name for name in asked.names if not says(in_order, name) and not spoken.issuperset(name)]
    return {
        "cover_passage": cover(asked, passage),
        "rare_missing": max(missing, default=0.0) / largest,
        "names_missing": len(lacking) / len(asked.names) if asked.names else 0.0,
        "cosine": max(item["cosine"], 0.0),
        "score": item["score"],
        "first": 1 / max(item["number"], 1),
    }


def _could_answer(asked: Asked, sentence: str, tokens: Sequence[str]) -> bool:
    """Not a heading, code, a bare name or a table rule; not a question, nor the question said again."""
    if sentence.lstrip().startswith(("#", "```", "~~~")) or len(tokens) < 3:
        return False
    if is_question(sentence) or _repeats(asked, sentence, tokens):
        return False
    return has_cjk(sentence) or len(_BREAK.split(sentence.strip())) >= 3


def is_question(sentence: str) -> bool:
    return sentence.rstrip("\"'”」*） )").endswith(("?", "？"))


def _to_be_named(asked: Asked, item: Evidence) -> frozenset[str]:
    """Tokens of which a sentence has to hold one, where others speak than the one whose words are asked for.

    "Anna said no" in Bob's message is an answer, his own "no" is none; where nobody speaks, the passage has
    to hold one. Empty where nothing has to be named.
    """
    asides = [one.where["who"] for one in asked.asides if one.where.get("who")]
    own = {name for who in asides for name in who}
    if not own or (item.get("who") and own.issuperset(item["who"])):
        return frozenset()
    return frozenset(token for name in own for token in stems(name_of(name)))


def _is_envelope(asked: Asked, sentence: str) -> bool:
    """Whether a sentence is a line over a mail, which its sender does not say; not to "who" and "when"."""
    return asked.answer_type not in ("person", "date") and bool(_ENVELOPE.match(sentence))


def _repeats(asked: Asked, sentence: str, tokens: Sequence[str]) -> bool:
    """Whether a sentence only says the question again, in Chinese perhaps without its question words."""
    if asked.lang == "zh":
        return not {c for c in simplified(sentence) if c.isalnum()} - set(simplified(asked.text))
    return not set(tokens) - asked.tokens


def stems(text: str) -> list[str]:
    """Lexical tokens with English words stemmed, so that "died" answers "die"."""
    return list(_stems(text) if len(text) <= CACHED_CHARS else _stems.__wrapped__(text))


@lru_cache(4096)  # the sentences of a run's passages are read by the draft, the critic and every round
def _stems(text: str) -> tuple[str, ...]:
    return tuple(stem(token) for token in lexical_tokens(text))


def says(tokens: Sequence[str], name: Sequence[str]) -> bool:
    """Whether a name stands in a text, its tokens side by side: "GPT-4 ... 5000" does not say "GPT-5".

    Chinese words longer than a pair of characters follow the pairs of their run, so the pairs alone tell.
    """
    if len(name) == 1 and len(name[0]) == 1 and has_cjk(name[0]):
        return any(name[0] in token for token in tokens)
    name = [token for token in name if len(token) <= 2 or not has_cjk(token)] or name
    n = len(name)
    first = name[0]
    return any(
        tokens[i] == first and tuple(tokens[i : i + n]) == tuple(name) for i in range(len(tokens) - n + 1)
    )


def cover(asked: Asked, tokens: frozenset[str]) -> float:
    """Share of the question's terms that are among the tokens, weighted by idf, in [0, 1]."""
    total = sum(asked.idf.values())
    return sum(asked.idf[t] for t in asked.terms if t in tokens) / total if total else 0.0


def _phrase(asked: Asked, tokens: Sequence[str]) -> float:
    return len(asked.pairs & set(pairwise(tokens))) / len(asked.pairs) if asked.pairs else 0.0


def uncovered(asked: Asked, tokens: frozenset[str]) -> list[str]:
    """Terms of the question that are not among the tokens, rarest first."""
    return sorted((t for t in asked.terms if t not in tokens), key=lambda t: -asked.idf[t])


def plain(sentence: str) -> str:
    """A quoted sentence as it is shown: without Markdown marks, on one line.

    A line break within Chinese text leaves nothing, elsewhere a space.
    """
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", sentence)
    text = _EMPHASIS.sub(r"\2", _LEADING_MARK.sub("", text))
    return " ".join(unwrapped(text).split())


def unwrapped(text: str) -> str:
    """Chinese text without the line breaks within it, which may cut a word or a number in two."""
    return _WRAPPED.sub("", text) if "\n" in text else text


_WRAPPED = re.compile(r"(?<=[\u3000-\u9fff，。])\s*\n\s*(?=[\u3000-\u9fff])")


@cache
def _weights() -> dict[str, dict[str, list[float]]]:
    loaded: dict[str, dict[str, list[float]]] = json.loads(
        files("agent.reasoners").joinpath("weights.json").read_text(encoding="utf-8")
    )
    return loaded


def fitted_with() -> str:
    """The beginning of the SHA-256 of the verifier that the weights for a reader were fitted with."""
    return str(_weights()["fitted_with"])


def _fitted(lang: Lang, features: Vector) -> dict[str, list[float]]:
    """The weights of a language, those with a reader where the features have what it said."""
    return _weights()[lang if len(features) == len(FEATURES) else f"{lang} read"]


def rank_score(lang: Lang, features: Vector) -> float:
    """Higher is a better sentence for the question; comparable within one question."""
    products: Iterable[float] = map(operator.mul, _fitted(lang, features)["rank"], features)
    return sum(products)


def answer_inputs(scores: Sequence[float], passages: Sequence[int], best: int) -> tuple[float, ...]:
    """What the rank scores of all candidates say about the best one, for `answer_probability`.

    `passages`: the evidence number of each. In order: the lead over the best of another passage and over the
    next sentence, at most 3 each; the score itself; how much of the mass of the ranking the others
    hold, as the log of its sum.
    """
    top = scores[best]
    others = [score for score, passage in zip(scores, passages, strict=True) if passage != passages[best]]
    rest = [score for n, score in enumerate(scores) if n != best]
    mass = math.log(sum(math.exp(min(score - top, 30.0)) for score in scores))
    return min(top - max(others, default=-9.0), 3.0), min(top - max(rest, default=-9.0), 3.0), top, mass


def answer_probability(asked: Asked, found: Sequence[Candidate], best: Candidate) -> float:
    """Calibrated probability in [0, 1] that the sentence `best`, one of `found`, answers the question."""
    scores = [rank_score(asked.lang, candidate.features) for candidate in found]
    inputs = answer_inputs(scores, [candidate.evidence for candidate in found], found.index(best))
    weights = _fitted(asked.lang, best.features)["answer"]  # the bias first
    total = weights[0]
    total += sum(w * x for w, x in zip(weights[1:], (*inputs, *best.features), strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))
