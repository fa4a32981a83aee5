"""The form of a result: `suite`, `settings`, `n`, `metrics`, `rows`, and how metrics are printed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """What a suite gives back; `metrics` nests names down to numbers."""

    suite: str
    settings: dict[str, Any]
    n: int
    metrics: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)


def write(result: Result, file: Path) -> None:
    file.write_text(json.dumps(asdict(result), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def show(result: Result) -> None:
    """Print the metrics, one line each, indented by their nesting."""
    print(f"{result.suite}: {result.n} cases")
    _show(result.metrics, 1)


def _show(metrics: dict[str, Any], depth: int) -> None:
    for name, value in metrics.items():
        if isinstance(value, dict):
            print("  " * depth + name)
            _show(value, depth + 1)
        elif isinstance(value, list):
            print("  " * depth + f"{name}: " + " ".join(_number(v) for v in value))
        else:
            print("  " * depth + f"{name}: {_number(value)}")


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
