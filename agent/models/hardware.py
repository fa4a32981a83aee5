"""What this machine computes with: its memory, its GPUs, and what llama.cpp was built for.

It looks and changes nothing. llama.cpp's own libraries are asked for devices, without its Python part, which
takes a second to import; where they know none, nvidia-smi is.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agent.models.fit import OVERHEAD_BYTES, layers_that_fit, total_layers
from agent.models.header import Header

# ggml's GGML_BACKEND_DEVICE_TYPE_CPU, _GPU and _IGPU; the last serves where there is none else.
CPU_TYPE = 0
GPU_TYPES = (1, 2)
LOOK_TIMEOUT_S = 20
ALL_LAYERS = -1
KINDS = ("cuda", "metal", "vulkan", "rocm")
# How ggml names its backends (ggml_backend_reg_name), by what they are called here.
REGISTERED = {
    "CUDA": "cuda",
    "MTL": "metal",
    "Metal": "metal",
    "Vulkan": "vulkan",
    "ROCm": "rocm",
    "HIP": "rocm",
}


@dataclass(frozen=True)
class Device:
    """One GPU."""

    name: str
    free_bytes: int
    total_bytes: int


def ram_bytes() -> int:
    """Memory of this machine; 0 where it cannot be told."""
    try:
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return _windows_ram_bytes()


def _windows_ram_bytes() -> int:
    kernel = getattr(getattr(ctypes, "windll", None), "kernel32", None)
    if kernel is None:
        return 0
    kilobytes = ctypes.c_ulonglong(0)
    kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))
    return kilobytes.value * 1024


def devices() -> list[Device]:
    """The GPUs that llama.cpp as it is installed can use, with what is free on them now."""
    ggml = _ggml()
    if ggml is None:
        return []
    found: dict[int, list[Device]] = {kind: [] for kind in GPU_TYPES}
    for number in range(ggml.ggml_backend_dev_count()):
        device = ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(number)))
        kind = ggml.ggml_backend_dev_type(device)
        if kind not in found:
            continue
        free, total = ctypes.c_size_t(0), ctypes.c_size_t(0)
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        name = ggml.ggml_backend_dev_description(device).decode(errors="replace")
        found[kind].append(Device(name, free.value, total.value))
    return next((some for some in found.values() if some), [])


def processor() -> str:
    """What the CPU is called."""
    ggml = _ggml()
    for number in range(ggml.ggml_backend_dev_count() if ggml else 0):
        device = ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(number)))
        if ggml.ggml_backend_dev_type(device) == CPU_TYPE:
            return str(ggml.ggml_backend_dev_description(device).decode(errors="replace"))
    return platform.processor() or platform.machine()


def backends() -> list[str]:
    """What llama.cpp was built for, of `KINDS`; empty for the CPU alone, or where it is not installed."""
    ggml = _ggml()
    if ggml is None:
        return []
    regs = (
        ctypes.c_void_p(ggml.ggml_backend_reg_get(ctypes.c_size_t(n)))
        for n in range(ggml.ggml_backend_reg_count())
    )
    names = [ggml.ggml_backend_reg_name(reg).decode(errors="replace") for reg in regs]
    return list(dict.fromkeys(REGISTERED[name] for name in names if name in REGISTERED))


def offloaded_layers(
    asked: int,
    header: Header,
    context_tokens: int,
    found: Sequence[Device] | None = None,
    taken_bytes: int = 0,
) -> int:
    """Layers to put on the GPU: as many as asked for, and of all those (-1) as many as fit.

    `found`: the GPUs, those of this machine by default. `taken_bytes`: of their free memory, what others take
    that are not loaded yet.
    """
    if asked != ALL_LAYERS:
        return asked
    found = devices() if found is None else found
    if not found:
        return ALL_LAYERS
    free = OVERHEAD_BYTES + sum(max(one.free_bytes - OVERHEAD_BYTES, 0) for one in found)  # it is each one's
    fitting = layers_that_fit(header, free - taken_bytes, context_tokens)
    return ALL_LAYERS if fitting >= total_layers(header) else fitting


def is_known(architecture: str) -> bool:
    """Whether llama.cpp's library names this architecture; one that it does not name it may still load."""
    folder = library_folder()
    names = {"darwin": "libllama.dylib", "win32": "llama.dll"}
    file = folder / names.get(sys.platform, "libllama.so") if folder else None
    if file is None or not file.exists():
        return True  # it will say so itself
    with file.open("rb") as library, mmap.mmap(library.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(architecture.encode() + b"\0") >= 0


def gpus() -> list[Device]:
    """The GPUs of this machine, whether or not llama.cpp was built for them."""
    return devices() or nvidia_gpus()


def nvidia_gpus() -> list[Device]:
    """The GPUs that nvidia-smi tells of."""
    query = ["--query-gpu=name,memory.free,memory.total", "--format=csv,noheader,nounits"]
    return read_nvidia_smi(_said("nvidia-smi", *query))


def read_nvidia_smi(text: str) -> list[Device]:
    """Lines of name, free and all MiB; lines of another kind are left out."""
    found = []
    for line in text.splitlines():
        name, *numbers = (part.strip() for part in line.rsplit(",", 2))
        if len(numbers) == 2 and all(number.isascii() and number.isdigit() for number in numbers):
            free, total = (int(number) << 20 for number in numbers)
            found.append(Device(name, free, total))
    return found


def cuda_version() -> tuple[int, int] | None:
    """The newest CUDA that the driver runs."""
    import re

    found = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", _said("nvidia-smi"))
    return (int(found[1]), int(found[2])) if found else None


def gpu_kind() -> str:
    """What llama.cpp should be built for on this machine: one of `KINDS`, or "cpu"."""
    if sys.platform == "darwin":
        return "metal" if platform.machine() == "arm64" else "cpu"
    if nvidia_gpus():
        return "cuda"
    if Path("/dev/kfd").exists() and (shutil.which("rocminfo") or Path("/opt/rocm").exists()):
        return "rocm"
    vulkan = _said("vulkaninfo", "--summary")  # a processor that draws by itself is a device, too
    return "vulkan" if "DISCRETE_GPU" in vulkan or "INTEGRATED_GPU" in vulkan else "cpu"


def _said(*command: str) -> str:
    """What a program prints; nothing where it is not there or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=LOOK_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def library_folder() -> Path | None:
    """Where llama.cpp's shared libraries lie; None where it is not installed. Imports nothing."""
    from importlib.util import find_spec

    spec = find_spec("llama_cpp")
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0]) / "lib" if places else None


