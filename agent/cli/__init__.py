"""The command `agent`. Each command imports what it needs when it runs, so that `--help` is instant.

stdout carries the answer, stderr everything else. Exit codes: 0 verified, 1 error, 2 usage, 3 partial,
4 abstained, 5 unverified.
"""

from __future__ import annotations

import errno
import inspect
import io
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli import completing
from agent.cli.config import config_app
from agent.cli.memory import memory_app
from agent.state_names import EXIT_CODES

app = typer.Typer(
    name="agent",
    help="Answers from your own files, with the grounds for every claim, or says that it cannot.",
    epilog='Example: agent add notes/ && agent ask "When was the treaty signed?"',
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
docs_app = typer.Typer(
    help="List or remove the documents of the library. Example: agent docs", invoke_without_command=True
)
app.add_typer(docs_app, name="docs")
model_app = typer.Typer(
    help="List, download and choose chat models. Example: agent model pull qwen3-4b", no_args_is_help=True
)
app.add_typer(model_app, name="model")
app.add_typer(memory_app, name="memory")
app.add_typer(config_app, name="config")

GPU_CHOICES = "auto|cuda|metal|vulkan|rocm|cpu"
FORMS = ("md", "text", "json")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def main() -> None:
    """Run the command and leave at once.

    Taking the interpreter down in good order would cost 0.2 s after every answer; everything that has to be
    closed was closed by then.
    """
    # A closed stream is None; what is written to it goes nowhere. Whatever the locale, output is UTF-8.
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    _clean_up_when_ended()
    _send_lost_interrupts_again()
    code = _run()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except OSError:
        code = code or 1
    os._exit(code)


def _clean_up_when_ended() -> None:
    """Take temporary folders away when the terminal is closed or the program is told to end."""
    import signal

    def leave(signum: int, _frame: Any) -> None:
        made = sys.modules.get("agent.temporary")
        if made:
            made.remove_all()
        os._exit(128 + signum)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, leave)


def _send_lost_interrupts_again() -> None:
    """A Ctrl-C is lost that comes in a callback of the interpreter itself; imports have some."""
    before = sys.unraisablehook

    def hook(lost: Any) -> None:
        if lost.exc_type is not KeyboardInterrupt:
            before(lost)
            return
        import threading

        threading.Timer(0.05, _interrupt).start()  # by then the callback is over

    sys.unraisablehook = hook


def _interrupt() -> None:
    """Ctrl-C for the main thread, which wakes up for it where the system can send it one."""
    import _thread
    import signal
    import threading

    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _run() -> int:
    """Run the command; an expected error is one line on stderr and exit code 1."""
    _begin(sys.argv[1:])
    try:
        app(prog_name="agent")  # as `python -m agent.cli`, too
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1  # the reader of our output has gone: nothing to say, nobody to say it to
    except Exception as error:
        line = _expected(error)
        if line is None:
            traceback.print_exc()
        else:
            from agent.cli.words import WORDS

            words = WORDS["zh" if getattr(error, "lang", "en") == "zh" else "en"]
            print(f"{words['error']}{line}", file=sys.stderr)
        return 2 if type(error).__name__ == "SettingsError" else 1
    return 0


def _begin(arguments: list[str]) -> None:
    """Say what is at work before the arguments are read, which takes longer than all before it."""
    from agent.cli.progress import first_line, is_live

    hushed = any(re.match("-[a-z]*[qh]|--(?:quiet|help)$", one) for one in arguments)
    if arguments[:1] == ["ask"] and is_live() and not hushed and "_AGENT_COMPLETE" not in os.environ:
        first_line(_words(" ".join(arguments))["open"])


def _expected(error: Exception) -> str | None:
    """The one line for an error that a user may see; None for a mistake of ours."""
    import sqlite3

    from agent.errors import ToulminError
    from retrieval.embed import EmbedderError
    from retrieval.export import ExportError
    from retrieval.store import StoreError

    known = (ToulminError, EmbedderError, ExportError, StoreError)
    if isinstance(error, sqlite3.DatabaseError):
        return f"the library is damaged ({error}): restore a backup; `agent doctor` says what can be saved"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the device"
    return " ".join(str(error).split()) if isinstance(error, known) else None


