"""The whole graph over a real GGUF model that writes noise: no error, and nothing unsupported passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent import Agent, Settings
from agent.errors import ModelError
from tests.conftest import SAMPLE
from tests.tiny_gguf import write_tiny_gguf


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
    assert answer.model.endswith("tiny.gguf") and answer.tokens > 0
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
