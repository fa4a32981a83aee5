"""Runs that are stopped, killed, resumed or left alone: what is verified is kept, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, Settings
from agent.critic.sufficiency import thresholds
from agent.driver import STOPPED_EARLY, cut_short
from agent.errors import InputError
from agent.outcome import REFUSALS, settled
from agent.reasoners.scripted import ScriptedChat
from retrieval.store import UNFINISHED
from tests.conftest import SAMPLE
from tests.processes import ROOT, Terminal, called, environment, forked
from tests.sample import CONTRACT, FALSE, FEE, GOOD, PAID, SIGNED, drafted
from tests.slow_child import chat_of

SLOW_S = 60.0
FRESH = {"queries": ["rent 租金"]}


@pytest.fixture
def clean(home: Path) -> Iterator[Path]:
    """The home, and afterwards proof that no run left a checkpoint behind."""
    yield home
    with Agent(Settings(home=home)) as agent:
        assert agent.library.store.checkpoints(None) == []


def slow(home: Path, script: list[Any], *arguments: str) -> list[str]:
    return [*forked("tests.slow_child"), json.dumps(script), str(home / "log"), *arguments]


def calls(home: Path, at_least: int) -> list[str]:
    """The calls of the model so far, once there are so many."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        log = home / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        if len(lines) >= at_least:
            return lines
        time.sleep(0.05)
    raise AssertionError(f"{at_least} calls were not made")


