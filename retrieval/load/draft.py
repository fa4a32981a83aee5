"""Put a document's text together from pieces, with the marks and lines that belong to it.

For loaders whose text is not the file itself. It knows no format and drops nothing but characters
that no text may hold; what passes its size limit is left out, and it says so.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

from retrieval.load.source import LoadError, Mark, Source, label_of
from retrieval.load.text import normalise

TEXT_CHARS = 40_000_000  # of one document; what comes after is left out, with a note
_LONE = re.compile("[\ud800-\udfff]")
_BLANK_LINES = re.compile(r"\n[^\S\n]*\n\s*\n")


class Draft:
    """Text in the making. `full` is true once the limit is reached; then nothing more is taken."""

    def __init__(self, limit: int = TEXT_CHARS) -> None:
        self.marks: list[Mark] = []
        self.lines: list[tuple[int, int]] = []
        self.notes: list[str] = []
        self.full = False
        self._parts: list[str] = []
        self._starts: list[int] = []  # where each piece begins
        self._length = 0
        self._owed = ""  # white space between the last text and the next
        self._limit = limit

    def add(self, text: str, line: int | None = None) -> int:
        """Append text after what is owed before it; the offset at which it begins.

        White space at its end is owed to the next. `line`: the line of the file where it stands.
        """
        kept = clean(text).strip("\n")
        if not kept.strip() or self.full:
            return self._length
        before = self._owed if self._parts else ""
        if self._length + len(before) + len(kept) > self._limit:
            self.full = True
            self.notes.append("the rest is left out: the file holds too much text")
            return self._length
        self._parts += [before, kept]
        start = self._length + len(before)
        self._length = start + len(kept)
        self._starts.append(start)
        self._owed = "\n"
        if line is not None and (not self.lines or self.lines[-1][1] != line):
            self.lines.append((start, line))
        return start

    def gap(self) -> None:
        """A blank line before what comes next."""
        self._owed = "\n\n"

    def mark(
        self,
        start: int,
        kind: Literal["heading", "message"],
        label: str,
        level: int,
        who: str = "",
        when: str = "",
    ) -> None:
        """A mark at an offset that `add` gave; without a label there is none."""
        label = label_of(clean(label))
        if label and start < self._length:
            self.marks.append(Mark(start, kind, label, min(level, 6), label_of(clean(who)), when))

    @property
    def pieces(self) -> int:
        """How many pieces of text have been added; what `head` takes."""
        return len(self._starts)

    def head(self, piece: int, label: str, level: int) -> None:
        """A heading at the piece of that number, counted from 0, if there is one."""
        if piece < len(self._starts):
            self.mark(self._starts[piece], "heading", label, level)

    def include(self, source: Source, deeper: int) -> None:
        """Append another document; its headings become `deeper` by so many levels, pages are dropped."""
        lead = len(source.text) - len(source.text.lstrip("\n"))
        start = self.add(source.text)
        if self.full:
            return
        for mark in source.marks:
            if mark.kind != "page" and start + mark.start - lead < self._length:
                at = max(start, start + mark.start - lead)
                self.marks.append(replace(mark, start=at, level=min(mark.level + deeper, 6)))

    def source(
        self,
        title: str,
        format: str,
        encoding: str = "utf-8",
        *,
        empty: str = "no text in the file",
        date: str = "",
        tags: tuple[str, ...] = (),
    ) -> Source:
        """The finished document. Raises LoadError, with `empty` as its message, where there is no text."""
        text = "".join(self._parts)
        if not text.strip():
            raise LoadError(empty)
        marks = sorted(self.marks, key=lambda mark: (mark.start, mark.level))
        notes = tuple(dict.fromkeys(self.notes))
        return Source(
            text, label_of(clean(title)), tuple(marks), format, tuple(self.lines), encoding, notes, date, tags
        )


def clean(text: str) -> str:
    """`text` with LF line ends and without NUL and lone surrogates."""
    return _LONE.sub("\ufffd", normalise(text))


def tidy(text: str) -> str:
    """`text` without white space at line ends, and with one blank line where there are several."""
    lines = (line.rstrip() for line in clean(text).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def some(items: list[str], limit: int = 8) -> str:
    """The first of `items`, and how many more there are."""
    return ", ".join(items[:limit]) + (f" and {len(items) - limit} more" if len(items) > limit else "")
