"""How well the built-in verifier tells supported claims from others, and finds answers.

`python -m evals critic --data FOLDER`: *check* on `faithfulness_dev`, beside the cosine similarity of the
shipped embedder and the overlap of words. `uhgeval` is reported apart: there the supported claim is a
sentence of the source, so that overlap alone tells. Some claims stand in the training data, too, mostly
beside another source and with the other label: one part is without them. `--part answer`: *answer* and *find*
on the gold paragraphs of the questions. `--model` names another ONNX file. It runs no agent: what the
verifier does to answers, `qa` and `repair` say.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.deps import build_embedder, prepare
from agent.settings import read_settings
from agent.verifier import Verifier, shipped
from evals.data import Row, read_corpus, read_rows
from evals.metrics import RESAMPLES, mean_ci, normalise, token_f1
from evals.orders import Order
from evals.places import words_of
from evals.report import INTERVAL, Result
from evals.train.verifier_data import said

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int_]
APART = "uhgeval"
BINS = 10
BATCH = 64  # pairs of one call
SUPPORTED_AT = 0.5  # where balanced accuracy parts the claims


def run(order: Order) -> Result:
    verifier = Verifier(Path(order.model) if order.model else shipped())
    work = {"answer": answers, "claims": claims}[order.parts[0]]
    return work(verifier, order)


# --- check ------------------------------------------------------------------------------------


def claims(verifier: Verifier, order: Order) -> Result:
    rows = [
        {"id": str(n), **row}
        for n, row in enumerate(read_rows(order.data / "faithfulness_dev.jsonl"), 1)
        if order.lang in (None, row["lang"].split("-")[0])
    ]
    if not rows:
        raise SystemExit(f"{order.data}: no claims of {order.lang}")
    rows = replace(order, spread=True).some(rows)
    pairs = [(row["context"], said(row)) for row in rows]
    started = time.perf_counter()
    scores = [score for at in range(0, len(pairs), BATCH) for score in verifier.check(pairs[at : at + BATCH])]
    ms = (time.perf_counter() - started) * 1000 / max(len(pairs), 1)
    found = {"verifier": np.array(scores), "cosine": cosine(pairs), "overlap": overlap(pairs)}
    labels = np.array([row["label"] for row in rows])
    contexts = np.unique([row["context"] for row in rows], return_inverse=True)[1]
    trained = trained_claims(order.data)
    parts: dict[str, list[int]] = defaultdict(list)
    for n, row in enumerate(rows):
        if row["source"] != APART:
            parts["all"].append(n)
            parts[f"lang {row['lang'].split('-')[0]}"].append(n)
            if trained and row["claim_or_answer"] not in trained:
                parts["claims not in training"].append(n)
        parts[f"source {row['source']}"].append(n)
    metrics: dict[str, Any] = {"ms_per_claim": ms}
    for part, numbers in sorted(parts.items()):
        chosen = {name: values[numbers] for name, values in found.items()}
        alike = None if part.startswith("source") else contexts[numbers]
        metrics[part] = measured(labels[numbers], chosen, alike)
    kept = [
        {
            "id": row["id"],
            "source": row["source"],
            "lang": row["lang"],
            "label": row["label"],
            "task": row["task"],
        }
        | {name: round(float(values[n]), 4) for name, values in found.items()}
        for n, row in enumerate(rows)
    ]
    return Result("critic", {"supported_at": SUPPORTED_AT}, len(rows), metrics, kept)


def trained_claims(data: Path) -> set[str]:
    """The claims of the training data; none where it is not there."""
    there = any((data / f"faithfulness_train.jsonl{end}").exists() for end in ("", ".gz"))
    return (
        {row["claim_or_answer"] for row in read_rows(data / "faithfulness_train.jsonl")} if there else set()
    )


def measured(labels: Array, scores: dict[str, Array], contexts: Numbers | None) -> dict[str, Any]:
    """The figures of one part: of the verifier, and what the others reach; intervals over its contexts."""
    own = scores["verifier"]
    result: dict[str, Any] = {
        "n": len(labels),
        "balanced_accuracy": balanced_accuracy(labels, own >= SUPPORTED_AT),
        "ece": calibration_error(labels, own),
        **{
            f"auroc {name}" if name != "verifier" else "auroc": auroc(labels, s) for name, s in scores.items()
        },
    }
    if contexts is not None:
        result |= intervals_of(labels, own, contexts)
        for name, values in scores.items():
            if name != "verifier":
                result[f"auroc above {name} [95 % interval]"] = list(
                    auroc_gain(labels, own, values, contexts)
                )
    return result


def resamples(contexts: Numbers, seed: int = 0) -> list[Numbers]:
    """Rows of resamples of whole contexts: claims about the same one are not independent."""
    rng = np.random.default_rng(seed)
    alike = [np.flatnonzero(contexts == one) for one in np.unique(contexts)]
    return [
        np.concatenate([alike[n] for n in rng.integers(0, len(alike), len(alike))])
        for _ in range(RESAMPLES // 2)
    ]


def intervals_of(labels: Array, scores: Array, contexts: Numbers) -> dict[str, list[float]]:
    """Balanced accuracy and AUROC with 95 % bootstrap intervals over the contexts."""
    drawn = resamples(contexts)

    def told(figure: Callable[[Array, Array], float]) -> list[float]:
        ends = np.percentile([figure(labels[d], scores[d]) for d in drawn], [2.5, 97.5])
        return [figure(labels, scores), *map(float, ends)]

    return {
        f"balanced_accuracy{INTERVAL}": told(
            lambda label, score: balanced_accuracy(label, score >= SUPPORTED_AT)
        ),
        f"auroc{INTERVAL}": told(auroc),
    }


def auroc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Probability that a positive outscores a negative, ties counting half; 0.5 without either."""
    label, score = np.asarray(labels), np.asarray(scores)
    positive = int(label.sum())
    if positive in (0, len(label)):
        return 0.5
    _, where, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[where]
    return float(
        (ranks[label == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(label) - positive))
    )


