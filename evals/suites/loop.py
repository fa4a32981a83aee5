"""What the loop gains over one good retrieval and one draft, and what it costs.

`multihop`: share of questions with all needed passages among those that the draft was given (by default at
most ten), per number of rounds, against one hybrid search for as many. `moves`, only when asked for: the same
without each move and with each alone. `recovered`: questions whose document one search misses among its first
five.
`added`: milliseconds that the graph adds to questions which pass in round 0, against one search and one
extractive draft. Nothing is remembered.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import date
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from agent.assistant import Agent
from agent.deps import build_verifier
from agent.evidence import of_passages
from agent.models.store import EXTRACTIVE
from agent.moves import MOVES, question_query
from agent.reasoners.extractive import Extractive
from agent.reasoners.features import ask
from agent.settings import Settings
from agent.state import merge_evidence
from agent.verifier import Verifier
from evals.data import LONG, Row, add_corpus, corpora, read_corpus, read_rows
from evals.metrics import contains, paired_p
from evals.orders import Order
from evals.report import INTERVAL, Result
from evals.suites.qa import TODAY, empty_agent, empty_home, share

ROUNDS = (0, 1, 2, 3)
MISSED_AT = 5
WARM_QUESTIONS = 150


def run(order: Order) -> Result:
    base = order.settings(remember=False)
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for name in order.parts:
        found, own = PARTS[name](order, base)
        metrics |= found
        rows += [{"part": name, **row} for row in own]
    return Result("loop", {"model": base.model or EXTRACTIVE}, len(rows), metrics, rows)


# --- all needed passages ------------------------------------------------------------------------------------


def multihop(order: Order, base: Settings) -> tuple[dict[str, Any], list[Row]]:
    """Rounds 0 to 3."""
    variants = {str(rounds): {"max_rounds": rounds} for rounds in ROUNDS}
    rows = _varied("multihop", order, base, variants)
    return {
        "all_support_recall": {name: _mean(rows, name, "all_support") for name in variants},
        "all_support_recall single-shot": _mean(rows, "single", "all_support"),
        "rounds 2 - single-shot, paired p": _against(rows, "2", "single", "all_support"),
        "containment of the best draft": {name: _mean(rows, name, "contained") for name in variants},
        **_verified(rows, list(variants)),
        "passages mean": {name: statistics.fmean(row[name]["passages"] for row in rows) for name in variants},
        "rounds mean": {name: statistics.fmean(row[name]["rounds"] for row in rows) for name in variants},
        "seconds mean": {name: statistics.fmean(row[name]["seconds"] for row in rows) for name in variants},
        "kind": {
            kind: {
                name: _mean([row for row in rows if row["kind"] == kind], name, "all_support")[0]
                for name in ("single", *variants)
            }
            for kind in sorted({row["kind"] for row in rows})
        },
    }, rows


def _verified(rows: Sequence[Row], variants: Sequence[str]) -> dict[str, Any]:
    shares = {name: share([row[name]["outcome"] == "verified" for row in rows]) for name in variants}
    return {"verified": {name: one[0] for name, one in shares.items()}, f"verified{INTERVAL}": shares}


def moves(order: Order, base: Settings) -> tuple[dict[str, Any], list[Row]]:
    """The default number of rounds with the default moves, with all, without each, and with each alone."""
    variants: dict[str, dict[str, Any]] = {"default": {}, "all": {"moves": "all"}}
    for move in MOVES:
        variants[f"without {move}"] = {"moves": ",".join(name for name in MOVES if name != move)}
        variants[f"only {move}"] = {"moves": move}
    rows = _varied("moves", order, base, variants)
    return {"moves": {name: _mean(rows, name, "all_support") for name in variants}}, rows


def _varied(part: str, order: Order, base: Settings, variants: dict[str, dict[str, Any]]) -> list[Row]:
    """Each question once with one search and once with each variant of the settings."""
    questions = order.some(read_rows(order.data / "multihop_en.jsonl"))
    if not questions:
        sys.exit(f"{order.data / 'multihop_en.jsonl'}: no questions")
    with ExitStack() as stack:

        @cache
        def home() -> Settings:
            """Filled when it is first needed: not where all rows are kept."""
            settings = stack.enter_context(empty_home(base))
            texts = [
                row
                for name in ("corpus", "distractors")
                for file in sorted(order.data.glob(f"multihop_{name}_en.jsonl*"))
                for row in read_rows(file)
            ]
            with Agent(settings) as assistant:
                add_corpus(assistant.library, texts)
            return settings

        def each(name: str, changes: dict[str, Any], ask: Callable[[Agent, Row], Row]) -> list[Row]:
            @contextmanager
            def opened() -> Iterator[Callable[[Row], Row]]:
                with Agent(replace(home(), **changes), today=lambda: TODAY) as assistant:
                    yield lambda row: ask(assistant, row)

            return order.kept.rows(part, name, questions, itemgetter("id"), opened)

        columns = {"single": each("single", {}, _searched)}
        columns |= {name: each(name, changes, _looped) for name, changes in variants.items()}
    return [
        {"id": row["id"], "kind": row["kind"], **{name: column[n] for name, column in columns.items()}}
        for n, row in enumerate(questions)
    ]


def _searched(assistant: Agent, row: Row) -> dict[str, Any]:
    limit = assistant.settings.max_evidence
    paths = {passage.chunk.path for passage in assistant.search(row["question"], limit)}
    return {"all_support": paths.issuperset(row["doc_ids"])}


def _looped(assistant: Agent, row: Row) -> dict[str, Any]:
    answer = assistant.ask(row["question"])
    paths = {item["path"] for item in answer.evidence}
    return {
        "all_support": paths.issuperset(row["doc_ids"]),
        "contained": contains(answer.best_draft, row["answers"]),
        "passages": len(answer.evidence),
        "outcome": answer.outcome,
        "rounds": answer.rounds,
        "seconds": answer.seconds,
    }


def _mean(rows: Sequence[Row], name: str, key: str) -> list[float]:
    """Share with its 95 % interval."""
    return share([row[name][key] for row in rows])


def _against(rows: Sequence[Row], left: str, right: str, key: str) -> list[float]:
    """The difference of two shares, and the p of a paired test."""
    ours, theirs = ([float(row[name][key]) for row in rows] for name in (left, right))
    return [statistics.fmean(ours) - statistics.fmean(theirs), paired_p(ours, theirs)]


# --- documents that one search misses -----------------------------------------------------------------------


def recovered(order: Order, base: Settings) -> tuple[dict[str, Any], list[Row]]:
    """Each corpus of short documents, enlarged with the passages of `reader_train` where they are there."""
    out: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions in corpora(order.data, order.lang):
        if order.lang is None and name.startswith(LONG):
            continue
        texts, all_asked = read_corpus(corpus, questions)
        texts += _distractors(order.data, name)
        asked = order.some([row for row in all_asked if row["answerable"] and row["doc_id"]])
        opened = partial(_filled, replace(base, max_rounds=max(ROUNDS)), texts)
        found = order.kept.rows("recovered", name, asked, itemgetter("id"), opened)
        own = [{"id": row["id"], "corpus": name, **one} for row, one in zip(asked, found, strict=True)
               if one.pop("missed")]  # fmt: skip
        rows += own
        out[name] = {
            "documents": len(texts),
            "questions": len(asked),
            "missed": len(own),
            "single-shot at ten": share([row["single-shot at ten"] for row in own]),
            "share": share([row["recovered"] for row in own]),
        }
    return {"recovered": out}, rows


def _distractors(folder: Path, lang: str) -> list[Row]:
    file = folder / "reader_train.jsonl.gz"
    rows = read_rows(file) if file.exists() else []
    return [
        {"doc_id": f"distractor:{n}", "title": row["title"], "text": row["context"]}
        for n, row in enumerate(rows)
        if row["lang"].startswith(lang)
    ]


@contextmanager
def _filled(base: Settings, texts: Sequence[Row]) -> Iterator[Callable[[Row], Row]]:
    with empty_agent(base) as assistant:
        add_corpus(assistant.library, texts)
        yield lambda row: _recovered(assistant, row)


def _recovered(assistant: Agent, row: Row) -> dict[str, Any]:
    """Whether one search misses a question's document, and then whether the loop finds it."""
    passages = assistant.search(row["question"], assistant.settings.max_evidence)
    places = list(dict.fromkeys(passage.chunk.path for passage in passages))
    if row["doc_id"] in places[:MISSED_AT]:
        return {"missed": False}
    answer = assistant.ask(row["question"])
    return {
        "missed": True,
        "single-shot at ten": row["doc_id"] in places,
        "recovered": row["doc_id"] in {item["path"] for item in answer.evidence},
        "rounds": answer.rounds,
        "outcome": answer.outcome,
    }


