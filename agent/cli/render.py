"""How answers, passages and traces look on a terminal and in a pipe. It decides nothing.

On a terminal, paths are links and citations are coloured; in a pipe, under NO_COLOR or TERM=dumb it is plain
text.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from agent.budget import STOPPED
from agent.cli.words import STEPS, WORDS
from agent.events import first_and_more
from agent.filters import said
from agent.models.names import shown_name
from agent.page_words import PAGE_WORDS
from retrieval.addresses import is_page
from retrieval.tokens import place_of

if TYPE_CHECKING:
    from agent.answer import Answer, Citation
    from agent.events import Event
    from agent.state import Lang

PIPE_WIDTH = 10_000  # in a pipe a line is a line
NUMBER_COLUMNS = 6  # before the place of a citation
QUOTE_CHARS = 240
COPIES = 3  # other places named for a citation
CLOSEST = 2  # passages shown where there is no answer
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _VisibleConsole(Console):
    """A console that lets no document write to the terminal by itself: control characters are left out."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def visible(text: str) -> str:
    """A text without control characters but tabs and line ends, and without marks that turn its direction."""
    return _CONTROL.sub("", text)


def console(stream: TextIO | None = None) -> Console:
    """A console that is plain unless it writes to a capable terminal."""
    file = stream or sys.stdout
    capable = file.isatty() and os.environ.get("TERM") != "dumb"
    return _VisibleConsole(
        file=file,
        highlight=False,
        soft_wrap=not capable,
        width=None if capable else PIPE_WIDTH,
        force_terminal=capable,
        no_color=None if capable else True,
    )


def plain(stream: TextIO | None = None) -> Console:
    """A console as in a pipe, wherever it writes to."""
    return _VisibleConsole(
        file=stream or sys.stdout,
        highlight=False,
        soft_wrap=True,
        width=PIPE_WIDTH,
        force_terminal=False,
        no_color=True,
    )


def print_answer(answer: Answer, out: Console) -> None:
    """The answer with numbered citations below it, then its outcome."""
    words = WORDS[answer.lang]
    body, cited = _body(answer, "[{}]")
    if answer.short:
        out.print(Text(answer.short, style="bold"))
    out.print(body if body.plain else Text(answer.text))
    for line in answer.disagreements:
        out.print(Text(f"\n{line}", style="yellow"))
    if cited:
        out.print()
    for number, citation in enumerate(cited, start=1):
        _print_citation(number, citation, words, out)
    if answer.outcome in ("partial", "abstained") and answer.missing:
        out.print(Text(f"\n{words['missing']}: {', '.join(answer.missing[:8])}", style="dim"))
    if not answer.claims and answer.outcome != "verified":
        _print_closest(answer, words, out)


def print_markdown(answer: Answer, out: Console | None = None) -> None:
    """The answer as Markdown, its citations as footnotes with their whole quotations."""
    out, words = out or plain(), WORDS[answer.lang]
    body, cited = _body(answer, "[^{}]", space="")
    if answer.short:
        out.print(Text(f"**{answer.short}**\n"))
    out.print(Text(body.plain or answer.text))
    for line in answer.disagreements:
        out.print(Text(f"\n{line}"))
    if answer.outcome in ("partial", "abstained") and answer.missing:
        out.print(Text(f"\n{words['missing']}{words['colon']}{', '.join(answer.missing[:8])}"))
    if cited:
        out.print()
    for number, citation in enumerate(cited, start=1):
        where = place(citation.path, citation.line, citation.page, out).plain
        about = [f"`{where}`", " ".join(citation.heading.split()), words.get(citation.changed, "")]
        quote = " ".join(citation.quote.split())
        out.print(Text(f"[^{number}]: {', '.join(filter(None, about))}{words['colon']}“{quote}”"))


def _body(answer: Answer, mark: str, space: str = " ") -> tuple[Text, list[Citation]]:
    """The claims as a text with the numbers of their citations, and these in the order of the numbers."""
    cited: list[Citation] = []
    body, items = Text(), answer.text.startswith("- ")
    for claim in answer.claims:
        marks = []
        for citation in claim.citations:
            if citation not in cited:
                cited.append(citation)
            marks.append(cited.index(citation) + 1)
        separator = " " if body.plain and answer.lang == "en" else ""
        if items:
            separator = "\n- " if body.plain else "- "
        start, end = place_of(answer.short, claim.text) if claim is answer.claims[0] else (0, 0)
        body.append(separator + claim.text[:start])
        body.append(claim.text[start:end], style="bold underline").append(claim.text[end:])
        for number in dict.fromkeys(marks):
            body.append(f"{space if answer.lang == 'en' else ''}{mark.format(number)}", style="cyan")
    return body, cited


def status_line(answer: Answer) -> str:
    """Outcome, time, rounds, what ended them, and model on one line, for stderr."""
    words, outcome = WORDS[answer.lang], answer.outcome
    if answer.lang == "zh":
        outcome = PAGE_WORDS["zh"]["outcome"][outcome]
    rounds = f"{answer.rounds} {words['rounds']}" + (
        f" · {STOPPED[answer.lang][answer.stopped]}" if answer.stopped else ""
    )
    run = f" · agent why {answer.run_id}" if answer.run_id else ""
    return f"{outcome} · {answer.seconds:.2f} {words['seconds']} · {rounds} · {shown_name(answer.model)}{run}"


