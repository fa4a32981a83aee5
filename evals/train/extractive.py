"""Fits the weights of the extractive reasoner's sentence features, on `reader_train` only.

    python -m evals.train.extractive --data FOLDER [--reader VERIFIER.onnx]

With a reader only the weights for its features too are fitted, on questions that it was not trained on.
Builds a library of training paragraphs for each language, asks it training questions (some about paragraphs
that were left out, some written to be unanswerable), and fits two linear models over `FEATURES`: a
conditional logit that ranks sentences, and a logistic regression that tells whether the best one holds the
answer. Plain numpy, fixed seed, a few minutes on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.deps import build_embedder, prepare
from agent.evidence import of_passages
from agent.moves import question_query
from agent.reasoners.extractive import Extractive
from agent.reasoners.features import FEATURES, READ, Candidate, Reader, answer_inputs, ask, candidates
from agent.settings import Settings, read_settings
from agent.state import merge_evidence
from agent.verifier import Verifier
from evals.data import add_corpus, read_rows
from evals.train.verifier_data import is_held_out
from retrieval.library import Library

Array = npt.NDArray[np.float64]
PARAGRAPHS = {"en": 1400, "zh": 1400}
LEFT_OUT_SHARE = 0.15  # of the paragraphs: asked about but not in the library
QUESTIONS = 3000
SOURCES = {"en": ("squad", "squadshifts-new_wiki"), "zh": ("cmrc2018", "drcd")}


def normalise(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmark data")
    parser.add_argument("--reader", type=Path, help="the verifier's file")
    parser.add_argument("--languages", nargs="+", choices=("en", "zh"), default=["en", "zh"])
    parser.add_argument("--out", type=Path, default=Path("agent/reasoners/weights.json"))
    args = parser.parse_args()
    rows = read_rows(args.data / "reader_train.jsonl.gz")
    fitted: dict[str, Any] = {}
    if args.out.exists():
        fitted = json.loads(args.out.read_text(encoding="utf-8"))
    fitted |= {"features": list(FEATURES), "read": list(READ), "fitted_on": "reader_train.jsonl.gz"}
    reader = Verifier(args.reader) if args.reader else None
    if args.reader:
        fitted["fitted_with"] = hashlib.sha256(args.reader.read_bytes()).hexdigest()[:12]
    for lang in args.languages:
        name = f"{lang} read" if reader else lang
        print(f"--- {name}")
        fitted[name] = fit(lang, sample(rows, lang, unseen=bool(reader)), reader)
    args.out.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")


def sample(rows: list[dict[str, Any]], lang: str, unseen: bool = False) -> list[dict[str, Any]]:
    """Paragraphs of one language, some articles of each source whole, so that neighbours compete.

    `unseen`: those first that the verifier was not trained on.
    """
    chosen = [row for row in rows if row["lang"].startswith(lang) and row["source"] in SOURCES[lang]]
    titles = sorted({(row["source"], row["title"]) for row in chosen})
    random.Random(0).shuffle(titles)
    order = {title: n for n, title in enumerate(titles)}
    chosen.sort(key=lambda row: (unseen and not is_held_out(row), order[(row["source"], row["title"])]))
    return chosen[: PARAGRAPHS[lang]]


def fit(lang: str, paragraphs: list[dict[str, Any]], reader: Reader | None) -> dict[str, list[float]]:
    rng = random.Random(1)
    settings = Settings(home=read_settings().home)  # the embedder of nobody's own settings
    prepare(settings)
    left_out = {n for n in range(len(paragraphs)) if rng.random() < LEFT_OUT_SHARE}
    with (
        tempfile.TemporaryDirectory() as folder,
        Library(Path(folder), lambda: build_embedder(settings)) as library,
    ):
        kept = [
            {"doc_id": str(n), "title": row["title"], "text": row["context"]}
            for n, row in enumerate(paragraphs)
            if n not in left_out
        ]
        print("chunks", add_corpus(library, kept))
        about = [row if reader is None or is_held_out(row) else {"qas": []} for row in paragraphs]
        asked = [(n, qa) for n, row in enumerate(about) for qa in row["qas"]]
        rng.shuffle(asked)
        # Unanswerable ones are rarer in the training data than among what people ask: keep them all.
        asked.sort(key=lambda pair: pair[1]["answerable"] and pair[0] not in left_out)
        hard = [p for p in asked if not p[1]["answerable"] or p[0] in left_out][: QUESTIONS // 3]
        easy = [p for p in asked if p[1]["answerable"] and p[0] not in left_out][: QUESTIONS - len(hard)]
        print("questions", len(easy), "unanswerable", len(hard))
        cases = [case(library, n, qa, reader) for n, qa in easy + hard]
    return fit_weights([one for one in cases if one[0]])


Case = tuple[list[Candidate], list[bool], list[bool]]  # sentences, right ones, ones to leave out


def case(library: Library, gold: int, qa: dict[str, Any], reader: Reader | None) -> Case:
    """The candidate sentences of one question, and which of them hold its answer."""
    asked = replace(ask(qa["question"], Extractive(library).idf), reader=reader)
    passages = library.search(qa["question"], Settings().passages)
    items = of_passages(asked, question_query(qa["question"]), passages, 0, 0.0)
    evidence = merge_evidence([], {"items": items, "limit": len(items)})
    found = candidates(asked, evidence)
    paths = {item["number"]: item["path"] for item in evidence}
    answers = [normalise(answer) for answer in qa["answers"] if normalise(answer)]
    holds = [any(answer in normalise(c.text) for answer in answers) for c in found]
    right = [h and paths[c.evidence] == str(gold) for h, c in zip(holds, found, strict=True)]
    ignored = [h and not r for h, r in zip(holds, right, strict=True)]
    return found, right, ignored


def fit_weights(cases: list[Case]) -> dict[str, list[float]]:
    groups = []
    for found, right, ignored in cases:
        kept = [n for n in range(len(found)) if not ignored[n]]
        if any(right):
            features = np.array([found[n].features for n in kept])
            groups.append((features, np.array([right[n] for n in kept])))
    rank = fit_rank(groups)
    top1 = np.mean([bool(g[1][int(np.argmax(g[0] @ rank))]) for g in groups])
    print(f"ranking: {len(groups)} questions, best sentence right {top1:.3f}")
    rows, labels = [], []
    for found, right, ignored in cases:
        scores = np.array([c.features for c in found]) @ rank
        best = int(np.argmax(scores))
        inputs = answer_inputs(scores.tolist(), [c.evidence for c in found], best)
        rows.append([1.0, *inputs, *found[best].features])
        labels.append(right[best] or ignored[best])
    answer = fit_logistic(np.array(rows), np.array(labels, dtype=float))
    report(np.array(rows) @ answer, np.array(labels))
    return {"rank": np.round(rank, 4).tolist(), "answer": np.round(answer, 4).tolist()}


def fit_rank(groups: list[tuple[Array, Any]], steps: int = 1500, rate: float = 0.1) -> Array:
    """Conditional logit: the log-probability that a right sentence is drawn; Adam, light L2."""
    weights = np.zeros(groups[0][0].shape[1])
    m, v = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, steps + 1):
        gradient = 0.002 * weights
        for features, right in groups:
            p = np.exp(features @ weights - np.max(features @ weights))
            p /= p.sum()
            q = np.where(right, p, 0.0)
            gradient += features.T @ (p - q / max(q.sum(), 1e-12)) / len(groups)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        weights -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-9)
        if step > 300 and np.abs(gradient).max() < 1e-4:
            break
    return weights


def fit_logistic(rows: Array, labels: Array, l2: float = 0.001) -> Array:
    """Newton's method on the regularised log-loss."""
    weights = np.zeros(rows.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-rows @ weights))
        gradient = rows.T @ (p - labels) / len(rows) + l2 * weights
        hessian = (rows * (p * (1 - p))[:, None]).T @ rows / len(rows) + l2 * np.eye(len(weights))
        weights -= np.linalg.solve(hessian, gradient)
    return weights


def report(logits: Array, labels: Any) -> None:
    """Selective accuracy on the training questions themselves: a sanity check, no result."""
    order = np.argsort(-logits)
    for coverage in (0.4, 0.6, 0.8, 1.0):
        chosen = order[: int(len(order) * coverage)]
        print(f"coverage {coverage:.1f}: right {np.mean(labels[chosen]):.3f}")


if __name__ == "__main__":
    main()
