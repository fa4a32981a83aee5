"""Word, PowerPoint, Excel, OpenDocument, RTF, EPUB and CSV: their text, marks and order, and broken files."""

from __future__ import annotations

import datetime as dt
import io
import os
import random
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docx
import pptx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pptx.util import Inches

from retrieval.library import Library
from retrieval.load import LOADERS, LoadError, Source, line_of, load, place, sniff, unsupported
from retrieval.load import package as packages
from retrieval.load.csv import cells, load_csv, rows, separator_of
from retrieval.load.docx import numeral
from retrieval.load.pdf import load_pdf
from retrieval.load.rtf import load_rtf
from retrieval.load.writer import columns, is_header
from retrieval.load.xlsx import shown
from retrieval.split import sentences, split
from tests.load_files import make_pdf
from tests.office_files import book, opendocument, packed, samples, saved, word, workbook

SAMPLES = samples()
PACKAGES = sorted(set(SAMPLES) - {"csv", "rtf"})


def read(data: bytes, suffix: str) -> Source:
    return LOADERS[suffix](data, Path(f"报告{suffix}"))


def refused(data: bytes, suffix: str) -> str:
    with pytest.raises(LoadError) as caught:
        read(data, suffix)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


# Word


def test_word_headings_lists_and_tables() -> None:
    document = docx.Document()
    document.core_properties.title = "年度报告"
    document.core_properties.created = dt.datetime(2024, 5, 6)
    document.add_heading("Budget 预算", 1)
    document.add_paragraph("Rent is 1,200 euros.")
    document.add_paragraph("first", style="List Number")
    document.add_paragraph("第二", style="List Number")
    document.add_paragraph("point", style="List Bullet")
    document.add_heading("Costs", 2)
    table = document.add_table(2, 2)
    for cell, text in zip(table._cells, ["Item", "金额", "Rent\nand heating", "1200"], strict=True):
        cell.text = text
    table.cell(1, 1).add_table(1, 2).cell(0, 0).text = "inner"
    document.sections[0].header.paragraphs[0].text = "on every page"
    source = read(saved(document), ".docx")
    assert (source.title, source.date, source.format) == ("年度报告", "2024-05-06", "docx")
    assert source.text == (
        "Budget 预算\n\nRent is 1,200 euros.\n\n1. first\n2. 第二\n• point\n\n"
        "Costs\n\nItem\t金额\nRent and heating\t1200\n\ninner"
    )
    assert place(source.marks, source.text.index("inner")) == ("Budget 预算 > Costs", None)
    assert line_of(source, 5) is None


def test_word_notes_comments_and_boxes() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("The fee is due. ")
    document.add_comment(paragraph.runs, text="Really?", author="李工", initials="L")
    source = read(saved(document), ".docx")
    assert source.text.startswith("The fee is due.\n\nComment (李工, 2")
    body = (
        '<w:p><w:r><w:t>一个事实</w:t><w:footnoteReference w:id="2"/></w:r><w:r><w:t>。</w:t></w:r></w:p>'
        "<w:p><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>in a box</w:t></w:r></w:p></w:txbxContent></w:pict>"
        "<w:t>beside it</w:t></w:r></w:p>"
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>kept</w:t></w:r></w:ins>"
        "<w:r><w:instrText> PAGE </w:instrText><w:t>&#173;word</w:t><w:tab/><w:t>x</w:t></w:r></w:p>"
    )
    notes = (
        '<w:footnote w:id="0" w:type="separator"/><w:footnote w:id="2"><w:p><w:r><w:t>出处</w:t></w:r></w:p>'
        "</w:footnote>"
    )
    text = read(word(body, footnotes=notes), ".docx").text
    assert text == "一个事实。\n\n脚注 1: 出处\n\nbeside it\n\nin a box\n\nkeptword\tx"


