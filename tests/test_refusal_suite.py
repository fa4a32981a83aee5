"""The refusal suite on the small data: what it asks, over which passages, and what it sums up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.settings import Settings
from evals.data import SMALL_DATA, add_corpus, read_rows
from evals.orders import Order, measured
from evals.suites import refusal
from evals.suites.qa import empty_agent


def row(kind: str, outcome: str, confidence: float, draft_right: bool = False) -> dict[str, Any]:
    given = outcome in ("verified", "partial")
    return {
        "kind": kind,
        "outcome": outcome,
        "confidence": confidence,
        "right": given and draft_right,
        "draft_right": draft_right,
    }


def test_questions_written_to_mislead_are_no_part_of_precision() -> None:
    rows = [
        row("out_of_corpus", "abstained", 0.1),
        row("negative_rejection", "partial", 0.4),
        row("answerable", "verified", 0.9, True),
        row("noise", "abstained", 0.3, True),
        row("adversarial_unanswerable", "abstained", 0.2),
    ]
    metrics = refusal.summary(rows)
    assert metrics["refusal"]["precision [95 % interval]"][0] == 0.5
    assert metrics["refusal"]["recall [95 % interval]"][0] == 0.5
    assert metrics["refusal"]["precision at recall 0.60"] == 2 / 3
    assert metrics["refusal"]["recall at precision 0.80"] == 0.5
    assert metrics["refusal over the corpus"]["precision [95 % interval]"][0] == 1.0
    assert metrics["refusal over passages of its own"]["recall [95 % interval]"][0] == 0.0
    misleading = metrics["kind"]["adversarial_unanswerable"]
    assert [misleading[name] for name in ("n", "refused", "verified", "right")] == [1, 1, 0, 0]
    risks = metrics["risk of the best draft at coverage"]
    assert risks["of all questions"]["1.0"] == pytest.approx(3 / 5)
    assert risks["of all but adversarial ones"]["1.0"] == pytest.approx(2 / 4)


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_refilled_library_answers_as_a_fresh_one(lang: str, settings: Settings) -> None:
    settings = replace(settings, remember=False)
    asked = read_rows(SMALL_DATA / f"robust_{lang}.jsonl")[:2]
    with empty_agent(settings) as stock, empty_agent(settings) as assistant:
        add_corpus(stock.library, {one["doc_id"]: one for r in asked for one in r["docs"]}.values())
        for one in asked:
            own = [document["doc_id"] for document in one["docs"]]
            refusal.refill(assistant.library.store, stock.library.store, own)
            assert {document.path for document in assistant.library.documents()} == set(own)
            again = refusal.answer_over_its_own(assistant, one)
    with empty_agent(settings) as fresh:
        add_corpus(fresh.library, asked[-1]["docs"])
        first = refusal.answer_over_its_own(fresh, asked[-1])
    del again["seconds"], first["seconds"]
    assert again.pop("confidence") == pytest.approx(first.pop("confidence"), abs=1e-4)
    assert again == first
    assert again["unsupported"] == 0


def test_the_limit_counts_for_each_task() -> None:
    rows = [{"task": task} for task in ("noise", "noise", "integration", "noise")]
    assert refusal.first_of_each(rows, 1) == [{"task": "noise"}, {"task": "integration"}]
    assert len(refusal.first_of_each(rows, None)) == 4


def test_the_small_data_has_every_kind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_HOME", str(settings.home))
    result = measured(Order("refusal", lang="zh", limit=1))
    assert result.suite == "refusal"
    assert result.n == len(result.rows) == 3
    assert {one["kind"] for one in result.rows} == {"answerable", "noise", "negative_rejection"}


def test_the_small_multihop_data_is_whole() -> None:
    passages = {one["doc_id"] for one in read_rows(SMALL_DATA / "multihop_corpus_en.jsonl")}
    asked = read_rows(SMALL_DATA / "multihop_en.jsonl")
    assert len({one["kind"] for one in asked}) > 5
    assert all(passages.issuperset([*one["doc_ids"], *one["context_ids"]]) for one in asked)
