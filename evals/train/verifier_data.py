"""The examples that the verifier learns from: `reader_train` and `faithfulness_train`, never dev data.

An example is a question or a claim beside a piece of a passage, with what is known of the three answers.
Questions: the human ones with their paragraph, and beside them ones that it does not answer (written so by
people, the best wrong hits of BM25, a neighbour in the article, the paragraph without the sentence that
answers, and questions whose name, number or date was exchanged). Claims: the human judgements, some of the
derived ones, and sentences of the paragraphs, rewritten soundly or made false by `evals.faults`.
Deterministic for a seed. It tokenises nothing.
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from evals.data import Row, read_rows
from evals.faults import TRAINING, name
from evals.metrics import contains
from evals.places import Corpus, Place, is_whole, read_corpus, words_of
from evals.rewrites import rewritings
from evals.value_faults import date, number
from retrieval.split import sentences
from retrieval.tokens import is_chinese, lexical_tokens, query_terms

Span = tuple[int, int]

# One title or context in so many is kept from training, for calibration and what is fitted over the scores.
HELD_OUT = 12
# Questions of these read like those of an encyclopedia; reviews and posts are a change, and fewer.
TAKEN = {
    "squad": 1.0,
    "squadshifts-new_wiki": 1.0,
    "squadshifts-amazon_reviews": 0.3,
    "squadshifts-reddit": 0.3,
    "cmrc2018": 0.55,
    "drcd": 0.55,
}
DERIVED = 0.1  # of the rows made by rule
KINDS_OF_NEGATIVE = ("neighbour", "bm25", "without", "near miss")
NEGATIVES = 0.4  # for each question with an answer, beside the human ones without
FAULTY = {"en": 4400, "zh": 1800}  # sentences made false, and as many sound ones
SHORTEST, LONGEST = {"en": 180, "zh": 60}, {"en": 430, "zh": 150}  # characters of a piece
WHOLE = 0.15  # of the paragraphs are read whole: they fill the window
TITLED = 0.5  # of the pieces of these sources begin with the title, as passages are read and claims checked
WITH_TITLES = ("squad", "cmrc2018", "drcd")
PREMISE = {"en": 650, "zh": 180}  # characters of a premise: about the window


@dataclass(frozen=True)
class Example:
    """`first` is the question or the claim. None: not known of this pair."""

    task: str
    """answer or check."""
    lang: str
    source: str
    first: str
    passage: str
    spans: list[Span]
    """The answers in the passage; none, where it holds none."""
    find: int | None = None
    check: int | None = None
    weight: float = 1.0
    held_out: bool = False


def prepare(data: Path, cache: Path, seed: int = 0, *, all_questions: bool = False) -> list[Example]:
    """All examples, in random order; made once and kept in `cache`. `all_questions`: not only `TAKEN`."""
    if not cache.exists():
        rng = Random(seed)
        taken = dict.fromkeys(TAKEN, 1.0) if all_questions else TAKEN
        made = [*questions(read_rows(data / "reader_train.jsonl.gz"), rng, taken)]
        made += judged(read_rows(data / "faithfulness_train.jsonl.gz"), rng)
        made += faulty(read_rows(data / "reader_train.jsonl.gz"), rng)
        rng.shuffle(made)
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_suffix(".part")
        with gzip.open(part, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in made)
        os.replace(part, cache)
    return read_examples(cache)


def examples_file(folder: Path, seed: int) -> Path:
    """Where a training keeps its examples."""
    return folder / f"examples-{seed}.jsonl.gz"


def read_examples(cache: Path) -> list[Example]:
    rows = read_rows(cache)
    return [Example(**{**row, "spans": [(a, b) for a, b in row["spans"]]}) for row in rows]


def _lang(row: Row) -> str:
    return "zh" if row["lang"].startswith("zh") else "en"


def _held_out(text: str) -> bool:
    return sum(text[:80].encode()) % HELD_OUT == 0


def is_held_out(row: Row) -> bool:
    """Whether a row of `reader_train` is kept from training, with all questions about it."""
    return _held_out(row["title"] if row["source"] in WITH_TITLES else row["context"])


# --- pieces of a passage ----------------------------------------------------------------------


def piece(text: str, around: Span, rng: Random) -> Span:
    """Neighbouring sentences around a span, mostly not the whole: of short pieces more are learnt from."""
    if rng.random() < WHOLE:
        return 0, len(text)
    lang = "zh" if is_chinese(text) else "en"
    wanted = rng.randint(SHORTEST[lang], LONGEST[lang])
    spans = sentences(text) or [(0, len(text))]
    inside = [n for n, (a, b) in enumerate(spans) if a < around[1] and around[0] < b] or [0]
    low, high = inside[0], inside[-1]
    while spans[high][1] - spans[low][0] < wanted and (low > 0 or high < len(spans) - 1):
        down = low > 0 and (high == len(spans) - 1 or rng.random() < 0.5)
        low, high = (low - 1, high) if down else (low, high + 1)
    return min(spans[low][0], around[0]), max(spans[high][1], around[1])


def _likeliest(text: str, question: str) -> Span:
    """The sentence that shares most words with a question."""
    wanted = words_of(question)
    spans = sentences(text) or [(0, len(text))]
    return max(spans, key=lambda s: len(wanted & words_of(text[s[0] : s[1]])))


def condensed(text: str, claim: str, limit: int) -> str:
    """The sentences that share most words with a claim, in their order, up to `limit` characters."""
    if len(text) <= limit:
        return text
    wanted = words_of(claim)
    spans = sentences(text) or [(0, len(text))]
    order = sorted(spans, key=lambda s: (-len(wanted & words_of(text[s[0] : s[1]])), s[0]))
    chosen: list[Span] = []
    size = 0
    for span in order:
        if size + span[1] - span[0] <= limit:
            chosen.append(span)
            size += span[1] - span[0]
    joined = " ".join(text[a:b] for a, b in sorted(chosen))
    return joined or text[:limit]


# --- questions --------------------------------------------------------------------------------


def questions(rows: Sequence[Row], rng: Random, taken: Mapping[str, float] = TAKEN) -> Iterator[Example]:
    for lang in ("en", "zh"):
        own = [row for row in rows if _lang(row) == lang]
        nearest = Nearest(own)
        titles: dict[tuple[str, str], list[int]] = defaultdict(list)
        for n, row in enumerate(own):
            titles[row["source"], row["title"]].append(n)
        corpora = {s: _corpus([r for r in own if r["source"] == s]) for s in {r["source"] for r in own}}
        for n, row in enumerate(own):
            beside = [m for m in titles[row["source"], row["title"]] if m != n]
            for asked in row["qas"]:
                if rng.random() < taken[row["source"]]:
                    yield from _question(row, asked, own, n, beside, nearest, corpora[row["source"]], rng)


def _question(
    row: Row,
    asked: Row,
    rows: Sequence[Row],
    n: int,
    beside: Sequence[int],
    nearest: Nearest,
    corpus: Corpus,
    rng: Random,
) -> Iterator[Example]:
    text, question = row["context"], asked["question"].strip()
    if not asked["answerable"]:
        yield _unanswered(row, question, text, _likeliest(text, question), rng)
        return
    spans = [
        (start, start + len(answer))
        for start, answer in zip(asked["answer_start"], asked["answers"], strict=True)
        if text[start : start + len(answer)] == answer
    ]
    if not spans:
        return
    spans.sort(key=lambda s: s[1] - s[0])
    begin, end = piece(text, spans[0], rng)
    before = _heading(row, rng)
    inside = [(a - begin + len(before), b - begin + len(before)) for a, b in spans if begin <= a and b <= end]
    yield _example(row, question, before + text[begin:end], inside[:3], 1)
    if rng.random() >= NEGATIVES:
        return
    kind = rng.choice(KINDS_OF_NEGATIVE)
    if kind == "near miss":
        place = Place(row, {"text": text, "title": row["title"]}, sentences(text), 0, corpus)
        rules = [name, number, date]
        rng.shuffle(rules)
        made = next((said for rule in rules for said in rule(question, place, rng) if said != question), None)
        if made:
            yield _unanswered(row, made, text, spans[0], rng)
        return
    other = _other(kind, text, spans, asked, rows, n, beside, nearest, rng)
    if other and not contains(other, asked["answers"]):
        yield _unanswered(row, question, other, _likeliest(other, question), rng)


def _other(
    kind: str,
    text: str,
    spans: Sequence[Span],
    asked: Row,
    rows: Sequence[Row],
    n: int,
    beside: Sequence[int],
    nearest: Nearest,
    rng: Random,
) -> str | None:
    """A text that does not answer."""
    if kind == "without":
        kept = [(a, b) for a, b in sentences(text) if not any(a < d and c < b for c, d in spans)]
        return " ".join(text[a:b] for a, b in kept) or None
    if kind == "neighbour" and 0 < len(beside) < 100:  # under a title that says nothing there are thousands
        return str(rows[rng.choice(beside)]["context"])
    hits = [m for m in nearest.hits(asked["question"]) if m != n]
    return str(rows[rng.choice(hits)]["context"]) if hits else None


def _unanswered(row: Row, question: str, text: str, around: Span, rng: Random) -> Example:
    begin, end = piece(text, around, rng)
    return _example(row, question, _heading(row, rng) + text[begin:end], [], 0)


def _heading(row: Row, rng: Random) -> str:
    """What is read before a piece: its title, where the source has one, every other time."""
    titled = row["source"] in WITH_TITLES and rng.random() < TITLED
    return f"{row['title'].replace('_', ' ')}: " if titled else ""


def _example(row: Row, question: str, passage: str, spans: list[Span], find: int) -> Example:
    held = is_held_out(row)
    return Example("answer", _lang(row), row["source"], question, passage, spans, find, held_out=held)


class Nearest:
    """BM25 over paragraphs."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute("CREATE VIRTUAL TABLE texts USING fts5(body, tokenize='unicode61')")
        bodies = ((n, " ".join(lexical_tokens(row["context"]))) for n, row in enumerate(rows))
        self._database.executemany("INSERT INTO texts(rowid, body) VALUES (?, ?)", bodies)

    def hits(self, question: str, count: int = 4) -> list[int]:
        terms = " OR ".join('"' + term.replace('"', "") + '"' for term in query_terms(question)[:24])
        if not terms:
            return []
        found = self._database.execute(
            "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT ?", (terms, count)
        )
        return [int(row[0]) for row in found]


