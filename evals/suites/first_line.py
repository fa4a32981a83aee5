"""How soon a terminal shows something: seconds from the start of a process to what it writes, in turn.

Each command runs on a pseudo-terminal of its own, over the sample library, beside `python -c pass`, which the
others are given as multiples of. It measures whole processes on the machine as it is; nothing is warmed but
the files.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.assistant import Agent
from agent.deps import prepare
from agent.settings import read_settings

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
REPEATS = 7
LIMIT_S = 120.0
AGENT = (sys.executable, "-P", "-m", "agent.cli")
ASK = (*AGENT, "ask", "--no-memory", "--trace", "Who discovered two comets?")
NOTHING = "python -c pass"
# What is awaited of each: "" for the end, b"" for the first byte.
MEASURED: dict[str, tuple[Sequence[str], bytes | str]] = {
    NOTHING: ((sys.executable, "-c", "pass"), ""),
    "agent --help": ((*AGENT, "--help"), ""),
    "agent ask, first line": (ASK, b""),
    "agent ask, first event of the graph": (ASK, b" s  recall"),
    "agent ask": (ASK, ""),
}


def measure(repeats: int = REPEATS) -> dict[str, Any]:
    """Median and range in seconds of each, and the median as a multiple of `python -c pass`."""
    base = read_settings()
    cache = prepare(base)[0].parent.parent
    seconds: dict[str, list[float]] = {name: [] for name in MEASURED}
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "cache").symlink_to(cache)
        with Agent(replace(base, home=Path(home))) as assistant:
            assistant.add(SAMPLE)
        for _ in range(repeats):
            for name, (command, awaited) in MEASURED.items():
                seconds[name].append(seconds_to(command, awaited, home))
    nothing = statistics.median(seconds[NOTHING])
    return {
        name: {
            "seconds_p50": statistics.median(found),
            "range": [min(found), max(found)],
            f"times {NOTHING}": statistics.median(found) / nothing,
        }
        for name, found in seconds.items()
    }


def seconds_to(command: Sequence[str], awaited: bytes | str, home: str) -> float:
    """Seconds until a command on a terminal has written some bytes, or its first one, or has ended."""
    environment = {**os.environ, "AGENT_HOME": home, "TERM": "xterm"}
    started = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], list(command), environment)
    shown, at = b"", 0.0
    try:
        while time.perf_counter() < started + LIMIT_S:
            if not select.select([terminal], [], [], LIMIT_S)[0]:
                break
            try:
                data = os.read(terminal, 65_536)
            except OSError:  # it has ended
                break
            if not data:
                break
            shown += data
            if not at and isinstance(awaited, bytes) and awaited in shown:
                at = time.perf_counter() - started
        return at or time.perf_counter() - started
    finally:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        os.close(terminal)