def _settings(
    model: Annotated[
        str | None,
        typer.Option(
            help="The chat model: a name of `agent model list`, a GGUF file, openai:NAME@URL on a "
            "server, or 'extractive' for none; several with commas, each where the one before it fails.",
            metavar="NAME|FILE.gguf|openai:NAME@URL",
            autocompletion=completing.models,
        ),
    ] = None,
    allow_remote: Annotated[
        bool,
        typer.Option(
            "--allow-remote", help="Let a server that is not this machine have the text it is asked about."
        ),
    ] = False,
    judge_model: Annotated[
        str | None,
        typer.Option(
            help="Another chat model that judges what the first writes.",
            metavar="NAME|FILE.gguf|openai:NAME@URL",
            autocompletion=completing.models,
        ),
    ] = None,
    paths: Annotated[int | None, typer.Option(help="Drafts of each answer, cross-checked, 1 to 8.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Give only the surest answers.")] = False,
    lenient: Annotated[bool, typer.Option("--lenient", help="Give less sure answers, too.")] = False,
    gpu_layers: Annotated[
        int | None, typer.Option(help="Model layers to put on the GPU: -1 as many as fit, 0 none.")
    ] = None,
    max_rounds: Annotated[int | None, typer.Option(help="Rounds of reformulation, 0 to 10.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Begin no round once the chat model used so many tokens; 0: no limit.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Begin no round after this many seconds.")] = None,
    max_passages: Annotated[int | None, typer.Option(help="Passages that a run may find, 1 to 1000.")] = None,
    no_memory: Annotated[bool, typer.Option("--no-memory", help="Leave no trace of what is asked.")] = False,
) -> dict[str, Any]:
    """The flags that `ask` and `chat` share, by the names of the settings; None where one is not given."""
    if strict and lenient:
        raise typer.BadParameter("--strict and --lenient exclude each other: give one of them")
    return {
        "model": model,
        "allow_remote": allow_remote or None,
        "judge_model": judge_model,
        "paths": paths,
        "strictness": "strict" if strict else "lenient" if lenient else None,
        "gpu_layers": gpu_layers,
        "max_rounds": max_rounds,
        "max_tokens": max_tokens,
        "timeout_s": timeout,
        "max_passages": max_passages,
        "remember": False if no_memory else None,
    }


def _restriction(
    sender: Annotated[
        list[str] | None,
        typer.Option(
            "--from", help="Only what this sender or speaker says; any part of the name.", metavar="NAME"
        ),
    ] = None,
    since: Annotated[
        str,
        typer.Option(help="Only from this day on: 2025, 2025-03, 2025-03-02, 'last week'.", metavar="DATE"),
    ] = "",
    until: Annotated[
        str, typer.Option(help="Only up to this day; a month is meant as a whole.", metavar="DATE")
    ] = "",
    types: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            help="Only such files: mail, chat, pdf, ...",
            metavar="TYPE,...",
            autocompletion=completing.formats,
        ),
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", help="Only documents with this tag.", metavar="TAG")
    ] = None,
    within: Annotated[
        list[str] | None,
        typer.Option("--in", help="Only these files, folders or patterns such as '*.md'.", metavar="PATH"),
    ] = None,
    title: Annotated[
        str, typer.Option(help="Only documents with these words in their titles.", metavar="WORDS")
    ] = "",
) -> dict[str, Any]:
    """The flags that restrict `search`, `ask` and `chat`, as `agent.filters.read_options` takes them."""
    return {
        "who": sender or (),
        "since": since,
        "until": until,
        "types": types or (),
        "tags": tags or (),
        "paths": within or (),
        "title": title,
    }


_SHARED: dict[str, Callable[..., dict[str, Any]]] = {"flags": _settings, "only": _restriction}


