"""What `agent ask` and `agent chat` say where the library holds nothing yet, and the offer to fill it.

Nothing is added without a yes, and nobody is asked where there is no terminal to answer on.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agent.cli.progress import size_of, wipe
from agent.cli.words import FIRST

if TYPE_CHECKING:
    from agent.assistant import Agent
    from agent.state import Lang

MOST_FILES = 10_000  # counted before a folder is offered
MOST_S = 0.5


class Count(NamedTuple):
    """How many files there are to add, at least, and their bytes."""

    files: int
    size_bytes: int
    is_all: bool


def is_empty(assistant: Agent) -> bool:
    """Whether there is nothing to answer from."""
    return not assistant.library.store.chunk_count()


def can_answer_back() -> bool:
    """Whether a person is there who can be asked something."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def offer(assistant: Agent, lang: Lang = "en") -> bool:
    """Where the library is empty: say what to do next and, on a terminal, offer to add the current folder.

    Five lines at most. Whether the library has something to answer from now.
    """
    if not is_empty(assistant):
        return True
    wipe()
    tell(lang)
    folder = here()
    asks = can_answer_back() and not assistant.library.store.read_only
    found = counted(folder) if folder and asks else Count(0, 0, True)
    if not folder or not found.files or not _agreed(question(folder, found, lang)):
        return False
    from agent.cli.library import add_here

    if not _is_prepared(assistant):
        print(FIRST[lang]["prepare"], file=sys.stderr)
    add_here(assistant, folder)
    return not is_empty(assistant)


def tell(lang: Lang = "en") -> None:
    """Say what to do where the library is empty."""
    print("\n".join(FIRST[lang][one] for one in ("empty", "add", "docs", "model")), file=sys.stderr)


def here() -> Path | None:
    """The current folder; None where it was deleted."""
    try:
        return Path.cwd()
    except OSError:
        return None


def counted(folder: Path, most_files: int = MOST_FILES, most_s: float = MOST_S) -> Count:
    """What `agent add` would read of a folder, counted for so long at most."""
    from retrieval.load.walk import walk

    files = size_bytes = 0
    until = time.monotonic() + most_s
    for path, reason in walk([folder]):
        if files >= most_files or time.monotonic() > until:
            return Count(files, size_bytes, False)
        if reason is None:
            files, size_bytes = files + 1, size_bytes + size_of(path)
    return Count(files, size_bytes, True)


def question(folder: Path, found: Count, lang: Lang) -> str:
    """The offer of a folder; it says so where that is the home folder, or everything."""
    from rich.filesize import decimal

    words = FIRST[lang]
    kind = "root" if folder == Path(folder.anchor) else "home" if folder == _home() else "offer"
    numbers = [f"{found.files:,}", decimal(found.size_bytes)]
    count, size = numbers if found.is_all else [words["over"].format(one) for one in numbers]
    return words[kind].format(folder=folder, count=count, size=size)


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None


def _agreed(asked: str) -> bool:
    print(asked, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().casefold() in ("y", "yes", "是", "好", "好的", "要")


def _is_prepared(assistant: Agent) -> bool:
    """Whether the embedder can be loaded as it is; one that somebody named was prepared then."""
    from retrieval.embed import is_minilm, minilm_onnx_file

    settings = assistant.settings
    return not is_minilm(settings.embedder) or minilm_onnx_file(settings.cache_folder).exists()