def test_word_alternatives_are_read_once() -> None:
    said = "<w:txbxContent><w:p><w:r><w:t>once</w:t></w:r></w:p></w:txbxContent>"
    body = (
        '<w:p><w:r><mc:AlternateContent xmlns:mc="m"><mc:Choice>'
        f"{said}</mc:Choice><mc:Fallback>{said}</mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    assert read(word(body), ".docx").text == "once"


def test_word_numbers() -> None:
    level = '<w:lvl w:ilvl="{0}"><w:start w:val="1"/><w:numFmt w:val="{1}"/><w:lvlText w:val="{2}"/></w:lvl>'
    levels = level.format(0, "chineseCounting", "%1、") + level.format(1, "decimal", "%1.%2)")
    numbering = (
        f'<w:abstractNum w:abstractNumId="0">{levels}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0">'
        '<w:startOverride w:val="4"/></w:lvlOverride></w:num>'
    )
    item = '<w:p><w:pPr><w:numPr><w:ilvl w:val="{}"/><w:numId w:val="{}"/></w:numPr></w:pPr><w:r><w:t>x</w:t></w:r></w:p>'
    body = "".join(item.format(*one) for one in [(0, 1), (1, 1), (1, 1), (0, 1), (0, 2)])
    assert read(word(body, numbering=numbering), ".docx").text == "一、 x\n一.1) x\n一.2) x\n二、 x\n四、 x"


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        *((4, "upperRoman", "IV"), (28, "lowerLetter", "bb"), (21, "chineseCounting", "二十一")),
        *((7, "decimalZero", "07"), (10, "ideographDigital", "十"), (5, "bullet?", "5")),
        *((0, "lowerRoman", "0"), (1999, "lowerRoman", "mcmxcix")),
    ],
)
def test_numerals(value: int, style: str, text: str) -> None:
    assert numeral(value, style) == text


# PowerPoint


def test_slides() -> None:
    deck = pptx.Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "The plan 计划"
    first.placeholders[1].text = "We begin in March.\n三月开始。"
    first.notes_slide.notes_text_frame.text = "Speak slowly."
    deck.slides.add_slide(deck.slide_layouts[6])  # nothing on it
    third = deck.slides.add_slide(deck.slide_layouts[6])
    table = third.shapes.add_table(2, 2, *[Inches(1)] * 4).table
    for number, text in enumerate(["Item", "Cost", "Rent", "1200"]):
        table.cell(number // 2, number % 2).text = text
    group = third.shapes.add_group_shape()
    group.shapes.add_textbox(*[Inches(1)] * 4).text_frame.text = "in a group"
    source = read(saved(deck), ".pptx")
    assert source.title == "The plan 计划"
    assert source.text == (
        "The plan 计划\n\nWe begin in March.\n三月开始。\n\nNotes: Speak slowly.\n\nItem\tCost\nRent\t1200\n\nin a group"
    )
    assert place(source.marks, source.text.index("slowly")) == ("The plan 计划", 1)
    assert place(source.marks, source.text.index("group")) == ("Slide 3", 3)
    assert line_of(source, 0) is None


# Excel and other tables


def test_sheets() -> None:
    rows_ = [
        ["姓名", "Joined", "Share"],
        ["张三", dt.date(2024, 1, 31), 0.125],
        ["Ann\nLee", None, 0.1 + 0.2],
    ]
    data = workbook({"People": rows_, "空": [], "Two": [["x", 1]]}, {"C2": "0.0%"})
    source = read(data, ".xlsx")
    assert source.text == "姓名\tJoined\tShare\n张三\t2024-01-31\t12.5 %\nAnn Lee\t\t0.3\n\nx\t1"
    assert place(source.marks, source.text.index("Ann"))[0] == "People > 姓名 | Joined | Share"
    assert place(source.marks, len(source.text) - 1)[0] == "Two"
    assert source.title == "报告"


def test_every_chunk_of_a_long_sheet_has_its_header_and_whole_rows() -> None:
    body = [[f"Person number {n}", n, f"{n} Long Street, 城市"] for n in range(300)]
    source = read(workbook({"People": [["Name", "Age", "Address"], *body]}), ".xlsx")
    chunks = split(source)
    assert len(chunks) > 5 and {chunk.heading for chunk in chunks} == {"People > Name | Age | Address"}
    lines = {line for chunk in chunks for line in source.text[chunk.start : chunk.end].split("\n")}
    assert lines == set(source.text.split("\n"))
    first = source.text[chunks[1].start : chunks[1].end]
    assert [first[a:b] for a, b in sentences(first)] == first.split("\n")


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        *(
            (0.1 + 0.2, "General", "0.3"),
            (3.0, "General", "3"),
            (1e20, "General", "1e+20"),
            (True, "General", "TRUE"),
        ),
        *((1234.5, "#,##0.00", "1,234.50"), (-1234.5, "#,##0;(#,##0)", "(1,235)"), (0.126, "0%", "13 %")),
        *((1234.5, "[$€-407] #,##0.0", "€ 1,234.5"), (2.5, '0.0" kg"', "2.5 kg"), (2.5, '"¥"0.##', "¥2.5")),
        *((2.675, "0.00", "2.68"), (7, "000", "007"), (12345, "0.00E+00", "1.23E+04"), (2.5, "# ?/?", "2.5")),
        *((1_500_000, "0.0,,", "1.5"), (5, ";;;", "5"), (float("nan"), "0", "nan"), (-0.5, "0.0", "-0.5")),
        (dt.datetime(2024, 3, 1, 9, 5), "yyyy-mm-dd hh:mm", "2024-03-01 09:05"),
        (dt.datetime(2024, 3, 1, 9, 5), "m/d/yy", "2024-03-01"),
        (dt.datetime(2024, 3, 1, 9, 5), "h:mm AM/PM", "09:05"),
        *((dt.time(9, 5, 7), "h:mm", "09:05:07"), (dt.timedelta(hours=30), "[h]:mm", "30:00:00")),
    ],
)
def test_cells_as_shown(value: object, number_format: str, text: str) -> None:
    assert shown(value, number_format) == text


