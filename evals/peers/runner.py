"""Has all ways do the same work in turn, so that what else the machine does hits them alike.

Of a corpus: adding it, in a fresh process each time; the first answer of a fresh process over what was added;
then question by question with all processes open. A way that fails is left out from there on, and its result
says how. It judges nothing; see `scores`.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.data import Row
from evals.peers.process import Driver, PeerError

PASSAGES = 10  # of each query
WARMING = 5  # questions, before those that count
PAUSE_S = 0.02  # threads of the one before may still spin


@dataclass(frozen=True)
class Way:
    """How one of them is run: a command that the index's folder and the model's are added to."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    missing: str = ""
    """Why it cannot be run at all."""


@dataclass
class Measured:
    """What was measured of one way, each list in the order of rounds or of questions."""

    failed: str = ""
    adding: list[dict[str, float]] = field(default_factory=list)
    """`seconds`, `processor`, `peak_mb`, `disk_mb`."""
    cold_s: list[float] = field(default_factory=list)
    asking: list[dict[str, Any]] = field(default_factory=list)
    """`seconds`, `processor`, `ids`."""
    asking_peak_mb: float = 0.0
    answers: list[dict[str, Any]] = field(default_factory=list)
    """`seconds`, `answer`; of ours alone."""


Found = dict[str, Measured]


@dataclass(frozen=True)
class Work:
    """One corpus with its questions, in a folder that may be filled."""

    corpus: Sequence[Row]
    questions: Sequence[str]
    warming: Sequence[str]
    folder: Path
    model: str
    rounds: int
    adding_limit_s: float = 3600.0
    asking_limit_s: float = 120.0
    """Of anything but adding; importing and loading a model is within it."""
    tell: Callable[[str], None] = lambda line: None

    def index(self, way: Way) -> Path:
        return self.folder / way.name


def measure(ways: Sequence[Way], work: Work) -> Found:
    """Everything of each way, by its name."""
    found = {way.name: Measured(way.missing) for way in ways}
    rows = work.folder / "rows.jsonl"
    lines = (json.dumps({key: row[key] for key in ("doc_id", "title", "text")}) for row in work.corpus)
    rows.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for n in range(work.rounds):
        for way in turns(ways, found, n):
            work.tell(f"adding, round {n + 1}: {way.name}")
            with failing(found[way.name]):
                found[way.name].adding.append(add(way, work, rows))
    for n in range(work.rounds):
        for way in turns(ways, found, n):
            work.tell(f"cold start, round {n + 1}: {way.name}")
            with failing(found[way.name]):
                found[way.name].cold_s.append(cold_start(way, work, work.questions[n % len(work.questions)]))
    work.tell(f"{len(work.questions)} questions")
    ask_all(ways, work, found)
    return found


def turns(ways: Sequence[Way], found: Found, n: int) -> list[Way]:
    """Those that still run, each round another one first."""
    n %= len(ways)
    return [way for way in [*ways[n:], *ways[:n]] if not found[way.name].failed]


@contextmanager
def failing(measured: Measured) -> Iterator[None]:
    """Notes in `failed` how what is done within fails."""
    try:
        yield
    except PeerError as error:
        measured.failed = str(error)
    except KeyError as error:
        measured.failed = f"its answer has no {error}"


def start(way: Way, work: Work) -> Driver:
    return Driver([*way.command, str(work.index(way)), work.model], way.environment)


def add(way: Way, work: Work, rows: Path) -> dict[str, float]:
    """Add the corpus to a new index; the model is loaded before the clock runs."""
    shutil.rmtree(work.index(way), ignore_errors=True)
    work.index(way).mkdir()
    with start(way, work) as driver:
        driver.ask(work.asking_limit_s, do="warm")
        told = driver.ask(work.adding_limit_s, do="ingest", file=str(rows))
        peak = driver.ask(work.asking_limit_s, do="close")["peak_mb"]
    times = {key: float(told[key]) for key in ("seconds", "processor")}
    return {**times, "peak_mb": peak, "disk_mb": disk_mb(work.index(way))}


def disk_mb(folder: Path) -> float:
    """What the files of a folder take; links, as to a cache of models, do not count."""
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return sum(file.stat().st_size for file in files) / 1e6


def cold_start(way: Way, work: Work, question: str) -> float:
    """Seconds from the start of a process to its first answer."""
    started = time.perf_counter()
    with start(way, work) as driver:
        driver.ask(work.asking_limit_s, do="load")
        query(driver, work, question)
        return time.perf_counter() - started


def ask_all(ways: Sequence[Way], work: Work, found: Found) -> None:
    """Every question to each way before the next one."""
    with ExitStack() as stack:
        drivers: dict[str, Driver] = {}
        for way in turns(ways, found, 0):
            with failing(found[way.name]):
                drivers[way.name] = stack.enter_context(start(way, work))
                drivers[way.name].ask(work.asking_limit_s, do="load")
        for n, question in enumerate([*work.warming, *work.questions]):
            for way in turns(ways, found, n):
                time.sleep(PAUSE_S)
                with failing(found[way.name]):
                    told = query(drivers[way.name], work, question)
                    if n >= len(work.warming):
                        found[way.name].asking.append(told)
        for way in turns(ways, found, 0):
            with failing(found[way.name]):
                told = drivers[way.name].ask(work.asking_limit_s, do="close")
                found[way.name].asking_peak_mb = told["peak_mb"]


def query(driver: Driver, work: Work, question: str) -> dict[str, Any]:
    told = driver.ask(work.asking_limit_s, do="query", question=question, k=PASSAGES)
    return {key: told[key] for key in ("seconds", "processor", "ids")}


def answer_all(way: Way, work: Work, measured: Measured) -> None:
    """Whole answers to the questions, of a way that gives some."""
    with failing(measured), start(way, work) as driver:
        driver.ask(work.asking_limit_s, do="load")
        for question in work.questions:
            told = driver.ask(work.asking_limit_s, do="answer", question=question)
            measured.answers.append({key: told[key] for key in ("seconds", "answer")})
