"""Questions answered from a whole corpus, through the whole loop, with nothing remembered.

Right: a reference answer stands in the answer text. An answer to an unanswerable question is wrong whatever
it says. Headline: selective accuracy, the share of right answers among those marked `verified`, and at a
fixed coverage of all questions. Every citation is checked against the corpus file, not against the library.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from agent.answer import Answer
from agent.assistant import Agent
from agent.deps import prepare
from agent.models.store import EXTRACTIVE, rungs
from agent.settings import Settings
from evals.data import Row, add_corpus, corpora, read_corpus
from evals.metrics import contains_all, mean_ci, selective_accuracy, token_f1
from evals.orders import Order
from evals.report import INTERVAL, Result

COVERAGES = (0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
TODAY = date(2026, 11, 22)  # on which everything is asked, so that no score depends on the day


def run(order: Order) -> Result:
    base = order.settings(remember=False)
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions in corpora(order.data, order.lang):
        texts, asked = read_corpus(corpus, questions)
        found = ask_all(order, base, name, texts, order.some(asked))
        rows += found
        metrics[name] = {"n": len(found), **summary(found)}
        kinds = sorted({row["kind"] for row in found})
        metrics[name]["kind"] = {k: per_kind([row for row in found if row["kind"] == k]) for k in kinds}
    return Result("qa", {"model": base.model or EXTRACTIVE}, len(rows), metrics, rows)


def ask_all(order: Order, base: Settings, name: str, texts: Sequence[Row], asked: Sequence[Row]) -> list[Row]:
    """Index a corpus and ask its questions, but for those that are answered already."""

    @contextmanager
    def opened() -> Iterator[Callable[[Row], Row]]:
        with empty_agent(base) as assistant:
            add_corpus(assistant.library, texts)
            sources = {row["doc_id"]: row["text"] for row in texts}
            yield lambda row: {"corpus": name, **answer_row(assistant, row, sources)}

    return order.kept.rows("corpus", name, asked, itemgetter("id"), opened)


@contextmanager
def empty_home(base: Settings) -> Iterator[Settings]:
    """The same settings with an empty folder, gone afterwards, and the embedder that is prepared already.

    A chat model answers only where the settings name one, also by a name of `agent model list`.
    """
    cache = prepare(base)[0].parent.parent
    named = ",".join(rungs(base.models_folder, base.model)) if base.model else ""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cache").symlink_to(cache)
        yield replace(base, home=Path(folder), model=named)


@contextmanager
def empty_agent(base: Settings) -> Iterator[Agent]:
    """An assistant over an empty library, gone afterwards."""
    with empty_home(base) as settings, Agent(settings, today=lambda: TODAY) as assistant:
        yield assistant


def answer_row(assistant: Agent, row: Row, sources: dict[str, str]) -> Row:
    """Ask one question; what came of it.

    `answers` of a row: strings any one of which is right, or several such lists all of which must be met.
    """
    *events, answer = assistant.run(row["question"])
    assert isinstance(answer, Answer)
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
        "short": answer.short,
        "short_f1": token_f1(answer.short, strings) if row["answerable"] else 0.0,
        "document": row["doc_id"] in {c.path for c in citations},
        "unsupported": unsupported,
        "rounds": answer.rounds,
        "seconds": answer.seconds,
        "tokens": answer.tokens,
        "by_model": assistant.settings.model not in ("", EXTRACTIVE),
        **first_draft(events),
    }


def first_draft(events: Sequence[Any]) -> dict[str, Any]:
    """Who wrote the first draft, and of a chat model's how many sentences it has and were found supported.

    "extractive" with a chat model: what that wrote could not be read. A draft without a sentence can: so a
    model says that the passages do not answer.
    """
    drafts = [one for one in events if isinstance(one, dict) and one["event"] == "draft"]
    judged = [one["verdicts"] for one in events if isinstance(one, dict) and one["event"] == "critique"]
    if not drafts or not judged or drafts[0]["model"] == EXTRACTIVE:
        wrote = drafts[0]["model"] if drafts else ""
        return {"wrote": wrote, "readable": wrote not in ("", EXTRACTIVE), "drafted": 0, "supported": 0}
    supported = sum(one["verdict"] == "supported" for one in judged[0])
    return {
        "wrote": drafts[0]["model"],
        "readable": True,
        "drafted": len(judged[0]),
        "supported": supported,
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All metrics of one corpus."""
    verified = [row for row in rows if row["outcome"] == "verified"]
    refused = [row for row in rows if row["outcome"] not in ("verified", "partial")]
    unanswerable = [row for row in rows if not row["answerable"]]
    answerable = [row for row in rows if row["answerable"]]
    confidence = [row["confidence"] for row in rows]
    draft_right = [row["draft_right"] for row in rows]
    drafted = [row for row in rows if row["drafted"]]
    short = [row for row in verified if row["short"]]
    by_model = [row for row in rows if row["by_model"]]
    of_model = {
        "sentences of the model supported": share([row["supported"] / row["drafted"] for row in drafted]),
        "drafts of the model that can be read": share([row["readable"] for row in by_model]),
    }
    return {
        f"selective accuracy of verified{INTERVAL}": share([row["right"] for row in verified]),
        **with_interval("coverage of verified", [row["outcome"] == "verified" for row in rows]),
        "selective accuracy at coverage": {
            f"{c:.1f}": selective_accuracy(confidence, draft_right, c) for c in COVERAGES
        },
        **with_interval("containment", [row["right"] for row in answerable]),
        **with_interval("containment of the best draft", [row["draft_right"] for row in answerable]),
        **with_interval("f1", [row["f1"] for row in answerable]),
        "short answers among the verified": len(short) / max(len(verified), 1),
        **with_interval("f1 of short answers among the verified", [row["short_f1"] for row in short]),
        **with_interval("refusal_precision", [not row["answerable"] for row in refused]),
        **with_interval("refusal_recall", [row in refused for row in unanswerable]),
        **{f"{name}{INTERVAL}": value for name, value in of_model.items() if by_model},
        **costs(rows),
    }


def costs(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    seconds = [row["seconds"] for row in rows]
    return {
        "unsupported_sentences": sum(row["unsupported"] for row in rows),
        "rounds_mean": sum(row["rounds"] for row in rows) / len(rows),
        "seconds_p50": float(np.percentile(seconds, 50)),
        "seconds_p95": float(np.percentile(seconds, 95)),
    }


def with_interval(name: str, values: Sequence[float]) -> dict[str, Any]:
    """A mean under its name, and again with its 95 % interval."""
    told = share(values)
    return {name: told[0], f"{name}{INTERVAL}": told}


def share(values: Sequence[float]) -> list[float]:
    """Mean with its 95 % interval."""
    return list(mean_ci([float(value) for value in values]))


def per_kind(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    outcomes = sorted({row["outcome"] for row in rows})
    return {
        "n": len(rows),
        **{outcome: sum(row["outcome"] == outcome for row in rows) for outcome in outcomes},
        **with_interval("right", [row["right"] for row in rows]),
        "refused": sum(row["outcome"] not in ("verified", "partial") for row in rows) / len(rows),
        "f1": sum(row["f1"] for row in rows) / len(rows),
        **costs(rows),
    }