def _print_citation(number: int, citation: Citation, words: dict[str, Any], out: Console) -> None:
    line = Text(f"[{number}] ", style="cyan")
    line.append_text(place(citation.path, citation.line, citation.page, out))
    if citation.heading:
        line.append(f"  {citation.heading}", style="dim")
    if citation.changed:
        line.append(f"  ({words[citation.changed]})", style="red")
    out.print(line)
    out.print(Text(f"    “{shorten(citation.quote, QUOTE_CHARS)}”", style="dim"))
    print_copies(citation.also, words, out)


def print_copies(paths: Sequence[str], words: dict[str, Any], out: Console) -> None:
    """Where else a passage stands, on one line."""
    if not paths:
        return
    line = Text(f"    {words['also']}: ", style="dim")
    for n, path in enumerate(paths[:COPIES]):
        line.append(", " if n else "")
        line.append_text(place(path, None, None, out))
    if len(paths) > COPIES:
        line.append(f", {words['more'].format(n=len(paths) - COPIES)}")
    out.print(line)


def _print_closest(answer: Answer, words: dict[str, Any], out: Console) -> None:
    passages = [item for item in answer.evidence if item["kind"] == "passage"][:CLOSEST]
    if passages:
        out.print(Text(f"\n{words['closest']}:", style="dim"))
    for item in passages:
        line = Text("  ")
        line.append_text(place(item["path"], None, item["page"], out))
        line.append(f"  {shorten(item['text'], 120)}", style="dim")
        out.print(line)


def place(path: str, line: int | None, page: int | None, out: Console) -> Text:
    """A place in a file, short where it lies below the current folder, or in a page; a link on a terminal."""
    if is_page(path):  # a colon would make the line a part of the address
        text = path + (f" line {line}" if line else f" p. {page}" if page else "")
        return Text(text, style=f"link {path}" if out.is_terminal else "")
    shown = Path(path)
    with suppress(OSError):  # the current folder was deleted
        if shown.is_absolute() and shown.is_relative_to(Path.cwd()):
            shown = shown.relative_to(Path.cwd())
    at = f":{line}" if line else f" p. {page}" if page else ""
    told = Text(f"{shown}{at}")
    if out.is_terminal and Path(path).is_absolute():
        if told.cell_len > out.width - NUMBER_COLUMNS:
            told = Text(f"…/{shown.name}{at}")  # the link has all of it
        told.stylize(f"link {Path(path).as_uri()}")
    return told


def shorten(text: str, limit: int) -> str:
    """A text on one line, cut at a limit of terminal columns: a Chinese character takes two."""
    line = Text(" ".join(text.split()))
    line.truncate(limit, overflow="ellipsis")
    return line.plain


def doing(event: Event, lang: Lang) -> str:
    """What a run is about to do after an event, in a few words."""
    steps = STEPS[lang]
    match event["event"]:
        case "plan" if event["tool"]:
            return steps["tool"]
        case "plan" if event["need"] == "sweep":
            return steps["whole"]
        case "plan" | "reformulate" if not event["queries"]:
            return steps["failed"]
        case "plan":
            return steps["plan"].format(first_and_more(event["queries"]))
        case "retrieve":
            return steps["retrieve"].format(event["hits"])
        case "draft":
            return steps["draft"].format(len(event["claims"]))
        case "critique":
            return steps["passed" if event["passed"] else "failed"]
        case "reformulate":
            return steps["reformulate"].format(
                event["round"], first_and_more([q["text"] for q in event["queries"]])
            )
        case "started" | "recall":
            return steps[event["event"]]
    return steps["passed"]


def trace_lines(event: Event) -> Iterable[str]:
    """What a step did, for `--trace` and the chat: one line, and one for each detail."""
    head = f"{event['seconds']:6.2f} s  {event['event']}"
    match event["event"]:
        case "recall":
            yield f"{head}  {event['standalone']}"
        case "plan":
            tool = f", tool {event['tool']}" if event["tool"] else ""
            only = f", only {said(event['where'])}" if event["where"] else ""
            yield f"{head}  {event['need']}, expects {event['answer_type']}{tool}{only}"
        case "retrieve":
            yield f"{head}  {first_and_more(event['queries'])}: {event['hits']} passages"
        case "act":
            yield f"{head}  {event['result'] or event['failure']}"
        case "sweep":
            yield f"{head}  {event['parts']} parts of whole documents, {event['quoted']} quotations"
        case "draft":
            writer = shown_name(event["model"])
            yield f"{head}  {len(event['claims'])} sentences by {writer}, not verified yet"
        case "critique":
            passed = "passed" if event["passed"] else "not passed"
            yield f"{head}  {passed}, answers with probability {event['sufficiency']:.2f}"
            for verdict in event["verdicts"]:
                yield f"            {verdict['verdict']}: {shorten(verdict['text'], 80)}"
        case "reformulate":
            yield f"{head}  round {event['round']}: {len(event['queries']) or 'no'} new queries"
            for move in dict.fromkeys(query["move"] for query in event["queries"]):
                texts = [query["text"] for query in event["queries"] if query["move"] == move]
                yield f"            {move}: {first_and_more(texts)}"
        case "settle":
            yield f"{head}  {event['outcome']}" + (f", {event['stopped']}" if event["stopped"] else "")


def print_json(value: Any) -> None:
    """One JSON object on stdout, characters as they are."""
    import json

    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(rows: Sequence[Sequence[str]], out: Console) -> None:
    """Rows in aligned columns on a terminal, separated by tabs in a pipe."""
    if not out.is_terminal:
        for row in rows:  # written as it is: rich would turn the tabs into spaces
            print("\t".join(" ".join(cell.split()) for cell in row), file=out.file)
        return
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)
