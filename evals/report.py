"""The form of a result, how it is written and read, and how metrics are printed."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

INTERVAL = " [95 % interval]"


@dataclass
class Result:
    """What a suite gives back; `metrics` nests names down to numbers."""

    suite: str
    settings: dict[str, Any]
    n: int
    metrics: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Each with `part` and `scores`, see `evals.parts`."""
    part: str = ""
    """The parts that were measured, with commas."""
    data: dict[str, str] = field(default_factory=dict)
    """Name of the folder, and hash of the files' content."""
    versions: dict[str, str] = field(default_factory=dict)
    prompts: str = ""
    """Hash of the prompts."""
    hash: str = ""
    """Short hash of all that decides the scores, see `evals.orders.about`."""
    seed: int = 0
    command: str = ""
    """What was called; a folder of data is DATA there, as results are passed on."""
    started: str = ""
    finished: str = ""


def write(result: Result, file: Path) -> None:
    """Whole or not at all; the rows last."""
    told = asdict(result)
    told["rows"] = told.pop("rows")
    text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    if file.exists() and not file.is_file():  # /dev/stdout
        file.write_text(text, encoding="utf-8")
        return
    aside = file.with_name(f"{file.name}.new")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, file)


def read(file: Path) -> dict[str, Any]:
    """A result that was written; one that is none ends the program with one line."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"{file}: cannot be read: {error.strerror}")
    except (ValueError, RecursionError) as error:
        sys.exit(f"{file}: not JSON: {error}")
    if not isinstance(found, dict) or not isinstance(found.get("rows"), list) or "suite" not in found:
        sys.exit(f"{file}: not a result of `python -m evals SUITE --json FILE`")
    return found


def show(result: Result) -> None:
    """Print the metrics, one line each, indented by their nesting; one line on what they are of before."""
    of = f", data {result.data['name']} {result.data['hash']}, hash {result.hash}" if result.hash else ""
    part = f" {result.part}" if result.part else ""
    print(f"{result.suite}{part}: {result.n} cases{of}")
    _show(result.metrics, 1)


def _show(metrics: dict[str, Any], depth: int) -> None:
    for name, value in metrics.items():
        if f"{name}{INTERVAL}" in metrics:
            continue
        if isinstance(value, dict):
            print("  " * depth + name)
            _show(value, depth + 1)
        elif isinstance(value, list):
            print("  " * depth + f"{name}: " + " ".join(_number(v) for v in value))
        else:
            print("  " * depth + f"{name}: {_number(value)}")


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
