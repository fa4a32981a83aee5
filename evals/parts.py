"""What can be measured: the suites, their parts, the files that each reads, and the scores of its rows.

A score is a number for one row, higher is better, so that two results can be compared row by row
(`evals.compare`, `evals.gate`); a row that a score says nothing of lacks it. Parts whose rows are times have
none. It runs nothing and imports no suite; the functions behind the parts are in `evals.suites`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MISSED = 10_000  # rank of a document that was not found
Row = dict[str, Any]
Scores = dict[str, float]


def _nothing(row: Row) -> Scores:
    return {}


@dataclass(frozen=True)
class Part:
    """One thing that a suite measures."""

    says: str
    files: tuple[str, ...]
    """Patterns of the data files that it reads."""
    scores: Callable[[Row], Scores] = _nothing
    default: bool = True
    """Whether it is measured when no part is named."""
    needs: tuple[str, ...] = ()
    """Patterns of files without which it has nothing to measure."""
    langs: tuple[str, ...] = ()
    """The languages that it is of; empty: all."""
    takes: str = ""
    """What may stand after the part's name and a colon."""


@dataclass(frozen=True)
class Suite:
    says: str
    parts: dict[str, Part]
    model: str = ""
    """What `--model` names; empty where there is no model to choose."""
    settings: bool = True
    """Whether `--settings` has a meaning."""


# --- scores -----------------------------------------------------------------------------------------------


def of_ranks(row: Row) -> Scores:
    found = {f"{name} r@{k}": float(row[name] < k) for name in ("dense", "lexical", "hybrid") for k in (1, 5)}
    return {**found, "hybrid mrr": 1 / (row["hybrid"] + 1) if row["hybrid"] < MISSED else 0.0}


def _of_answer(row: Row) -> Scores:
    refused = row["outcome"] not in ("verified", "partial")
    scores = {
        "nothing wrong is verified": float(row["outcome"] != "verified" or row["right"]),
        "every sentence is cited": float(not row["unsupported"]),
    }
    if row["answerable"]:
        scores |= {
            "right": float(row["right"]),
            "best draft right": float(row["draft_right"]),
            "f1": row["f1"],
        }
    else:
        scores["refused where it must"] = float(refused)
    if row.get("by_model"):
        scores["draft of the model can be read"] = float(row["readable"])
    if row.get("drafted"):
        scores["sentences of the model supported"] = row["supported"] / row["drafted"]
    return scores


def _of_loop(row: Row) -> Scores:
    scores = {}
    for name, one in row.items():
        if isinstance(one, dict) and "all_support" in one:
            scores[f"{name}: all passages"] = float(one["all_support"])
            if "contained" in one:
                scores[f"{name}: best draft right"] = float(one["contained"])
    return scores


def _of_recovered(row: Row) -> Scores:
    return {name: float(row[name]) for name in ("recovered", "single-shot at ten")}


def _of_one_draft(row: Row) -> Scores:
    if not row["retrieved"]:
        return {}
    by_rule = row["kind"] not in ("addition", "off-topic")
    scores = {}
    if row["kind"] != "none":
        scores["fault caught" if by_rule else "addition caught"] = float(not row["reached"])
        scores["fault not in answer" if by_rule else "addition not in answer"] = float(not row["in_answer"])
    if row["sound"]:
        scores["sound sentences kept"] = sum(not one["removed"] for one in row["sound"]) / len(row["sound"])
    return scores


def _of_two_drafts(row: Row) -> Scores:
    if not row["retrieved"]:
        return {}
    scores = {"fault caught": float(row["caught"]), "fault not in answer": float(not row["fault_in_answer"])}
    if row["caught"] and row["drafts"] > 1:
        scores["repaired"] = float(row["repaired"])
    return scores


def _of_claim(row: Row) -> Scores:
    told = row["verifier"]
    return {
        "told right": float((told >= 0.5) == row["label"]),
        "1 - squared error": 1 - (told - row["label"]) ** 2,
    }


def _of_span(row: Row) -> Scores:
    return {"exact": row["exact"], "f1": row["f1"]} if row["kind"] == "answerable" else {}


def _of_search(row: Row) -> Scores:
    return {name: float(row[name]) for name in ("ours", "dense", "bm25")}


def _of_changes(row: Row) -> Scores:
    scores = {f"not {name}": float(not row[name]) for name in ("stale", "self_cited", "unfounded")}
    return scores | (
        {"right": float(row["right"])} if row["there"] else {"refused where it must": float(row["refused"])}
    )


def _of_repeat(row: Row) -> Scores:
    return {
        "from memory": float(row["remembered"]),
        **({"the same": float(row["same"])} if row["remembered"] else {}),
    }


def _of_rewording(row: Row) -> Scores:
    return {
        f"{what} {name} memory": float(row[f"{what}_{name}"])
        for what in ("verified", "found")
        for name in ("with", "without")
    }


# --- suites -----------------------------------------------------------------------------------------------

