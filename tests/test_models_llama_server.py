"""Chat models on llama-cpp-python's own server: the real one, on loopback, over a model that writes noise."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from pydantic import BaseModel

from agent import Agent, Settings
from agent.errors import ContextOverflow, ModelError
from agent.models.server import ChatServer, models_of
from tests.processes import called, environment
from tests.sample import CONTRACT, FEE
from tests.tiny_gguf import CHATML, write_chatty_gguf

pytestmark = pytest.mark.slow  # each server takes two seconds to start

WINDOW = 8192
NARROW = 2048
START_S = 60.0


@dataclass(frozen=True)
class Running:
    url: str
    process: subprocess.Popen[bytes]

    @property
    def name(self) -> str:
        return f"openai:tiny@{self.url}"


@contextmanager
def running(model: Path, window: int = WINDOW) -> Iterator[Running]:
    """`python -m llama_cpp.server`, once it answers; gone afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--model_alias", "tiny"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", str(window), "--n_threads", "1"]
    log = model.with_suffix(f".{port}.log")
    with log.open("wb") as said:
        process = subprocess.Popen(command, env=environment(), stdout=said, stderr=subprocess.STDOUT)
    served = Running(f"http://127.0.0.1:{port}/v1", process)
    try:
        until = time.monotonic() + START_S
        while not _answers(served.url):
            assert process.poll() is None and time.monotonic() < until, log.read_text()[-2000:]
            time.sleep(0.1)
        yield served
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/models", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that closes the strings, lists and replies that it begins."""
    pytest.importorskip("llama_cpp")
    file = tmp_path_factory.mktemp("served") / "tiny.gguf"
    likely = {'"': 14.0, "]": 14.0, "</think>": 10.0, "</s>": 9.0}
    return write_chatty_gguf(file, CHATML, context=WINDOW, likely=likely)


@pytest.fixture(scope="module")
def server(noise: Path) -> Iterator[Running]:
    with running(noise) as served:
        yield served


def chat(served: Running, **more: Any) -> ChatServer:
    return ChatServer(model="tiny", base_url=served.url, **{"max_output_tokens": 60, **more})


class Verdict(BaseModel):
    supported: bool
    why: Literal["数字", "name", "date"]
    passages: list[int]


@pytest.mark.parametrize("text", ["When was it signed?", "会费每年多少钱？"])
def test_a_reply_comes_in_pieces_and_its_tokens_are_estimated(server: Running, text: str) -> None:
    pieces = list(chat(server).stream(text))
    whole = chat(server).invoke(text)
    assert len(pieces) > 10 and "".join(str(one.content) for one in pieces) == whole.content
    assert whole.response_metadata == {"finish_reason": "length", "model_name": "tiny"}
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["input_tokens"] > 1 and whole.usage_metadata["output_tokens"] > 5
    first = str(whole.content)[0]
    stopped = chat(server).invoke(text, stop=[first])
    assert (stopped.content, stopped.response_metadata["finish_reason"]) == ("", "stop")


@pytest.mark.parametrize("text", ["Is it so?", "是这样吗？"])
def test_a_schema_holds_the_reply(server: Running, text: str) -> None:
    """Its way to be told of one is not the first that is tried."""
    model = chat(server, max_output_tokens=300).with_structured_output(Verdict)
    assert isinstance(model.invoke(text), Verdict)
    with pytest.raises(ModelError, match="cut short before it was complete"):
        chat(server).with_structured_output(Verdict, max_output_tokens=3).invoke(text)


def test_a_prompt_that_is_too_long(server: Running) -> None:
    """It has begun to reply by then, and tells only when it is asked again."""
    for model in (chat(server), chat(server).with_structured_output(Verdict)):
        with pytest.raises(ContextOverflow) as error:
            model.invoke("很长 " * WINDOW)
        assert error.value.window == WINDOW < error.value.requested
    assert chat(server).invoke("Hi").content, "it answers still"


@pytest.mark.parametrize("question", [CONTRACT, FEE])
def test_a_whole_question(home: Path, server: Running, question: str) -> None:
    done = called(home, "ask", "--json", "--max-rounds", "1", "--model", server.name, question)
    answer = json.loads(done.stdout)
    assert done.returncode in (0, 3, 4, 5) and answer["model"] == server.name and answer["tokens"] > 300
    assert "Error" not in done.stderr and "draft:" not in done.stderr, "noise that can be read is a draft"


def test_evidence_that_does_not_fit_is_dropped(home: Path, noise: Path) -> None:
    with running(noise, NARROW) as served:
        settings = Settings(home=home, max_rounds=0, remember=False, model=served.name)
        with Agent(settings) as agent:
            notes = agent.ask("When was the contract signed and by whom?").notes
    assert any(f"passages did not fit into {NARROW} tokens" in note for note in notes)


def test_a_name_that_it_does_not_have(home: Path, server: Running) -> None:
    """It answers with its own; the doctor tells."""
    assert models_of(server.url) == ["tiny"]
    assert ChatServer(model="另一个", base_url=server.url).invoke("Hi", max_output_tokens=3).content
    said = called(home, "doctor", AGENT_MODEL=server.name.replace("tiny", "另一个")).stdout
    assert "has tiny and none of that name" in " ".join(said.split())


def test_a_place_where_it_does_not_listen(server: Running) -> None:
    with pytest.raises(ModelError, match="not the address of the API") as error:
        ChatServer(model="tiny", base_url=server.url.replace("/v1", "/v3")).invoke("Hi")
    assert "\n" not in str(error.value)


class KillsAt(BaseCallbackHandler):
    """Kills the server with some token of a reply."""

    def __init__(self, process: subprocess.Popen[bytes], token: int) -> None:
        self._process, self._left = process, token

    def on_llm_new_token(self, token: str, **_: Any) -> None:
        self._left -= bool(token)
        if self._left == 0:
            self._process.kill()
            self._process.wait()


def test_it_is_killed_in_the_middle_of_a_reply(noise: Path) -> None:
    with running(noise) as served:
        pieces = chat(served, max_output_tokens=4000).stream("Hi")
        next(pieces)
        served.process.kill()
        with pytest.raises(ModelError, match=r"broke off") as error:
            list(pieces)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="nothing answers"):
        chat(served).invoke("Hi")


@pytest.mark.parametrize(("question", "said"), [(CONTRACT, "1 March 2026"), (FEE, "120元")])
def test_it_is_killed_in_the_middle_of_a_question(home: Path, noise: Path, question: str, said: str) -> None:
    """Quotations stand in, and one line says why."""
    with running(noise) as served:
        model = chat(served, callbacks=[KillsAt(served.process, 5)])
        with Agent(Settings(home=home, remember=False), chat_model=model) as agent:
            answer = agent.ask(question)
    lines = [note for note in answer.notes if "broke off" in note]
    assert said in answer.text and len(lines) == 1 and "\n" not in lines[0]
