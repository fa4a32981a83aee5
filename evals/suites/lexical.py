"""Speed of the search by words in growing libraries: as shipped, and as one plain query over all terms.

`--part passages:N,N`: numbers of passages, by default 100000,1000000. A passage is five sentences drawn at
random from the corpus, under a heading drawn likewise; so no rare word is as rare as in a real library of
that size, which is harder. Nothing is embedded. Seconds of processor time, as other work on the machine is
none of ours.
"""

from __future__ import annotations

import random
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.data import Row, corpora, read_corpus
from evals.orders import Order
from evals.report import Result
from retrieval.chunks import Words
from retrieval.search import POOL, word_scores
from retrieval.store import Store
from retrieval.tokens import lexical_tokens, query_terms

SIZES = "100000,1000000"
QUESTIONS = 50
SENTENCES = 5  # of a passage
_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s*")


def run(order: Order) -> Result:
    metrics: dict[str, Any] = {}
    sizes = (order.part or "").partition(":")[2] or SIZES
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", sizes):
        sys.exit(f"--part passages:N takes numbers with commas, not {sizes!r}")
    for name, corpus, questions in corpora(order.data, order.lang):
        documents, rows = read_corpus(corpus, questions)
        asked = [row["question"] for row in rows]
        asked = random.Random(0).sample(asked, min(order.limit or QUESTIONS, len(asked)))
        for size in map(int, sizes.split(",")):
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "library.sqlite"
                with closing(Store(file)) as store:
                    fill(file, ((one.id, *one.words) for one in passages(documents, size)))
                    metrics[f"{name}, {size} passages"] = measured(store, asked)
    return Result("lexical", {"pool": POOL}, len(metrics), metrics)


@dataclass(frozen=True)
class Drawn:
    """A passage of shuffled sentences."""

    id: int
    heading: str
    text: str
    words: Words


def passages(rows: Sequence[Row], size: int) -> Iterator[Drawn]:
    draw = random.Random(0)
    headings = [(row["title"], " ".join(lexical_tokens(row["title"]))) for row in rows]
    cut = [sentence for row in rows for sentence in _END.split(row["text"])]
    sentences = [(one, " ".join(tokens)) for one in cut if (tokens := lexical_tokens(one))]
    for n in range(1, size + 1):
        heading, heading_words = draw.choice(headings)
        drawn = draw.choices(sentences, k=SENTENCES)
        body = " ".join(words for _, words in drawn)
        yield Drawn(n, heading, " ".join(text for text, _ in drawn), (heading_words, body))


def fill(file: Path, rows: Iterator[tuple[int, str, str]]) -> None:
    """Put (id, heading, body), as the full-text index takes them, into a library's file."""
    with closing(sqlite3.connect(file)) as db, db:
        db.executemany("INSERT INTO lexicon (rowid, heading, body) VALUES (?, ?, ?)", rows)


def measured(store: Store, questions: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of the list, of the scores of its passages, and of a plain query."""
    listing, scoring, plain = [], [], []
    with closing(sqlite3.connect(store.file)) as db:
        for question in questions:
            terms = query_terms(question)

            def search(terms: list[str] = terms) -> tuple[dict[str, int], list[int]]:
                counts = store.row_counts(terms)
                found = store.lexical(list(counts), POOL, "long", None, counts)
                return counts, [item for item, _ in found]

            def every(terms: list[str] = terms) -> None:
                query = " OR ".join(f'"{term}"' for term in terms)
                listed = "SELECT rowid FROM lexicon WHERE lexicon MATCH ? ORDER BY rank LIMIT ?"
                db.execute(listed, (query, POOL)).fetchall()

            counts, found = search()  # what is in memory by then is there for both
            plain.append(_milliseconds(every))
            listing.append(_milliseconds(search))
            scoring.append(_milliseconds(lambda q=question, c=counts, f=found: word_scores(store, q, c, f)))  # type: ignore[misc]
    named = {"list": listing, "scores": scoring, "plain query": plain}
    return {
        f"{name} ms [p50, p95]": [float(np.percentile(times, share)) for share in (50, 95)]
        for name, times in named.items()
    }


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)