_QA = ("corpus_*", "qa_*")
_HOPS = ("multihop_*",)
_TALK = ("memory_en*", "memory_zh*")

SUITES: dict[str, Suite] = {
    "critic": Suite(
        "how well the built-in verifier tells supported claims from others, and finds answers",
        {
            "claims": Part("claims and evidence of faithfulness_dev", ("faithfulness_*",), _of_claim),
            "answer": Part("answers in the paragraphs asked about", _QA, _of_span),
        },
        model="the verifier's ONNX file",
        settings=False,
    ),
    "lexical": Suite(
        "speed of the search by words in growing libraries",
        {"passages": Part("libraries of N passages", _QA, takes="N[,N...]")},
        settings=False,
    ),
    "loop": Suite(
        "what the loop gains over one search and one draft, and what it costs",
        {
            "multihop": Part(
                "all passages of a question among ten, by rounds", _HOPS, _of_loop, langs=("en",)
            ),
            "moves": Part(
                "the same without each move and with each alone",
                _HOPS,
                _of_loop,
                default=False,
                langs=("en",),
            ),
            "recovered": Part("documents that one search misses", (*_QA, "reader_train*"), _of_recovered),
            "added": Part("milliseconds where the first draft is enough", _QA),
        },
        model="a chat model",
    ),
    "memory": Suite(
        "whether memory finds, hastens and never misleads",
        {
            "turns": Part("what was said, by questions made by rule", _TALK, _of_search),
            "own": Part("the same by people's own questions", _TALK, _of_search),
            "stale": Part("askings between which documents change", (), _of_changes),
            "speed": Part("questions asked twice", _QA, _of_repeat),
            "rounds": Part("like questions, misspelt alike", _QA, _of_rewording),
            "year": Part("size and speed over a simulated year", ()),
            "policy": Part("which activation keeps what is asked again", (), default=False),
        },
        model="a chat model",
    ),
    "qa": Suite(
        "questions answered from a whole corpus",
        {"corpus": Part("each corpus with its questions", _QA, _of_answer)},
        model="a chat model",
    ),
    "refusal": Suite(
        "whether it refuses what it cannot know, and answers what it can",
        {
            "corpus": Part("questions over a whole corpus", _QA, _of_answer),
            "passages": Part("questions over passages of their own", ("robust_*",), _of_answer),
        },
        model="a chat model",
    ),
    "repair": Suite(
        "whether false sentences of a scripted chat model reach the answer",
        {
            "once": Part("one round: faults caught, sound sentences kept", _QA, _of_one_draft),
            "again": Part("a second round, in which the fault is mended", _QA, _of_two_drafts),
        },
    ),
    "retrieval": Suite(
        "documents found: by words, by meaning, by both",
        {
            "corpus": Part("each corpus with its questions", _QA, of_ranks),
            "distractors": Part(
                "the same among many more passages, and multi-hop questions",
                (*_QA, *_HOPS, "reader_train*"),
                of_ranks,
                default=False,
                needs=("reader_train*",),
            ),
        },
    ),
    "speed": Suite(
        "speed and memory, as ratios against a baseline in the same run",
        {
            "cold": Part("whole commands and the embedder", _QA),
            "retrieval": Part(
                "kinds of index at N vectors", (*_QA, "library.sqlite"), default=False, takes="N"
            ),
            "hybrid": Part(
                "whole searches among N passages", ("*corpus_*", "qa_*"), default=False, takes="N"
            ),
            "first_line": Part("how soon a terminal shows something", (), default=False),
            "ingest": Part(
                "adding folders of documents", ("docs_*/**/*",), default=False, takes="speed or memory"
            ),
            "verifier": Part("what a pair costs the verifier", _QA, default=False),
            "gguf": Part(
                "what a chat model costs beyond itself", ("multihop_*", *_QA), default=False, takes="FILE"
            ),
        },
        settings=False,
    ),
}


def parts_of(suite: str, part: str | None) -> list[str]:
    """The part that is named, else those that are measured by default. Raises ValueError in one line."""
    there = SUITES[suite].parts
    if part is None:
        return [name for name, one in there.items() if one.default]
    name, colon, given = part.partition(":")
    if name not in there:
        raise ValueError(f"{suite} has no part {name!r}: choose among {', '.join(there)}")
    if colon and not there[name].takes:
        raise ValueError(f"the part {name} of {suite} takes nothing after a colon")
    if colon and there[name].takes == "N" and not re.fullmatch(r"[1-9][0-9]{0,8}", given):
        raise ValueError(f"the part {name} of {suite} takes a number after the colon, not {given!r}")
    return [name]


def listing() -> str:
    """Every suite with its parts, one line each."""
    lines = []
    for name, suite in SUITES.items():
        lines.append(f"{name:10} {suite.says}")
        for own, part in suite.parts.items():
            called = own + (f"[:{part.takes}]" if part.takes else "")
            lines.append(f"  {called:20} {part.says}{'' if part.default else ' (only with --part)'}")
    return "\n".join(lines)
