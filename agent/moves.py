"""Moves of reformulation: each turns what failed into new queries. Small pure functions, one registry.

A move looks at the failure and gives nothing where it does not apply; `propose` asks the moves in order and
leaves out what was tried. They see words, titles and names; none of them searches or reads for meaning.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from agent.critic.facts import chinese_names
from agent.reasoners.features import Asked, Idf, cover, stems, told, uncovered
from agent.reasoners.language import names_in
from agent.state import Evidence, Query, Span
from retrieval.split import sentences
from retrieval.tokens import (
    CJK,
    STOP_WORDS,
    fold,
    is_chinese,
    is_common_word,
    lexical_tokens,
    query_terms,
    segments,
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
MAX_CHARACTERS = 300  # tried in place of a wrong one, the commonest
VARIANTS = 4  # near words put in place of one

_LATIN = re.compile(r"[a-z]{4,}")
_LETTER = "A-Za-zÀ-ɏ"
_WORD = re.compile(f"[{_LETTER}]+")
_LETTER_OR_DIGIT = re.compile(f"[{_LETTER}0-9]")
_CHINESE = re.compile(f"[{CJK}·]{{2,20}}")
_PARTICLES = frozenset("的了是在和与及或也都而之其这那被把对于以为从到就将并且所则但由又着还曾已即该向")
# Characters that are words of their own, so that what stands beside them tells nothing.
_OWN_WORDS = _PARTICLES | frozenset(
    "有等地得过自因让给比用每各某此个次种名位座条项年月日时天人者家上下中内外前后里不没无未很最更只再才能会可要想应须当使令做来去说看住问答叫称名几多少大小"
)
_NOT_CJK = re.compile(f"[^{CJK}]+")
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
    ending: Callable[[str], Mapping[str, int]]
    """Pairs of Chinese characters that end in one, likewise."""
    phrases: Callable[[Sequence[str]], Mapping[str, int]]
    """In how many chunks terms, joined by spaces, stand side by side."""
    is_word: Callable[[str], bool]
    """Whether a lower-case word is known to be one, though the library lacks it."""


Move = Callable[[Failure], list[Query]]


def question_query(text: str) -> Query:
    return new_query(text, "question")


def new_query(text: str, move: str) -> Query:
    return {"text": text, "move": move, "name": "", "rank": 0, "cover": 0.0, "open": [], "link": None}


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

    Nearest by optimal string alignment (Damerau 1964) with the first letter kept: one edit, two in a word of
    eight letters or more; among equals the commonest. Of Chinese, a character that is part of no known word.
    """
    repaired = failure.asked.text
    for term, count in failure.counts.items():
        if count == 0 and _misspelt(term, failure):
            known = _nearest_term(term, failure.near(term[:1]))
            if known and (not is_chinese(term) or _wrong_where_they_differ(term, known, failure.counts)):
                repaired = _replaced(repaired, term, known)
    repaired = _characters_mended(repaired, failure)
    return [new_query(repaired, "spelling")] if repaired != failure.asked.text else []


def respelt(question: str, queries: Sequence[Query]) -> str:
    """The question as it is to be read, where `spelling` mended Latin words of it; else "".

    A Chinese character that is taken for a wrong one is often that of a name which no document has.
    """
    read = next((query["text"] for query in queries if query["move"] == "spelling"), "")
    return read if read and _NOT_CJK.sub("", read) == _NOT_CJK.sub("", question) else ""


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
        own = told(failure.asked, item).union(stems(f"{item['title']} {item['heading']} {item['text']}"))
        open_terms = uncovered(failure.asked, own)
        words = words_of(failure.asked.text, open_terms)[:OPEN_WORDS]
        covered = round(cover(failure.asked, own), 4)
        rows = _rows(item)
        for name in _bridging_names(failure.asked, item, rows)[:BRIDGE_NAMES]:
            found.append(
                {
                    **new_query(" ".join([name, *words]), "bridge"),
                    "name": name,
                    "rank": rank,
                    "cover": covered,
                    "open": open_terms,
                    "link": _link(failure.asked, item, rows, name),
                }
            )
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


