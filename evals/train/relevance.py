"""Fits the weights of `agent.relevance` on `multihop_train_en`, never on dev data.

    python -m evals.train.relevance --data FOLDER

Asks a library of the training passages each training question, makes one round of moves from the passages
that look most relevant, and fits a logistic regression that tells needed passages from others. A passage
found several times counts with the arrival that speaks best for it, so fitting and choosing alternate.
Plain numpy, deterministic, a few minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.deps import build_embedder, idf, moves_of, prepare
from agent.evidence import of_passages
from agent.moves import Failure, propose, question_query
from agent.nodes import BRIDGED
from agent.reasoners.features import Asked, ask, uncovered
from agent.relevance import FEATURES, features, name_rarities
from agent.settings import Settings, read_settings
from agent.state import Evidence, Query
from evals.data import Row, add_corpus, read_rows
from retrieval.library import Library
from retrieval.tokens import query_terms, words_of

Array = npt.NDArray[np.float64]
ALTERNATIONS = 3
L2 = 1.0

Arrival = tuple[tuple[float, ...], Evidence]
Found = dict[int, list[Arrival]]  # by chunk id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmark data")
    parser.add_argument("--out", type=Path, default=Path("agent/relevance.json"))
    args = parser.parse_args()
    settings = read_settings()
    prepare(settings)
    questions = read_rows(args.data / "multihop_train_en.jsonl")
    with (
        tempfile.TemporaryDirectory() as folder,
        Library(Path(folder), lambda: build_embedder(settings)) as library,
    ):
        add_corpus(library, read_rows(args.data / "multihop_corpus_train_en.jsonl"))
        weights = fit(library, questions, settings)
    fitted = {
        "features": list(FEATURES),
        "fitted_on": "multihop_train_en.jsonl",
        "weights": [round(float(w), 3) for w in weights],
    }
    args.out.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")


def fit(library: Library, questions: list[Row], settings: Settings) -> Array:
    weights = np.zeros(len(FEATURES))
    weights[FEATURES.index("score")] = 1.0
    for _ in range(ALTERNATIONS):
        found = [(row, arrivals(library, row["question"], weights, settings)) for row in questions]
        for _ in range(ALTERNATIONS):
            inputs, labels = [], []
            for row, passages in found:
                for rows in passages.values():
                    inputs.append(max((values for values, _ in rows), key=lambda v: float(v @ weights)))
                    labels.append(rows[0][1]["path"] in row["doc_ids"])
            weights = logistic(np.array(inputs), np.array(labels, dtype=float))
        print({name: round(float(w), 2) for name, w in zip(FEATURES, weights, strict=True)})
    return weights


def arrivals(library: Library, question: str, weights: Array, settings: Settings) -> dict[int, Any]:
    """What the question and one round of moves find: by chunk id, each arrival's features and evidence."""
    asked = ask(question, lambda terms: idf(library, terms))
    found: dict[int, Any] = {}
    _search(library, asked, [question_query(question)], settings.passages, found)

    def likely(rows: Any) -> float:
        return max(float(values @ weights) for values, _ in rows)

    ranked = [rows[0][1] for rows in sorted(found.values(), key=likely, reverse=True)]
    tokens = frozenset(token for item in ranked[:1] for token in query_terms(item["text"]))
    failure = Failure(
        asked,
        ranked,
        words_of(question, uncovered(asked, tokens)),
        library.store.term_counts(query_terms(question)),
        lambda terms: idf(library, terms),
        library.store.terms_with,
        library.store.pairs_ending_in,
        library.store.term_counts,
        library.is_word,
    )
    proposed = propose(failure, moves_of(settings), [question])
    for bridging in (True, False):
        queries = [query for query in proposed if (query["move"] == "bridge") == bridging]
        _search(library, asked, queries, BRIDGED if bridging else settings.passages, found)
    return found


def _search(library: Library, asked: Asked, queries: list[Query], limit: int, found: dict[int, Any]) -> None:
    rarities = name_rarities(asked, queries, lambda terms: idf(library, terms))
    lists = library.search_many([query["text"] for query in queries], [limit] * len(queries))
    for query, rarity, passages in zip(queries, rarities, lists, strict=True):
        for rank, item in enumerate(of_passages(asked, query, passages, 0, rarity)):
            values = np.array(features(asked, item, query, rank, rarity))
            found.setdefault(item["chunk_id"], []).append((values, item))


def logistic(inputs: Array, labels: Array) -> Array:
    """Newton's method for an L2-regularised logistic regression; the first input is the bias."""
    weights = np.zeros(inputs.shape[1])
    penalty = L2 * np.eye(inputs.shape[1])
    penalty[0, 0] = 1e-6
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        gradient = inputs.T @ (labels - p) - penalty @ weights
        hessian = (inputs.T * (p * (1 - p))) @ inputs + penalty
        step = np.linalg.solve(hessian, gradient)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return weights


if __name__ == "__main__":
    main()
