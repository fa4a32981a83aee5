"""Moves of reformulation: each turns what failed into new queries. Small pure functions, one registry.

A move looks at the failure and gives nothing where it does not apply; `propose` asks the moves in order and
leaves out what was tried. They see words, titles and names; none of them searches or reads for meaning.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.critic.facts import chinese_names
from agent.reasoners.features import Asked, Idf, cover, stems, uncovered
from agent.reasoners.language import names_in
from agent.state import Evidence, Query
from retrieval.split import sentences
from retrieval.tokens import (
    CJK,
    STOP_WORDS,
    fold,
    is_chinese,
    lexical_tokens,
    query_terms,
    simplified,
    stem,
    words_of,
)

MAX_QUERIES = 40  # in one round
BRIDGE_PASSAGES = 4  # as many best passages ...
BRIDGE_NAMES = 8  # ... and as many names of each are bridged from: chosen on dev data (evals/LOG.md)
OPEN_WORDS = 8  # words of the question joined to a name
FEEDBACK_PASSAGES = 3
FEEDBACK_TERMS = 6
VARIANTS = 4  # near words put in place of one

_LATIN = re.compile(r"[a-z]{4,}")
_LETTER = "A-Za-zÀ-ɏ"
_WORD = re.compile(f"[{_LETTER}]+")
_CHINESE = re.compile(f"[{CJK}·]{{2,20}}")
_BRACKET = re.compile("[（(]")
_GLOSS = f"(?<![{_LETTER}])[{_LETTER}][{_LETTER}0-9 .&'’-]{{1,60}}"


@dataclass(frozen=True)
class Failure:
    """What a round left open."""

    asked: Asked
    passages: Sequence[Evidence]
    """What was found, most promising first."""
    missing: Sequence[str]
    """Words of the question that nothing cited covers, as a person would read them."""
    counts: Mapping[str, int]
    """In how many chunks of the library each term of the question occurs."""
    idf: Idf
    near: Callable[[str], Mapping[str, int]]
    """Terms of the library that begin with a prefix, with the number of chunks they occur in."""


Move = Callable[[Failure], list[Query]]


def question_query(text: str) -> Query:
    return new_query(text, "question")


def new_query(text: str, move: str) -> Query:
    return {"text": text, "move": move, "name": "", "rank": 0, "cover": 0.0, "open": []}


def propose(failure: Failure, moves: Sequence[str], tried: Sequence[str]) -> list[Query]:
    """New queries of these moves, in their order; none with the words of one tried, at most MAX_QUERIES."""
    known = {frozenset(query_terms(text)) for text in tried}
    fresh: list[Query] = []
    for name in moves:
        for query in MOVES[name](failure):
            words = frozenset(query_terms(query["text"]))
            if words and words not in known:
                known.add(words)
                fresh.append(query)
    return fresh[:MAX_QUERIES]


def spelling(failure: Failure) -> list[Query]:
    """The question with each word that the library does not know replaced by the nearest that it does.

    Nearest by optimal string alignment (Damerau 1964): one edit, two in a word of eight letters or more;
    among equals the commonest.
    """
    repaired = failure.asked.text
    for term, count in failure.counts.items():
        if count == 0 and _misspelt(term, failure.counts):
            known = _nearest_term(term, failure.near(term[:1]))
            if known:
                repaired = _replaced(repaired, term, known)
    return [new_query(repaired, "spelling")] if repaired != failure.asked.text else []


def near_words(failure: Failure) -> list[Query]:
    """The question with other forms, from the library's own vocabulary, of the words it did not find."""
    added: list[str] = []
    wanted = {token for word in failure.missing for token in lexical_tokens(word)}
    for term, count in failure.counts.items():
        if _LATIN.fullmatch(term) and (count == 0 or term in wanted):
            added += _variants(term, failure.near(term[: max(4, len(stem(term)) - 1)]))
    return [new_query(" ".join([failure.asked.text, *added]), "near")] if added else []


