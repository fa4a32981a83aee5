"""What a run has used of its budget, and the brake that ends it early.

Whether another round may begin is decided in `routes`; nothing here decides.
"""

from __future__ import annotations

import threading
import time
from typing import TypedDict

from agent.errors import Stopped
from agent.settings import Settings
from agent.state import State

STOPPED: dict[str, dict[str, str]] = {
    "en": {
        "rounds": "no rounds left",
        "tokens": "no tokens left",
        "seconds": "out of time",
        "passages": "no room for passages",
        "stagnated": "nothing new found",
        "interrupted": "interrupted",
    },
    "zh": {
        "rounds": "轮数用完",
        "tokens": "词元用完",
        "seconds": "时间用完",
        "passages": "段落已满",
        "stagnated": "没有新发现",
        "interrupted": "已中断",
    },
}
"""Why no further round began, in words."""


class Spent(TypedDict):
    """What a run has used so far of what only a clock and a chat model can tell."""

    seconds: float
    tokens: int  # read and written by the chat model


class Use(TypedDict):
    """What was used of one budget. A limit of 0 tokens is no limit."""

    used: float
    limit: float


class Budget(TypedDict):
    """Every budget of a run."""

    rounds: Use
    tokens: Use
    seconds: Use
    passages: Use


class Meter:
    """Counts the seconds and tokens of one run; what it used before it was cut short counts too."""

    def __init__(self, before: Spent | None = None) -> None:
        self.tokens = before["tokens"] if before else 0
        self._began = time.perf_counter() - (before["seconds"] if before else 0.0)

    def __call__(self) -> Spent:
        return {"seconds": time.perf_counter() - self._began, "tokens": self.tokens}


class Brake:
    """Stops one run. It may be pulled from any thread, and from a signal handler.

    A run looks at it between nodes and between the tokens of a chat model. Pulled in the thread that is at
    work, which is what a signal handler does, it cuts the node short.
    """

    def __init__(self) -> None:
        self.pulled = False
        self._worker: int | None = None

    def pull(self) -> None:
        """Raises `Stopped` in the thread that is at work on the run."""
        self.pulled = True
        if self._worker == threading.get_ident():
            self._worker = None
            raise Stopped

    def work(self) -> None:
        """The calling thread begins work that may be cut short."""
        self._worker = threading.get_ident()

    def rest(self) -> None:
        """What follows is not to be cut short."""
        self._worker = None

    def check(self) -> None:
        """Raises `Stopped` if it was pulled."""
        if self.pulled:
            self._worker = None
            raise Stopped


def budget_of(state: State, settings: Settings, spent: Spent) -> Budget:
    """What a run used of each budget."""
    return {
        "rounds": {"used": state.get("round", 0), "limit": settings.max_rounds},
        "tokens": {"used": spent["tokens"], "limit": settings.max_tokens},
        "seconds": {"used": round(spent["seconds"], 3), "limit": settings.timeout_s},
        "passages": {"used": len(state.get("evidence", [])), "limit": settings.max_passages},
    }