@given(
    st.floats(-1e300, 1e300),
    st.sampled_from(["0", "0.00", "#,##0.0", "General", "0.0%"]),
)
def test_any_number_is_shown(value: float, number_format: str) -> None:
    text = shown(value, number_format).replace(",", "").removesuffix(" %")
    size = value * 100 if "%" in number_format else value
    assert abs(float(text) - size) <= max(0.5001, abs(size) * 1e-12)


@given(st.integers(-(10**12), 10**12))
def test_whole_numbers_keep_their_digits(value: int) -> None:
    assert shown(value, "General") == shown(float(value), "0") == str(value)


def test_csv() -> None:
    data = '姓名;City\n张三;"Paris;\nFrance"\n李四;"a ""b"""\n'.encode("gb18030")
    source = load_csv(data, Path("people.csv"))
    assert source.title == "people" and source.encoding == "gb18030"
    assert source.text == data.decode("gb18030")
    assert [mark.label for mark in source.marks] == ["姓名 | City"]
    found = [source.text[a:b] for a, b in rows(source.text, ";")]
    assert found == ["姓名;City", '张三;"Paris;\nFrance"', '李四;"a ""b"""']
    assert cells(found[1], ";") == ["张三", "Paris;\nFrance"] and cells(found[2], ";") == ["李四", 'a "b"']
    assert line_of(source, source.text.index("李四")) == 4
    assert load_csv(b"1,2\n3,4\n", Path("x.csv")).marks == ()
    assert load_csv(b"A report\n\nName,Age\nAnn,3\nBob,4\n", Path("x.csv")).marks[0].start == 10
    assert load_csv(b"sep=;\nName;Age\nAnn;3\n", Path("x.csv")).marks[0].label == "Name | Age"


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n1,2", ","),
        ("a;b\n1,5;2", ";"),
        ("a\tb\n1, 2\t3", "\t"),
        ("a|b\n1|2", "|"),
        ("one\ntwo", ""),
        ("", ""),
    ],
)
def test_separators(text: str, separator: str) -> None:
    assert separator_of(text) == separator


@given(st.text(alphabet='ab",\n中; \t'))
def test_rows_cover_the_text_and_do_not_overlap(text: str) -> None:
    spans = list(rows(text, ","))
    assert all(a < b for a, b in spans)
    assert all(first[1] < second[0] for first, second in pairwise(spans))
    covered = "".join(text[a:b] for a, b in spans)
    assert "".join(covered.split()) == "".join(text.split())


