"""Watches a chat model at work: counts its tokens, and stops it between two of them.

It works for any LangChain chat model; one that does not tell its usage counts as 0 tokens, and one that does
not stream is stopped only before its next call.
"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from agent.budget import Brake, Meter


class Watch(BaseCallbackHandler):
    """The callback of one run. What it raises is no `Exception`, so no handler of errors keeps it."""

    def __init__(self, meter: Meter, brake: Brake) -> None:
        self._meter = meter
        self._brake = brake

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self._brake.check()

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        self._brake.check()

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        for generations in response.generations:
            for one in generations:
                message = one.message if isinstance(one, ChatGeneration) else None
                if isinstance(message, AIMessage) and message.usage_metadata:
                    self._meter.tokens += message.usage_metadata["total_tokens"]
