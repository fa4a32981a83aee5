"""Read the text in an image through the program `tesseract`, if it is installed.

It runs on this machine, one page at a time and for a limited time. Nothing is installed or
fetched: it reads the languages of this project for which tesseract has data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

LANGUAGES = ("eng", "chi_sim", "chi_tra")
PAGE_SECONDS = 60.0
WANTED = "install tesseract to have them read"
FILE_SECONDS = 600.0  # after which the rest of a file's pages stay unread
DOTS_PER_INCH = 300  # what tesseract's manual asks for ("Improving the quality of the output")
PIXELS = 25_000_000  # of a page at most: A3 at that resolution has 17 million

# It sets Chinese characters apart by spaces.
_SPACED = re.compile("(?<=[\u2e80-\u9fff\uff00-\uffef]) +(?=[\u2e80-\u9fff\uff00-\uffef])")


def available() -> bool:
    """Whether there is a tesseract with data for a language of this project."""
    program = _program()
    return program is not None and bool(_languages(program))


def reads_more(notes: Iterable[str]) -> bool:
    """Whether a document, by its notes, has pages that could not be read before and can be now."""
    return any(WANTED in note for note in notes) and available()


def text_of(image: bytes) -> str:
    """The text in an image (PNM); "" where there is none, or tesseract fails or takes too long."""
    import subprocess

    program = _program()
    if program is None or not image:
        return ""
    command = [program, "stdin", "stdout", "-l", "+".join(_languages(program))]
    try:
        done = subprocess.run(command, input=image, capture_output=True, timeout=PAGE_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return _SPACED.sub("", done.stdout.decode("utf-8", "replace")).replace("\f", "\n")


def _program() -> str | None:
    from shutil import which

    return which("tesseract")


@lru_cache(8)
def _languages(program: str) -> tuple[str, ...]:
    import subprocess

    try:
        done = subprocess.run([program, "--list-langs"], capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    known = (done.stdout + done.stderr).decode("utf-8", "replace").split()
    return tuple(name for name in LANGUAGES if name in known)
