"""Talks to one driver in a process of its own, bounded in time. It measures nothing."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from queue import Empty, Queue
from typing import Any


class PeerError(Exception):
    """A driver failed; the message is one line that says how."""


class Driver:
    """A process that is asked in JSON lines, as `drivers.serve` says. Use it in a `with`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Raises `PeerError` where the command cannot be run."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._answers: Queue[bytes] = Queue()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=dict(environment),
                bufsize=0,
            )
        except OSError as error:
            self._errors.close()
            raise PeerError(f"cannot be started: {error.strerror}") from error
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reading.join(1)  # a process that the driver started may still hold the pipe
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe:
                pipe.close()

    def ask(self, limit_s: float, **request: Any) -> dict[str, Any]:
        """What the driver answers. Raises `PeerError` where it does not, or says that it failed."""
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            line = self._answers.get(timeout=limit_s)
        except Empty:
            raise PeerError(f"{request['do']}: no answer within {limit_s:g} s") from None
        except OSError:
            line = b""
        if not line:
            raise PeerError(f"{request['do']}: {self._end()}")
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            said = line.decode("utf-8", "replace").strip()[:60]
            raise PeerError(f"{request['do']}: said {said!r} in place of an answer")
        if "error" in told:
            raise PeerError(f"{request['do']}: {' '.join(str(told['error']).split())}")
        return told

    def _read(self) -> None:
        assert self._process.stdout
        reader = self._process.stdout
        rest = b""
        while block := reader.read(65536):  # unbuffered: what there is
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self._answers.put(line + b"\n")
        self._answers.put(rest)
        self._answers.put(b"")

    def _end(self) -> str:
        """How the process ended, and what it said last on stderr."""
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "it closed its output"
        self._errors.seek(0)
        said = self._errors.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        return f"it ended with code {code}" + (f": {said[-1].strip()[:200]}" if said else "")
