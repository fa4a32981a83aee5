"""Does something with the latest of what it is given, in a thread of its own. It knows nothing of runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Latest(Generic[T]):
    """Calls `write` with one item after another; one that is overtaken before its turn is left out.

    `write` must not raise. Calls are at least `pause_s` apart. After `close` the last item has been written.
    """

    def __init__(self, write: Callable[[T], None], pause_s: float = 0.0) -> None:
        self._write, self._pause_s = write, pause_s
        self._given: list[T] = []
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="latest", daemon=True)
        self._thread.start()

    def give(self, item: T) -> None:
        """Have it written soon; returns at once."""
        with self._changed:
            self._given = [item]
            self._changed.notify()

    def forget(self) -> None:
        """What is given and not written yet need not be."""
        with self._changed:
            self._given = []

    def close(self) -> None:
        """Wait until all is written. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._given or self._closed)
                given, self._given = self._given, []
            if not given:
                return
            self._write(given[0])
            with self._changed:
                self._changed.wait_for(lambda: self._closed, self._pause_s)
