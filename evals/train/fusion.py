"""Fits the weights of `retrieval.fusion` on `reader_train` and `multihop_train_en`, never on dev data.

    python -m evals.train.fusion --data FOLDER [--passages N] [--questions N]

Makes libraries of the training passages, one for each language and one for multi-hop questions, asks each its
questions, and fits a softmax over the candidates of both lists: the wanted documents against the others (Cao
et al. 2007, "Learning to rank: from pairwise approach to listwise approach"). Plain numpy, deterministic;
embedding all passages takes about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from agent.deps import build_embedder, prepare
from agent.settings import read_settings
from evals.data import Row, add_corpus, read_rows
from retrieval.fusion import PARTS, parts
from retrieval.library import Library
from retrieval.search import POOL, word_scores
from retrieval.tokens import query_terms

Array = npt.NDArray[np.float64]
L2 = 0.5  # in all, not for each question
STEPS = 300
MULTIHOP = 3.0  # times that a multi-hop question counts: there are few


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmark data")
    parser.add_argument("--passages", type=int, default=None, help="the first N passages of each library")
    parser.add_argument("--questions", type=int, default=1500, help="at most, of each library")
    parser.add_argument("--out", type=Path, default=Path("retrieval/fusion.json"))
    args = parser.parse_args()
    prepare(read_settings())
    cases = []
    for weight, corpus, questions in corpora(args.data, args.passages, args.questions):
        cases += [(weight, *case) for case in asked(corpus, questions)]
    weights = fit(cases)
    fitted = {
        "parts": list(PARTS),
        "fitted_on": "reader_train.jsonl.gz, multihop_train_en.jsonl",
        "weights": [round(float(w), 3) for w in weights],
    }
    args.out.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")


def corpora(data: Path, passages: int | None, questions: int) -> list[tuple[float, list[Row], list[Row]]]:
    """(weight of a question, documents, questions with `doc_ids`) of each library."""
    found = []
    rows = read_rows(data / "reader_train.jsonl.gz")
    for lang in ("en", "zh"):
        own = [(n, row) for n, row in enumerate(rows) if row["lang"].startswith(lang)][:passages]
        documents = [{"doc_id": str(n), "title": row["title"], "text": row["context"]} for n, row in own]
        asked = [
            {"question": qa["question"], "doc_ids": [str(n)]}
            for n, row in own
            for qa in row["qas"]
            if qa["answerable"]
        ]
        random.Random(0).shuffle(asked)
        found.append((1.0, documents, asked[:questions]))
    documents = read_rows(data / "multihop_corpus_train_en.jsonl")[:passages]
    found.append((MULTIHOP, documents, read_rows(data / "multihop_train_en.jsonl")[:questions]))
    return found


def asked(corpus: list[Row], questions: list[Row]) -> list[tuple[Array, Array]]:
    """The parts of each candidate (n, parts) and whether it is wanted, of each question that parts them."""
    settings = read_settings()
    cases = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Library(Path(folder), lambda: build_embedder(settings)) as library,
    ):
        add_corpus(library, corpus)
        for row in questions:
            found = candidates(library, row["question"])
            chunks = library.store.chunks(list(found))
            inputs = np.array([found[chunk.id] for chunk in chunks])
            wanted = np.array([float(chunk.path in row["doc_ids"]) for chunk in chunks])
            if 0 < wanted.sum() < len(wanted):
                cases.append((inputs, wanted))
    return cases


def candidates(library: Library, question: str) -> dict[int, tuple[float, float, float]]:
    """The parts of each passage of both lists, by chunk id."""
    counts = library.store.row_counts(query_terms(question))
    dense = library.nearest(library.embedder().embed_queries([question])[0], POOL)
    lexical = library.store.lexical(list(counts), POOL, "long", None, counts)
    words = word_scores(library.store, question, counts, [item for item, _ in (*dense, *lexical)])
    return parts(dense, words.bm25, words.bound, words.near)


def fit(cases: Sequence[tuple[float, Array, Array]]) -> Array:
    """Shares of the parts, by gradient descent (Adam) on the likelihood that a wanted candidate comes first.

    `cases`: for each question its weight, the parts of its candidates, and 1 for those that are wanted.
    """
    longest = max(len(wanted) for _, _, wanted in cases)
    inputs = np.zeros((len(cases), longest, cases[0][1].shape[1]))
    wanted, there = np.zeros((len(cases), longest)), np.zeros((len(cases), longest), dtype=bool)
    for n, (_, values, labels) in enumerate(cases):
        inputs[n, : len(labels)] = values
        wanted[n, : len(labels)] = labels
        there[n, : len(labels)] = True
    of_case = np.array([weight for weight, _, _ in cases])
    of_case /= of_case.sum()
    weights, mean, square = (np.zeros(inputs.shape[2]) for _ in range(3))
    for step in range(1, STEPS + 1):
        chances = _softmax(np.where(there, inputs @ weights, -np.inf))
        right = _normalised(chances * wanted)
        slope = (((chances - right) * of_case[:, None])[:, :, None] * inputs).sum((0, 1))
        slope += L2 * weights / len(cases)
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        rate = 0.3 / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
        weights = weights - rate * mean / (1 - 0.9**step)
    shares: Array = np.maximum(weights, 0.0)
    shares /= shares.sum()
    return shares


def _softmax(values: Array) -> Array:
    return _normalised(np.exp(values - values.max(1, keepdims=True)))


def _normalised(values: Array) -> Array:
    shares: Array = values / np.maximum(values.sum(1, keepdims=True), 1e-12)
    return shares


if __name__ == "__main__":
    main()
