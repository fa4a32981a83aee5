"""Ctrl-C while an answer is on its way: the first settles it, a second ends the program at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from agent.assistant import Agent

INTERRUPTED = 130  # exit code, as of any program that Ctrl-C ends
SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def ctrl_c_settles(assistant: Agent) -> Iterator[None]:
    """Within it, Ctrl-C settles the run with what is verified so far.

    Raises KeyboardInterrupt where no run has begun.
    """
    pressed = False

    def handle(signum: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            _leave()
        pressed = True
        if not assistant.stop():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave() -> None:
    """End the process, whatever it is doing: a chat model may be deep in compiled code."""
    line = f"{SHOW_CURSOR if sys.stderr.isatty() else ''}\ninterrupted\n"
    os.write(2, line.encode())  # not through the stream, which may be in the middle of a write
    os._exit(INTERRUPTED)
