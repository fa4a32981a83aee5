"""Installs each peer from the package index into a virtual environment of its own.

An environment is made once and again when its pins change. What cannot be installed is told in a line and is
no error. Where pip would take a CUDA build of torch, `PIP_EXTRA_INDEX_URL` can name the index of CPU builds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from evals.peers.table import Peer

STAMP = "installed.json"
LIMIT_S = 1800.0  # for one peer
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
    for command in ([python, "-m", "venv", str(folder)], [*pip, *peer.packages]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            return f"pip was not done within {LIMIT_S:.0f} s"
        if done.returncode:
            return reason(done.stderr)
    listed = subprocess.run(
        [str(interpreter(folder)), "-c", LISTED], capture_output=True, text=True, check=True
    )
    stamp = {"packages": list(peer.packages), "versions": json.loads(listed.stdout)}
    (folder / STAMP).write_text(json.dumps(stamp, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return ""


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
