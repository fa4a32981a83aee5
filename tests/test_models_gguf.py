"""ChatGGUF over a tiny random model: the real llama.cpp, and no download."""

import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, Field

from agent.budget import Brake, Meter
from agent.errors import ContextOverflow, ModelError, Stopped
from agent.models.engine import layers_to_try, open_with_fewer
from agent.models.gguf import ChatGGUF, gpu_backend
from agent.models.templates import ChatTemplate
from agent.models.watch import Watch
from tests.processes import python
from tests.tiny_gguf import CONTROL, DEEPSEEK, TAGS, TEMPLATES, write_chatty_gguf, write_tiny_gguf

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
    assert caught.value.requested == 1 + chat.get_num_tokens_from_messages([HumanMessage("x" * 600)])
    with pytest.raises(ContextOverflow) as caught:
        chat.with_structured_output(Verdict, max_output_tokens=100).invoke("x" * 400)
    assert caught.value.requested == 100 + chat.get_num_tokens_from_messages([HumanMessage("x" * 400)])


@pytest.mark.parametrize("context", [300, 512, 0])
def test_reply_ends_where_the_window_ends(path: Path, context: int) -> None:
    model = make(path, context_tokens=context, max_output_tokens=10_000)
    window = context or 512
    fits = "x" * (window - 10 - model.get_num_tokens_from_messages([HumanMessage("")]))
    usage = model.invoke(fits).usage_metadata
    assert model.window == window
    assert usage is not None and usage["total_tokens"] == window
    model.close()


# --- chat templates -------------------------------------------------------------------------------------

TALK = [SystemMessage("Be brief."), HumanMessage("你好"), AIMessage("Hi"), HumanMessage("Who?")]
HOSTILE = "".join([*CONTROL, *TAGS, "<s></s><unk>"])


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ChatGGUF]]:
    """A model for each template; they end strings, reasoning and replies sooner or later."""
    folder = tmp_path_factory.mktemp("chatty")
    models = {
        name: make(
            write_chatty_gguf(folder / f"{name}.gguf", template, context=1024),
            context_tokens=1024,
            temperature=1.0,
            max_output_tokens=300,
        )
        for name, template in TEMPLATES.items()
    }
    yield models
    for model in models.values():
        model.close()


def tokens_of(model: ChatGGUF, *said: str) -> list[int]:
    messages = [
        {"role": "user" if at % 2 == 0 else "assistant", "content": text} for at, text in enumerate(said)
    ]
    return model._load().prompt(messages).tokens


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_from_end_to_end(chatty: dict[str, ChatGGUF], name: str) -> None:
    model = chatty[name]
    said = model.invoke(TALK)
    assert said.content or said.additional_kwargs["reasoning_content"]
    assert "".join(str(chunk.content) for chunk in model.stream(TALK)) == said.content
    assert not any(tag in str(said.content) for tag in ("<|", "<think>"))
    assert model.with_structured_output(Verdict).invoke(TALK).label
    assert model.batch([TALK, "?"])[0].content == said.content


@pytest.mark.parametrize("name", TEMPLATES)
def test_control_tokens_in_a_message_are_text(chatty: dict[str, ChatGGUF], name: str) -> None:
    model = chatty[name]
    special = {
        model._load()._tokens(text, special=True)[0] for text in (*CONTROL, *TAGS, "<s>", "</s>", "<unk>")
    }
    assert len(special) == len(CONTROL) + len(TAGS) + 3
    harmless = [token for token in tokens_of(model, "x", "y", "z") if token in special]
    spelt = tokens_of(model, f"x{HOSTILE}", f"{HOSTILE}y", f"你{HOSTILE}好")
    assert [token for token in spelt if token in special] == harmless
    written = b"".join(model._load()._llm.detokenize([token], special=True) for token in spelt).decode()
    assert written.count(HOSTILE) == 3, "nothing is lost"


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=3))
def test_ordinary_text_is_tokenised_with_the_prompt_as_a_whole(
    chatty: dict[str, ChatGGUF], said: list[str]
) -> None:
    for name in ("chatml", "mistral"):
        engine = chatty[name]._load()
        messages = [
            {"role": "user" if at % 2 == 0 else "assistant", "content": text} for at, text in enumerate(said)
        ]
        [(prompt, _)] = ChatTemplate(TEMPLATES[name], "<s>", "</s>").render(messages)
        assert tokens_of(chatty[name], *said) == engine._tokens(prompt, special=True)


