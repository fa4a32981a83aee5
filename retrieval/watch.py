"""Tell which files below some paths change, as they change, in groups.

It reads no files and knows no library; what is passed over in a folder is passed over here as well.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from retrieval.load.walk import is_passed_over

DEBOUNCE_MS = 1600  # a group ends when nothing has changed for STEP_MS, at the latest after so long
STEP_MS = 300  # a program that saves a file writes it several times over
TICK_MS = 1000  # how often files that were named themselves are looked at


class WatchError(Exception):
    """Nothing can be watched; the message says why and what to do."""


def changes(paths: Sequence[Path], stop: threading.Event | None = None) -> Iterator[list[Path]]:
    """What was created, changed, moved or removed since the item before, as absolute paths, in order.

    The first item comes at once and is empty: from then on nothing is missed, however long an item takes to
    be worked on. Folders are watched to the bottom; a file that was named itself is looked at once a second,
    as a program that saves it may put another one in its place. Raises `WatchError`, and `KeyboardInterrupt`
    at Ctrl-C.
    """
    from watchfiles import watch

    named = [Path(os.path.abspath(path)) for path in paths]
    folders = [path for path in named if path.is_dir()]
    files = {path: _stamp(path) for path in named if not path.is_dir()}
    yield_from = watch(
        *_outermost(folders),
        watch_filter=lambda _change, path: not _is_left_out(Path(path), folders),
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        stop_event=stop,
        rust_timeout=TICK_MS,
        yield_on_timeout=True,
    )
    began = False
    try:
        for found in yield_from:
            changed = {Path(path) for _, path in found}
            for file, before in files.items():
                files[file] = _stamp(file)
                if files[file] != before:
                    changed.add(file)
            if not began:
                began = True
                yield []
            if changed:
                yield sorted(changed)
    except (OSError, RuntimeError) as error:
        raise WatchError(
            f"these folders cannot be watched ({error}): raise the system's limit on watched files, "
            "or set WATCHFILES_FORCE_POLLING=1"
        ) from error


def _outermost(folders: Sequence[Path]) -> list[Path]:
    """The folders that lie in no other of them: nothing is told twice."""
    return [one for one in dict.fromkeys(folders) if not any(other in one.parents for other in folders)]


def _is_left_out(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a path is passed over in each of the folders that it lies in."""
    for folder in folders:
        if path == folder:
            return False
        if folder in path.parents and not any(
            is_passed_over(part) for part in path.relative_to(folder).parts
        ):
            return False
    return True


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size, info.st_ino
