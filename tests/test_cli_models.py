"""`agent model` and what `ask`, `doctor` and `setup` make of it: names, defaults, and one clear line for each fault."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.settings import Settings
from tests.fake_hub import running
from tests.processes import Terminal, called, python
from tests.tiny_gguf import write_tiny_gguf

QUESTION = "When was the contract signed?"
HINT = "for fluent answers get a chat model"


def model(home: Path, name: str = "tiny", **more: object) -> Path:
    """A model that somebody put into the folder."""
    folder = home / "models"
    folder.mkdir(parents=True, exist_ok=True)
    return write_tiny_gguf(folder / f"{name}.gguf", context=4096, **more)  # type: ignore[arg-type]


def one_error(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1 and not done.stdout, done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture
def empty(tmp_path: Path, cache_folder: Path) -> Path:
    """A home of one test, in which the embedder is prepared."""
    home = tmp_path / "own"
    home.mkdir()
    (home / "cache").symlink_to(cache_folder)
    return home


def test_the_list_marks_what_is_here(tmp_path: Path) -> None:
    model(tmp_path, "我的")
    shown = called(tmp_path, "model", "list")
    assert "default\t我的" in shown.stdout and "qwen3-4b" in shown.stdout
    told = json.loads(called(tmp_path, "model", "list", "--json").stdout)
    by_name = {row["name"]: row for row in told["models"]}
    assert (
        by_name["我的"]["installed"] and by_name["我的"]["default"] and not by_name["qwen3-8b"]["installed"]
    )
    assert sum(row["recommended"] for row in told["models"]) <= 1
    keys = [set(row) for row in told["models"]]
    assert all(one == keys[0] for one in keys), "the same keys in every row"


def test_use_show_and_rm(tmp_path: Path) -> None:
    older, newer = model(tmp_path, "older"), model(tmp_path, "newer", layers=3)
    assert json.loads(called(tmp_path, "model", "show", "--json").stdout)["name"] == "newer"
    assert called(tmp_path, "model", "use", "older").returncode == 0
    about = json.loads(called(tmp_path, "model", "show", "--json").stdout)
    assert about["path"] == str(older) and about["architecture"] == "llama"
    assert about["layers"] == 3 and about["layers_offloaded"] == 0 and about["context_tokens"] == 8192
    assert "layers offloaded\t0" in called(tmp_path, "model", "show", str(newer)).stdout
    assert "say --yes" in one_error(called(tmp_path, "model", "rm", "older"))
    assert older.exists()
    assert called(tmp_path, "model", "rm", "older", "--yes").returncode == 0 and not older.exists()
    assert json.loads(called(tmp_path, "model", "show", "--json").stdout)["name"] == "newer"
    assert called(tmp_path, "model", "use", "extractive").returncode == 0
    assert "no chat model is used" in one_error(called(tmp_path, "model", "show"))


def test_a_terminal_is_asked_before_a_model_goes(tmp_path: Path) -> None:
    path = model(tmp_path)
    for answer, kept in ((b"\n", True), (b"y\n", False)):
        terminal = Terminal(tmp_path, "model", "rm", "tiny")
        terminal.wait_for(r"\[y/N\]")
        terminal.send(answer)
        assert (terminal.exit_code() == 1) is kept and path.exists() is kept


def test_the_default_may_lie_elsewhere(tmp_path: Path) -> None:
    """The list shows it, and `rm` leaves it alone."""
    elsewhere = write_tiny_gguf(tmp_path / "别处.gguf")
    home, server = tmp_path / "home", "openai:m@http://127.0.0.1:9/v1"
    assert called(home, "model", "use", f"extractive,{elsewhere},{server}").returncode == 0
    told = json.loads(called(home, "model", "list", "--json").stdout)["models"]
    found = {row["name"]: row for row in told if row["default"]}
    assert set(found) == {"别处", server} and found["别处"]["path"] == str(elsewhere)
    assert not any(row["installed"] for row in told) and found["别处"]["size_bytes"] > 0
    assert f"default\t别处\t0.5 MB\t\t{elsewhere}" in called(home, "model", "list").stdout
    for flags in ([], ["--yes"]):
        assert "delete the file yourself" in one_error(called(home, "model", "rm", str(elsewhere), *flags))
    assert elsewhere.exists()


def test_what_would_fail_with_every_question_is_not_chosen(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    odd = write_tiny_gguf(tmp_path / "odd.gguf", architecture="no-such")
    bare = write_tiny_gguf(tmp_path / "bare.gguf", chat_template=None)
    for path, said in ((odd, "unknown model architecture: 'no-such'"), (bare, "has no chat template")):
        for command in (("use",), ("show",), ("use", f"extractive,{path}")):
            given = command if len(command) > 1 else (*command, str(path))
            assert said in one_error(called(tmp_path, "model", *given))
    assert json.loads(called(tmp_path, "model", "list", "--json").stdout)["default"] == "extractive"


def test_speed_is_measured_once_and_again_when_asked(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    path = model(tmp_path)

    def show(*flags: str, **more: str) -> dict[str, Any]:
        about: dict[str, Any] = json.loads(called(tmp_path, "model", "show", "--json", *flags, **more).stdout)
        return about

    assert "measured_on" not in show("--no-measure")
    first = show()
    assert first["prompt_tokens_per_s"] > 0 and first["generated_tokens_per_s"] > 0
    assert first["devices"] and first["backend"] == ["cpu"] and first["context_tokens"] == 8192
    kept = tmp_path / "cache" / "speeds.json"
    assert show() == first and len(json.loads(kept.read_text(encoding="utf-8"))) == 1
    assert show("--measure")["measured_on"] and show(AGENT_CONTEXT_TOKENS="512")["context_tokens"] == 512
    assert len(json.loads(kept.read_text(encoding="utf-8"))) == 2, "with another window it is another speed"
    kept.write_text("[cut", encoding="utf-8")
    assert show()["prompt_tokens_per_s"] > 0
    write_tiny_gguf(path, context=4096, layers=1)
    assert show()["layers"] == 2 and show()["parameters"] < first["parameters"]


def test_faults_are_one_line_each_and_quotations_still_answer(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    whole = write_tiny_gguf(tmp_path / "whole.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:-1000])
    (tmp_path / "page.gguf").write_text("<html>", encoding="utf-8")
    write_tiny_gguf(tmp_path / "odd.gguf", architecture="no-such")
    for name, said in {
        str(tmp_path / "cut.gguf"): "cut short",
        str(tmp_path / "page.gguf"): "not a GGUF file",
        str(tmp_path / "odd.gguf"): "unknown model architecture: 'no-such'",
        str(tmp_path / "gone.gguf"): "no such model file",
        str(tmp_path): "is a folder",
        "qwen3-8b": "agent model pull qwen3-8b",
        "qwen9": "agent model list",
    }.items():
        assert said in one_error(called(home, "ask", "--model", name, QUESTION)), name
        done = called(home, "ask", "--model", "extractive", QUESTION, AGENT_MODEL=name)
        assert done.returncode == 0 and "1 March 2026" in done.stdout and HINT not in done.stderr


def test_a_chat_does_not_begin_with_a_model_that_is_none(home: Path, tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_text("<html>", encoding="utf-8")
    for name, said in ((str(tmp_path / "page.gguf"), "not a GGUF file"), ("没有.gguf", "no such model file")):
        assert said in one_error(called(home, "chat", "--model", name, stdin=f"{QUESTION}\n"))


def test_the_hint_comes_once_and_only_where_it_helps(home: Path) -> None:
    assert called(home, "ask", QUESTION).stderr.count(HINT) == 1
    assert HINT not in called(home, "ask", QUESTION, "--json").stderr
    assert HINT not in called(home, "ask", QUESTION, AGENT_MODEL="extractive").stderr


def test_what_is_installed_answers(empty: Path) -> None:
    pytest.importorskip("llama_cpp")
    model(empty)
    limits = {"AGENT_MAX_ROUNDS": "0", "AGENT_MAX_OUTPUT_TOKENS": "16", "AGENT_CONTEXT_TOKENS": "4096"}
    sample = Path(__file__).parent.parent / "evals" / "data" / "sample" / "lease.txt"

    def asked(*more: str) -> bool:
        done = called(empty, "ask", QUESTION, "--docs", str(sample), "--json", *more, **limits)
        return bool(json.loads(done.stdout)["tokens"])  # what it says is noise: quotations answer

    assert asked() and asked("--model", "TINY")
    assert not asked("--model", "extractive")
    called(empty, "model", "use", "extractive")
    assert not asked()


def findings(home: Path) -> dict[str, tuple[bool, str]]:
    told = json.loads(called(home, "doctor", "--json").stdout)["findings"]
    return {one["name"]: (one["ok"], one["detail"]) for one in told}


def test_doctor_tells_of_the_chat_model(empty: Path) -> None:
    pytest.importorskip("llama_cpp")
    ok, detail = findings(empty)["chat model"]
    assert ok and "answers are quotations" in detail and "agent model pull" in detail
    path = model(empty)
    ok, detail = findings(empty)["chat model"]
    assert ok and detail.startswith("tiny.gguf: llama, 0.5 MB, cpu (")
    assert "0 of 3 layers on the GPU, context 8192, " in detail and "tokens per second read" in detail
    path.write_bytes(path.read_bytes()[:-64])
    ok, detail = findings(empty)["chat model"]
    assert not ok and "cut short" in detail and called(empty, "doctor").returncode == 1


@pytest.mark.parametrize(
    "flags",
    [
        ("--gpu", "quantum"),
        ("--wheel",),
        ("--dry-run",),
        ("--gpu", "cuda", "--embedder", "x"),
    ],
)
def test_flags_of_setup_that_do_not_go_together(tmp_path: Path, flags: Sequence[str]) -> None:
    assert called(tmp_path, "setup", *flags).returncode == 2


def test_setup_with_the_name_of_an_embedder_asks_the_hub(tmp_path: Path) -> None:
    """An Agent takes its process offline; what `setup` was told to download it still may."""
    with running() as hub:
        code = "from agent.cli import main; import sys; sys.argv = ['agent', 'setup', '--embedder', 'no/body']; main()"
        more = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "AGENT_HOME": str(tmp_path / "home")}
        done = python(code, HF_HUB_OFFLINE="0", **more)
    assert done.returncode == 1 and hub.asked and not any("harness" in line for line in hub.asked)


def test_settings_name_the_folder(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).models_folder == tmp_path / "models"
