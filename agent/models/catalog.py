"""The chat models that are recommended, as data, and which of them suits a machine. It fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("catalog.toml")
RAM_SHARE = (
    0.7  # of a machine's memory, the part that a model may take: the rest is for the system and others
)


@dataclass(frozen=True)
class Entry:
    """One model; the fields are described in `catalog.toml`."""

    name: str
    repository: str
    file: str
    size_gb: float
    memory_gb: float
    languages: tuple[str, ...]
    thinks: bool
    cpu: bool
    licence: str = ""
    note: str = ""


@cache
def catalog() -> tuple[Entry, ...]:
    """All entries, from small to large."""
    import tomllib

    with FILE.open("rb") as file:
        found = tomllib.load(file)["model"]
    return tuple(Entry(**{**one, "languages": tuple(one["languages"])}) for one in found)


def entry(name: str) -> Entry | None:
    """The entry of that name, in whatever case."""
    return next((one for one in catalog() if one.name == name.casefold()), None)


def entry_of(repository: str, file: str) -> Entry | None:
    """The entry that is this file."""
    return next((one for one in catalog() if (one.repository, one.file) == (repository, file)), None)


def recommended(ram_bytes: int, gpu_bytes: Sequence[int]) -> Entry | None:
    """The largest model that a machine runs quickly; None where even the smallest does not fit.

    `gpu_bytes`: the memory of each GPU. Without enough there, what is quick without one is left.
    """
    gpu_gb, ram_gb = sum(gpu_bytes) / 1e9, ram_bytes * RAM_SHARE / 1e9
    fitting = [one for one in catalog() if one.memory_gb <= gpu_gb or (one.cpu and one.memory_gb <= ram_gb)]
    return max(fitting, key=lambda one: one.memory_gb, default=None)
