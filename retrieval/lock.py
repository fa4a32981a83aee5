"""A lock on a file, held by one at a time across threads and processes; the system frees it with its holder.

It does nothing where the file system knows no locks: SQLite's own still keep a library whole.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

WAIT_S = 0.2  # between two tries where the system cannot wait by itself


def try_lock(file: Path) -> int | None:
    """A descriptor that holds the lock until it is closed, or None while another one holds it.

    Raises `OSError` when the file cannot be made.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        _take(descriptor)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        return None
    except OSError:
        pass  # a network drive without locks
    return descriptor


@contextlib.contextmanager
def locked(file: Path, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock; `on_wait` is called once when another one holds it. Ctrl-C ends the waiting."""
    descriptor = try_lock(file)
    if descriptor is None and on_wait:
        on_wait()
    while descriptor is None:
        time.sleep(WAIT_S)
        descriptor = try_lock(file)
    try:
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
