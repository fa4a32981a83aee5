"""`agent ask`: one question, its answer on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.answer import Answer
from agent.assistant import Agent
from agent.cli import first_run
from agent.cli.progress import line, wipe
from agent.cli.render import (
    console,
    doing,
    plain,
    print_answer,
    print_json,
    print_markdown,
    status_line,
    trace_lines,
    visible,
)
from agent.cli.stopping import ctrl_c_settles
from agent.cli.words import WORDS
from agent.error_words import speaking, worded
from agent.errors import InputError
from agent.events import Event
from agent.filters import read_options
from agent.models.store import EXTRACTIVE, default, rungs
from agent.reasoners.language import language_of
from agent.settings import Settings, read_settings
from retrieval.load import MAX_BYTES, LoadError, Source, read_as, sniff

if TYPE_CHECKING:
    from agent.state import Lang

STDIN = "stdin"  # what a document from there is cited as
BUNDLES: dict[str, dict[str, Any]] = {
    "": {},
    "fast": {"rungs": 1, "paths": 1, "max_rounds": 1},
    "deep": {"paths": 3, "max_rounds": 5, "timeout_s": 300.0},
}
"""What --fast and --deep stand for: settings by name, each overridden by its own flag.

"rungs": how many of the ladder of chat models are used, where no --model is given. "paths" counts where a
chat model writes, as quotations are the same in each.
"""


def ask_once(
    question: str,
    thread: str,
    docs: Sequence[str],
    flags: dict[str, Any],
    only: dict[str, Any],
    *,
    resume: str = "",
    goes_on: bool = False,
    bundle: str = "",
    form: str = "",
    show_trace: bool = False,
) -> str:
    """Ask, or go on with a run, print, and return the outcome.

    `docs`: "-" among them is the document that stdin holds. `goes_on`: with the last thread. `form`: "md",
    "text" or "json"; "" for what suits where stdout goes.
    """
    asked = "" if resume else _read(question)
    lang = language_of(asked)
    with speaking(lang):
        settings, where = bundled(flags, bundle), read_options(**only)
        given = [_document() if one == "-" else one for one in docs]
        with Agent(settings) as assistant:
            if offers := not (docs or resume) and form != "json" and first_run.can_answer_back():
                first_run.offer(assistant, lang)
            thread = thread or (_last_thread(assistant, lang) if goes_on else "")
            with ctrl_c_settles(assistant):
                items = assistant.run(asked, thread, given, where=where, resume=resume)
                answer = _run(items, lang, show_trace=show_trace)
            _print(answer, form)
            if not (docs or offers) and answer.outcome == "abstained" and first_run.is_empty(assistant):
                first_run.tell(lang)
            _say_more(assistant, settings, answer, bool(docs), as_json=form == "json")
    return answer.outcome


@contextmanager
def hushed() -> Iterator[None]:
    """Within it nothing is said on stderr; an error that leaves it is told as ever."""
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        yield


def bundled(flags: dict[str, Any], bundle: str) -> Settings:
    """The settings with a bundle of `BUNDLES` behind the flags that were given."""
    chosen = dict(BUNDLES[bundle])
    most = chosen.pop("rungs", 0)
    settings = read_settings(**{**chosen, **{name: one for name, one in flags.items() if one is not None}})
    if most and flags.get("model") is None:
        return replace(settings, model=",".join(rungs(settings.models_folder, settings.model)[:most]))
    if "paths" in chosen and flags.get("paths") is None and not _a_model_writes(settings):
        return replace(settings, paths=1)
    return settings


def _a_model_writes(settings: Settings) -> bool:
    return (settings.model or default(settings.models_folder)) not in ("", EXTRACTIVE)


def _print(answer: Answer, form: str) -> None:
    if form == "json":
        print_json(answer.to_json())
    elif form == "md":
        print_markdown(answer)
    elif form == "text":
        print_answer(answer, plain())
    else:
        print_answer(answer, console())


def _run(items: Iterator[Event | Answer], lang: Lang, *, show_trace: bool) -> Answer:
    """The answer at the end of a run; what it does meanwhile is told on a terminal, and by a trace."""
    with line(WORDS[lang]["open"]) as say:
        for item in items:
            if isinstance(item, Answer):
                return item
            if item["event"] == "started":
                lang = language_of(item["question"])  # of a run that is resumed it was not known
            if item["event"] == "started" and item["resumable"]:
                _tell(WORDS[lang]["resumable"].format(item["run_id"]))
            if show_trace:
                for one in trace_lines(item):
                    _tell(visible(one))
            say(doing(item, lang))
    raise RuntimeError("the run ended without an answer")


def _say_more(assistant: Agent, settings: Settings, answer: Answer, has_docs: bool, *, as_json: bool) -> None:
    """Status, notes and hints, on stderr."""
    err, words = console(sys.stderr), WORDS[answer.lang]
    for note in answer.notes:
        err.print(f"{words['note']}{note}", style="yellow", markup=False)
    if judge_is_unused(settings):
        err.print(f"{words['note']}{words['judge']}", style="yellow", markup=False)
    elif not (as_json or settings.model or default(settings.models_folder)):
        err.print(words["model"], style="dim", markup=False)
    kept = not has_docs and assistant.remembers
    if not has_docs and settings.remember and not kept:
        err.print(words["read only"], style="dim", markup=False)
    told = status_line(answer)
    err.print(told if kept else told.split(" · agent why")[0], style="dim", markup=False)


def judge_is_unused(settings: Settings) -> bool:
    """Whether a judge is named where quotations are all there is to judge."""
    return settings.judge_model not in ("", EXTRACTIVE) and not _a_model_writes(settings)


def _read(question: str) -> str:
    """The question itself, or stdin for `-`."""
    if question != "-":
        return question
    if sys.stdin.isatty():
        raise worded(InputError, "no question")
    return sys.stdin.read()


def _document() -> tuple[str, Source]:
    """The document that stdin holds, whatever its format and encoding."""
    if sys.stdin.isatty():
        raise worded(InputError, "nothing piped")
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if not data.strip():
        raise worded(InputError, "empty document")
    if len(data) > MAX_BYTES:
        raise worded(InputError, "large document", MAX_BYTES // 1_000_000)
    try:
        return STDIN, read_as(sniff(data, ""), data, Path(STDIN))
    except LoadError as error:
        raise worded(InputError, "unreadable document", error) from error


def _last_thread(assistant: Agent, lang: Lang) -> str:
    """The thread that was asked in last; a new one where there is none yet."""
    store = assistant.library.store
    last = next((turn.thread for turn in store.records(kinds=("turn",), limit=1)), "")
    name = last or f"ask-{time.strftime('%Y%m%d')}-{uuid.uuid4().hex[:6]}"
    wipe()
    _tell(WORDS[lang]["thread" if last else "no thread"].format(visible(name)))
    return name


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
