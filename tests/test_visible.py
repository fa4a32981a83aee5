"""Nothing that a document holds reaches the terminal as a control sequence."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from agent.cli.render import console, visible


@pytest.mark.parametrize(
    "text", ["77 \x1b[2J\x1b[31meuros", "每年\x9b31m120元", "a\u202eb\u2066c", "bell\x07\x00"]
)
def test_control_characters_are_left_out(text: str) -> None:
    stream = io.StringIO()
    console(stream).print(Text(text))
    assert not set(stream.getvalue()) & set("\x00\x07\x1b\x9b\u202e\u2066")
    assert stream.getvalue() == visible(text) + "\n"


def test_text_tabs_and_line_ends_stay() -> None:
    assert visible("一\tb\nc — “é” 😀") == "一\tb\nc — “é” 😀"
