"""How well the built-in verifier tells supported claims from others, and finds answers.

`claims`: *check* on `faithfulness_dev`, beside the cosine similarity of the
shipped embedder and the overlap of words. `uhgeval` is reported apart: there the supported claim is a
sentence of the source, so that overlap alone tells. Some claims stand in the training data, too, mostly
beside another source and with the other label: one part is without them. `answer`: *answer* and *find* on the
gold paragraphs of the questions. `--model` names another ONNX file. It runs no agent: what the verifier does
to answers, `qa` and `repair` say.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.deps import build_embedder, prepare
from agent.settings import Settings, read_settings
from agent.verifier import Verifier, shipped
from evals.data import LONG, Row, corpora, read_corpus, read_rows
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
SHOWN = 300  # characters of a claim that a result keeps
SUPPORTED_AT = 0.5  # where balanced accuracy parts the claims


def run(order: Order) -> Result:
    verifier = Verifier(Path(order.model) if order.model else shipped())
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for part in order.parts:
        made = partial({"answer": answers, "claims": claims}[part], verifier, order)
        found, own = order.kept.whole(part, order.lang or "", made)
        metrics |= found
        rows += [{"part": part, **row} for row in own]
    return Result("critic", {"supported_at": SUPPORTED_AT}, len(rows), metrics, rows)


# --- check ------------------------------------------------------------------------------------


def claims(verifier: Verifier, order: Order) -> tuple[dict[str, Any], list[Row]]:
    rows = [
        {"id": str(n), **row}
        for n, row in enumerate(read_rows(order.data / "faithfulness_dev.jsonl"), 1)
        if order.lang in (None, row["lang"].split("-")[0])
    ]
    if not rows:
        raise SystemExit(f"{order.data}: no claims of {order.lang}")
    rows = replace(order, spread=True).some(rows)
    pairs = [(row["context"], said(row)) for row in rows]
    scores, ms = checked(verifier, pairs)
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
    metrics: dict[str, Any] = {"ms_per_claim": float(ms.mean())}
    for part, numbers in sorted(parts.items()):
        chosen = {name: values[numbers] for name, values in found.items()}
        alike = None if part.startswith("source") else contexts[numbers]
        metrics[part] = {
            **measured(labels[numbers], chosen, alike),
            "ms_per_claim": float(ms[numbers].mean()),
        }
    kept = [
        {key: row[key] for key in ("id", "source", "lang", "label", "task")}
        | {"group": str(contexts[n]), "claim": pairs[n][1][:SHOWN]}
        | {name: round(float(values[n]), 4) for name, values in found.items()}
        for n, row in enumerate(rows)
    ]
    return metrics, kept


def checked(verifier: Verifier, pairs: Sequence[tuple[str, str]]) -> tuple[list[float], Array]:
    """The score of each pair, and its milliseconds: those of its batch, evenly."""
    scores: list[float] = []
    ms: list[float] = []
    for at in range(0, len(pairs), BATCH):
        batch = pairs[at : at + BATCH]
        started = time.perf_counter()
        scores += verifier.check(batch)
        ms += [(time.perf_counter() - started) * 1000 / len(batch)] * len(batch)
    return scores, np.array(ms)


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
    settings = Settings(home=read_settings().home)  # whatever embedder the user has chosen
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


def answers(verifier: Verifier, order: Order) -> tuple[dict[str, Any], list[Row]]:
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions_file in corpora(order.data, order.lang):
        if order.lang is None and name.startswith(LONG):
            continue
        documents, questions = read_corpus(corpus, questions_file)
        texts = {row["doc_id"]: row["text"] for row in documents}
        asked = order.some([row for row in questions if row["doc_id"] in texts])
        if not asked:
            raise SystemExit(
                f"{questions_file}: no question says in which document its answer stands (doc_id)"
            )
        made = [
            {"corpus": name, "group": row["doc_id"], **answered(verifier, row, texts[row["doc_id"]])}
            for row in asked
        ]
        rows += made
        metrics[name] = summary(made)
    return metrics, rows


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
    groups = [row["group"] for row in right]
    result: dict[str, Any] = {
        "n": len(right),
        "exact [95 % interval]": list(mean_ci([row["exact"] for row in right], groups=groups)),
        "f1 [95 % interval]": list(mean_ci([row["f1"] for row in right], groups=groups)),
    }
    if not all(labels):
        for name in ("answer", "find"):
            result[f"auroc adversarial {name}"] = auroc(np.array(labels, int), [row[name] for row in both])
    return result