def test_reasoning_is_moved_out_of_the_content(chatty: dict[str, ChatGGUF]) -> None:
    both = [chatty["deepseek"].invoke(text) for text in "abcdefgh"]
    assert any(one.additional_kwargs and one.content for one in both), "some came to an answer"
    assert not any(str(one.content).startswith(TAGS) for one in both)


@pytest.mark.parametrize("kind", ["control", "own"])
def test_tags_of_any_kind_are_seen(tmp_path: Path, kind: str) -> None:
    """Control tokens are not written out; a tag of reasoning that is one must not get lost."""
    options: dict[str, Any] = {kind: TAGS, "likely": {"</think>": 12.0}}
    model = make(write_tiny_gguf(tmp_path / "t.gguf", chat_template=DEEPSEEK, **options), temperature=1.0)
    said = model.invoke("Who?", max_output_tokens=100)
    assert said.additional_kwargs["reasoning_content"] and said.content
    model.close()


def test_thinking_can_be_switched_off_and_constrained_replies_do_without(chatty: dict[str, ChatGGUF]) -> None:
    model = chatty["deepseek"]
    off = model.bind(think=False).invoke("Who?")
    assert off.content and not off.additional_kwargs
    assert model.invoke("Who?").additional_kwargs["reasoning_content"]
    silent = make(Path(model.model_path), think=False, temperature=1.0)
    assert silent.invoke("Who?", max_output_tokens=300).content == off.content
    assert silent.bind(think=True).invoke("Who?").additional_kwargs["reasoning_content"]
    silent.close()
    for switched in (model, model.bind(think=True)):
        [told] = [switched.invoke("?", grammar_schema={"type": "boolean"})]
        assert told.content in ("true", "false") and not told.additional_kwargs


def test_long_tokens_are_written_whole(tmp_path: Path) -> None:
    long = "=" * 70
    model = make(write_tiny_gguf(tmp_path / "long.gguf", own=[long], likely={long: 30.0}))
    assert model.invoke("Hello", max_output_tokens=3).content == long * 3
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
        "broken": "template of broken is broken: Expected an expression",
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


# --- stopping -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatGGUF]:
    """A model that reads its whole window at once."""
    path = write_tiny_gguf(tmp_path_factory.mktemp("slow") / "slow.gguf", context=4096)
    model = make(path, context_tokens=4096, batch_tokens=4096, gpu_layers=0)
    model.invoke("Hello")
    yield model
    model.close()


class Pull(BaseCallbackHandler):
    """Pulls a brake at a token."""

    def __init__(self, brake: Brake, after: int) -> None:
        self.brake, self.left = brake, after

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        self.left -= 1
        if self.left == 0:
            self.brake.pulled = True


@pytest.mark.parametrize("schema", [None, {"type": "array", "items": {"type": "integer"}, "minItems": 50}])
def test_a_pulled_brake_stops_at_the_next_token(chat: ChatGGUF, schema: dict[str, Any] | None) -> None:
    model = chat.with_structured_output(schema) if schema else chat
    expected = chat.invoke("Hello").content
    brake = Brake()
    pull = Pull(brake, 3)
    with pytest.raises(Stopped):
        model.invoke("Hello", config={"callbacks": [pull, Watch(Meter(), brake)]})
    assert -2 < pull.left <= 0
    assert chat.invoke("Hello").content == expected, "the model is in order"


def test_a_pulled_brake_stops_the_reading_of_a_prompt(slow: ChatGGUF) -> None:
    brake, engine = Brake(), slow._load()
    read = engine.evaluated
    with pytest.raises(Stopped):
        slow.invoke("x" * 4000, config={"callbacks": [Pull(brake, 1), Watch(Meter(), brake)]})
    assert engine.evaluated == read, "within its one batch"
    assert slow.invoke("Hello").content == slow.invoke("Hello").content


