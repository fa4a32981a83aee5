"""Turn a model's reply into data of a given shape.

Shared by every chat model of the project, so that a reply is judged the same way
whoever wrote it. It does not constrain what the model writes (a grammar does that,
see agent.models.gguf) and does not check data against a plain JSON schema: only
pydantic classes are validated.
"""

import json
from functools import lru_cache
from typing import Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, ValidationError
from typing_extensions import is_typeddict  # typing's own knows only its own TypedDict

from agent.errors import ModelError

Schema = dict[str, Any] | type
"""A JSON schema, or a pydantic class (of version 1 too, as LangChain takes both)."""

_SHOWN = 80  # characters of a bad reply quoted in an error


def as_schema(schema: object) -> Schema:
    """Accept a JSON schema, a pydantic class, or a TypedDict (as its JSON schema).

    Raises:
        ModelError: it is none of them.
    """
    if is_typeddict(schema):
        return convert_to_json_schema(cast(type, schema))
    if isinstance(schema, dict) or (isinstance(schema, type) and is_basemodel_subclass(schema)):
        return schema
    raise ModelError(f"Not a JSON schema, a pydantic class or a TypedDict: {schema!r}")


def json_schema(schema: Schema) -> dict[str, Any]:
    """The JSON schema of ``schema``; a dict is returned as it is."""
    return schema if isinstance(schema, dict) else _class_schema(schema)


@lru_cache(maxsize=64)  # pydantic makes it anew each time, which takes milliseconds
def _class_schema(schema: type) -> dict[str, Any]:
    if issubclass(schema, BaseModel):
        return schema.model_json_schema()
    return dict(schema.schema())  # type: ignore[attr-defined]


def is_traceable(schema: Any) -> bool:
    """Whether LangChain can show a schema to its tracers; it stumbles over some, such as a list of types."""
    try:
        convert_to_json_schema(schema)
    except Exception:
        return False
    return True


def parse_structured(text: str, schema: Schema) -> Any:
    """Parse a reply that should be JSON.

    Returns an instance when ``schema`` is a pydantic class, else the plain data.

    Raises:
        ModelError: the text is not JSON, or the pydantic class refuses it.
    """
    try:
        # Grammars allow a bare line break in a string, and models write them.
        data = json.loads(text, strict=False)
    except ValueError as error:
        raise ModelError(f"The model's reply is not JSON: {_shorten(text)}") from error
    if isinstance(schema, dict):
        return data
    try:
        if issubclass(schema, BaseModel):
            return schema.model_validate(data)
        return schema.parse_obj(data)  # type: ignore[attr-defined]
    except ValueError as error:  # of either version
        first = cast(ValidationError, error).errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "reply"
        raise ModelError(
            f"The model's reply is not a valid {schema.__name__}: {place}: {first['msg']}"
        ) from error


def structured_runnable(
    model: Runnable[LanguageModelInput, AIMessage], schema: Schema, *, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """``model`` followed by the parser.

    With ``include_raw`` the result is a dict of ``raw`` (the message), ``parsed`` and
    ``parsing_error`` (a ModelError or None); without it a bad reply raises ModelError.
    """

    def parse(message: AIMessage) -> Any:
        return _parse_message(message, schema)

    def parse_raw(message: AIMessage) -> dict[str, Any]:
        try:
            return {"raw": message, "parsed": parse(message), "parsing_error": None}
        except ModelError as error:
            return {"raw": message, "parsed": None, "parsing_error": error}

    return model | RunnableLambda(parse_raw if include_raw else parse)


def _parse_message(message: AIMessage, schema: Schema) -> Any:
    try:
        return parse_structured(str(message.text), schema)
    except ModelError as error:
        if message.response_metadata.get("finish_reason") != "length":
            raise
        # A reply cut in the middle is the usual cause, and it has a remedy of its own.
        raise ModelError(
            "The model's reply was cut short before it was complete: raise max_output_tokens or ask for less."
        ) from error


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        return "(empty)"
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
