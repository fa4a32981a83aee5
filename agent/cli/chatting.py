"""`agent chat`: question after question on a terminal, with the loop shown live.

Ctrl-C settles the answer with what is verified so far and keeps the chat, a second one gives the answer up, a
third one ends the program; Ctrl-D leaves. Without a terminal it reads a question per line, and
nothing is shown live. What takes long to import is imported while the first question is typed.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, nullcontext, suppress
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any

from agent.cli.chat_words import lang_here, lang_of
from agent.cli.commands import (
    ALIASES,
    COMMANDS,
    Chat,
    choices,
    go_to,
    is_there,
    read_line,
    thread_name,
    unknown,
)
from agent.cli.keyboard import PlainPrompt, ctrl_c, do_nothing, is_dumb, is_terminal, keys_kept
from agent.cli.words import WORDS as HINTS
from agent.error_words import speaking
from agent.errors import ToulminError
from agent.models.store import check_files, default
from agent.settings import Settings, read_settings

if TYPE_CHECKING:
    from agent.answer import Answer
    from agent.assistant import Agent
    from agent.cli.live import Watching
    from agent.cli.prompting import Prompt

INTERRUPTED = 130  # exit code, as of any program that Ctrl-C ends


def chat_loop(thread: str, flags: dict[str, Any], only: dict[str, Any], *, continued: bool = False) -> None:
    """Read questions until the end of input. `continued`: in the thread that was last asked in."""
    settings = read_settings(**flags)
    check_files(settings.models_folder, settings.model)
    _offer_files(settings)
    with keys_kept() as restore, ctrl_c(do_nothing) if is_terminal() else nullcontext():
        chat = _begun(settings, only)
        _greet(chat)
        if thread.strip() or continued:
            _resume(chat, thread.strip())
        chat.warming.start()
        try:
            for line in _lines(chat):
                try:
                    _respond(chat, line, restore)
                except EOFError:  # /quit
                    break
        finally:
            if not chat.warming.is_alive():
                with suppress(Exception):
                    chat.agent.close()


def _offer_files(settings: Settings) -> None:
    """Where nothing was ever added, say what to do next and, on a terminal, offer to add the folder."""
    from retrieval.library import STORE_FILE

    if settings.read_only or (settings.library_folder / STORE_FILE).exists():
        return
    from agent.assistant import Agent
    from agent.cli.first_run import offer

    with Agent(settings) as agent, suppress(KeyboardInterrupt):  # Ctrl-C is a no
        offer(agent, lang_here())


def _begun(settings: Settings, only: dict[str, Any]) -> Chat:
    where: Any = {}
    if any(only.values()):
        from agent.filters import read_options

        where = read_options(**only)
    opened: Future[Agent] = Future()
    warming = threading.Thread(target=_open, args=(settings, opened), daemon=True)
    name = f"chat-{time.strftime('%Y%m%d')}-{uuid.uuid4().hex[:6]}"
    return Chat(settings, where, name, lang_here(), opened, warming)


def _open(settings: Settings, opened: Future[Agent]) -> None:
    """Open an agent, then load what a question needs; a failure is told when it is needed."""
    try:
        import_module("agent.cli.live")  # the first question is seen to be taken before it can be answered
        from agent.assistant import Agent

        agent = Agent(settings)
        _ = agent.library
    except Exception as error:
        opened.set_exception(error)
        return
    opened.set_result(agent)
    with suppress(Exception):
        _ = agent.graph
        agent.library.warm_up()


def _greet(chat: Chat) -> None:
    settings, words = chat.settings, chat.words
    if settings.judge_model:
        from agent.cli.asking import judge_is_unused

        if judge_is_unused(settings):
            print(words["note"].format(what=HINTS[chat.lang]["judge"]), file=sys.stderr)
    elif not (settings.model or default(settings.models_folder)):
        print(HINTS[chat.lang]["model"], file=sys.stderr)
    if is_terminal():
        print(words["welcome"], file=sys.stderr)


def _resume(chat: Chat, thread: str) -> None:
    """Go on with a thread, or with the last one for ""; it needs nothing but the library's file."""
    if not chat.settings.remember:
        chat.tell(chat.words["no_threads_kept"])
        return
    from retrieval.library import STORE_FILE
    from retrieval.store import Store, StoreError

    file = chat.settings.library_folder / STORE_FILE
    found = []
    try:
        if file.exists():
            with closing(Store(file, read_only=chat.settings.read_only)) as store:
                found = [] if thread else store.threads(1)
                if thread or found:
                    go_to(chat, thread or found[0]["thread"], store)
                    return
    except (StoreError, sqlite3.DatabaseError) as error:
        _tell_error(chat, str(error))
    if thread:
        chat.thread = thread_name(thread)
    else:
        chat.tell(chat.words["no_last"].format(name=chat.thread))


# --- reading ----------------------------------------------------------------------------------------------


