"""Renders the chat template that a model file brings along.

A template is a program from the file. It runs in Jinja's sandbox and cannot reach files or
Python; its length, its output and its loops are limited, which keeps a broken one from
harm but does not stop one that is written to waste time. Text of the conversation that
spells a control token is marked, so that the tokenizer can keep it as text. Nothing here
knows tokens, and nothing guesses a format: a file without a template is refused elsewhere.
"""

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent.models.text_stream import CLOSE_TAG, OPEN_TAG

MAX_SOURCE = 200_000
"""Characters of a template; the longest of well-known models has some 20,000."""
MAX_EXTRA = 200_000
"""Characters of output beyond three times the conversation."""
MAX_LOOP = 10_000
"""Steps of one range(), and characters of one repeated string."""
CLOSED = f"\n\n{CLOSE_TAG}\n\n"
"""What ends reasoning that the template has opened and nobody wants."""

Message = dict[str, str]
"""``role`` (system, user, assistant) and ``content``."""
Part = tuple[str, bool]
"""Text of a prompt, and whether it must stay plain text whatever it spells."""


class TemplateError(Exception):
    """The template is broken, or refuses a conversation."""


class ChatTemplate:
    """One template, compiled.

    Args:
        source: the Jinja text, as Transformers understands it.
        bos, eos: the texts of the tokens that begin and end a sequence; "" for none.
        control: matches every text that the tokenizer would read as a control token;
            None where there is none.

    Raises:
        TemplateError: it does not compile, or is too long.
    """

    def __init__(self, source: str, bos: str, eos: str, control: re.Pattern[str] | None = None) -> None:
        if len(source) > MAX_SOURCE:
            raise TemplateError(f"the template has {len(source)} characters; {MAX_SOURCE} is the limit")
        try:
            self._template = _environment().from_string(source)
        except (jinja2.TemplateError, RecursionError) as error:
            raise TemplateError(_one_line(error)) from error
        self._tokens = {"bos_token": bos, "eos_token": eos}
        self._control = control

    def render(self, messages: Sequence[Message], *, think: bool | None = None) -> list[Part]:
        """The prompt, open for the assistant's reply.

        A template that wants the roles to alternate, or knows no system role, is given
        neighbouring messages as one and the system's text in front of the user's.

        Args:
            think: whether the model shall reason before it answers; None leaves that to
                the template. False also closes a tag that the template opens for it.

        Raises:
            TemplateError: the template refuses the conversation in every form, or leaves
                a message of it out.
        """
        marked, hidden, mark = _marked(messages, self._control)
        first: TemplateError | None = None
        for form in _forms(marked):
            try:
                prompt = self._rendered(form, think)
            except TemplateError as error:
                first = first or error
                continue
            if think is False and opens_thinking(prompt):
                prompt = prompt.rstrip() + CLOSED
            return list(_parts(prompt, hidden, mark))
        raise first or TemplateError("there is no message")

    def _rendered(self, messages: Sequence[Message], think: bool | None) -> str:
        limit = 3 * sum(len(message["content"]) for message in messages) + MAX_EXTRA
        switches = {} if think is None else {"enable_thinking": think, "thinking": think}
        values = {**self._tokens, **switches, "messages": messages, "tools": None, "documents": None}
        text, length = [], 0
        try:
            for piece in self._template.generate(**values, add_generation_prompt=True):
                text.append(piece)
                length += len(piece)
                if length > limit:
                    raise TemplateError("it writes without end")
        except TemplateError:
            raise
        except Exception as error:  # a program from the file: anything may come
            raise TemplateError(_one_line(error)) from error
        prompt = "".join(text)
        for message in messages:
            if message["role"] != "assistant" and message["content"].strip() not in prompt:
                raise TemplateError(f"it leaves out what the {message['role']} says")
        return prompt


def opens_thinking(prompt: str) -> bool:
    """Whether a prompt ends within reasoning."""
    return prompt.rstrip().endswith(OPEN_TAG)


def _forms(messages: list[Message]) -> Iterator[list[Message]]:
    """The conversation as it is, with roles that alternate, and without a system role."""
    yield messages
    merged = _merged(messages)
    if merged != messages:
        yield merged
    if any(message["role"] == "system" for message in messages):
        told = [{**one, "role": "user"} if one["role"] == "system" else one for one in messages]
        yield _merged(told)


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Neighbouring messages of one role as one."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1]["role"] == message["role"]:
            said = f"{merged[-1]['content']}\n\n{message['content']}"
            merged[-1] = {**message, "content": said}
        else:
            merged.append(message)
    return merged


def _marked(
    messages: Sequence[Message], control: re.Pattern[str] | None
) -> tuple[list[Message], list[str], str]:
    """The messages with a mark and a number where they spell a control token; what was there; the mark.

    The rest stays as it is, as templates trim, split and compare what they are given.
    """
    whole = "".join(message["content"] for message in messages)
    if control is None or not control.search(whole):
        return list(messages), [], ""
    mark = next(char for char in map(chr, range(0xE000, 0xF900)) if char not in whole)
    hidden: list[str] = []

    def put_aside(match: re.Match[str]) -> str:
        hidden.append(match.group())
        return f"{mark}{len(hidden) - 1}{mark}"

    return [{**one, "content": control.sub(put_aside, one["content"])} for one in messages], hidden, mark


def _parts(prompt: str, hidden: Sequence[str], mark: str) -> Iterator[Part]:
    if not hidden:
        yield prompt, False
        return
    for at, piece in enumerate(prompt.split(mark)):
        if piece:
            yield (hidden[int(piece)], True) if at % 2 else (piece, False)


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "%", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        texts = [side for side in (left, right) if not isinstance(side, (int, float))]
        if operator == "**" or (operator == "%" and texts):
            raise SecurityError(f"a template may not use {operator} here")
        if texts and len(texts[0]) * max(right if texts[0] is left else left, 0) > MAX_LOOP:
            raise SecurityError("a template may not repeat so much")
        return super().call_binop(context, operator, left, right)


class _Generation(jinja2.ext.Extension):
    """Transformers' {% generation %}, which marks what is learned from; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012  declared so by Jinja

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> _Sandbox:
    """As Transformers sets it up (utils/chat_template_utils.py, _compile_jinja_template)."""
    environment = _Sandbox(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals = {
        **{name: environment.globals[name] for name in ("dict", "namespace", "cycler", "joiner")},
        "range": _range,
        "raise_exception": _refuse,
        "strftime_now": lambda form: datetime.now().strftime(form),
    }
    return environment


def _range(*ends: int) -> range:
    steps = range(*ends)
    if len(steps) > MAX_LOOP:
        raise SecurityError(f"a template may not count beyond {MAX_LOOP}")
    return steps


def _refuse(reason: object) -> None:
    raise TemplateError(str(reason))


def _to_json(value: Any, **options: Any) -> str:
    return json.dumps(value, **{"ensure_ascii": False, **options})


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
