"""The loaders: what every format promises, encodings, broken and hostile files, and listing."""

from __future__ import annotations

import base64
import os
import socket
import sys
import time
import zlib
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.load import (
    CODE_SUFFIXES,
    LOADERS,
    LoadError,
    Mark,
    Source,
    line_of,
    load,
    place,
    sniff,
    suffix_of,
)
from retrieval.load.html import load_html
from retrieval.load.markdown import front_matter_end, headings
from retrieval.load.pdf import clean, load_pdf, spans
from retrieval.load.text import decode
from retrieval.load.walk import walk
from tests import office_files

CHINESE = """会议记录

今天下午三点，我们在二楼的会议室讨论了明年的预算。张老师说：“如果不先把旧系统的问题解决，新的功能就没有意义。”
大家同意把数据迁移放在第一位，然后再考虑界面。最后决定由李工负责，下个月底以前完成。
"""
TRADITIONAL = """會議記錄

今天下午三點，我們在二樓的會議室討論了明年的預算。張老師說：「如果不先把舊系統的問題解決，新的功能就沒有意義。」
大家同意把資料遷移放在第一位，然後再考慮介面。最後決定由李工負責，下個月底以前完成。
"""
JAPANESE = """会議の記録

今日の午後三時に、二階の会議室で来年の予算について話し合いました。古いシステムの問題を先に解決しなければ、
新しい機能には意味がないという意見が出ました。
"""
KOREAN = """회의 기록

오늘 오후 세 시에 이층 회의실에서 내년 예산에 대해 이야기했습니다.
오래된 시스템의 문제를 먼저 해결해야 합니다.
"""
FRENCH = """Compte rendu de la réunion

À quinze heures, nous avons discuté du budget de l’année prochaine. « Très bien », a répondu Hélène.
La décision a été reportée à l'été, après un débat animé où chacun s'est exprimé.
"""

# One blank page that a password protects, made with RC4 and 40 bits.
LOCKED_PDF = zlib.decompress(
    base64.b64decode(
        "eNqNUk1vEzEQvftXzCVH6vHn2tIqB9pGQoAapYUL6mH8FYKi3WqzkVr+JAf+AfwRnAXKinDAsiXrzXtvxjNerK9WL8"
        "SFYotv3798ZQIQ+vCJtS3j66FPx5gHaIOJTXEUdFyy5ZLlLp04csa9e3rIwNe0zQfGL/tjN4Jg/PUuHeAD6ErcwP1M"
        "qs6klzTSvt+ynx5w8t7MBPqfuRjf5EN/HGJV1Eil87c57ehl/1jT4gVOx0z7/mQ95FrY395m5v3+VPYGJONvcrcdP4"
        "LGqgMtvfa2kb4GVrv9WJvCb0fqEg2J8RtoNaLLQRePXoQgtbFCURTJkU5kC8oYUBhyylLJWKTT2gQRVDDoLUVVK38H"
        "rTFK5UwJrchWGePQk5DFqagiVbzIaFRCMo2XPqloCqHOqqiknG8yzafzOOTCECzD5wW2JjBQ4BkT9e1TpPuDGX+GCe"
        "HOMducYXKuHQfa7fMwtfV29znXUvim70dQU//5q670IH7dr+q8WpTZuKBMdKWxEZsUC8bgVUopW4di+T+UOufrLg5P"
        "DyOY34M+jDSMU0N0U3/64vpmxX4AzyvEYw=="
    )
)


def make_pdf(pages: Iterable[str], title: str = "") -> bytes:
    """A small PDF with one page for each text, a line of Helvetica for each line of it."""
    texts = list(pages)
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(texts)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for i, text in enumerate(texts):
        lines = "".join(f"({line}) Tj 0 -16 Td " for line in text.split("\n")) if text else ""
        stream = f"BT /F1 12 Tf 50 700 Td {lines}ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * i} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects.append(f"<< /Title ({title}) >>")
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size, info = len(objects) + 1, len(objects)
    return (
        out
        + f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n"
        f"<< /Size {size} /Root 1 0 R /Info {info} 0 R >>\nstartxref\n{len(out)}\n%%EOF\n".encode()
    )


