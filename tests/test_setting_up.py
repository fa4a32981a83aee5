"""`agent setup` with another embedder: from a fresh home to a library that was embedded again."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent import Agent
from agent.cli.looking import examine
from agent.cli.setting_up import set_up
from agent.settings import Settings, read_settings
from retrieval.embed import MINILM_ID, EmbedderError
from tests.conftest import SAMPLE
from tests.processes import python
from tests.tiny_encoder import save_sentence_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prompts = {"query": "query: ", "document": "passage: "}
    return save_sentence_model(tmp_path_factory.mktemp("m"), "xlm-roberta", prompts=prompts)


@pytest.mark.slow  # imports torch to make the model
def test_a_fresh_library_takes_it_on(
    model: Path, own_cache: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up(str(model))
    assert "embedder ready: model@" in capfd.readouterr().err
    with Agent(read_settings()) as agent:  # which names no embedder
        agent.add(SAMPLE)
        assert agent.library.embedder().name == str(model)
        assert agent.search("contract") and not agent.library.blind_reason
        assert agent.library.store.embedder_name() == str(model)


@pytest.mark.slow  # imports torch to make the model
def test_a_full_library_is_asked_about(
    model: Path, own_cache: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up()
    with Agent(read_settings()) as agent:
        agent.add(SAMPLE)
    set_up(str(model))
    told = capfd.readouterr().err
    assert f"embedded with {MINILM_ID} and stays so" in told and f"--embedder {model} --reembed" in told
    monkeypatch.setenv("AGENT_EMBEDDER", str(model))
    with Agent(read_settings()) as agent, pytest.raises(EmbedderError, match="--reembed"):
        agent.library.embedder()
    monkeypatch.delenv("AGENT_EMBEDDER")
    set_up(str(model), reembed=True)
    assert "chunks again" in capfd.readouterr().err
    with Agent(read_settings()) as agent:
        assert agent.library.embedder().name == str(model)
        assert agent.library.dense("会费每人每年多少元？", 3)
    set_up(MINILM_ID, reembed=True)
    with Agent(read_settings()) as agent:
        assert agent.library.embedder().model_id == MINILM_ID


def test_doctor_tells_of_much_blind_text(
    own_cache: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(25):
        (tmp_path / f"{n}.txt").write_text(f"第{n}条，读书会每两周一次，会费由何佳收取。", encoding="utf-8")
    with Agent(read_settings()) as agent:
        agent.add(*tmp_path.glob("*.txt"))
    examine(as_json=True)
    assert "multilingual-e5-small" in capsys.readouterr().out


@pytest.mark.slow  # imports torch to make the model
def test_a_question_imports_none_of_it(model: Path, own_cache: Settings) -> None:
    set_up(str(model))
    with Agent(read_settings()) as agent:
        agent.add(SAMPLE)
    code = (
        "import sys; from agent.cli import main; sys.argv = ['agent', 'ask', 'Who signed the contract?']\n"
        "try: main()\nexcept SystemExit as end: assert end.code != 1\n"
        "bad = {'torch', 'transformers', 'sentence_transformers', 'langchain_tests'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
