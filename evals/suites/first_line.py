"""How soon a terminal shows something: seconds from the start of a process to what it writes, in turn; and
milliseconds from a key to its echo in `agent chat`, while it loads and later, beside those of `cat`.

Each command runs on a pseudo-terminal of its own, over the sample library, beside `python -c pass`, which the
others are given as multiples of. It measures whole processes on the machine as it is; nothing is warmed but
the files.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
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
KEYS, PAUSE_S, REST_S = 40, 0.05, 8.0
AGENT = (sys.executable, "-P", "-m", "agent.cli")
ASK = (*AGENT, "ask", "--no-memory", "--trace", "Who discovered two comets?")
CHAT = (*AGENT, "chat", "--no-memory")
PROMPT = b"\x1b[0m>"
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
        keys = {
            "cat": echoes(["cat"], b"", home),
            "agent chat, while it loads": echoes(CHAT, PROMPT, home),
            "agent chat, later": echoes(CHAT, PROMPT, home, REST_S),
        }
    nothing = statistics.median(seconds[NOTHING])
    times = {
        name: {
            "seconds_p50": statistics.median(found),
            "range": [min(found), max(found)],
            f"times {NOTHING}": statistics.median(found) / nothing,
        }
        for name, found in seconds.items()
    }
    return times | {
        "key to echo, ms": {name: [statistics.median(one), max(one)] for name, one in keys.items()}
    }


def echoes(command: Sequence[str], prompt: bytes, home: str, rest_s: float = 0.0) -> list[float]:
    """Milliseconds from each of `KEYS` keys to what it makes the terminal show, from the prompt on."""
    pid, terminal = _started(command, home)
    shown, found = b"", []
    try:
        while prompt not in shown:
            shown += _read(terminal)
        time.sleep(rest_s)
        for n in range(KEYS):
            time.sleep(PAUSE_S)
            while select.select([terminal], [], [], 0)[0]:
                _read(terminal)
            began = time.perf_counter()
            os.write(terminal, b"ab"[n % 2 : n % 2 + 1])
            _read(terminal)
            found.append(1000 * (time.perf_counter() - began))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return found


def _read(terminal: int) -> bytes:
    """What it shows next; where the cursor is is answered, as a terminal does. Raises TimeoutError."""
    if not select.select([terminal], [], [], LIMIT_S)[0]:
        raise TimeoutError("nothing was shown")
    data = os.read(terminal, 65_536)
    if b"\x1b[6n" in data:
        os.write(terminal, b"\x1b[1;1R")
    return data


def _started(command: Sequence[str], home: str) -> tuple[int, int]:
    """The process of a command, and its pseudo-terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], list(command), {**os.environ, "AGENT_HOME": home, "TERM": "xterm"})
    return pid, terminal


def seconds_to(command: Sequence[str], awaited: bytes | str, home: str) -> float:
    """Seconds until a command on a terminal has written some bytes, or its first one, or has ended."""
    started = time.perf_counter()
    pid, terminal = _started(command, home)
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