PAGE = f"""<html><head><title>记录</title><meta charset="utf-8"></head><body><h1>会议</h1>
<p>{CHINESE}</p><h2>Second</h2><p>Text &amp; more.</p></body></html>"""
SAMPLES = {
    "markdown": f"# Notes\n\n{CHINESE}\n## Second\n\nText.\n".encode(),
    "text": CHINESE.encode(),
    "html": PAGE.encode(),
    "pdf": make_pdf(["Minutes of the meeting\nText.", "The second page"]),
    **office_files.samples(),
    "mail": f"From x Mon Mar  3 10:00:00 2025\nFrom: Anna <a@x.org>\nSubject: 会议\n\n{CHINESE}".encode(),
    "calendar": b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Dinner\nDTSTART:20240312T180000\nEND:VEVENT\n",
    "notebook": b'{"cells": [{"cell_type": "markdown", "source": ["# One\\n", "Text."]}]}',
    "subtitles": "WEBVTT\n\n00:01.000 --> 00:02.000\n[00:01.00]今天下午三点\n".encode(),
    "json": '{"name": "会议", "people": [{"name": "Anna", "age": 3}]}'.encode(),
    "code": "x = 1  # 会议\n".encode(),
}
FORMAT_OF = {
    **dict.fromkeys([".md", ".markdown", ".mdx"], "markdown"),
    **dict.fromkeys(["", ".txt", ".text", ".log", ".rst", ".org"], "text"),
    **dict.fromkeys([".html", ".htm", ".xhtml"], "html"),
    **{
        f".{name}": name
        for name in ["pdf", "docx", "pptx", "xlsx", "odt", "ods", "odp", "epub", "rtf", "csv"]
    },
    ".xlsm": "xlsx",
    ".tsv": "csv",
    **dict.fromkeys([".eml", ".emlx", ".mbox"], "mail"),
    **dict.fromkeys([".ics", ".ical"], "calendar"),
    ".ipynb": "notebook",
    **dict.fromkeys([".srt", ".vtt", ".lrc"], "subtitles"),
    **dict.fromkeys([".json", ".jsonl", ".ndjson", ".geojson", ".webmanifest"], "json"),
    **dict.fromkeys(CODE_SUFFIXES, "code"),
}


def reason(path: Path, **options: int) -> str:
    with pytest.raises(LoadError) as caught:
        load(path, **options)
    message = str(caught.value)
    assert message and "\n" not in message
    return message


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def check(source: Source) -> None:
    """What every Source promises."""
    assert source.text.strip() and "\0" not in source.text and "\r" not in source.text
    assert source.title.strip() == source.title != "" and "\n" not in source.title
    source.text.encode()  # no lone surrogates
    starts = [mark.start for mark in source.marks]
    assert starts == sorted(starts) and all(0 <= s < len(source.text) for s in starts)
    for mark in source.marks:
        assert mark.label and (mark.level in range(1, 7) if mark.kind == "heading" else True)
    if source.lines is not None:
        offsets = [offset for offset, _ in source.lines]
        assert offsets == sorted(set(offsets)) and all(0 <= o < len(source.text) for o in offsets)
        assert all(line >= 1 for _, line in source.lines)


# Every format


def test_every_suffix_has_a_sample() -> None:
    assert set(FORMAT_OF) == set(LOADERS)
    assert set(FORMAT_OF.values()) == set(SAMPLES)


