"""Load tables in text files (.csv, .tsv): the source text is the file itself.

So spans and lines are the file's. The header row becomes a mark that names the columns over the
whole table. Nothing is rewritten: quotes and separators stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from retrieval.load.source import Mark, Source
from retrieval.load.text import decode
from retrieval.load.writer import columns, is_header

SEPARATORS = ",;\t|"
QUOTED_LIMIT = 20_000  # characters of a quoted cell; a quote that closes later is no quote
_SAMPLE_ROWS = 50
_SAMPLE = 100_000  # characters in which they are looked for

Span = tuple[int, int]


def load_csv(data: bytes, path: Path) -> Source:
    """A table as a Source, titled by the file's name without its suffix. Raises LoadError as `decode`.

    The header is the first row as wide as most rows are, if it has words in it only.
    """
    text, encoding = decode(data)
    return Source(text, path.stem, header_marks(text), "csv", None, encoding)


def header_marks(text: str) -> tuple[Mark, ...]:
    separator = separator_of(text)
    head = [(start, cells(text[start:end], separator)) for start, end in _first(text, separator)]
    if not head or not separator:
        return ()
    usual = Counter(len(found) for _, found in head).most_common(1)[0][0]
    start, names = next((start, found) for start, found in head if len(found) == usual)
    label = columns(names) if is_header(names) else ""
    return (Mark(start, "heading", label, 1),) if label else ()


def separator_of(text: str) -> str:
    """The character that cuts the first rows into the most even number of cells; "" for one column."""

    def evenness(separator: str) -> tuple[float, int]:
        widths = [len(cells(text[a:b], separator)) for a, b in _first(text, separator)]
        usual, count = Counter(widths).most_common(1)[0] if widths else (1, 0)
        return (count / len(widths), usual) if usual > 1 else (0.0, 0)

    best = max(SEPARATORS, key=evenness)
    return best if evenness(best)[0] > 0 else ""


def rows(text: str, separator: str, start: int = 0, stop: int | None = None) -> Iterator[Span]:
    """The spans of the rows with something in them, line ends inside quotes kept within a row."""
    cell = _cell(separator)
    stop = len(text) if stop is None else stop
    while start < stop:
        end = text.find("\n", start, stop)
        end = stop if end < 0 else end
        if text.find('"', start, end) >= 0:
            at = start
            while True:
                found = cell.match(text, at, stop)
                at = found.end() if found else end
                if at >= stop or text[at] != separator:
                    break
                at += 1
            end = at
        if not text[start:end].isspace() and end > start:
            yield start, end
        start = end + 1


def cells(line: str, separator: str) -> list[str]:
    """The cells of one row, quotes taken off."""
    cell = _cell(separator)
    found, at = [], 0
    while True:
        match = cell.match(line, at)
        text = match[0] if match else line[at:]
        at += len(text)
        if len(text) > 1 and text.startswith('"') and text.endswith('"'):
            text = text[1:-1].replace('""', '"')
        found.append(text)
        if at >= len(line):
            return found
        at += 1


def _cell(separator: str) -> re.Pattern[str]:
    stop = re.escape(separator or "\0")
    return re.compile(rf'"(?:[^"]|""){{0,{QUOTED_LIMIT}}}+"(?=[{stop}\n]|\Z)|[^{stop}\n]*')


def _first(text: str, separator: str) -> list[Span]:
    found: list[Span] = []
    for span in rows(text[:_SAMPLE], separator):
        if text[span[0] : span[1]].lower().startswith("sep="):  # what Excel writes for itself
            continue
        found.append(span)
        if len(found) == _SAMPLE_ROWS:
            break
    return found