def bridge(failure: Failure) -> list[Query]:
    """Names found in the best passages, joined to the words of the question that each leaves open.

    The step from one document to the next of a multi-hop question (Yang et al. 2018, "HotpotQA", section 2).
    """
    found: list[Query] = []
    for rank, item in enumerate(failure.passages[:BRIDGE_PASSAGES]):
        own = frozenset(stems(f"{item['title']} {item['heading']} {item['text']}"))
        open_terms = uncovered(failure.asked, own)
        words = words_of(failure.asked.text, open_terms)[:OPEN_WORDS]
        for name in _bridging_names(failure.asked, item)[:BRIDGE_NAMES]:
            query = new_query(" ".join([name, *words]), "bridge")
            covered = round(cover(failure.asked, own), 4)
            found.append({**query, "name": name, "rank": rank, "cover": covered, "open": open_terms})
    return found


def feedback(failure: Failure) -> list[Query]:
    """The question with the most telling words of the best passages.

    Relevance model RM3 (Abdul-Jaleel et al. 2004, "UMass at TREC 2004"), with word counts weighted by the
    passage's score and by idf in place of the collection model.
    """
    weights: dict[str, float] = defaultdict(float)
    for item in failure.passages[:FEEDBACK_PASSAGES]:
        counts = Counter(t for t in lexical_tokens(item["text"]) if t not in STOP_WORDS and len(t) > 1)
        length = sum(counts.values()) or 1
        for term, count in counts.most_common(40):
            weights[term] += item["score"] * count / length
    for term in query_terms(failure.asked.text):
        weights.pop(term, None)
    best = sorted(weights, key=lambda term: -weights[term])[: 4 * FEEDBACK_TERMS]
    rarity = failure.idf(best)
    best.sort(key=lambda term: -weights[term] * rarity[term])
    return [new_query(" ".join([failure.asked.text, *best[:FEEDBACK_TERMS]]), "feedback")] if best else []


def narrow(failure: Failure) -> list[Query]:
    """The names of the question alone, and each name with the words still open: common words drown them."""
    asked = failure.asked
    names = [name for name in names_in(asked.text) if query_terms(name)]
    rest = [word for word in failure.missing if not any(_stands_in(word, name) for name in names)]
    texts = [" ".join([name, *rest[:OPEN_WORDS]]) for name in names]
    return [new_query(text, "narrow") for text in [*names, *texts] if len(names) > 1 or rest]