def begin(home: Path, script: list[Any], *arguments: str) -> subprocess.Popen[str]:
    (home / "log").unlink(missing_ok=True)
    return subprocess.Popen(
        slow(home, script, *arguments),
        env=environment(home),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# --- Ctrl-C ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("question", "good"), GOOD)
def test_ctrl_c_settles_with_what_is_verified(clean: Path, question: str, good: str) -> None:
    script = [[drafted(good, FALSE[question]), 0], [FRESH, SLOW_S]]
    child = begin(clean, script, "ask", "--json", question)
    calls(clean, 2)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    answer = json.loads(out)
    assert (child.returncode, answer["outcome"], answer["stopped"]) == (0, "verified", "interrupted")
    assert answer["answer"] == good and FALSE[question] not in out.split('"evidence"')[0]
    assert "Traceback" not in err
    with Agent(Settings(home=clean)) as agent:
        run = agent.library.store.run(answer["run_id"])
        assert run is not None and run["outcome"] == "verified"
        assert [e["event"] for e in run["payload"]["events"]][-3:] == ["critique", "settle", "remember"]


def test_ctrl_c_before_any_critique_abstains(clean: Path) -> None:
    child = begin(clean, [[drafted(SIGNED), SLOW_S]], "ask", CONTRACT)
    calls(clean, 1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 4 and SIGNED not in out
    assert STOPPED_EARLY in err and "interrupted" in err and "Traceback" not in err


def test_a_second_ctrl_c_ends_at_once(home: Path) -> None:
    """The first one is swallowed by a reply that takes no notice, as compiled code would."""
    code = (
        "import signal, sys, time\n"
        "from agent.cli.stopping import ctrl_c_settles\n"
        "class Deaf:\n"
        "    def stop(self): return True\n"
        "with ctrl_c_settles(Deaf()):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout and child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=10)
    assert child.returncode == 130 and "interrupted" in err and "Traceback" not in err


def test_ctrl_c_in_the_chat_settles_the_answer_and_the_chat_goes_on(clean: Path) -> None:
    (clean / "log").unlink(missing_ok=True)
    script = [[drafted(SIGNED, FALSE[CONTRACT]), 0], [FRESH, SLOW_S], [drafted(PAID), 0]]
    terminal = Terminal(clean, "chat", "--thread", "tty", code=slow(clean, script))
    try:
        terminal.wait_for("Ctrl-D leaves")
        terminal.send(f"{CONTRACT}\r".encode())
        calls(clean, 2)
        time.sleep(0.2)
        terminal.send(b"\x03")
        assert SIGNED in terminal.wait_for("interrupted.*agent why", 20)
        terminal.send(f"{FEE}\r".encode())
        assert "120元" in terminal.wait_for("已核实.*agent why", 20)
        terminal.send(b"/quit\r")
        assert terminal.exit_code() == 0
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            terminal.kill()


# --- the library face -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("question", "good"), GOOD)
def test_stop_from_another_thread_is_heeded_between_tokens(clean: Path, question: str, good: str) -> None:
    called = threading.Event()

    def babble(_messages: Any) -> str:
        called.set()
        time.sleep(0.3)
        return "word " * 50

    chat = ScriptedChat(replies=[drafted(good, FALSE[question]), babble])
    with Agent(Settings(home=clean), chat_model=chat) as agent:
        assert agent.stop() is False, "there is nothing to stop"
        threading.Thread(target=lambda: called.wait() and agent.stop()).start()
        answer = agent.ask(question)
    assert (answer.outcome, answer.text, answer.stopped) == ("verified", good, "interrupted")
    assert answer.tokens > 0


@pytest.mark.parametrize("after", ["started", "recall", "plan", "retrieve", "draft", "critique", "settle"])
def test_stop_after_any_event_gives_an_answer(home: Path, after: str) -> None:
    with Agent(Settings(home=home, remember=False)) as agent:
        events = []
        for event in agent.stream("Who painted the Mona Lisa?"):
            events.append(event)
            if event["event"] == after:
                agent.stop()
    names = [event["event"] for event in events]
    assert names[-3:] == ["settle", "remember", "settled"]
    answer = events[-1]["answer"]  # type: ignore[typeddict-item]
    assert answer["outcome"] == "abstained"
    assert answer["stopped"] == "interrupted" or after == "settle"
    assert (STOPPED_EARLY in answer["notes"]) is (after not in ("critique", "settle"))
    # A search that was cut short says nothing of what the files hold.
    assert after == "settle" or answer["answer"] == REFUSALS["en"]["interrupted"]


def test_interrupted_small_talk_is_no_verified_answer() -> None:
    state = cut_short({"question": "你好", "run_id": "r", "thread": "", "started_s": 0.0})
    assert settled(state, thresholds("default"))["outcome"] == "abstained" and state["plan"]["lang"] == "zh"


@pytest.mark.parametrize("docs", [[], [SAMPLE / "lease.txt"]])
def test_a_stream_that_is_closed_early_leaves_nothing(
    clean: Path, docs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    chat = ScriptedChat(replies=[drafted(SIGNED)] * 2)
    with Agent(Settings(home=clean), chat_model=chat) as agent:
        before, threads = agent.library.store.counts(), threading.active_count()
        for event in agent.stream(CONTRACT, docs=docs):
            if event["event"] == "draft":
                break
        assert agent.library.store.counts() == before and agent.stop() is False

        async def leave() -> None:
            events = agent.astream(CONTRACT, docs=docs)
            async for event in events:
                if event["event"] == "draft":
                    break
            await events.aclose()  # type: ignore[attr-defined]

        asyncio.run(leave())
        assert agent.library.store.counts() == before and agent.stop() is False
        until = time.monotonic() + 30
        while threading.active_count() > threads:
            assert time.monotonic() < until, threading.enumerate()
            time.sleep(0.05)
    assert list(temporary.iterdir()) == []


def test_a_cancelled_question_stops_its_run(home: Path) -> None:
    chat = ScriptedChat(replies=[lambda _: time.sleep(0.5) or drafted(SIGNED)])
    with Agent(Settings(home=home, remember=False), chat_model=chat) as agent:

        async def cancel() -> None:
            task = asyncio.create_task(agent.aask(CONTRACT))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        assert agent.stop() is False


def test_keyboard_interrupt_is_not_swallowed(home: Path) -> None:
    def press(_messages: Any) -> str:
        raise KeyboardInterrupt

    with Agent(Settings(home=home, remember=False), chat_model=ScriptedChat(replies=[press])) as agent:
        with pytest.raises(KeyboardInterrupt):
            agent.ask(CONTRACT)
        assert agent.stop() is False


def test_tokens_are_a_budget(home: Path) -> None:
    for limit, stopped in ((1, "tokens"), (0, "rounds")):
        chat = ScriptedChat(replies=[drafted(), {"queries": ["rent"]}, drafted()])
        limits = Settings(home=home, remember=False, max_rounds=1, max_tokens=limit, passages=1)
        with Agent(limits, chat_model=chat) as agent:
            answer = agent.ask("Who painted the Mona Lisa?")
        assert answer.stopped == stopped
        assert answer.budget["tokens"] == {"used": answer.tokens, "limit": limit}


def test_passages_are_a_budget(home: Path) -> None:
    with Agent(Settings(home=home, remember=False, max_passages=2)) as agent:
        answer = agent.ask("Who painted the Mona Lisa?")
    assert answer.stopped == "passages" and [item["number"] for item in answer.evidence] == [1, 2]


# --- kill and resume ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("question", "good"), GOOD)
def test_a_killed_run_goes_on_where_it_was(
    clean: Path, monkeypatch: pytest.MonkeyPatch, question: str, good: str
) -> None:
    first = [[drafted(good, FALSE[question]), 0], [FRESH, 0], [drafted(good), SLOW_S]]
    child = begin(clean, first, "ask", "-t", "kill", question, "--max-rounds", "1")
    assert len(calls(clean, 3)) == 3
    time.sleep(0.3)
    child.kill()
    _, err = child.communicate()
    run_id = err.split("--resume ")[1].split()[0]
    with Agent(Settings(home=clean)) as agent:
        listed = {run["id"]: run["outcome"] for run in agent.library.store.runs(5)}
        assert listed[run_id] == UNFINISHED
        turns = len(agent.memory.turns("kill"))
    shown = called(clean, "why", run_id).stdout
    assert "reformulate round 1" in shown and f"agent ask --resume {run_id}" in shown

    (clean / "log").unlink()
    chat = chat_of([[drafted(good), 0]], clean / "log")
    monkeypatch.setattr("agent.assistant.build_chat_model", lambda _settings, _name: chat)
    done = called(clean, "ask", "--resume", run_id[:8], "--json", "--max-rounds", "1")
    answer = json.loads(done.stdout)
    assert (answer["run_id"], answer["outcome"], answer["rounds"]) == (run_id, "verified", 1), done.stderr
    assert answer["answer"] == good
    assert calls(clean, 1) == ["sentences"], "what was done before the kill is not done again"
    with Agent(Settings(home=clean)) as agent:
        assert len(agent.memory.turns("kill")) == turns + 1
        run = agent.library.store.run(run_id)
        assert run is not None
        names = [event["event"] for event in run["payload"]["events"]]
        assert names.count("recall") == names.count("reformulate") == 1 and names.count("draft") == 2
        with pytest.raises(InputError, match="is finished"):
            agent.ask(resume=run_id)


def test_resume_says_what_is_wrong(home: Path) -> None:
    for arguments, code, says in (
        (["--resume", "zzzz"], 1, "no run 'zzzz'"),
        (["--resume", "zzzz", "and a question"], 2, "goes alone"),
    ):
        done = called(home, "ask", *arguments)
        assert done.returncode == code and says in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs SIGKILL")
def test_without_memory_a_killed_run_leaves_no_trace(clean: Path) -> None:
    with Agent(Settings(home=clean)) as agent:
        before = agent.library.store.counts()
    child = begin(clean, [[drafted(SIGNED), SLOW_S]], "ask", "--no-memory", CONTRACT)
    calls(clean, 1)
    child.kill()
    _, err = child.communicate()
    assert "--resume" not in err
    with Agent(Settings(home=clean)) as agent:
        assert agent.library.store.counts() == before
