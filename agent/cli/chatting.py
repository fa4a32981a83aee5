"""`agent chat`: question after question on a terminal, with the loop shown live.

Ctrl-C settles the answer with what is verified so far and keeps the chat, a second one ends the program;
Ctrl-D leaves. Without a terminal it reads a question per line.
"""

from __future__ import annotations

import sqlite3
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from agent.answer import Answer
from agent.assistant import Agent
from agent.cli.asking import HINT_JUDGE, HINT_MODEL, judge_is_unused
from agent.cli.render import console, print_answer, shorten, status_line, trace_lines
from agent.cli.stopping import ctrl_c_settles
from agent.errors import InputError, ToulminError
from agent.filters import read_options
from agent.models.store import check_files, default
from agent.settings import Settings, read_settings
from retrieval.filters import Filter
from retrieval.store import StoreError

if TYPE_CHECKING:
    from rich.console import Console

WELCOME = "Ask a question about your files. Ctrl-C stops an answer, Ctrl-D leaves, /help lists commands."
HELP = "/why shows how the last answer came about, /thread names this thread, /quit leaves"


def chat_loop(thread: str, flags: dict[str, Any], only: dict[str, Any]) -> None:
    """Read questions until the end of input."""
    settings, where = read_settings(**flags), read_options(**only)
    check_files(settings.models_folder, settings.model)
    thread = thread or f"chat-{time.strftime('%Y%m%d')}-{uuid.uuid4().hex[:6]}"
    out = console()
    if judge_is_unused(settings):
        print(f"note: {HINT_JUDGE}", file=sys.stderr)
    elif not (settings.model or default(settings.models_folder)):
        print(HINT_MODEL, file=sys.stderr)
    with Agent(settings) as assistant:
        last = ""
        for line in _lines(settings, out):
            if line.startswith("/"):
                if line in ("/quit", "/exit"):
                    return
                _command(line, thread, last, settings, out)
                continue
            last = _answer(assistant, line, thread, where, out) or last


def _lines(settings: Settings, out: Console) -> Iterator[str]:
    """Questions from the prompt, with history across launches; from stdin where there is no terminal."""
    if not sys.stdin.isatty():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    read = _prompt(settings)
    print(WELCOME, file=sys.stderr)
    while True:
        try:
            line = read().strip()
        except KeyboardInterrupt:
            continue  # Ctrl-C clears the line
        except EOFError:
            return
        if line:
            yield line


def _prompt(settings: Settings) -> Callable[[], str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    history: FileHistory | InMemoryHistory = InMemoryHistory()
    if settings.remember:
        settings.library_folder.mkdir(parents=True, exist_ok=True)
        history = FileHistory(str(settings.library_folder / "chat_history"))
    session: PromptSession[str] = PromptSession("> ", history=history)
    return session.prompt


def _answer(assistant: Agent, question: str, thread: str, where: Filter, out: Console) -> str:
    """Show the loop while it runs, then the settled answer; the run's id, "" when it was stopped."""
    err = console(sys.stderr)
    try:
        with ctrl_c_settles(assistant), err.status("recall") as status:
            for item in assistant.run(question, thread, where=where):
                if isinstance(item, Answer):
                    answer = item
                    break
                for line in islice(trace_lines(item), 1):  # the verdicts stand in /why
                    status.update(shorten(line.strip(), max(20, err.width - 6)))
                    if item["event"] in ("retrieve", "critique", "reformulate"):
                        err.print(shorten(line, max(20, err.width - 2)), style="dim", markup=False)
    except KeyboardInterrupt:
        print("stopped before it began; nothing of this question is kept", file=sys.stderr)
        return ""
    except (ToulminError, StoreError, sqlite3.DatabaseError) as error:
        print(f"error: {error}", file=sys.stderr)
        return ""
    print_answer(answer, out)
    for note in answer.notes:
        err.print(f"note: {note}", style="yellow", markup=False)
    err.print(status_line(answer), style="dim", markup=False)
    out.print()
    return answer.run_id


def _command(line: str, thread: str, run_id: str, settings: Settings, out: Console) -> None:
    if line == "/why":
        from agent.cli.looking import show_run

        try:
            show_run(run_id, as_json=False)
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
    elif line == "/thread":
        print(f"this thread is {thread!r}: agent chat --thread {thread}", file=sys.stderr)
    else:
        print(HELP, file=sys.stderr)
