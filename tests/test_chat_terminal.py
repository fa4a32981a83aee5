"""The chat on a pseudo-terminal: keys, pasting, history, the live view, Ctrl-C and Ctrl-D."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, Settings
from tests.processes import AGENT, Terminal, forked
from tests.sample import CONTRACT, FALSE, FEE, PAID, SIGNED, drafted

READY = "Ctrl-D leaves"
PROMPT = r">[ \x08]"
DONE = r"agent why \w+"
SLOW_S = 60.0
FRESH = {"queries": ["rent 租金"]}
UP, ALT_ENTER, CTRL_C, CTRL_D, CTRL_J, CTRL_R = b"\x1b[A", b"\x1b\r", b"\x03", b"\x04", b"\n", b"\x12"

Begin = Callable[..., Terminal]


@pytest.fixture
def begin(home: Path) -> Iterator[Begin]:
    """Starts a chat and waits for its prompt."""
    began: list[Terminal] = []

    def start(
        *arguments: str, code: Sequence[str] | None = None, ready: str = READY, **more: str
    ) -> Terminal:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            terminal = Terminal(home, "chat", *arguments, code=code)
        began.append(terminal)
        terminal.wait_for(ready, 30)
        terminal.wait_for(PROMPT, 20)
        return terminal

    yield start
    for one in began:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            one.kill()


def questions(home: Path, thread: str) -> list[str]:
    with Agent(Settings(home=home)) as agent:
        return [one.text for one in agent.memory.turns(thread)]


def slow(home: Path, script: list[Any]) -> list[str]:
    (home / "log").unlink(missing_ok=True)
    return [*forked("tests.slow_child"), json.dumps(script), str(home / "log")]


def calls(home: Path, count: int) -> None:
    """Wait until the chat model was called so often."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if (home / "log").exists() and len((home / "log").read_text().splitlines()) >= count:
            return
        time.sleep(0.02)
    raise AssertionError("the chat model was not called")


def completed(terminal: Terminal, typed: str, offered: str) -> None:
    """Type the beginning of a command, take what is offered, and send it."""
    terminal.send(typed.encode())
    terminal.wait_for(offered)
    terminal.send(b"\t\r\r")


def test_several_lines_typed_or_pasted_are_one_question(begin: Begin, home: Path) -> None:
    terminal = begin("--thread", "lines")
    terminal.send(b"Who discovered" + ALT_ENTER + b"two" + CTRL_J + b"\x1b[200~comets\r\nat night?\x1b[201~")
    terminal.wait_for("night")
    terminal.send(b"\r")
    terminal.wait_for(DONE)
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert questions(home, "lines") == ["Who discovered\ntwo\ncomets\nat night?"]


@pytest.mark.slow
def test_the_last_thread_and_the_history_are_there_at_the_next_launch(begin: Begin, home: Path) -> None:
    first = begin("--thread", "history")
    first.send("谁主持\x1b\r会议？\r".encode())
    first.wait_for(DONE)
    first.send(b"What is a warrant?\r")
    first.wait_for(DONE)
    first.send(CTRL_D)
    assert first.exit_code() == 0
    again = begin("-c", ready=r"(?:thread history: 2 questions|对话 history：2)(?s:.*)What is a warrant")
    time.sleep(0.3)  # the history is read beside the prompt
    again.send(UP + UP)
    again.wait_for("谁主持")
    again.send(CTRL_C)
    again.wait_for(PROMPT)
    completed(again, "/qui", "/quit ")
    assert again.exit_code() == 0


def test_the_loop_is_live_and_nothing_unverified_stays(begin: Begin, home: Path) -> None:
    script = [[drafted(SIGNED, FALSE[CONTRACT]), 0], [FRESH, 0.5], [drafted(SIGNED), 0], [drafted(PAID), 0]]
    terminal = begin("--thread", "live", code=slow(home, script))
    terminal.send(f"{CONTRACT}\r".encode())
    shown = terminal.wait_for("verified · .*" + DONE)
    assert re.search(r"“.*contract.*”: \d+ passages", shown)
    assert re.search(r"✓ .*32m.*1 March 2026", shown)  # green
    assert re.search(r"✗ .*9;31m.*3,500.*not supported", shown)  # struck out, red
    live, settled = re.split(r"\x1b\[\d+A\x1b\[J(?!\x1b)", shown)  # wiped
    assert "3,500" in live and "3,500" not in settled and "✗" not in settled
    assert SIGNED in settled and re.search(r"\[1\].*lease\.txt", settled)
    assert live.count("\x1b[?7l") == live.count("\x1b[?7h")  # lines wrap again


@pytest.mark.slow
def test_ctrl_c_settles_then_gives_up_and_the_chat_goes_on(begin: Begin, home: Path) -> None:
    script = [[drafted(SIGNED, FALSE[CONTRACT]), 0], [FRESH, SLOW_S], [drafted(PAID), 0]]
    terminal = begin("--thread", "stops", code=slow(home, script))
    terminal.send(f"{CONTRACT}\r".encode())
    calls(home, 2)
    terminal.send(CTRL_C)
    assert SIGNED in terminal.wait_for("interrupted.*" + DONE, 10)
    terminal.send(f"{FEE}\r".encode())
    assert "120元" in terminal.wait_for(DONE)
    terminal.send(b"half a question")
    terminal.wait_for("half a question")
    terminal.send(CTRL_C)
    terminal.wait_for(PROMPT)
    terminal.send(CTRL_C)
    terminal.wait_for(PROMPT)
    terminal.send(CTRL_C)
    terminal.wait_for("Ctrl-D 或输入 /quit 离开")
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert questions(home, "stops") == [CONTRACT, FEE]


