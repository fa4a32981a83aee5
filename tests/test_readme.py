"""The READMEs say what the program does: transcripts, commands, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli import app
from agent.state_names import EXIT_CODES
from evals.transcripts import READMES, ROOT, _run, fill
from tests.processes import called


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "cache").symlink_to(cache_folder)
    _run(["add", "evals/data/sample"], folder)
    return folder


@pytest.mark.parametrize("name", READMES)
def test_transcripts_are_what_the_commands_print(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within this process; the library that they are about was made by one of its own."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("evals.transcripts._run", lambda given, home: called(home, *given).stdout)
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text.count("<!-- transcript: ") >= 3
    assert fill(text, home) == text, "run python -m evals.transcripts"


def test_every_command_stands_in_the_readme_and_has_an_example(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    names = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    for name in names - {"version"}:
        assert f"`agent {name}" in text, name
        shown = called(tmp_path, name, "--help")
        assert shown.returncode == 0 and "Example: " in shown.stdout, name


def test_exit_codes_are_documented() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for outcome, code in EXIT_CODES.items():
        assert f"{code} {outcome}" in text


def test_the_first_screen_has_what_it_is_the_two_commands_and_an_answer() -> None:
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:32])
    for needed in (
        "gives the grounds for every claim",
        "make demo",
        "make test",
        "$ agent ask",
        "lease.txt:",
    ):
        assert needed in first
