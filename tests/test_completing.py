"""What the shells complete, and that they can: fast, silent, from the library as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from retrieval.store import NewRecord, Record, Store
from tests.conftest import SAMPLE
from tests.processes import ROOT, called, environment, run
from tests.tiny_gguf import write_tiny_gguf

ENTRY = Path(sys.executable).parent / "agent"


def proposed(home: Path, line: str, **more: str) -> list[str]:
    """What bash is told of a line whose last word is being typed."""
    words = line.split(" ")
    given = {
        "_AGENT_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = called(home, **given, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_names_of_all_kinds(home: Path) -> None:
    (home / "models").mkdir()
    write_tiny_gguf(home / "models" / "我的.gguf")
    run_id, lease = "4f2a90c1d7e3", str(SAMPLE / "lease.txt")
    with closing(Store(home / "library" / "library.sqlite")) as store:
        store.put_run(run_id, "treaty", "What is a warrant?", "verified", {})
        store.put_records(
            [
                NewRecord(
                    Record("1f3a", "short", "turn", "treaty", "What is a warrant?", {}, 1.0, 1.0, 0), None
                )
            ]
        )
    for line, wanted in {
        "agent mod": ["model"],
        "agent model use qwen3-": ["qwen3-4b", "qwen3-8b"],
        "agent model use 我": ["我的"],
        "agent model rm ": ["我的"],
        "agent ask --model extractive,qwen3-8": ["extractive,qwen3-8b"],
        "agent ask --type pdf,ma": ["pdf,mail", "pdf,markdown"],
        "agent ask --thread ": ["treaty"],
        "agent ask --format ": ["md", "text", "json"],
        "agent ask --resume ": [],
        f"agent why {run_id[:4]}": [run_id],
        f"agent docs rm {lease[:-6]}": [lease],
        "agent config get max_r": ["max_rounds"],
        "agent config unset max-": [],
        "agent setup --gpu v": ["vulkan"],
        "agent memory list --kind t": ["turn"],
    }.items():
        assert proposed(home, line) == wanted, line


def test_documents_from_the_current_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT / "evals" / "data")
    assert proposed(home, "agent docs rm sample/le") == ["sample/lease.txt"]


def test_it_is_silent_where_nothing_is_right(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "library.sqlite").write_bytes(b"no database")
    for line in ("agent why ", "agent ask -t ", "agent docs rm ", "agent memory show "):
        assert proposed(tmp_path, line) == []
        assert proposed(tmp_path / "nowhere", line, AGENT_MAX_ROUNDS="many") == []
    assert not (tmp_path / "nowhere").exists()


def test_it_imports_nothing_heavy(home: Path) -> None:
    script = (
        "import sys, os, agent.cli as c\n"
        "os.environ.update(_AGENT_COMPLETE='complete_bash', COMP_WORDS='agent why ', COMP_CWORD='2')\n"
        "sys.argv = ['agent']\n"
        "c._run()\n"
        "heavy = {'rich', 'numpy', 'langgraph', 'faiss', 'agent.assistant', 'retrieval.store'}\n"
        "print('heavy', sorted(heavy & set(sys.modules)))\n"
    )
    assert "heavy []" in run(home, "-c", script, code=[sys.executable]).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(home: Path, shell: str) -> None:
    script = called(home, _AGENT_COMPLETE=f"source_{shell}").stdout
    assert "_AGENT_COMPLETE=complete_" + shell in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize(("shell", "wanted"), [("zsh", '"max_rounds"'), ("fish", "max_rounds")])
def test_zsh_and_fish_are_answered_as_they_ask(home: Path, shell: str, wanted: str) -> None:
    more = {"_TYPER_COMPLETE_ARGS": "agent config get max_r", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert wanted in called(home, _AGENT_COMPLETE=f"complete_{shell}", **more).stdout


@pytest.mark.slow  # starts from nothing, twice
@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_it_is_installed_and_works_in_bash(home: Path, tmp_path: Path) -> None:
    if not ENTRY.exists():
        pytest.fail("the command is not installed: run `make dev`")
    given = {**environment(home), "HOME": str(tmp_path), "PATH": f"{ENTRY.parent}:{os.environ['PATH']}"}

    def shell(script: str) -> str:
        done = subprocess.run(["bash", "-c", script], env=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "bash completion installed" in shell("agent --install-completion; true")
    asked = "COMP_WORDS=(agent config get max_r); COMP_CWORD=3; _agent_completion agent; echo ${COMPREPLY[@]}"
    assert shell(f"source ~/.bashrc; complete -p agent >&2; {asked}") == "max_rounds\n"
