"""Fits the weights of the extractive reasoner's sentence features, on training data only.

    python -m evals.train.extractive --data FOLDER

Builds a library of `reader_train` paragraphs for each language, asks it training questions (some about
paragraphs that were left out, some written to be unanswerable), many of them with a round of moves as the
loop would make it; in English also `multihop_train_en`, always with that round. Fits two linear models
over `FEATURES`: a conditional logit that ranks sentences, and a logistic regression that tells whether
the best one holds the answer. Plain numpy, fixed seed, some ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.deps import build_embedder, prepare
from agent.evidence import of_passages
from agent.moves import question_query
from agent.nodes import BRIDGED
from agent.reasoners.extractive import Extractive
from agent.reasoners.features import FEATURES, Candidate, answer_inputs, candidates, stems, uncovered
from agent.relevance import by_relevance, most_relevant, name_rarities
from agent.settings import Settings, read_settings
from agent.state import Draft, Evidence, Query, merge_evidence
from evals.data import Row, add_corpus, read_rows
from retrieval.library import Library
from retrieval.tokens import words_of

Array = npt.NDArray[np.float64]
PARAGRAPHS = {"en": 1400, "zh": 1400}
HELD_OUT_SHARE = 0.15  # of the paragraphs: asked about but not in the library
QUESTIONS = 3000
EVERY = {"en": 2, "zh": 4}  # how often a question is asked with a round of moves as well
MULTIHOP_TIMES = 2  # that each question over several documents counts: there are few of those
SOURCES = {"en": ("squad", "squadshifts-new_wiki"), "zh": ("cmrc2018", "drcd")}


Case = tuple[list[Candidate], list[bool], list[bool]]  # sentences, right ones, ones to leave out


def normalise(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="folder of the benchmark data")
    parser.add_argument("--out", type=Path, default=Path("agent/reasoners/weights.json"))
    args = parser.parse_args()
    rows = read_rows(args.data / "reader_train.jsonl.gz")
    fitted: dict[str, Any] = {"features": list(FEATURES), "fitted_on": ["reader_train", "multihop_train_en"]}
    for lang in ("en", "zh"):
        print(f"--- {lang}")
        cases = reader_cases(lang, sample(rows, lang))
        if lang == "en":
            cases += MULTIHOP_TIMES * multihop_cases(args.data)
        fitted[lang] = fit_weights([one for one in cases if one[0]])
    args.out.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")


def sample(rows: list[dict[str, Any]], lang: str) -> list[dict[str, Any]]:
    """Paragraphs of one language, some articles of each source whole, so that neighbours compete."""
    chosen = [row for row in rows if row["lang"].startswith(lang) and row["source"] in SOURCES[lang]]
    titles = sorted({(row["source"], row["title"]) for row in chosen})
    random.Random(0).shuffle(titles)
    order = {title: n for n, title in enumerate(titles)}
    chosen.sort(key=lambda row: order[(row["source"], row["title"])])
    return chosen[: PARAGRAPHS[lang]]


@contextmanager
def training_library(rows: list[Row]) -> Iterator[Library]:
    settings = read_settings()
    prepare(settings)
    with (
        tempfile.TemporaryDirectory() as folder,
        Library(Path(folder), lambda: build_embedder(settings)) as library,
    ):
        print("chunks", add_corpus(library, rows), flush=True)
        yield library


def multihop_cases(folder: Path) -> list[Case]:
    """Questions whose answer needs two documents, each with one round of moves."""
    with training_library(read_rows(folder / "multihop_corpus_train_en.jsonl")) as library:
        return [
            case(Extractive(library), row["question"], row["answers"], row["doc_ids"], True)
            for row in read_rows(folder / "multihop_train_en.jsonl")
        ]


def reader_cases(lang: str, paragraphs: list[dict[str, Any]]) -> list[Case]:
    rng = random.Random(1)
    held_out = {n for n in range(len(paragraphs)) if rng.random() < HELD_OUT_SHARE}
    kept = [
        {"doc_id": str(n), "title": row["title"], "text": row["context"]}
        for n, row in enumerate(paragraphs)
        if n not in held_out
    ]
    with training_library(kept) as library:
        asked = [(n, qa) for n, row in enumerate(paragraphs) for qa in row["qas"]]
        rng.shuffle(asked)
        # Unanswerable ones are rarer in the training data than among what people ask: keep them all.
        asked.sort(key=lambda pair: pair[1]["answerable"] and pair[0] not in held_out)
        hard = [p for p in asked if not p[1]["answerable"] or p[0] in held_out][: QUESTIONS // 3]
        easy = [p for p in asked if p[1]["answerable"] and p[0] not in held_out][: QUESTIONS - len(hard)]
        print("questions", len(easy), "unanswerable", len(hard))
        return [
            case(Extractive(library), qa["question"], qa["answers"], [str(n)], order % EVERY[lang] == 1)
            for order, (n, qa) in enumerate(easy + hard)
        ]


def case(reasoner: Extractive, question: str, answers: list[str], gold: list[str], moves: bool) -> Case:
    """The candidate sentences of one question, and which of them hold its answer; `moves`: after a round."""
    settings = Settings()
    evidence = searched(reasoner, question, [question_query(question)], [])
    if moves:
        evidence = after_round(reasoner, question, evidence)
    shown = most_relevant(evidence, settings.max_evidence)
    found = candidates(reasoner.asked(question), shown)
    paths = {item["number"]: item["path"] for item in shown}
    wanted = [normalise(answer) for answer in answers if normalise(answer)]
    holds = [any(answer in normalise(c.text) for answer in wanted) for c in found]
    right = [h and paths[c.evidence] in gold for h, c in zip(holds, found, strict=True)]
    ignored = [h and not r for h, r in zip(holds, right, strict=True)]
    return found, right, ignored


def after_round(reasoner: Extractive, question: str, evidence: list[Evidence]) -> list[Evidence]:
    """The evidence with what one round of moves adds, the best passage taken for what the draft cites."""
    ranked = by_relevance(evidence)
    best = frozenset(t for item in ranked[:1] for t in stems(f"{item['title']} {item['text']}"))
    missing = words_of(question, uncovered(reasoner.asked(question), best))
    draft: Draft = {"claims": [], "sufficiency": 0.0, "missing": missing, "round": 0}
    plan = reasoner.plan(question, date.today())
    queries = reasoner.reformulate(question, plan, ranked, draft, [question])
    for move in dict.fromkeys(query["move"] for query in queries):
        own = [query for query in queries if query["move"] == move]
        evidence = searched(reasoner, question, own, evidence)
    return evidence


def searched(
    reasoner: Extractive, question: str, queries: list[Query], evidence: list[Evidence]
) -> list[Evidence]:
    """The evidence with what the queries of one move find."""
    asked, settings = reasoner.asked(question), Settings()
    limit = BRIDGED if queries[0]["move"] == "bridge" else settings.passages
    rarities = name_rarities(asked, queries, reasoner.idf)
    lists = reasoner.library.search_many([query["text"] for query in queries], limit)
    items = [
        item
        for query, rarity, passages in zip(queries, rarities, lists, strict=True)
        for item in of_passages(asked, query, passages, 0, rarity)
    ]
    return merge_evidence(evidence, {"items": items, "limit": settings.max_passages})


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
    weights = np.zeros(len(FEATURES))
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
