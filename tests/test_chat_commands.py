"""The chat's commands and threads as a user meets them, a line at a time; on a terminal: `test_chat_terminal`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent import Agent, Settings
from tests.processes import called
from tests.sample import CONTRACT, FEE

COMETS = "Who discovered two comets?"


def chat(home: Path, *lines: str, flags: tuple[str, ...] = ()) -> tuple[str, str]:
    """What a chat says on stdout and on stderr to these lines; it ends well."""
    done = called(home, "chat", *flags, stdin="\n".join(lines) + "\n")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "\x1b" not in done.stdout + done.stderr  # nothing is live
    return done.stdout, done.stderr


def test_questions_and_commands_a_line_each(home: Path, tmp_path: Path) -> None:
    out, err = chat(
        home,
        COMETS,
        "/open",
        "/open 2",
        "/open x",
        "/opne",
        "//help",
        "/search rent",
        "/why",
        "/help thread",
        "/nothing",
    )
    assert "Tomas Lindqvist discovered two comets" in out
    assert "»In 1923 the night assistant Tomas Lindqvist discovered two comets within one week.«" in out
    assert "Entry is free for children" in out  # what stands before it
    assert "error: the last answer has no citation 2: it has 1 to 1" in err
    assert "error: x is no number" in err
    assert "there is no /opne: did you mean /open?" in err
    assert "1. " in out and "lease.txt" in out
    assert re.search(r"run \w+: /help", out)  # asked as it is
    assert "/thread [NAME]" in err and err.count("/export") == 0
    assert "there is no /nothing: /help lists the commands" in err


def test_in_the_language_of_the_question(home: Path) -> None:
    out, err = chat(home, "/open", FEE, "/open 9", "/帮助", "/help wrong", "x" * 4001, "问" * 4001)
    assert "error: nothing has been asked in this thread yet" in err
    assert "120元" in out
    assert "错误：上一个回答没有第 9 条引文" in err
    assert "错误：没有 /帮助 这个命令" in err
    assert "指出上一个回答有误" in err
    assert "error: the question has 4001 characters" in err
    assert "错误：问题有 4001 个字符，上限是 4000" in err


def test_threads_are_named_listed_and_resumed(home: Path) -> None:
    chat(home, CONTRACT, COMETS, flags=("--thread", "treaty"))
    out, err = chat(
        home,
        "/thread",
        "/thread  new\tone",
        FEE,
        "/thread",
        "/thread treaty",
        "/open 1",
        "/thread " + "n" * 101,
    )
    assert re.search(r"^treaty\t20[-\d: ]+\t2x\tWhen was the contract signed\?$", out, re.MULTILINE)
    assert "thread new one begins" in err
    assert re.search(r"^new one\t.*\t1 问\t会费每人每年多少钱？$", out, re.MULTILINE)
    assert "对话 treaty：2 个问题" in err and f"> {COMETS}" in err  # the last exchange
    assert "»In 1923 the night assistant" in out
    assert "100 characters at most" in err
    with Agent(Settings(home=home)) as agent:
        listed = agent.library.store.threads(2)
        assert [(one["thread"], one["turns"]) for one in listed] == [("new one", 1), ("treaty", 2)]
        assert len(agent.library.store.threads(1)) == 1
        assert (
            agent.library.store.turn_count("treaty") == 2 and agent.library.store.turn_count("nowhere") == 0
        )


def test_the_last_thread_goes_on(home: Path, tmp_path: Path) -> None:
    chat(home, "读书会的会费由谁收取？", flags=("--thread", "dues"))
    out, err = chat(home, "那它每年多少钱？", flags=("-c",))
    assert "thread dues: 1 questions" in err and "> 读书会的会费由谁收取？" in err
    assert "120元" in out
    assert "there is no thread to continue: chat-" in chat(tmp_path / "none", flags=("--continue",))[1]
    both = called(home, "chat", "-c", "--thread", "dues")
    assert both.returncode == 2 and "exclude each other" in both.stderr
    kept = chat(home, flags=("-c", "--no-memory"))[1]
    assert "threads are neither read nor kept" in kept and "dues" not in kept


def test_what_is_wrong_is_noted_and_taken_back(home: Path) -> None:
    _, err = chat(home, FEE, "/wrong 150元", FEE)
    assert "已记下：会费每人每年多少钱 -> 150元" in err or "已记下：会费每人每年多少钱？ -> 150元" in err
    [undo] = re.findall(r"agent (memory correct --undo) (\w+)", err)
    assert "150元" in chat(home, FEE)[0]
    assert called(home, *undo[0].split(), undo[1]).returncode == 0
    assert "120元" in chat(home, FEE)[0]


def test_what_is_remembered_of_an_answer_is_pinned(home: Path) -> None:
    with Agent(Settings(home=home)) as agent:
        _, err = chat(home, "/pin", CONTRACT, "/pin")
        assert (
            "error: nothing has been asked" in err and "kept for good: When was the contract signed?" in err
        )
        [record] = [one for one in agent.memory.records(tiers=["long"]) if one.pinned]
        assert record.text == CONTRACT
        chat(home, CONTRACT, "/pin")  # answered from memory
        assert [one.id for one in agent.memory.records(tiers=["long"]) if one.pinned] == [record.id]
    assert "nothing is remembered but its turn" in chat(home, "What is the capital of Peru?", "/pin")[1]


def test_nothing_is_kept_without_memory(home: Path, tmp_path: Path) -> None:
    history = home / "library" / "chat_history"
    before = history.read_bytes() if history.exists() else b""
    file = tmp_path / "chat.md"
    _, err = chat(
        home, COMETS, "/why", "/wrong", "/pin", "/thread", f"/export {file}", flags=("--no-memory",)
    )
    assert err.count("nothing of this chat is kept") == 3 and "agent why" not in err
    assert "threads are neither read nor kept" in err
    assert "Tomas Lindqvist" in file.read_text(encoding="utf-8")
    assert (history.read_bytes() if history.exists() else b"") == before


def test_a_thread_is_exported_and_nothing_is_overwritten(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, err = chat(
        home, "/export", COMETS, FEE, "/export my notes.md", "/export", "/export", flags=("-t", "a/b")
    )
    assert "there is nothing to export" in err and "2 个问题已写入 my notes.md" in err
    text = (tmp_path / "a-b.md").read_text(encoding="utf-8")
    assert (tmp_path / "a-b-2.md").exists()
    assert "## Who discovered two comets?" in text and "observatory.html:14`" in text
    assert "   > 会费每人每年120元，由何佳收取。" in text
    kept = tmp_path / "kept.md"
    kept.write_text("mine", encoding="utf-8")
    _, err = chat(home, "/export kept.md", "/export nowhere/x.md", flags=("-t", "a/b"))
    assert "kept.md exists" in err and kept.read_text(encoding="utf-8") == "mine"
    assert "cannot be written: No such file or directory" in err


def test_a_model_that_cannot_be_had_changes_nothing(home: Path) -> None:
    out, err = chat(
        home,
        "/model",
        "/model nowhere.gguf",
        "/model openai:big@https://example.org/v1",
        COMETS,
        "/model extractive",
        CONTRACT,
    )
    assert "answers are by quotation, without a chat model" in err
    assert "error: no such model file: nowhere.gguf" in err
    assert "is not this machine" in err
    assert "Tomas Lindqvist" in out and "1 March 2026" in out
    assert "from now on answers are by quotation" in err


def test_files_are_added(own_sample: Settings, tmp_path: Path) -> None:
    assert own_sample.home
    (tmp_path / "my notes.md").write_text(
        "# Boiler\n\nThe boiler was serviced by Ines Moreau on 3 May 2026.\n"
    )
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    out, err = chat(
        own_sample.home,
        "/add",
        f"/add {tmp_path / 'my notes.md'}",
        f"/add {tmp_path / 'broken.pdf'}",
        "Who serviced the boiler?",
    )
    assert "name files, folders or pages" in err
    assert "1 indexed" in out and "failed: " in err and "broken.pdf" in err
    assert "Ines Moreau" in out


def test_what_restricts_a_chat_restricts_its_search(home: Path) -> None:
    out, _ = chat(home, "/search rent", flags=("--in", "*.zh.md"))
    assert "lease.txt" not in out
    assert "add files with /add PATH" in chat(home / "empty", "Why?")[1]