@pytest.mark.parametrize("suffix", sorted(LOADERS))
def test_contract(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("a loader opened a socket")

    monkeypatch.setattr(socket, "socket", no_network)
    data = SAMPLES[FORMAT_OF[suffix]]
    path = write(tmp_path, f"sample{suffix}", data)
    source, digest = load(path)
    check(source)
    assert source.format == FORMAT_OF[suffix]
    assert digest == sha256(data).hexdigest()
    assert load(path) == (source, digest)


@pytest.mark.parametrize(
    "suffix",
    [
        *["", ".md", ".html", ".pdf", ".csv", ".rtf", ".eml", ".mbox", ".ics", ".ipynb", ".vtt", ".lrc"],
        *[".json", ".jsonl", ".c"],
    ],
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_load_or_are_refused(suffix: str, data: st.DataObject) -> None:
    heads = [b"", b"{\\rtf1 ", b"%PDF-1.4\n", b"<p>", b"---\ntitle: x\n", SAMPLES[FORMAT_OF[suffix]][:300]]
    pieces = st.sampled_from(
        [
            b"<pre>",
            b"<td>",
            b"<h1>",
            b"# ",
            b"```",
            b"\n",
            b"{\\footnote ",
            b"\\'83",
            b'","',
            b"}",
            "中".encode(),
        ]
    )
    body = st.one_of(st.binary(), st.text().map(str.encode), st.lists(pieces).map(b"".join))
    raw = data.draw(st.sampled_from(heads)) + data.draw(body) + data.draw(body)
    try:
        source = LOADERS[suffix](raw, Path(f"x{suffix}"))
    except LoadError:
        return
    check(source)


# Encodings


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((CHINESE, e) for e in ("gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be", "utf-32")),
        *((TRADITIONAL, e) for e in ("big5", "gb18030", "utf-16-le", "utf-8-sig")),
        *((JAPANESE, e) for e in ("shift_jis", "euc_jp", "iso2022_jp", "utf-16-be")),
        *((KOREAN, e) for e in ("euc_kr", "cp949", "utf-16")),
        *((FRENCH, e) for e in ("cp1252", "utf-8", "utf-16-le")),
        (FRENCH.replace("’", "'"), "latin-1"),
    ],
)
def test_encodings(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding))[0] == text
    assert decode(text.replace("\n", "\r\n").encode(encoding))[0] == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("你好", "gbk"),
        ("合同编号：A-102", "gbk"),
        ("會議記錄", "big5"),
        ("議事録 2024年", "shift_jis"),
        ("회의록", "euc_kr"),
        ("café", "latin-1"),
        ("Müller", "cp1252"),
    ],
)
def test_short_texts(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding))[0] == text


def test_first_foreign_line_may_come_late() -> None:
    text = "plain line\n" * 10_000 + CHINESE
    assert decode(text.encode("gbk"))[0] == text


def test_cut_and_damaged_text() -> None:
    whole = CHINESE.strip()
    assert decode(whole.encode()[:-1]) == (whole[:-1], "utf-8")
    assert decode(whole.encode("gbk")[:-1])[0].startswith(whole[:-2])
    damaged = whole.encode()[:60] + b"\xff" + whole.encode()[60:]
    text, encoding = decode(damaged)
    assert encoding == "utf-8" and "\ufffd" in text and text.endswith(whole[-40:])


def test_line_ends_keep_their_lines() -> None:
    assert decode(b"\xef\xbb\xbfa\r\nb\rc\nd") == ("a\nb\nc\nd", "utf-8-sig")


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\1\0icon" * 9,
        bytes(range(256)) * 4,
        b"PK\x03\x04text",
        b"\1\2\3\4abc",
        sha256(b"").digest() * 9,
    ],
)
def test_binary_is_refused(data: bytes, tmp_path: Path) -> None:
    assert "binary" in reason(write(tmp_path, "x.txt", data))
    assert "binary" in reason(write(tmp_path, "x.md", data))
    assert "binary" in reason(write(tmp_path, "x.html", data))


# Markdown


def test_markdown_headings() -> None:
    text = (
        "---\ntitle: 'Front'\n---\n# One { #one }\n\n```sh\n# code\n```\n\nTwo *x*\n---\n\n"
        "### [Three](a_(b).md) `c` ###\n<!--\n# hidden\n-->\n    # indented\n#tag\n- a\n---\n"
        "~~~\n# open to the end\n"
    )
    source = LOADERS[".md"](text.encode(), Path("x.md"))
    assert [(m.level, m.label) for m in source.marks] == [
        (1, "One"),
        (2, "Two *x*"),
        (3, "Three c"),
    ]
    assert [text[m.start :].split("\n")[0][:5] for m in source.marks] == ["# One", "Two *", "### ["]
    assert source.title == "Front" and source.text == text
    assert text[front_matter_end(text) :].startswith("# One")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: >-\n  Folded: here\n---\nx", "Folded: here"),
        ('+++\ntitle = "Toml"\n+++\nx', "Toml"),
        ("---\naliases:\n  - 别名\n---\nx", "别名"),
        ("---\naliases: [/old/page]\n---\nx", "stem"),
        ("---\naliases: [other]\n---\n# First\n", "First"),
        ("---\n\nA rule, not front matter: no.\n\n---\n", "stem"),
        ("## Only second\n", "stem"),
    ],
)
def test_markdown_title(text: str, title: str) -> None:
    assert LOADERS[".md"](text.encode(), Path("stem.md")).title == title


