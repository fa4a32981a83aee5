"""The commands of the chat, by name, and how a line is read: as a command or as a question.

A command acts on a `Chat` and prints; what goes wrong is raised, for the loop to tell.
"""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from agent.cli.chat_words import WORDS, Lang
from agent.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from agent.assistant import Agent
    from agent.settings import Settings
    from retrieval.filters import Filter
    from retrieval.records import Record
    from retrieval.store import Store

FOUND = 5  # passages of /search
LISTED = 50  # threads
MAX_THREAD_CHARS = 100
NARROW = 70  # columns; below, what would stand side by side stands on lines of its own
NAMED = ("episode", "statement", "correction")  # what a run may leave beside its turn


@dataclass
class Chat:
    """What a chat is at, which commands look at and change."""

    settings: Settings
    where: Filter
    """What is searched, and nothing else."""
    thread: str
    lang: Lang
    opened: Future[Agent]
    """Its agent, which is opened beside the first prompt."""
    warming: threading.Thread
    """What imports and loads all that a question needs."""
    last: dict[str, Any] | None = None
    """The last answer, as `Answer.to_json` has it, with its question."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """All answers of this thread since the chat began."""

    @property
    def agent(self) -> Agent:
        return self.opened.result()

    @property
    def words(self) -> dict[str, Any]:
        return WORDS[self.lang]

    @property
    def out(self) -> Console:
        from agent.cli.render import console

        return console()

    def tell(self, text: str, style: str = "dim") -> None:
        """Say something beside the answers, on stderr."""
        from agent.cli.render import console

        console(sys.stderr).print(text, style=style, markup=False)

    def answer(self) -> dict[str, Any]:
        """The last answer. Raises `InputError` before there is one."""
        if self.last is None:
            raise InputError(self.words["nothing_yet"])
        return self.last

    def kept(self, name: str) -> dict[str, Any]:
        """The last answer, where it is remembered. Raises `InputError` where it is not."""
        answer = self.answer()
        if not (answer["run_id"] and self.agent.remembers):
            raise InputError(self.words["not_kept"].format(name=name))
        return answer


@dataclass(frozen=True)
class Command:
    """One command of the chat."""

    run: Callable[[Chat, str], None]
    usage: str
    help: dict[Lang, str]
    completes: Literal["", "path", "thread", "model", "command"] = ""


# --- how a line is read -----------------------------------------------------------------------------------


def read_line(line: str, exists: Callable[[str], bool]) -> tuple[str, str]:
    """A command's name with what follows it, or "" and a question.

    "//x" asks "/x". What begins with a path is a question: "/home/me/x.md says what?".
    """
    line = line.strip()
    if line.startswith("／") or (line.startswith("、") and _as_command(line[1:]) in COMMANDS):
        line = f"/{line[1:]}"  # what an input method makes of the key
    if line.startswith("//"):
        return "", line[1:]
    if not line.startswith("/"):
        return "", line
    name, rest = [*line.split(maxsplit=1), ""][:2]
    if name not in COMMANDS and ("/" in name[1:] or exists(name)):
        return "", line
    return name, rest


def _as_command(text: str) -> str:
    return f"/{text.split(maxsplit=1)[0]}" if text.strip() else ""


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that was meant, or ""."""
    known = list(names)
    begun = [one for one in known if len(name) > 1 and one.startswith(name)]
    return (begun or get_close_matches(name.lower(), known, n=1) or [""])[0]


def unknown(name: str, lang: Lang) -> str:
    """What is said of a command that there is not."""
    words, meant = WORDS[lang], nearest(name, COMMANDS)
    more = words["nearest"].format(name=meant) if meant else words["see_help"].format(rest=name[1:])
    return str(words["unknown"].format(name=name) + more)


def paths_in(text: str, exists: Callable[[str], bool]) -> list[str]:
    """The paths that follow `/add`: all of it where that exists, spaces or not, else words and quotations."""
    if exists(str(expanded(text))):
        return [str(expanded(text))]
    try:
        parts = shlex.split(text)
    except ValueError:  # an apostrophe
        parts = text.split()
    return [str(expanded(one)) if one.startswith("~") else one for one in parts]  # a Path spoils an address


