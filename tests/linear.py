"""Whether work grows with its size, and not with the square of it: a ratio, as machines differ and are busy."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

TIMES = 8  # as much work: 64 times as long where it is quadratic
RATIO = 32
LEAST_S = 0.002  # below that a clock tells nothing


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Compare the CPU time of `work(size)` with that of TIMES the size."""
    work(size)  # what is built once is built now
    small, large = _seconds(work, size), _seconds(work, TIMES * size)
    assert large < RATIO * max(small, LEAST_S), f"{small:.4f} s, then {large:.4f} s"


def _seconds(work: Callable[[int], object], size: int) -> float:
    gc.disable()  # a collection looks at all that earlier tests have left, and falls on either run
    try:
        started = time.thread_time()
        work(size)
        return time.thread_time() - started
    finally:
        gc.enable()
