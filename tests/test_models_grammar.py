"""Schemas as grammars: what is enforced, over a model of noise, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from agent.errors import ModelError
from agent.models.gguf import ChatGGUF
from agent.models.grammar import MAX_RANGE, MAX_REPEATS, to_grammar
from tests.tiny_gguf import CHATML, write_chatty_gguf

pytest.importorskip("llama_cpp")
# Half a character has no UTF-8.
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatGGUF]:
    file = write_chatty_gguf(tmp_path_factory.mktemp("models") / "chatty.gguf", CHATML, context=2048)
    model = ChatGGUF(model_path=str(file), context_tokens=2048, threads=1, temperature=1.0)
    yield model
    model.close()


def ask(chat: ChatGGUF, schema: Any, question: str = "?") -> Any:
    return chat.with_structured_output(schema).invoke(question)


@settings(max_examples=30)
@given(st.lists(TEXT, min_size=1, max_size=4), TEXT.filter(bool))
def test_literals_are_said_word_for_word(chat: ChatGGUF, values: list[str], name: str) -> None:
    """Quotes, backslashes, line breaks and emoji too, which the converter writes unescaped."""
    schema = {
        "type": "object",
        "properties": {name: {"enum": values}, f"{name}2": {"const": [values[0], 1, {"x": values[-1]}]}},
        "required": [name, f"{name}2"],
    }
    said = ask(chat, schema, f"{values}")
    assert set(said) == {name, f"{name}2"}
    assert said[name] in values and said[f"{name}2"] == [values[0], 1, {"x": values[-1]}]


@pytest.mark.parametrize(
    "value",
    ['say "hi"', "back\\slash", "两\n行", "😀", '"literal0"', "literal1", "\\n", "\x00", "\u2028", ""],
)
def test_awkward_literals(chat: ChatGGUF, value: str) -> None:
    schema = {"type": "object", "properties": {"二": {"enum": [value, value + value]}}, "required": ["二"]}
    assert ask(chat, schema)["二"] in (value, value + value)


class Graded(BaseModel):
    grade: int = Field(ge=1, le=5)
    more: Literal["是", "否"] | None = None


def test_a_small_range_of_integers_is_enforced(chat: ChatGGUF) -> None:
    for question in ("one", "two", "三", "四"):
        assert 1 <= ask(chat, Graded, question).grade <= 5
    open_ends = {"type": "integer", "exclusiveMinimum": -2, "exclusiveMaximum": 1}
    assert ask(chat, open_ends) in (-1, 0)


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": ["string", "null"], "maxLength": 3}, lambda said: said is None or len(said) <= 3),
        ({"type": ["integer", "string"], "enum": [1, "一"]}, lambda said: said in (1, "一")),
        ({"type": "string", "minLength": 2, "maxLength": 4}, lambda said: 2 <= len(said) <= 4),
        ({"type": "string", "pattern": "^[ab]{2,3}$"}, lambda said: said.strip("ab") == "" and len(said) in (2, 3)),
        ({"type": "string", "format": "date"}, lambda said: len(said) == 10 and said[4] == "-"),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2}, lambda said: len(said) == 2),
        ({"prefixItems": [{"const": 1}, {"const": "二"}], "type": "array"}, lambda said: said == [1, "二"]),
        ({"type": "array"}, lambda said: isinstance(said, list)),
        ({"anyOf": [{"const": 1}, {"type": "null"}]}, lambda said: said in (1, None)),
        (
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"], "$defs": {"A": {"const": "甲"}}},
            lambda said: said == {"a": "甲"},
        ),
    ],
)  # fmt: skip
def test_what_is_said_to_be_enforced_is(chat: ChatGGUF, schema: dict[str, Any], fits: Any) -> None:
    for question in ("one", "two", "三"):
        assert fits(ask(chat, schema, question))


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({}, "type None"),
        ({"type": "strange"}, "strange"),
        ({"not": {"type": "string"}}, "None"),
        ({"allOf": [{"type": "string"}]}, "None"),
        ({"type": "number", "minimum": 0}, "minimum"),
        ({"type": "integer", "minimum": 0}, "both ends"),
        ({"type": "integer", "minimum": 0, "maximum": MAX_RANGE}, "at most"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "both ends"),
        ({"type": "integer", "minimum": 0.5, "maximum": 2.5}, "no integers"),
        ({"type": "integer", "multipleOf": 5}, "multipleOf"),
        ({"type": "string", "maxLength": MAX_REPEATS + 1}, "maxLength"),
        ({"type": "string", "minLength": 4, "maxLength": 3}, "in order"),
        ({"type": "string", "format": "email"}, "email"),
        ({"type": "string", "pattern": "^a$", "maxLength": 3}, "only one"),
        ({"type": "string", "pattern": "unanchored"}, "must start"),
        ({"type": "array", "items": {"type": "null"}, "uniqueItems": True}, "uniqueItems"),
        ({"type": "array", "maxItems": 3}, "what it holds"),
        ({"type": "object", "properties": {}, "required": ["x"]}, "'x'"),
        ({"type": "object", "properties": {"x": {"type": "null"}}, "minProperties": 1}, "minProperties"),
        ({"properties": {"x": {"type": "null"}}, "anyOf": [{"required": ["x"]}]}, "properties"),
        ({"enum": []}, "empty"),
        ({"enum": ["half \ud83d"]}, "half a character"),
        ({"$ref": "#/$defs/Missing"}, "Missing|defs"),
        ({"type": "object", "properties": {"x": True}}, "True is not"),
    ],
)
def test_what_cannot_be_enforced_is_refused(chat: ChatGGUF, schema: dict[str, Any], reason: str) -> None:
    whole = (
        {"type": "object", "properties": {"好": schema}, "required": ["好"]}
        if "$ref" not in schema
        else schema
    )
    with pytest.raises(ModelError, match=f"^No grammar for this schema: .*({reason})") as caught:
        ask(chat, whole)
    assert "\n" not in str(caught.value)
    assert chat.invoke("Hello", max_output_tokens=2), "the model is as it was"


def test_what_is_nested_without_end_is_refused() -> None:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(300):
        schema = {"type": "array", "items": schema}
    with pytest.raises(ModelError, match="too deeply"):
        to_grammar(schema, json.dumps)


def test_a_schema_is_converted_once(chat: ChatGGUF) -> None:
    engine = chat._load()
    schemas = [{"const": n} for n in range(70)]
    kept = [engine.grammar(schema) for schema in schemas]
    assert engine.grammar({"const": 69}) is kept[69]
    assert ask(chat, {"const": 69}) == ask(chat, {"const": 69}) == 69, "it can be used again"
    assert engine.grammar({"const": 0}) is not kept[0], "not all are kept"
