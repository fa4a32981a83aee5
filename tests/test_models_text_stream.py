"""The text filters give the same result however the text is cut."""

import json

import pytest
from pydantic import BaseModel, Field

from agent.errors import ModelError
from agent.models.structured import parse_structured
from agent.models.text_stream import StopFilter, ThinkFilter


def cuts(text: str) -> list[list[str]]:
    """The text whole, in halves at every place, and character by character."""
    halves = [[text[:at], text[at:]] for at in range(1, len(text))]
    return [[text], list(text), *halves]


def split(pieces: list[str], *, inside: bool = False, off: bool = False) -> tuple[str, str]:
    think = ThinkFilter(inside=inside, off=off)
    found = [pair for piece in pieces for pair in think.feed(piece)] + list(think.finish())
    return (
        "".join(text for is_reasoning, text in found if is_reasoning),
        "".join(text for is_reasoning, text in found if not is_reasoning),
    )


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        ("one END two", ["END"], "one "),
        ("one EN two E", ["END"], "one EN two E"),
        ("aab", ["ab"], "a"),
        ("b then a", ["a", "b"], ""),
        ("plain", [], "plain"),
        ("plain", [""], "plain"),
    ],
)
def test_stop(text: str, stop: list[str], expected: str) -> None:
    for pieces in cuts(text):
        stops = StopFilter(stop)
        assert "".join(stops.feed(piece) for piece in pieces) + stops.finish() == expected
        assert stops.stopped == (expected != text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>why</think>\n\nbecause", ("why", "because")),
        ("\n<think>\nwhy\n</think>because", ("\nwhy\n", "because")),
        ("the tag <think>x</think> is", ("", "the tag <think>x</think> is")),
        ("<thin", ("", "<thin")),
        (" plain ", ("", " plain ")),
        ("<think>never </thin", ("never </thin", "")),
        ("<think>a</think>  ", ("a", "")),
    ],
)
def test_think(text: str, expected: tuple[str, str]) -> None:
    for pieces in cuts(text):
        assert split(pieces) == expected
        assert split(pieces, off=True) == ("", text)


def test_think_opened_by_the_prompt() -> None:
    for pieces in cuts("why</think> because"):
        assert split(pieces, inside=True) == ("why", "because")


class Point(BaseModel):
    x: int = Field(ge=0)


def test_parse_structured() -> None:
    assert parse_structured('{"x": 3}', Point) == Point(x=3)
    assert parse_structured("[1]", {"type": "array"}) == json.loads("[1]")
    assert parse_structured('"a\nb"', {"type": "string"}) == "a\nb"
    for text, reason in (("{", "not JSON: {"), ("", "empty"), ('{"x": -1}', "valid Point: x:")):
        with pytest.raises(ModelError, match=reason):
            parse_structured(text, Point)
    with pytest.raises(ModelError) as caught:
        parse_structured("word\n" * 100, Point)
    assert len(str(caught.value)) < 130 and "\n" not in str(caught.value)
