"""A chat model that says what it was told to say.

For tests and demonstrations of everything around the model: it runs nowhere, knows
nothing and takes no time. It does not constrain or judge its script: a reply for
``with_structured_output`` is parsed as any model's would be, so a bad script fails as
a bad model does.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr

from agent.models.messages import estimated_tokens
from agent.models.structured import as_schema, structured_runnable
from agent.models.text_stream import StopFilter

Answer = str | dict[str, Any]
Reply = Answer | Exception | Callable[[list[BaseMessage]], Answer]


class ScriptedChat(BaseChatModel):
    """Gives its replies in order, one for each call.

    A reply is text; a dict, said as JSON; an exception, raised; or a function of the
    messages that returns text or a dict. A call with no reply left fails with
    AssertionError, which no handler of model errors takes for one.

    ``history`` holds the messages of every call, failed ones too. Tokens are counted as
    one for every four bytes of UTF-8, so that budgets have something to count.

    Example:
        >>> chat = ScriptedChat(replies=["Hello.", {"sufficient": True}])
        >>> chat.invoke("Hi").content
        'Hello.'
    """

    replies: list[Reply] = Field(default_factory=list)
    history: list[list[BaseMessage]] = Field(default_factory=list)

    _queue: deque[Reply] = PrivateAttr(default_factory=deque)

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        self._queue = deque(self.replies)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def remaining(self) -> int:
        """Replies not yet given."""
        return len(self._queue)

    def enqueue(self, *replies: Reply) -> None:
        """Add replies at the end of the script."""
        self._queue.extend(replies)

    def get_num_tokens(self, text: str) -> int:
        """An estimate: `estimated_tokens`."""
        return estimated_tokens(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """The sum over the messages' texts."""
        return sum(self.get_num_tokens(str(message.text)) for message in messages)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """As in ChatGGUF, but for the grammar: the next reply is parsed as JSON.

        Raises:
            ModelError: here for a schema of another kind; in use when the reply is not
                JSON or the pydantic class refuses it.
        """
        return structured_runnable(self, as_schema(schema), include_raw=include_raw)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self.history.append(list(messages))
        filtered = StopFilter(stop or [])
        text = filtered.feed(self._next(messages)) + filtered.finish()
        for word in re.findall(r"\s*\S+|\s+$", text):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=word))
            if run_manager is not None:
                run_manager.on_llm_new_token(word, chunk=chunk)
            yield chunk
        yield self._last_chunk(messages, text)

    def _next(self, messages: list[BaseMessage]) -> str:
        if not self._queue:
            asked = str(messages[-1].text)[:80] if messages else ""
            raise AssertionError(f"ScriptedChat has no reply left for call {len(self.history)}: {asked!r}")
        reply = self._queue.popleft()
        if isinstance(reply, Exception):
            raise reply
        answer = reply(list(messages)) if callable(reply) else reply
        return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)

    def _last_chunk(self, messages: list[BaseMessage], text: str) -> ChatGenerationChunk:
        asked, said = self.get_num_tokens_from_messages(messages), self.get_num_tokens(text)
        message = AIMessageChunk(
            content="",
            chunk_position="last",
            usage_metadata={
                "input_tokens": asked,
                "output_tokens": said,
                "total_tokens": asked + said,
            },
        )
        info = {"finish_reason": "stop", "model_name": "scripted"}
        return ChatGenerationChunk(message=message, generation_info=info)
