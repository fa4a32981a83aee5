"""How tests open a terminal window of their own width, and read what stands in it. No tests are here."""

from __future__ import annotations

import fcntl
import re
import struct
import termios
from collections.abc import Sequence
from pathlib import Path

from tests.processes import Terminal, forked


def window(
    home: Path,
    *arguments: str,
    columns: int = 40,
    cwd: Path | None = None,
    code: Sequence[str] | None = None,
    **more: str,
) -> Terminal:
    """A command in a window that tells its width itself, with `more` in its environment."""
    setting = [f"{name}={value}" for name, value in more.items()]
    script = f'stty cols {columns} rows 24; cd "$0"; exec "$@"'
    shell = ["sh", "-c", script, str(cwd or Path.cwd())]
    return Terminal(
        home, *arguments, code=["env", "-u", "COLUMNS", *setting, *shell, *(code or forked("agent.cli"))]
    )


def resize(terminal: Terminal, columns: int) -> None:
    fcntl.ioctl(terminal._file, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def lines_of(shown: str) -> list[str]:
    """What stands in the window at the end, line by line, without colours and links."""
    text = re.sub(r"\x1b\[\?25[lh]|\x1b\]8;.*?\x1b\\|\x1b\[[\d;]*m", "", shown).replace("\r\n", "\n")
    text = re.sub(r"[^\n]*\n\r?\x1b\[1A\x1b\[2K", "", text)  # a line that was wiped
    return [re.split(r"\r|\x1b\[2?K", line)[-1] for line in text.split("\n")]
