"""The whole graph over a real GGUF model that writes noise: no error, and nothing unsupported passes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent import Agent, Settings
from agent.errors import ModelError
from agent.models.gguf import ChatGGUF
from tests.conftest import SAMPLE
from tests.tiny_gguf import CHATML, DEEPSEEK, write_chatty_gguf, write_tiny_gguf


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Iterator[Agent]:
    pytest.importorskip("llama_cpp")
    home = tmp_path_factory.mktemp("gguf")
    (home / "cache").symlink_to(cache_folder)
    model = write_tiny_gguf(home / "tiny.gguf", context=4096)
    chosen = Settings(
        home=home,
        model=str(model),
        context_tokens=4096,
        max_output_tokens=16,
        passages=2,
        max_rounds=1,
        gpu_layers=0,
    )
    with Agent(chosen) as opened:
        opened.add(SAMPLE / "lease.txt", SAMPLE / "meeting.zh.md")
        yield opened


@pytest.mark.parametrize("question", ["When was the contract signed?", "会费每人每年多少钱？"])
def test_a_model_of_noise_verifies_nothing_that_is_not_cited(agent: Agent, question: str) -> None:
    answer = agent.ask(question)
    assert answer.outcome in ("verified", "partial", "abstained", "unverified")
    assert answer.model == "extractive" and answer.tokens > 0, "it was asked, and quotations stand in"
    if answer.outcome in ("verified", "partial"):
        assert answer.claims
    for claim in answer.claims:
        assert claim.verdict == "supported" and claim.citations
        for citation in claim.citations:
            text = Path(citation.path).read_text(encoding="utf-8")
            assert text[citation.start : citation.end] == citation.quote
    assert any("draft" in note for note in answer.notes), "noise is no draft, and the run says so"


def test_what_needs_no_model_does_not_ask_it(agent: Agent) -> None:
    for question, said in (("What is 12% of 3,400?", "408"), ("5加7等于多少？", "12"), ("你好", "你好")):
        answer = agent.ask(question)
        assert said in answer.text and answer.tokens == 0


@pytest.mark.parametrize("name", ["no-such.gguf", "没有.gguf"])
def test_missing_model_file(settings: Settings, name: str) -> None:
    with (
        Agent(replace(settings, model=name)) as agent,
        pytest.raises(ModelError, match=f"no such model file: {name}"),
    ):
        agent.ask("When was the contract signed?")


def test_extractive_by_name(settings: Settings) -> None:
    with Agent(replace(settings, model="extractive")) as agent:
        assert agent.ask("你好").model == "extractive"


# --- models that come to an end -------------------------------------------------------------------------


def chatty(folder: Path, template: str = CHATML, **options: object) -> ChatGGUF:
    """It closes what it opens, so that its drafts, verdicts and queries can be read; they are noise."""
    likely = {'"': 14.0, "]": 14.0, "</think>": 10.0, "</s>": 9.0}
    file = write_chatty_gguf(folder / "chatty.gguf", template, context=8192, likely=likely)
    given = {"context_tokens": 8192, "temperature": 1.0, "max_output_tokens": 600, "threads": 1, **options}
    return ChatGGUF(model_path=str(file), **given)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("template", [CHATML, DEEPSEEK], ids=["chatml", "deepseek"])
def test_noise_that_can_be_read_is_taken_out_by_the_critic(home: Path, tmp_path: Path, template: str) -> None:
    model = chatty(tmp_path, template)
    with Agent(Settings(home=home, passages=2, max_rounds=1, remember=False), chat_model=model) as agent:
        for question in ("When was the contract signed?", "会费每人每年多少钱？"):
            answer = agent.ask(question)
            assert answer.outcome in ("abstained", "partial", "unverified") or answer.notes
            assert answer.tokens > 0 and answer.model.endswith("chatty.gguf")
            first = answer.text
            model.close()
            assert agent.ask(question).text == first, "loaded again, it says the same"


def test_evidence_that_does_not_fit_is_dropped_with_a_note(home: Path, tmp_path: Path) -> None:
    model = chatty(tmp_path, context_tokens=1900)
    with Agent(Settings(home=home, max_rounds=0, remember=False), chat_model=model) as agent:
        notes = agent.ask("When was the contract signed and by whom?").notes
    assert any("passages did not fit into 1900 tokens" in note for note in notes)


def test_two_models_take_turns(home: Path, tmp_path: Path) -> None:
    writer, judge = chatty(tmp_path), chatty(tmp_path, seed=5)
    chosen = Settings(home=home, passages=2, max_rounds=0, paths=2, remember=False)
    with Agent(chosen, chat_model=writer, judge_model=judge) as agent:
        answer = agent.ask("When was the contract signed?")
    assert answer.tokens > 0 and not any("Error" in note for note in answer.notes)


def test_a_run_that_is_stopped_settles(home: Path, tmp_path: Path) -> None:
    """In the middle of a constrained reply that would go on for long."""
    model = chatty(tmp_path, max_output_tokens=4000)
    with Agent(Settings(home=home, max_rounds=1, remember=False), chat_model=model) as agent:
        timer = threading.Timer(0.3, agent.stop)
        timer.start()
        answer = agent.ask("When was the contract signed?")
        timer.join()
    assert answer.stopped == "interrupted"
    assert model.invoke("Hello", max_output_tokens=2).content is not None, "the model is free again"
