"""Builds llama-cpp-python anew for a GPU, where Toulmin is installed. It decides nothing by itself.

What would be run is a list of commands that can be shown first. The installed version is kept, and so are its
files until the new ones are known to work: a build that fails, or that finds no GPU, leaves what was there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "llama-cpp-python"
# As the README of llama-cpp-python has them, "Supported Backends".
CMAKE_ARGS = {
    "cuda": "-DGGML_CUDA=on",
    "metal": "-DGGML_METAL=on",
    "vulkan": "-DGGML_VULKAN=on",
    "rocm": "-DGGML_HIP=on",
    "cpu": "-DGGML_METAL=off" if sys.platform == "darwin" else "",
}
WHEELS = "https://abetlen.github.io/llama-cpp-python/whl/"  # of the same authors, named in the same place
CUDA_WHEELS = ((11, 8), (12, 1), (12, 2), (12, 3), (12, 4), (12, 5), (13, 0), (13, 2))
OTHER_WHEELS = {"metal": "metal", "vulkan": "vulkan", "rocm": "rocm72", "cpu": "cpu"}
TAIL_LINES = 12
CHECK_TIMEOUT_S = 600

# What each thing is called where it can be installed from.
SOURCES: Mapping[str, Mapping[str, str]] = {
    "compiler": {
        "apt": "build-essential",
        "dnf": "gcc-c++ make",
        "pacman": "base-devel",
        "zypper": "gcc-c++ make",
    },
    "nvcc": {"apt": "nvidia-cuda-toolkit", "pacman": "cuda"},
    "vulkan": {
        "apt": "libvulkan-dev glslc spirv-headers",
        "dnf": "vulkan-devel glslc spirv-headers-devel",
        "pacman": "vulkan-headers shaderc spirv-headers",
        "brew": "vulkan-headers shaderc",
    },
}
MANAGERS = {
    "apt": "sudo apt install",
    "dnf": "sudo dnf install",
    "pacman": "sudo pacman -S",
    "zypper": "sudo zypper install",
    "brew": "brew install",
}


@dataclass(frozen=True)
class Step:
    """One command."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """As one would type it into a shell."""
        return " ".join(
            [*(f"{k}={shlex.quote(v)}" for k, v in self.environment.items()), shlex.join(self.command)]
        )


def steps(kind: str, installer: Sequence[str], wheels: Path, found: str, index: str = "") -> list[Step]:
    """What builds and installs llama-cpp-python for a kind of GPU, or fetches it ready-made from an index.

    `installer`: the beginning of a command, of `find_installer`. `wheels`: where a wheel is put in between.
    `found`: what is installed, as "llama-cpp-python==0.3.36", or a requirement without "==" where nothing is.
    """
    is_uv, pinned = installer[-1] == "--python=" + sys.executable, "==" in found
    alone = ["--no-deps"] if pinned else []
    again = (
        [f"--reinstall-package={PACKAGE}", "--no-cache"] if is_uv else ["--force-reinstall", "--no-cache-dir"]
    )
    again = again if pinned else again[1:]
    begin = [*installer[:2], "install", *installer[2:]] if is_uv else [*installer, "install"]
    if index:
        source = [f"{'--index-url' if pinned else '--extra-index-url'}={index}", f"--only-binary={PACKAGE}"]
        return [Step((*begin, *again, *alone, *source, found))]
    asked = f"{os.environ.get('CMAKE_ARGS', '')} {CMAKE_ARGS[kind]}".strip()  # the user's own before ours
    environment = {"CMAKE_ARGS": asked, **_environment(kind)}
    if is_uv:  # has no `wheel`; it, too, builds before it takes anything away
        return [Step((*begin, *again, *alone, f"--no-binary={PACKAGE}", found), environment)]
    wheel = [
        *installer,
        "wheel",
        "--no-deps",
        "--no-cache-dir",
        f"--no-binary={PACKAGE}",
        f"--wheel-dir={wheels}",
    ]
    source = [f"--find-links={wheels}", *(["--no-index"] if pinned else [])]
    return [Step((*wheel, found), environment), Step((*begin, *again, *alone, *source, found))]


def find_installer(
    prefix: Path, has_pip: bool, which: Callable[[str], str | None] = shutil.which
) -> tuple[str, ...]:
    """What installs into the environment at `prefix`, which is this one; nothing where nothing does."""
    python = f"--python={sys.executable}"
    if (prefix / "pipx_metadata.json").exists() and which("pipx"):
        return ("pipx", "runpip", prefix.name)
    if (prefix / "uv-receipt.toml").exists() and which("uv"):
        return ("uv", "pip", python)
    if has_pip:
        return (sys.executable, "-m", "pip")
    return ("uv", "pip", python) if which("uv") else ()


def installer_here() -> tuple[str, ...]:
    """What installs into this environment."""
    return find_installer(Path(sys.prefix), find_spec("pip") is not None)


def requirement() -> str:
    """What is installed, pinned, so that it stays; else what Toulmin asks for."""
    if found := _installed():
        return f"{PACKAGE}=={found.version.partition('+')[0]}"  # behind it, how a ready-made one was built
    with contextlib.suppress(PackageNotFoundError):
        for line in requires("toulmin") or []:
            if line.startswith(PACKAGE):
                return line.split(";")[0].strip()
    return PACKAGE


def wheel_index(kind: str, driver: tuple[int, int] | None) -> str:
    """Where ready-made builds lie; "" where there are none for this driver, the newest CUDA that it runs."""
    if kind != "cuda":
        return WHEELS + OTHER_WHEELS[kind]
    fitting = [one for one in CUDA_WHEELS if driver and one <= driver]
    return f"{WHEELS}cu{max(fitting)[0]}{max(fitting)[1]}" if fitting else ""


def gaps(kind: str) -> list[str]:
    """What a build lacks on this machine, a line each, with what to install."""
    found = []
    if not any(
        shutil.which(name) for name in (os.environ.get("CXX", ""), "c++", "g++", "clang++", "cl") if name
    ):
        hint = {"darwin": "xcode-select --install", "win32": "install the Visual Studio Build Tools"}
        found.append(f"a C++ compiler is missing: {hint.get(sys.platform) or _how('compiler')}")
    if kind == "cuda" and not nvcc():
        toolkit = _how("nvcc", "install the CUDA Toolkit, https://developer.nvidia.com/cuda-downloads")
        found.append(f"nvcc, the CUDA compiler, is missing: {toolkit}; or --wheel, which needs none")
    if kind == "vulkan" and not (shutil.which("glslc") and _vulkan_headers()):
        sdk = _how("vulkan", "install the Vulkan SDK, https://vulkan.lunarg.com")
        found.append(f"glslc or the Vulkan headers are missing: {sdk}; or --wheel, which needs neither")
    if kind == "rocm" and not shutil.which("hipconfig"):
        found.append(
            "hipconfig is missing: install ROCm with its HIP SDK, https://rocm.docs.amd.com; or --wheel"
        )
    if kind == "metal" and sys.platform != "darwin":
        found.append("Metal is on Macs only")
    return found


def nvcc() -> str:
    """The CUDA compiler; "" where there is none."""
    homes = [os.environ.get(name, "") for name in ("CUDA_PATH", "CUDA_HOME")]
    places = [str(Path(home) / "bin") for home in [*homes, "/usr/local/cuda"] if home]
    return shutil.which("nvcc") or next(
        (at for place in places if (at := shutil.which("nvcc", path=place))), ""
    )


def _environment(kind: str) -> dict[str, str]:
    """What a build has to be told of this machine."""
    if kind == "cuda" and not shutil.which("nvcc") and nvcc():
        return {"CUDACXX": nvcc()}
    if kind == "rocm" and shutil.which("hipconfig"):
        clang, root = (_first_line("hipconfig", flag) for flag in ("-l", "-R"))
        return {"HIPCXX": f"{clang}/clang", "HIP_PATH": root} if clang and root else {}
    return {}


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CHECK_TIMEOUT_S)
    return next(iter(done.stdout.splitlines()), "") if done.returncode == 0 else ""


def _vulkan_headers() -> bool:
    sdk = os.environ.get("VULKAN_SDK", "")
    places = [Path(sdk) / "include"] if sdk else []
    places += [Path(root) / "include" for root in ("/usr", "/usr/local", "/opt/homebrew")]
    return any((place / "vulkan" / "vulkan.h").exists() for place in places)


def _how(what: str, otherwise: str = "install one") -> str:
    names = SOURCES[what]
    return next((f"{MANAGERS[m]} {names[m]}" for m in names if shutil.which(m)), otherwise)


def run(todo: Sequence[Step], log: Path) -> int:
    """Run the commands one after another, all they say into a log; the exit code of the last one that ran."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as out:
        for step in todo:
            out.write(f"$ {step}\n")
            out.flush()
            environment = {**os.environ, **step.environment}
            try:
                code = subprocess.run(
                    step.command,
                    stdout=out,
                    stderr=out,
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    check=False,
                ).returncode
            except OSError as error:
                out.write(f"{error}\n")
                code = 127
            if code:
                return code
    return 0


