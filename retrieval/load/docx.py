"""Extract the text of a Word document (.docx) in the order in which it is read.

Headings become marks, list items get their numbers or bullets back, table rows become lines with
tabs between cells. Text boxes, footnotes and comments follow the paragraph that they belong to.
Headers, footers, tables of contents, deleted text and what is in pictures are left out, and files
embedded in the document are only counted.

The XML is read directly (ECMA-376 part 1, section 17): text boxes, footnotes and numbers are what
the libraries for this format pass over.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from retrieval.load.package import attribute, embedded, opened, properties, related, relations, xml
from retrieval.load.pdf import sensible
from retrieval.load.source import LoadError, Source, label_of
from retrieval.load.writer import Writer, cell_row, clean, word

_HEADING = re.compile(r"(?:heading|标题|標題|見出し)\s*([1-9])", re.IGNORECASE)
_LEFT_OUT = frozenset({"del", "moveFrom", "instrText", "delText", "rPr", "pPr", "rt", "sectPr", "docPart"})
_BULLETS = "•◦▪"


@dataclass(frozen=True)
class _Style:
    name: str
    based_on: str
    outline: str
    number: tuple[str, str]  # the numbering's id and the level, as written; "" where not given


@dataclass(frozen=True)
class _Level:
    format: str
    pattern: str
    start: int
    style: str


@dataclass(frozen=True)
class _Numbering:
    """A list's levels. Lists made from one `shared` definition go on counting, unless they restart."""

    shared: str
    levels: dict[int, _Level]
    restarts: dict[int, int]  # level to the number it begins anew at


@dataclass
class _Paragraph:
    """The pieces of one paragraph, and what hangs on it."""

    text: list[str] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)  # kind and id


def load_docx(data: bytes, path: Path) -> Source:
    """A Word document as a Source. Raises LoadError for what is locked, damaged or without text.

    The title is the document's own, else its paragraph in the style Title, else its first
    heading, else the file's name without its suffix.
    """
    package = opened(data)
    main = related(package, "", "officeDocument") or "word/document.xml"
    root = xml(package, main)
    body = root.find("body") if root is not None else None
    if body is None:
        raise LoadError("not a Word document: it has no main part")
    reader = _Reader(package, main)
    reader.blocks(body)
    reader.unplaced()
    text = reader.writer.text()
    if not text:
        raise LoadError("no text in this document")
    marks = tuple(reader.writer.marks)
    named, date = properties(package)
    title = sensible(named) or reader.title or (marks[0].label if marks else "") or path.stem
    return Source(text, title, marks, "docx", None, "xml", embedded(package), date)


