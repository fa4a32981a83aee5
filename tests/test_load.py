"""The loaders: what every format promises, and files that cannot be what they say."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.load import CODE_SUFFIXES, LOADERS, LoadError, Mark, Source, load, place, sniff, suffix_of
from tests import office_files
from tests.load_files import CHINESE, make_pdf, reason, write

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


def test_every_kind_of_code_has_its_patterns() -> None:
    from retrieval.load.code import _PATTERNS

    assert sorted(CODE_SUFFIXES) == sorted(_PATTERNS)
