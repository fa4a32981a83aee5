"""Small office documents, written for the tests: one of each format, and packages of any content."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" '
    'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" '
    'xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    """A zip file of these parts, the first one not compressed, as a mimetype has to be."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            stored = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            package.writestr(name, content, stored)
    return buffer.getvalue()


def word(body: str, **parts: str) -> bytes:
    """A Word document whose body is this XML; `parts` are footnotes, comments, numbering, styles."""
    kinds = "".join(
        f'<Relationship Id="r{i}" Type="http://x/{kind}" Target="{kind}.xml"/>'
        for i, kind in enumerate(parts)
    )
    return packed(
        {
            "[Content_Types].xml": "<Types/>",
            "word/document.xml": f"<w:document {WORD}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": f"<Relationships>{kinds}</Relationships>",
            **{f"word/{kind}.xml": f"<w:{kind} {WORD}>{xml}</w:{kind}>" for kind, xml in parts.items()},
        }
    )


def opendocument(kind: str, body: str, styles: str = "", **parts: str) -> bytes:
    """An OpenDocument file of a kind (text, presentation, spreadsheet) with this XML as its body."""
    content = (
        f"<office:document-content {ODF}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    mime = f"application/vnd.oasis.opendocument.{kind}"
    return packed({"mimetype": mime, "content.xml": content, **parts})


def book(chapters: Mapping[str, str], contents: Iterable[tuple[str, str]] = (), **parts: str) -> bytes:
    """An EPUB book: chapters by file name in order, and the table of contents as (file, title)."""
    items = "".join(f'<item id="{name}" href="{name}" media-type="text/html"/>' for name in chapters)
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    points = "".join(
        f'<navPoint><navLabel><text>{title}</text></navLabel><content src="{file}"/></navPoint>'
        for file, title in contents
    )
    package = (
        '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>The Book 书</dc:title>'
        f"<dc:date>2020-02-03</dc:date></metadata><manifest>{items}"
        '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/></manifest>'
        f"<spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="in/book.opf"/></rootfiles></container>'
    return packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "in/book.opf": package,
            "in/toc.ncx": f"<ncx><navMap>{points}</navMap></ncx>",
            **{f"in/{name}": markup for name, markup in chapters.items()},
            **parts,
        }
    )


def workbook(
    sheets: Mapping[str, Iterable[Iterable[Any]]], formats: Mapping[str, str] | None = None
) -> bytes:
    """A workbook with these rows; `formats` gives number formats to cells of the first sheet."""
    import openpyxl

    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    for cell, number_format in (formats or {}).items():
        made.worksheets[0][cell].number_format = number_format
    return saved(made)


def saved(document: Any) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _docx() -> bytes:
    import docx

    document = docx.Document()
    document.core_properties.title = "Minutes 会议记录"
    document.add_heading("First 第一", 1)
    document.add_paragraph("The contract was signed. 合同已签署。")
    return saved(document)


def _pptx() -> bytes:
    import pptx

    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "The plan 计划"
    slide.placeholders[1].text = "We begin in March."
    slide.notes_slide.notes_text_frame.text = "别忘了预算。"
    return saved(deck)


@cache
def samples() -> dict[str, bytes]:
    """One file of each format, by the format's name."""
    cells = "".join(
        f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in ("姓名", "City")
    )
    row = f"<table:table-row>{cells}</table:table-row>"
    return {
        "docx": _docx(),
        "pptx": _pptx(),
        "xlsx": workbook({"预算": [["Item", "金额"], ["Rent", 1200], ["水电", 80.5]]}),
        "csv": '姓名,City\n张三,"Paris,\nFrance"\n'.encode(),
        "rtf": rb"{\rtf1\ansi\ansicpg936 A line.\par \'c4\'e3\'ba\'c3}",
        "odt": opendocument("text", '<text:h text:outline-level="1">第一</text:h><text:p>Text.</text:p>'),
        "ods": opendocument("spreadsheet", f'<table:table table:name="表">{row}{row}</table:table>'),
        "odp": opendocument(
            "presentation",
            "<draw:page><draw:frame><draw:text-box><text:p>幻灯片的文字</text:p></draw:text-box></draw:frame>"
            "</draw:page>",
        ),
        "epub": book({"one.html": "<h1>第一章</h1><p>Text.</p>"}, [("one.html", "第一章")]),
    }
