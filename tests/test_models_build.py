"""`agent setup --gpu` shows what it runs, keeps the version, and leaves what works where a build fails.

The environment that it builds into is a folder of stand-ins for pip and llama_cpp, before the real ones on the
path.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from agent.models.build import CMAKE_ARGS, find_installer, gaps, requirement, steps, wheel_index
from agent.models.hardware import Device, is_known, offloaded_layers, ram_bytes, read_nvidia_smi
from agent.models.header import read_header
from tests.processes import AGENT, ROOT, Terminal, environment
from tests.tiny_gguf import write_tiny_gguf

PIP = (sys.executable, "-m", "pip")
UV = ("uv", "pip", f"--python={sys.executable}")
PINNED = "llama-cpp-python==0.3.36"

FAKE_PIP = """
import os, pathlib, sys
folder = pathlib.Path(__file__).parent.parent
with (folder / "asked").open("a") as log:
    log.write(os.environ.get("CMAKE_ARGS", "-") + " " + " ".join(sys.argv[1:]) + "\\n")
mode = (folder / "mode").read_text()
print("building", sys.argv[1])
if mode == "fails" and sys.argv[1] == "wheel":
    sys.exit("nvcc: error 42")
if sys.argv[1] == "install" and mode != "fails":
    (folder / "llama_cpp" / "__init__.py").write_text(
        "raise OSError('libcudart.so')" if mode == "broken" else
        f"def llama_supports_gpu_offload(): return {mode == 'works'}  # built anew"
    )
"""
FAKE_LLAMA = "def llama_supports_gpu_offload(): return False  # as it was"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of packages that come before the real ones, beside a folder of programs that a build needs."""
    site = tmp_path / "site"
    for name, code in {
        "pip/__init__.py": "",
        "pip/__main__.py": FAKE_PIP,
        "llama_cpp/__init__.py": FAKE_LLAMA,
        "llama_cpp_python-0.3.36.dist-info/METADATA": "Name: llama-cpp-python\nVersion: 0.3.36\n",
        "llama_cpp_python-0.3.36.dist-info/RECORD": "llama_cpp/__init__.py,,\n",
    }.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(code, encoding="utf-8")
    for name in ("nvcc", "c++"):
        program = tmp_path / "programs" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
    return site


