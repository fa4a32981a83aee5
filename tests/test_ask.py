"""`agent ask` as a part of other commands: stdin, formats, bundles of settings, and what a terminal shows of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.cells import cell_len

from agent.cli.asking import BUNDLES, bundled
from agent.error_words import WORDS
from agent.settings import Settings
from tests.processes import AGENT, called, forked, run
from tests.tiny_gguf import write_tiny_gguf
from tests.windows import lines_of, resize, window

NOTE = "# Boiler\n\nThe boiler was serviced by Ines Moreau on 3 May 2026.\n\n锅炉由何佳在五月三日检修。\n"


@pytest.mark.parametrize(
    ("encoding", "how"), [("utf-8", ["-"]), ("gb18030", ["--docs", "-"]), ("utf-16", ["-"])]
)
def test_a_document_from_stdin(home: Path, encoding: str, how: list[str]) -> None:
    done = called(home, "ask", "--json", "Who serviced the boiler?", *how, stdin=NOTE.encode(encoding))
    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    [citation] = answer["claims"][0]["citations"]
    assert citation["path"] == "stdin" and citation["line"] == 3 and not citation["changed"]
    assert "Ines Moreau" in citation["quote"]
    assert "stdin" not in called(home, "docs").stdout


def test_the_library_is_not_searched_beside_it(home: Path) -> None:
    done = called(home, "ask", "Who discovered two comets?", "-", stdin=NOTE)
    assert done.returncode == 4 and "Lindqvist" not in done.stdout


def test_in_chinese_with_another_document_beside(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.md"
    file.write_text("# 电梯\n\n电梯由王敏检修。\n", encoding="utf-8")
    for question, path in (("锅炉由谁检修？", "stdin"), ("电梯由谁检修？", str(file))):
        done = called(home, "ask", question, "-", "--docs", str(file), stdin=NOTE.encode())
        assert f"[1] {path}:" in done.stdout, done.stdout + done.stderr


def test_a_pipe_of_a_shell(home: Path) -> None:
    command = f"printf %s \"$0\" | {' '.join(forked('agent.cli'))} ask 'Who serviced the boiler?' -q -"
    done = run(home, "-c", command, NOTE, code=["bash"])
    assert done.returncode == 0 and done.stderr == ""
    assert "[1] stdin:3" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "data", "code", "says"),
    [
        (["What?", "-"], b"", 1, WORDS["empty document"]["en"]),
        (["谁来过？", "-"], b" \n", 1, "错误：" + WORDS["empty document"]["zh"]),
        (["What?", "-"], b"\x7fELF" + bytes(500), 1, "cannot be read: a binary file"),
        (["-", "-"], b"x", 2, "stdin holds one thing"),
        (["--docs", "-"], b"x", 2, "stdin holds one thing"),
        (["What?", "-", "--docs", "-"], b"x", 2, "stdin holds one thing"),
        (["who", "is", "it"], b"", 2, "put the question into quotes: agent ask 'who is it'"),
        (["-c", "-t", "one", "What?"], b"", 2, "--continue and --thread exclude each other"),
        (["--fast", "--deep", "What?"], b"", 2, "--fast and --deep exclude each other"),
        (["--quiet", "--trace", "What?"], b"", 2, "--quiet and --trace exclude each other"),
        (["--json", "--format", "md", "What?"], b"", 2, "--json and --format exclude each other"),
        (["--format", "pdf", "What?"], b"", 2, "--format takes one of md, text, json"),
        (["--since", "nonsense", "谁？"], b"", 2, "错误：--since：'nonsense' 不是日期"),
        (["--model", "nowhere.gguf", "谁？"], b"", 1, "没有这个模型文件"),
        (["--docs", "https://example.org", "谁？"], b"", 1, "不访问网络"),
        (["谁" * 5000], b"", 1, "上限是 4000"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    home: Path, arguments: list[str], data: bytes, code: int, says: str
) -> None:
    done = called(home, "ask", *arguments, stdin=data)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in " ".join(done.stderr.split()), done.stderr


def test_words_of_errors_are_there_in_both_languages() -> None:
    for name, texts in WORDS.items():
        assert set(texts) == {"en", "zh"}, name
        assert len({tuple(sorted(re.findall(r"{.*?}", text))) for text in texts.values()}) == 1, name


def test_formats(home: Path) -> None:
    question = "How many days between the contract date and the deadline for notice?"
    shown = {form: called(home, "ask", "--format", form, question) for form in ("md", "text", "json")}
    assert shown["text"].stdout == called(home, "ask", question).stdout
    assert (
        json.loads(shown["json"].stdout).keys()
        == json.loads(called(home, "ask", "--json", question).stdout).keys()
    )
    body, notes = shown["md"].stdout.split("\n\n")
    assert body == "From 2026-03-01 to 2026-05-12 it is 72 days.[^1][^2]"
    first, second = notes.splitlines()
    assert re.match(r"\[\^1\]: `.*lease\.txt:3`: “The contract was signed on 1 March 2026 ", first)
    assert second.startswith("[^2]: ")
    refused = called(home, "ask", "--format", "md", "秘鲁的首都是哪里？")
    assert refused.returncode == 4 and "[^" not in refused.stdout


def test_piped_output_is_plain_and_the_same_again(home: Path) -> None:
    asked = ["ask", "--no-memory", "Who discovered two comets?"]
    first, again = (called(home, *asked, COLUMNS=width, FORCE_COLOR="1") for width in ("20", "200"))
    assert first.stdout == again.stdout and "\x1b" not in first.stdout + first.stderr
    lines = (
        first.stdout.splitlines()
    )  # the short answer, the sentence, a blank line, the place, the quotation
    assert len(lines) == 5 and lines[0] == "Tomas Lindqvist"


def test_quiet_says_errors_alone(home: Path) -> None:
    done = called(home, "ask", "-q", "Who discovered two comets?")
    assert done.returncode == 0 and done.stderr == "" and "Lindqvist" in done.stdout
    failed = called(home, "ask", "-q", "--docs", "nowhere.md", "Who?")
    assert failed.returncode == 1 and failed.stderr.startswith("error: nothing to read")


def test_the_last_thread_goes_on(tmp_path: Path, home: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "cache").symlink_to(home / "cache")
    begun = called(own, "ask", "-c", "读书会的会费由谁收取？")
    name = re.search(r"新的名为 (ask-\S+)（", begun.stderr)
    assert name, begun.stderr
    assert called(own, "ask", "-c", "那它每年多少钱？").stderr.count(f"继续 thread {name[1]}") == 1
    asked = json.loads(called(own, "memory", "list", "--kind", "turn", "--json").stdout)["records"]
    assert {one["thread"] for one in asked} == {name[1]} and len(asked) == 2


def test_bundles_are_settings_that_flags_override(own_sample: Settings) -> None:
    for bundle in BUNDLES.values():
        Settings(**{name: one for name, one in bundle.items() if name != "rungs"})
    assert bundled({}, "fast").max_rounds == 1 and bundled({"max_rounds": 4}, "fast").max_rounds == 4
    assert bundled({}, "deep").max_rounds == 5 and bundled({}, "deep").paths == 1
    assert bundled({"paths": 2}, "deep").paths == 2
    assert own_sample.home
    file = str(write_tiny_gguf(own_sample.home / "tiny.gguf"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENT_MODEL", f"extractive,{file}")
        assert bundled({}, "deep").paths == 3
        assert bundled({}, "fast").model == "extractive"
        assert bundled({"model": f"{file},extractive"}, "fast").model == f"{file},extractive"


@pytest.mark.slow
def test_fast_asks_less(home: Path) -> None:
    question = "What is the capital of Peru?"
    fast = json.loads(called(home, "ask", "--no-memory", "--json", "--fast", question).stdout)
    assert fast["budget"]["rounds"]["limit"] == 1 and fast["rounds"] <= 1
    deep = json.loads(called(home, "ask", "--no-memory", "--json", "--deep", question).stdout)
    assert deep["budget"]["rounds"]["limit"] == 5


@pytest.mark.parametrize(
    ("question", "opening", "cited"),
    [
        ("Who discovered two comets?", "reading the library ...", "[1] …/observatory.html:14"),
        ("谁说最容易被忽略的是保证？", "正在打开文库 ...", "[1] evals/data/sample/meeting.zh.md:13"),
    ],
)
def test_a_narrow_window(home: Path, question: str, opening: str, cited: str) -> None:
    shown = window(home, "ask", question).wait_for(r"agent\s+why")
    assert shown.startswith(f"\r{opening}\r")
    lines = lines_of(shown)
    assert max(map(cell_len, lines)) <= 40, lines
    assert cited in " ".join(lines), lines


def test_a_dumb_terminal_and_no_colour(home: Path) -> None:
    asked = ["ask", "谁说最容易被忽略的是保证？"]
    dumb = window(home, *asked, TERM="dumb").wait_for("agent why")
    assert "\x1b" not in dumb and dumb.startswith("正在打开文库 ...\r\n") and "[1]" in dumb
    plain = window(home, *asked, NO_COLOR="1").wait_for(r"agent\s+why")
    assert not re.search(r"\x1b\[[\d;]*3\d", plain)  # no colours; the line that is written anew stays


@pytest.mark.slow
def test_a_window_that_changes_while_it_asks(home: Path) -> None:
    resized = window(home, "ask", "Who discovered two comets?", columns=100)
    resize(resized, 50)
    assert "Tomas Lindqvist" in " ".join(lines_of(resized.wait_for(r"agent\s+why")))
    assert resized.exit_code() == 0


def test_an_error_takes_the_place_of_the_first_line(home: Path) -> None:
    for arguments in (["ask", "-c", "-t", "one", "Who?"], ["ask", "--docs", "nowhere.md", "Who?"]):
        terminal = window(home, *arguments, columns=100)
        assert lines_of(terminal.wait_for("(?s)(Invalid value|error): .*\n"))[0].startswith(
            ("Usage: ", "error: ")
        )


@pytest.mark.slow  # starts from nothing
@pytest.mark.parametrize("wait_s", [0.0, 0.4])
def test_ctrl_c_before_it_began(home: Path, wait_s: float) -> None:
    terminal = window(home, "ask", "谁发现了彗星？", columns=100, code=AGENT)
    terminal.wait_for("正在打开文库")
    time.sleep(wait_s)
    terminal.send(b"\x03")
    assert "Traceback" not in terminal.wait_for("还没开始就已停止|interrupted")
    assert terminal.exit_code() == 130


def test_a_ctrl_c_that_a_callback_swallows_comes_again() -> None:
    script = (
        "import sys, time, signal, agent.cli as c\n"
        "class Gone:\n"
        "    def __del__(self): signal.raise_signal(signal.SIGINT)\n"
        "c._send_lost_interrupts_again()\n"
        "try:\n"
        "    gone = Gone(); del gone; print('lost'); time.sleep(600)\n"
        "except KeyboardInterrupt: print('again')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("lost\nagain\n", "")


@pytest.mark.slow  # starts from nothing
def test_the_first_line_comes_before_the_imports(home: Path) -> None:
    script = (
        "import sys, agent.cli.progress as p, agent.cli as c\n"
        "heavy = {'rich', 'numpy', 'pydantic', 'agent.assistant', 'asyncio'}\n"
        "sys.argv = ['agent', 'ask', 'Who?']\n"
        "def told(text): print(text, sorted(heavy & set(sys.modules))); sys.exit()\n"
        "p.first_line, p.is_live = told, lambda: True\n"
        "c._run()\n"
    )
    done = run(home, "-c", script, code=[sys.executable])
    assert done.stdout == "reading the library ... []\n", done.stderr
