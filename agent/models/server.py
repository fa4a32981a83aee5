"""A LangChain chat model over an OpenAI-compatible server, as vLLM, llama-server and Ollama are.

A chat is `POST /chat/completions` and nothing else: no tools, no images, no telemetry; `models_of` alone asks
for the list of models. A server that is not this machine is refused unless it is allowed; redirects are not
followed, and for this machine no proxy of the environment is used. An API key comes from the environment
alone (AGENT_API_KEY, else OPENAI_API_KEY), and is neither kept, shown nor recorded.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import httpx
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import Field, PrivateAttr

from agent.errors import ContextOverflow, ModelError
from agent.models.messages import chunk as new_chunk
from agent.models.messages import estimated_tokens, plain
from agent.models.names import SERVER, check_allowed, is_here, server_of
from agent.models.pulse import Pulse
from agent.models.structured import as_schema, json_schema, structured_runnable
from agent.models.text_stream import StopFilter, ThinkFilter
from agent.models.waiting import Patience, StoppableTransport

KEYS = ("AGENT_API_KEY", "OPENAI_API_KEY")
CONNECT_TIMEOUT_S = 10.0
SILENCE_S = 300.0  # without a byte: a slow machine reads a long prompt first
MAX_BYTES = 16_000_000  # of one reply, with all that its events say beside the text
ERROR_CHARS = 200  # of what a server says of an error
# How a server is told of the schema: OpenAI's way, and llama-cpp-python's, which knows only the second.
FORMS = ("json_schema", "json_object")


class ChatServer(BaseChatModel):
    """Answers with a chat model of a server.

    Replies are always streamed, so that a run can be stopped between two tokens. While the server reads a
    prompt, handlers of `on_llm_new_token` are called now and then with an empty one, and what they raise ends
    the call; `stream` has no such handlers before its first token. Reasoning, in leading `<think>` tags or
    apart, is in `additional_kwargs["reasoning_content"]`. Tokens that a server does not count are estimated,
    at four bytes each.

    Options that may also be given per call or with `bind`: `max_output_tokens`, `timeout_s`, and
    `response_schema`, a JSON schema that the server is asked to hold the reply to.

    Every error is a ModelError; a prompt that is too long for the server is a ContextOverflow.
    """

    model: str
    """What the server calls it."""
    base_url: str
    """The address of the API, mostly ending in /v1."""
    allow_remote: bool = False
    """Whether it may be another machine."""
    temperature: float = Field(default=0.0, ge=0.0)
    """0 takes the likeliest token each time."""
    seed: int = 0
    """Of the sampling."""
    max_output_tokens: int = Field(default=1024, ge=1)
    """The reply is cut after this many tokens."""
    timeout_s: float | None = Field(default=None, gt=0)
    """Seconds that a call may take; None for any, as long as something comes every five minutes."""

    _http: httpx.Client | None = PrivateAttr(default=None)
    _form: int = PrivateAttr(default=0)

    def model_post_init(self, context: Any, /) -> None:
        """Raises `ModelError` for a bad address, or a server elsewhere that is not allowed."""
        super().model_post_init(context)
        self.model, self.base_url = server_of(f"{SERVER}{self.model}@{self.base_url}")
        self.name = self.name or f"{SERVER}{self.model}@{self.base_url}"
        check_allowed(self.base_url, allow_remote=self.allow_remote)

    @property
    def _llm_type(self) -> str:
        return "openai-compatible"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = ("model", "base_url", "seed", "temperature", "max_output_tokens")
        return {name: getattr(self, name) for name in names}

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
        """A runnable whose result follows `schema`: the server is asked for it, and the reply is read as any.

        A server may pass the schema over. Raises, in use, `ModelError` for a reply that is not JSON or that
        the pydantic class refuses. `method` and `strict` are taken for compatibility and change nothing.
        """
        shape = as_schema(schema)
        options = {name: kwargs[name] for name in kwargs if name not in ("method", "strict")}
        model = self.bind(response_schema=json_schema(shape), **options)
        return structured_runnable(model, shape, include_raw=include_raw)

    def close(self) -> None:
        """Close the connections. Asking again opens new ones."""
        client, self._http = self._http, None
        if client is not None:
            client.close()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        chunks = list(self._stream(messages, stop, run_manager, **kwargs))
        thoughts = "".join(one.message.additional_kwargs.get("reasoning_content", "") for one in chunks)
        message = AIMessage(
            content="".join(one.text for one in chunks),
            additional_kwargs={"reasoning_content": thoughts} if thoughts else {},
            usage_metadata=cast(AIMessageChunk, chunks[-1].message).usage_metadata,
        )
        return ChatResult(
            generations=[ChatGeneration(message=message, generation_info=chunks[-1].generation_info)]
        )

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if unknown := sorted(set(kwargs) - {"response_schema", "max_output_tokens", "timeout_s", "stream"}):
            raise ModelError(f"ChatServer has no option {', '.join(unknown)}.")
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [plain(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": kwargs.get("max_output_tokens") or self.max_output_tokens,
            "temperature": self.temperature,
            "seed": self.seed,
        }
        if stop:
            body["stop"] = stop
        timeout_s = kwargs.get("timeout_s", self.timeout_s)
        pulse = Pulse(timeout_s, run_manager, _too_slow(self.base_url))
        reply = _Reply(self.base_url, pulse, StopFilter(stop or []), ThinkFilter())
        schema = kwargs.get("response_schema")
        try:
            with self._answer(body, schema, pulse) as response:
                for is_reasoning, text in reply.read(response):
                    piece = new_chunk(text, is_reasoning)
                    pulse.tell(piece)
                    yield piece
        except _Silence:
            self._say_why(body, schema, pulse)
            raise
        asked = reply.usage.get("prompt_tokens") or self.get_num_tokens_from_messages(messages)
        said = reply.usage.get("completion_tokens") or self.get_num_tokens("".join(reply.said))
        message = AIMessageChunk(
            content="",
            chunk_position="last",
            usage_metadata={"input_tokens": asked, "output_tokens": said, "total_tokens": asked + said},
        )
        info = {"finish_reason": reply.finish_reason, "model_name": self.model}
        yield ChatGenerationChunk(message=message, generation_info=info)

    @contextmanager
    def _answer(
        self, body: dict[str, Any], schema: dict[str, Any] | None, pulse: Pulse
    ) -> Iterator[httpx.Response]:
        """The response, once it is known to be a reply. What the connection raises is a ModelError."""
        with self._translated():
            response = self._sent(body, schema, pulse)
            try:
                yield response
            finally:
                response.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What the connection raises is a ModelError."""
        try:
            yield
        except httpx.ConnectError as error:
            raise ModelError(
                f"nothing answers at {self.base_url}: start the server, or --model extractive; {_line(error)}"
            ) from error
        except httpx.TimeoutException as error:
            raise ModelError(_too_slow(self.base_url)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelError(f"{self.base_url} broke off: {type(error).__name__}: {_line(error)}") from error

    def _say_why(self, body: dict[str, Any], schema: dict[str, Any] | None, pulse: Pulse) -> None:
        """Raises the refusal of a question that is asked again for one token at once, if it is refused.

        llama-cpp-python's server begins a stream before it looks at the prompt, and then can tell no error.
        """
        once = {**body, "stream": False, "max_tokens": 1}
        del once["stream_options"]
        with self._answer(once, schema, pulse):
            pass

    def _sent(self, body: dict[str, Any], schema: dict[str, Any] | None, pulse: Pulse) -> httpx.Response:
        """The response to the question; with a schema in the first form that the server knows."""
        while True:
            if schema is not None:
                body["response_format"] = _response_format(FORMS[self._form], schema)
            response = self._request("POST", "chat/completions", body, pulse)
            if response.status_code == 200:
                return response
            try:
                told = _error(response)
            finally:
                response.close()
            if schema is not None and _is_of_form(told, response) and self._form + 1 < len(FORMS):
                self._form += 1
                continue
            raise self._refusal(response, told, body)

    def _request(self, method: str, path: str, body: dict[str, Any] | None, pulse: Pulse) -> httpx.Response:
        client = self._client()
        request = client.build_request(
            method,
            f"{self.base_url}/{path}",
            json=body,
            headers=_authorization(self.base_url),
            timeout=httpx.Timeout(CONNECT_TIMEOUT_S, read=Patience(SILENCE_S, pulse.check)),
        )
        return client.send(request, stream=True)

    def _client(self) -> httpx.Client:
        if self._http is None:
            headers = {"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
            try:
                transport = StoppableTransport(proxy=_proxy(self.base_url))
                self._http = httpx.Client(headers=headers, transport=transport, follow_redirects=False)
            except (ImportError, OSError, ValueError) as error:
                raise ModelError(
                    f"the proxy or the certificates of the environment cannot be used: {_line(error)}"
                ) from error
        return self._http

    def _refusal(self, response: httpx.Response, told: dict[str, Any], body: dict[str, Any]) -> ModelError:
        """The error for a status that is no reply."""
        url, status, said = self.base_url, response.status_code, _said(told)
        if response.is_redirect:
            return ModelError(f"{url} sends on to another address, which is not followed: name the right one")
        if status in (401, 403):
            key = next((name for name in KEYS if os.environ.get(name)), "")
            how = f"does not take the key in {key}" if key else f"wants a key: set {KEYS[0]}"
            return ModelError(f"{url} {how} ({status})")
        if _is_overflow(told):
            text = "".join(message["content"] for message in body["messages"])
            return _overflow(told, self.get_num_tokens(text) + body["max_tokens"])
        if status == 404:
            return ModelError(
                f"{url} has no chat model called {self.model!r}, or is not the address of the API{said}"
            )
        if status == 429:
            return ModelError(f"{url} takes no more questions for now (429): try again later{said}")
        if status >= 500:
            return ModelError(f"{url} failed ({status}){said}")
        return ModelError(f"{url} refused the question ({status}){said}")


def models_of(url: str) -> list[str]:
    """What an allowed server calls its chat models; nothing where it does not tell.

    Raises `ModelError` where nothing answers there, or a key is wanted.
    """
    look = ChatServer(model="any", base_url=url, allow_remote=True)
    pulse = Pulse(CONNECT_TIMEOUT_S, None, _too_slow(look.base_url))
    try:
        with look._translated():
            response = look._request("GET", "models", None, pulse)
            try:
                if response.status_code in (401, 403):
                    raise look._refusal(response, {}, {})
                found = json.loads(b"\n".join(_lines(response))) if response.status_code == 200 else {}
            finally:
                response.close()
    except ValueError:
        return []
    finally:
        look.close()
    rows = found.get("data") if isinstance(found, dict) else None
    return [str(one["id"]) for one in rows or [] if isinstance(one, dict) and "id" in one]


@dataclass
class _Reply:
    """Reads one response into text and keeps account of it."""

    url: str
    pulse: Pulse
    stop: StopFilter
    think: ThinkFilter
    usage: dict[str, int] = field(default_factory=dict)
    finish_reason: str = ""
    said: list[str] = field(default_factory=list)
    events: int = 0

    def read(self, response: httpx.Response) -> Iterator[tuple[bool, str]]:
        """Yield `(is_reasoning, text)`. Raises `ModelError` for what is no reply, or only part of one."""
        for part in self._parts(response):
            delta = self._delta(part)
            for key in ("reasoning_content", "reasoning"):
                if isinstance(thought := delta.get(key), str) and thought:
                    self.said.append(thought)
                    yield True, thought
                    break
            content = delta.get("content") or ""
            if not isinstance(content, str):
                raise self._malformed("its content is not text")
            self.said.append(content)
            yield from self.think.feed(self.stop.feed(content))
            if self.stop.stopped:
                self.finish_reason = "stop"
                break
        if not self.finish_reason:
            why = self._malformed("it broke off before its end")
            raise why if self.events or not _is_stream(response) else _Silence(str(why))
        yield from self.think.feed(self.stop.finish())
        yield from self.think.finish()

    def _parts(self, response: httpx.Response) -> Iterator[dict[str, Any]]:
        """The events of a stream, or the one object of a server that does not stream."""
        if "json" in response.headers.get("content-type", ""):
            yield self._object(b"\n".join(_lines(response)))
            self.finish_reason = self.finish_reason or "stop"
            return
        for line in _lines(response):
            self.pulse.check()
            if not line.startswith(b"data:"):  # a comment, the name of an event, or the line between two
                continue
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                self.finish_reason = self.finish_reason or "stop"
                return
            self.events += 1
            yield self._object(data)

    def _object(self, data: bytes) -> dict[str, Any]:
        try:
            found = json.loads(data)
        except ValueError as error:
            raise self._malformed("it is not JSON") from error
        if not isinstance(found, dict):
            raise self._malformed("it is not a JSON object")
        if found.get("error"):
            told = _as_error(found)
            if _is_overflow(told):
                raise _overflow(told, 0)
            raise ModelError(f"{self.url} failed{_said(told) or ' and does not say why'}")
        return found

    def _delta(self, part: dict[str, Any]) -> dict[str, Any]:
        """What an event adds to the reply."""
        if isinstance(usage := part.get("usage"), dict):
            self.usage = {name: n for name, n in usage.items() if isinstance(n, int) and n > 0}
        choices = part.get("choices")
        if not isinstance(choices, list):
            raise self._malformed("it has no choices")
        if not choices:  # the event that tells of the usage alone
            return {}
        first = choices[0] if isinstance(choices[0], dict) else {}
        self.finish_reason = str(first.get("finish_reason") or self.finish_reason)
        delta = first.get("delta") or first.get("message") or {}
        if not isinstance(delta, dict):
            raise self._malformed("it has no message")
        return delta

    def _malformed(self, why: str) -> ModelError:
        return ModelError(f"{self.url} does not reply as an OpenAI-compatible server: {why}")


class _Silence(ModelError):
    """A stream that ended before its first event."""


def _is_stream(response: httpx.Response) -> bool:
    return "event-stream" in response.headers.get("content-type", "")


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for an address; none stands before this machine."""
    parts = httpx.URL(url)
    if is_here(url) or proxy_bypass(parts.host):
        return None
    named = getproxies()
    return named.get(parts.scheme) or named.get("all")


def _lines(response: httpx.Response, limit: int = MAX_BYTES) -> Iterator[bytes]:
    """The lines of a body, without their ends. Raises `ModelError` for a body beyond the limit.

    Those of httpx end at every line separator of Unicode, which JSON may hold.
    """
    held, size = b"", 0
    for part in response.iter_bytes():
        size += len(part)
        if size > limit:
            raise ModelError(f"{response.url.host} sends more than {limit / 1e6:.0f} MB for one reply")
        *lines, held = (held + part).split(b"\n")
        yield from (line.removesuffix(b"\r") for line in lines)
    yield held


def _response_format(form: str, schema: dict[str, Any]) -> dict[str, Any]:
    if form == "json_schema":
        return {"type": form, "json_schema": {"name": "reply", "schema": schema}}
    return {"type": form, "schema": schema}


def _is_of_form(told: dict[str, Any], response: httpx.Response) -> bool:
    """Whether a server refuses the way that it was told of a schema."""
    said = json.dumps(told)
    return response.status_code in (400, 422, 500) and ("response_format" in said or "json_schema" in said)


def _authorization(url: str) -> dict[str, str]:
    """The key of the environment as a header. Raises `ModelError` for one that no header takes."""
    name = next((name for name in KEYS if os.environ.get(name, "").strip()), "")
    if not name:
        return {}
    key = os.environ[name].strip()
    if not (key.isascii() and key.isprintable()):
        raise ModelError(f"{name} holds characters that no key has: it is not sent to {url}")
    return {"Authorization": f"Bearer {key}"}


def _error(response: httpx.Response) -> dict[str, Any]:
    """What a server says of an error; `message` where it says it in no form of its own."""
    try:
        text = b"\n".join(_lines(response, 64_000)).decode(errors="replace")
    except ModelError:
        return {}
    try:
        return _as_error(json.loads(text))
    except ValueError:
        return {} if text.lstrip().startswith("<") else {"message": text}


def _as_error(found: Any) -> dict[str, Any]:
    error = found.get("error", found) if isinstance(found, dict) else found
    return error if isinstance(error, dict) else {"message": str(error)}


def _said(told: dict[str, Any]) -> str:
    """Its words for the end of a line, without the key that some repeat."""
    text = " ".join(str(told.get("message") or told.get("detail") or "").split())
    for name in KEYS:
        if key := os.environ.get(name, "").strip():
            text = text.replace(key, "***")
    return f": {text[:ERROR_CHARS]}" if text else ""


def _is_overflow(told: dict[str, Any]) -> bool:
    """As OpenAI and llama-cpp-python, llama-server, and vLLM say that a prompt is too long."""
    code = f"{told.get('code')} {told.get('type')}"
    return (
        "context_length_exceeded" in code
        or "exceed_context_size" in code
        or "maximum context length" in str(told.get("message"))
    )


def _overflow(told: dict[str, Any], estimate: int) -> ContextOverflow:
    """With the tokens that the server tells of, else an estimate."""
    message = str(told.get("message"))
    window = re.search(r"context (?:length|size)\D{0,20}(\d+)", message)
    asked = re.search(r"(?:requested|request)\D{0,20}(\d+)", message)
    holds, needs = told.get("n_ctx"), told.get("n_prompt_tokens")
    if not isinstance(holds, int):
        holds = int(window[1]) if window else estimate
    if not isinstance(needs, int):
        needs = int(asked[1]) if asked else estimate
    return ContextOverflow(max(needs, holds + 1), holds)


def _too_slow(url: str) -> str:
    return f"{url} was not done in time: raise timeout_s or ask for less"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
