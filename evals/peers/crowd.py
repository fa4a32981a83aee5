"""How many cores other programs kept busy meanwhile. Only Linux tells; elsewhere it is not known."""

from __future__ import annotations

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")
IDLE = (3, 4)  # idle, iowait; guests (8, 9) are within the first two (proc_stat(5))
COUNTED = 8


class Crowd:
    """Counts from when it is made; the time of this process and of its ended children is its own."""

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self._busy, self._own, self._wall = busy_s(stat), own_s(), time.perf_counter()

    def cores(self) -> float | None:
        """Cores that others kept busy on average; None where the system does not tell."""
        busy = busy_s(self._stat)
        if busy is None or self._busy is None:
            return None
        wall = time.perf_counter() - self._wall
        return max(0.0, busy - self._busy - (own_s() - self._own)) / wall


def busy_s(stat: Path) -> float | None:
    """Seconds that all cores have worked since the system began, what a host took from them included."""
    try:
        ticks = stat.read_text(encoding="ascii").split("\n", 1)[0].split()[1 : COUNTED + 1]
        return sum(int(one) for n, one in enumerate(ticks) if n not in IDLE) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None


def own_s() -> float:
    return sum(os.times()[:4])
