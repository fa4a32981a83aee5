"""Small deterministic tools: which question is a computation, and what does it come to.

read_call recognises the few wordings that are unmistakably arithmetic or calendar questions;
run_call computes the answer. Neither looks anything up: an operand that is only named ("the
contract date") comes back as a phrase, for the caller to replace by a value.
"""

from __future__ import annotations

from datetime import date
from typing import Protocol

from . import calculator, calendar
from .base import Call, Lang, Operand, ToolError, ToolResult

__all__ = ["TOOLS", "Call", "Operand", "Tool", "ToolError", "ToolResult", "read_call", "run_call"]


class Tool(Protocol):
    """What a tool module offers."""

    def read(self, question: str, today: date) -> Call | None: ...

    def run(self, call: Call, lang: Lang) -> ToolResult: ...


TOOLS: dict[str, Tool] = {"calculator": calculator, "calendar": calendar}


def read_call(question: str, today: date) -> Call | None:
    """The call that answers question, or None for an ordinary question. Never raises."""
    for tool in TOOLS.values():
        call = tool.read(question, today)
        if call is not None:
            return call
    return None


def run_call(call: Call, lang: Lang) -> ToolResult:
    """Run a call and word its result in lang.

    Raises ToolError for an unknown tool or operation, a wrong number of operands, an operand
    that is still a phrase, an unparsable value, a division by zero, and a result too large.
    """
    tool = TOOLS.get(call["tool"])
    if tool is None:
        raise ToolError(f"no tool {call['tool']!r}; use one of {', '.join(TOOLS)}")
    return tool.run(call, lang)