def widen(failure: Failure) -> list[Query]:
    """The question without its rarest words, of which the library may use others."""
    terms = sorted(failure.counts, key=lambda term: failure.counts[term])
    kept = terms[max(1, len(terms) // 3) :]
    words = words_of(failure.asked.text, kept)
    return [new_query(" ".join(words), "widen")] if len(kept) > 1 and words else []


def gloss(failure: Failure) -> list[Query]:
    """The question's words in the other language, where a passage glosses them: 图尔敏（Toulmin）."""
    question = simplified(failure.asked.text)
    texts = [f"{item['title']}\n{item['text']}" for item in failure.passages]
    words = [*names_in(question), *words_of(question, list(failure.counts))]
    both = [(text, simplified(text)) for text in texts]
    words += [word for _, plain in both for word in _bracketed(question, plain)]
    found = [other for word in dict.fromkeys(words) for other in _glosses(word, both)]
    return [new_query(" ".join(dict.fromkeys(found)), "gloss")] if found else []


# In the order in which they are asked.
MOVES: dict[str, Move] = {
    "spelling": spelling,
    "near": near_words,
    "gloss": gloss,
    "bridge": bridge,
    "feedback": feedback,
    "narrow": narrow,
    "widen": widen,
}


def _bridging_names(asked: Asked, item: Evidence) -> list[str]:
    """Names of a passage that the question lacks: its title, then those beside the question's words."""
    names: dict[str, str] = {}
    text = item["text"]
    chinese = sorted(chinese_names(text), key=text.find)
    for name in [item["title"], *names_in(text), *chinese]:
        if query_terms(name) and not _stands_in(name, asked.text):
            names.setdefault(name.lower(), name)
    rows = [frozenset(stems(item["text"][start:end])) for start, end in sentences(item["text"])]

    def nearness(place_and_name: tuple[int, str]) -> float:
        place, name = place_and_name
        own = frozenset(stems(name))
        return max((cover(asked, row) for row in rows if own <= row), default=0.0) + 1 / (1 + place)

    return [name for _, name in sorted(enumerate(names.values()), key=lambda pair: -nearness(pair))]


def _nearest_term(term: str, known: Mapping[str, int]) -> str:
    """The known term at the least distance, or "" where none is near enough.

    A Chinese word keeps its length: in writing one character is taken for another, hardly ever left out.
    """
    chinese = is_chinese(term)
    if len(term) < (3 if chinese else 4) or not (chinese or _LATIN.fullmatch(term)):
        return ""
    allowed = 2 if len(term) >= 8 else 1
    longer = 0 if chinese else allowed
    letters = set(term)
    best = ("", allowed + 1, 0)
    for other, count in known.items():
        if other == term:  # known from an earlier question alone, in which it was misspelt as well
            continue
        # Each letter that only one of them has costs an edit, and the distance is slow.
        if abs(len(other) - len(term)) <= longer and len(letters - set(other)) <= allowed and other.isalpha():
            distance = edits(term, other)
            if (distance, -count) < (best[1], -best[2]):
                best = (other, distance, count)
    return best[0]


def edits(left: str, right: str) -> int:
    """Optimal string alignment distance: insertions, deletions, substitutions, neighbours exchanged."""
    before, row = list(range(len(right) + 1)), list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def _variants(term: str, known: Mapping[str, int]) -> list[str]:
    """Other forms of a word: same stem, or one stem the beginning of the other; the commonest first."""
    own = stem(term)
    forms = []
    for other in known:
        if other != term and _LATIN.fullmatch(other):
            stemmed = stem(other)
            if stemmed.startswith(own) or own.startswith(stemmed):
                forms.append(other)
    return sorted(forms, key=lambda other: -known[other])[:VARIANTS]


def _misspelt(term: str, counts: Mapping[str, int]) -> bool:
    """Whether a term of the question may be misspelt; not a Chinese word that is only segmented otherwise."""
    pairs = [term[i : i + 2] for i in range(len(term) - 1)]
    return not is_chinese(term) or any(counts.get(pair) == 0 for pair in pairs)


def _replaced(text: str, term: str, known: str) -> str:
    if is_chinese(term):
        for match in re.finditer(re.escape(term), simplified(text)):
            text = text[: match.start()] + known + text[match.end() :]  # as long as the term
        return text
    return _WORD.sub(lambda match: known if fold(match.group()) == term else match.group(), text)


def _stands_in(name: str, text: str) -> bool:
    """Whether a text says a name: "Stanford" does not say "Ford"; Chinese has no word boundaries."""
    if is_chinese(name):
        return simplified(name) in simplified(text)
    return (
        re.search(rf"(?<![{_LETTER}0-9]){re.escape(name)}(?![{_LETTER}0-9])", text, re.IGNORECASE) is not None
    )


def _bracketed(question: str, text: str) -> Iterator[str]:
    """Chinese words of a question that stand at brackets in a text: segmentation cuts names apart."""
    for match in _BRACKET.finditer(text):
        before = text[max(0, match.start() - 10) : match.start()].rstrip("”」》 ")
        ends = (before[-n:] for n in range(len(before), 1, -1))
        yield from [end for end in ends if _CHINESE.fullmatch(end) and end in question][:1]
        within = _CHINESE.match(text, match.end())
        if within and within.group() in question:
            yield within.group()


def _glosses(word: str, texts: Sequence[tuple[str, str]]) -> list[str]:
    """What stands in brackets after a word, or before the brackets that hold it, in the other language.

    `texts`: each as written, and in simplified characters, in which it is searched.
    """
    other = _GLOSS if is_chinese(word) else f"[{CJK}·]{{2,20}}"
    whole = re.escape(word) if is_chinese(word) else rf"(?<![{_LETTER}]){re.escape(word)}"
    inside = re.compile(rf"{whole}[”」》]?\s*[（(]({other})[）),，;；]", re.IGNORECASE)
    outside = re.compile(rf"({other})[”」》]?\s*[（(]{re.escape(word)}[）),，;；]", re.IGNORECASE)
    found = []
    for text, plain in texts:
        if word.lower() in plain.lower():  # the patterns are slow
            matches = [match for pattern in (inside, outside) if (match := pattern.search(plain))]
            found += [text[slice(*match.span(1))].strip() for match in matches]
    return found
