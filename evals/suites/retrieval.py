"""Retrieval over a corpus: dense, lexical and hybrid, by the rank of the document asked about.

A question counts as found at k when a passage of its document is among the first k documents. Unanswerable
questions are left out. With a 95 % bootstrap interval, and a paired test of hybrid against its best part.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.deps import build_embedder, prepare
from agent.settings import read_settings
from evals.data import Row, add_corpus, corpora, read_rows
from evals.metrics import mean_ci, paired_p
from evals.report import Result
from retrieval.library import Library
from retrieval.search import POOL
from retrieval.tokens import query_terms

CUTS = (1, 3, 5, 10)
MISSED = 10_000  # rank of a document that was not found


def run(arguments: argparse.Namespace) -> Result:
    """Measure every corpus of the data folder, or the ones named by `--lang`."""
    settings = read_settings()
    prepare(settings)
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions in corpora(arguments.data, arguments.lang):
        asked = [row for row in read_rows(questions) if row["answerable"]][: arguments.limit]
        with (
            tempfile.TemporaryDirectory() as folder,
            Library(Path(folder), lambda: build_embedder(settings)) as library,
        ):
            chunks = add_corpus(library, read_rows(corpus))
            found = [{"corpus": name, "id": row["id"], **ranks(library, row)} for row in asked]
        rows += found
        metrics[name] = {"n": len(found), "chunks": chunks, **summary(found)}
    return Result("retrieval", {"embedder": "default"}, len(rows), metrics, rows)


def ranks(library: Library, row: Row) -> dict[str, int]:
    """Rank of the wanted document, from 0, in each list."""
    question = row["question"]
    hybrid = [p.chunk.path for p in library.search(question, 20)]
    lexical = library.store.lexical(query_terms(question), POOL, "long")
    return {
        "dense": _rank(_paths(library, library.dense(question, POOL)), row["doc_id"]),
        "lexical": _rank(_paths(library, [item for item, _ in lexical]), row["doc_id"]),
        "hybrid": _rank(hybrid, row["doc_id"]),
    }


def _paths(library: Library, chunk_ids: Sequence[int]) -> list[str]:
    return [chunk.path for chunk in library.store.chunks(chunk_ids)]


def _rank(paths: Sequence[str], wanted: str) -> int:
    documents = list(dict.fromkeys(paths))
    return documents.index(wanted) if wanted in documents else MISSED


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Recall at each cut and mean reciprocal rank of each list; hybrid against its best part."""
    out: dict[str, Any] = {}
    for part in ("dense", "lexical", "hybrid"):
        places = [row[part] for row in rows]
        scores = {f"r@{k}": sum(p < k for p in places) / len(places) for k in CUTS}
        scores["mrr"] = sum(1 / (p + 1) for p in places if p < MISSED) / len(places)
        out[part] = scores
    for k in (1, 5):
        hits = {part: [float(row[part] < k) for row in rows] for part in ("dense", "lexical", "hybrid")}
        best = max(("dense", "lexical"), key=lambda part: sum(hits[part]))
        out[f"hybrid r@{k} [95 % interval]"] = list(mean_ci(hits["hybrid"]))
        difference = out["hybrid"][f"r@{k}"] - out[best][f"r@{k}"]
        out[f"hybrid - {best} r@{k}, paired p"] = [difference, paired_p(hits["hybrid"], hits[best])]
    return out