@cache  # native code holds the callback for ever, so something here must hold it too
def _ggml() -> Any:
    """ggml with the functions that are called here, silent; None where it is not there or does not load."""
    folder = library_folder()
    names = {"darwin": "libggml.dylib", "win32": "ggml.dll"}
    file = folder / names.get(sys.platform, "libggml.so") if folder else None
    if file is None or not file.exists():
        return None
    try:
        ggml = ctypes.CDLL(str(file))
        _declare(ggml)
    except (OSError, AttributeError):  # a library is missing, or it is too old to have these
        return None
    return ggml


def _declare(ggml: Any) -> None:
    """Types of the functions; raises `AttributeError` for one that is not there."""
    pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
    results: Mapping[str, Any] = {
        "ggml_backend_dev_count": size,
        "ggml_backend_dev_get": pointer,
        "ggml_backend_dev_type": ctypes.c_int,
        "ggml_backend_dev_description": text,
        "ggml_backend_dev_memory": None,
        "ggml_backend_reg_count": size,
        "ggml_backend_reg_get": pointer,
        "ggml_backend_reg_name": text,
    }
    for name, result in results.items():
        getattr(ggml, name).restype = result
    if "llama_cpp" not in sys.modules:  # else its log is kept for our messages already
        ggml.silent = ctypes.CFUNCTYPE(None, ctypes.c_int, text, pointer)(lambda _level, _text, _data: None)
        ggml.ggml_log_set(ggml.silent, None)
