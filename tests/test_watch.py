"""Keeping a library up to date while files change, and the folders that `--docs` leaves to nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.temporary import HELD, PREFIX, docs_folder, remove_stale
from retrieval.library import Library
from retrieval.load.walk import walk_changed
from retrieval.lock import locked
from retrieval.watch import changes
from tests.libraries import DUES, RENT, found, names, write
from tests.processes import called, environment, forked

WAIT_S = 60.0


class Watched:
    """What `changes` tells, in a thread of its own."""

    def __init__(self, *paths: Path) -> None:
        self.stop = threading.Event()
        self.seen: set[str] = set()
        began = threading.Event()

        def run() -> None:
            for changed in changes(paths, self.stop):
                began.set()
                self.seen |= {path.name for path in changed}

        self.thread = threading.Thread(target=run)
        self.thread.start()
        assert began.wait(WAIT_S)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        self.thread.join(WAIT_S)

    def wait_for(self, *wanted: str) -> None:
        until(lambda: set(wanted) <= self.seen)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def test_changes_are_told_and_what_is_hidden_is_not(tmp_path: Path) -> None:
    write(tmp_path / "d", rent=RENT)
    with Watched(tmp_path / "d") as watched:
        write(tmp_path / "d" / ".git", secret="x")
        write(tmp_path / "d" / "node_modules", module="x")
        write(tmp_path / "d", 会费=DUES)
        (tmp_path / "d" / "rent.txt").unlink()
        write(tmp_path / "d" / "下", deep=RENT)
        watched.wait_for("会费.txt", "rent.txt", "下")
    assert not watched.seen & {".git", "secret.txt", "node_modules", "module.txt"}


def test_a_file_named_itself_is_followed_when_it_is_replaced(tmp_path: Path) -> None:
    [file, other] = write(tmp_path, rent=RENT, other=DUES)
    with Watched(file) as watched:
        other.replace(file)  # as editors save
        watched.wait_for("rent.txt")


def test_what_changed_is_brought_up_to_date(hashed: Library, tmp_path: Path) -> None:
    top = tmp_path / "d"
    rent, dues = write(top, rent=RENT, dues=DUES)
    hashed.add([top])
    rent.write_text(f"{RENT}\n\nBoats are extra. 船另计。", encoding="utf-8")
    dues.rename(top / "fees.txt")
    picture = top / "picture.png"
    picture.write_bytes(b"png")
    report = hashed.add_changed([rent, dues, top / "fees.txt", picture, top / "never.txt"], [top])
    assert names(report.indexed) == ["rent.txt"] and names(report.moved) == ["fees.txt"]
    assert names(report.skipped) == ["picture.png"]
    assert not (report.missing or report.failed)
    assert found(hashed, "boats extra") == ["rent.txt"]
    rent.unlink()
    assert names(hashed.add_changed([rent], [top]).missing) == ["rent.txt"]
    assert names(hashed.add_changed([rent], [top], prune=True).pruned) == ["rent.txt"]
    assert [Path(d.path).name for d in hashed.documents()] == ["fees.txt"]


def test_a_changed_file_of_any_name_is_tried_where_it_was_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.unknown"
    file.write_text("x")
    assert list(walk_changed([file], [file])) == [(file, None)]
    [(_, reason)] = walk_changed([file], [tmp_path])
    assert reason and "not a supported format" in reason


@pytest.fixture
def watching(tmp_path: Path, cache_folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[str], Path]]:
    """`agent add --watch` of a folder, and the lines that it has written."""
    own, folder = tmp_path / "own", tmp_path / "d"
    own.mkdir()
    (own / "cache").symlink_to(cache_folder)
    write(folder, rent=RENT)
    child = subprocess.Popen(
        [*forked("agent.cli"), "add", "--watch", str(folder)],
        env=environment(own),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    assert child.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend(iter(child.stdout.readline, "")))  # type: ignore[union-attr]
    reader.start()
    until(lambda: any("watching" in line for line in lines) or child.poll() is not None)
    yield child, lines, folder
    if child.poll() is None:
        child.kill()
    child.wait(WAIT_S)
    reader.join(WAIT_S)
    child.stdout.close()


@pytest.mark.slow
def test_watching_from_the_command_line(watching: tuple[subprocess.Popen[str], list[str], Path]) -> None:
    child, lines, folder = watching
    assert any("1 indexed" in line for line in lines), lines
    write(folder, dues="The dues are 120 a year.")
    until(lambda: any("indexed" in line and "dues.txt (1 embedded, 0 reused)" in line for line in lines))
    with (folder / "long.txt").open("w", encoding="utf-8") as out:  # written to while it is read
        for n in range(30):
            out.write(f"Line {n} of a file that grows. 第{n}行。\n\n" * 20)
            out.flush()
            time.sleep(0.05)
    until(lambda: any("indexed" in line and "long.txt" in line for line in lines))
    (folder / "dues.txt").rename(folder / "fees.txt")
    until(lambda: any("moved" in line and "fees.txt" in line for line in lines))
    (folder / "fees.txt").unlink()
    until(lambda: any("missing" in line and "fees.txt" in line for line in lines))
    child.send_signal(signal.SIGINT)
    assert child.wait(WAIT_S) == 0
    until(lambda: any("stopped" in line for line in lines))
    assert "Traceback" not in "".join(lines)


def test_watching_what_is_not_there_is_one_clear_line(tmp_path: Path, cache_folder: Path) -> None:
    done = called(tmp_path, "add", "--watch", str(tmp_path / "无"))
    assert done.returncode == 1
    assert done.stderr == f"error: no such file or folder to watch: {tmp_path / '无'}\n"


# --- the folders of `--docs` ------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_folders_left_behind_are_taken_away_and_held_ones_are_not(temporary: Path) -> None:
    for name in ("stale", "held", "making"):
        (temporary / f"{PREFIX}{name}").mkdir()
    for name in ("stale", "held"):
        (temporary / f"{PREFIX}{name}" / HELD).touch()
    (temporary / "toulmin-of-another-program").mkdir()
    with locked(temporary / f"{PREFIX}held" / HELD), docs_folder() as own:
        left = {path.name for path in temporary.iterdir()}
        assert left == {f"{PREFIX}held", f"{PREFIX}making", "toulmin-of-another-program", Path(own).name}
        remove_stale()
        assert Path(own).exists()  # our own is held, too
    assert not Path(own).exists()


DOCS_CHILD = """
import sys, time
import agent.assistant
from agent import cli
real = agent.assistant.build_deps
def slow(*given, **named):
    print('ready', flush=True)
    time.sleep(60)
    return real(*given, **named)
agent.assistant.build_deps = slow
sys.argv = ['agent', 'ask', 'When is the rent due?', '--docs', sys.argv[1]]
cli.main()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_docs_leave_nothing_when_the_terminal_is_closed(
    temporary: Path, tmp_path: Path, cache_folder: Path, number: signal.Signals
) -> None:
    [file] = write(tmp_path / "d", rent=RENT)
    (tmp_path / "cache").symlink_to(cache_folder)
    child = subprocess.Popen(
        [sys.executable, "-c", DOCS_CHILD, str(file)],
        env=environment(tmp_path, TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        assert len(list(temporary.glob(f"{PREFIX}*"))) == 1
        os.kill(child.pid, number)
        assert child.wait(WAIT_S) == 128 + number
    assert not list(temporary.glob(f"{PREFIX}*"))