# In the order in which they are asked. By default those that gained something: evals/LOG.md, 2026-11-22.
DEFAULT_MOVES = ("spelling", "bridge", "feedback")
MOVES: dict[str, Move] = {
    "spelling": spelling,
    "near": near_words,
    "gloss": gloss,
    "bridge": bridge,
    "feedback": feedback,
    "narrow": narrow,
    "widen": widen,
}


Row = tuple[int, int, frozenset[str]]  # a sentence's span in a passage, and its tokens


def _rows(item: Evidence) -> list[Row]:
    return [(start, end, frozenset(stems(item["text"][start:end]))) for start, end in sentences(item["text"])]


def _link(asked: Asked, item: Evidence, rows: Sequence[Row], name: str) -> Span | None:
    """The sentence that says the name, the one nearest to the question; any where only the title does."""
    said = [row for row in rows if frozenset(stems(name)) <= row[2]] or list(rows)
    if not said:
        return None
    start, end, _ = max(said, key=lambda row: cover(asked, row[2]))
    place = item["start"]
    return {"evidence": item["number"], "start": place + start, "end": place + end}


def _bridging_names(asked: Asked, item: Evidence, rows: Sequence[Row]) -> list[str]:
    """Names of a passage that the question lacks: its title, then those beside the question's words."""
    names: dict[str, str] = {}
    text = item["text"]
    chinese = sorted(chinese_names(text), key=text.find)
    for name in [item["title"], *names_in(text), *chinese]:
        if query_terms(name) and not _stands_in(name, asked.text):
            names.setdefault(name.lower(), name)

    def nearness(place_and_name: tuple[int, str]) -> float:
        place, name = place_and_name
        own = frozenset(stems(name))
        return max((cover(asked, row) for _, _, row in rows if own <= row), default=0.0) + 1 / (1 + place)

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
    letters, own = set(term), stem(term)
    if term != own and any(other != term and stem(other) == own for other in known):
        return ""  # another form of a word that is there, for `near_words`
    best = ("", allowed + 1, 0)
    for other, count in known.items():
        if other == term:  # known from an earlier question alone, in which it was misspelt as well
            continue
        # Each letter that only one of them has costs an edit, and the distance is slow.
        if abs(len(other) - len(term)) <= longer and len(letters - set(other)) <= allowed and other.isalpha():
            distance = edits(term, other)
            if distance <= allowed and (distance, -count) < (best[1], -best[2]):
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


def _misspelt(term: str, failure: Failure) -> bool:
    """Whether a term of the question may be misspelt; not a Chinese word that is only segmented otherwise."""
    if not is_chinese(term):
        return not _is_real(term, failure.is_word)
    return not is_common_word(term) and any(failure.counts.get(pair) == 0 for pair in _pairs(term))


def _is_real(word: str, is_word: Callable[[str], bool]) -> bool:
    """Whether a word or what it is a form of is known: "listens", "carried", "hoping"."""
    own = stem(word)
    bases = [own, f"{own}e", f"{own[:-1]}y"]
    if is_word(word) or word == own:  # "telescop" is no form of "telescope"
        return is_word(word)
    return any(len(base) > 3 and stem(base) == own and is_word(base) for base in bases)


def _pairs(term: str) -> list[str]:
    return [term[i : i + 2] for i in range(len(term) - 1)]


