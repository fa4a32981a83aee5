"""Rows of a measurement that was cut short."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.kept import Kept
from evals.report import read
from tests.processes import ROOT

ITEMS = ["one", "二", "three", "四"]


@contextmanager
def lengths() -> Iterator[Callable[[str], dict[str, Any]]]:
    yield lambda item: {"item": item, "length": len(item)}


@contextmanager
def nothing() -> Iterator[Callable[[str], dict[str, Any]]]:
    raise AssertionError("every row is there already")
    yield


def rows(kept: Kept, items: list[str], opened: Any = lengths) -> list[dict[str, Any]]:
    return kept.rows("part", "zh", items, str, opened)


@given(st.integers(0, 300))
def test_it_goes_on_wherever_it_was_torn(tmp_path_factory: pytest.TempPathFactory, end: int) -> None:
    file = tmp_path_factory.mktemp("kept") / "a.json.partial"
    kept = Kept(file, "abc")
    whole = rows(kept, ITEMS)
    kept.close(done=False)
    file.write_bytes(file.read_bytes()[:end])
    torn = Kept(file, "abc")
    assert len(torn) <= len(ITEMS) and rows(torn, ITEMS) == whole
    torn.close(done=False)
    again = Kept(file, "abc")
    assert rows(again, ITEMS, nothing) == whole and again.note.endswith("4 rows are done")
    again.close(done=True)
    assert not file.exists()


@pytest.mark.parametrize(
    "text", ['{"hash": "other"}\n', "[]\n", "{}\n[1]\n", "\n\n", '{"hash": "abc"}\n{"key": 1}\n']
)
def test_what_is_of_something_else_is_begun_afresh(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.json.partial"
    file.write_text(text, encoding="utf-8")
    kept = Kept(file, "abc")
    assert len(kept) == 0 and "begun afresh" in kept.note
    rows(kept, ITEMS[:1])
    kept.close(done=False)
    again = Kept(file, "abc")
    assert len(again) == 1
    again.close(done=True)


def test_without_a_file_rows_are_kept_here() -> None:
    kept = Kept()
    assert rows(kept, ITEMS) == rows(kept, ITEMS, nothing)
    kept.close(done=True)


def test_a_part_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "a.json.partial", "abc")
    with pytest.raises(ZeroDivisionError):
        kept.whole("year", "", lambda: [1 // 0])
    assert kept.whole("year", "en", lambda: ({"n": 1}, [2])) == [{"n": 1}, [2]]
    kept.close(done=False)
    again = Kept(tmp_path / "a.json.partial", "abc")
    assert again.whole("year", "en", lambda: [1 // 0]) == [{"n": 1}, [2]]
    again.close(done=True)


def test_without_a_row_no_file_stays(tmp_path: Path) -> None:
    Kept(tmp_path / "a.json.partial", "abc").close(done=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_goes_on(
    tmp_path: Path, cache_folder: Path, monkeypatch: pytest.MonkeyPatch, ending: signal.Signals
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "cache").symlink_to(cache_folder)
    monkeypatch.setenv("AGENT_HOME", str(home))
    out = tmp_path / "zh.json"

    def lines() -> int:
        """Of the file of what is done; 0 where there is none."""
        files = list(tmp_path.glob("zh.json.*.partial"))
        return files[0].read_bytes().count(b"\n") if files else 0

    def start(file: Path, limit: int = 12) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "evals",
            "qa",
            "--lang",
            "zh",
            "--limit",
            str(limit),
            "--json",
            str(file),
        ]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    run = start(out)
    while run.poll() is None and lines() < 4:
        time.sleep(0.02)
    run.send_signal(ending)
    _, said = run.communicate()
    assert not out.exists() and lines() >= 4
    if ending == signal.SIGINT:
        assert run.returncode == 130
        assert said.count("\n") == 1 and "goes on from there" in said
    other = start(out, limit=1)
    _, said = other.communicate()
    assert other.returncode == 0 and "going on" not in said and lines() >= 4, (
        "another option takes nothing away"
    )
    run = start(out)
    _, said = run.communicate()
    assert run.returncode == 0 and "going on" in said and lines() == 0
    run = start(tmp_path / "whole.json")
    run.communicate()
    once, twice = (read(file) for file in (tmp_path / "whole.json", out))
    assert once["hash"] == twice["hash"]
    for row in (*once["rows"], *twice["rows"]):
        del row["seconds"]
    assert once["rows"] == twice["rows"]