def expanded(path: str) -> Path:
    """A path with its ~ replaced, where somebody is called so."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


# --- what they do -----------------------------------------------------------------------------------------


def _add(chat: Chat, rest: str) -> None:
    from agent.cli.library import add_paths

    if not rest:
        raise InputError(chat.words["add_what"])
    add_paths(paths_in(rest, is_there), as_json=False)


def _search(chat: Chat, rest: str) -> None:
    from rich.text import Text

    from agent.cli.render import place, shorten

    if not rest:
        raise InputError(chat.words["search_what"])
    passages, out = chat.agent.search(rest, FOUND, where=chat.where), chat.out
    for number, passage in enumerate(passages, start=1):
        head = Text(f"{number}. {passage.score:.2f} ")
        head.append_text(place(passage.chunk.path, None, passage.chunk.page, out))
        out.print(head.append(f"  {passage.chunk.heading}", style="dim"))
        out.print(Text(f"   {shorten(passage.chunk.text, 300)}", style="dim"))
    if reason := chat.agent.library.blind_reason:
        chat.tell(chat.words["note"].format(what=reason), "yellow")
    if not passages:
        chat.tell(chat.words["nothing_found"])


def _open(chat: Chat, rest: str) -> None:
    from agent.cli.opening import citations_of, print_place

    answer, words = chat.answer(), chat.words
    wanted = rest.strip("[] ") or "1"
    if not wanted.isdecimal():
        raise InputError(words["no_number"].format(what=rest))
    count = len(citations_of(answer))
    if not count:
        raise InputError(words["nothing_cited"])
    if not 1 <= int(wanted) <= count:
        raise InputError(words["no_citation"].format(n=int(wanted), last=count))
    print_place(answer, int(wanted), chat.agent.library, chat.lang, chat.out)


def _why(chat: Chat, rest: str) -> None:
    from agent.cli.looking import show_run

    show_run(rest or chat.kept("/why")["run_id"], as_json=False)


def _wrong(chat: Chat, rest: str) -> None:
    from agent.records import correct

    answer = chat.kept("/wrong")
    record = correct(chat.agent.library, answer["run_id"], rest, time.time())
    chat.tell(chat.words["wrong"].format(question=record.text, right=rest or chat.words["not_so"]), "")
    chat.tell(chat.words["undo"].format(id=record.id[:12]))


def _pin(chat: Chat, rest: str) -> None:
    from agent.records import pin

    record = _record_of(chat.agent, chat.kept("/pin"))
    if record is None:
        raise InputError(chat.words["nothing_to_pin"])
    pin(chat.agent.library, [record], pinned=True)
    chat.tell(chat.words["pinned"].format(text=record.text), "")
    chat.tell(chat.words["unpin"].format(id=record.id[:12]))


def _record_of(agent: Agent, answer: dict[str, Any]) -> Record | None:
    """What is remembered of an answer beside its turn: its own record, or the one that it came from."""
    from agent.corrections import record_name

    store = agent.library.store
    run = store.run(answer["run_id"])
    from_memory = run["payload"].get("memory", []) if run else []
    ids = [*(record_name(answer["run_id"], kind) for kind in NAMED), *from_memory]
    own = [one for one in store.records_with(ids) if one.tier != "short" and one.ended_s is None]
    if own:
        return own[0]
    same = [one for one in store.records(kinds=NAMED) if one.payload.get("run_id") == answer["run_id"]]
    return next((one for one in same if one.ended_s is None), None)


def _model(chat: Chat, rest: str) -> None:
    if rest:
        _switch(chat, rest)
        chat.tell(chat.words["switched"].format(name=_model_name(chat)), "")
        return
    from agent.models.store import installed

    chat.tell(chat.words["model"].format(name=_model_name(chat)), "")
    names = [one.name for one in installed(chat.settings.models_folder)]
    if names:
        chat.tell(chat.words["models"].format(names=chat.words["comma"].join(names)))


def _switch(chat: Chat, name: str) -> None:
    """Have another model answer. Raises `ModelError` and changes nothing where it cannot."""
    from agent.assistant import Agent
    from agent.deps import build_chat_model
    from agent.models.store import check_files, rungs

    settings = replace(chat.settings, model=name)
    check_files(settings.models_folder, name)
    models = [build_chat_model(settings, rung) for rung in rungs(settings.models_folder, name)]
    before, agent = chat.agent, Agent(settings, chat_models=models)
    _ = agent.library  # it is the same, opened once more
    chat.settings, chat.opened = settings, Future()
    chat.opened.set_result(agent)
    before.close()


def _model_name(chat: Chat) -> str:
    from agent.models.names import shown_name
    from agent.models.store import EXTRACTIVE, default, ladder

    name = chat.settings.model or default(chat.settings.models_folder) or EXTRACTIVE
    return ", ".join(
        chat.words["quotation"] if one == EXTRACTIVE else shown_name(one) for one in ladder(name)
    )


def _thread(chat: Chat, rest: str) -> None:
    if not chat.settings.remember:
        raise InputError(chat.words["no_threads_kept"])
    if rest:
        go_to(chat, rest, chat.agent.library.store)
        return
    from rich.cells import cell_len

    from agent.cli.render import print_table, shorten

    out, found = chat.out, chat.agent.library.store.threads(LISTED)
    rows = [
        [one["thread"], minute(one["last_s"]), chat.words["questions"].format(n=one["turns"]), one["first"]]
        for one in found
    ]
    if not out.is_terminal:
        print_table(rows, out)
    elif out.width < NARROW:
        for name, *when, first in rows:
            out.print(shorten(name, out.width), markup=False)
            told = f"{'  '.join(when)}  {first}"
            out.print("  " + shorten(told, out.width - 2), style="dim", markup=False)
    else:
        taken = max((cell_len("  ".join(row[:3])) for row in rows), default=0) + 2
        print_table([[*row[:3], shorten(row[3], max(20, out.width - taken))] for row in rows], out)
    if not rows:
        chat.tell(chat.words["no_threads"])
    chat.tell(chat.words["here"].format(name=chat.thread))


def thread_name(text: str) -> str:
    """A thread's name on one line. Raises `InputError` for one that is too long."""
    from agent.cli.render import visible

    name = " ".join(visible(text).split())
    if len(name) > MAX_THREAD_CHARS:
        raise InputError(f"a thread's name has {MAX_THREAD_CHARS} characters at most, not {len(name)}")
    return name