def _characters_mended(text: str, failure: Failure) -> str:
    """A text with each wrong Chinese character replaced, where the library has its neighbours with another.

    Wrong is one that makes no word with its neighbours, neither in the dictionary nor in the library. No
    table of sounds or shapes is asked: what stands around it must agree.
    """
    for start, end in _stretches(text):
        for place in range(start, end):
            run = simplified(text)[start:end]
            if _is_wrong(run, place - start, failure.counts):
                better = _better(run, place - start, failure)
                text = text[:place] + (better or text[place]) + text[place + 1 :]
    return text


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Spans of at least three Chinese characters without a stop word or a particle among them."""
    plain = simplified(text)
    parting = {n for n, char in enumerate(plain) if char in _PARTICLES or not _CHINESE.fullmatch(char + "·")}
    parting.update(n for a, b in segments(text) if plain[a:b] in STOP_WORDS for n in range(a, b))
    edges = [-1, *sorted(parting), len(text)]
    yield from ((a + 1, b) for a, b in pairwise(edges) if b - a > 3)


def _is_wrong(run: str, place: int, counts: Mapping[str, int]) -> bool:
    """Whether neither the library nor the dictionary knows a character together with a neighbour."""
    if run[place] in _OWN_WORDS:
        return False
    own = [run[a : a + 2] for a in (place - 1, place) if 0 <= a < len(run) - 1]
    if any(counts.get(pair) != 0 for pair in own):
        return False
    return not any(
        is_common_word(run[a:b])
        for a in range(max(0, place - 3), place + 1)
        for b in range(max(place + 1, a + 2), min(len(run), a + 4) + 1)
    )


def _wrong_where_they_differ(term: str, known: str, counts: Mapping[str, int]) -> bool:
    differing = [place for place, (a, b) in enumerate(zip(term, known, strict=True)) if a != b]
    return all(_is_wrong(term, place, counts) for place in differing)


def _better(run: str, place: int, failure: Failure) -> str:
    """The character with which the library has the widest part of a run around a place, or ""."""
    before, after = run[max(0, place - 1) : place], run[place + 1 : place + 2]
    pairs = failure.near(before) if before else failure.ending(after)
    found = {pair[1] if before else pair[0]: n for pair, n in pairs.items() if len(pair) == 2}
    found = {char: n for char, n in found.items() if char not in _OWN_WORDS}
    chars = sorted(found, key=lambda char: -found[char])[:MAX_CHARACTERS]
    for a, b in _windows(len(run), place):
        written = {" ".join(_pairs(run[a:place] + char + run[place + 1 : b])): char for char in chars}
        counts = failure.phrases(list(written))
        best = max(written, key=lambda phrase: counts[phrase], default="")
        if best and counts[best]:
            char = written[best]
            mended = run[a:place] + char + run[place + 1 : b]
            enough = b - a > 3 or _in_a_word(mended, place - a, 2 if a < place < b - 1 else 3)
            return char if enough else ""
    return ""


def _in_a_word(run: str, place: int, least: int) -> bool:
    """Whether the character at a place is part of a known word of `least` characters or more, or of three."""
    start, end = next(span for span in segments(run) if span[0] <= place < span[1])
    return end - start > 2 or (end - start >= least and is_common_word(run[start:end]))


def _windows(length: int, place: int) -> list[tuple[int, int]]:
    """Parts of a run that tell what a character should be, widest first.

    A neighbour on either side, or three on one side; two where there are no more in the run.
    """
    found = []
    for a in range(max(0, place - 3), place + 1):
        for b in range(place + 1, min(length, place + 4) + 1):
            if (a < place < b - 1) or b - a >= 4 or (b - a == 3 == length):
                found.append((a, b))
    return sorted(found, key=lambda span: span[0] - span[1])


def _replaced(text: str, term: str, known: str) -> str:
    if is_chinese(term):
        for match in re.finditer(re.escape(term), simplified(text)):
            text = text[: match.start()] + known + text[match.end() :]  # as long as the term
        return text

    def mended(match: re.Match[str]) -> str:
        word = match.group()
        if fold(word) != term:
            return word
        return known.upper() if word.isupper() else known.capitalize() if word[0].isupper() else known

    return _WORD.sub(mended, text)


def _stands_in(name: str, text: str) -> bool:
    """Whether a text says a name: "Stanford" does not say "Ford"; Chinese has no word boundaries."""
    if is_chinese(name):
        return simplified(name) in simplified(text)
    name, text, start = name.lower(), text.lower(), -1
    while (start := text.find(name, start + 1)) >= 0:  # a pattern for each name would have to be compiled
        around = text[max(0, start - 1) : start] + text[start + len(name) :][:1]
        if not _LETTER_OR_DIGIT.search(around):
            return True
    return False


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
