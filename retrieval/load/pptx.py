"""Extract the text of a presentation (.pptx): slide by slide, each with its speaker notes.

Every slide is a page and has a heading, its title. Shapes come in the order of the slide's own
list, which is the order in which a screen reader reads them. Masters, footers, slide numbers and
what is in pictures are left out; charts, embedded files and comments are only counted.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from retrieval.load.package import attribute, embedded, opened, properties, related, relations, xml
from retrieval.load.pdf import sensible
from retrieval.load.source import LoadError, Source, label_of
from retrieval.load.writer import Writer, clean, row, word

_FURNITURE = frozenset({"dt", "ftr", "sldNum", "hdr", "sldImg"})
_TITLES = frozenset({"title", "ctrTitle"})


def load_pptx(data: bytes, path: Path) -> Source:
    """A presentation as a Source. Raises LoadError for what is locked, damaged or without text.

    The title is the file's own, else that of the first slide that has one, else the file's name
    without its suffix. Hidden slides are read too.
    """
    package = opened(data)
    main = related(package, "", "officeDocument") or "ppt/presentation.xml"
    root = xml(package, main)
    if root is None:
        raise LoadError("not a presentation: it has no main part")
    targets = relations(package, main)
    named = [attribute(item, "id", "relationships") for item in root.iter("sldId")]
    writer, first = Writer(), ""
    slides = dict.fromkeys(targets.get(identity, ("", ""))[1] for identity in named)
    for number, slide in enumerate(slides, 1):
        tree = xml(package, slide)
        if tree is not None:
            title = _slide(writer, package, slide, tree, number)
            first = first or title
    text = writer.text()
    if not text:
        raise LoadError("no text in this presentation")
    named_title, date = properties(package)
    title = sensible(named_title) or first or path.stem
    notes = (*_left_out(package), *embedded(package))
    return Source(text, title, tuple(writer.marks), "pptx", None, "xml", notes, date)


def _slide(writer: Writer, package: zipfile.ZipFile, name: str, tree: Element, number: int) -> str:
    """Write a slide; its title, or "" where it has none."""
    shapes = list(_shapes(tree.find("cSld/spTree")))
    titled = next((shape for shape in shapes if _place(shape) in _TITLES and _paragraphs(shape)), None)
    title = label_of(" ".join(_paragraphs(titled))) if titled is not None else ""
    blocks = [] if titled is None else [title]
    blocks += [text for shape in shapes if shape is not titled for text in _blocks(package, name, shape)]
    notes = _notes(package, name)
    writer.mark("page", str(number), 0)
    everything = "\n".join([*blocks, notes])
    writer.mark("heading", title or f"{word('Slide', everything)} {number}", 1)
    for block in blocks:
        writer.write(block)
    if notes:
        writer.write(f"{word('Notes', notes)}: {notes}")
    return title


def _shapes(tree: Element | None) -> Iterator[Element]:
    """The shapes and frames of a slide, groups opened, in reading order."""
    for item in tree if tree is not None else ():
        if item.tag in ("sp", "graphicFrame", "cxnSp"):
            if _place(item) not in _FURNITURE:
                yield item
        elif item.tag == "grpSp":
            yield from _shapes(item)
        elif item.tag == "AlternateContent":
            options = [list(_shapes(one)) for one in item]
            # The alternatives say the same; the first that can be read is as good as any.
            yield from next((one for one in options if one), [])


def _place(shape: Element) -> str:
    """What a shape is for: "title", "body", "ftr"; "" for a shape of its own."""
    holder = shape.find("nvSpPr/nvPr/ph")
    return "" if holder is None else attribute(holder, "type") or "body"


def _blocks(package: zipfile.ZipFile, slide: str, shape: Element) -> Iterator[str]:
    table = next(shape.iter("tbl"), None)
    if table is not None:
        rows = [[" ".join(_paragraphs(cell)) for cell in line.findall("tc")] for line in table.iter("tr")]
        lines = [row(cells) for cells in rows]
        yield "\n".join(line for line in lines if line)
    elif diagram := next(shape.iter("relIds"), None):
        data = relations(package, slide).get(attribute(diagram, "dm"), ("", ""))[1]
        tree = xml(package, data)
        if tree is not None:
            yield "\n".join(text for point in tree.iter("pt") if (text := " ".join(_paragraphs(point))))
    else:
        yield "\n".join(_paragraphs(shape))


def _paragraphs(shape: Element) -> list[str]:
    """The paragraphs with text in a shape, lines broken by hand kept."""
    found = []
    for paragraph in shape.iter("p"):
        pieces = []
        for item in paragraph.iter():
            if item.tag == "t":
                pieces.append(item.text or "")
            elif item.tag == "br":
                pieces.append("\n")
        found.append(clean("".join(pieces)))
    return [text for text in found if text]


def _notes(package: zipfile.ZipFile, slide: str) -> str:
    name = related(package, slide, "notesSlide")
    tree = xml(package, name) if name else None
    if tree is None:
        return ""
    shapes = _shapes(tree.find("cSld/spTree"))
    return "\n".join(text for shape in shapes for text in _paragraphs(shape))


def _left_out(package: zipfile.ZipFile) -> tuple[str, ...]:
    names = [name.rpartition("/") for name in package.namelist()]
    charts = sum(folder.endswith("/charts") and name.startswith("chart") for folder, _, name in names)
    comments = any("/comments" in f"/{folder}/{name}" for folder, _, name in names)
    notes = [f"{charts} chart{'s are' if charts > 1 else ' is'} left out"] if charts else []
    return (*notes, *(["comments are left out"] if comments else []))
