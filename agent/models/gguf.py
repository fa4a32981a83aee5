"""A LangChain chat model over a local GGUF file.

Runs the file in this process with llama.cpp. It does not download anything, does not
call tools, takes text only, and keeps no conversation: each call stands alone.
Importing this module does not import llama_cpp, and making a ChatGGUF does not load
the file; the first question does.
"""

import codecs
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
)
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr

from agent.errors import ContextOverflow, ModelError
from agent.models.engine import Engine, Message, gpu_backend
from agent.models.structured import as_schema, json_schema, structured_runnable
from agent.models.text_stream import OPEN_TAG, StopFilter, ThinkFilter

__all__ = ["ChatGGUF", "gpu_backend"]


class ChatGGUF(BaseChatModel):
    """Answers with the model in a GGUF file, by the file's own chat template.

    One context serves one generation at a time: other threads wait. A stream holds the
    context until it is read to its end or closed, so do not ask again in the same
    thread before that.

    Reasoning in leading ``<think>`` tags is moved from the content to
    ``additional_kwargs["reasoning_content"]``. ``response_metadata["finish_reason"]`` is
    "stop" (the model ended, or a stop sequence came) or "length" (cut short).

    Two options may also be given per call or with ``bind``: ``max_output_tokens``, and
    ``grammar_schema``, a JSON schema the reply must follow.

    Every error is a ModelError; a prompt that is too long is a ContextOverflow.
    """

    model_path: str
    """The .gguf file; "~" is understood."""
    context_tokens: int = Field(default=4096, ge=0)
    """Tokens of prompt and reply together; 0 takes what the model was trained with."""
    gpu_layers: int = Field(default=-1, ge=-1)
    """Layers to put on the GPU, where llama.cpp has one; -1 for all."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; None leaves the choice to llama.cpp."""
    seed: int = Field(default=0, ge=0, lt=2**32 - 1)
    """Of the sampling; without effect at temperature 0."""
    temperature: float = Field(default=0.0, ge=0.0)
    """0 takes the likeliest token each time."""
    max_output_tokens: int = Field(default=1024, ge=1)
    """The reply is cut after this many tokens, or where the context ends."""
    reuse_prefix: bool = True
    """Do not compute again what a prompt has in common with the one before. False makes
    a reply independent of what was asked before, to the last bit, and is slower."""

    _engine: Engine | None = PrivateAttr(default=None)
    _loading: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _generating: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "gguf"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = ("model_path", "context_tokens", "seed", "temperature", "max_output_tokens")
        return {name: getattr(self, name) for name in names}

    @property
    def window(self) -> int:
        """Tokens the context really holds. Loads the model."""
        return self._load().window

    def get_num_tokens(self, text: str) -> int:
        """Tokens of a text by itself, by the model's own vocabulary. Loads the model."""
        return len(self._load().tokenize(text))

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Tokens of the whole prompt for these messages. Loads the model."""
        return self.get_num_tokens(self._load().render([_plain(m) for m in messages]))

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """A runnable whose result follows ``schema``, held to it by a grammar.

        Args:
            schema: a pydantic class (the result is an instance) or a JSON schema (plain
                data). Enums, constants and field names must be free of quotes,
                backslashes, control characters and characters above U+FFFF.
            include_raw: return a dict of ``raw``, ``parsed`` and ``parsing_error``.
            kwargs: options for the call, as for ``bind``. ``method`` and ``strict`` are
                taken for compatibility and change nothing.

        Raises:
            ModelError: here for a schema of another kind; in use when there is no grammar
                for it, or the reply is cut short or refused by the pydantic class.
        """
        shape = as_schema(schema)
        options = {name: kwargs[name] for name in kwargs if name not in ("method", "strict")}
        model = self.bind(grammar_schema=json_schema(shape), **options)
        return structured_runnable(model, shape, include_raw=include_raw)

    def close(self) -> None:
        """Free the model's memory, after the generation in progress if there is one.

        Asking again loads the file again.
        """
        with self._generating, self._loading:
            if self._engine is not None:
                self._engine.close()
            self._engine = None

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
        options = _Options.of(kwargs)
        with self._generating:
            engine = self._load()
            prompt = engine.render([_plain(message) for message in messages])
            tokens = engine.tokenize(prompt)
            if len(tokens) >= engine.window:
                raise ContextOverflow(len(tokens), engine.window)
            limit = min(options.limit or self.max_output_tokens, engine.window - len(tokens))
            grammar = engine.grammar(options.schema) if options.schema else None
            reply = _Reply(
                limit,
                StopFilter(stop or []),
                # A grammar leaves no room for reasoning, even if the template opens the tag.
                ThinkFilter(inside=prompt.rstrip().endswith(OPEN_TAG), off=grammar is not None),
            )
            pieces = engine.generate(
                tokens,
                temperature=self.temperature,
                seed=self.seed,
                grammar=grammar,
                reuse=self.reuse_prefix,
            )
            for is_reasoning, text in reply.read(pieces):
                chunk = _chunk(text, is_reasoning)
                if run_manager is not None:
                    run_manager.on_llm_new_token(str(chunk.message.content), chunk=chunk)
                yield chunk
        yield _last_chunk(Path(self.model_path).name, len(tokens), reply)

    def _load(self) -> Engine:
        with self._loading:
            if self._engine is None:
                self._engine = Engine(
                    Path(self.model_path).expanduser(),
                    context_tokens=self.context_tokens,
                    gpu_layers=self.gpu_layers,
                    threads=self.threads,
                )
            return self._engine


@dataclass
class _Options:
    """What may be set for a single call."""

    schema: dict[str, Any] | None
    limit: int | None

    @classmethod
    def of(cls, kwargs: dict[str, Any]) -> "_Options":
        known = {"grammar_schema", "max_output_tokens", "stream"}  # the last by LangChain
        if unknown := sorted(set(kwargs) - known):
            raise ModelError(f"ChatGGUF has no option {', '.join(unknown)}.")
        return cls(kwargs.get("grammar_schema"), kwargs.get("max_output_tokens"))


class _Reply:
    """Reads the bytes of one reply into text and keeps account of it."""

    def __init__(self, limit: int, stop: StopFilter, think: ThinkFilter) -> None:
        self._limit, self._stop, self._think = limit, stop, think
        self.tokens = 0
        self.finish_reason = "length"

    def read(self, pieces: Iterator[bytes]) -> Iterator[tuple[bool, str]]:
        """Yield ``(is_reasoning, text)``; an unfinished character at the end is dropped."""
        decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        for piece in pieces:
            self.tokens += 1
            yield from self._think.feed(self._stop.feed(decoder.decode(piece)))
            if self._stop.stopped:
                self.finish_reason = "stop"
                break
            if self.tokens >= self._limit:
                break
        else:
            self.finish_reason = "stop"
        yield from self._think.feed(self._stop.finish())
        yield from self._think.finish()


def _plain(message: BaseMessage) -> Message:
    """A message as chat templates know it.

    Raises:
        ModelError: the message is of a kind, or holds content, a text model cannot take.
    """
    roles = ((SystemMessage, "system"), (HumanMessage, "user"), (AIMessage, "assistant"))
    role = next((name for kind, name in roles if isinstance(message, kind)), None)
    if role is None:
        raise ModelError(f"A local model takes no {message.type} message.")
    if any(block["type"] not in ("text", "reasoning") for block in message.content_blocks):
        raise ModelError("A local model takes text only: remove images and tool calls.")
    return {"role": role, "content": str(message.text)}


def _chunk(text: str, is_reasoning: bool) -> ChatGenerationChunk:
    if is_reasoning:
        message = AIMessageChunk(content="", additional_kwargs={"reasoning_content": text})
    else:
        message = AIMessageChunk(content=text)
    return ChatGenerationChunk(message=message)


def _last_chunk(name: str, prompt_tokens: int, reply: _Reply) -> ChatGenerationChunk:
    message = AIMessageChunk(
        content="",
        chunk_position="last",
        usage_metadata={
            "input_tokens": prompt_tokens,
            "output_tokens": reply.tokens,
            "total_tokens": prompt_tokens + reply.tokens,
        },
    )
    info = {"finish_reason": reply.finish_reason, "model_name": name}
    return ChatGenerationChunk(message=message, generation_info=info)
