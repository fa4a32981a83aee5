"""Settings: one frozen object, read once. It never builds anything.

They come from flags, then from `AGENT_*` environment variables, then from the defaults here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from agent.errors import SettingsError

APP = "toulmin"


@dataclass(frozen=True)
class Settings:
    """What a user may choose. Units are in the names."""

    home: Path | None = None
    """Folder that holds everything the program keeps; None for the platform's own folders."""
    model: str = ""
    """Chat model: a name of `agent model list`, a path to a GGUF file, "openai:NAME@URL" for one on a server,
    "extractive" for none, or empty for the default: the one that `agent model use` chose, else the newest
    that is installed, else none. Several with commas are a ladder, first rung first."""
    allow_remote: bool = False
    """Whether a chat model's server may be another machine: questions and passages are then sent there."""
    embedder: str = ""
    """Sentence-transformers model, by name or folder; empty for the one that the library has."""
    rerank_model: str = ""
    """Cross-encoder that orders what a search found, by name or folder; empty for none."""
    judge_model: str = ""
    """Chat model that judges in place of the writer, and drafts every other path; as `model`, or empty."""
    paths: int = 1
    """Drafts of each answer, from different orders of the evidence, 1 to 8."""
    strictness: str = "default"
    """How sure an answer must be to be given: "strict", "default" or "lenient"."""
    critic_timeout_s: float = 300.0
    """Seconds that one call of the critic's models may take; what it does not judge by then is unverified."""
    max_rounds: int = 2
    """Rounds of reformulation after the first pass, 0 to 10."""
    timeout_s: float = 60.0
    """No new round begins after this many seconds."""
    max_tokens: int = 0
    """No new round begins once the chat model has read and written so many tokens; 0 for no limit."""
    max_passages: int = 240
    """Passages that the rounds of a run may find, 1 to 1000; no new round begins with more."""
    passages: int = 10
    """Passages taken for each query, 1 to 20."""
    max_evidence: int = 10
    """Passages that a draft is given and may cite, 1 to 100."""
    moves: str = ""
    """Moves of reformulation, in order: names of `agent.moves.MOVES` with commas, "all", or empty."""
    context_tokens: int = 8192
    """Context window of a GGUF model, prompt and answer together."""
    gpu_layers: int = -1
    """Layers of a GGUF model to put on the GPU: -1 for as many as fit, 0 for none."""
    max_output_tokens: int = 768
    """The longest reply a chat model may write in one call."""
    remember: bool = True
    """Whether turns, episodes and runs are written."""
    read_only: bool = False
    """Open the library for reading only: nothing is added, removed or remembered."""

    def __post_init__(self) -> None:
        """Raises `SettingsError` for a value out of range."""
        _between("max_rounds", self.max_rounds, 0, 10)
        _between("timeout_s", self.timeout_s, 0, 86_400)
        _between("max_tokens", self.max_tokens, 0, 1_000_000_000)
        _between("paths", self.paths, 1, 8)
        _between("critic_timeout_s", self.critic_timeout_s, 0.1, 86_400)
        if self.strictness not in ("strict", "default", "lenient"):
            raise SettingsError(
                f'strictness must be "strict", "default" or "lenient", not {self.strictness!r}'
            )
        _between("max_passages", self.max_passages, 1, 1000)
        _between("passages", self.passages, 1, 20)
        _between("max_evidence", self.max_evidence, 1, 100)
        _between("context_tokens", self.context_tokens, 256, 1_048_576)
        _between("gpu_layers", self.gpu_layers, -1, 1000)
        _between("max_output_tokens", self.max_output_tokens, 16, 32_768)

    @property
    def library_folder(self) -> Path:
        return (self.home or _platform("data")) / "library"

    @property
    def models_folder(self) -> Path:
        return (self.home or _platform("data")) / "models"

    @property
    def cache_folder(self) -> Path:
        return self.home / "cache" if self.home else _platform("cache")


def read_settings(environment: Mapping[str, str] = os.environ, **flags: Any) -> Settings:
    """Settings from flags (None means not given) and the environment.

    Raises `SettingsError` for a value that cannot be read, naming where it stands.
    """
    values: dict[str, Any] = {}
    for field in fields(Settings):
        name = f"AGENT_{field.name.upper()}"
        if flags.get(field.name) is not None:
            values[field.name] = flags[field.name]
        elif environment.get(name):
            values[field.name] = _parse(str(field.type), name, environment[name])
    return Settings(**values)


def _parse(kind: str, name: str, text: str) -> Any:
    try:
        if kind == "bool":
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                text.lower()
            ]
        if kind == "Path | None":
            return Path(text).expanduser()
        return {"str": str, "int": int, "float": float}[kind](text)
    except (ValueError, KeyError) as error:
        raise SettingsError(f"{name}={text!r} is not a valid {kind}") from error


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name} must be between {low} and {high}, not {value}")


def _platform(kind: str) -> Path:
    import platformdirs

    folder = platformdirs.user_cache_dir if kind == "cache" else platformdirs.user_data_dir
    return Path(folder(APP, appauthor=False))