@given(st.lists(st.lists(st.text(alphabet='ab",\n中;', max_size=5), min_size=2, max_size=2), min_size=1))
def test_rows_are_those_of_the_csv_module(table: list[list[str]]) -> None:
    import csv

    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(table)
    text = buffer.getvalue()
    assert [cells(text[a:b], ",") for a, b in rows(text, ",")] == table


def test_rows_are_not_joined_into_sentences() -> None:
    table = "".join(f"Airline {n},32090673{n},2,0,0,{n},0,0\n" for n in range(9))
    assert len(sentences(table)) == 9
    assert len(split(load_csv(("name,a,b,c,d,e,f,g\n" + table * 30).encode(), Path("x.csv")))) > 5


def test_headers() -> None:
    assert is_header(["姓名", "City"]) and is_header(["Region", "2023", "2024"])
    assert not is_header(["Ann", "3"]) and not is_header(["Total"]) and not is_header(["a", "a"])
    assert not is_header(["Name:", "Ann"]) and not is_header(["x", "12.5 %"])
    assert columns(["Name", "", "a" * 90]) == "Name | " + "a" * 90
    assert columns(["x" * 90] * 4).count("|") == 3


# OpenDocument


def test_opendocument_text() -> None:
    styles = (
        '<text:list-style style:name="L"><text:list-level-style-number text:level="1" style:num-suffix="." '
        'style:num-format="1"/><text:list-level-style-bullet text:level="2"/></text:list-style>'
    )
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        '<text:h text:outline-level="2">Scope 范围</text:h>'
        "<text:p>One<text:s text:c='2'/>two<text:line-break/>three<text:note text:note-class='footnote'>"
        "<text:note-citation>1</text:note-citation><text:note-body><text:p>出处</text:p></text:note-body></text:note>"
        "<office:annotation><dc:creator>Ann</dc:creator><dc:date>2024-01-02T03:04</dc:date><text:p>why?</text:p>"
        "</office:annotation></text:p>"
        '<text:list text:style-name="L"><text:list-item><text:p>a</text:p><text:list><text:list-item>'
        "<text:p>deep</text:p></text:list-item></text:list></text:list-item><text:list-item><text:p>b</text:p>"
        "</text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell><table:table-cell>"
        "<text:p>y</text:p></table:table-cell></table:table-row></table:table>"
        "<text:p><draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame></text:p>"
    )
    meta = '<m xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>名</dc:title><creation-date>2020-01-02T</creation-date></m>'
    source = read(opendocument("text", body, styles, **{"meta.xml": meta}), ".odt")
    assert (source.title, source.date) == ("名", "2020-01-02")
    assert source.text == (
        "Scope 范围\n\nOne  two\nthree\n\n脚注 1: 出处\n\nComment (Ann, 2024-01-02): why?\n\n1. a\n  ◦ deep\n2. b\n\nx\ty\n\nboxed"
    ).replace("\n  ◦", "\n◦")
    assert [mark.level for mark in source.marks] == [2]


def test_opendocument_sheets_and_slides() -> None:
    cell = "<table:table-cell office:value-type='{}' {}><text:p>{}</text:p></table:table-cell>"
    line = cell.format("string", "", "张三") + cell.format(
        "date", "office:date-value='2024-01-31'", "31/01/24"
    )
    line += (
        cell.format("percentage", "", "12.5%") + '<table:table-cell table:number-columns-repeated="16000"/>'
    )
    head = "".join(cell.format("string", "", name) for name in ("Name", "Joined", "Share"))
    body = (
        f"<table:table table:name='表'><table:table-row>{head}</table:table-row><table:table-row>{line}</table:table-row>"
        '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row></table:table>'
    )
    source = read(opendocument("spreadsheet", body), ".ods")
    assert source.text == "Name\tJoined\tShare\n张三\t2024-01-31\t12.5 %"
    assert place(source.marks, len(source.text) - 1)[0] == "表 > Name | Joined | Share"
    frame = "<draw:frame {}><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>"
    plan, notes = frame.format("presentation:class='title'", "Plan"), frame.format("", "慢慢说")
    slide = f"<draw:page>{frame.format('', 'Body')}{plan}<presentation:notes>{notes}</presentation:notes></draw:page>"
    source = read(opendocument("presentation", slide), ".odp")
    assert source.text == "Plan\n\nBody\n\n备注: 慢慢说"
    assert place(source.marks, 8) == ("Plan", 1)


