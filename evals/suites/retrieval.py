"""Retrieval over a corpus: dense, lexical and hybrid, by the rank of the document asked about.

A question counts as found at k when a passage of its document is among the first k documents. Unanswerable
questions are left out. With a 95 % bootstrap interval, and a paired test of hybrid against its best part,
both over documents, as questions about one are alike.

`--part distractors`: among all passages of `reader_train` of the same language as well, and multi-hop
questions, whose documents count one by one and are resampled together; embedding them takes about half an
hour on two cores.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from agent.deps import build_embedder, prepare, reranker_loader
from agent.settings import Settings
from evals.data import Row, add_corpus, corpora, read_corpus, read_rows
from evals.metrics import mean_ci, paired_p
from evals.orders import Order
from evals.parts import MISSED, of_ranks
from evals.report import INTERVAL, Result
from retrieval.library import Library
from retrieval.search import POOL
from retrieval.tokens import query_terms

CUTS = (1, 3, 5, 10)


def run(order: Order) -> Result:
    """Measure every corpus of the data folder, or the one named."""
    settings = order.settings(remember=False)
    prepare(settings)
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for name, documents, questions in libraries(order.data, order.lang, order.part == "distractors"):
        asked = [row for row in questions if row.get("doc_ids") or (row["answerable"] and row["doc_id"])]
        if not asked:
            sys.exit(f"{order.data}: no question of {name} says in which document its answer stands (doc_id)")
        opened = partial(_opened, settings, documents)
        kept = order.kept.rows(order.parts[0], name, order.some(asked), itemgetter("id"), opened)
        found = [
            {"corpus": name, "id": one["id"], "group": one["group"], **rank}
            for one in kept
            for rank in one["ranks"]
        ]
        rows += found
        metrics[name] = {"n": len(found), "documents": len(documents), **summary(found)}
    return Result("retrieval", {"embedder": settings.embedder or "default"}, len(rows), metrics, rows)


@contextmanager
def _opened(settings: Settings, documents: Sequence[Row]) -> Iterator[Callable[[Row], Row]]:
    """A function that says the ranks of a question's documents in a library of these."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Library(
            Path(folder), lambda: build_embedder(settings), load_reranker=reranker_loader(settings)
        ) as library,
    ):
        add_corpus(library, documents)
        yield lambda row: {"id": row["id"], "group": shared(row), "ranks": ranks(library, row)}


def libraries(data: Path, lang: str | None, distractors: bool) -> Iterator[tuple[str, list[Row], list[Row]]]:
    """(name, documents, questions) of each corpus, alone or among distractors."""
    for name, corpus, questions in corpora(data, lang):
        more = _training_passages(data, name[-2:]) if distractors else []
        documents, asked = read_corpus(corpus, questions)
        yield name, documents + more, asked
    if distractors and lang is None:
        files = (data / "multihop_corpus_en.jsonl.gz", data / "multihop_distractors_en.jsonl.gz")
        if not all(file.exists() for file in files):
            return
        documents = [row for file in files for row in read_rows(file)]
        yield "multihop_en", documents, read_rows(data / "multihop_en.jsonl")


def _training_passages(data: Path, lang: str) -> list[Row]:
    rows = read_rows(data / "reader_train.jsonl.gz")
    return [
        {"doc_id": f"train:{n}", "title": row["title"], "text": row["context"]}
        for n, row in enumerate(rows)
        if row["lang"].startswith(lang)
    ]


def ranks(library: Library, row: Row) -> list[dict[str, int]]:
    """Rank of each wanted document, from 0, in each list."""
    question = row["question"]
    hybrid = [p.chunk.path for p in library.search(question, 20)]
    lexical = library.store.lexical(query_terms(question), POOL, "long")
    lists = {
        "dense": _paths(library, library.dense(question, POOL)),
        "lexical": _paths(library, [item for item, _ in lexical]),
        "hybrid": hybrid,
    }
    wanted = row.get("doc_ids") or [row["doc_id"]]
    return [{part: _rank(paths, one) for part, paths in lists.items()} for one in wanted]


def shared(row: Row) -> str:
    """What a question shares with others: the document it is about; nothing where it has several."""
    return str(row["id"] if row.get("doc_ids") else row["doc_id"])


def _paths(library: Library, chunk_ids: Sequence[int]) -> list[str]:
    return [chunk.path for chunk in library.store.chunks(chunk_ids)]


def _rank(paths: Sequence[str], wanted: str) -> int:
    documents = list(dict.fromkeys(paths))
    return documents.index(wanted) if wanted in documents else MISSED


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Recall at each cut and mean reciprocal rank of each list; hybrid against its best part."""
    out: dict[str, Any] = {}
    groups = [row["group"] for row in rows]
    for part in ("dense", "lexical", "hybrid"):
        places = [row[part] for row in rows]
        scores = {f"r@{k}": sum(p < k for p in places) / len(places) for k in CUTS}
        scores["mrr"] = sum(1 / (p + 1) for p in places if p < MISSED) / len(places)
        out[part] = scores
    out[f"hybrid mrr{INTERVAL}"] = list(mean_ci([of_ranks(row)["hybrid mrr"] for row in rows], groups=groups))
    for k in (1, 5):
        hits = {part: [float(row[part] < k) for row in rows] for part in ("dense", "lexical", "hybrid")}
        best = max(("dense", "lexical"), key=lambda part: sum(hits[part]))
        out[f"hybrid r@{k}{INTERVAL}"] = list(mean_ci(hits["hybrid"], groups=groups))
        difference = out["hybrid"][f"r@{k}"] - out[best][f"r@{k}"]
        p = paired_p(hits["hybrid"], hits[best], groups=groups)
        out[f"hybrid - {best} r@{k}, paired p"] = [difference, p]
    return out
