"""`agent memory`: what is remembered beside documents, and what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import completing

if TYPE_CHECKING:
    from agent.assistant import Agent
    from retrieval.records import Record

memory_app = typer.Typer(
    help="Look at what is remembered, correct and forget it. Example: agent memory list", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Id = Annotated[
    str,
    typer.Argument(help="A record's id or the start of it.", metavar="ID", autocompletion=completing.records),
]
Ids = Annotated[
    list[str],
    typer.Argument(
        help="Records' ids or the starts of them.", metavar="ID...", autocompletion=completing.records
    ),
]
Tier = Annotated[
    list[str] | None,
    typer.Option(
        "--tier", help="short, mid or long.", autocompletion=completing.one_of("short", "mid", "long")
    ),
]
Kind = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        help="turn, episode, statement or correction.",
        autocompletion=completing.one_of("turn", "episode", "statement", "correction"),
    ),
]
Thread = Annotated[
    str | None,
    typer.Option("--thread", "-t", help="Of this thread.", autocompletion=completing.threads),
]
Since = Annotated[str, typer.Option(help="From this day on: 2025, 2025-03, 'last week'.", metavar="DATE")]
Until = Annotated[str, typer.Option(help="Up to this day; a month is meant as a whole.", metavar="DATE")]
Source = Annotated[str, typer.Option(help="What rests on a file with this in its path.", metavar="PATH")]


@memory_app.command("list")
def list_records(
    tier: Tier = None,
    kind: Kind = None,
    thread: Thread = None,
    since: Since = "",
    until: Until = "",
    source: Source = "",
    limit: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 50,
    json: Json = False,
) -> None:
    """List what is remembered, the newest first. Example: agent memory list --tier mid --since 'last week'"""
    from agent import records

    with _opened() as agent:
        found = records.listed(agent.library, **_chosen(tier, kind, thread, since, until, source))
        _print(agent, found[:limit], as_json=json)


@memory_app.command("search")
def search(
    words: Annotated[str, typer.Argument(help="What was asked or said, in a few words.")],
    tier: Tier = None,
    kind: Kind = None,
    thread: Thread = None,
    since: Since = "",
    until: Until = "",
    source: Source = "",
    limit: Annotated[int, typer.Option("-k", min=1, max=100, help="How many.")] = 5,
    json: Json = False,
) -> None:
    """Find what is remembered, of every kind, by its words and its day.

    Example: agent memory search "what did I ask on 6 May"
    """
    from datetime import date

    from agent import records

    chosen = _chosen(tier, kind, thread, since, until, source)
    with _opened() as agent:
        found = records.searched(agent.library, words, date.today(), limit, **chosen)
        _print(agent, found, as_json=json, nothing="nothing that is remembered fits")


@memory_app.command("show")
def show(id_: Id, json: Json = False) -> None:
    """Show one record. Example: agent memory show 1f3a"""
    from agent import records
    from agent.cli.render import print_json

    with _opened() as agent:
        shown = records.to_json(agent.library, records.find(agent.library, id_), time.time())
    if json:
        print_json(shown)
    else:
        _print_fields(shown)


@memory_app.command("why")
def why(id_: Id, json: Json = False) -> None:
    """Show where a record came from, what it rests on and which runs used it.

    Example: agent memory why 1f3a
    """
    from agent import records
    from agent.cli.render import print_json, visible

    with _opened() as agent:
        told = records.why(agent.library, records.find(agent.library, id_), time.time())
    if json:
        print_json(told)
        return
    spans, older, newer = told.pop("spans"), told.pop("older"), told.pop("newer")
    _print_fields(told)
    for span in spans:
        stands = "stands" if span["stands"] else "STALE"
        quote = " ".join(span["quote"].split())
        print(visible(f"{stands}\t{span['path']} [{span['start']}:{span['end']}] {quote}"))
    for name, other in (("in place of", older), ("replaced by", newer)):
        if other:
            until = f" to {_minute(other['ended_s'])}" if other["ended_s"] is not None else ""
            held = " ".join((other["said"] or other["answer"] or other["text"]).split())
            print(visible(f"{name}\t{other['id'][:12]} {_minute(other['created_s'])}{until} {held}"))


@memory_app.command("pin")
def pin(ids: Ids) -> None:
    """Keep records for good. Example: agent memory pin 1f3a"""
    _pin(ids, pinned=True)


@memory_app.command("unpin")
def unpin(ids: Ids) -> None:
    """Leave records to be forgotten when they are not used. Example: agent memory unpin 1f3a"""
    _pin(ids, pinned=False)


@memory_app.command("correct")
def correct(
    what: Annotated[
        str,
        typer.Argument(help="A run, a record, or the question; with --undo, the correction.", metavar="WHAT"),
    ],
    right: Annotated[str, typer.Argument(help="What is right; nothing if you do not know.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take a correction back.")] = False,
    json: Json = False,
) -> None:
    """Say that an answer was wrong, and what is right if you know it.

    Example: agent memory correct "When is the rent due?" "on the first of each month"
    """
    from agent import records
    from agent.cli.render import print_json, visible

    with _opened() as agent:
        if undo:
            record = records.find(agent.library, what)
            records.undo(agent.library, record)
        else:
            record = records.correct(agent.library, what, right, time.time())
        told = records.to_json(agent.library, record, time.time())
    if json:
        print_json(told)
    elif undo:
        print(visible(f"taken back: {record.text}"))
    else:
        print(visible(f"{record.id[:12]}  {record.text} -> {right.strip() or 'not so'}"))


@memory_app.command("forget")
def forget(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Records' ids or the starts of them.", metavar="[ID...]")
    ] = None,
    tier: Tier = None,
    kind: Kind = None,
    thread: Thread = None,
    since: Since = "",
    until: Until = "",
    source: Source = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All that is remembered; documents stay.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Delete records, and everything else in the library that holds their texts, down to the last byte.

    Other records and runs that repeat those words go, too; of a single word, those that quote it or consist
    of it. Backups are not touched. Example: agent memory forget --until 2024
    """
    from agent import forgetting, records
    from agent.cli.render import print_json
    from agent.errors import InputError

    filtered = any((tier, kind, thread is not None, since, until, source))
    if (bool(ids) + filtered + everything) != 1:
        raise typer.BadParameter("name records, or choose them as `list` does, or say --all")
    if json and not yes:
        raise typer.BadParameter("--json asks nothing: add --yes")
    chosen = _chosen(tier, kind, thread, since, until, source)
    with _opened() as agent:
        library = agent.library
        was_cut_short = forgetting.finished(library)
        if everything:
            found, going = [], forgetting.everything(library)
        else:
            found = (
                forgetting.named(library, ids, was_cut_short=was_cut_short)
                if ids
                else records.listed(library, **chosen)
            )
            whole = thread if not any((tier, kind, since, until, source)) else None
            going = forgetting.reckoned(library, found, whole)
            if not (going.records or going.runs or was_cut_short):
                raise InputError("there is nothing to forget: `agent memory list` shows what is remembered")
        if not yes and (going.records or going.runs):
            more = len(going.records) - len(found) if not everything else 0
            repeat = f", {more} of them as they repeat the words of others" if more else ""
            records_ = f"{len(going.records)} records ({going.pinned} pinned{repeat})"
            if not typer.confirm(f"forget {records_} and {len(going.runs)} runs for good?"):
                raise typer.Exit(1)
        deleted, runs = forgetting.carry_out(library, going)
    if json:
        print_json({"records": deleted, "runs": runs})
    else:
        print(f"{deleted} records and {runs} runs forgotten")