class _Reader:
    """Walks a document's blocks and writes them."""

    def __init__(self, package: zipfile.ZipFile, main: str) -> None:
        self.writer = Writer()
        self.title = ""
        parts = dict(relations(package, main).values())
        trees = {kind: xml(package, parts[kind]) for kind in _SIDE_PARTS if kind in parts}
        self._styles = _styles(trees.get("styles"))
        self._numbering = _numbering(trees.get("numbering"))
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[str] = set()  # the lists that a number was written of
        self._asides = {
            kind: {attribute(item, "id"): item for item in _children(trees.get(f"{kind}s"))}
            for kind in ("footnote", "endnote", "comment")
        }
        self._numbers = {"footnote": 0, "endnote": 0, "comment": 0}

    def blocks(self, parent: Element) -> None:
        for item in parent:
            if item.tag == "p":
                self._paragraph(item)
            elif item.tag == "tbl":
                self._table(item)
            elif item.tag == "AlternateContent":
                self.blocks(_chosen(item))
            elif item.tag not in _LEFT_OUT and not _is_contents(item):
                self.blocks(item)

    def unplaced(self) -> None:
        """Comments that no place in the text refers to."""
        for identity in list(self._asides["comment"]):
            self._aside("comment", identity)

    def _paragraph(self, item: Element) -> None:
        style = self._style(item)
        names = [one.name for one in style]
        if any(re.match(r"toc\b|目录|目錄", name, re.IGNORECASE) for name in names):
            return
        found = _Paragraph()
        _inline(item, found)
        text = clean("".join(found.text))
        if text:
            text = self._numbered(item, style) + text
            level = _heading_level(item, style)
            if level:
                self.writer.heading(" ".join(text.split()), level)
            else:
                listed = text[:1] in _BULLETS or self._number(item, style) is not None
                self.writer.write(text, "\n" if listed and self._in_list else "\n\n")
            if not self.title and any(name.lower() in ("title", "标题", "標題") for name in names):
                self.title = label_of(text)
        self._in_list = bool(text) and self._number(item, style) is not None
        self._follow(found)

    _in_list = False

    def _follow(self, found: _Paragraph) -> None:
        for box in found.boxes:
            self.blocks(box)
        for kind, identity in found.notes:
            self._aside(kind, identity)

    def _aside(self, kind: str, identity: str) -> None:
        """A footnote, endnote or comment, once, where it is first referred to."""
        item = self._asides[kind].pop(identity, None)
        text = " ".join(_all_text(item).split()) if item is not None else ""
        if not text:
            return
        self._numbers[kind] += 1
        if kind == "comment":
            who = clean(attribute(item, "author"))
            when = attribute(item, "date")[:10]
            by = ", ".join(part for part in (who, when) if part)
            label = word("Comment", text) + (f" ({by})" if by else "")
        else:
            label = f"{word(kind.capitalize(), text)} {self._numbers[kind]}"
        self.writer.write(f"{label}: {text}")

    def _table(self, item: Element) -> None:
        rows = [list(_found(line, "tc")) for line in _found(item, "tr")]
        if all(len(cells) == 1 for cells in rows):  # a frame around text
            for cells in rows:
                self.blocks(cells[0])
            return
        gap = "\n\n"
        for cells in rows:
            found = _Paragraph()
            inner: list[Element] = []
            texts = [self._cell(cell, found, inner) for cell in cells]
            self.writer.write(cell_row(texts), gap)
            gap = "\n"
            for table in inner:
                self._table(table)
                gap = "\n\n"
            self._follow(found)

    def _cell(self, cell: Element, found: _Paragraph, inner: list[Element]) -> str:
        lines = []
        for item in _found(cell, "p", "tbl"):
            if item.tag == "tbl":
                inner.append(item)
                continue
            one = _Paragraph(boxes=found.boxes, notes=found.notes)
            _inline(item, one)
            text = clean("".join(one.text))
            lines.append(self._numbered(item, self._style(item)) + text if text else "")
        return "\n".join(line for line in lines if line)

    def _style(self, item: Element) -> list[_Style]:
        """The paragraph's style and those it is based on, nearest first."""
        chain: list[_Style] = []
        name = attribute(item.find("pPr/pStyle"), "val")
        while name in self._styles and len(chain) < 20:
            chain.append(self._styles[name])
            name = chain[-1].based_on
        return chain

    def _number(self, item: Element, style: list[_Style]) -> tuple[str, int, _Level] | None:
        """The numbering, the level from 0 and its format for a list item; None for other paragraphs."""
        own = _number_of(item.find("pPr"))
        for numbering, level in (own, *(one.number for one in style)):
            if numbering:
                known = self._numbering.get(numbering)
                levels = known.levels if known else {}
                # A style says which numbering, and the numbering says at which level the style is.
                by_style = attribute(item.find("pPr/pStyle"), "val")
                at = next((n for n, one in levels.items() if one.style == by_style and by_style), 0)
                at = int(level) if level.isdigit() else at
                return (numbering, at, levels[at]) if at in levels else None
        return None

    def _numbered(self, item: Element, style: list[_Style]) -> str:
        """The number or bullet before a list item, with a space; "" for other paragraphs."""
        found = self._number(item, style)
        if found is None or found[2].format == "none":
            return ""
        numbering, at, level = found
        if level.format == "bullet":
            return "  " * at + _BULLETS[at % len(_BULLETS)] + " "
        levels, counts = self._numbering[numbering].levels, self._counts_of(numbering)
        for n in range(at):  # a level that was passed over counts as begun
            if n in levels:
                counts.setdefault(n, levels[n].start)
        counts[at] = counts.get(at, level.start - 1) + 1
        for deeper in [n for n in counts if n > at]:
            del counts[deeper]

        def shown(match: re.Match[str]) -> str:
            n = int(match[1]) - 1
            one = levels.get(n, level)
            return numeral(counts.get(n, one.start), one.format)

        label = re.sub(r"%([1-9])", shown, level.pattern).strip()
        return f"{label} " if label else ""

    def _counts_of(self, numbering: str) -> dict[int, int]:
        """How far each level has counted; a list that begins anew is set back when it is first met."""
        one = self._numbering[numbering]
        counts = self._counts.setdefault(one.shared or numbering, {})
        if numbering not in self._begun:
            self._begun.add(numbering)
            counts |= {level: start - 1 for level, start in one.restarts.items()}
        return counts


_SIDE_PARTS = ("styles", "numbering", "footnotes", "endnotes", "comments")


def _children(root: Element | None) -> Iterator[Element]:
    yield from root if root is not None else ()


def _found(parent: Element, *tags: str) -> Iterator[Element]:
    """The nearest descendants with one of `tags`, in order, deleted ones left out."""
    for item in parent:
        if item.tag in tags:
            yield item
        elif item.tag == "AlternateContent":
            yield from _found(_chosen(item), *tags)
        elif item.tag not in _LEFT_OUT:
            yield from _found(item, *tags)


def _chosen(item: Element) -> Element:
    """One of the alternatives, which say the same: the first with text in it."""
    options = list(item)
    return next((one for one in options if _all_text(one).strip()), options[0] if options else item)


