"""Chat models on servers: what is asked, how replies are read, what is refused, and one line for each fault."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import BaseModel

from agent import Agent, Settings
from agent.deps import build_chat_model
from agent.errors import ContextOverflow, ModelError
from agent.models import store
from agent.models.names import is_here, server_of, shown_name
from agent.models.server import ChatServer
from tests.fake_server import Reply, Served, event, failing, give, serving, shown, silent, streamed
from tests.processes import called
from tests.sample import CONTRACT, FEE, GOOD, PAID, REWORDED, SIGNED, drafted

HERE = "http://127.0.0.1:8000/v1"


class Answered(BaseModel):
    answer: str


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def chat(served: Served, **more: Any) -> ChatServer:
    return ChatServer(model="qwen3", base_url=served.url, **more)


def name_of(served: Served) -> str:
    return f"openai:qwen3@{served.url}"


# --- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "model", "url"),
    [
        ("openai:qwen3@http://127.0.0.1:8000/v1", "qwen3", HERE),
        ("openai:qwen3@http://127.0.0.1:8000/v1/", "qwen3", HERE),
        ("openai:Qwen/Qwen3-8B@http://localhost:11434/v1", "Qwen/Qwen3-8B", "http://localhost:11434/v1"),
        ("openai:通义@千问@https://[::1]/v1", "通义@千问", "https://[::1]/v1"),
        ("openai:m@https://example.org", "m", "https://example.org"),
    ],
)
def test_names(name: str, model: str, url: str) -> None:
    assert server_of(name) == (model, url)
    assert shown_name(name) == model


@pytest.mark.parametrize(
    "name",
    [
        "openai:", "openai:qwen3", "openai:@http://127.0.0.1/v1", "openai:a,b@http://127.0.0.1/v1", "qwen3",
        "openai:m@ftp://127.0.0.1/v1", "openai:m@127.0.0.1:8000/v1", "openai:m@http://127.0.0.1:80000/v1",
        "openai:m@http://me:secret@127.0.0.1/v1", "openai:m@http://127.0.0.1/v1?key=secret",
        "openai:m@http://127.0.0.1\\@example.org/v1", "openai:m@http://127.0.0.1/v1#x", "openai:m@http:///v1",
    ],
)  # fmt: skip
def test_bad_names_say_the_form(name: str) -> None:
    with pytest.raises(ModelError, match="openai:NAME@http://HOST:PORT/v1") as error:
        server_of(name)
    assert "secret" not in str(error.value) and "\n" not in str(error.value)


@given(st.text(), st.text())
def test_any_name_is_read_or_refused(model: str, url: str) -> None:
    with suppress(ModelError):
        assert server_of(f"openai:{model}@{url}")[1].lower().startswith("http")


def test_shown_names() -> None:
    assert shown_name("/models/我的.gguf") == "我的.gguf"
    assert shown_name("extractive") == "extractive" and shown_name("") == ""


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True), ("127.8.9.1:80", True), ("[::1]:8000", True), ("LOCALHOST", True),
        ("0.0.0.0", False), ("192.168.0.2", False), ("example.org", False), ("localhost.example.org", False),
        ("127.0.0.1.example.org", False), ("127.1", False), ("[::ffff:10.0.0.1]", False), ("１２７.0.0.1", False),
    ],
)  # fmt: skip
def test_which_servers_are_this_machine(host: str, here: bool) -> None:
    assert is_here(f"http://{host}/v1") is here


# --- replies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["It was signed in March.", "会费每年120元。\u2028次行", ""])
def test_a_reply_is_streamed(text: str) -> None:
    with serving(text, text) as served:
        model = chat(served)
        reply = model.invoke("问？")
        assert "".join(str(one.content) for one in model.stream("问？")) == text
        model.close()
    assert (reply.content, reply.response_metadata["finish_reason"]) == (text, "stop")
    assert reply.usage_metadata is not None
    assert (reply.usage_metadata["input_tokens"], reply.usage_metadata["output_tokens"]) == (11, 7)
    assert served.paths == ["/v1/chat/completions"] * 2
    asked = served.asked[0]
    assert (asked["model"], asked["stream"], asked["temperature"]) == ("qwen3", True, 0.0)
    assert asked["messages"] == [{"role": "user", "content": "问？"}] and "stop" not in asked
    assert "authorization" not in served.headers[0]


def test_tokens_that_are_not_counted_are_estimated() -> None:
    with serving("x" * 40, counts=False) as served:
        reply = chat(served).invoke("y" * 80)
    assert reply.usage_metadata == {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30}


def test_a_server_that_does_not_stream() -> None:
    whole = {"choices": [{"message": {"content": "<think>嗯</think>好。"}, "finish_reason": "length"}]}
    with serving(give(200, whole)) as served:
        reply = chat(served).invoke("?")
    assert (reply.content, reply.response_metadata["finish_reason"]) == ("好。", "length")
    assert reply.additional_kwargs["reasoning_content"] == "嗯"


def test_reasoning_is_kept_apart() -> None:
    own = streamed(
        event({"reasoning_content": "嗯，"}), event({"content": "好。"}, "stop"), "data: [DONE]\n\n"
    )
    with serving("<think>Let me see.</think>\n\nGood.", own) as served:
        first, second = chat(served).invoke("?"), chat(served).invoke("?")
    assert (first.content, first.additional_kwargs["reasoning_content"]) == ("Good.", "Let me see.")
    assert (second.content, second.additional_kwargs["reasoning_content"]) == ("好。", "嗯，")


def test_a_stop_sequence_that_the_server_passes_over() -> None:
    with serving("one END two") as served:
        assert chat(served).invoke("?", stop=["END"]).content == "one "
    assert served.asked[0]["stop"] == ["END"]


@pytest.mark.parametrize("key", ["AGENT_API_KEY", "OPENAI_API_KEY"])
def test_the_key_comes_from_the_environment(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    monkeypatch.setenv(key, "sk-secret")
    wrong = failing(400, "no such key: sk-secret")
    with serving("ok", wrong, failing(401, "sk-secret is wrong")) as served:
        model = chat(served)
        model.invoke("?")
        for said in ("refused the question", f"does not take the key in {key}"):
            with pytest.raises(ModelError, match=said) as error:
                model.invoke("?")
            assert "sk-" not in str(error.value)
    assert served.headers[0]["authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in repr(model) + json.dumps(model._identifying_params) + shown(served.asked)


def test_no_proxy_stands_before_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving("ok") as served:
        assert chat(served).invoke("?").content == "ok"


# --- schemas --------------------------------------------------------------------------------------------


def test_a_schema_is_asked_for_and_the_reply_is_read() -> None:
    with serving({"answer": "三月"}, '<think>{"answer": 1}</think>{"answer": "May"}') as served:
        model = chat(served).with_structured_output(Answered)
        assert model.invoke("?") == Answered(answer="三月") and model.invoke("?") == Answered(answer="May")
    form = served.asked[0]["response_format"]
    assert form["type"] == "json_schema" and form["json_schema"]["schema"]["required"] == ["answer"]


@pytest.mark.parametrize(
    "reply", ["in March", '```json\n{"answer": "x"}\n```', {"other": 1}, {"answer": 3}, ""]
)
def test_a_server_that_passes_the_schema_over_fails_loudly(reply: str | dict[str, Any]) -> None:
    with serving(reply) as served, pytest.raises(ModelError, match="model's reply is not"):
        chat(served).with_structured_output(Answered).invoke("?")


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_that_knows_only_the_older_form(status: int) -> None:
    refused = give(status, {"detail": [{"loc": ["body", "response_format", "type"], "msg": "not permitted"}]})
    with serving(refused, {"answer": "a"}, {"answer": "b"}) as served:
        model = chat(served).with_structured_output(Answered)
        assert [model.invoke("?").answer, model.invoke("?").answer] == ["a", "b"]
    forms = [asked["response_format"]["type"] for asked in served.asked]
    assert forms == ["json_schema", "json_object", "json_object"]
    assert served.asked[1]["response_format"]["schema"]["required"] == ["answer"]


# --- faults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (failing(401, "no"), "wants a key: set AGENT_API_KEY"),
        (failing(404, "model not found"), "has no chat model called 'qwen3'.*: model not found"),
        (failing(429, "slow down"), "takes no more questions for now.*slow down"),
        (failing(503, "Loading model"), r"failed \(503\): Loading model"),
        (give(500, "<html>oh</html>", "text/html"), r"failed \(500\)$"),
        (give(400, {"detail": "bad"}), r"refused the question \(400\): bad"),
        (give(307, "", Location="http://example.org/v1"), "another address, which is not followed"),
        (give(200, "<html>", "text/html"), "broke off before its end"),
        (give(200, "hello"), "not JSON"),
        (give(200, []), "not a JSON object"),
        (give(200, {}), "no choices"),
        (give(200, {"choices": [{"message": {"content": [1]}}]}), "not text"),
        (streamed("data: {oh\n\n"), "not JSON"),
        (streamed(event({"content": "half a"})), "broke off before its end"),
        (streamed('data: {"error": {"message": "out of memory"}}\n\n'), "failed: out of memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_faults_are_one_line(reply: Reply, said: str) -> None:
    with serving(reply) as served, pytest.raises(ModelError, match=said) as error:
        chat(served).invoke("?")
    assert "\n" not in str(error.value) and not isinstance(error.value, ContextOverflow)


@pytest.mark.parametrize(
    ("reply", "requested", "window"),
    [
        (
            failing(400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
                    "(4000 in the messages, 1000 in the completion).", code="context_length_exceeded"),
            5000, 4096,
        ),
        (failing(400, "the request exceeds", type="exceed_context_size_error", n_prompt_tokens=900, n_ctx=512), 900, 512),
        (failing(400, "maximum context length is 512", code=400), 1025, 512),
    ],
)  # fmt: skip
def test_a_prompt_that_is_too_long(reply: Reply, requested: int, window: int) -> None:
    with serving(reply) as served, pytest.raises(ContextOverflow) as error:
        chat(served).invoke("x")
    assert (error.value.requested, error.value.window) == (requested, window)


def test_a_server_that_begins_before_it_refuses_is_asked_why() -> None:
    """It has sent its status already, so all that it can do is end the stream."""
    long = failing(400, "maximum context length is 512", code="context_length_exceeded")
    with serving(streamed(), long, streamed(), "good") as served:
        with pytest.raises(ContextOverflow, match="512"):
            chat(served).invoke("x")
        with pytest.raises(ModelError, match="broke off before its end"):
            chat(served).invoke("x")
    assert (served.asked[1]["stream"], served.asked[1]["max_tokens"]) == (False, 1)


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(ModelError, match=r"nothing answers at .*start the server"):
        ChatServer(model="m", base_url=url).invoke("?")


# --- stopping -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_work", ["", ": ping\n\n", event({"role": "assistant"})])
def test_a_deadline_ends_a_call_before_its_first_token(at_work: str) -> None:
    with serving() as served:
        served.replies.append(silent(served, at_work=at_work))
        began = time.monotonic()
        with pytest.raises(ModelError, match="not done in time"):
            chat(served, timeout_s=0.3).invoke("?")
        assert time.monotonic() - began < 3 and served.left.wait(5), "the server is left at once"


@pytest.mark.parametrize("at_work", ["", ": ping\n\n"])
@pytest.mark.parametrize("question", [CONTRACT, FEE])
def test_another_thread_ends_a_run_before_the_first_token(home: Path, question: str, at_work: str) -> None:
    with serving() as served:
        served.replies.append(silent(served, at_work=at_work))
        with Agent(Settings(home=home, remember=False, model=name_of(served))) as agent:
            threading.Thread(target=lambda: _once(lambda: served.asked) and agent.stop()).start()
            began = time.monotonic()
            answer = agent.ask(question)
            assert time.monotonic() - began < 10
        assert (answer.stopped, answer.outcome) == ("interrupted", "abstained") and served.left.wait(5)


def test_another_thread_ends_the_judge(home: Path) -> None:
    with serving() as judge, serving(drafted(REWORDED[CONTRACT])) as writer:
        judge.replies.append(silent(judge))
        settings = Settings(home=home, remember=False, model=name_of(writer), judge_model=name_of(judge))
        with Agent(settings) as agent:
            threading.Thread(target=lambda: _once(lambda: judge.asked) and agent.stop()).start()
            assert agent.ask(CONTRACT).stopped == "interrupted"
        assert judge.left.wait(5)


def _once(is_so: Callable[[], object]) -> bool:
    """Wait until it is so."""
    until = time.monotonic() + 20
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(is_so())


@pytest.mark.parametrize("wait_s", [0.2, 1.0])
def test_a_server_that_takes_too_long(wait_s: float) -> None:
    slow = streamed(*[event({"content": "x"})] * 5, wait_s=wait_s)
    with serving(slow) as served, pytest.raises(ModelError, match="not done in time"):
        chat(served, timeout_s=0.5).invoke("?")


def test_an_unknown_option_and_a_picture_are_refused() -> None:
    with pytest.raises(ModelError, match="no option colour"):
        ChatServer(model="m", base_url=HERE).invoke("?", colour=1)
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    with pytest.raises(ModelError, match="text only"):
        ChatServer(model="m", base_url=HERE).invoke(picture)


# --- elsewhere ------------------------------------------------------------------------------------------


def test_a_server_elsewhere_is_refused_until_it_is_allowed() -> None:
    name = "openai:m@https://example.org/v1"
    with pytest.raises(ModelError, match=r"not this machine.*AGENT_ALLOW_REMOTE=1"):
        build_chat_model(Settings(), name)
    allowed = build_chat_model(Settings(allow_remote=True), name)
    assert isinstance(allowed, ChatServer) and allowed.name == name


def test_the_command_line_refuses_it_too(home: Path) -> None:
    name = "openai:m@http://192.0.2.1/v1"
    for done in (
        called(home, "ask", "--model", name, CONTRACT),
        called(home, "ask", "--judge-model", name, "--model", f"openai:m@{HERE}", CONTRACT),
        called(home, "ask", CONTRACT, AGENT_MODEL=name),
        called(home, "model", "use", name),
    ):
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and "is not this machine" in done.stderr
    assert "--allow-remote" in called(home, "ask", "--help").stdout


# --- whole questions ------------------------------------------------------------------------------------


@pytest.fixture
def reader(home: Path) -> Iterator[Path]:
    yield home
    called(home, "model", "use", "extractive")


@pytest.mark.parametrize(("question", "good"), GOOD)
def test_a_server_answers(reader: Path, question: str, good: str) -> None:
    with serving(drafted(good)) as served:
        done = called(
            reader, "ask", "--json", "--model", name_of(served), question, AGENT_API_KEY="sk-secret"
        )
        answer = json.loads(done.stdout)
    assert (done.returncode, answer["answer"], answer["model"]) == (0, good, name_of(served))
    assert answer["tokens"] == 18 and served.asked[0]["response_format"]["type"] == "json_schema"
    assert "sk-secret" not in called(reader, "why", "--json").stdout
    assert name_of(served) in called(reader, "why").stdout


def test_the_default_may_be_on_a_server(reader: Path) -> None:
    with serving(drafted(PAID)) as served:
        assert f"{name_of(served)} answers" in called(reader, "model", "use", name_of(served)).stdout
        done = called(reader, "ask", FEE)
        assert done.returncode == 0 and PAID in done.stdout and "· qwen3 ·" in done.stderr
        for models, said in (
            ([], "does not tell"),
            (["a", "qwen3"], "which has it"),
            (["通义"], "which has 通义 and none of that name"),
        ):
            served.models = models
            ok, line = looked_at(reader)
            assert ok and served.url in line and said in line
    ok, line = looked_at(reader)
    assert not ok and "nothing answers" in line and "\n" not in line
    assert json.loads(called(reader, "model", "list", "--json").stdout)["default"] == name_of(served)
    assert "is on a server" in called(reader, "model", "show").stderr


def looked_at(home: Path) -> tuple[bool, str]:
    """What the doctor says of the chat model."""
    found = json.loads(called(home, "doctor", "--json").stdout)["findings"]
    return next((one["ok"], one["detail"]) for one in found if one["name"] == "chat model")


def test_a_judge_on_a_server(home: Path) -> None:
    with serving({"S1": "supported"}) as judge, serving(drafted(REWORDED[CONTRACT])) as writer:
        settings = Settings(
            home=home, remember=False, max_rounds=0, model=name_of(writer), judge_model=name_of(judge)
        )
        with Agent(settings) as agent:
            answer = agent.ask(CONTRACT)
    assert (answer.text, len(judge.asked)) == (REWORDED[CONTRACT], 1)


def test_a_server_that_is_gone_leaves_quotations_and_a_note(home: Path) -> None:
    done = called(home, "ask", "--model", "openai:m@http://127.0.0.1:9/v1", "--no-memory", CONTRACT)
    assert (
        "1 March 2026" in done.stdout
        and "note: draft: nothing answers at http://127.0.0.1:9/v1" in done.stderr
    )


def test_the_chat_says_so_too(home: Path) -> None:
    done = called(home, "chat", "--model", "openai:m@http://127.0.0.1:9/v1", "--no-memory", stdin=f"{FEE}\n")
    assert "120元" in done.stdout and "draft: nothing answers" in done.stderr


def test_a_long_prompt_is_shortened_until_it_fits(home: Path) -> None:
    long = failing(400, "maximum context length is 900 tokens", code="context_length_exceeded")
    with serving(long, drafted(SIGNED)) as served:
        settings = Settings(home=home, remember=False, max_rounds=0, model=name_of(served))
        with Agent(settings) as agent:
            answer = agent.ask(CONTRACT)
    sizes = [len(shown([asked])) for asked in served.asked]
    assert answer.text == SIGNED and sizes[1] < sizes[0]
    assert any("did not fit into 900 tokens" in note for note in answer.notes)


def test_names_in_the_store(tmp_path: Path) -> None:
    name = f"openai:m@{HERE}"
    assert store.rungs(tmp_path, f"extractive, {name}/,extractive") == ("extractive", name)
    assert store.use(tmp_path, f"extractive,{name}") == f"extractive,{name}" == store.default(tmp_path)
    assert store.rungs(tmp_path, "") == ("extractive", name) and store.chosen(tmp_path, "") is None
    comma = tmp_path / "a,b.gguf"
    comma.write_bytes(b"GGUF")
    assert store.rungs(tmp_path, str(comma)) == (str(comma),)


# --- LangChain's own standard suite ---------------------------------------------------------------------


class TestUnit(ChatModelUnitTests):
    @pytest.fixture
    def benchmark(self) -> Callable[[Callable[[], None]], None]:
        """In place of the plugin's, which is off: once will do."""
        return lambda work: work()

    @pytest.fixture
    def snapshot(self) -> None:
        """Of a plugin that is off; the suite skips what would need it."""

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatServer

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "qwen3", "base_url": HERE}

    @property
    def has_tool_calling(self) -> bool:
        return False

    @property
    def has_structured_output(self) -> bool:
        return True
