"""Plain text: encodings, damage, line ends, and what is no text at all."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.load import LOADERS, line_of
from retrieval.load.text import decode
from tests.load_files import CHINESE, FRENCH, JAPANESE, KOREAN, TRADITIONAL, reason, write


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


@given(st.text(alphabet="ab\n\r中"))
def test_text_lines_are_file_lines(text: str) -> None:
    if not text.strip():
        return
    source = LOADERS[".txt"](text.encode(), Path("x.txt"))
    for offset in range(len(source.text)):
        assert line_of(source, offset) == source.text[:offset].count("\n") + 1
