"""What the loop gains over one good retrieval and one draft, and what it costs.

`multihop`: share of questions with all needed passages among those that the draft was given (at most ten),
per number of rounds, against one hybrid search for as many. `moves`, only when asked for: the same without
each move and with each alone. `recovered`: questions whose document one search misses among its first five.
`added`: milliseconds that the graph adds to questions which pass in round 0, against one search and one
draft. Extractive reasoner; nothing remembered.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from agent.assistant import Agent
from agent.deps import prepare
from agent.evidence import of_passages
from agent.moves import MOVES, question_query
from agent.reasoners.extractive import Extractive
from agent.reasoners.features import ask
from agent.settings import Settings, read_settings
from agent.state import merge_evidence
from evals.data import Row, add_corpus, corpora, read_rows
from evals.metrics import contains, mean_ci, paired_p
from evals.report import Result

ROUNDS = (0, 1, 2, 3)
PASSAGES = 10  # that a draft is given, and that one search is allowed
MISSED_AT = 5
WARM_QUESTIONS = 150


def run(arguments: argparse.Namespace) -> Result:
    base = replace(read_settings(remember=False), max_evidence=PASSAGES)
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    if arguments.part not in (None, *PARTS):
        sys.exit(f"the loop suite has no part {arguments.part!r}: choose among {', '.join(PARTS)}")
    for name in [arguments.part] if arguments.part else DEFAULT_PARTS:
        found, own = PARTS[name](arguments, base)
        metrics |= found
        rows += own
    return Result("loop", {"passages": PASSAGES}, len(rows), metrics, rows)


@contextmanager
def _home(base: Settings) -> Iterator[Settings]:
    """Settings with a folder of their own and the embedder that is prepared already."""
    cache = prepare(base)[0].parent.parent
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cache").symlink_to(cache)
        yield replace(base, home=Path(folder))


# --- all needed passages ------------------------------------------------------------------------------------


def multihop(arguments: argparse.Namespace, base: Settings) -> tuple[dict[str, Any], list[Row]]:
    """Rounds 0 to 3."""
    variants = {str(rounds): {"max_rounds": rounds} for rounds in ROUNDS}
    rows = _varied(arguments, base, variants)
    return {
        "all_support_recall": {name: _mean(rows, name, "all_support") for name in variants},
        "all_support_recall single-shot": _mean(rows, "single", "all_support"),
        "rounds 2 - single-shot, paired p": _against(rows, "2", "single", "all_support"),
        "containment of the best draft": {name: _mean(rows, name, "contained") for name in variants},
        "verified": {n: _share([row[n]["outcome"] == "verified" for row in rows]) for n in variants},
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


def moves(arguments: argparse.Namespace, base: Settings) -> tuple[dict[str, Any], list[Row]]:
    """The default number of rounds with the default moves, with all, without each, and with each alone."""
    variants: dict[str, dict[str, Any]] = {"default": {}, "all": {"moves": "all"}}
    for move in MOVES:
        variants[f"without {move}"] = {"moves": ",".join(name for name in MOVES if name != move)}
        variants[f"only {move}"] = {"moves": move}
    rows = _varied(arguments, base, variants)
    return {"moves": {name: _mean(rows, name, "all_support") for name in variants}}, rows


def _varied(arguments: argparse.Namespace, base: Settings, variants: dict[str, dict[str, Any]]) -> list[Row]:
    """Each question once with one search and once with each variant of the settings."""
    folder: Path = arguments.data
    questions = read_rows(folder / "multihop_en.jsonl")[: arguments.limit]
    texts = [
        row
        for name in ("corpus", "distractors")
        for file in sorted(folder.glob(f"multihop_{name}_en.jsonl*"))
        for row in read_rows(file)
    ]
    with _home(base) as settings:
        with Agent(settings) as assistant:
            add_corpus(assistant.library, texts)
            rows: list[Row] = [
                {"id": row["id"], "kind": row["kind"], "single": _searched(assistant, row)}
                for row in questions
            ]
        for name, changes in variants.items():
            with Agent(replace(settings, **changes)) as assistant:
                for row, question in zip(rows, questions, strict=True):
                    row[name] = _looped(assistant, question)
    return rows


def _searched(assistant: Agent, row: Row) -> dict[str, Any]:
    paths = {passage.chunk.path for passage in assistant.search(row["question"], PASSAGES)}
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
    return list(mean_ci([float(row[name][key]) for row in rows]))


def _share(values: Sequence[bool]) -> float:
    return sum(values) / max(len(values), 1)


def _against(rows: Sequence[Row], left: str, right: str, key: str) -> list[float]:
    """The difference of two shares, and the p of a paired test."""
    ours, theirs = ([float(row[name][key]) for row in rows] for name in (left, right))
    return [statistics.fmean(ours) - statistics.fmean(theirs), paired_p(ours, theirs)]


# --- documents that one search misses -----------------------------------------------------------------------


def recovered(arguments: argparse.Namespace, base: Settings) -> tuple[dict[str, Any], list[Row]]:
    """Each corpus of short documents, enlarged with the passages of `reader_train` where they are there."""
    out: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions in corpora(arguments.data, arguments.lang):
        if name not in ("en", "zh"):
            continue
        texts = read_rows(corpus) + _distractors(arguments.data, name)
        asked = [row for row in read_rows(questions) if row["answerable"]][: arguments.limit]
        with _home(replace(base, max_rounds=max(ROUNDS))) as settings, Agent(settings) as assistant:
            add_corpus(assistant.library, texts)
            found = {row["id"]: _places(assistant, row) for row in asked}
            missed = [row for row in asked if row["doc_id"] not in found[row["id"]][:MISSED_AT]]
            own = [
                {
                    "id": row["id"],
                    "corpus": name,
                    "single-shot at ten": row["doc_id"] in found[row["id"]],
                    **_recovered(assistant, row),
                }
                for row in missed
            ]
        rows += own
        out[name] = {
            "documents": len(texts),
            "questions": len(asked),
            "missed": len(missed),
            "single-shot at ten": list(mean_ci([float(row["single-shot at ten"]) for row in own])),
            "share": list(mean_ci([float(row["recovered"]) for row in own])),
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


def _places(assistant: Agent, row: Row) -> list[str]:
    paths = [passage.chunk.path for passage in assistant.search(row["question"], PASSAGES)]
    return list(dict.fromkeys(paths))


def _recovered(assistant: Agent, row: Row) -> dict[str, Any]:
    answer = assistant.ask(row["question"])
    return {
        "recovered": row["doc_id"] in {item["path"] for item in answer.evidence},
        "rounds": answer.rounds,
        "outcome": answer.outcome,
    }


# --- what the loop costs where it is not needed -------------------------------------------------------------


def added(arguments: argparse.Namespace, base: Settings) -> tuple[dict[str, Any], list[Row]]:
    """Whole runs that pass in round 0 against one search and one draft, interleaved and warm."""
    out: dict[str, Any] = {}
    rows: list[Row] = []
    for name, corpus, questions in corpora(arguments.data, arguments.lang):
        asked = [row for row in read_rows(questions) if row["answerable"]][
            : arguments.limit or WARM_QUESTIONS
        ]
        with _home(base) as settings, Agent(settings) as assistant:
            add_corpus(assistant.library, read_rows(corpus))
            for row in asked[:5]:
                _timed(assistant, row["question"])
            times = [_timed(assistant, row["question"], n % 2 == 0) for n, row in enumerate(asked)]
        passed = [one for one in times if one["passed"]]
        rows += [{"id": row["id"], "corpus": name, **one} for row, one in zip(asked, times, strict=True)]
        out[name] = {
            "passed in round 0": len(passed),
            "loop ms p50": _median([one["loop"] for one in passed]),
            "one search and one draft ms p50": _median([one["single"] for one in passed]),
            "added ms p50": _median([one["loop"] - one["single"] for one in passed]),
        }
    return {"added": out}, rows


def _timed(assistant: Agent, question: str, loop_first: bool = True) -> dict[str, Any]:
    """Milliseconds of both. What the first reads, the second finds in caches: each is the first in turn."""
    single_first_ms = 0.0 if loop_first else _single(assistant, question)
    started = time.perf_counter()
    answer = assistant.ask(question)
    loop_ms = 1000 * (time.perf_counter() - started)
    single_ms = _single(assistant, question) if loop_first else single_first_ms
    passed = answer.rounds == 0 and answer.outcome == "verified"
    return {"passed": passed, "loop": loop_ms, "single": single_ms}


def _single(assistant: Agent, question: str) -> float:
    """Milliseconds of one search and one draft."""
    started = time.perf_counter()
    reasoner = Extractive(assistant.library)
    plan = reasoner.plan(question, date.today())
    asked = ask(question, reasoner.idf)
    passages = assistant.search(question, assistant.settings.passages)
    items = of_passages(asked, question_query(question), passages, 0, 0.0)
    reasoner.draft(question, plan, merge_evidence([], {"items": items, "limit": len(items)}), [])
    return 1000 * (time.perf_counter() - started)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0


PARTS = {"multihop": multihop, "moves": moves, "recovered": recovered, "added": added}
DEFAULT_PARTS = ("multihop", "recovered", "added")  # `moves` takes half an hour on the dev data
