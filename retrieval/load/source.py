"""What a loaded document is: its text, its marks, and the questions one may ask about a place.

Loaders build these values and the rest of the project reads them. Nothing here opens a file or
parses a format.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LABEL_LIMIT = 200
NO_LINES = frozenset({"pdf", "docx", "pptx", "xlsx", "odt", "odp", "ods", "epub", "rtf"})  # formats


class LoadError(Exception):
    """A file cannot be loaded. The message is one line that a person understands."""


@dataclass(frozen=True)
class Mark:
    """A heading, a page or a message that begins at a character offset of the source text.

    `start` counts characters from 0. `label` is the heading's text (for a message its subject or
    speaker), or the page number as a string, counted from 1 through the file; a slide is a page.
    `level` is 1 to 6 for headings and messages and 0 for pages. `who` and `when` are for
    messages: the sender or speaker as written, and the time in ISO 8601, as far as it is known.
    A message that takes up again after words that it quotes has a second mark, like its first.
    """

    start: int
    kind: Literal["heading", "page", "message"]
    label: str
    level: int
    who: str = ""
    when: str = ""


@dataclass(frozen=True)
class Source:
    """The text of one document, as extracted; citations are spans of `text`.

    `marks` are in order of `start`, every start inside `text`. `lines` maps text to file lines
    for HTML and others: pairs (offset in text, line from 1), offsets ascending; it is None where
    text lines are file lines (plain text, Markdown, CSV) and for NO_LINES, and empty where there are
    no lines to speak of (mail, JSON). `notes` say what was left out, one short sentence each. `date`
    is the day the document itself gives for itself, in ISO 8601, or ""; `tags` are its own, without
    their #.
    """

    text: str
    title: str
    marks: tuple[Mark, ...]
    format: str
    lines: tuple[tuple[int, int], ...] | None
    encoding: str
    notes: tuple[str, ...] = ()
    date: str = ""
    tags: tuple[str, ...] = ()


Loader = Callable[[bytes, Path], Source]


def place(source_marks: Sequence[Mark], offset: int) -> tuple[str, int | None]:
    """The headings that enclose `offset` as "Title > Section > Sub", and its page.

    A message is shown as its `caption`. The breadcrumb is "" before the first heading. The page is
    None where there are no page marks.
    """
    trail, page = next(trails(source_marks, [offset]))
    return breadcrumb(trail), page


def trails(
    source_marks: Sequence[Mark], offsets: Iterable[int]
) -> Iterator[tuple[tuple[Mark, ...], int | None]]:
    """The headings and messages that enclose each of `offsets`, which ascend, and its page.

    A mark closes those of its own level and deeper; skipped levels are not filled in.
    """
    trail: tuple[Mark, ...] = ()
    page: int | None = None
    at = 0
    for offset in offsets:
        while at < len(source_marks) and source_marks[at].start <= offset:
            mark = source_marks[at]
            if mark.kind == "page":
                page = int(mark.label)
            else:
                trail = (*(m for m in trail if m.level < mark.level), mark)
            at += 1
        yield trail, page


def breadcrumb(trail: Iterable[Mark]) -> str:
    return " > ".join(caption(mark) for mark in trail)


def caption(mark: Mark) -> str:
    """What a mark is called in a breadcrumb: a heading's text, or "Subject — Anna, 2025-03-02"."""
    who = name_of(mark.who)
    parts = [mark.label] if mark.label not in (mark.who, who) or not who else []
    by = ", ".join(part for part in (who, mark.when[:10]) if part)
    return " — ".join([*parts, by] if by else parts)


def name_of(who: str) -> str:
    """The name in a sender such as "Anna Lind <anna@example.org>"; the address where there is none."""
    name, _, address = who.partition("<")
    return name.strip(" \t\"'") or address.rstrip("> ")


def line_of(source: Source, offset: int) -> int | None:
    """The line, from 1, of the original file that holds `offset`; None where there are no lines.

    For HTML it is the line where the run of text that holds `offset` stands in the file.
    """
    if source.format in NO_LINES or source.lines == ():
        return None
    if source.lines is None:
        return source.text.count("\n", 0, offset) + 1
    at = bisect_right(source.lines, offset, key=lambda pair: pair[0])
    return source.lines[max(at - 1, 0)][1]


def label_of(text: str) -> str:
    """`text` on one line with single spaces, cut at LABEL_LIMIT characters."""
    start = text.lstrip()[: 10 * LABEL_LIMIT]  # a line may be as long as a file
    return " ".join(start.split())[:LABEL_LIMIT].rstrip()
