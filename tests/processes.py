"""How tests run `agent`: as a process of its own, on a pseudo-terminal, or within the process of the tests.

`called` takes a tenth of the time of `run`, and is right for what a command says, leaves and returns. What only
a process shows (signals, pipes, encodings, how it ends) needs `run` or `Terminal`, which fork one where that can
be; what only one that starts from nothing shows (imports, closed streams) needs `AGENT`. No tests are here.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest

from agent.cli import _run

ROOT = Path(__file__).parent.parent
AGENT = [sys.executable, "-m", "agent.cli"]


def environment(home: Path | None = None, **more: str) -> dict[str, str]:
    """That of the tests, with this home and this tree."""
    kept = {k: v for k, v in os.environ.items() if home is None or not k.startswith("AGENT_")}
    own = {} if home is None else {"AGENT_HOME": str(home), "AGENT_NO_PROJECT": "1"}
    return {**kept, **own, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **more}


@cache
def forked(module: str) -> list[str]:
    """`python -m MODULE`, forked from a process that has everything imported where that can be (`tests.forked`)."""
    if not hasattr(os, "pidfd_open"):
        return [sys.executable, "-m", module]
    return [sys.executable, "-IS", str(ROOT / "tests" / "forked.py"), _server(), module]


@cache
def _server() -> str:
    """The name of the process that forks, which ends with this one."""
    name = f"toulmin-{uuid4().hex}"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.forked", name],
        env=environment(OPENBLAS_NUM_THREADS="1"),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)
    assert server.stdout is not None and server.stdout.readline() == "ready\n"
    return name


def run(
    home: Path,
    *arguments: str | bytes,
    stdin: str = "",
    cwd: Path | None = None,
    code: Sequence[str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, run to its end; `code`: another than `agent`."""
    return subprocess.run(
        [*(code or forked("agent.cli")), *arguments],
        env=environment(home),
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        check=False,
    )


def python(
    code: str, *arguments: str, flags: Sequence[str] = (), cwd: Path | None = ROOT, **more: str
) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that runs this code."""
    return subprocess.run(
        [sys.executable, *flags, "-c", code, *arguments],
        env=environment(None, **more),
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        check=False,
    )


def called(
    home: Path, *arguments: str, stdin: str | bytes = "", **more: str
) -> subprocess.CompletedProcess[str]:
    """A command within this process, by the function that the console script calls."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as streams:
        for name, value in {"AGENT_HOME": str(home), "COLUMNS": "100", **more}.items():
            patch.setenv(name, value)
        patch.setattr("sys.argv", ["agent", *arguments])
        data = stdin.encode() if isinstance(stdin, str) else stdin
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        streams.enter_context(contextlib.redirect_stdout(out))
        streams.enter_context(contextlib.redirect_stderr(err))
        code = _run()
    return subprocess.CompletedProcess(["agent", *arguments], code, out.getvalue(), err.getvalue())


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, home: Path, *arguments: str, code: Sequence[str] | None = None) -> None:
        command = [*(code or forked("agent.cli")), *arguments]
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execvpe(command[0], command, {**environment(home), "TERM": "xterm"})
        self.text = ""

    def wait_for(self, pattern: str, timeout_s: float = 60.0) -> str:
        """Read until a pattern appears after what was waited for before."""
        until = time.monotonic() + timeout_s
        start = len(self.text)
        while time.monotonic() < until:
            if re.search(pattern, self.text[start:]):
                return self.text[start:]
            if select.select([self._file], [], [], 0.2)[0]:
                try:
                    data = os.read(self._file, 65536).decode("utf-8", "replace")
                except OSError:
                    break
                if "\x1b[6n" in data:  # the prompt asks where the cursor is; a terminal would answer
                    os.write(self._file, b"\x1b[1;1R")
                self.text += data
        raise AssertionError(f"{pattern!r} did not appear in {self.text[start:]!r}")

    def send(self, data: bytes) -> None:
        os.write(self._file, data)

    def exit_code(self, timeout_s: float = 30.0) -> int:
        """Read what is left, so that the command cannot wait for us, until it has gone."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            gone, status = os.waitpid(self.pid, os.WNOHANG)
            if gone:
                return os.waitstatus_to_exitcode(status)
            if select.select([self._file], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    os.read(self._file, 65536)
        raise AssertionError("the command did not leave")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