@memory_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="The file, JSON lines; '-' is stdout.")],
    tier: Tier = None,
    kind: Kind = None,
    thread: Thread = None,
    since: Since = "",
    until: Until = "",
    source: Source = "",
) -> None:
    """Write what is remembered to a file. Example: agent memory export memory.jsonl --tier long"""
    import sys

    from agent import carrying, records
    from agent.errors import InputError

    with _opened() as agent:
        found = records.listed(agent.library, **_chosen(tier, kind, thread, since, until, source))
        text = carrying.exported(agent.library, found)
    if str(file) == "-":
        sys.stdout.write(text)
    else:
        try:
            file.expanduser().write_text(text, encoding="utf-8")
        except (OSError, RuntimeError) as error:  # the latter for a home that nobody has
            raise InputError(f"{file} cannot be written: {_reason(error)}") from error
        print(f"{len(found)} records written to {file}")


@memory_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that `agent memory export` wrote.")], json: Json = False
) -> None:
    """Take in what was exported, beside what is there. Example: agent memory import memory.jsonl"""
    from agent import carrying
    from agent.cli.render import print_json
    from agent.errors import InputError

    try:
        text = file.expanduser().read_text(encoding="utf-8-sig")
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {_reason(error)}") from error
    with _opened() as agent:
        taken = carrying.imported(agent.library, text)
    if json:
        print_json({"imported": taken})
    else:
        print(f"{taken} records taken in")