def tail(log: Path) -> str:
    """The last lines of a log."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


@contextlib.contextmanager
def kept() -> Iterator[Callable[[], None]]:
    """Within it, what is installed of llama-cpp-python is kept aside; the function puts it back.

    An exception puts it back, too.
    """
    found = _installed()
    files = [Path(str(file.locate())) for file in (found.files or [])] if found else []
    files = [file for file in files if file.is_file()]
    root = Path(str(found.locate_file(""))) if found else Path()
    with tempfile.TemporaryDirectory(prefix="toulmin-build-") as folder:
        copies = {file: Path(folder) / str(number) for number, file in enumerate(files)}
        for file, copy in copies.items():
            shutil.copy2(file, copy)

        def put_back() -> None:
            if not files or all(_same(file, copy) for file, copy in copies.items()):
                return
            for new in _new_files(root) - set(files):
                new.unlink(missing_ok=True)
            for file, copy in copies.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.unlink(missing_ok=True)  # a library that is loaded keeps its old content
                shutil.copy2(copy, file)

        try:
            yield put_back
        except BaseException:
            put_back()
            raise


def _same(file: Path, copy: Path) -> bool:
    if not file.is_file():
        return False
    one, other = file.stat(), copy.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _new_files(root: Path) -> set[Path]:
    """What the package consists of now."""
    found = next((one for one in Distribution.discover(name=PACKAGE, path=[str(root)])), None)
    return {Path(str(file.locate())) for file in (found.files or [])} if found else set()


def _installed() -> Distribution | None:
    try:
        return distribution(PACKAGE)
    except PackageNotFoundError:
        return None


def offloads() -> bool | None:
    """Whether llama.cpp, asked in a fresh process, puts layers on a GPU; None where it does not start."""
    said = _fresh("import llama_cpp; print(json.dumps(bool(llama_cpp.llama_supports_gpu_offload())))")
    return said if isinstance(said, bool) else None


def tried(model: Path) -> dict[str, int] | None:
    """What a load in a fresh process put on the GPU, and the tokens that it wrote; None where it failed."""
    said = _fresh(f"from agent.models.build import trial; print(json.dumps(trial({str(model)!r})))")
    return said if isinstance(said, dict) else None


def trial(model: str) -> dict[str, int]:
    """Load a model as the settings have it and have it write a word; run in a process of its own."""
    from agent.deps import build_chat_model
    from agent.models.hardware import devices
    from agent.settings import read_settings

    before = sum(one.free_bytes for one in devices())
    chat = build_chat_model(read_settings(), model)
    assert chat is not None
    reply = chat.invoke("Say yes.", max_output_tokens=4)
    usage = getattr(reply, "usage_metadata", None) or {}
    after = sum(one.free_bytes for one in devices())
    return {"gpu_bytes": max(before - after, 0), "tokens": int(usage.get("output_tokens", 0))}


def _fresh(code: str) -> object:
    """What a fresh interpreter prints last, as JSON; None where it fails."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"import json; {code}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=CHECK_TIMEOUT_S,
        )
        return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        return None
