"""What `agent ask` says where the library holds nothing yet, and the folder that it offers to add."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli.first_run import Count, counted, question
from tests.processes import called
from tests.windows import lines_of, window


@pytest.fixture
def empty(tmp_path: Path, cache_folder: Path) -> Path:
    """A home without a library, in which the embedder is prepared."""
    home = tmp_path / "own"
    home.mkdir()
    (home / "cache").symlink_to(cache_folder)
    return home


@pytest.mark.parametrize(
    ("asked", "says"),
    [("Who discovered two comets?", "Your library is empty"), ("谁发现了彗星？", "文库是空的")],
)
def test_without_a_terminal_it_says_what_to_do_and_asks_nothing(empty: Path, asked: str, says: str) -> None:
    for form in ([], ["--json"]):
        done = called(empty, "ask", *form, asked)
        assert done.returncode == 4
        lines = [line for line in done.stderr.splitlines() if line.startswith((says, "  agent "))]
        assert len(lines) == 4 and "agent add" in lines[1] and "[y/N]" not in done.stderr
    assert json.loads(done.stdout)["outcome"] == "abstained"
    assert says not in called(empty, "ask", "-q", asked).stderr


def test_what_needs_no_files_is_answered(empty: Path) -> None:
    done = called(empty, "ask", "What is 17 * 3?")
    assert done.returncode == 0 and "51" in done.stdout and "empty" not in done.stderr


@pytest.mark.parametrize(("reply", "code", "says"), [(b"y\n", 0, "1 indexed"), (b"\n", 4, "do not answer")])
def test_a_terminal_offers_the_folder(empty: Path, files: Path, reply: bytes, code: int, says: str) -> None:
    (files / "meeting.zh.md").unlink()
    terminal = window(empty, "ask", "When was the contract signed?", columns=100, cwd=files)
    shown = terminal.wait_for(r"\[y/N\] ")
    assert f"Add this folder, {files} (1, " not in shown and f"Add this folder, {files} (1 files, " in shown
    assert len(lines_of(shown)) == 5
    terminal.send(reply)
    shown = terminal.wait_for(r"agent\s+why")
    assert says in shown
    assert ("1 March 2026" in shown) == (code == 0)
    assert terminal.exit_code() == code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "says"), [(b"y\n", "1 March 2026"), (b"\x03", "library is empty: add files")]
)
def test_the_chat_offers_the_folder_before_its_first_prompt(
    empty: Path, files: Path, reply: bytes, says: str
) -> None:
    terminal = window(empty, "chat", columns=100, cwd=files)
    terminal.wait_for(r"\[y/N\] ")
    terminal.send(reply)
    terminal.wait_for("Ctrl-D leaves")
    terminal.wait_for("> ?\x1b")
    terminal.send(b"When was the contract signed?\r")
    assert says in terminal.wait_for(r"(?s)(verified|abstained) · .*>")
    terminal.send(b"\x04")
    assert terminal.exit_code() == 0


def test_a_chat_in_a_pipe_says_what_to_do_and_asks_nothing(empty: Path) -> None:
    done = called(empty, "chat", stdin="Who discovered two comets?\n")
    assert done.returncode == 0 and "Your library is empty" in done.stderr and "[y/N]" not in done.stderr


def test_the_offer_says_so_where_it_is_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    many = Count(10_000, 5_000_000, False)
    assert question(tmp_path, many, "en").startswith("Add ALL of your home folder, ")
    assert "more than 10,000 files, more than 5.0 MB" in question(tmp_path, many, "en")
    assert question(Path("/"), many, "zh").startswith("要添加整台机器 /（超过 10,000 个文件")
    assert "ALL" not in question(tmp_path / "notes", Count(2, 10, True), "en")


def test_what_is_counted_is_what_would_be_read(tmp_path: Path) -> None:
    for name in (
        "a.md",
        "b.txt",
        "picture.png",
        ".hidden.md",
        ".git/config.md",
        "node_modules/c.md",
        "d/e.md",
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("word\n")
    assert counted(tmp_path) == Count(3, 15, True)
    assert counted(tmp_path, most_files=2) == Count(2, 10, False)
    assert not counted(tmp_path, most_s=-1.0).is_all
    assert counted(tmp_path / "nowhere") == Count(0, 0, True)
