"""The command line as a user meets it: what it says and leaves, and in processes of its own how it behaves there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.critic.sufficiency import thresholds
from tests.conftest import SAMPLE
from tests.processes import AGENT, Terminal, called, environment, run
from tests.tiny_gguf import write_tiny_gguf


def test_ask_prints_the_answer_on_stdout_and_the_rest_on_stderr(home: Path) -> None:
    done = called(home, "ask", "Who discovered two comets?")
    assert done.returncode == 0
    assert "Tomas Lindqvist discovered two comets within one week. [1]" in done.stdout
    assert re.search(r"^\[1\] .*observatory\.html:\d+ ", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout
    assert "verified" in done.stderr
    assert "verified" not in done.stdout


def test_ask_in_chinese(home: Path) -> None:
    done = called(home, "ask", "谁说最容易被忽略的是保证？")
    assert done.returncode == 0
    assert "何佳" in done.stdout
    assert "meeting.zh.md:13" in done.stdout


def test_ask_reads_the_question_from_stdin_and_prints_stable_json(home: Path) -> None:
    done = run(home, "ask", "--json", stdin="Who discovered two comets?\n")
    answer = json.loads(done.stdout)
    assert answer["outcome"] == "verified"
    wanted = {"outcome", "answer", "claims", "rounds", "queries", "evidence", "missing", "model"}
    assert wanted | {"run_id", "seconds", "tokens"} <= set(answer)
    citation = answer["claims"][0]["citations"][0]
    assert {"path", "start", "end", "quote", "page", "heading"} <= set(citation)
    assert answer["claims"][0]["verdict"] == "supported"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ask", "What is the capital of Peru?"], 4, "do not answer"),
        (["ask", "秘鲁的首都是哪里？"], 4, "没有找到"),
        (["ask", ""], 1, "the question is empty"),
        (["ask", "x" * 5000], 1, "4000 is the limit"),
        (["ask", "--max-rounds", "99", "why?"], 2, "max_rounds must be between 0 and 10"),
        (["ask", "--paths", "9", "why?"], 2, "paths must be between 1 and 8"),
        (["ask", "--judge-model", "nowhere.gguf", "why?"], 1, "no such model file"),
        (["ask", "Summarise this"], 4, "Which document do you mean?"),
        (["ask", "总结一下"], 4, "请说明是哪一份文件"),
        (["ask", "--strict", "--lenient", "why?"], 2, "exclude each other"),
        (["ask", "--lenient", "--strict", "谁主持会议？"], 2, "exclude each other"),
        (["chat", "--strict", "--lenient"], 2, "exclude each other"),
        (["ask", "--resume", ""], 2, "the run id is empty"),
        (["ask", "--resume", " "], 2, "agent runs"),
        (["ask", "--model", "nowhere.gguf", "why?"], 1, "no such model file"),
        (["ask", "--docs", "nowhere.md", "why?"], 1, "no such file"),
        (["nonsense"], 2, "No such command"),
        (["why", "ffff"], 1, "no run 'ffff'"),
        (["docs", "rm", "nowhere.md"], 1, "nothing to remove"),
        (["add", "nowhere.md"], 1, "no such file"),
    ],
)
def test_exit_codes_and_one_clear_line(home: Path, arguments: list[str], code: int, says: str) -> None:
    done = called(home, *arguments)
    assert done.returncode == code
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"), [(["ask", "秘鲁的首都是哪里？"], 4), (["ask", ""], 1), (["nonsense"], 2)]
)
def test_a_process_ends_with_the_code(home: Path, arguments: list[str], code: int) -> None:
    done = run(home, *arguments)
    assert done.returncode == code and "Traceback" not in done.stderr


QUESTIONS = [
    "谁参加了会议？",
    "会议在哪里开？",
    "What is kept in the workshop?",
    "What is a warrant?",
]


def test_strict_and_lenient_decide_what_is_given(home: Path) -> None:
    given = {}
    for strictness, flags in {"lenient": ["--lenient"], "default": [], "strict": ["--strict"]}.items():
        wanted = thresholds(strictness)
        done = [called(home, "ask", "--json", "--no-memory", *flags, question) for question in QUESTIONS]
        assert not any("Traceback" in one.stderr for one in done)
        sure = [json.loads(one.stdout)["confidence"] for one in done]
        given[strictness] = [one.returncode for one in done]
        codes = [0 if one >= wanted["verified"] else 3 if one >= wanted["partial"] else 4 for one in sure]
        assert given[strictness] == codes
    assert given["lenient"] < given["default"] < given["strict"]  # each asks for more than the one before


@pytest.mark.parametrize("question", ["Who discovered two comets?", "谁主持会议？"])
@pytest.mark.parametrize("model", [[], ["--model", "extractive"]])
def test_a_judge_without_a_writer_is_told(home: Path, model: list[str], question: str) -> None:
    file = write_tiny_gguf(home / "judge.gguf")
    done = called(home, "ask", "--no-memory", "--judge-model", str(file), *model, question)
    assert done.returncode in (0, 3), done.stderr
    assert "--judge-model is not used" in done.stderr or "--judge-model 没有用上" in done.stderr
    assert "--judge-model" not in done.stdout
    done = called(home, "ask", "--no-memory", *model, question)
    assert done.returncode in (0, 3) and "--judge-model" not in done.stderr


def test_a_setting_that_cannot_be_read_names_itself(home: Path) -> None:
    done = called(home, "ask", "why?", AGENT_MAX_ROUNDS="many")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: AGENT_MAX_ROUNDS='many' is not a valid int"


def test_an_empty_library_says_what_to_do(tmp_path: Path, cache_folder: Path) -> None:
    (tmp_path / "cache").symlink_to(cache_folder)
    done = called(tmp_path, "ask", "Who discovered two comets?")
    assert done.returncode == 4
    assert "agent add PATH" in done.stderr


def test_ask_with_an_empty_cache_neither_exports_nor_imports_torch(tmp_path: Path, home: Path) -> None:
    """The embedder is prepared during `add` or `setup`; without it a question is searched by words."""
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "library").symlink_to(home / "library")
    script = (
        "import sys, agent.cli as c\n"
        "sys.argv = ['agent', 'ask', 'Who discovered two comets?', '--no-memory']\n"
        "code = c._run()\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'onnx'} & set(sys.modules)\n"
        "print('heavy', sorted(heavy), 'code', code)\n"
    )
    done = run(bare, "-c", script, code=[sys.executable])
    assert "heavy [] code 0" in done.stdout, done.stderr
    assert "run `agent setup`" in done.stderr
    assert not (bare / "cache").exists()


def test_a_cold_ask_imports_no_torch(home: Path) -> None:
    script = (
        "import sys, agent.cli as c\n"
        "sys.argv = ['agent', 'ask', 'Who discovered two comets?', '--no-memory']\n"
        "c._run()\n"
        "print('heavy', sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))\n"
    )
    done = run(home, "-c", script, code=[sys.executable])
    assert "Tomas Lindqvist" in done.stdout
    assert "heavy []" in done.stdout


def test_a_users_own_agent_and_tools_do_not_shadow_ours(tmp_path: Path, home: Path) -> None:
    (tmp_path / "agent.py").write_text("raise SystemExit('the wrong agent')\n")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__init__.py").write_text("raise SystemExit('the wrong tools')\n")
    entry = Path(sys.executable).parent / "agent"
    if not entry.exists():
        pytest.fail("the command is not installed: run `make dev`")
    done = run(home, "ask", "Who discovered two comets?", cwd=tmp_path, code=[str(entry)])
    assert done.returncode == 0, done.stderr
    assert "Tomas Lindqvist" in done.stdout


def test_trace_shows_the_rounds(home: Path) -> None:
    done = called(home, "ask", "--trace", "What is the capital of Peru?")
    for node in ("recall", "plan", "retrieve", "draft", "critique", "reformulate", "settle"):
        assert re.search(rf" s  {node}\b", done.stderr), node


def test_why_shows_the_run_as_a_tree(home: Path) -> None:
    asked = json.loads(called(home, "ask", "--json", "Who discovered two comets?").stdout)
    done = called(home, "why", asked["run_id"][:6])
    assert done.returncode == 0
    for word in (
        "Who discovered two comets?",
        "retrieve",
        "critique passed",
        "supported",
        "observatory.html",
    ):
        assert word in done.stdout
    again = json.loads(called(home, "why", "--json", asked["run_id"]).stdout)
    assert again["answer"] == asked["answer"]


def test_tables_are_tab_separated_in_a_pipe(home: Path) -> None:
    asked = json.loads(called(home, "ask", "--json", "What is a warrant?").stdout)
    first = called(home, "runs", "-n", "1").stdout.rstrip("\n").split("\t")
    assert first[0] == asked["run_id"]
    assert first[2:] == [asked["outcome"], "What is a warrant?"]


def test_no_memory_leaves_no_trace(home: Path) -> None:
    before = called(home, "runs").stdout
    called(home, "ask", "--no-memory", "--thread", "secret", "Who discovered two comets?")
    assert called(home, "runs").stdout == before


def test_a_follow_up_in_a_thread(home: Path) -> None:
    """In Chinese; the chat below leans on a thread in English."""
    called(home, "ask", "-t", "two", "读书会的会费由谁收取？")
    done = called(home, "ask", "-t", "two", "--json", "那它每年多少钱？")
    assert "120元" in json.loads(done.stdout)["answer"]


def test_docs_answers_from_files_without_adding_them(home: Path, tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    note.write_text("# Boiler\n\nThe boiler was serviced by Ines Moreau on 3 May 2026.\n")
    done = called(home, "ask", "Who serviced the boiler?", "--docs", str(note))
    assert "Ines Moreau" in done.stdout
    assert "note.md" not in called(home, "docs").stdout


def test_docs_are_searched_by_words_before_anything_is_set_up(tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    note.write_text("# Boiler\n\nThe boiler was serviced by Ines Moreau on 3 May 2026.\n")
    done = called(tmp_path / "bare", "ask", "Who serviced the boiler?", "--docs", str(note))
    assert "Ines Moreau" in done.stdout
    assert "run `agent setup`" in done.stderr
    assert not (tmp_path / "bare" / "cache" / "onnx").exists()


def test_add_reports_each_file_and_docs_lists_and_removes(tmp_path: Path, cache_folder: Path) -> None:
    own = tmp_path / "home"
    own.mkdir()
    (own / "cache").symlink_to(cache_folder)
    files = tmp_path / "files"
    files.mkdir()
    (files / "good.md").write_text("# Good\n\nThe well is forty metres deep.\n")
    (files / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    (files / "empty.txt").write_bytes(b"")
    (files / "picture.png").write_bytes(b"\x89PNG")
    report = json.loads(run(own, "add", "--json", str(files)).stdout)
    assert [Path(one["path"]).name for one in report["indexed"]] == ["good.md"]
    assert {Path(one["path"]).name for one in report["failed"]} == {"broken.pdf", "empty.txt"}
    assert all(one["reason"] for one in report["failed"] + report["skipped"])
    assert (report["embedded"], report["reused"]) == (1, 0)
    listed = json.loads(called(own, "docs", "--json").stdout)
    assert listed["coverage"] == {"indexed": 1, "changed": 0, "gone": 0, "skipped": 1, "failed": 2}
    assert [Path(one["path"]).name for one in listed["skipped"]] == ["picture.png"]
    again = json.loads(called(own, "add", "--json", str(files)).stdout)
    assert [Path(one["path"]).name for one in again["unchanged"]] == ["good.md"]
    assert "good.md" in called(own, "docs").stdout
    (files / "good.md").write_text("# Good\n\nThe well is fifty metres deep.\n")
    assert "changed" in called(own, "docs").stdout
    asked = called(own, "ask", "How deep is the well?")
    assert "changed since it was indexed" in asked.stdout
    assert called(own, "docs", "rm", str(files / "good.md")).returncode == 0
    assert "good.md" not in called(own, "docs").stdout


def test_copies_are_named_and_what_is_gone_is_pruned(tmp_path: Path, cache_folder: Path) -> None:
    own, files = tmp_path / "home", tmp_path / "files"
    own.mkdir()
    files.mkdir()
    (own / "cache").symlink_to(cache_folder)
    for name in ("a.md", "b.md"):
        (files / name).write_text("# Well\n\nThe well is forty metres deep. 井深四十米。\n")
    assert "2 chunks (1 embedded, 1 reused)" in called(own, "add", str(files)).stdout
    [passage] = json.loads(called(own, "search", "--json", "well").stdout)["passages"]
    assert [one["path"] for one in passage["also"]] == [str(files / "b.md")]
    assert f"also in: {files / 'b.md'}" in called(own, "search", "How deep is the well?").stdout
    assert f"也见于: {files / 'b.md'}" in called(own, "search", "井深四十米").stdout
    asked = json.loads(called(own, "ask", "--json", "How deep is the well?").stdout)
    assert asked["claims"][0]["citations"][0]["also"] == [str(files / "b.md")]
    (files / "b.md").unlink()
    assert "1 gone" in called(own, "docs").stderr
    told = called(own, "add", str(files))
    assert "1 missing" in told.stdout and "--prune removes it" in told.stderr
    assert "1 pruned" in called(own, "add", "--prune", str(files)).stdout
    assert "b.md" not in called(own, "docs").stdout


def test_search_gives_passages_with_scores(home: Path) -> None:
    passages = json.loads(run(home, "search", "--json", "two comets", "-k", "2").stdout)["passages"]
    assert len(passages) == 2
    assert passages[0]["path"].endswith("observatory.html")
    assert set(passages[0]) >= {"path", "start", "end", "text", "score", "tier"}
    assert passages[0]["score"] >= passages[1]["score"]


def test_doctor_is_well_and_says_what_is_broken(home: Path, tmp_path: Path) -> None:
    done = called(home, "doctor")
    assert done.returncode == 0, done.stdout
    assert "Chinese" in done.stdout
    assert "blind to it" in done.stdout
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "library.sqlite").write_bytes(b"not a database at all" * 300)
    broken = called(tmp_path, "doctor")
    assert broken.returncode == 1
    assert "BROKEN" in broken.stdout
    assert "agent setup" in broken.stdout


def test_a_pipe_that_closes_early_is_no_error(home: Path) -> None:
    command = f"{' '.join(AGENT)} docs | head -c 1"
    done = subprocess.run(
        ["bash", "-c", command], env=environment(home), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr


@pytest.fixture
def chat(home: Path) -> Iterator[Terminal]:
    terminal = Terminal(home, "chat", "--thread", "tty")
    terminal.wait_for("Ctrl-D leaves")
    yield terminal
    try:
        terminal.kill()
    except (ProcessLookupError, ChildProcessError):
        return  # it left by itself


def test_chat_answers_understands_a_follow_up_and_leaves_at_ctrl_d(chat: Terminal) -> None:
    chat.send(b"When was the observatory opened?\r")
    assert "1897" in chat.wait_for("verified .*agent why")
    chat.send("它的会费是多少？\r".encode())  # a follow-up in the other language must not break it
    chat.wait_for(r"agent why[^>]*>")
    time.sleep(0.3)
    chat.send(b"\x04")
    assert chat.exit_code() == 0


def test_chat_ctrl_c_clears_the_line_and_stops_an_answer(chat: Terminal) -> None:
    chat.send(b"half a question")
    chat.wait_for("half a question")
    chat.send(b"\x03")
    time.sleep(0.3)
    chat.send(b"What is a warrant?\r")
    chat.wait_for("agent why")
    chat.send(b"What is the capital of Peru, and of Chile?\r")
    time.sleep(0.02)
    chat.send(b"\x03")
    chat.wait_for("agent why|stopped|>")
    chat.send(b"/help\r")
    chat.wait_for("/quit leaves")
    chat.send(b"/quit\r")
    assert chat.exit_code() == 0


def test_an_answer_on_a_terminal_has_links_and_colours(home: Path) -> None:
    terminal = Terminal(home, "ask", "Who discovered two comets?")
    shown = terminal.wait_for("agent why")
    assert "\x1b]8;" in shown  # a hyperlink to the cited file
    assert terminal.exit_code() == 0


def test_streams_that_are_closed_or_full_or_not_utf8(home: Path) -> None:
    def shell(command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command.replace("agent", " ".join(AGENT), 1)],
            env=environment(home, **more),
            capture_output=True,
            text=True,
            check=False,
        )

    for command in ("agent docs >&-", "agent docs > /dev/full", "agent docs 2>&- | cat"):
        assert "Traceback" not in shell(command).stderr, command
    listed = shell("agent docs --json", PYTHONIOENCODING="ascii").stdout
    assert any("meeting.zh.md" in one["path"] for one in json.loads(listed)["documents"])


def test_input_that_is_not_utf8(home: Path) -> None:
    for arguments in (["ask", b"what about \xff the lens?"], ["ask", "-t", b"th\xff", "What is a warrant?"]):
        done = run(home, *arguments)
        assert done.returncode in (0, 3, 4), done.stderr
        assert "Traceback" not in done.stderr


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = called(tmp_path / "file", "add", str(SAMPLE))
    assert done.returncode == 1
    assert "cannot be made" in done.stderr
    assert "Traceback" not in done.stderr
    examined = called(tmp_path / "file", "doctor")
    assert examined.returncode == 1
    assert "AGENT_HOME" in examined.stdout


def test_the_library_face_ends_its_process_in_good_order(home: Path) -> None:
    """The thread that warms the embedder up must not be cut off by the end of the process."""
    script = (
        "from agent import Agent\n"
        "for _ in range(2):\n"
        "    with Agent() as agent:\n"
        "        print(agent.ask('hello').outcome)\n"
    )
    done = run(home, "-c", script, code=[sys.executable])
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["verified", "verified"]