def test_place() -> None:
    marks = headings("# A\nx\n### B\nx\n## C\nx\n# D\n")
    assert [place(marks, m.start)[0] for m in marks] == ["A", "A > B", "A > C", "D"]
    assert place((), 5) == ("", None)
    assert place(marks, 10**9) == ("D", None)
    pages = (Mark(0, "page", "1", 0), Mark(4, "heading", "H", 2), Mark(9, "page", "3", 0))
    assert [place(pages, at) for at in (0, 5, 9)] == [("", 1), ("H", 1), ("H", 3)]


def test_place_of_a_message() -> None:
    letter = Mark(0, "message", "会议", 1, "Anna Lind <a@x.org>", "2025-03-02T10:00:00+08:00")
    quoted = Mark(5, "message", "b@x.org", 2, "<b@x.org>")
    marks = (letter, quoted, replace(letter, start=9), Mark(12, "heading", "plan.md", 2))
    own = "会议 — Anna Lind, 2025-03-02"
    expected = [own, f"{own} > b@x.org", own, f"{own} > plan.md"]
    assert [place(marks, at)[0] for at in (1, 5, 10, 20)] == expected
    talk = (
        Mark(0, "heading", "T", 1),
        Mark(2, "message", "张三", 6, "张三"),
        Mark(4, "message", "00:12:31", 6),
    )
    assert [place(talk, at)[0] for at in (1, 3, 5)] == ["T", "T > 张三", "T > 00:12:31"]
    assert place((Mark(0, "message", "?", 6, "", "2025-03-02"),), 0)[0] == "? — 2025-03-02"


@given(st.lists(st.sampled_from(["# a", "## b", "### c", "text", "", "```", "---", "中文"])))
def test_place_agrees_with_the_nearest_heading(lines: list[str]) -> None:
    text = "\n".join(lines)
    marks = headings(text)
    for offset in range(len(text)):
        trail = place(marks, offset)[0].split(" > ")
        before = [mark for mark in marks if mark.start <= offset]
        assert trail[-1] == (before[-1].label if before else "")
        assert len(trail) <= 3


@given(st.text(alphabet="ab\n\r中"))
def test_text_lines_are_file_lines(text: str) -> None:
    if not text.strip():
        return
    source = LOADERS[".txt"](text.encode(), Path("x.txt"))
    for offset in range(len(source.text)):
        assert line_of(source, offset) == source.text[:offset].count("\n") + 1


# HTML


def html(markup: str) -> Source:
    return load_html(markup.encode(), Path("page.html"))


def test_html_layout() -> None:
    source = html(
        "<title>T &amp; t</title><body><h1>Big\n heading</h1><p>One <b>bold</b>,\n two<br>three"
        "<p>中文\n分行<ul><li>a<li>b<ul><li>c</ul></ul><table><tr><th>A<th><p>B</p><p>b</p>"
        "<tr><td><td>2</table><pre>\n  x\n\ny\n</pre>end<script>no()</script>"
    )
    assert source.title == "T & t"
    assert source.text == (
        "Big heading\n\nOne bold, two\nthree\n\n中文分行\n\na\nb\nc\n\nA\tB b\n\t2\n\n  x\n\ny\n\nend"
    )
    assert source.marks == (Mark(0, "heading", "Big heading", 1),)


def test_html_lines() -> None:
    markup = "<p>one\n\n<p>two three\nfour <b>five</b>\n<!-- a\nb --><pre>six\n\nseven</pre>"
    source = html(markup)
    for word in ("one", "two", "three", "four", "five", "six", "seven"):
        line = next(i for i, text in enumerate(markup.split("\n"), 1) if word in text)
        assert line_of(source, source.text.index(word)) == line