def _with_shared(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the flags of `_SHARED` in place of its parameters of those names."""
    own = inspect.signature(command, eval_str=True).parameters
    shared = {
        name: inspect.signature(f, eval_str=True).parameters for name, f in _SHARED.items() if name in own
    }

    @wraps(command)
    def run(**given: Any) -> None:
        together = {name: _SHARED[name](**{p: given.pop(p) for p in shared[name]}) for name in shared}
        command(**together, **given)

    taken = [p for one in own.values() for p in shared.get(one.name, {one.name: one}).values()]
    run.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {p.name: p.annotation for p in taken}
    return run


@app.command()
@_with_shared
def ask(
    question: Annotated[str, typer.Argument(help="The question; '-' or nothing reads it from stdin.")] = "-",
    document: Annotated[
        list[str] | None,
        typer.Argument(help="'-' answers from the document that stdin holds, alone.", metavar="[-]"),
    ] = None,
    thread: Annotated[
        str,
        typer.Option(
            "--thread",
            "-t",
            help="Questions of one thread may lean on each other.",
            autocompletion=completing.threads,
        ),
    ] = "",
    goes_on: Annotated[bool, typer.Option("--continue", "-c", help="Go on with the last thread.")] = False,
    docs: Annotated[
        list[str] | None,
        typer.Option(
            "--docs", help="Answer from these files without adding them; '-' is stdin.", metavar="PATH"
        ),
    ] = None,
    *,
    only: dict[str, Any],
    flags: dict[str, Any],
    fast: Annotated[
        bool, typer.Option("--fast", help="One more round at most, one draft, the first of the chat models.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Five rounds, five minutes, and three drafts of a chat model.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(
            help="Go on with a run that was killed, in place of a question.",
            metavar="RUN",
            autocompletion=completing.unfinished_runs,
        ),
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Show the rounds on stderr.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing on stderr but errors.")] = False,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="By default coloured on a terminal, text in a pipe.",
            metavar="|".join(FORMS),
            autocompletion=completing.one_of(*FORMS),
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Ask a question of your files. Ctrl-C settles with what is verified so far.

    Example: git log | agent ask "What changed in parsing?" -
    """
    from agent.cli.progress import first_line, wipe

    if form not in (None, *FORMS):
        raise typer.BadParameter(f"--format takes one of {', '.join(FORMS)}")
    _check_apart([("fast", fast, "deep", deep), ("quiet", quiet, "trace", trace)])
    _check_apart(
        [("continue", goes_on, "thread", thread), ("json", json, "format", form not in (None, "json"))]
    )
    if document not in (None, [], ["-"]):
        raise typer.BadParameter(f"put the question into quotes: {_quoted([question, *(document or [])])}")
    given = [*(docs or []), *(document or [])]
    if given.count("-") > 1 or ("-" in given and question == "-"):
        raise typer.BadParameter(
            'stdin holds one thing, the question or the document: git log | agent ask "What changed?" -'
        )
    if resume is not None and not resume.strip():
        raise typer.BadParameter("--resume: the run id is empty: `agent runs` lists the runs")
    asked = question != "-" or given or thread or goes_on or any(only.values())
    if resume and (asked or flags["remember"] is False):
        raise typer.BadParameter("goes alone: the run has its question, its thread and its library")
    if not quiet:
        first_line(_words(question)["open"])
    try:
        from agent.cli.asking import ask_once, hushed

        with hushed() if quiet else nullcontext():
            outcome = ask_once(
                question,
                thread,
                given,
                flags,
                only,
                resume=resume or "",
                goes_on=goes_on,
                bundle="fast" if fast else "deep" if deep else "",
                form="json" if json else form or "",
                show_trace=trace,
            )
    except KeyboardInterrupt as pressed:  # typer would say nothing
        wipe()
        print(_words(question)["interrupted"], file=sys.stderr)
        raise typer.Exit(130) from pressed
    finally:
        wipe()
    raise typer.Exit(EXIT_CODES[outcome])


def _check_apart(pairs: list[tuple[str, object, str, object]]) -> None:
    """Raises `BadParameter` for two flags that are given and exclude each other."""
    for one, given, other, also in pairs:
        if given and also:
            raise typer.BadParameter(f"--{one} and --{other} exclude each other: give one of them")


def _quoted(words: list[str]) -> str:
    """The command that asks what was given in several words."""
    end = ["-"] if words[-1] == "-" else []
    asked = " ".join(words[: len(words) - len(end)])
    return " ".join(["agent", "ask", shlex.quote(asked), *end])


def _words(question: str) -> dict[str, Any]:
    """What is said before anything is imported, in the language that the question seems to be in."""
    from agent.cli.words import WORDS

    return WORDS["zh" if any("\u4e00" <= char <= "\u9fff" for char in question) else "en"]


@app.command()
@_with_shared
def chat(
    thread: Annotated[
        str,
        typer.Option(
            "--thread",
            "-t",
            help="A name, to continue it later; without one, a new one.",
            autocompletion=completing.threads,
        ),
    ] = "",
    continued: Annotated[bool, typer.Option("--continue", "-c", help="Continue the last thread.")] = False,
    *,
    only: dict[str, Any],
    flags: dict[str, Any],
) -> None:
    """Ask one question after another; later ones may lean on earlier ones. /help lists the chat's commands.

    Example: agent chat --thread treaty
    """
    from agent.cli.chatting import chat_loop

    if thread and continued:
        raise typer.BadParameter("--continue and --thread exclude each other: give one of them")
    chat_loop(thread, flags, only, continued=continued)


@app.command()
def add(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders with all below them, and http or https addresses of single pages.",
            metavar="PATH|URL...",
        ),
    ],
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove the documents of these folders whose files are gone.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Then keep the library up to date until Ctrl-C.")
    ] = False,
    json: Json = False,
) -> None:
    """Add files to the library: notes, web pages, PDF, office files, books, tables, mail, chats, code.

    Unchanged files are skipped, and of a changed one only what changed is embedded again. A page of the web
    is fetched, alone: nothing that it links to or shows.

    Example: agent add notes/ paper.pdf https://example.org/page
    """
    from agent.cli.library import add_paths, watch_paths

    raise typer.Exit((watch_paths if watch else add_paths)(paths, as_json=json, prune=prune))


