"""A LangChain chat model over a local GGUF file.

Runs the file in this process with llama.cpp. It does not download anything, does not
call tools, takes text only, and keeps no conversation: each call stands alone.
Importing this module does not import llama_cpp, and making a ChatGGUF does not load
the file; the first question does.
"""

import codecs
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr

from agent.errors import ContextOverflow, ModelError
from agent.models.engine import Engine, Info, Speed, check_file, gpu_backend
from agent.models.hardware import ALL_LAYERS, devices, offloaded_layers
from agent.models.header import read_header
from agent.models.messages import chunk as new_chunk
from agent.models.messages import plain
from agent.models.pulse import PULSE_S, Pulse
from agent.models.structured import as_schema, is_traceable, json_schema, structured_runnable
from agent.models.text_stream import StopFilter, ThinkFilter

__all__ = ["ChatGGUF", "gpu_backend"]

_LEAST_ROOM = 256  # tokens kept free for a constrained reply, or as many as it may have


class ChatGGUF(BaseChatModel):
    """Answers with the model in a GGUF file, by the file's own chat template.

    One context serves one generation at a time: other threads wait. A stream holds the
    context until it is read to its end or closed, so do not ask again in the same
    thread before that.

    Reasoning in leading ``<think>`` tags is moved from the content to
    ``additional_kwargs["reasoning_content"]``. ``response_metadata["finish_reason"]`` is
    "stop" (the model ended, or a stop sequence came) or "length" (cut short).
    ``usage_metadata["input_token_details"]["cache_read"]`` counts the prompt tokens that
    did not have to be computed again.

    Messages are text, whatever they spell: ``<|im_end|>`` in a question ends nothing.

    Options that may also be given per call or with ``bind``: ``max_output_tokens``,
    ``think``, ``timeout_s``, and ``grammar_schema``, a JSON schema the reply must follow
    (the model then does not reason first).

    While it works, handlers of ``on_llm_new_token`` are called for every token, and with
    an empty one now and then while the prompt is computed; what they raise stops it. (What
    is no Exception, or what a handler with ``raise_error`` raises: others are only logged,
    by LangChain.) `stream` has no such handlers before its first token.

    Every error is a ModelError; a prompt that is too long is a ContextOverflow.
    """

    model_path: str
    """The .gguf file; "~" is understood."""
    context_tokens: int = Field(default=4096, ge=0)
    """Tokens of prompt and reply together; 0 takes what the model was trained with."""
    gpu_layers: int = Field(default=-1, ge=-1)
    """Layers to put on the GPU, where llama.cpp has one; -1 for as many as fit into what is free there when
    the model is loaded."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; None leaves the choice to llama.cpp."""
    seed: int = Field(default=0, ge=0, lt=2**32 - 1)
    """Of the sampling; without effect at temperature 0."""
    temperature: float = Field(default=0.0, ge=0.0)
    """0 takes the likeliest token each time."""
    max_output_tokens: int = Field(default=1024, ge=1)
    """The reply is cut after this many tokens, or where the context ends."""
    think: bool | None = None
    """Whether the model reasons before it answers, where its template has a switch for that
    or opens the tag; None leaves it to the template. Never before constrained replies."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Seconds that a call may take, waiting for its turn included; None for any."""
    batch_tokens: int = Field(default=512, ge=1)
    """Prompt tokens computed at once: more is faster on a GPU, and takes more of its memory."""
    flash_attention: bool | None = None
    """None uses it where layers may go to a GPU."""
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

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_model_name"] = str(kwargs.get("model") or Path(self.model_path).name)
        params["ls_max_tokens"] = kwargs.get("max_output_tokens") or self.max_output_tokens
        return params

    def info(self) -> Info:
        """What the model is and how it was loaded. Loads it."""
        return self._load().info()

    def measure(self) -> Speed:
        """Prompt and generation tokens per second, of a short prompt and reply. Loads the model."""
        with self._generating:
            return self._load().measure()

    def get_num_tokens(self, text: str) -> int:
        """Tokens of a text by itself, by the model's own vocabulary. Loads the model."""
        return self._load().count(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Tokens of the whole prompt for these messages. Loads the model."""
        return len(self._load().prompt([plain(m) for m in messages], think=self.think).tokens)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """A runnable whose result follows ``schema``, held to it by a grammar.

        Args:
            schema: a pydantic class (the result is an instance), a TypedDict or a JSON
                schema (plain data). Flat ones serve small models best. What no grammar can
                enforce (see agent.models.grammar) is refused, not passed over.
            include_raw: return a dict of ``raw``, ``parsed`` and ``parsing_error``.
            kwargs: options for the call, as for ``bind``. ``method`` and ``strict`` are
                taken for compatibility and change nothing: the grammar is always strict.

        Raises:
            ModelError: here for a schema of another kind; in use when there is no grammar
                for it, or the reply is cut short or refused by the pydantic class.
        """
        shape = as_schema(schema)
        options = {name: kwargs[name] for name in kwargs if name not in ("method", "strict")}
        if is_traceable(schema):
            options["ls_structured_output_format"] = {"kwargs": {"method": "grammar"}, "schema": schema}
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
        # Adding chunks up, as LangChain would, takes longer with each of them.
        chunks = list(self._stream(messages, stop, run_manager, **kwargs))
        thoughts = [chunk.message.additional_kwargs.get("reasoning_content", "") for chunk in chunks]
        last = cast(AIMessageChunk, chunks[-1].message)
        message = AIMessage(
            content="".join(chunk.text for chunk in chunks),
            additional_kwargs={"reasoning_content": "".join(thoughts)} if any(thoughts) else {},
            usage_metadata=last.usage_metadata,
        )
        generation = ChatGeneration(message=message, generation_info=chunks[-1].generation_info)
        return ChatResult(generations=[generation])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        options = _Options.of(kwargs, self)
        late = f"The model was not done after {options.timeout_s} s: raise timeout_s or ask for less."
        pulse = Pulse(options.timeout_s, run_manager, late)
        with self._turn(pulse):
            engine = self._load()
            grammar = engine.grammar(options.schema) if options.schema else None
            # A grammar leaves no room for reasoning.
            think = False if grammar else options.think
            prompt = engine.prompt([plain(message) for message in messages], think=think)
            size = len(prompt.tokens)
            # Half a constrained reply is none, so there must be room for one.
            room = min(options.limit, _LEAST_ROOM, engine.window // 4) if grammar else 1
            if size + room > engine.window:
                raise ContextOverflow(size + room, engine.window)
            reused = engine.reused
            reply = _Reply(
                min(options.limit, engine.window - size),
                StopFilter(stop or []),
                ThinkFilter(inside=prompt.thinking, off=grammar is not None),
            )
            pieces = engine.generate(
                prompt.tokens,
                temperature=self.temperature,
                seed=self.seed,
                grammar=grammar,
                reuse=self.reuse_prefix,
                check=pulse.check,
            )
            with closing(pieces):
                for is_reasoning, text in reply.read(pieces):
                    chunk = new_chunk(text, is_reasoning)
                    pulse.tell(chunk)
                    yield chunk
            reused = engine.reused - reused
        yield _last_chunk(Path(self.model_path).name, size, reused, reply)

    def _load(self) -> Engine:
        with self._loading:
            if self._engine is None:
                self._engine = Engine(
                    Path(self.model_path).expanduser(),
                    context_tokens=self.context_tokens,
                    gpu_layers=self._layers(),
                    threads=self.threads,
                    batch_tokens=self.batch_tokens,
                    flash_attention=self.flash_attention,
                )
            return self._engine

    def _layers(self) -> int:
        """Decided now, as a model that was loaded meanwhile has taken its part."""
        path = Path(self.model_path).expanduser()
        if self.gpu_layers != ALL_LAYERS or not devices():
            return self.gpu_layers
        check_file(path)
        return offloaded_layers(self.gpu_layers, read_header(path), self.context_tokens)

    @contextmanager
    def _turn(self, pulse: Pulse) -> Iterator[None]:
        """Wait until no other generation is in progress."""
        while not self._generating.acquire(timeout=PULSE_S):
            pulse.check()
        try:
            yield
        finally:
            self._generating.release()


@dataclass
class _Options:
    """What may be set for a single call."""

    schema: dict[str, Any] | None
    limit: int
    think: bool | None
    timeout_s: float | None

    @classmethod
    def of(cls, kwargs: dict[str, Any], model: ChatGGUF) -> "_Options":
        """What a call was given, and the model's own where it was given nothing."""
        known = {
            "grammar_schema",
            "max_output_tokens",
            "think",
            "timeout_s",
            "stream",
        }  # the last by LangChain
        if unknown := sorted(set(kwargs) - known):
            raise ModelError(f"ChatGGUF has no option {', '.join(unknown)}.")
        return cls(
            kwargs.get("grammar_schema"),
            kwargs.get("max_output_tokens") or model.max_output_tokens,
            kwargs.get("think", model.think),
            kwargs.get("timeout_s", model.timeout_s),
        )


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


def _last_chunk(name: str, prompt_tokens: int, reused: int, reply: _Reply) -> ChatGenerationChunk:
    message = AIMessageChunk(
        content="",
        chunk_position="last",
        usage_metadata={
            "input_tokens": prompt_tokens,
            "output_tokens": reply.tokens,
            "total_tokens": prompt_tokens + reply.tokens,
            "input_token_details": {"cache_read": reused},
        },
    )
    info = {"finish_reason": reply.finish_reason, "model_name": name}
    return ChatGenerationChunk(message=message, generation_info=info)
