"""Help that teaches: each command shows one thing that one would really type, and errors name the next command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from agent.cli import app
from tests.processes import called


def commands() -> Iterator[tuple[str, ...]]:
    """Every command and group, by the words that call it."""
    waiting = [((), typer.main.get_command(app))]
    while waiting:
        words, command = waiting.pop()
        yield words
        waiting += [((*words, name), one) for name, one in getattr(command, "commands", {}).items()]


@pytest.mark.parametrize("words", sorted(commands()), ids=" ".join)
def test_every_help_has_an_example_that_is_understood(tmp_path: Path, words: tuple[str, ...]) -> None:
    shown = called(tmp_path, *words, "--help")
    text = " ".join(shown.stdout.split())
    assert shown.returncode == 0 and text.count("Example:") == 1, text
    example = re.search(r"Example: (?:.*?\| )?agent (.+?)(?: (?:Arguments|Options|Commands):|$)", text)
    assert example and example[1].startswith(" ".join(words)), text
    given = shlex.split(example[1].partition("&&")[0].partition(" > ")[0], comments=False)
    flags = {one.partition("=")[0] for one in given if re.match("--?[a-z]", one)}
    assert all(re.search(rf"(?<![\w-]){flag}\b", text) for flag in flags), (flags, text)


def test_an_empty_library_says_how_to_fill_it(tmp_path: Path) -> None:
    for arguments in (["search", "x"], ["docs"], ["ask", "Who?"]):
        assert "agent add PATH" in called(tmp_path, *arguments).stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ask", ""], 'agent ask "'),
        (["serach", "x"], "search"),
        (["why", "nowhere"], "`agent runs`"),
        (["docs", "rm", "nowhere.md"], "`agent docs`"),
        (["ask", "--resume", "nowhere"], "`agent runs`"),
        (["ask", "--model", "nobody", "why?"], "`agent model list`"),
        (["model", "pull", "nobody"], "`agent model list`"),
        (["model", "show"], "`agent model pull`"),
        (["memory", "show", "nowhere"], "`agent memory list`"),
        (["config", "get", "max_round"], "did you mean max_rounds?"),
        (["config", "get", "nonsense"], "`agent config show`"),
        (["add"], "-h"),
    ],
)
def test_errors_suggest_what_to_type_next(home: Path, arguments: list[str], says: str) -> None:
    done = called(home, *arguments)
    assert done.returncode in (1, 2) and says in done.stderr, done.stderr
