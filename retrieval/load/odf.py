"""Extract the text of OpenDocument files: text (.odt), presentations (.odp), spreadsheets (.ods).

Headings, slides and sheets become marks, list items get their numbers or bullets back, table rows
become lines with tabs between cells. Footnotes and comments follow their paragraph. Headers,
footers, tables of contents, deleted text and embedded objects are left out; the last are counted.
The elements are those of OpenDocument 1.3, part 3.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from retrieval.load.docx import numeral
from retrieval.load.package import LOCKED, attribute, day, opened, part, xml
from retrieval.load.pdf import sensible
from retrieval.load.source import LoadError, Source, label_of
from retrieval.load.writer import Table, Writer, cell_row, clean, word

REPEAT_LIMIT = 1000  # times that a cell with something in it is repeated in its row
LONG_CELL = 200  # characters from which it is not repeated at all
COLUMNS_LIMIT = 16_384  # columns that a sheet can have

_LEFT_OUT = frozenset(
    """
    tracked-changes table-of-content table-of-content-source alphabetical-index bibliography-source forms desc
    title ruby-text object object-ole image sequence-decls named-expressions dde-links scripts note-citation
    date-time header-footer-decl
    """.split()
)
_FORMATS = {"1": "decimal", "a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
_BULLETS = "•◦▪"


@dataclass
class _Paragraph:
    """The pieces of one paragraph, and what hangs on it."""

    text: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    asides: list[Element] = field(default_factory=list)


def load_odf(data: bytes, path: Path) -> Source:
    """An OpenDocument file as a Source. Raises LoadError for what is locked, damaged or without text.

    The title is the document's own, else its paragraph in the style Title, else its first
    heading (not for a spreadsheet), else the file's name without its suffix.
    """
    package = opened(data)
    if b"encryption-data" in (part(package, "META-INF/manifest.xml") or b""):
        raise LoadError(LOCKED)
    root = xml(package, "content.xml")
    body = root.find("body") if root is not None else None
    if root is None or body is None or not len(body):
        raise LoadError("not an OpenDocument file: it has no content")
    reader = _Reader(root, xml(package, "styles.xml"))
    kind = body[0].tag
    reader.document(body[0])
    text = reader.writer.text()
    if not text:
        raise LoadError("no text in this document")
    marks = tuple(reader.writer.marks)
    named, date = _properties(package)
    heading = next((m.label for m in marks if m.kind == "heading" and kind != "spreadsheet"), "")
    title = sensible(named) or reader.title or heading or path.stem
    suffix = {"presentation": "odp", "spreadsheet": "ods"}.get(kind, "odt")
    return Source(text, title, marks, suffix, None, "xml", _left_out(root), date)


def _properties(package: zipfile.ZipFile) -> tuple[str, str]:
    try:
        root = xml(package, "meta.xml")
    except LoadError:  # a document without its properties is still one
        return "", ""
    fields = {item.tag: item.text or "" for item in (root.iter() if root is not None else ())}
    return fields.get("title", ""), day(fields.get("creation-date", ""))


def _left_out(root: Element) -> tuple[str, ...]:
    count = sum(item.tag in ("object", "object-ole") for item in root.iter())
    return (f"{count} embedded object{'s are' if count > 1 else ' is'} left out",) if count else ()


class _Reader:
    """Walks a document's blocks and writes them."""

    def __init__(self, root: Element, styles: Element | None) -> None:
        self.writer = Writer()
        self.title = ""
        self._lists: dict[str, dict[int, Element]] = {}
        self._parents: dict[str, str] = {}
        for tree in (styles, root):
            for item in tree.iter() if tree is not None else ():
                if item.tag == "list-style":
                    levels = {int(attribute(one, "level") or 1): one for one in item}
                    self._lists[attribute(item, "name")] = levels
                elif item.tag == "style":
                    self._parents[attribute(item, "name")] = attribute(item, "parent-style-name")
        self._count = 0
        self._counts: dict[str, list[int]] = {}

    def document(self, body: Element) -> None:
        slides = 0
        for item in body:
            if item.tag == "page":
                slides += 1
                self._slide(item, slides)
            elif item.tag == "table" and body.tag == "spreadsheet":
                self._sheet(item)
            else:
                self._block(item)

    def _blocks(self, parent: Element) -> None:
        for item in parent:
            self._block(item)

    def _block(self, item: Element) -> None:
        if item.tag in ("p", "h"):
            self._paragraph(item)
        elif item.tag == "list":
            self._list(item, 1, attribute(item, "style-name"))
        elif item.tag == "table":
            self._table(item)
        elif item.tag not in _LEFT_OUT:
            self._blocks(item)

    def _paragraph(self, item: Element, label: str = "", gap: str = "\n\n") -> bool:
        """Write a paragraph; whether there was text in it."""
        found = _Paragraph()
        _inline(item, found)
        text = clean("".join(found.text))
        if text and item.tag == "h":
            level = attribute(item, "outline-level")
            self.writer.heading(label + " ".join(text.split()), int(level) if level.isdigit() else 1)
        elif text:
            self.writer.write(label + text, gap)
            if not self.title and self._is_title(attribute(item, "style-name")):
                self.title = label_of(text)
        self._follow(found)
        return bool(text)

    def _is_title(self, style: str) -> bool:
        return "Title" in (style, self._parents.get(style))

    def _follow(self, found: _Paragraph) -> None:
        for box in found.boxes:
            self._blocks(box)
        for item in found.asides:
            body = item.find("note-body") if item.tag == "note" else item
            text = " ".join(" ".join(_lines(body)).split()) if body is not None else ""
            if not text:
                continue
            if item.tag == "note":
                self._count += 1
                kind = "Endnote" if attribute(item, "note-class") == "endnote" else "Footnote"
                label = f"{word(kind, text)} {self._count}"
            else:
                by = [item.findtext("creator") or "", (item.findtext("date") or "")[:10]]
                who = ", ".join(one.strip() for one in by if one.strip())
                label = word("Comment", text) + (f" ({who})" if who else "")
            self.writer.write(f"{label}: {text}")

    def _list(self, item: Element, level: int, style: str) -> None:
        counts = self._counts.setdefault(style, [])
        goes_on = attribute(item, "continue-numbering") == "true" or attribute(item, "continue-list")
        if level == 1 and not goes_on:
            counts.clear()
        gap = "\n\n" if level == 1 else "\n"
        for entry in item:
            if entry.tag not in ("list-item", "list-header"):
                continue
            label = "" if entry.tag == "list-header" else self._label(style, level, entry)
            for block in entry:
                if block.tag == "list":
                    self._list(block, level + 1, attribute(block, "style-name") or style)
                elif block.tag in ("p", "h"):
                    if self._paragraph(block, label, gap):
                        label, gap = "", "\n"
                else:
                    self._block(block)
        del counts[level:]

    def _label(self, style: str, level: int, entry: Element) -> str:
        """The number or bullet before a list item, with a space."""
        definition = self._lists.get(style, {}).get(level)
        if definition is None or not definition.tag.endswith("-number"):
            return "  " * (level - 1) + _BULLETS[(level - 1) % len(_BULLETS)] + " "
        counts = self._counts.setdefault(style, [])
        start = attribute(definition, "start-value")
        while len(counts) < level:
            counts.append((int(start) if start.isdigit() else 1) - 1)
        own = attribute(entry, "start-value")
        counts[level - 1] = int(own) if own.isdigit() else counts[level - 1] + 1
        shape = attribute(definition, "num-format")
        if not shape:
            return ""
        levels = attribute(definition, "display-levels")
        shown = counts[level - (min(int(levels), level) if levels.isdigit() else 1) : level]
        named = "chineseCounting" if shape.startswith("一") else _FORMATS.get(shape, "decimal")
        number = ".".join(numeral(n, named) for n in shown)
        return (
            f"{attribute(definition, 'num-prefix')}{number}{attribute(definition, 'num-suffix')}".strip()
            + " "
        )

    def _table(self, item: Element) -> None:
        rows = [[cell for cell, _ in _cells(line)] for line in _rows(item)]
        if all(len(cells) == 1 for cells in rows):  # a frame around text
            for cells in rows:
                self._blocks(cells[0])
            return
        gap = "\n\n"
        for cells in rows:
            found = _Paragraph()
            inner: list[Element] = []
            texts = ["\n".join(_lines(cell, found, inner)) for cell in cells]
            self.writer.write(cell_row(texts), gap)
            gap = "\n"
            for table in inner:
                self._table(table)
                gap = "\n\n"
            self._follow(found)

    def _sheet(self, item: Element) -> None:
        self.writer.mark("heading", attribute(item, "name"), 1)
        table = Table(self.writer, 2)
        for line in _rows(item):
            values: list[str] = []
            for cell, times in _cells(line):
                shown = _shown(cell)
                # A repeated cell can make much of little: what is there is kept, in a row that ends.
                limit = REPEAT_LIMIT if len(shown) < LONG_CELL else 1
                values += [shown] * min(times, limit if shown else COLUMNS_LIMIT)
                if len(values) > COLUMNS_LIMIT:
                    break
            while values and not values[-1]:
                values.pop()
            table.add(values)

    def _slide(self, item: Element, number: int) -> None:
        shapes = [one for one in item if one.tag != "notes"]
        titled = next((one for one in shapes if attribute(one, "class", "presentation:1.0") == "title"), None)
        title = label_of(" ".join(_lines(titled))) if titled is not None else ""
        notes = "\n".join(text for one in item.iter("notes") for text in _lines(one))
        texts = [text for one in shapes for text in _lines(one)]
        self.writer.mark("page", str(number), 0)
        self.writer.mark("heading", title or f"{word('Slide', ' '.join(texts))} {number}", 1)
        if title:
            self.writer.write(title)
        for shape in shapes:
            if shape is not titled:
                self._block(shape)
        if notes:
            self.writer.write(f"{word('Notes', notes)}: {notes}")


