"""Checkpoints of the verifier's training as safetensors files: model, optimiser, and how far.

They hold no random state: the order of the batches follows from the seed and the step.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from evals.train.verifier_model import Verifier


def keep(file: Path, model: Verifier, optimizer: torch.optim.Optimizer, step: int, elapsed_s: float) -> None:
    """Write a checkpoint, whole or not at all."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
    part = file.with_suffix(".part")
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save_file(plain, part, metadata={"step": str(step), "elapsed_s": f"{elapsed_s:.1f}"})
    os.replace(part, file)


def restore(file: Path, model: Verifier, optimizer: torch.optim.Optimizer | None = None) -> tuple[int, float]:
    """Read a checkpoint; its step and the seconds that it took."""
    with safe_open(file, framework="pt") as kept:
        tensors = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118, it is no dict
        about = kept.metadata()
    own = {name.removeprefix("model."): value for name, value in tensors.items() if name.startswith("model.")}
    model.load_state_dict(own)
    if optimizer is not None:
        states: dict[int, dict[str, Any]] = {}
        for name in tensors.keys() - {f"model.{name}" for name in own}:
            _, number, part = name.split(".")
            states.setdefault(int(number), {})[part] = tensors[name]
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": states, "param_groups": groups})
    return int(about["step"]), float(about["elapsed_s"])