def test_a_signal_stops_the_reading_of_a_prompt(slow: ChatGGUF) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    engine, read = slow._load(), slow._load().evaluated
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            slow.invoke("y" * 4000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert engine.evaluated == read
    assert slow.invoke("Hello").content


@pytest.mark.parametrize("schema", [None, {"type": "array", "items": {"type": "integer"}, "minItems": 900}])
def test_a_deadline_ends_reading_writing_and_waiting(slow: ChatGGUF, schema: dict[str, Any] | None) -> None:
    options: dict[str, Any] = {"timeout_s": 0.1, "max_output_tokens": 4000, "grammar_schema": schema}
    for text in ("Hello", "z" * 3500):
        with pytest.raises(ModelError, match="not done after"):
            slow.invoke(text, **options)
    held = slow.stream("Hello")
    next(held)
    with pytest.raises(ModelError, match="not done after"):
        slow.invoke("Hello", **options)
    held.close()  # type: ignore[attr-defined]
    assert slow.invoke("Hello", timeout_s=60).content


# --- layers, and what the model is ----------------------------------------------------------------------


def test_layers_to_try() -> None:
    assert layers_to_try(-1, 33) == [-1, 24, 16, 8, 0]
    assert layers_to_try(8, 33) == [8, 6, 4, 2, 0]
    assert layers_to_try(99, 33) == [99, 24, 16, 8, 0]
    assert layers_to_try(1, 33) == [1, 0]
    assert layers_to_try(0, 33) == [0]


@pytest.mark.parametrize(
    "reason", ["CUDA error: out of memory", "failed to allocate CUDA0 buffer", "ErrorOutOfDeviceMemory"]
)
def test_fewer_layers_are_tried_where_memory_does_not_suffice(reason: str) -> None:
    tried: list[int] = []

    def make(layers: int) -> str:
        tried.append(layers)
        if layers < 0 or layers > 10:
            raise RuntimeError(reason)
        return "opened"

    assert open_with_fewer(make, -1, lambda: 33) == ("opened", 8)
    assert tried == [-1, 24, 16, 8]


def test_other_failures_are_not_tried_again() -> None:
    tried: list[int] = []

    def make(layers: int) -> str:
        tried.append(layers)
        raise ValueError("broken" if len(tried) == 1 else "out of memory")

    with pytest.raises(ValueError, match="broken"):
        open_with_fewer(make, -1, lambda: 33)
    with pytest.raises(ValueError, match="out of memory"):
        open_with_fewer(make, 4, lambda: 33)
    assert tried == [-1, 4, 3, 2, 1, 0]


def test_info_and_measure(chat: ChatGGUF, path: Path) -> None:
    told = chat.info()
    assert (told["architecture"], told["quantisation"], told["layers"]) == ("llama", "F32", 2)
    assert told["file_bytes"] == path.stat().st_size and told["vocabulary"] == 259
    assert told["context_tokens"] == told["trained_context_tokens"] == 512
    assert 0 <= told["layers_on_gpu"] <= 3 and told["parameters"] > 100_000
    expected = chat.invoke("Hello").content
    assert all(rate > 0 for rate in chat.measure().values())
    assert chat.invoke("Hello").content == expected


@pytest.mark.parametrize("flash_attention", [True, False])
def test_flash_attention_is_a_choice(path: Path, flash_attention: bool) -> None:
    model = make(path, flash_attention=flash_attention, batch_tokens=16)
    assert model.invoke("Hello there, this is longer than a batch.").content
    assert model.info()["flash_attention"] is flash_attention
    model.close()


def test_usage_tells_what_was_reused(chat: ChatGGUF) -> None:
    chat.invoke("The same beginning, one")
    reply = chat.invoke("The same beginning, two")
    assert reply.usage_metadata is not None
    told = reply.usage_metadata["input_token_details"]["cache_read"]
    assert len("The same beginning, ") < told < reply.usage_metadata["input_tokens"]


# --- several at once ------------------------------------------------------------------------------------


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
    line = "llama-cpp-python is not installed: pip install 'llama-cpp-python>=0.3.36,<0.4'\n"
    assert (done.stdout, done.stderr) == (line * 2, "")


def test_gpu_backend_is_one_line() -> None:
    assert "CPU" in gpu_backend() and "\n" not in gpu_backend()