def test_html_furniture() -> None:
    long = "A sentence of the article. " * 20
    page = f"<nav>Home</nav><header>Site</header><div hidden>h</div><p>{long}<aside>ad</aside>"
    assert html(page).text == long.strip()
    assert "Menu" not in html(f"<div>Menu</div><main><p>{long}</main><div>also</div>").text
    assert "also" in html(f"<main>short</main><p>{long}<div>also</div>").text
    assert long.strip() in html(f"<form><p>{long}</form>").text  # all of it is furniture
    assert html("<article><header><h1>Title</h1></header>text</article>").marks[0].label == "Title"
    assert "5" in html(f'<p class="a hidden">5</p>{long}').text


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="gb2312">', "gbk"),
        ("<meta http-equiv=Content-Type content='text/html; charset=gbk'>", "gbk"),
        ("", "gbk"),
        ('<meta charset="gb2312">', "utf-8"),
        ('<meta charset="utf-8">', "gbk"),
        ('<meta charset="no-such">', "utf-8"),
        ('<meta charset="base64">', "utf-16"),
    ],
)
def test_html_charset(head: str, encoding: str) -> None:
    source = load_html(f"<html>{head}<p>{CHINESE}".encode(encoding), Path("x.html"))
    assert "今天下午三点" in source.text


@pytest.mark.parametrize(
    "piece",
    [
        *("<a", "<!--", "<!", "</x", "<div>", "&#", "<![if ", "<?x", '<a b="', "<a b='>", "a < b "),
        *("<td>x", "<li><p>x", "<pre>", "<h1>", "<title>", "<a =", "<script>", "\n", "<svg>"),
    ],
)
def test_broken_html_takes_no_long_time(piece: str) -> None:
    started = time.monotonic()
    source = html("text " + piece * 20_000)
    assert source.text.startswith("text")
    assert time.monotonic() - started < 5


def test_embedded_image_leaves_nothing() -> None:
    image = "QUJD" * 500_000
    source = html(f'<p>before<img alt="x" src="data:image/png;base64,{image}">after')
    assert source.text == "beforeafter"


# PDF


def test_pdf_pages_and_title() -> None:
    source = load_pdf(make_pdf(["First page", "", "Third page"], "A title"), Path("x.pdf"))
    assert source.text == "First page\n\nThird page"
    assert source.marks == (Mark(0, "page", "1", 0), Mark(12, "page", "3", 0))
    assert source.title == "A title" and source.notes == ("page 2 has no text",)
    assert place(source.marks, 13) == ("", 3) and line_of(source, 3) is None


@pytest.mark.parametrize("title", ["", "untitled", "Microsoft Word - a.doc", "paper.tex", "Document1"])
def test_pdf_title_that_says_nothing(title: str) -> None:
    pdf = make_pdf(["Annual Report\nThis is the text of it."], title)
    assert load_pdf(pdf, Path("x.pdf")).title == "Annual Report"
    assert load_pdf(make_pdf(["it is all\nrunning text."], title), Path("x.pdf")).title == "x"


def test_pdf_text_is_made_plain() -> None:
    assert clean("adip\ufffeiscing a\x02\nb") == "adipiscing ab"
    assert clean("well\ufffeknown Anglo\ufffeSaxon", {"well-known"}) == "well-known Anglo-Saxon"
    assert clean("a\0b\ud800 \nend\ufffe") == "ab\nend-"
    assert spans([1, 2, 3, 7]) == "1-3, 7"


def test_pdf_that_cannot_be_read(tmp_path: Path) -> None:
    assert reason(write(tmp_path, "locked.pdf", LOCKED_PDF)).startswith("password-protected PDF")
    assert "broken PDF" in reason(write(tmp_path, "b.pdf", b"%PDF-1.7\n" + bytes(range(256))))
    assert reason(write(tmp_path, "none.pdf", make_pdf(["", ""]))) == "no text in this PDF"


# Files


