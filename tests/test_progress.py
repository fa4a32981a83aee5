"""Long work on a terminal: bars with rate and time left, and Ctrl-C, which says what is kept and how to go on."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from agent.cli.progress import file_sizes, following
from agent.settings import Settings
from retrieval.adding import AddReport
from retrieval.library import Library
from tests.fake_hub import running
from tests.processes import AGENT, called
from tests.tiny_encoder import save_sentence_model
from tests.tiny_gguf import write_tiny_gguf
from tests.windows import lines_of, window


def paragraphs(folder: Path, files: int, of: int = 12) -> Path:
    """A folder of texts that take a while to embed."""
    folder.mkdir()
    for n in range(files):
        text = "\n\n".join(
            f"Well {n}.{m} is {n * m + 7} metres deep. " + f"Its water is clear {m}. " * 40 for m in range(of)
        )
        (folder / f"a long name of a file about wells, number {n}.md").write_text(text)
    return folder


@pytest.fixture
def own(tmp_path: Path, cache_folder: Path) -> Path:
    home = tmp_path / "own"
    home.mkdir()
    (home / "cache").symlink_to(cache_folder)
    return home


def test_ctrl_c_keeps_what_is_indexed(own: Path, tmp_path: Path) -> None:
    folder = paragraphs(tmp_path / "wells", 60)
    terminal = window(own, "add", str(folder), columns=100)
    terminal.wait_for(r"[1-9]\d?/60 files, .* of .*B, .*/s .*\d:\d\d:\d\d")
    terminal.send(b"\x03")
    shown = terminal.wait_for(
        r"stopped: the library keeps its \d+ documents; `agent add \S+` goes on with the rest"
    )
    assert "Traceback" not in shown and "\x1b[?25h" in terminal.text  # the cursor is back
    assert terminal.exit_code() == 130


@pytest.mark.slow
def test_the_bar_fits_into_a_narrow_window(own: Path, tmp_path: Path) -> None:
    terminal = window(own, "add", str(paragraphs(tmp_path / "wells", 3, 2)), columns=40)
    shown = terminal.wait_for("3 indexed")
    bars = [line for line in shown.replace("\x1b[2K", "\r").split("\r") if "/3" in line]
    assert bars and all(len(line) <= 40 for bar in bars for line in lines_of(bar)), bars
    assert terminal.exit_code() == 0


def test_a_pipe_shows_no_bar(own: Path, tmp_path: Path) -> None:
    done = called(own, "add", str(paragraphs(tmp_path / "wells", 2, 1)))
    assert done.stderr == "" and done.stdout.startswith("2 indexed, ") and done.stdout.count("\n") == 1


@pytest.mark.slow
def test_a_large_file_is_told_in_parts(hashed: Library, tmp_path: Path) -> None:
    told: list[tuple[float, int]] = []
    folder = paragraphs(tmp_path / "wells", 2, 150)
    report: AddReport = hashed.add([folder], lambda done, total, what: told.append((done, total)))
    assert len(report.indexed) == 2 and {total for _, total in told} == {2}
    shares = [done for done, _ in told]
    assert shares == sorted(shares) and shares[-1] == 2 and any(0 < done < 1 for done in shares)


def test_sizes_are_in_the_order_of_adding(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("four")
    (tmp_path / "a.png").write_text("picture")
    assert file_sizes(["https://example.org", tmp_path, tmp_path / "gone.md"]) == [0, 4, 0, 0]


def test_nothing_is_shown_of_a_log_in_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with following("building", tmp_path / "log"):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.slow
def test_a_download_goes_on_where_ctrl_c_left_it(tmp_path: Path) -> None:
    content = write_tiny_gguf(tmp_path / "tiny.gguf").read_bytes()
    with running(files={"own/er/tiny.gguf": content}, holds=True, sent_bytes=100_000) as hub:
        where = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "hf")}
        terminal = window(tmp_path, "model", "pull", "own/er", "tiny.gguf", columns=90, code=AGENT, **where)
        terminal.wait_for(r"kB")
        time.sleep(0.5)
        terminal.send(b"\x03")
        terminal.wait_for(
            "stopped: 0.1 MB of tiny.gguf are kept; `agent model pull own/er tiny.gguf` goes on from there"
        )
        hub.held.set()
        assert terminal.exit_code() == 130


@pytest.mark.slow  # imports torch to make the model
def test_embedding_again_goes_on_where_ctrl_c_left_it(own_cache: Settings, tmp_path: Path) -> None:
    own = own_cache.home
    assert own
    model = save_sentence_model(tmp_path / "model", "xlm-roberta")
    assert called(own, "setup", "--embedder", str(model)).returncode == 0
    assert called(own, "setup").returncode == 0
    assert called(own, "add", str(paragraphs(tmp_path / "wells", 160, 1))).returncode == 0
    again = ["setup", "--embedder", "all-MiniLM-L6-v2", "--reembed"]
    terminal = window(own, *again, columns=90)
    terminal.wait_for(r"[1-9]\d*/\d+\S* \d+/s")
    terminal.send(b"\x03")
    terminal.wait_for(r"stopped: [1-9]\d* of \d+ chunks are embedded and kept; .*--reembed` goes on")
    assert terminal.exit_code() == 130
    assert "do not answer" not in called(own, "ask", "How deep is well 3.0?").stderr
    assert "chunks again" in called(own, *again).stderr


@pytest.mark.slow
def test_a_build_that_is_stopped_is_put_back(own: Path) -> None:
    script = (
        "import sys; from agent.cli.setting_up import _build; from agent.models.build import Step\n"
        "sys.exit(_build('cpu', [Step(('sh', '-c', 'echo compiling ggml.c; sleep 60'))]))"
    )
    terminal = window(own, columns=90, code=[sys.executable, "-c", script])
    terminal.wait_for(r"building llama.cpp for cpu: compiling ggml.c.*0:00:0\d")
    terminal.send(b"\x03")
    terminal.wait_for("stopped: what was installed before is in place; `agent setup --gpu cpu` begins again")
    assert terminal.exit_code() == 130