@app.command()
@_with_shared
def search(
    query: Annotated[str, typer.Argument(help="A few words.")],
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="How many passages.")] = 5,
    *,
    only: dict[str, Any],
    json: Json = False,
) -> None:
    """Find passages in your files, without an answer; exit code 1 when no document passes the flags.

    Example: agent search "peace treaty" -k 3 --from anna --since 2025-03
    """
    from agent.cli.library import search_passages

    raise typer.Exit(search_passages(query, k, only, as_json=json))


@docs_app.callback()
def docs(context: typer.Context, json: Json = False) -> None:
    """List the documents of the library. Example: agent docs"""
    if context.invoked_subcommand is None:
        from agent.cli.library import list_documents

        list_documents(as_json=json)


@docs_app.command("list")
def docs_list(json: Json = False) -> None:
    """List the documents of the library. Example: agent docs list --json"""
    from agent.cli.library import list_documents

    list_documents(as_json=json)


@docs_app.command("rm")
def docs_rm(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders or addresses as they were added.",
            metavar="PATH|URL...",
            autocompletion=completing.documents,
        ),
    ],
    json: Json = False,
) -> None:
    """Remove documents from the library; the files themselves stay. Example: agent docs rm notes/old.md"""
    from agent.cli.library import remove_documents

    raise typer.Exit(remove_documents(paths, as_json=json))


@model_app.command("list")
def model_list(json: Json = False) -> None:
    """List the models that are installed and those of the catalogue. Example: agent model list"""
    from agent.cli.models import list_models

    list_models(as_json=json)