def _lines(chat: Chat) -> Iterator[str]:
    """What is asked: from the prompt, or from stdin where there is no terminal."""
    if not is_terminal():
        yield from (line.strip() for line in sys.stdin if line.strip())
        return
    prompt, vain = _prompt(chat), 0
    while True:
        try:
            line = prompt.read().strip()
        except KeyboardInterrupt:  # it clears the line
            vain = vain + 1 if prompt.was_empty else 0
            if vain > 1:
                print(chat.words["leave"], file=sys.stderr)
            continue
        except EOFError:
            return
        vain = 0
        if line:
            yield line


def _prompt(chat: Chat) -> Prompt | PlainPrompt:
    if is_dumb():
        return PlainPrompt()
    from agent.cli.prompting import Prompt

    kinds = {name: command.completes for name, command in COMMANDS.items()}
    return Prompt(chat.settings, kinds, lambda kind: choices(chat, kind))


def _respond(chat: Chat, line: str, restore: Callable[[], None]) -> None:
    """Do what a line says. What goes wrong is told in one line, and the chat goes on."""
    name, rest = read_line(line, is_there)
    name = ALIASES.get(name, name)
    try:
        if not name:
            _answer(chat, rest, restore)
        elif name in COMMANDS:
            with ctrl_c(signal.default_int_handler):
                COMMANDS[name].run(chat, rest)
        else:
            _tell_error(chat, unknown(name, chat.lang))
    except KeyboardInterrupt:
        chat.tell(chat.words["stopped" if name else "no_answer"])
    except Exception as error:
        if not _is_expected(error):
            raise
        _tell_error(chat, " ".join(str(error).split()))


def _is_expected(error: Exception) -> bool:
    """Whether it is no mistake of ours, and no reader that has gone."""
    from retrieval.embed import EmbedderError
    from retrieval.export import ExportError
    from retrieval.store import StoreError

    known = (ToulminError, EmbedderError, ExportError, StoreError, sqlite3.DatabaseError, OSError)
    return isinstance(error, known) and not isinstance(error, BrokenPipeError)


def _tell_error(chat: Chat, what: str) -> None:
    chat.tell(chat.words["error"].format(what=what), "red")


# --- answering --------------------------------------------------------------------------------------------


def _answer(chat: Chat, question: str, restore: Callable[[], None]) -> None:
    """Show the loop while it runs, then the settled answer."""
    from agent.cli.live import Live, Watching
    from agent.cli.render import console, visible

    question = visible(question)
    chat.lang = lang_of(question) or chat.lang
    watching, err = Watching(chat.lang), console(sys.stderr)
    live = Live(err, watching.frame) if is_terminal() and err.is_terminal else nullcontext()
    answer = None
    with speaking(chat.lang), ctrl_c(_interrupts(chat, watching, restore)), live:
        agent = chat.agent
        chat.warming.join()
        from agent.answer import Answer

        _check_length(chat, question)
        items: Any = agent.run(question, chat.thread, where=chat.where)
        with closing(items):  # given up, it is not left half done
            for item in items:
                if isinstance(item, Answer):
                    answer = item
                    break
                watching.give(item)
    if answer:
        _show(chat, answer)


def _check_length(chat: Chat, question: str) -> None:
    from agent.driver import MAX_QUESTION_CHARS
    from agent.errors import InputError

    if len(question) > MAX_QUESTION_CHARS:
        raise InputError(chat.words["too_long"].format(n=len(question), limit=MAX_QUESTION_CHARS))


def _show(chat: Chat, answer: Answer) -> None:
    """Print an answer, and note it as the last one."""
    from agent.cli.render import print_answer, status_line

    chat.lang = "zh" if answer.lang == "zh" else "en"
    out = chat.out
    print_answer(answer, out)
    for note in answer.notes:
        chat.tell(chat.words["note"].format(what=note), "yellow")
    if answer.outcome == "abstained" and not chat.agent.library.store.chunk_count():
        chat.tell(chat.words["empty"], "")
    line = status_line(answer)
    chat.tell(line if chat.agent.remembers else line.split(" · agent why")[0])
    out.print()
    chat.last = {**answer.to_json(), "question": answer.question, "created_s": time.time()}
    if not chat.agent.remembers:
        chat.asked.append(chat.last)


def _interrupts(
    chat: Chat, watching: Watching, restore: Callable[[], None]
) -> Callable[[int, FrameType | None], None]:
    """What Ctrl-C does to an answer: it settles; the second raises KeyboardInterrupt, the third ends all.

    The first raises it, too, where no run has begun.
    """
    presses = 0

    def handle(signum: int, frame: FrameType | None) -> None:
        nonlocal presses
        presses += 1
        if presses > 2:  # a chat model may be deep in compiled code
            restore()
            os.write(2, b"\r\ninterrupted\n")  # not through the stream, which may be in the middle of a write
            os._exit(INTERRUPTED)
        if presses == 1:
            watching.stopping = True
            if chat.opened.done() and not chat.opened.exception() and chat.agent.stop():
                return
        raise KeyboardInterrupt

    return handle
