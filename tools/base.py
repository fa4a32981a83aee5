"""Shapes that every tool shares: a call, its operands, its result, its error.

All of them are plain JSON values. Nothing here reads a question or computes.
"""

from __future__ import annotations

import re
from typing import Literal, TypedDict

from .numbers import fold

Kind = Literal["number", "date"]
Lang = Literal["en", "zh"]

MAX_QUESTION_CHARS = 300


class ToolError(Exception):
    """A call that cannot be run; the message says what to try instead."""


class Operand(TypedDict):
    """One input. Exactly one of value and phrase is set.

    value: a number ("3400", "$3,400", "7%"), an expression (operation "evaluate" only) or an
    ISO date. phrase: what has to be looked up in the user's documents ("the contract date").
    """

    kind: Kind
    value: str | None
    phrase: str | None


class Call(TypedDict):
    """A computation to run: the tool's name in TOOLS, its operation, and the inputs in order."""

    tool: str
    operation: str
    operands: list[Operand]


class ToolResult(TypedDict):
    """text: one sentence with inputs and result. value: the bare result ("238", "2026-05-30")."""

    text: str
    value: str


def known(kind: Kind, value: str) -> Operand:
    """An operand whose value is given."""
    return {"kind": kind, "value": value, "phrase": None}


def wanted(kind: Kind, phrase: str) -> Operand:
    """An operand that has to be looked up first."""
    return {"kind": kind, "value": None, "phrase": phrase}


def call_of(tool: str, operation: str, *operands: Operand | None) -> Call | None:
    """The call, or None where one of its operands could not be read."""
    given = [operand for operand in operands if operand is not None]
    if len(given) < len(operands):
        return None
    return {"tool": tool, "operation": operation, "operands": given}


def value_of(operand: Operand) -> str:
    """The operand's value. Raises ToolError when it is still a phrase."""
    value = operand["value"]
    if value is None:
        raise ToolError(f"look up {operand['phrase']!r} first and give its value")
    return value.strip()


def tidy(question: str) -> str:
    """The question on one line, with single spaces."""
    return re.sub(r"\s+", " ", question).strip()


def with_case(call: Call, question: str) -> Call:
    """The call with its phrases, read from folded text, spelled as in the tidy question."""
    folded = fold(question)
    operands = list(call["operands"])
    for i, operand in enumerate(operands):
        if operand["phrase"]:
            operands[i] = wanted(operand["kind"], _as_written(operand["phrase"], folded, question))
    return {"tool": call["tool"], "operation": call["operation"], "operands": operands}


def _as_written(phrase: str, folded: str, question: str) -> str:
    places = list(re.finditer(rf"(?<![a-z0-9]){re.escape(phrase)}(?![a-z0-9])", folded))
    if places:
        return question[places[-1].start() : places[-1].end()]
    for joint in (" of ", "的"):  # put together from two places of the question
        head, found, tail = phrase.rpartition(joint)
        if found:
            parts = (_as_written(part, folded, question) for part in (head, tail))
            return joint.join(parts)
    return phrase