@pytest.mark.slow
def test_a_second_ctrl_c_gives_the_answer_up_and_a_third_leaves(begin: Begin, home: Path) -> None:
    """The model is deaf to the first, as compiled code would be."""
    deaf = (
        "import sys, time, agent.assistant\n"
        "agent.assistant.Agent.stop = lambda self: True\n"
        "from tests.slow_child import main\n"
        "main()\n"
    )
    script = [[drafted(SIGNED), SLOW_S], [drafted(PAID), 0]]
    _, *given = slow(home, script)
    given = [json.dumps(script), str(home / "log")]
    terminal = begin("--thread", "deaf", code=[AGENT[0], "-c", deaf, *given])
    terminal.send(f"{CONTRACT}\r".encode())
    calls(home, 1)
    terminal.send(CTRL_C)
    terminal.wait_for("stopping with what is verified")
    terminal.send(CTRL_C)
    terminal.wait_for("stopped: no answer")
    terminal.send(f"{FEE}\r".encode())
    assert "120元" in terminal.wait_for(DONE)
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0


@pytest.mark.slow
def test_what_is_typed_during_an_answer_is_asked_after_it(begin: Begin, home: Path) -> None:
    script = [[drafted(SIGNED), 1.0], [drafted(PAID), 0]]
    terminal = begin("--thread", "ahead", code=slow(home, script))
    terminal.send(f"{CONTRACT}\r".encode())
    calls(home, 1)
    terminal.send(f"{FEE}\r".encode())
    shown = terminal.wait_for(DONE)
    assert FEE not in shown.split("ScriptedChat")[0]  # not drawn into the live view
    assert "120元" in terminal.wait_for(DONE)
    assert questions(home, "ahead") == [CONTRACT, FEE]


@pytest.mark.slow
def test_history_is_searched_and_commands_are_completed(begin: Begin, home: Path, tmp_path: Path) -> None:
    (tmp_path / "only one.md").write_text("# Well\n\nThe well is forty metres deep.\n")
    terminal = begin("--thread", "keys")
    terminal.send(b"Who discovered two comets?\r")
    terminal.wait_for(DONE)
    terminal.send(b"What is a warrant?\r")
    terminal.wait_for(DONE)
    time.sleep(0.3)  # the history is read beside the prompt
    terminal.send(CTRL_R + b"comets")
    terminal.wait_for("comets")
    terminal.send(b"\r")  # takes what was found
    time.sleep(0.3)
    terminal.send(b"\r")
    terminal.wait_for(DONE)
    completed(terminal, f"/add {tmp_path}/on", r"only one\.md")
    terminal.wait_for("1 indexed")
    time.sleep(0.3)
    completed(terminal, "/thread ke", " keys ")
    terminal.wait_for("thread keys: 3 questions")
    terminal.send(b"/zzz\r")
    terminal.wait_for("there is no /zzz")


@pytest.mark.slow
@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_plain_terminals(begin: Begin, home: Path, more: dict[str, str]) -> None:
    shell = ["env", *(f"{name}={value}" for name, value in more.items()), *AGENT]
    terminal = begin("--thread", "plain", code=shell)
    terminal.send(b"Who discovered two comets?\r")
    shown = terminal.wait_for(DONE)
    assert "Tomas Lindqvist" in shown
    if "TERM" in more:
        assert "\x1b" not in terminal.text
    else:
        assert not re.search(r"\x1b\[[\d;]*3[1-7]m", shown)
    terminal.send(CTRL_C if "TERM" in more else b"/open\r")
    if "TERM" not in more:
        assert "»In 1923" in terminal.wait_for(f"«(?s:.*){PROMPT}")
    time.sleep(0.3)
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0


@pytest.mark.slow
def test_the_terminal_is_as_it_was_when_the_program_is_told_to_end(home: Path) -> None:
    terminal = Terminal(home, "-c", 'stty -a; "$@"; stty -a', "sh", *AGENT, "chat", code=["sh"])
    terminal.wait_for(READY)
    terminal.wait_for(PROMPT)
    child = int(next(iter(Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text().split())))
    os.kill(child, signal.SIGTERM)
    terminal.wait_for("icrnl(?s:.*)icanon(?s:.*) echo ")
    before, after = (
        set(re.findall(r"-?\b(?:echo|icanon|icrnl)\b", one)) for one in terminal.text.split(READY)
    )
    assert before == after == {"echo", "icanon", "icrnl"}


@pytest.mark.slow
def test_nothing_in_a_file_or_a_name_reaches_the_terminal_by_itself(
    begin: Begin, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "note\x1b]0;name\x07.md").write_text(
        "# Pump\x1b[2J\n\nThe pump was mended by \x1b]0;text\x07Bruno Keller\x1b[31m.\n"
    )
    terminal = begin("--thread", "evil\x1b]0;thread\x07")
    terminal.send(f"/add {tmp_path}\r".encode())
    terminal.wait_for("1 indexed")
    terminal.send(b"Who mended the pump?\r")
    assert "Bruno Keller" in terminal.wait_for(DONE)
    terminal.send(b"/open\r")
    terminal.wait_for("The pump was mended")
    terminal.send(b"/thread\r")
    terminal.wait_for("this thread is evil")
    assert "\x1b]0;" not in terminal.text and "\x1b[2J" not in terminal.text
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0


@pytest.mark.slow
def test_a_key_is_answered_within_100_ms_from_the_first_prompt_on(begin: Begin) -> None:
    """While what takes long is imported, too: nothing is forked here."""
    terminal = begin(code=AGENT)
    took = []
    for letter in "abcdefghij" * 3:
        began = time.monotonic()
        terminal.send(letter.encode())
        terminal.wait_for(letter)
        took.append(time.monotonic() - began)
        time.sleep(0.05)
    assert sorted(took)[len(took) // 2] < 0.1, took