@model_app.command("pull")
def model_pull(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="A name of `agent model list`, or REPOSITORY FILE, or hf:REPOSITORY/FILE; nothing for the "
            "recommended one.",
            metavar="NAME|REPO FILE",
            autocompletion=completing.catalogue,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Download a model from the Hugging Face hub; it goes on where it was cut.

    Example: agent model pull qwen3-4b
    """
    from agent.cli.models import pull_model

    if what and len(what) > 2:
        raise typer.BadParameter("one model at a time: NAME, or REPO FILE")
    raise typer.Exit(pull_model(what or [], as_json=json))


@model_app.command("use")
def model_use(
    name: Annotated[
        str,
        typer.Argument(
            help="A name, a GGUF file, openai:NAME@URL, 'extractive' for none, or several with commas.",
            autocompletion=completing.models,
        ),
    ],
) -> None:
    """Answer with this model from now on. Example: agent model use qwen3-4b"""
    from agent.cli.models import use_model

    use_model(name)


@model_app.command("show")
def model_show(
    name: Annotated[
        str,
        typer.Argument(
            help="A name or a GGUF file; nothing for the default.", autocompletion=completing.installed_models
        ),
    ] = "",
    measure: Annotated[
        bool | None,
        typer.Option(
            "--measure/--no-measure",
            help="Load it and measure how fast it reads and writes; by default where it never was measured.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show what a model is and how it runs here. Example: agent model show --measure"""
    from agent.cli.models import show_model

    show_model(name, measure=measure, as_json=json)


@model_app.command("rm")
def model_rm(
    name: Annotated[
        str,
        typer.Argument(
            help="A name, or the path of an installed model.", autocompletion=completing.installed_models
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete an installed model. Example: agent model rm qwen3-8b"""
    from agent.cli.models import remove_model

    remove_model(name, yes=yes)


@app.command()
def why(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's id or the start of it; without it, the latest.", autocompletion=completing.runs
        ),
    ] = "",
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it as one HTML page; '-' is stdout.", metavar="FILE")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --html: replace a file that is no such page.")
    ] = False,
    json: Json = False,
) -> None:
    """Show how an answer came about: queries, passages, verdicts, timings.

    Example: agent why --html answer.html
    """
    from agent.cli.looking import show_run, write_page

    if html and json:
        raise typer.BadParameter("--html and --json exclude each other: give one of them")
    if force and not html:
        raise typer.BadParameter("--force belongs to --html")
    if html:
        write_page(run, html, force=force)
    else:
        show_run(run, as_json=json)


@app.command()
def runs(
    limit: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many.")] = 20,
    prune: Annotated[
        int | None,
        typer.Option(
            min=0, help="Forget the runs older than so many days that nothing rests on.", metavar="DAYS"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """List the latest runs. Example: agent runs -n 5"""
    from agent.cli.looking import list_runs, prune_runs

    if prune is not None:
        prune_runs(prune, as_json=json)
    else:
        list_runs(limit, as_json=json)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The backup, one file.")],
    restore: Annotated[bool, typer.Option("--restore", help="Put it in the place of the library.")] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Write to it what can be read of a damaged library.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is there; a replaced library is kept beside it.")
    ] = False,
    json: Json = False,
) -> None:
    """Copy the library to one file, also while it is in use.

    Example: agent backup ~/library.backup
    """
    from agent.cli.keeping import back_up_library, restore_library, salvage_library

    if restore and salvage:
        raise typer.BadParameter("--restore and --salvage exclude each other: give one of them")
    work = restore_library if restore else salvage_library if salvage else back_up_library
    work(file, force=force, as_json=json)


@app.command()
def graph(
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="As Mermaid on a terminal, too, as it is in a pipe.")
    ] = False,
) -> None:
    """Draw the state machine; in a pipe, print it as a Mermaid diagram.

    Example: agent graph > graph.mmd
    """
    from agent.cli.looking import print_graph

    print_graph(mermaid=mermaid)


@app.command()
def doctor(json: Json = False) -> None:
    """Check the installation and the library; exit code 1 when something is broken.

    Example: agent doctor
    """
    from agent.cli.looking import examine

    raise typer.Exit(examine(as_json=json))


@app.command()
def setup(
    embedder: Annotated[
        str | None,
        typer.Option(
            help="Sentence-transformers model, by name (it is downloaded) or folder.", metavar="NAME"
        ),
    ] = None,
    rerank: Annotated[
        str | None,
        typer.Option(
            help="Cross-encoder that re-ranks, by name (it is downloaded) or folder.", metavar="NAME"
        ),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(
            help="Cross-encoder or NLI model that checks claims, by name (it is downloaded) or folder.",
            metavar="NAME",
        ),
    ] = None,
    reembed: Annotated[
        bool, typer.Option("--reembed", help="Embed the library again where another embedder made it.")
    ] = False,
    gpu: Annotated[
        str | None,
        typer.Option(
            help="Build llama.cpp for a GPU, or for the CPU again.",
            metavar=GPU_CHOICES,
            autocompletion=completing.one_of(*GPU_CHOICES.split("|")),
        ),
    ] = None,
    wheel: Annotated[
        bool,
        typer.Option("--wheel", help="With --gpu: install its authors' ready-made build; needs no compiler."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --gpu: only show the commands.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --gpu: do not ask.")] = False,
) -> None:
    """Prepare the embedder, so that the first question is as fast as the next; or llama.cpp for a GPU.

    Example: agent setup --gpu auto
    """
    if gpu is not None and gpu not in GPU_CHOICES.split("|"):
        raise typer.BadParameter(f"--gpu takes one of {GPU_CHOICES}")
    if gpu is None and (wheel or dry_run or yes):
        raise typer.BadParameter("--wheel, --dry-run and --yes belong to --gpu")
    if gpu is not None:
        if embedder or rerank or scorer or reembed:
            raise typer.BadParameter("--gpu goes alone")
        from agent.cli.setting_up import set_up_gpu

        raise typer.Exit(set_up_gpu(gpu, wheel=wheel, dry_run=dry_run, yes=yes))
    from agent.cli.setting_up import set_up

    raise typer.Exit(set_up(embedder, rerank, scorer, reembed=reembed))


@app.command()
def version() -> None:
    """Print the version. Example: agent version"""
    from agent import __version__

    print(__version__)