def _is_contents(item: Element) -> bool:
    return item.tag == "sdt" and attribute(item.find("sdtPr/docPartObj/docPartGallery"), "val").startswith(
        "Table of Contents"
    )


_CHARACTERS = {"tab": "\t", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}


def _inline(parent: Element, found: _Paragraph) -> None:
    """Gather the text of a paragraph's runs, whatever they are wrapped in."""
    for item in parent:
        tag = item.tag
        if tag == "t":
            found.text.append(item.text or "")
        elif tag in _CHARACTERS:
            found.text.append(_CHARACTERS[tag])
        elif tag == "br":
            found.text.append("" if attribute(item, "type") == "page" else "\n")
        elif tag in ("footnoteReference", "endnoteReference", "commentReference"):
            found.notes.append((tag.removesuffix("Reference"), attribute(item, "id")))
        elif tag == "txbxContent":
            found.boxes.append(item)
        elif tag == "AlternateContent":
            _inline(_chosen(item), found)
        elif tag not in _LEFT_OUT:
            _inline(item, found)


def _all_text(item: Element | None) -> str:
    """All the text below an element, paragraphs on lines of their own."""
    if item is None:
        return ""
    found = _Paragraph()
    lines = []
    for paragraph in _found(item, "p") if item.tag != "p" else (item,):
        _inline(paragraph, found)
        lines.append("".join(found.text))
        lines += [_all_text(box) for box in found.boxes]
        found = _Paragraph()
    if not lines:
        _inline(item, found)
        lines = ["".join(found.text)]
    return "\n".join(lines)


def _styles(root: Element | None) -> dict[str, _Style]:
    return {
        attribute(item, "styleId"): _Style(
            attribute(item.find("name"), "val"),
            attribute(item.find("basedOn"), "val"),
            attribute(item.find("pPr/outlineLvl"), "val"),
            _number_of(item.find("pPr")),
        )
        for item in _children(root)
        if item.tag == "style"
    }


def _number_of(properties_: Element | None) -> tuple[str, str]:
    if properties_ is None:
        return "", ""
    number = attribute(properties_.find("numPr/numId"), "val")
    return number, attribute(properties_.find("numPr/ilvl"), "val")


def _numbering(root: Element | None) -> dict[str, _Numbering]:
    """The lists by their ids."""
    if root is None:
        return {}
    abstract = {attribute(item, "abstractNumId"): item for item in root.findall("abstractNum")}
    found: dict[str, _Numbering] = {}
    for item in root.findall("num"):
        shared = attribute(item.find("abstractNumId"), "val")
        levels = _levels(abstract.get(shared))
        restarts = {}
        for override in item.findall("lvlOverride"):
            levels |= _levels(override)
            at, start = attribute(override, "ilvl"), attribute(override.find("startOverride"), "val")
            if at.isdigit() and start.isdigit():
                restarts[int(at)] = int(start)
        found[attribute(item, "numId")] = _Numbering(shared, levels, restarts)
    return found


def _levels(parent: Element | None) -> dict[int, _Level]:
    levels = {}
    for item in parent.findall("lvl") if parent is not None else ():
        start = attribute(item.find("start"), "val")
        levels[int(attribute(item, "ilvl") or 0)] = _Level(
            attribute(item.find("numFmt"), "val") or "decimal",
            attribute(item.find("lvlText"), "val"),
            int(start) if start.isdigit() else 1,
            attribute(item.find("pStyle"), "val"),
        )
    return levels


def _heading_level(item: Element, style: list[_Style]) -> int:
    """1 to 6 for a heading, 0 for other paragraphs. Level 10 of an outline is body text."""
    for outline in (attribute(item.find("pPr/outlineLvl"), "val"), *(one.outline for one in style)):
        if outline.isdigit():
            return min(int(outline) + 1, 6) if int(outline) < 9 else 0
    for one in style:
        if match := _HEADING.fullmatch(one.name.strip()):
            return min(int(match[1]), 6)
    return 0


_CHINESE_DIGITS = "零一二三四五六七八九"
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


def numeral(value: int, style: str) -> str:
    """A list's number as written in a numbering format of Word; unknown ones are decimal."""
    if style == "decimalZero":
        return f"{value:02d}"
    if style.endswith("Letter") and value > 0:  # after z comes aa, then bb
        letter = chr(ord("a") + (value - 1) % 26) * min((value - 1) // 26 + 1, 20)
        return letter.upper() if style.startswith("upper") else letter
    if style.endswith("Roman") and 0 < value < 4000:
        text = ""
        for size, sign in _ROMAN:
            text += sign * (value // size)
            value %= size
        return text.upper() if style.startswith("upper") else text
    if re.match(r"(chinese|japanese|taiwanese|ideograph)\w*(Counting|Digital)", style) and 0 < value < 100:
        tens, ones = divmod(value, 10)
        before = ("" if tens == 1 else _CHINESE_DIGITS[tens]) + "十" if tens else ""
        return before + (_CHINESE_DIGITS[ones] if ones or not tens else "")
    return str(value)