def test_reasons(tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to(tmp_path / "gone.md")
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    assert reason(tmp_path / "no.md") == "no such file"
    assert reason(tmp_path / "a\0b.md") == "no such file"
    assert "does not exist" in reason(tmp_path / "link.md")
    assert "leads back to itself" in reason(tmp_path / "loop.md")
    assert reason(tmp_path) == "a folder, not a file"
    assert reason(write(tmp_path, "empty.md", b"")) == "empty file"
    assert reason(write(tmp_path, "blank.md", b" \n\n")) == "no text in the file"
    message = reason(write(tmp_path, "x.xyz", b"x"))
    assert message.startswith("not a supported format: .xyz (supported: ") and "md" in message
    big = write(tmp_path, "big.txt", b"x" * 2_000_000)
    assert reason(big, max_bytes=1_000_000) == "too large: 2.0 MB (the limit is 1.0 MB)"


@pytest.mark.skipif(sys.platform == "win32", reason="no such files there")
def test_special_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert "not a regular file" in reason(tmp_path / "pipe.txt")
    assert "not a regular file" in reason(Path("/dev/null"))
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    assert "not a regular file" in reason(tmp_path / "zero.txt")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_permission(tmp_path: Path) -> None:
    path = write(tmp_path, "secret.txt", "x")
    path.chmod(0)
    assert reason(path) == "no permission to read it"


def test_permission_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(LoadError, match="no permission"):
        load(tmp_path / "x.txt")


def test_a_failing_parser_gives_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes, path: Path) -> Source:
        raise RecursionError("too\ndeep")

    monkeypatch.setitem(LOADERS, ".md", fail)
    assert reason(write(tmp_path, "x.md", "x")) == "could not be read (RecursionError: too deep)"


def test_content_outranks_suffix(tmp_path: Path) -> None:
    pdf = SAMPLES["pdf"]
    assert load(write(tmp_path, "really.txt", pdf))[0].format == "pdf"
    assert load(write(tmp_path, "not-really.pdf", CHINESE))[0].format == "text"
    assert load(write(tmp_path, "saved.pdf", PAGE))[0].format == "html"
    assert sniff(b"junk" * 100 + pdf, ".pdf") == ".pdf"
    assert sniff(b"\0\1\2", ".pdf") == ".pdf"


def test_suffix_of() -> None:
    names = {"a.MD": ".md", "README": "", "notes 2024.10": "", "第1.2章": "", "Dr. Smith": ""}
    assert {name: suffix_of(Path(name)) for name in names} == names


# Folders


def test_walk(tmp_path: Path) -> None:
    for name in ("b.md", "a.txt", "c.xyz", ".hidden.md", "README"):
        write(tmp_path, name, "x")
    for folder in ("sub", ".git", "node_modules", "__pycache__"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "inner.md", "x")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "sub" / "gone.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "sub" / "same.md").symlink_to(tmp_path / "b.md")
    found = {str(p.relative_to(tmp_path)): why for p, why in walk([tmp_path])}
    assert list(found) == [*("README", "a.txt", "b.md", "c.xyz", "sub/gone.md", "sub/inner.md", "sub/up")]
    assert [name for name, why in found.items() if why is None] == [
        *("README", "a.txt", "b.md", "sub/inner.md")
    ]
    assert (found["c.xyz"] or "").startswith("not a supported format: .xyz")


def test_walk_tries_what_is_named(tmp_path: Path) -> None:
    hidden, odd = write(tmp_path, ".notes.md", "x"), write(tmp_path, "x.xyz", "x")
    missing = tmp_path / "missing.md"
    named = [hidden, odd, missing, hidden, tmp_path]
    assert list(walk(named))[:3] == [
        (hidden, None),
        (odd, None),
        (missing, "no such file or folder"),
    ]
    assert [p for p, why in walk(named) if why is None] == [hidden, odd]
    (tmp_path / ".vault").mkdir()
    inner = write(tmp_path / ".vault", "in.md", "x")
    assert list(walk([tmp_path / ".vault"])) == [(inner, None)]


def test_walk_goes_deep(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(60):
        folder = folder / "d"
        folder.mkdir()
    deep = write(folder, "deep.md", "x")
    assert list(walk([tmp_path])) == [(deep, None)]


def test_every_kind_of_code_has_its_patterns() -> None:
    from retrieval.load.code import _PATTERNS

    assert sorted(CODE_SUFFIXES) == sorted(_PATTERNS)