# --- what the loop costs where it is not needed -------------------------------------------------------------


def added(order: Order, base: Settings) -> Sequence[Any]:
    """Whole runs that pass in round 0 against one search and one draft, interleaved and warm."""
    return order.kept.whole("added", "", partial(_all_timed, order, base))


def _all_timed(order: Order, base: Settings) -> tuple[dict[str, Any], list[Row]]:
    out: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions in corpora(order.data, order.lang):
        texts, all_asked = read_corpus(corpus, questions)
        asked = [row for row in all_asked if row["answerable"]][: order.limit or WARM_QUESTIONS]
        # A verifier of its own: what the other has read, this one reads as well.
        shared = build_verifier(base)
        reader = Verifier(shared.onnx_file) if shared else None
        with empty_agent(base) as assistant:
            add_corpus(assistant.library, texts)
            for row in asked[:5]:
                _timed(assistant, reader, row["question"])
            times = [_timed(assistant, reader, row["question"], n % 2 == 0) for n, row in enumerate(asked)]
        passed = [one for one in times if one["passed"]]
        rows += [{"id": row["id"], "corpus": name, **one} for row, one in zip(asked, times, strict=True)]
        out[name] = {
            "passed in round 0": len(passed),
            "loop ms p50": _median([one["loop"] for one in passed]),
            "one search and one draft ms p50": _median([one["single"] for one in passed]),
            "added ms p50": _median([one["loop"] - one["single"] for one in passed]),
        }
    return {"added": out}, rows


