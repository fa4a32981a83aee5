"""`agent ask`: one question, its answer on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.answer import Answer
from agent.assistant import Agent
from agent.cli.render import console, print_answer, print_json, status_line, trace_lines, visible
from agent.cli.stopping import ctrl_c_settles
from agent.errors import InputError
from agent.events import Event
from agent.filters import read_options
from agent.models.store import EXTRACTIVE, default
from agent.settings import Settings, read_settings

HINT_MODEL = "answering by quotation; for fluent answers get a chat model: `agent model pull`"
HINT_JUDGE = "--judge-model is not used: no chat model writes; give one with --model"
HINT_EMPTY = "your library is empty: add files with `agent add PATH`"


def ask_once(
    question: str,
    thread: str,
    docs: Sequence[Path],
    flags: dict[str, Any],
    only: dict[str, Any],
    *,
    resume: str,
    show_trace: bool,
    as_json: bool,
) -> str:
    """Ask, or go on with a run, print, and return the outcome."""
    settings, where = read_settings(**flags), read_options(**only)
    with Agent(settings) as assistant:
        asked = "" if resume else _read(question)
        with ctrl_c_settles(assistant):
            answer = _run(
                assistant.run(asked, thread, docs, where=where, resume=resume), show_trace=show_trace
            )
        if as_json:
            print_json(answer.to_json())
        else:
            print_answer(answer, console())
        _say_more(assistant, settings, answer, bool(docs), as_json=as_json)
    return answer.outcome


def _run(items: Iterator[Event | Answer], *, show_trace: bool) -> Answer:
    for item in items:
        if isinstance(item, Answer):
            return item
        if item["event"] == "started" and item["resumable"]:
            line = f"run {item['run_id']} (--resume {item['run_id']} if it is cut short)"
            console(sys.stderr).print(line, style="dim", markup=False)
        if show_trace:
            for line in trace_lines(item):
                print(visible(line), file=sys.stderr)
    raise RuntimeError("the run ended without an answer")


def _say_more(assistant: Agent, settings: Settings, answer: Answer, has_docs: bool, *, as_json: bool) -> None:
    """Status, notes and hints, on stderr."""
    err = console(sys.stderr)
    for note in answer.notes:
        err.print(f"note: {note}", style="yellow", markup=False)
    empty = not has_docs and answer.outcome == "abstained" and not assistant.library.store.chunk_count()
    if empty:
        err.print(HINT_EMPTY, markup=False)
    if judge_is_unused(settings):
        err.print(f"note: {HINT_JUDGE}", style="yellow", markup=False)
    elif not as_json and not (settings.model or default(settings.models_folder)):
        err.print(HINT_MODEL, style="dim", markup=False)
    kept = not has_docs and assistant.remembers
    if not has_docs and settings.remember and not kept:
        err.print("the library is open for reading only: nothing is remembered", style="dim", markup=False)
    line = status_line(answer)
    err.print(line if kept else line.split(" · agent why")[0], style="dim", markup=False)


def judge_is_unused(settings: Settings) -> bool:
    """Whether a judge is named where quotations are all there is to judge."""
    none = ("", EXTRACTIVE)
    return settings.judge_model not in none and (settings.model or default(settings.models_folder)) in none


def _read(question: str) -> str:
    """The question itself, or stdin for `-`."""
    if question != "-":
        return question
    if sys.stdin.isatty():
        raise InputError('no question: agent ask "When was the treaty signed?"')
    return sys.stdin.read()
