"""Markdown: headings, titles, front matter, and the place of a character among headings."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.load import LOADERS, Mark, place
from retrieval.load.markdown import front_matter_end, headings


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


@given(st.lists(st.sampled_from(["# a", "## b", "### c", "text", "", "```", "---", "中文"])))
def test_place_agrees_with_the_nearest_heading(lines: list[str]) -> None:
    text = "\n".join(lines)
    marks = headings(text)
    for offset in range(len(text)):
        trail = place(marks, offset)[0].split(" > ")
        before = [mark for mark in marks if mark.start <= offset]
        assert trail[-1] == (before[-1].label if before else "")
        assert len(trail) <= 3
