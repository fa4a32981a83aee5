"""Installs each peer from the package index into a virtual environment of its own.

An environment is made once and again when its pins change. What cannot be installed is told in a line and is
no error. On Linux torch comes as a CPU build, from PyTorch's index where pip's own has none: the other one
would be gigabytes of CUDA that nothing here uses.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from evals.peers.table import TORCH, Peer

STAMP = "installed.json"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
LIMIT_S = 1800.0  # for one step of a peer's
LISTED = (
    "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
)


def interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def install(peer: Peer, folder: Path, python: str = sys.executable) -> str:
    """Have a peer in an environment at `folder`, made by a Python; "", or why it could not be installed."""
    if versions(peer, folder):
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    pip = [
        str(interpreter(folder)),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "-q",
        "--no-compile",
    ]
    try:
        _run([python, "-m", "venv", str(folder)])
        if TORCH[0] in peer.packages and sys.platform == "linux":
            _run([*pip, *cpu_build(pip)])
        _run([*pip, *peer.packages])
    except subprocess.TimeoutExpired:
        return f"pip was not done within {LIMIT_S:.0f} s"
    except subprocess.CalledProcessError as error:
        return reason(error.stderr)
    listed = subprocess.run(
        [str(interpreter(folder)), "-c", LISTED], capture_output=True, text=True, check=True
    )
    stamp = {"packages": list(peer.packages), "versions": json.loads(listed.stdout)}
    (folder / STAMP).write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return ""


def _run(command: list[str]) -> str:
    """What a command says. Raises `CalledProcessError` with what it said of its failure."""
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout


def cpu_build(pip: list[str]) -> list[str]:
    """What pip has to be told for a CPU build of torch; the Makefile does the same."""
    if "+cpu" in _run([*pip, "--no-deps", "--dry-run", "--report", "-", TORCH[0]]):
        return [TORCH[0]]
    return ["--index-url", CPU_INDEX, "--extra-index-url", "https://pypi.org/simple", f"{TORCH[0]}+cpu"]


def versions(peer: Peer, folder: Path) -> dict[str, str]:
    """Everything installed for a peer, by name; empty where it is not installed with these pins."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found: dict[str, str] = stamp["versions"] if stamp["packages"] == list(peer.packages) else {}
    return found


def reason(told: str) -> str:
    """What pip says last of all errors, in one short line.

    >>> reason("WARNING: old\\nERROR: No matching distribution found for x==1\\n")
    'No matching distribution found for x==1'
    """
    lines = [line for line in told.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["pip says nothing"]
    return errors[-1].removeprefix("ERROR:").strip()[:200]
