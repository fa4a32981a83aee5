"""The READMEs say what the program does: transcripts, commands, exit codes."""

from __future__ import annotations

import re
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


NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")


def numbers(text: str) -> list[str]:
    return [one.replace(",", "") for one in NUMBER.findall(text)]


def columns(section: str) -> dict[str, list[str]]:
    """The figures of a suite's tables by the first word of their columns, without intervals and numbers of cases."""
    found: dict[str, list[str]] = {}
    for table in section.split("\n\n"):
        head, _, *rows = (
            [line.strip("|").split(" | ") for line in table.split("\n")] if "|" in table else [[], []]
        )
        for row in rows:
            for name, cell in zip(head[1:], row[1:], strict=True):
                found.setdefault(re.split(r"[ ,]", name.strip())[0], []).extend(
                    numbers(cell.split("(")[0])[:1]
                )
    return found


@pytest.mark.parametrize(
    ("name", "title", "least"), [("README.md", "What it measures", 30), ("README.zh.md", "测得如何", 17)]
)
def test_figures_are_those_of_the_committed_results(name: str, title: str, least: int) -> None:
    """Each number of a column stands, perhaps with more places, in one of its corpus or of both, of the suite named."""
    told = (ROOT / "evals" / "RESULTS.md").read_text(encoding="utf-8")
    sections = {one.split("\n")[0].strip(): columns(one) for one in told.split("\n### ")[1:]}
    measures = (ROOT / name).read_text(encoding="utf-8").split(f"## {title}")[1].split("\n\n")
    table = next(one for one in measures if one.startswith("| |")).split("\n")[2:]
    suite, checked = "", 0
    for _, english, chinese, command in (line.strip("| ").split(" | ") for line in table):
        named = re.search(r"python -m evals (\w+)", command)
        suite = named[1] if named else suite
        for corpus, cell in (("en", english), ("zh", chinese)):
            known = sections[suite].get(corpus, []) + sections[suite].get("value", [])
            for figure in numbers(cell):
                places = len(figure.partition(".")[2])
                assert any(f"{float(one):.{places}f}" == figure for one in known), (suite, corpus, figure)
                checked += 1
    assert checked >= least


def test_figures_beside_peers_are_those_of_their_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    page = numbers((ROOT / "evals" / "PEERS.md").read_text(encoding="utf-8"))
    [paragraph] = [one for one in text.split("\n\n") if one.startswith("Beside others")]
    figures = numbers(paragraph.split("): ", 1)[1])
    assert len(figures) >= 20
    for figure in figures:
        places = len(figure.partition(".")[2])
        assert any(f"{float(one):.{places}f}" == figure for one in page), figure


def test_figures_of_a_cold_start_are_those_of_the_committed_results() -> None:
    told = (ROOT / "evals" / "RESULTS.md").read_text(encoding="utf-8")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [paragraph] = [one for one in text.split("\n\n") if one.startswith("On two cores")]
    for command in ("agent ask", "agent search", "agent --help"):
        [known] = re.findall(rf"\| cold `{command}`, seconds \| ([\d.]+) ", told)
        [[figure, places]] = re.findall(rf"`{command}`(?: takes)? (\d+\.(\d+)) s", paragraph)
        assert f"{float(known):.{len(places)}f}" == figure, command


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
