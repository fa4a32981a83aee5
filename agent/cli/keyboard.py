"""The terminal's keys while no prompt is open. What a prompt does with them is for `agent.cli.prompting`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def keys_kept() -> Iterator[Callable[[], None]]:
    """Within it, what is typed while no prompt is open is neither shown nor lost: the next prompt has it.

    Shown, it would be drawn into an answer on its way. The terminal is as it was afterwards, also when the
    program is told to end; what it yields makes it so before. Nothing is done where stdin is no terminal, or
    the system has none of this kind.
    """
    if sys.platform == "win32" or not sys.stdin.isatty():
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