def _timed(
    assistant: Agent, reader: Verifier | None, question: str, loop_first: bool = True
) -> dict[str, Any]:
    """Milliseconds of both. What the first reads, the second finds in caches: each is the first in turn."""
    single_first_ms = 0.0 if loop_first else _single(assistant, reader, question)
    started = time.perf_counter()
    answer = assistant.ask(question)
    loop_ms = 1000 * (time.perf_counter() - started)
    single_ms = _single(assistant, reader, question) if loop_first else single_first_ms
    passed = answer.rounds == 0 and answer.outcome == "verified"
    return {"passed": passed, "loop": loop_ms, "single": single_ms}


def _single(assistant: Agent, reader: Verifier | None, question: str) -> float:
    """Milliseconds of one search and one draft."""
    started = time.perf_counter()
    reasoner = Extractive(assistant.library, reader=reader)
    plan = reasoner.plan(question, date.today())
    asked = ask(question, reasoner.idf)
    passages = assistant.search(question, assistant.settings.passages)
    items = of_passages(asked, question_query(question), passages, 0, 0.0)
    reasoner.draft(question, plan, merge_evidence([], {"items": items, "limit": len(items)}), [])
    return 1000 * (time.perf_counter() - started)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


PARTS = {"multihop": multihop, "moves": moves, "recovered": recovered, "added": added}
