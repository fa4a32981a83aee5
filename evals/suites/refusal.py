"""Whether it refuses what it cannot know, and answers what it can.

Questions over a whole corpus (qa_*), and questions each over a few passages of its own (robust_*). To be
refused: those whose document is not there (`out_of_corpus`, `negative_rejection`). To be answered:
`answerable`, `noise`, `integration`. Those written to look answerable are reported apart, as another passage
may, rarely, answer them. Refused is what is neither verified nor partial. The curves move the threshold over
the confidence and take the best draft as the answer; they do not run the loop again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

from agent.assistant import Agent
from agent.models.store import EXTRACTIVE
from agent.settings import Settings
from evals.data import LONG, Row, add_corpus, corpora, read_corpus, read_rows
from evals.metrics import (
    precision_at_recall,
    precision_recall_ci,
    recall_at_precision,
    refusal_curve,
    risk_area,
    risk_at,
    risk_coverage,
)
from evals.orders import Order
from evals.report import Result
from evals.suites.qa import answer_row, ask_all, empty_agent, with_interval
from retrieval.store import NewChunk, Store

LANGUAGES = ("en", "zh")
TO_REFUSE = ("out_of_corpus", "negative_rejection")
TO_ANSWER = ("answerable", "noise", "integration")
ROBUST = ("noise", "integration", "negative_rejection")
ADVERSARIAL = "adversarial_unanswerable"
RECALL, PRECISION = 0.60, 0.80  # the aim: this precision at this recall
COVERAGES = tuple(n / 10 for n in range(1, 11))


def run(order: Order) -> Result:
    base = order.settings(remember=False)
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions in corpora(order.data, order.lang):
        if order.lang is None and name.startswith(LONG):
            continue
        found: list[Row] = []
        if "corpus" in order.parts:
            texts, asked = read_corpus(corpus, questions)
            found += ask_all(order, base, name, texts, order.some(asked))
        # A user's own data have no questions over passages of their own.
        if "passages" in order.parts and (order.part or any(order.data.glob(f"robust_{name}.jsonl*"))):
            found += over_their_own(order, base, name)
        rows += found
        metrics[name] = {"n": len(found), **summary(found)}
    return Result("refusal", {"model": base.model or EXTRACTIVE}, len(rows), metrics, rows)


def over_their_own(order: Order, base: Settings, name: str) -> list[Row]:
    """Ask questions, each of a library that holds its own passages only."""
    asked = first_of_each(read_rows(order.data / f"robust_{name}.jsonl"), order.limit)

    @contextmanager
    def opened() -> Iterator[Callable[[Row], Row]]:
        with empty_agent(base) as stock, empty_agent(base) as assistant:
            passages = {one["doc_id"]: one for row in asked for one in row["docs"]}
            add_corpus(stock.library, passages.values())  # each is embedded once

            def ask(row: Row) -> Row:
                refill(assistant.library.store, stock.library.store, [one["doc_id"] for one in row["docs"]])
                told = {"part": "passages", "corpus": f"robust_{name}"}
                return {**told, **answer_over_its_own(assistant, row)}

            yield ask

    return order.kept.rows("passages", name, asked, itemgetter("id"), opened)


def first_of_each(rows: Iterable[Row], limit: int | None) -> list[Row]:
    """The first rows of each task; all without a limit."""
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        tasks.setdefault(row["task"], []).append(row)
    return [row for task in tasks.values() for row in task[:limit]]


def refill(store: Store, stock: Store, paths: Iterable[str]) -> None:
    """Leave copies of these documents of the stock, with their vectors, as all that a store holds."""
    store.remove_documents([document.path for document in store.documents()])
    for path in paths:
        document_id = stock.document_id(path)
        source = stock.source(document_id) if document_id else None
        if document_id is None or source is None:
            raise KeyError(path)
        ids = stock.chunks_over(document_id, 0, len(source.text))
        vectors = stock.vectors_of(ids)
        chunks = [
            NewChunk(c.start, c.end, c.heading, c.page, c.text, vectors.get(c.id), messages=c.messages)
            for c in stock.chunks(ids)
        ]
        store.put_document(path, stock.document_hash(path) or "", source, chunks)


def answer_over_its_own(assistant: Agent, row: Row) -> Row:
    """Ask one robust question of a library that holds its own passages."""
    question = {
        **row,
        "kind": row["task"],
        "answerable": row["expected"] == "answer",
        "doc_id": next((document["doc_id"] for document in row["docs"] if document["relevant"]), None),
    }
    return answer_row(assistant, question, {one["doc_id"]: one["text"] for one in row["docs"]})


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """All metrics of one language."""
    kinds = [k for k in (*TO_REFUSE, *TO_ANSWER, ADVERSARIAL) if any(row["kind"] == k for row in rows)]
    apart = [row for row in rows if row["kind"] != ADVERSARIAL]
    return {
        "kind": {kind: per_kind([row for row in rows if row["kind"] == kind]) for kind in kinds},
        "refusal": refusal(apart),
        # How many are there to be refused decides much of the precision, and differs between the two.
        "refusal over the corpus": refusal([row for row in apart if row["kind"] not in ROBUST]),
        "refusal over passages of its own": refusal([row for row in apart if row["kind"] in ROBUST]),
        "risk of the best draft at coverage": {
            "of all questions": risks(rows),
            "of all but adversarial ones": risks(apart),
        },
    }


def per_kind(rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "n": len(rows),
        **with_interval("refused", [_refused(row) for row in rows]),
        **with_interval("verified", [row["outcome"] == "verified" for row in rows]),
        **with_interval("right", [row["right"] for row in rows]),
    }


def refusal(rows: Sequence[Row]) -> dict[str, Any]:
    """Precision and recall of refusing: as it is set, and along the confidence."""
    positive = [row["kind"] in TO_REFUSE for row in rows]
    precision, recall = precision_recall_ci([_refused(row) for row in rows], positive)
    curve = refusal_curve([row["confidence"] for row in rows], positive)
    return {
        "precision [95 % interval]": list(precision),
        "recall [95 % interval]": list(recall),
        f"precision at recall {RECALL:.2f}": precision_at_recall(curve, RECALL),
        f"recall at precision {PRECISION:.2f}": recall_at_precision(curve, PRECISION),
    }


def risks(rows: Sequence[Row]) -> dict[str, float]:
    """Share of wrong best drafts by coverage, the area below, and the area of a perfect order."""
    right = [bool(row["draft_right"]) for row in rows]
    curve = risk_coverage([row["confidence"] for row in rows], right)
    return {
        **{f"{coverage:.1f}": risk_at(curve, coverage) for coverage in COVERAGES},
        "area": risk_area(curve),
        "area of a perfect order": risk_area(risk_coverage([float(one) for one in right], right)),
    }


def _refused(row: Row) -> bool:
    return row["outcome"] not in ("verified", "partial")