# RTF


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"\ansicpg932 \'83e\'83X\'83g", "テスト"),  # second bytes that are letters
        (rb"\ansicpg1252{\fonttbl{\f0\fcharset134 SimSun;}}\f0\'c4\'e3\'ba\'c3", "你好"),
        (rb"\ansicpg1252{\fonttbl{\f0\fcharset136 MingLiU;}}\f0\'a7\'41\'a6n", "你好"),
        (rb"\ansicpg936{\fonttbl{\f0\fcharset0 Arial;}}\f0\'c4\'e3\'ba\'c3", "你好"),
        (rb"\uc1 \u20320?\u22909\'3f \u-10179?\u-8704?", "你好 😀"),
        (rb"caf\'e9 \ldblquote x\rdblquote\emdash\~y\-z", "café “x”— yz"),
        (rb"a{\footnote\pard b}c\par d", "ac\n\nFootnote 1: b\n\nd"),
        (rb"a{\shp{\*\shpinst{\sp{\sn x}{\sv 1}}{\shptxt in\par a box}}}b", "ab\n\nin\na box"),
        (rb"\trowd\intbl a\cell b\cell\row\intbl c\cell\cell\row\pard d", "a\tb\nc\n\nd"),
        (rb"{\listtext 1.\tab}one\par{\listtext 2.\tab}two\par end", "1. one\n2. two\n\nend"),
        (rb"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}{\header h}{\pict 00ff}{\*\unknown u}", "link"),
        (rb"kept{\deleted gone}{\pict\bin4 }}}}x} \{\}\\", r"kept {}\ ".strip()),
    ],
)
def test_rtf(body: bytes, text: str) -> None:
    source = load_rtf(rb"{\rtf1\ansi " + body + b"}", Path("x.rtf"))
    assert source.text == text and line_of(source, 0) is None


def test_rtf_headings_and_properties() -> None:
    data = (
        rb"{\rtf1\ansi\ansicpg936{\stylesheet{\s1\outlinelevel0 heading 1;}}{\info{\title \'c4\'e3\'ba\'c3}"
        rb"{\creatim\yr2004\mo1\dy5\hr3}}\pard\s1 Scope\par\pard Text.\par}"
    )
    source = load_rtf(data, Path("x.rtf"))
    assert (source.title, source.date, source.text) == ("你好", "2004-01-05", "Scope\n\nText.")
    assert [(mark.label, mark.level) for mark in source.marks] == [("Scope", 1)]


# EPUB


def test_book() -> None:
    chapters = {
        "cover.html": "<img src='x'/>",
        "one.html": "<h1>One</h1><p>Text 一。</p>",
        "two%20b.html": "<h2>A part</h2><p>More.</p>",
    }
    contents = [("one.html", "One"), ("one.html#x", "Inside"), ("two%20b.html", "第二章")]
    source = read(book(chapters, contents), ".epub")
    assert (source.title, source.date) == ("The Book 书", "2020-02-03")
    assert source.text == "One\n\nText 一。"
    assert source.notes == ("two b.html could not be read",)
    chapters["two b.html"] = chapters.pop("two%20b.html")
    source = read(book(chapters, contents), ".epub")
    assert source.text == "One\n\nText 一。\n\nA part\n\nMore."
    assert place(source.marks, len(source.text) - 1)[0] == "第二章 > A part"
    cipher = "<encryption><CipherReference URI='in/one.html'/></encryption>"
    assert "protected" in refused(book(chapters, contents, **{"META-INF/encryption.xml": cipher}), ".epub")