def go_to(chat: Chat, name: str, store: Store) -> None:
    """Go on with a thread, whose last exchange is shown, or begin it."""
    chat.thread, chat.last, chat.asked = thread_name(name), None, []
    turns = store.turns(chat.thread, 1)
    if not turns:
        chat.tell(chat.words["begins"].format(name=chat.thread))
        return
    from agent.cli.render import shorten

    [turn], width = turns, max(20, chat.out.width - 4)
    count = store.turn_count(chat.thread)
    when = minute(turn.created_s)
    chat.tell(chat.words["continues"].format(name=chat.thread, n=count, when=when))
    chat.tell(shorten(f"> {turn.text}", width))
    chat.tell("  " + shorten(turn.payload["answer"], 2 * width))
    chat.last = exchange_of(store, turn)


def exchange_of(store: Store, turn: Record) -> dict[str, Any]:
    """A turn as `Answer.to_json` has an answer, with its question; its citations while its run is kept."""
    run = store.run(turn.payload["run_id"])
    bare = {"claims": [], "answer": turn.payload["answer"], "outcome": turn.payload["outcome"]}
    payload = run["payload"] if run else bare
    named = {
        "question": turn.text,
        "run_id": turn.payload["run_id"] if run else "",
        "created_s": turn.created_s,
    }
    return {**payload, **named}


def _export(chat: Chat, rest: str) -> None:
    from agent.cli.exporting import markdown

    asked = chat.asked
    if chat.agent.remembers:
        store = chat.agent.library.store
        asked = [exchange_of(store, turn) for turn in store.turns(chat.thread, -1)]
    if not asked:
        raise InputError(chat.words["export_empty"])
    file = export_file(rest, chat.thread, is_there)
    try:
        with file.open("x", encoding="utf-8", newline="\n") as opened:
            opened.write(markdown(chat.thread, asked, time.time(), chat.lang))
    except FileExistsError as error:
        raise InputError(chat.words["exists"].format(file=file)) from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(chat.words["cannot_write"].format(file=file, why=why)) from error
    chat.tell(chat.words["exported"].format(n=len(asked), file=file), "")


