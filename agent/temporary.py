"""The folders that `--docs` makes and takes away, also when the program is ended from outside.

A folder is held by a lock as long as its program lives, by which the next one knows what was left behind.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from retrieval.lock import try_lock

PREFIX = "toulmin-docs-"
HELD = "held.lock"
_folders: set[str] = set()


@contextmanager
def docs_folder() -> Iterator[str]:
    """A folder that is gone afterwards; those that killed programs left behind are taken away first."""
    remove_stale()
    folder = tempfile.mkdtemp(prefix=PREFIX)
    _folders.add(folder)
    held = None
    try:
        held = try_lock(Path(folder) / HELD)
        yield folder
    finally:
        if held is not None:
            os.close(held)
        shutil.rmtree(folder, ignore_errors=True)
        _folders.discard(folder)


def remove_all() -> None:
    """Take away the folders of this program, which is about to end."""
    for folder in list(_folders):
        shutil.rmtree(folder, ignore_errors=True)


def remove_stale() -> None:
    """Take away the folders of programs that ended without doing so."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            # Only our own, never through a link, and one that is being made is not held yet.
            own = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
            if not own or folder.is_symlink() or not (folder / HELD).is_file():
                continue
            held = try_lock(folder / HELD)
            if held is not None:
                os.close(held)
                shutil.rmtree(folder, ignore_errors=True)