def _rows(table: Element) -> Iterator[Element]:
    for item in table:
        if item.tag == "table-row":
            yield item
        elif item.tag in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(item)


def _cells(line: Element) -> Iterator[tuple[Element, int]]:
    """The cells of a row and how often each is repeated; covered ones are empty."""
    for item in line:
        if item.tag in ("table-cell", "covered-table-cell"):
            times = attribute(item, "number-columns-repeated")
            yield item, int(times) if times.isdigit() else 1


def _shown(cell: Element) -> str:
    """A cell's value as shown, but dates in ISO 8601."""
    kind = attribute(cell, "value-type", "office:1.0")
    if kind == "date":
        return attribute(cell, "date-value").replace("T00:00:00", "").replace("T", " ")
    text = " ".join(_lines(cell))
    return re.sub(r"(?<=\d)%$", " %", text) if kind == "percentage" else text


def _lines(parent: Element, found: _Paragraph | None = None, inner: list[Element] | None = None) -> list[str]:
    """The paragraphs with text below an element; tables into `inner`, what hangs on them into `found`."""
    lines = []
    for item in parent:
        if item.tag in ("p", "h"):
            one = _Paragraph()
            _inline(item, one)
            lines.append(clean("".join(one.text)))
            if found is not None:
                found.boxes += one.boxes
                found.asides += one.asides
            else:
                lines += [text for box in one.boxes for text in _lines(box)]
        elif item.tag == "table" and inner is not None:
            inner.append(item)
        elif item.tag in ("annotation", "note"):
            if found is not None:
                found.asides.append(item)
        elif item.tag not in _LEFT_OUT:
            lines += _lines(item, found, inner)
    return [line for line in lines if line]


def _inline(parent: Element, found: _Paragraph) -> None:
    """Gather the text of a paragraph, in which white space is as in HTML (part 3, section 6.1.2)."""
    _add(found, parent.text)
    for item in parent:
        if item.tag == "s":
            times = attribute(item, "c")
            found.text.append(" " * min(int(times) if times.isdigit() else 1, 100))
        elif item.tag == "tab":
            found.text.append("\t")
        elif item.tag == "line-break":
            found.text.append("\n")
        elif item.tag in ("note", "annotation"):
            found.asides.append(item)
        elif item.tag == "text-box":
            found.boxes.append(item)
        elif item.tag not in _LEFT_OUT:
            _inline(item, found)
        _add(found, item.tail)


def _add(found: _Paragraph, text: str | None) -> None:
    if text:
        found.text.append(re.sub(r"[ \t\r\n]+", " ", text))