def export_file(rest: str, thread: str, exists: Callable[[str], bool]) -> Path:
    """Where a thread is written: the file that is named; in a folder, one that is not there yet."""
    name = "".join(char if char.isalnum() or char in "-_. " else "-" for char in thread).strip(". ") or "chat"
    folder = Path()
    if rest:
        quoted = rest[0] == rest[-1] and rest[0] in "'\"" and len(rest) > 2
        file = expanded(rest[1:-1] if quoted else rest)
        if not file.is_dir():
            return file
        folder = file
    file, n = folder / f"{name}.md", 1
    while exists(str(file)):
        n += 1
        file = folder / f"{name}-{n}.md"
    return file


def _help(chat: Chat, rest: str) -> None:
    from rich.cells import cell_len

    name = f"/{rest.lstrip('/')}" if rest else ""
    if name and name not in COMMANDS:
        raise InputError(unknown(name, chat.lang))
    shown = {name: COMMANDS[name]} if name else COMMANDS
    widest = max(cell_len(command.usage) for command in shown.values())
    for command in shown.values():
        gap = " " * (widest + 2 - cell_len(command.usage)) if chat.out.width >= NARROW else "\n  "
        chat.tell(f"{command.usage}{gap}{command.help[chat.lang]}", "")
    if not name:
        chat.tell(chat.words["help_tail"])


def _quit(chat: Chat, rest: str) -> None:
    raise EOFError


COMMANDS: dict[str, Command] = {
    "/add": Command(
        _add,
        "/add PATH...",
        {"en": "add files, folders or pages to the library", "zh": "把文件、文件夹或网页加入文库"},
        "path",
    ),
    "/search": Command(
        _search,
        "/search WORDS",
        {"en": "find passages, without an answer", "zh": "只检索段落，不作答"},
    ),
    "/open": Command(
        _open,
        "/open [N]",
        {
            "en": "show what stands around citation [N] of the last answer",
            "zh": "显示上一个回答第 [N] 条引文的上下文",
        },
    ),
    "/why": Command(
        _why,
        "/why [RUN]",
        {
            "en": "show how the last answer came about, or another run",
            "zh": "显示上一个回答（或某次运行）的由来",
        },
    ),
    "/wrong": Command(
        _wrong,
        "/wrong [WHAT IS RIGHT]",
        {
            "en": "say that the last answer is wrong, and what is right",
            "zh": "指出上一个回答有误，并给出正确答案",
        },
    ),
    "/pin": Command(
        _pin,
        "/pin",
        {"en": "keep what is remembered of the last answer for good", "zh": "长期保留上一个回答的记忆"},
    ),
    "/model": Command(
        _model,
        "/model [NAME]",
        {
            "en": "show who answers, or have another chat model answer here",
            "zh": "显示由谁作答，或在本次对话中换一个聊天模型",
        },
        "model",
    ),
    "/thread": Command(
        _thread,
        "/thread [NAME]",
        {"en": "list the threads, or go to one, or begin it", "zh": "列出对话，或切换到某个对话，或新开一个"},
        "thread",
    ),
    "/export": Command(
        _export,
        "/export [FILE]",
        {
            "en": "write this thread to a Markdown file, with its citations",
            "zh": "把本对话连同引文写成 Markdown 文件",
        },
        "path",
    ),
    "/help": Command(
        _help,
        "/help [COMMAND]",
        {"en": "list the commands, or explain one", "zh": "列出命令，或说明其中一个"},
        "command",
    ),
    "/quit": Command(_quit, "/quit", {"en": "leave", "zh": "离开"}),
}
ALIASES = {"/exit": "/quit"}


def minute(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s))


def choices(chat: Chat, kind: str) -> Sequence[str]:
    """What may follow a command, but for paths: little is read for it, and nothing is waited for."""
    if kind == "command":
        return [name[1:] for name in COMMANDS]
    if kind == "model":
        from agent.models.store import EXTRACTIVE, installed

        return [*(one.name for one in installed(chat.settings.models_folder)), EXTRACTIVE]
    if kind == "thread" and chat.settings.remember and chat.opened.done() and not chat.opened.exception():
        return [one["thread"] for one in chat.agent.library.store.threads(LISTED)]
    return []