# Broken, locked and hostile files


@pytest.mark.parametrize("name", PACKAGES)
def test_cut_and_damaged_packages(name: str) -> None:
    data, suffix = SAMPLES[name], f".{name}"
    assert refused(data[: len(data) // 2], suffix) == packages.DAMAGED
    assert refused(b"PK\x03\x04 nothing", suffix) == packages.DAMAGED
    assert refused(packed({"a.txt": "x"}), suffix).startswith("not a")
    noise = random.Random(0)
    for _ in range(40):
        broken = bytearray(data)
        for _ in range(20):
            broken[noise.randrange(len(broken))] = noise.randrange(256)
        try:
            assert load_bytes(bytes(broken), suffix).text
        except LoadError as error:
            assert str(error)


def load_bytes(data: bytes, suffix: str) -> Source:
    """As `load` does it, where whatever a parser raises becomes a LoadError."""
    try:
        return read(data, suffix)
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(repr(error)) from error


@pytest.mark.parametrize("name", PACKAGES)
def test_bombs(name: str) -> None:
    parts = unpacked(SAMPLES[name])
    known = ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml", "content.xml", "in/book.opf")
    main = next(part for part in known if part in parts)
    entity = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert "entities" in refused(packed({**parts, main: entity}), f".{name}")
    assert refused(packed({**parts, main: bytes(30_000_000)}), f".{name}") == packages.TOO_LARGE
    assert "broken XML" in refused(packed({**parts, main: b"<a><b></a>"}), f".{name}") or name == "xlsx"


def test_a_package_that_lies_about_its_size() -> None:
    data = bytearray(packed({"content.xml": bytes(3_000_000)}))
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")  # the size it declares
    assert refused(bytes(data), ".odt") in (packages.DAMAGED, packages.TOO_LARGE)


def test_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_ENTRIES_LIMIT", 5)
    assert refused(packed({f"{n}": "x" for n in range(9)}), ".odt") == packages.TOO_LARGE


def unpacked(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return {name: package.read(name) for name in package.namelist()}


def test_locked_and_old_files() -> None:
    ole = packages.OLE + b"\xa1\xb1\x1a\xe1" + bytes(500)
    locked = ole + "EncryptedPackage".encode("utf-16-le")
    assert {refused(locked, f".{name}") for name in ("docx", "xlsx", "pptx")} == {packages.LOCKED}
    assert "save it as .docx" in refused(ole, ".docx")
    manifest = "<m><file-entry><encryption-data/></file-entry></m>"
    assert (
        refused(opendocument("text", "<x/>", **{"META-INF/manifest.xml": manifest}), ".odt")
        == packages.LOCKED
    )


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"])
def test_archives(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"all.tar{suffix}"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(LoadError, match="unpack it first"):
        load(path)


def test_old_formats() -> None:
    assert "save it as .docx" in unsupported(".doc") and "save it as .xlsx" in unsupported(".xls")
    assert "save it as .pptx" in unsupported(".ppt")


def test_what_a_file_really_is() -> None:
    for name, data in SAMPLES.items():
        if name not in ("csv", "rtf"):
            assert sniff(data, ".docx") == f".{name}" == sniff(data, ".md")
    assert sniff(SAMPLES["xlsx"], ".xlsm") == ".xlsm"
    assert sniff(SAMPLES["rtf"], ".docx") == ".rtf"
    assert sniff(b"<html><p>x", ".xlsx") == ".html" and sniff("文字".encode(), ".docx") == ".txt"
    assert sniff(b"\0\1\2", ".docx") == ".docx" and sniff(b"PK\x03\x04", ".txt") == ".txt"


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_nothing_in_it(name: str) -> None:
    empty: dict[str, bytes] = {
        "docx": word("<w:p/>"),
        "pptx": saved(pptx.Presentation()),
        "xlsx": workbook({"One": []}),
        "csv": b" \n",
        "rtf": rb"{\rtf1 }",
        "odt": opendocument("text", "<text:p/>"),
        "ods": opendocument("spreadsheet", "<table:table/>"),
        "odp": opendocument("presentation", "<draw:page/>"),
        "epub": book({"one.html": "<img/>"}),
    }
    assert refused(empty[name], f".{name}").startswith("no text")


def test_a_sheet_of_one_string_a_million_times_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.load.writer.TEXT_LIMIT", 10_000)
    assert "million characters" in refused(workbook({"x": [["y" * 300] * 50] * 50}), ".xlsx")
    monkeypatch.setattr("retrieval.load.xlsx.CELLS_LIMIT", 100)
    assert "too large" in refused(workbook({"x": [["y"] * 50] * 50}), ".xlsx")


def test_a_changing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.txt"
    path.write_text("some text", encoding="utf-8")
    real, times = os.fstat, iter(range(10**6))

    def fstat(number: int) -> Any:
        info = real(number)
        return SimpleNamespace(st_mode=info.st_mode, st_size=info.st_size, st_mtime_ns=next(times))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", fstat)
        with pytest.raises(LoadError, match="changes while it is read"):
            load(path)
    assert load(path)[0].text == "some text"


# Scanned PDFs


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for tesseract")
def test_scanned_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = image_pdf()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoadError, match="install tesseract"):
        load_pdf(data, Path("x.pdf"))
    program = tmp_path / "tesseract"
    program.write_text(
        '#!/bin/sh\nif [ "$1" = --list-langs ]; then printf "List:\\nchi_sim\\neng\\n"; exit; fi\n'
        'read kind size; echo "$kind 会 议 $4"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    source = load_pdf(data, Path("x.pdf"))
    assert source.text == "P5 会议 eng+chi_sim"
    assert source.notes == ("page 1 was read from an image by tesseract",)
    program.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    monkeypatch.setattr("retrieval.load.ocr._languages", lambda _: ("eng",))
    with pytest.raises(LoadError, match="finds no text"):
        load_pdf(data, Path("x.pdf"))


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for tesseract")
def test_scanned_pages_are_read_when_tesseract_comes(
    hashed: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, programs = tmp_path / "x.pdf", tmp_path / "programs"
    programs.mkdir()
    file.write_bytes(joined(make_pdf(["The workshop is in Graz."]), image_pdf()))
    monkeypatch.setenv("PATH", str(programs))
    (told,) = hashed.add([file]).indexed
    assert told["reason"] == "page 2 is only an image (install tesseract to have them read)"
    assert hashed.add([file]).unchanged
    program = programs / "tesseract"
    program.write_text(
        '#!/bin/sh\nif [ "$1" = --list-langs ]; then printf "List:\\neng\\n"; exit; fi\necho The dues are paid.\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    (told,) = hashed.add([file]).indexed
    assert told["reason"] == "page 2 was read from an image by tesseract"
    (passage,) = hashed.search("dues", limit=1)
    assert "The dues are paid." in passage.chunk.text
    assert hashed.add([file]).unchanged


def joined(*files: bytes) -> bytes:
    """One PDF of several."""
    import pypdfium2

    whole = pypdfium2.PdfDocument.new()
    for data in files:
        whole.import_pages(pypdfium2.PdfDocument(data))
    buffer = io.BytesIO()
    whole.save(buffer)
    return buffer.getvalue()


def image_pdf() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (40, 30), 200).save(buffer, "PDF")
    return buffer.getvalue()


def test_what_is_repeated_in_a_small_file_makes_no_large_text() -> None:
    cell = (
        '<table:table-cell table:number-columns-repeated="999999999"><text:p>{}</text:p></table:table-cell>'
    )
    for text, least in (("x", 1000), ("y" * 5000, 1)):
        body = f"<table:table><table:table-row>{cell.format(text)}</table:table-row></table:table>"
        assert read(opendocument("spreadsheet", body), ".ods").text.split("\t") == [text] * least
    chapters = book({"one.html": "<p>Text.</p>"})
    parts = unpacked(chapters)
    package = parts["in/book.opf"].replace(
        b'<itemref idref="one.html"/>', b'<itemref idref="one.html"/>' * 99
    )
    assert read(packed({**parts, "in/book.opf": package}), ".epub").text == "Text."
