"""Settings from flags and the environment: flags win, and what cannot be read is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent.errors import SettingsError
from agent.settings import Settings, read_settings


def test_defaults() -> None:
    assert read_settings({}) == Settings()
    assert Settings().model == "" and Settings().remember and Settings().home is None


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("AGENT_HOME", "/srv/图书", "home", Path("/srv/图书")),
        ("AGENT_HOME", "~/t", "home", Path("~/t").expanduser()),
        ("AGENT_MODEL", "模型.gguf", "model", "模型.gguf"),
        ("AGENT_EMBEDDER", "intfloat/multilingual-e5-small", "embedder", "intfloat/multilingual-e5-small"),
        ("AGENT_RERANK_MODEL", "~/重排", "rerank_model", "~/重排"),
        ("AGENT_ALLOW_REMOTE", "1", "allow_remote", True),
        ("AGENT_JUDGE_MODEL", "评审.gguf", "judge_model", "评审.gguf"),
        ("AGENT_PATHS", "3", "paths", 3),
        ("AGENT_STRICTNESS", "strict", "strictness", "strict"),
        ("AGENT_CRITIC_TIMEOUT_S", "9.5", "critic_timeout_s", 9.5),
        ("AGENT_MAX_ROUNDS", "0", "max_rounds", 0),
        ("AGENT_TIMEOUT_S", "1.5", "timeout_s", 1.5),
        ("AGENT_PASSAGES", "20", "passages", 20),
        ("AGENT_MAX_TOKENS", "4000", "max_tokens", 4000),
        ("AGENT_MAX_PASSAGES", "100", "max_passages", 100),
        ("AGENT_MAX_EVIDENCE", "24", "max_evidence", 24),
        ("AGENT_MOVES", "gloss,bridge", "moves", "gloss,bridge"),
        ("AGENT_CONTEXT_TOKENS", "4096", "context_tokens", 4096),
        ("AGENT_GPU_LAYERS", "-1", "gpu_layers", -1),
        ("AGENT_MAX_OUTPUT_TOKENS", "64", "max_output_tokens", 64),
        ("AGENT_REMEMBER", "no", "remember", False),
        ("AGENT_REMEMBER", "TRUE", "remember", True),
        ("AGENT_REMEMBER", "0", "remember", False),
    ],
)
def test_environment_is_read(name: str, text: str, field: str, value: object) -> None:
    assert read_settings({name: text}) == Settings(**{field: value})  # type: ignore[arg-type]


def test_empty_and_foreign_variables_are_passed_over() -> None:
    assert read_settings({"AGENT_MAX_ROUNDS": "", "MAX_ROUNDS": "9", "AGENT_OTHER": "x"}) == Settings()


def test_flags_win() -> None:
    environment = {"AGENT_MAX_ROUNDS": "5", "AGENT_REMEMBER": "yes", "AGENT_MODEL": "a.gguf"}
    chosen = read_settings(environment, max_rounds=0, remember=False, model=None)
    assert (chosen.max_rounds, chosen.remember, chosen.model) == (0, False, "a.gguf")
    assert read_settings({"AGENT_MAX_ROUNDS": "many"}, max_rounds=1).max_rounds == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AGENT_MAX_ROUNDS", "two"),
        ("AGENT_MAX_ROUNDS", "1.5"),
        ("AGENT_TIMEOUT_S", "一分钟"),
        ("AGENT_REMEMBER", "maybe"),
        ("AGENT_GPU_LAYERS", "全部"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}='{text}'"):
        read_settings({name: text})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_rounds", -1),
        ("max_rounds", 11),
        ("paths", 0),
        ("paths", 9),
        ("critic_timeout_s", 0.0),
        ("timeout_s", -0.1),
        ("timeout_s", float("nan")),
        ("timeout_s", float("inf")),
        ("passages", 0),
        ("passages", 21),
        ("max_tokens", -1),
        ("max_passages", 0),
        ("max_passages", 1001),
        ("max_evidence", 0),
        ("max_evidence", 101),
        ("context_tokens", 255),
        ("gpu_layers", -2),
        ("max_output_tokens", 15),
        ("max_output_tokens", 40_000),
    ],
)
def test_out_of_range(field: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=f"{field} must be between"):
        Settings(**{field: value})
    with pytest.raises(SettingsError, match=f"{field} must be between"):
        read_settings({f"AGENT_{field.upper()}": str(value)})


@pytest.mark.parametrize("value", ["", "STRICT", "severe", "严格"])
def test_strictness_is_one_of_three(value: str) -> None:
    with pytest.raises(SettingsError, match='strictness must be "strict", "default" or "lenient"'):
        Settings(strictness=value)


@given(st.text(max_size=12).filter(bool))
@bounds(max_examples=60, deadline=None)
def test_any_text_gives_settings_or_a_settings_error(text: str) -> None:
    for name in ("AGENT_MAX_ROUNDS", "AGENT_TIMEOUT_S", "AGENT_REMEMBER", "AGENT_MODEL"):
        try:
            read_settings({name: text})
        except SettingsError as error:
            assert name in str(error) or "must be between" in str(error)


def test_home_moves_everything(tmp_path: Path) -> None:
    moved = Settings(home=tmp_path / "家")
    assert moved.library_folder == tmp_path / "家" / "library"
    assert moved.cache_folder == tmp_path / "家" / "cache"
    assert not moved.library_folder.exists(), "settings build nothing"
    assert Settings().library_folder.is_absolute() and Settings().cache_folder.is_absolute()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().max_rounds = 3  # type: ignore[misc]
