"""Fills the marked blocks of the READMEs with what the commands really print.

    python -m evals.transcripts            write them
    python -m evals.transcripts --check    exit 1 when one is stale

A block stands between `<!-- transcript: COMMAND -->` and `<!-- end -->`. Commands run over the sample
library, in a home of their own; only their stdout is shown, as stderr holds times.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from agent.deps import prepare
from agent.settings import read_settings

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh.md")
_BLOCK = re.compile(r"<!-- transcript: (?P<command>.+?) -->\n.*?<!-- end -->", re.DOTALL)


def fill(text: str, home: Path) -> str:
    """The text with every block run anew."""
    return _BLOCK.sub(lambda match: _block(match["command"], home), text)


def _block(command: str, home: Path) -> str:
    printed = _run(shlex.split(command)[1:], home).strip("\n")
    if command == "agent graph":
        body = f"```mermaid\n{printed}\n```"
    else:
        body = f"```console\n$ {command}\n{printed}\n```"
    return f"<!-- transcript: {command} -->\n{body}\n<!-- end -->"


def _run(arguments: list[str], home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli", *arguments],
        env={**os.environ, "AGENT_HOME": str(home), "AGENT_NO_PROJECT": "1"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode not in (0, 3, 4):
        sys.exit(f"{arguments} failed: {done.stderr}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill the transcripts of the READMEs.")
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    check = parser.parse_args().check
    os.environ.setdefault("AGENT_NO_PROJECT", "1")
    cache = prepare(read_settings())[0].parent.parent
    stale = []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cache").symlink_to(cache)
        _run(["add", "evals/data/sample"], Path(folder))
        for name in READMES:
            text = (ROOT / name).read_text(encoding="utf-8")
            filled = fill(text, Path(folder))
            if filled != text:
                stale.append(name)
                if not check:
                    (ROOT / name).write_text(filled, encoding="utf-8")
    if check and stale:
        sys.exit(f"stale: {', '.join(stale)}; run python -m evals.transcripts")


if __name__ == "__main__":
    main()