def auroc_gain(labels: Array, left: Array, right: Array, contexts: Numbers) -> tuple[float, float, float]:
    """AUROC of `left` less that of `right`, with a paired 95 % bootstrap interval over the contexts."""
    gains = [auroc(labels[d], left[d]) - auroc(labels[d], right[d]) for d in resamples(contexts)]
    low, high = np.percentile(gains, [2.5, 97.5])
    return auroc(labels, left) - auroc(labels, right), float(low), float(high)


def balanced_accuracy(labels: Array, said_yes: npt.NDArray[np.bool_]) -> float:
    """Mean of the shares of positives and of negatives that are told right."""
    shares = [
        float((said_yes[labels == label] == label).mean()) for label in (0, 1) if (labels == label).any()
    ]
    return sum(shares) / max(len(shares), 1)


def calibration_error(labels: Array, scores: Array) -> float:
    """Expected calibration error over bins of equal width: Naeini, Cooper, Hauskrecht 2015."""
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    parts = [bins == n for n in range(BINS)]
    return float(sum(abs(labels[p].mean() - scores[p].mean()) * p.mean() for p in parts if p.any()))


def cosine(pairs: Sequence[tuple[str, str]]) -> Array:
    """Of the shipped embedder; it reads no more than the beginning of a long premise."""
    settings = read_settings(remember=False)
    prepare(settings)
    embedder = build_embedder(settings)
    premises = list(dict.fromkeys(premise for premise, _ in pairs))
    vectors = dict(zip(premises, embedder.embed(premises), strict=True))
    said_vectors = embedder.embed([claim for _, claim in pairs])
    return np.array([float(vectors[p] @ v) for (p, _), v in zip(pairs, said_vectors, strict=True)])


def overlap(pairs: Sequence[tuple[str, str]]) -> Array:
    """Share of a claim's words that its premise has."""
    shares = []
    for premise, claim in pairs:
        wanted = words_of(claim)
        shares.append(len(wanted & words_of(premise)) / max(len(wanted), 1))
    return np.array(shares)


# --- answer -----------------------------------------------------------------------------------


def answers(verifier: Verifier, order: Order) -> Result:
    metrics: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for name in ("en", "zh"):
        if order.lang not in (None, name):
            continue
        documents, questions = read_corpus(
            order.data / f"corpus_{name}.jsonl", order.data / f"qa_{name}.jsonl"
        )
        texts = {row["doc_id"]: row["text"] for row in documents}
        asked = order.some([row for row in questions if row["doc_id"] in texts])
        made = [
            {"part": "answer", "corpus": name, **answered(verifier, row, texts[row["doc_id"]])}
            for row in asked
        ]
        rows += made
        metrics[name] = summary(made)
    return Result("critic", {"part": "answer"}, len(rows), metrics, rows)


def answered(verifier: Verifier, row: Row, text: str) -> dict[str, Any]:
    """One question on its own paragraph; the best piece counts, however unsure."""
    span = verifier.answer(row["question"], [text], least=0.0)[0]
    given = text[span.start : span.end] if span else ""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "given": given,
        "exact": float(any(bare(given) == bare(answer) for answer in row["answers"])),
        "f1": token_f1(given, row["answers"]),
        "answer": span.score if span else 0.0,
        "find": verifier.find(row["question"], [text])[0],
    }


def bare(text: str) -> str:
    """Without articles, case and punctuation, as SQuAD compares answers."""
    return normalise(re.sub(r"\b(?:a|an|the)\b", " ", text.casefold()))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    right = [row for row in rows if row["kind"] == "answerable"]
    both = [row for row in rows if row["kind"] in ("answerable", "adversarial_unanswerable")]
    labels = [row["kind"] == "answerable" for row in both]
    result: dict[str, Any] = {
        "n": len(right),
        "exact [95 % interval]": list(mean_ci([row["exact"] for row in right])),
        "f1 [95 % interval]": list(mean_ci([row["f1"] for row in right])),
    }
    if not all(labels):
        for name in ("answer", "find"):
            result[f"auroc adversarial {name}"] = auroc(np.array(labels, int), [row[name] for row in both])
    return result
