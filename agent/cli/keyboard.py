"""The terminal's keys while no prompt is open. What a prompt does with them is for `agent.cli.prompting`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

DUMB = ("dumb", "unknown")  # terminals that cannot move their cursor, such as a shell within Emacs


def is_terminal() -> bool:
    """Whether somebody types what stdin gives."""
    return sys.stdin is not None and sys.stdin.isatty()


def is_dumb() -> bool:
    return os.environ.get("TERM", "").lower() in DUMB


class PlainPrompt:
    """Reads a line as a dumb terminal gives it, without editing, history or completion."""

    was_empty = True

    def read(self) -> str:
        """Raises EOFError at Ctrl-D, KeyboardInterrupt at Ctrl-C."""
        sys.stderr.write("> ")
        sys.stderr.flush()
        with ctrl_c(signal.default_int_handler):
            line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line


@contextmanager
def ctrl_c(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Within it, Ctrl-C does this."""
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def do_nothing(_signum: int, _frame: FrameType | None) -> None:
    """Ctrl-C where there is nothing to stop: neither a line that is typed nor an answer."""


@contextmanager
def keys_kept() -> Iterator[Callable[[], None]]:
    """Within it, what is typed while no prompt is open is neither shown nor lost: the next prompt has it.

    Shown, it would be drawn into an answer on its way. The terminal is as it was afterwards, also when the
    program is told to end; what it yields makes it so before. Nothing is done where stdin is no terminal, or
    a dumb one, or the system has none of this kind.
    """
    if sys.platform == "win32" or not is_terminal() or is_dumb():
        yield lambda: None
        return
    import termios

    number = sys.stdin.fileno()
    before, quiet = termios.tcgetattr(number), termios.tcgetattr(number)
    quiet[0] &= ~termios.ICRNL  # or Enter would be a line end by the time the prompt reads it
    quiet[3] &= ~(termios.ECHO | termios.ICANON)

    def restore() -> None:
        with suppress(termios.error):
            termios.tcsetattr(number, termios.TCSADRAIN, before)

    ends = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}

    def leave(signum: int, frame: FrameType | None) -> None:
        restore()
        handler = ends[signal.Signals(signum)]
        if callable(handler):
            handler(signum, frame)
        os._exit(128 + signum)

    for one, handler in ends.items():
        if handler != signal.SIG_IGN:  # as under nohup
            signal.signal(one, leave)
    termios.tcsetattr(number, termios.TCSADRAIN, quiet)
    try:
        yield restore
    finally:
        restore()
        for one, handler in ends.items():
            signal.signal(one, handler or signal.SIG_DFL)
