"""JSON schemas as llama.cpp grammars.

llama-cpp-python converts them, and passes over in silence what it does not know: number
ranges, most formats, keywords beside others. A schema that would come out weaker than it
reads is refused here; what can be said otherwise is said otherwise (a small range of
integers as an enumeration, text with quotes or backslashes by an escape of our own).
Nothing is checked against data, and nothing talks to llama.cpp.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from agent.errors import ModelError

MAX_RANGE = 256
"""Integers that a range may hold; it becomes an enumeration."""
MAX_REPEATS = 1000
"""Of ``maxLength`` and ``maxItems``: llama.cpp refuses grammars of 2,000 repetitions."""

_SAID = frozenset(
    "title description default examples example deprecated readOnly writeOnly discriminator "
    "$defs definitions $schema $id $comment".split()
)
# What one schema may hold beside what only describes it, by what it mainly is.
_FORMS: Mapping[str, frozenset[str]] = {
    "$ref": frozenset(),
    "anyOf": frozenset(),
    "oneOf": frozenset(),
    "const": frozenset({"type"}),
    "enum": frozenset({"type"}),
}
_TYPES: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems"}),
    "string": frozenset({"pattern", "format", "minLength", "maxLength"}),
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "number": frozenset(),
    "boolean": frozenset(),
    "null": frozenset(),
}
MAX_DEPTH = 200  # each level takes several calls here and in the converter, and Python has 1,000
_FORMATS = frozenset({"date", "time", "date-time", "uuid", "uuid1", "uuid2", "uuid3", "uuid4", "uuid5"})


def to_grammar(schema: dict[str, Any], convert: Callable[[str], str]) -> str:
    """The grammar, in GBNF, that admits only JSON of this schema.

    Enforced: types, enums, constants, required and further fields, patterns, lengths,
    numbers of items, ranges of at most 256 integers, and the formats date, time,
    date-time and uuid.

    Args:
        schema: a JSON schema. A field that it does not require may be left out.
        convert: from the schema as JSON to GBNF.

    Raises:
        ModelError: the schema cannot be expressed; the message names what is in the way.
    """
    literals: list[str] = []
    _check_depth(schema)
    try:
        plain = _node(schema, literals)
        text = convert(json.dumps(plain))
    except ModelError:
        raise
    except RecursionError as error:
        raise ModelError("No grammar for this schema: it is nested too deeply.") from error
    except Exception as error:  # the converter asserts, and looks up what is not there
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"No grammar for this schema: {reason}") from error
    return _STAND_IN.sub(lambda match: _escaped(literals[int(match[1])]), text)


def _check_depth(schema: Any) -> None:
    """Raises `ModelError` for a schema whose parts lie more than MAX_DEPTH deep in one another."""
    level, depth = [schema], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _refused("it is nested too deeply")
        held = [part.values() if isinstance(part, dict) else part for part in level]
        level = [one for parts in held for one in parts if isinstance(one, (dict, list))]


def _node(schema: Any, literals: list[str]) -> dict[str, Any]:
    """The schema in the words that the converter understands, its literals put aside."""
    if not isinstance(schema, dict):
        raise _refused(f"{schema!r} is not a schema")
    form = next((name for name in _FORMS if name in schema), "")
    kind = schema.get("type", "object" if "properties" in schema else None)
    if not form and isinstance(kind, list):
        return _node({"anyOf": [_of_type(schema, kind, one) for one in kind]}, literals)
    if not form and kind not in _TYPES:
        raise _refused(f"a part of it has the type {kind!r}")
    allowed = {form, *_FORMS[form]} if form else {"type", *_TYPES[str(kind)]}
    if beyond := sorted(set(schema) - allowed - _SAID):
        raise _refused(f"{beyond[0]!r} cannot be enforced beside {form or kind!r}")
    out = {name: schema[name] for name in allowed if name in schema}
    for name in ("$defs", "definitions"):
        if name in schema:
            out[name] = {key: _node(part, literals) for key, part in schema[name].items()}
    if form:
        out.pop("type", None)  # before a list of types the converter forgets an enum
        return out | _special(form, schema[form], literals)
    check = {"object": _object, "array": _array, "string": _string, "integer": _integer}.get(str(kind))
    return check(out, literals) if check else out


def _of_type(schema: dict[str, Any], kinds: list[Any], kind: Any) -> dict[str, Any]:
    """The schema for one of its types, without what belongs to the others alone."""
    others: set[str] = set().union(*(_TYPES.get(one, ()) for one in kinds)) - _TYPES.get(kind, frozenset())
    return {name: part for name, part in schema.items() if name not in others} | {"type": kind}


def _special(form: str, value: Any, literals: list[str]) -> dict[str, Any]:
    if form in ("anyOf", "oneOf"):
        return {form: [_node(part, literals) for part in value]}
    if form == "enum":
        if not value:
            raise _refused("an enum is empty")
        return {form: [_put_aside(one, literals) for one in value]}
    return {form: _put_aside(value, literals) if form == "const" else value}


def _object(out: dict[str, Any], literals: list[str]) -> dict[str, Any]:
    fields = out.get("properties", {})
    required = out.get("required", [])
    if unknown := [name for name in required if name not in fields]:
        raise _refused(f"it requires {unknown[0]!r} but does not describe it")
    names = {name: _put_aside(name, literals) for name in fields}
    if "properties" in out:
        out["properties"] = {names[name]: _node(part, literals) for name, part in fields.items()}
        out["required"] = [names[name] for name in required]
    if isinstance(out.get("additionalProperties"), dict):
        out["additionalProperties"] = _node(out["additionalProperties"], literals)
    return out


def _array(out: dict[str, Any], literals: list[str]) -> dict[str, Any]:
    _check_repeats(out, "minItems", "maxItems")
    if "prefixItems" in out:
        if {"items", "minItems", "maxItems"} & set(out):
            count = len(out["prefixItems"])
            if out.pop("items", False) or {out.pop("minItems", count), out.pop("maxItems", count)} != {count}:
                raise _refused("'prefixItems' must be all of an array")
        out["prefixItems"] = [_node(part, literals) for part in out["prefixItems"]]
    elif "items" in out:
        out["items"] = _node(out["items"], literals)
    elif "minItems" in out or "maxItems" in out:
        raise _refused("an array does not say what it holds")
    return out


def _string(out: dict[str, Any], literals: list[str]) -> dict[str, Any]:
    _check_repeats(out, "minLength", "maxLength")
    if out.get("format", "date") not in _FORMATS:
        raise _refused(f"the format {out['format']!r} cannot be enforced")
    if ("pattern" in out) + ("format" in out) + bool({"minLength", "maxLength"} & set(out)) > 1:
        raise _refused("of pattern, format and lengths a string may have only one")
    return out


def _integer(out: dict[str, Any], literals: list[str]) -> dict[str, Any]:
    lows = [out[name] + more for name, more in (("minimum", 0), ("exclusiveMinimum", 1)) if name in out]
    highs = [out[name] - less for name, less in (("maximum", 0), ("exclusiveMaximum", 1)) if name in out]
    if not lows and not highs:
        return out
    if not lows or not highs or not 0 <= min(highs) - max(lows) < MAX_RANGE:
        raise _refused(f"a range of integers must have both ends and hold at most {MAX_RANGE}")
    low, high = max(lows), min(highs)
    if low != int(low) or high != int(high):
        raise _refused("the ends of a range of integers are no integers")
    return {"enum": list(range(int(low), int(high) + 1))}


def _check_repeats(schema: dict[str, Any], least: str, most: str) -> None:
    low, high = schema.get(least, 0), schema.get(most, schema.get(least, 0))
    if not 0 <= low <= high <= MAX_REPEATS:
        raise _refused(f"{least} and {most} must be in order and at most {MAX_REPEATS}")


def _put_aside(value: Any, literals: list[str]) -> Any:
    """The value with each of its strings replaced by a stand-in, which no converter can spoil."""
    if isinstance(value, str):
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise _refused(f"{value!r} holds half a character")
        literals.append(value)
        return _stand_in(len(literals) - 1)
    if isinstance(value, list):
        return [_put_aside(part, literals) for part in value]
    if isinstance(value, dict):
        return {_put_aside(key, literals): _put_aside(part, literals) for key, part in value.items()}
    return value


_STAND_IN = re.compile(r'\\"literal(\d+)\\"')  # as the converter writes it into a grammar


def _stand_in(at: int) -> str:
    return f"literal{at}"


def _escaped(text: str) -> str:
    """A string as JSON writes it, as a GBNF literal holds it."""
    return json.dumps(text, ensure_ascii=False).replace("\\", "\\\\").replace('"', '\\"')


def _refused(reason: str) -> ModelError:
    return ModelError(f"No grammar for this schema: {reason}.")
