"""Extract the text of a book (.epub): its files in reading order, read as HTML.

Titles of the book's table of contents become headings where a chapter has none of that name. The
table of contents itself, pictures and styles are left out; nothing is decrypted. The files are
those of EPUB 2 and 3 (Open Container Format, package document, NCX and navigation document).
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

from retrieval.load.html import load_html
from retrieval.load.package import attribute, day, opened, part, resolved, xml
from retrieval.load.source import LoadError, Mark, Source, label_of
from retrieval.load.writer import BLOCK, TEXT_LIMIT, clean


def load_epub(data: bytes, path: Path) -> Source:
    """A book as a Source. Raises LoadError for what is protected, damaged or without text.

    The title is the book's own, else the file's name without its suffix. Chapters that cannot be
    read are named in the notes.
    """
    package = opened(data)
    container = xml(package, "META-INF/container.xml")
    name = attribute(next(container.iter("rootfile"), None), "full-path") if container is not None else ""
    book = xml(package, name) if name else None
    if book is None:
        raise LoadError("not an EPUB book: it has no package document")
    folder = posixpath.dirname(name)
    items = {item.get("id", ""): item for item in book.iter("item")}
    titles = _contents(package, folder, items)
    protected = _protected(package)
    parts: list[str] = []
    marks: list[Mark] = []
    broken: list[str] = []
    length = 0
    for item in _spine(book, items):
        target = resolved(folder, item.get("href", ""))
        if target in protected:
            raise LoadError("a protected book (DRM): only its own reader can open it")
        chapter = _chapter(package, target, path)
        if chapter is None:
            if _is_missing(package, target):
                broken.append(posixpath.basename(target))
            continue
        inside = _under(chapter.marks, titles.get(target, ""))
        marks += [replace(mark, start=mark.start + length) for mark in inside]
        parts.append(chapter.text)
        length += len(chapter.text) + len(BLOCK)
        if length > TEXT_LIMIT:
            raise LoadError(f"more than {TEXT_LIMIT // 1_000_000} million characters of text: not read")
    if not parts:
        raise LoadError("no text in this book")
    title = label_of(clean(_field(book, "title"))) or path.stem
    notes = tuple(f"{one} could not be read" for one in broken)
    date = day(_field(book, "date"))
    return Source(BLOCK.join(parts), title, tuple(marks), "epub", None, "xml", notes, date)


def _field(book: Element, name: str) -> str:
    return next((item.text or "" for item in book.iter(name)), "")


def _spine(book: Element, items: dict[str, Element]) -> Iterator[Element]:
    """The files to read, each once and in order, without the navigation document."""
    for name in dict.fromkeys(reference.get("idref", "") for reference in book.iter("itemref")):
        item = items.get(name)
        if item is not None and "nav" not in item.get("properties", "").split():
            yield item


def _chapter(package: zipfile.ZipFile, name: str, path: Path) -> Source | None:
    """A chapter as a Source; None where there is no text, as on a page with only a picture."""
    data = part(package, name)
    try:
        return load_html(data, path) if data else None
    except LoadError:
        return None


def _is_missing(package: zipfile.ZipFile, name: str) -> bool:
    return name not in package.namelist()


def _under(marks: tuple[Mark, ...], title: str) -> tuple[Mark, ...]:
    """A chapter's marks, put under its title in the table of contents if they have it not."""
    known = {"".join(mark.label.split()).casefold() for mark in marks}
    if not title or "".join(title.split()).casefold() in known:
        return marks
    deeper = (replace(mark, level=min(mark.level + 1, 6)) for mark in marks)
    return (Mark(0, "heading", title, 1), *deeper)


def _contents(package: zipfile.ZipFile, folder: str, items: dict[str, Element]) -> dict[str, str]:
    """The title of each file in the table of contents, the first where it has several."""
    found: dict[str, str] = {}
    for item in items.values():
        name = resolved(folder, item.get("href", ""))
        base = posixpath.dirname(name)
        try:
            if item.get("media-type") == "application/x-dtbncx+xml":
                entries = _ncx(package, name)
            elif "nav" in item.get("properties", "").split():
                entries = _navigation(package, name)
            else:
                continue
        except LoadError:  # the chapters can be read without it
            continue
        for target, title in entries:
            found.setdefault(resolved(base, target), label_of(clean(title)))
    return found


def _ncx(package: zipfile.ZipFile, name: str) -> list[tuple[str, str]]:
    root = xml(package, name)
    points = root.iter("navPoint") if root is not None else ()
    return [(attribute(one.find("content"), "src"), one.findtext("navLabel/text") or "") for one in points]


def _navigation(package: zipfile.ZipFile, name: str) -> list[tuple[str, str]]:
    root = xml(package, name)
    if root is None:
        return []
    navs = [nav for nav in root.iter("nav") if attribute(nav, "type") == "toc"] or list(root.iter("nav"))[:1]
    return [(a.get("href", ""), "".join(a.itertext())) for nav in navs for a in nav.iter("a")]


def _protected(package: zipfile.ZipFile) -> set[str]:
    """The files that are encrypted; fonts often are, and do not matter here."""
    root = xml(package, "META-INF/encryption.xml")
    if root is None:
        return set()
    return {resolved("", attribute(item, "URI")) for item in root.iter("CipherReference")}