@memory_app.command("stats")
def stats(json: Json = False) -> None:
    """Show how much is remembered. Example: agent memory stats"""
    from agent import records
    from agent.cli.render import print_json

    with _opened() as agent:
        found = records.stats(agent.library, time.time())
    if json:
        print_json(found)
        return
    for tier, kinds in found.pop("records").items():
        print(f"{tier}\t{', '.join(f'{n} {kind}s' for kind, n in kinds.items())}")
    _print_fields(found)


@memory_app.command("tidy")
def tidy(json: Json = False) -> None:
    """Promote what has proved itself and drop what is not used any more; it is done daily by itself, too.

    Example: agent memory tidy
    """
    from agent import memory
    from agent.cli.render import print_json

    with _opened() as agent:
        done = memory.tidy(agent.library, time.time())
        agent.library.finish_forgetting()
    counts = {
        "promoted": len(done.promoted),
        "expired": len(done.expired),
        "crowded_out": len(done.crowded_out),
    }
    if json:
        print_json(counts)
    else:
        print(", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items()))


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@contextmanager
def _opened() -> Iterator[Agent]:
    from agent.assistant import Agent
    from agent.settings import read_settings

    with Agent(read_settings()) as agent:
        yield agent


def _chosen(
    tier: list[str] | None, kind: list[str] | None, thread: str | None, since: str, until: str, source: str
) -> dict[str, Any]:
    """The filters as `agent.records.listed` takes them."""
    from agent.records import KINDS, TIERS

    for name, given, known in (("--tier", tier, TIERS), ("--kind", kind, KINDS)):
        wrong = [one for one in given or [] if one not in known]
        if wrong:
            raise typer.BadParameter(f"{name} takes {', '.join(known)}, not {wrong[0]!r}")
    since_s = _edge_s(since, "--since", last=False) if since else 0.0
    until_s = _edge_s(until, "--until", last=True) if until else float("inf")
    return {
        "tiers": tier or (),
        "kinds": kind or (),
        "thread": thread,
        "since_s": since_s,
        "until_s": until_s,
        "source": source,
    }


def _edge_s(text: str, name: str, *, last: bool) -> float:
    """When a stretch of time begins, or when it is over."""
    from datetime import date, datetime, timedelta
    from datetime import time as time_of_day

    from tools.periods import read_period

    period = read_period(text, date.today())
    day = (period.last if last else period.first) if period else None
    if day is None:
        raise typer.BadParameter(f"{name} {text!r} is no date: 2025, 2025-03, 2025-03-02, 'last week'")
    return datetime.combine(day + timedelta(days=int(last)), time_of_day()).timestamp()


def _pin(ids: list[str], *, pinned: bool) -> None:
    from agent import records

    with _opened() as agent:
        found = [records.find(agent.library, one) for one in ids]
        records.pin(agent.library, found, pinned=pinned)
    print(f"{len(found)} {'pinned' if pinned else 'unpinned'}")


def _print(
    agent: Agent, found: list[Record], *, as_json: bool, nothing: str = "nothing is remembered"
) -> None:
    import sys

    from agent import records
    from agent.cli.render import console, print_json, print_table

    if as_json:
        print_json({"records": [records.to_json(agent.library, one, time.time()) for one in found]})
        return
    print_table(
        [
            [
                one.id[:12],
                _minute(one.created_s),
                one.tier,
                one.kind + ("*" if one.pinned else "") + ("" if one.ended_s is None else " (ended)"),
                f"{one.uses}x",
                one.text + (f" -> {one.payload['said']}" if one.payload.get("said") else ""),
            ]
            for one in found
        ],
        console(),
    )
    if not found:
        print(nothing, file=sys.stderr)


def _print_fields(shown: dict[str, Any]) -> None:
    from agent.cli.render import visible

    for name, value in shown.items():
        if value in ("", None, []):
            continue
        text = _minute(value) if name.endswith("_s") else " ".join(str(value).split())
        print(visible(f"{name.removesuffix('_s')}\t{text}"))


def _minute(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s))
