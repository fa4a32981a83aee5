"""The layer between the checks and the judge: a scorer of entailment, and a clock around whatever may hang.

The scorers are in `agent.critic.scorers`.
"""

from __future__ import annotations

import contextvars
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Entailer(Protocol):
    """Scores whether a premise entails a claim."""

    SUPPORTED_AT: float
    """A score from here on supports, [0, 1]."""
    REFUTED_AT: float
    """A score up to here refuses, [0, 1], below `SUPPORTED_AT`."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        """For each (premise, claim) a calibrated probability in [0, 1]."""
        ...


def checked_scores(scores: Any, count: int) -> list[float]:
    """The scores as floats. Raises ValueError unless there are `count` of them, each in [0, 1]."""
    found = [_probability(score) for score in scores]
    if len(found) != count:
        raise ValueError(f"{len(found)} scores for {count} claims")
    return found


def _probability(score: Any) -> float:
    if isinstance(score, (bool, str, bytes)):
        raise ValueError(f"{score!r} is no score")
    value = float(score)
    if math.isnan(value) or not 0 <= value <= 1:
        raise ValueError(f"{value} is no probability")
    return value


def within(timeout_s: float, call: Callable[[], T]) -> T:
    """What `call` returns. Raises what it raises, or TimeoutError; then it is left behind in its daemon thread."""
    done: list[T] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            done.append(context.run(call))
        except BaseException as error:  # handed to the caller, KeyboardInterrupt too
            failed.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=work, name="critic", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError(f"no answer within {timeout_s:g} s")
    return done[0]
