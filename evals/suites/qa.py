"""Questions answered from a whole corpus, through the whole loop, with nothing remembered.

Right: a reference answer stands in the answer text. An answer to an unanswerable question is wrong whatever
it says. Headline: selective accuracy, the share of right answers among those marked `verified`, and at a
fixed coverage of all questions. Every citation is checked against the corpus file, not against the library.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agent.assistant import Agent
from agent.deps import prepare
from agent.models.store import rungs
from agent.settings import Settings, read_settings
from evals.data import Row, add_corpus, corpora, read_rows
from evals.metrics import contains_all, mean_ci, selective_accuracy, token_f1
from evals.report import Result

COVERAGES = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0)


def run(arguments: argparse.Namespace) -> Result:
    base = read_settings(remember=False, model=arguments.model)
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions in corpora(arguments.data, arguments.lang):
        asked = read_rows(questions)[: arguments.limit]
        with empty_agent(base) as assistant:
            found = answer_rows(assistant, name, read_rows(corpus), asked)
        rows += found
        metrics[name] = {"n": len(found), **summary(found)}
        kinds = sorted({row["kind"] for row in found})
        metrics[name]["kind"] = {k: per_kind([row for row in found if row["kind"] == k]) for k in kinds}
    return Result("qa", {"model": base.model or "extractive"}, len(rows), metrics, rows)


@contextmanager
def empty_agent(base: Settings) -> Iterator[Agent]:
    """An assistant over an empty library, gone afterwards, with the embedder that is prepared already.

    A chat model answers only where the settings name one, also by a name of `agent model list`.
    """
    cache = prepare(base)[0].parent.parent
    named = ",".join(rungs(base.models_folder, base.model)) if base.model else ""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cache").symlink_to(cache)
        with Agent(replace(base, home=Path(folder), model=named)) as assistant:
            yield assistant


def answer_rows(assistant: Agent, name: str, texts: Sequence[Row], asked: Iterable[Row]) -> list[Row]:
    """Index a corpus and ask its questions."""
    add_corpus(assistant.library, texts)
    sources = {row["doc_id"]: row["text"] for row in texts}
    return [{"corpus": name, **answer_row(assistant, row, sources)} for row in asked]


def answer_row(assistant: Agent, row: Row, sources: dict[str, str]) -> Row:
    """Ask one question; what came of it.

    `answers` of a row: strings any one of which is right, or several such lists all of which must be met.
    """
    answer = assistant.ask(row["question"])
    given = answer.outcome in ("verified", "partial")
    nested = bool(row["answers"]) and isinstance(row["answers"][0], list)
    wanted = row["answers"] if nested else [row["answers"]]
    strings = [string for group in wanted for string in group]
    citations = [c for claim in answer.claims for c in claim.citations]
    unsupported = sum(not claim.citations for claim in answer.claims)
    unsupported += sum(sources.get(c.path, "")[c.start : c.end] != c.quote for c in citations)
    return {
        "id": row["id"],
        "kind": row["kind"],
        "answerable": row["answerable"],
        "outcome": answer.outcome,
        "answer": answer.text,
        "confidence": answer.confidence,
        "right": bool(given and row["answerable"] and contains_all(answer.text, wanted)),
        # What the best draft would have scored, answered or not: for the risk-coverage curve.
        "draft_right": bool(row["answerable"] and contains_all(answer.best_draft, wanted)),
        "f1": token_f1(answer.text, strings) if given and row["answerable"] else 0.0,
        "document": row["doc_id"] in {c.path for c in citations},
        "unsupported": unsupported,
        "rounds": answer.rounds,
        "seconds": answer.seconds,
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All metrics of one corpus."""
    verified = [row for row in rows if row["outcome"] == "verified"]
    refused = [row for row in rows if row["outcome"] not in ("verified", "partial")]
    unanswerable = [row for row in rows if not row["answerable"]]
    answerable = [row for row in rows if row["answerable"]]
    confidence = [row["confidence"] for row in rows]
    draft_right = [row["draft_right"] for row in rows]
    seconds = [row["seconds"] for row in rows]
    return {
        "selective accuracy of verified [95 % interval]": list(
            mean_ci([float(r["right"]) for r in verified])
        ),
        "coverage of verified": len(verified) / len(rows),
        "selective accuracy at coverage": {
            f"{c:.1f}": selective_accuracy(confidence, draft_right, c) for c in COVERAGES
        },
        "containment": _share(answerable, "right"),
        "containment of the best draft": _share(answerable, "draft_right"),
        "f1": sum(r["f1"] for r in answerable) / max(len(answerable), 1),
        "refusal_precision": sum(not r["answerable"] for r in refused) / max(len(refused), 1),
        "refusal_recall": sum(r in refused for r in unanswerable) / max(len(unanswerable), 1),
        "unsupported_sentences": sum(r["unsupported"] for r in rows),
        "rounds_mean": sum(r["rounds"] for r in rows) / len(rows),
        "seconds_p50": float(np.percentile(seconds, 50)),
        "seconds_p95": float(np.percentile(seconds, 95)),
    }


def per_kind(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    outcomes = sorted({row["outcome"] for row in rows})
    return {
        "n": len(rows),
        **{outcome: sum(row["outcome"] == outcome for row in rows) for outcome in outcomes},
        "right": _share(rows, "right"),
        "refused": sum(row["outcome"] not in ("verified", "partial") for row in rows) / len(rows),
        "rounds_mean": sum(row["rounds"] for row in rows) / len(rows),
    }


def _share(rows: Sequence[dict[str, Any]], key: str) -> float:
    return sum(bool(row[key]) for row in rows) / max(len(rows), 1)
