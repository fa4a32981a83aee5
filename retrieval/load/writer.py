"""Put a text together from blocks, with marks that stand where the blocks begin.

For loaders of formats whose text is not the file itself. It parses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from retrieval.load.source import LABEL_LIMIT, LoadError, Mark, label_of

CELL_LIMIT = 300  # a cell with less text than this is kept on one line
TEXT_LIMIT = 100_000_000  # characters; a small file may repeat one string a million times
CELL_LABEL = 40  # characters of one column's name in a label that names them all
BLOCK = "\n\n"

_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f\u00ad\u200b\ufeff\ufffe\uffff\ud800-\udfff]")
_HAN = re.compile("[\u3400-\u9fff]")
_CHINESE = {
    "Footnote": "脚注",
    "Endnote": "尾注",
    "Comment": "批注",
    "Notes": "备注",
    "Slide": "幻灯片",
}


class Writer:
    """The text and the marks of a document in the making."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self._parts: list[str] = []
        self._length = 0
        self._waiting: list[tuple[Literal["heading", "page"], str, int]] = []

    def write(self, text: str, gap: str = BLOCK) -> None:
        """Add a block after `gap`; nothing for a block without text. Raises LoadError at TEXT_LIMIT."""
        text = clean(text)
        if not text:
            return
        if self._parts:
            self._parts.append(gap)
            self._length += len(gap)
        self.marks += [Mark(self._length, kind, label, level) for kind, label, level in self._waiting]
        self._waiting = []
        self._parts.append(text)
        self._length += len(text)
        if self._length > TEXT_LIMIT:
            raise LoadError(f"more than {TEXT_LIMIT // 1_000_000} million characters of text: not read")

    def heading(self, text: str, level: int) -> None:
        """A block that is a heading of `level`, 1 to 6."""
        if label := label_of(clean(text)):
            self.mark("heading", label, level)
            self.write(text)

    def mark(self, kind: Literal["heading", "page"], label: str, level: int) -> None:
        """Mark the next block written. A page that turns out to be empty leaves no mark."""
        if kind == "page":
            self._waiting = []
        if label := label_of(clean(label)):
            self._waiting.append((kind, label, min(level, 6)))

    def text(self) -> str:
        return "".join(self._parts)


def clean(text: str) -> str:
    """`text` without control characters, soft hyphens and white space around it and at line ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\v", "\n").replace("\u00a0", " ")
    lines = _UNWANTED.sub("", text).split("\n")
    return "\n".join(line.rstrip() for line in lines).strip()


def word(english: str, beside: str) -> str:
    """A word that a loader adds, in Chinese where the text beside it has Chinese characters."""
    return _CHINESE[english] if _HAN.search(beside) else english


def row(cells: Sequence[str]) -> str:
    """A table's row on one line, cells set apart by tabs; "" where all are empty."""
    return "\t".join(" ".join(clean(cell).split()) for cell in cells).rstrip("\t")


def cell_row(cells: Sequence[str]) -> str:
    """As `row`; where a cell is long, the lines of all cells stay."""
    if any(len(cell) > CELL_LIMIT for cell in cells):
        return "\t".join(clean(cell) for cell in cells).rstrip("\t")
    return row(cells)


def columns(cells: Sequence[str]) -> str:
    """The names of a table's columns as a label: each cut so that many have a place in it."""
    names = [" ".join(clean(cell).split()) for cell in cells]
    names = [name for name in names if re.search(r"\w", name)]
    room = max(CELL_LABEL, LABEL_LIMIT // max(len(names), 1) - 3)
    return label_of(" | ".join(name[:room].rstrip() for name in names))


_NUMBER = re.compile(r"[-+(]?[^\w\s]{0,2}\s?\d[\d\s.,:/%e+-]*\)?[^\w\s]{0,2}", re.IGNORECASE)


def is_header(cells: Sequence[str]) -> bool:
    """Whether a table's first row names its columns: two or more cells, all words, no two alike."""
    named = [cell.strip() for cell in cells if re.search(r"\w", cell)]
    if any(cell.endswith((":", "：")) for cell in named):  # a name and its value
        return False
    distinct = len(set(named)) == len(named) >= 2
    return distinct and not any(_NUMBER.fullmatch(cell) and not _year(cell) for cell in named[1:])


def _year(cell: str) -> bool:
    return cell.isdigit() and 1900 <= int(cell) <= 2100 if len(cell) == 4 else False


class Table:
    """Writes the rows of one sheet: a mark over each stretch of rows that begins with a header."""

    def __init__(self, writer: Writer, level: int) -> None:
        self._writer = writer
        self._level = level
        self._gap = BLOCK
        self._seeking = 5  # rows of a stretch that may still be its header

    def add(self, cells: Sequence[str]) -> None:
        """Add a row; an empty one ends the stretch."""
        line = row(cells)
        if not line:
            self._gap, self._seeking = BLOCK, 5
            return
        several = sum(bool(cell.strip()) for cell in cells) > 1
        if self._seeking and several:
            if is_header(cells):
                self._writer.mark("heading", columns(cells), self._level)
                self._gap = BLOCK
            self._seeking = 0
        self._seeking = max(self._seeking - 1, 0)
        self._writer.write(line, self._gap)
        self._gap = "\n"
