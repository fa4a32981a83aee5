"""How fast a model ran here: measured once, and kept until the file or how it is loaded changes.

The figures lie in the cache folder as `speeds.json`. A figure that cannot be kept is measured again.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypedDict

from agent.models.hardware import backends, devices
from agent.settings import Settings

FILE = "speeds.json"
KEPT = 50


class Measured(TypedDict):
    """How a model was loaded, and how fast it was."""

    quantisation: str
    parameters: int
    context_tokens: int
    layers_offloaded: int
    prompt_tokens_per_s: float
    generated_tokens_per_s: float
    measured_on: str  # ISO 8601


def kept(settings: Settings, path: Path) -> Measured | None:
    """What was measured of this file, loaded as it would be now."""
    found: Measured | None = _read(settings.cache_folder / FILE).get(_key(settings, path))
    return found if found and set(Measured.__annotations__) == set(found) else None


def measure(settings: Settings, path: Path) -> Measured:
    """Load the model, measure it, and keep the figures. Raises `ModelError` where it does not load."""
    from agent.deps import build_chat_model
    from agent.models.gguf import ChatGGUF

    model = build_chat_model(settings, str(path))
    assert isinstance(model, ChatGGUF)
    try:
        info, speed = model.info(), model.measure()
    finally:
        model.close()
    figures: Measured = {
        "quantisation": info["quantisation"],
        "parameters": info["parameters"],
        "context_tokens": info["context_tokens"],
        "layers_offloaded": info["layers_on_gpu"],
        "prompt_tokens_per_s": round(speed["prompt"], 1),
        "generated_tokens_per_s": round(speed["generation"], 1),
        "measured_on": date.today().isoformat(),
    }
    _keep(settings.cache_folder / FILE, _key(settings, path), figures)
    return figures


def _key(settings: Settings, path: Path) -> str:
    """All that the figures depend on, but for what else the machine does."""
    there = path.stat()
    try:
        llama = version("llama-cpp-python")
    except PackageNotFoundError:
        llama = ""
    gpus = [f"{one.name} {one.total_bytes}" for one in devices()]
    file = [str(path.resolve()), there.st_size, there.st_mtime_ns]
    how = [settings.context_tokens, settings.gpu_layers, llama, *backends(), *gpus]
    return json.dumps([*file, *how], ensure_ascii=False)


def _read(file: Path) -> dict[str, Measured]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(file: Path, key: str, figures: Measured) -> None:
    known = {**_read(file)}
    known.pop(key, None)
    latest = dict([*known.items(), (key, figures)][-KEPT:])
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{FILE}.{os.getpid()}")
        draft.write_text(json.dumps(latest, ensure_ascii=False, indent=1), encoding="utf-8")
        draft.replace(file)
