"""What a terminal shows on stderr while something takes long: bars, and lines with a spinner.

A pipe, TERM=dumb and a closed stream show none of it; each caller says there what is to be said in a line.
Nothing heavy is imported before something is shown.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

    from retrieval.library import Progress

FILE_COSTS = 4000  # bytes that a file counts beside its own: reading a small one takes time, too
NARROW = 60  # columns below which a bar is left out
BAR_COLUMNS = 12
REFRESHES_PER_S = 5
_WIPE = "\r\x1b[K"


def is_live() -> bool:
    """Whether stderr is a terminal that can write a line anew."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def first_line(text: str) -> None:
    """Say on a terminal what is at work, before what takes time is imported; `wipe` takes it away."""
    if is_live():
        # The cursor goes back, so that an error is written over it.
        print(f"\r{text[: _columns() - 1]}\r", end="", file=sys.stderr, flush=True)
    elif sys.stderr.isatty():
        print(text, file=sys.stderr, flush=True)


def wipe() -> None:
    """Take the line away that stands on the terminal."""
    if is_live():
        print(_WIPE, end="", file=sys.stderr, flush=True)


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns


@contextmanager
def line(text: str = "") -> Iterator[Callable[[str], None]]:
    """A line with a spinner and the seconds gone, wiped at the end; what is yielded gives it another text."""
    if not is_live():
        yield lambda text: None
        return
    from rich.progress import SpinnerColumn, TimeElapsedColumn

    shown = _bar(SpinnerColumn("line"), _text(), TimeElapsedColumn())
    wipe()  # what was said before this was imported
    with shown as bar:
        task = bar.add_task(text)
        yield lambda text: bar.update(task, description=_visible(text))


@contextmanager
def adding(paths: Sequence[str | Path]) -> Iterator[Progress | None]:
    """Shows files and bytes, their rate and the time left, for an `add` of these paths."""
    if not is_live():
        yield None
        return
    from rich.filesize import decimal
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

    numbers = TextColumn("{task.fields[numbers]}", markup=False)
    with _bar(_text(ratio=1), *_unless_narrow(BarColumn(BAR_COLUMNS)), numbers, TimeRemainingColumn()) as bar:
        task = bar.add_task("counting", total=None, numbers="")
        sizes = file_sizes(paths)
        before = [0, *accumulate(sizes)]  # bytes before each file
        bar.update(task, description="getting ready")
        began = 0.0

        def advance(done: float, total: int, what: str) -> None:
            nonlocal began
            began = began or time.monotonic()
            whole = min(int(done), len(sizes))
            read = before[whole] + (done - int(done)) * (before[min(whole + 1, len(sizes))] - before[whole])
            rate = decimal(int(read / max(time.monotonic() - began, 0.1)))
            told = f"{whole}/{total} files, {decimal(int(read))} of {decimal(before[-1])}, {rate}/s"
            bar.update(
                task,
                completed=read + done * FILE_COSTS,
                total=before[-1] + total * FILE_COSTS,
                description=_visible(os.path.basename(what) or what),
                numbers=told if bar.console.width >= NARROW else f"{whole}/{total}",
            )

        yield advance


def file_sizes(paths: Sequence[str | Path]) -> list[int]:
    """Bytes of what an `add` of these paths goes through, in its order; 0 for what it leaves out."""
    from retrieval.addresses import is_address
    from retrieval.load.walk import walk

    named = [Path(one) for one in paths if not is_address(one)]
    pages = [one for one in paths if is_address(one)]
    return [0 if reason else size_of(path) for path, reason in walk(named)] + [0] * len(pages)


def size_of(path: Path) -> int:
    """Bytes of a file; 0 for one that cannot be looked at."""
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


@contextmanager
def counting(text: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how many of how many are done, their rate and the time left."""
    if not is_live():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}", markup=False)
    columns = (_text(ratio=1), *_unless_narrow(BarColumn(BAR_COLUMNS)), MofNCompleteColumn(), rate)
    with _bar(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task(text, total=None, rate="")
        began, first = time.monotonic(), -1

        def advance(done: int, total: int) -> None:
            nonlocal first
            first = done if first < 0 else first
            rate = (done - first) / max(time.monotonic() - began, 0.1)
            bar.update(task, completed=done, total=total, rate=f"{rate:.0f}/s")

        yield advance


@contextmanager
def fetching() -> Iterator[Callable[[int, int], None]]:
    """Shows how much of a download is there, how fast it comes and the time left."""
    if not is_live():
        yield lambda done, size: None
        return
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (*_unless_narrow(BarColumn(None)), DownloadColumn(), TransferSpeedColumn())
    with _bar(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task("", start=False, visible=False)

        def on_bytes(done: int, size: int) -> None:
            if not bar.tasks[task].visible:
                bar.start_task(task)
            bar.update(task, completed=done, total=size, visible=True)

        yield on_bytes


@contextmanager
def following(text: str, log: Path) -> Iterator[None]:
    """A spinner with the time gone and the last line of a log, which grows meanwhile."""
    import threading

    with line(text) as say:
        ended = threading.Event()

        def follow() -> None:
            while not ended.wait(0.5):
                say(f"{text}: {_last_line(log)}")

        thread = threading.Thread(target=follow, daemon=True)
        if is_live():
            thread.start()
        try:
            yield
        finally:
            ended.set()
            if thread.is_alive():
                thread.join()


def _last_line(log: Path) -> str:
    """The last line of a log with something on it; "" where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((one.strip() for one in reversed(lines) if one.strip()), "")


def _bar(*columns: ProgressColumn) -> Bar:
    from rich.progress import Progress

    from agent.cli.render import console

    stretches = any(one.get_table_column().ratio for one in columns)
    return Progress(
        *columns,
        console=console(sys.stderr),
        transient=True,
        expand=stretches,
        refresh_per_second=REFRESHES_PER_S,
    )


def _text(ratio: int | None = None) -> ProgressColumn:
    """The description on one line, cut where the window ends."""
    from rich.progress import TextColumn
    from rich.table import Column

    return TextColumn(
        "{task.description}",
        markup=False,
        table_column=Column(no_wrap=True, overflow="ellipsis", ratio=ratio),
    )


def _unless_narrow(column: ProgressColumn) -> tuple[ProgressColumn, ...]:
    return (column,) if _columns() >= NARROW else ()


def _visible(text: str) -> str:
    from agent.cli.render import visible

    return " ".join(visible(text).split())