def set_up(site: Path, mode: str, *arguments: str, path: str = "programs") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `agent setup`, where a build ends as `mode` says."""
    (site / "mode").write_text(mode, encoding="utf-8")
    own = {"PYTHONPATH": f"{site}:{ROOT}", "PATH": str(site.parent / path)}
    done = subprocess.run(
        [*AGENT, "setup", *arguments],
        env=environment(site.parent / "home", **own),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def asked(site: Path) -> list[str]:
    """What pip was asked for."""
    file = site / "asked"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def package(site: Path) -> str:
    return (site / "llama_cpp" / "__init__.py").read_text(encoding="utf-8")


def test_nothing_runs_that_was_not_agreed_to(site: Path) -> None:
    for more in (("--dry-run",), (), ("--dry-run", "--yes")):
        code, out, err = set_up(site, "works", "--gpu", "cuda", *more)
        assert code == 0 and asked(site) == [] and "nothing was changed" in err
        first, second = out.splitlines()
        assert first.startswith("CMAKE_ARGS=-DGGML_CUDA=on ") and " -m pip wheel " in first
        assert first.endswith(PINNED) and second.endswith(PINNED) and "--no-index" in second


def test_a_build_is_what_was_shown(site: Path) -> None:
    code, out, err = set_up(site, "works", "--gpu", "cuda", "--yes")
    assert code == 0 and "computes with cuda now" in err, err
    shown = [shlex.split(line) for line in out.splitlines()]
    ran = [shlex.split(line) for line in asked(site)]
    assert ran[0] == ["-DGGML_CUDA=on", *shown[0][4:]] and ran[1] == ["-", *shown[1][3:]]
    assert "built anew" in package(site)


@pytest.mark.parametrize(
    ("mode", "said"),
    [("fails", "the build failed"), ("broken", "does not start"), ("useless", "finds no GPU")],
)
def test_what_does_not_work_leaves_what_did(site: Path, mode: str, said: str) -> None:
    code, _, err = set_up(site, mode, "--gpu", "cuda", "--yes")
    *_, last = err.splitlines()
    assert code == 1 and last.startswith(f"error: {'what was built ' if mode != 'fails' else ''}{said}")
    log = Path(last.rpartition("The log: ")[2])
    assert log.exists() and "$ CMAKE_ARGS=-DGGML_CUDA=on" in log.read_text(encoding="utf-8")
    assert ("nvcc: error 42" in err) == (mode == "fails")
    assert package(site) == FAKE_LLAMA


def test_what_is_missing_is_told_at_once(site: Path) -> None:
    (site.parent / "none").mkdir()
    code, out, err = set_up(site, "works", "--gpu", "vulkan", "--yes", path="none")
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 1 and asked(site) == [] and "-DGGML_VULKAN=on" in out
    assert ["C++ compiler" in errors[0], "glslc" in errors[1]] == [True, True]


def test_the_cpu_build_needs_no_other(site: Path) -> None:
    code, out, err = set_up(site, "works", "--gpu", "auto", "--yes", path="none")
    assert code == 0 and not out and "nothing to build" in err and asked(site) == []


def test_a_terminal_is_asked(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "mode").write_text("works", encoding="utf-8")
    code = (
        f"import os, sys; sys.path.insert(0, {str(site)!r}); os.environ['PYTHONPATH'] = sys.path[0] + ':' + {str(ROOT)!r}\n"
        f"os.environ['PATH'] = {str(site.parent / 'programs')!r}\n"
        "from agent.cli import main; main()"
    )
    for answer, changed in ((b"n\n", False), (b"y\n", True)):
        terminal = Terminal(site.parent / "home", "setup", "--gpu", "cuda", code=[sys.executable, "-c", code])
        terminal.wait_for(r"run this\? \[y/N\]")
        assert asked(site) == []
        terminal.send(answer)
        terminal.wait_for("computes with cuda now" if changed else "nothing was changed")
        assert terminal.exit_code() == 0 and bool(asked(site)) == changed


@pytest.mark.parametrize(
    ("mark", "has_pip", "programs", "found"),
    [
        ("", True, (), PIP),
        ("", True, ("uv", "pipx"), PIP),
        ("", False, ("uv",), UV),
        ("", False, ("pipx",), ()),
        ("uv-receipt.toml", False, ("uv",), UV),
        ("uv-receipt.toml", True, ("uv",), UV),
        ("uv-receipt.toml", True, (), PIP),
        ("pipx_metadata.json", False, ("pipx",), ("pipx", "runpip", "toulmin")),
        ("pipx_metadata.json", True, ("uv", "pipx"), ("pipx", "runpip", "toulmin")),
    ],
)
def test_who_installs(
    tmp_path: Path, mark: str, has_pip: bool, programs: tuple[str, ...], found: tuple[str, ...]
) -> None:
    prefix = tmp_path / "toulmin"
    prefix.mkdir()
    if mark:
        (prefix / mark).touch()
    assert find_installer(prefix, has_pip, lambda name: name if name in programs else None) == found


@pytest.mark.parametrize("kind", CMAKE_ARGS)
def test_the_commands_of_each_installer(tmp_path: Path, kind: str) -> None:
    for installer in (PIP, ("pipx", "runpip", "toulmin")):
        wheel, install = steps(kind, installer, tmp_path, PINNED)
        assert wheel.command[: len(installer) + 1] == (*installer, "wheel")
        assert install.command[: len(installer) + 1] == (*installer, "install")
        assert wheel.environment["CMAKE_ARGS"] == CMAKE_ARGS[kind] and not install.environment
    (one,) = steps(kind, UV, tmp_path, PINNED)
    assert one.command[:4] == ("uv", "pip", "install", UV[2]) and "--no-cache" in one.command
    assert "--reinstall-package=llama-cpp-python" in one.command and one.command[-1] == PINNED
    (ready,) = steps(kind, PIP, tmp_path, PINNED, index="https://example.org/whl/cu124")
    assert "--only-binary=llama-cpp-python" in ready.command and not ready.environment


def test_nothing_installed_is_installed_with_what_it_needs(tmp_path: Path) -> None:
    for step in steps("cuda", PIP, tmp_path, "llama-cpp-python<0.4,>=0.3.36")[1:]:
        assert "--no-deps" not in step.command and "--no-index" not in step.command
    assert requirement().startswith("llama-cpp-python")


@pytest.mark.parametrize(
    ("driver", "tag"),
    [
        ((12, 4), "cu124"),
        ((12, 9), "cu125"),
        ((13, 1), "cu130"),
        ((11, 8), "cu118"),
        ((10, 2), ""),
        (None, ""),
    ],
)
def test_the_index_of_ready_made_builds(driver: tuple[int, int] | None, tag: str) -> None:
    assert wheel_index("cuda", driver).rpartition("/")[2] == tag
    assert wheel_index("vulkan", None).endswith("/vulkan")


def test_gaps_are_lines_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for kind in ("cuda", "vulkan", "rocm"):
        lines = gaps(kind)
        assert len(lines) >= 1 and all(": " in line and "\n" not in line for line in lines)


def test_what_nvidia_smi_says() -> None:
    said = "NVIDIA GeForce RTX 3060, 11000, 12288\nTesla, V100, 1, 2\nNo devices were found\n, [N/A], 5\n"
    assert read_nvidia_smi(said) == [
        Device("NVIDIA GeForce RTX 3060", 11000 << 20, 12288 << 20),
        Device("Tesla, V100", 1 << 20, 2 << 20),
    ]


def test_this_machine(tmp_path: Path) -> None:
    assert ram_bytes() > 1 << 28
    pytest.importorskip("llama_cpp")
    header = read_header(write_tiny_gguf(tmp_path / "t.gguf"))
    assert is_known(header.architecture) and not is_known("no-such-architecture")
    assert offloaded_layers(2, header, 512) == 2
    assert offloaded_layers(-1, header, 512) == -1, (
        "so small a model fits anywhere, and no GPU takes what it likes"
    )
