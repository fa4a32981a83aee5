"""Settings: one frozen object, read once. It never builds anything.

`Settings(...)` takes what it is given and the defaults here; `read_settings` is the one place that looks
elsewhere: at flags, then at `AGENT_*` environment variables, then at files (`agent.config`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """What orders what a search found: a cross-encoder by name or folder, "built-in" for the verifier
    (where that is on), or empty or "off" for nothing."""
    verifier: str = "built-in"
    """Small encoder that reads passages for answers: "built-in", another's ONNX file as
    `python -m evals.train.verifier` makes it, or "off", which is off wherever "built-in" stands."""
    scorer_model: str = "built-in"
    """What checks a chat model's claims before it judges them itself: "built-in" for the verifier, a
    cross-encoder or NLI model by name or folder, or "off"."""
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
        return (self.home or platform_folder("data")) / "library"

    @property
    def models_folder(self) -> Path:
        return (self.home or platform_folder("data")) / "models"

    @property
    def cache_folder(self) -> Path:
        return self.home / "cache" if self.home else platform_folder("cache")


def read_settings(environment: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Settings from flags (None means not given), the environment and the files of project and user.

    An `environment` in place of the process's own stands alone: no file is read beside it. Raises
    `SettingsError` for a value that cannot be used, naming where it stands; says once on stderr what a
    project's file may not decide.
    """
    from agent import config  # which imports this module

    found = config.resolve_here(flags) if environment is None else config.resolve(flags, environment)
    for note in found.notes:
        config.tell(note)
    return found.settings()


def parse(kind: str, name: str, text: str) -> Any:
    """A value from the text of a variable. Raises `SettingsError` that names it."""
    try:
        if kind == "bool":
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[
                text.lower()
            ]
        if kind == "Path | None":
            return Path(text).expanduser()
        return {"str": str, "int": int, "float": float}[kind](text)
    except (ValueError, KeyError, RuntimeError) as error:  # RuntimeError: the home of nobody, "~nobody"
        raise SettingsError(f"{name}={text!r} is not a valid {kind}") from error


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingsError(f"{name} must be between {low} and {high}, not {value}")


def platform_folder(kind: str) -> Path:
    """Our folder among the platform's for "data", "cache" or "config"."""
    import platformdirs

    folders = {
        "data": platformdirs.user_data_dir,
        "cache": platformdirs.user_cache_dir,
        "config": platformdirs.user_config_dir,
    }
    return Path(folders[kind](APP, appauthor=False))