def _corpus(rows: Sequence[Row]) -> Corpus:
    return read_corpus([{"title": row["title"], "text": row["context"]} for row in rows])


# --- claims -----------------------------------------------------------------------------------


def said(row: Row) -> str:
    """What a row claims: an answer says something only together with its question."""
    asked = row["question"].strip() if row["task"] == "qa" else ""
    return f"{asked} {row['claim_or_answer'].strip()}".strip()


def judged(rows: Sequence[Row], rng: Random) -> Iterator[Example]:
    """The human judgements, both labels of a source of equal weight, and a few of the derived rows."""
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for row in rows:
        counts[row["source"], row["label"]] += 1
    for row in rows:
        if row["derived"] and rng.random() >= DERIVED:
            continue
        both = [counts[row["source"], label] for label in (0, 1)]
        # Where only one label is there, it would be learnt from how the source writes.
        weight = min(2.0, sum(both) / (2 * both[row["label"]])) if all(both) else 0.3
        claim = said(row)
        passage = condensed(row["context"], claim, PREMISE[_lang(row)])
        yield Example("check", _lang(row), row["source"], claim, passage, [], None, row["label"],
                      weight * (0.5 if row["derived"] else 1), _held_out(row["context"]))  # fmt: skip


def faulty(rows: Sequence[Row], rng: Random) -> Iterator[Example]:
    """Sentences of free texts, made false by each kind of fault in turn, and as many sound ones."""
    kinds = [kind for kind in TRAINING if kind != "link"]
    for lang, sources in (("en", ("squad", "squadshifts-new_wiki")), ("zh", ("cmrc2018", "drcd"))):
        own = [row for row in rows if row["source"] in sources]
        # Each script by itself: what a fault borrows is in the script of the text.
        corpora = {source: _corpus([row for row in own if row["source"] == source]) for source in sources}
        counts = dict.fromkeys(kinds, 0)
        places = [place for row in own for place in _places(row, corpora[row["source"]])]
        rng.shuffle(places)
        for place in places:
            if sum(counts.values()) >= FAULTY[lang]:
                break
            # The kinds that fewest sentences allow choose first, but none takes more than its share.
            order = sorted(kinds, key=lambda kind: counts[kind])
            base = rng.choice([text for _, text in rewritings(place.text)])
            made = next(
                (
                    (kind, text)
                    for kind in order
                    for rule in TRAINING[kind]
                    for text in rule(base, place, rng)
                ),
                None,
            )
            if made is None or made[1] == base:
                continue
            counts[made[0]] += 1
            begin, end = piece(place.source, place.spans[place.at], rng)
            premise = _heading(place.row, rng) + place.source[begin:end]
            held = is_held_out(place.row)
            for text, label, kind in ((made[1], 0, made[0]), (base, 1, "sound")):
                yield Example("check", lang, f"fault {kind}", text, premise, [], None, label,
                              held_out=held)  # fmt: skip


def _places(row: Row, corpus: Corpus) -> Iterator[Place]:
    spans = sentences(row["context"])
    document = {"text": row["context"], "title": row["title"]}
    for n in range(len(spans)):
        place = Place(row, document, spans, n, corpus)
        if is_whole(place.text):
            yield place
