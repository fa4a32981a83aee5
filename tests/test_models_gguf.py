"""ChatGGUF over a tiny random model: the real llama.cpp, and no download."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, Field

from agent.errors import ContextOverflow, ModelError
from agent.models.gguf import ChatGGUF, gpu_backend
from tests.processes import python
from tests.tiny_gguf import write_tiny_gguf

pytest.importorskip("llama_cpp")


class Verdict(BaseModel):
    label: Literal["supported", "refuted", "不知道"]
    score: int
    sure: bool
    cites: list[Literal["S1", "S2"]] = Field(max_length=2)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture(scope="module")
def chat(path: Path) -> Iterator[ChatGGUF]:
    model = make(path)
    yield model
    model.close()


def make(path: Path, **options: Any) -> ChatGGUF:
    defaults: dict[str, Any] = {"context_tokens": 512, "threads": 1, "max_output_tokens": 24}
    return ChatGGUF(model_path=str(path), **(defaults | options))


def test_invoke_is_repeatable_and_counts_its_tokens(chat: ChatGGUF) -> None:
    messages = [
        SystemMessage("Be brief."),
        HumanMessage("你好"),
        AIMessage("Hi"),
        HumanMessage("?"),
    ]
    first, second = chat.invoke(messages), chat.invoke(messages)
    assert isinstance(first.content, str) and len(first.content) > 10
    assert first.content == second.content
    assert first.usage_metadata is not None
    assert first.usage_metadata["output_tokens"] == 24
    assert first.usage_metadata["input_tokens"] == chat.get_num_tokens_from_messages(messages)
    assert first.response_metadata["finish_reason"] == "length"
    assert first.response_metadata["model_name"] == "tiny.gguf"


def test_stream_adds_up_to_invoke(chat: ChatGGUF) -> None:
    whole = chat.invoke("Hello")
    chunks = list(chat.stream("Hello"))
    assert len(chunks) > 5
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert total.content == whole.content
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        assert total.usage_metadata[name] == whole.usage_metadata[name]
    assert total.usage_metadata["input_token_details"]["cache_read"] > 20
    assert total.response_metadata["finish_reason"] == "length"


@pytest.mark.parametrize("reuse_prefix", [True, False])
def test_reply_does_not_depend_on_earlier_questions(path: Path, reuse_prefix: bool) -> None:
    model = make(path, reuse_prefix=reuse_prefix)
    first = model.invoke("Hello there").content
    model.invoke("Hello their")
    assert model.invoke("Hello there").content == first
    model.close()


def test_seed_decides_sampling(path: Path) -> None:
    said = []
    for seed in (1, 1, 2):
        model = make(path, temperature=1.5, seed=seed)
        said.append(model.invoke("Hello").content)
        model.close()
    assert said[0] == said[1] != said[2]


def test_handlers_hear_every_token(chat: ChatGGUF) -> None:
    class Ear(BaseCallbackHandler):
        def __init__(self) -> None:
            self.heard = ""

        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            self.heard += token

    for ask in (chat.invoke, lambda *args, **kw: list(chat.stream(*args, **kw))):
        ear = Ear()
        ask("Hello", config={"callbacks": [ear]})
        assert ear.heard == chat.invoke("Hello").content


def test_stop_sequence_ends_the_reply(chat: ChatGGUF) -> None:
    whole = str(chat.invoke("Hello").content)
    stop = whole[8:10]
    before = whole[: whole.index(stop)]
    cut = chat.invoke("Hello", stop=[stop])
    assert cut.content == before
    assert cut.response_metadata["finish_reason"] == "stop"
    assert "".join(str(c.content) for c in chat.stream("Hello", stop=[stop])) == before


def test_structured_output_with_a_class(chat: ChatGGUF) -> None:
    structured = chat.with_structured_output(Verdict, max_output_tokens=200)
    verdict = structured.invoke([HumanMessage("Is it so?")])
    assert isinstance(verdict, Verdict)
    raw = chat.with_structured_output(Verdict, include_raw=True, max_output_tokens=200)
    both = raw.invoke("Is it so?")
    assert both["parsed"] == Verdict(**json.loads(both["raw"].content))
    assert both["raw"].response_metadata["finish_reason"] == "stop"


def test_structured_output_with_a_json_schema(chat: ChatGGUF) -> None:
    schema = {
        "type": "object",
        "properties": {"语言": {"enum": ["中文", "英文"]}, "n": {"type": "integer"}},
        "required": ["语言", "n"],
    }
    reply = chat.with_structured_output(schema, include_raw=True, max_output_tokens=100).invoke("?")
    assert reply["parsed"]["语言"] in ("中文", "英文")
    assert isinstance(reply["parsed"]["n"], int)
    assert "\\u" not in reply["raw"].content


def test_structured_reply_cut_short_is_an_error(chat: ChatGGUF) -> None:
    with pytest.raises(ModelError, match="max_output_tokens"):
        chat.with_structured_output(Verdict, max_output_tokens=5).invoke("?")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "strange"},
        {"not": {"type": "string"}},
        {"type": "string", "pattern": "unanchored"},
        {"$ref": "#/$defs/Missing"},
        {"enum": ["half \ud83d"]},
    ],
)
def test_schema_without_a_grammar_is_an_error(chat: ChatGGUF, part: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"x": part}, "required": ["x"]}
    with pytest.raises(ModelError, match="No grammar"):
        chat.with_structured_output(schema).invoke("?")


def test_grammar_that_llama_refuses_is_an_error(chat: ChatGGUF) -> None:
    # Converted without complaint, but llama.cpp knows no \\d; sampling would crash.
    schema = {"type": "string", "pattern": r"^\d+$"}
    with pytest.raises(ModelError, match="No grammar"):
        chat.with_structured_output(schema).invoke("?")
    assert chat.invoke("Hello").content


def test_other_schemas_and_options_are_refused(chat: ChatGGUF) -> None:
    with pytest.raises(ModelError, match="pydantic"):
        chat.with_structured_output(int)
    with pytest.raises(ModelError, match="no option max_tokens"):
        chat.invoke("?", max_tokens=3)


def test_messages_that_a_text_model_cannot_take(chat: ChatGGUF) -> None:
    with pytest.raises(ModelError, match="tool message"):
        chat.invoke([ToolMessage("42", tool_call_id="1")])
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(ModelError, match="text only"):
        chat.invoke([HumanMessage([image])])


def test_context_overflow_says_how_much(chat: ChatGGUF) -> None:
    with pytest.raises(ContextOverflow) as caught:
        chat.invoke("x" * 600)
    assert caught.value.window == chat.window == 512
    assert caught.value.requested == chat.get_num_tokens_from_messages([HumanMessage("x" * 600)])


@pytest.mark.parametrize("context", [300, 512, 0])
def test_reply_ends_where_the_window_ends(path: Path, context: int) -> None:
    model = make(path, context_tokens=context, max_output_tokens=10_000)
    window = context or 512
    fits = "x" * (window - 10 - model.get_num_tokens_from_messages([HumanMessage("")]))
    usage = model.invoke(fits).usage_metadata
    assert model.window == window
    assert usage is not None and usage["total_tokens"] == window
    model.close()


def test_reasoning_is_moved_out_of_the_content(path: Path, tmp_path: Path) -> None:
    template = "{{ messages[0].content }}<think>\n"
    other = write_tiny_gguf(tmp_path / "thinker.gguf", chat_template=template)
    model = make(other)
    reply = model.invoke("Hello")
    assert reply.content == ""
    assert len(reply.additional_kwargs["reasoning_content"]) > 10
    assert model.with_structured_output({"type": "boolean"}).invoke("?") in (True, False)
    model.close()


def test_unusable_files(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    contents = {"empty": b"", "text": b"just text", "half": whole[: len(whole) // 2]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    write_tiny_gguf(tmp_path / "alien", architecture="alien")
    write_tiny_gguf(tmp_path / "mute", chat_template=None)
    write_tiny_gguf(tmp_path / "broken", chat_template="{% for %}")
    reasons = {
        "missing": "No model file",
        ".": "is a folder",
        "empty": "not a GGUF",
        "text": "not a GGUF",
        "half": "corrupted or incomplete",
        "alien": "unknown model architecture",
        "mute": "no chat template",
        "broken": "Expected an expression",
    }
    for name, reason in reasons.items():
        with pytest.raises(ModelError, match=reason) as caught:
            make(tmp_path / name).invoke("Hello")
        assert "\n" not in str(caught.value)


def test_template_that_refuses_is_an_error(tmp_path: Path) -> None:
    template = "{{ raise_exception('System role not supported') }}"
    model = make(write_tiny_gguf(tmp_path / "strict.gguf", chat_template=template))
    with pytest.raises(ModelError, match="System role not supported"):
        model.invoke("Hello")
    model.close()


def test_two_models_at_once(path: Path, tmp_path: Path) -> None:
    one, two = make(path), make(write_tiny_gguf(tmp_path / "two.gguf", seed=7, layers=1))
    expected = [model.invoke("Hello").content for model in (one, two)]
    assert expected[0] != expected[1]
    streams = [one.stream("Hello"), two.stream("Hello")]
    texts = ["", ""]
    for pair in zip(*streams, strict=False):
        for at, chunk in enumerate(pair):
            texts[at] += str(chunk.content)
    assert texts == expected
    one.close()
    assert two.invoke("Hello").content == expected[1]
    two.close()


def test_threads_take_turns(chat: ChatGGUF) -> None:
    questions = ["one", "two", "three"]
    expected = {q: chat.invoke(q).content for q in questions}
    said: dict[str, Any] = {}
    threads = [
        threading.Thread(target=lambda q=q: said.update({q: chat.invoke(q).content})) for q in questions
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert said == expected


def test_abandoned_stream_frees_the_model_and_close_can_be_undone(chat: ChatGGUF) -> None:
    expected = chat.invoke("Hello").content
    stream = chat.stream("Hello")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    chat.close()
    chat.close()
    assert chat.invoke("Hello").content == expected


def test_nothing_is_printed_and_the_import_is_lazy(path: Path, tmp_path: Path) -> None:
    write_tiny_gguf(tmp_path / "alien", architecture="alien")
    paths = [str(path), str(tmp_path / "alien")]
    script = f"""
import sys
from agent.models.gguf import ChatGGUF
models = [ChatGGUF(model_path=path, max_output_tokens=3) for path in {paths}]
assert "llama_cpp" not in sys.modules
models[0].invoke("Hello")
try:
    models[1].invoke("Hello")
except Exception as error:
    assert type(error).__name__ == "ModelError"
"""
    done = python(script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_missing_package_says_how_to_install(path: Path) -> None:
    script = f"""
import sys
sys.modules["llama_cpp"] = None
from agent.models.gguf import ChatGGUF, gpu_backend
print(gpu_backend())
try:
    ChatGGUF(model_path={str(path)!r}).invoke("Hello")
except Exception as error:
    print(error)
"""
    done = python(script)
    line = "llama-cpp-python is not installed: pip install 'toulmin[gguf]'\n"
    assert (done.stdout, done.stderr) == (line * 2, "")


def test_gpu_backend_is_one_line() -> None:
    assert "CPU" in gpu_backend() and "\n" not in gpu_backend()
