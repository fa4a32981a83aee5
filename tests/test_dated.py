"""The date that a document says of itself, in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dated import document_date


@pytest.mark.parametrize(
    ("path", "title", "text", "expected"),
    [
        ("a.md", "", "---\ndate: 2023-04-01\nupdated: 2024-05-01T10:00:00Z\n---\nText", "2024-05-01"),
        ("a.md", "", "---\n创建时间: 2023-04-01\n最后修改: 2024年5月2日\n---\n正文", "2024-05-02"),
        ("2024-05-01-notes.md", "", "Text", "2024-05-01"),
        ("20240501_notes.txt", "", "Text", "2024-05-01"),
        ("minutes 2024-05.md", "", "Text", "2024-05"),
        ("/home/x/2024年5月会议.md", "", "正文", "2024-05"),
        ("prices-2024.md", "", "Text", "2024"),
        ("log/2024/05/day.md", "", "Text", "2024-05"),
        ("a.txt", "", "Prices\nLast updated: May 2024\n\nThe fee is 200 euros.", "2024-05"),
        ("a.txt", "", "**Date:** 1 May 2024\n", "2024-05-01"),
        ("a.eml", "", "From: a@b.c\nDate: Wed, 1 May 2024 10:00:00 +0200\nSubject: x\n\nHi", "2024-05-01"),
        ("a.txt", "", "标题\n更新时间：2024-05-01 点击次数：20\n", "2024-05-01"),
        ("a.txt", "", "標題\n發佈於 2024年5月1日\n", "2024-05-01"),
        ("a.txt", "", "标题\n日期：二〇二四年五月\n", "2024-05"),
        ("a.txt", "", "Title\n\nMay 1, 2024\n\nText.", "2024-05-01"),
        ("a.txt", "", "标题\n2024年5月1日 星期三\n正文", "2024-05-01"),
        ("a.txt", "Minutes of 1 May 2024", "Text", "2024-05-01"),
        # None of itself.
        ("a.txt", "", "The treaty was signed on 1 May 2024.", ""),
        ("a.txt", "The crash of 24 October 1929", "Text", ""),
        ("a.txt", "", "条约于2024年5月1日签署。", ""),
        ("a.txt", "", "Date of birth: unknown", ""),
        ("a.txt", "日期和时间类型", "日期和时间类型包括 1998-09-04 和其他。", ""),
        ("a.txt", "", "1 May 2024\n2 May 2024\n", ""),
        ("iso-2022-jp.md", "", "Text", ""),
        ("gb18030.md", "", "Text", ""),
        ("a.md", "", "```\ndate: 2024-05-01\n```\n", ""),
        ("a.txt", "", "x\n" * 2000 + "Date: 1 May 2024\n", ""),
        ("", "", "", ""),
    ],
)
def test_document_date(path: str, title: str, text: str, expected: str) -> None:
    assert document_date(path, title, text) == expected


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=200))
def test_never_raises(path: str, title: str, text: str) -> None:
    date = document_date(path, title, text)
    assert not date or date[:4].isdigit()
