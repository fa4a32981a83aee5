"""ScriptedChat says its script, and fails as a real model would."""

import asyncio

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel

from agent.errors import ModelError
from agent.reasoners.scripted import ScriptedChat


class Plan(BaseModel):
    queries: list[str]


def test_replies_come_in_order_and_questions_are_kept() -> None:
    chat = ScriptedChat(replies=["one"])
    chat.enqueue({"二": 2}, "three")
    assert chat.invoke([SystemMessage("s"), HumanMessage("a")]).content == "one"
    assert chat.invoke("b").content == '{"二": 2}'
    assert chat.remaining == 1
    assert [[m.content for m in asked] for asked in chat.history] == [["s", "a"], ["b"]]


def test_exceptions_and_functions() -> None:
    def answer(messages: list[BaseMessage]) -> str:
        return f"{len(messages)}: {messages[-1].text}"

    chat = ScriptedChat(replies=[ModelError("down"), answer])
    with pytest.raises(ModelError, match="down"):
        chat.invoke("a")
    assert chat.invoke("b").content == "1: b"
    assert len(chat.history) == 2


def test_end_of_the_script_is_told() -> None:
    with pytest.raises(AssertionError, match=r"no reply left for call 1: 'who\?'"):
        ScriptedChat().invoke("who?")


def test_structured_output() -> None:
    chat = ScriptedChat(replies=[{"queries": ["x"]}, lambda _: {"queries": []}, '{"n": 1}'])
    assert chat.with_structured_output(Plan).invoke("a") == Plan(queries=["x"])
    assert chat.with_structured_output(Plan).invoke("b") == Plan(queries=[])
    assert chat.with_structured_output({"type": "object"}).invoke("c") == {"n": 1}


def test_bad_structured_output() -> None:
    chat = ScriptedChat(replies=["not json", {"queries": 3}, "again"])
    for reason in ("not JSON", "valid Plan: queries"):
        with pytest.raises(ModelError, match=reason):
            chat.with_structured_output(Plan).invoke("a")
    both = chat.with_structured_output(Plan, include_raw=True).invoke("b")
    assert both["parsed"] is None and both["raw"].content == "again"
    assert isinstance(both["parsing_error"], ModelError)


def test_stream_adds_up() -> None:
    text = " one two\nthree  "
    chat = ScriptedChat(replies=[text, text, "", "one STOP two"])
    chunks = [str(chunk.content) for chunk in chat.stream("a")]
    assert "".join(chunks) == text and len(chunks) == 5
    assert chat.invoke("a").content == text
    assert [chunk.content for chunk in chat.stream("a")] == [""]
    assert chat.invoke("a", stop=["STOP"]).content == "one "


def test_async_and_usage() -> None:
    chat = ScriptedChat(replies=["12345678"])
    message = asyncio.run(chat.ainvoke("1234"))
    assert message.content == "12345678"
    assert message.usage_metadata == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert message.response_metadata["finish_reason"] == "stop"
