"""What the reader of a run should know and what the result of a call has no place for.

A node listens; whatever it calls may remark, in the critic's thread too. Nothing is kept between nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


@contextmanager
def hearing() -> Iterator[list[str]]:
    """The remarks that are made meanwhile, each once."""
    told: list[str] = []
    token = _heard.set(told)
    try:
        yield told
    finally:
        _heard.reset(token)


def remark(text: str) -> None:
    """Tell the node that listens; nobody, where none does."""
    told = _heard.get()
    if told is not None and text not in told:
        told.append(text)
