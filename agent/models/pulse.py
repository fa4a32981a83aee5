"""The pulse of one call: lets its deadline and its handlers stop it, also while it writes nothing.

What waits or computes calls `check` now and then; what writes calls `tell` with each piece.
"""

from __future__ import annotations

import time

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.outputs import ChatGenerationChunk

from agent.errors import ModelError
from agent.models.messages import chunk as new_chunk

PULSE_S = 0.1  # how often a call that writes nothing looks whether it is still wanted


class Pulse:
    """Begins when it is made. `late` is what a `ModelError` says after `timeout_s` seconds; None for any."""

    def __init__(self, timeout_s: float | None, handlers: CallbackManagerForLLMRun | None, late: str) -> None:
        self._until = time.monotonic() + timeout_s if timeout_s is not None else float("inf")
        self._handlers, self._late = handlers, late
        self._told = time.monotonic()

    def check(self) -> None:
        """Raises `ModelError` after the deadline, and what a handler raises."""
        now = time.monotonic()
        if now > self._until:
            raise ModelError(self._late)
        if now - self._told > PULSE_S:
            self.tell(new_chunk("", False))

    def tell(self, chunk: ChatGenerationChunk) -> None:
        """Hand a piece of the reply to the handlers."""
        self._told = time.monotonic()
        if self._handlers is not None:
            self._handlers.on_llm_new_token(str(chunk.message.content), chunk=chunk)
