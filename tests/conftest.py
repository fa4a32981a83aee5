"""Fixtures that many tests share: no network, folders of their own, and the real embedder, exported once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.settings import Settings
from retrieval.embed import HashEmbedder, OnnxEmbedder, load_minilm, prepare_minilm
from retrieval.library import Library

SAMPLE = Path(__file__).parent.parent / "evals" / "data" / "sample"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach beyond this machine; local sockets stay allowed."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            assert str(address[0]) in ("127.0.0.1", "::1", "localhost"), f"network: {address}"  # type: ignore[index]
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing a test does may touch the library of whoever runs it."""
    for name in (
        "AGENT_MODEL",
        "AGENT_MAX_ROUNDS",
        "AGENT_TIMEOUT_S",
        "AGENT_MAX_TOKENS",
        "AGENT_MAX_EVIDENCE",
        "AGENT_MAX_PASSAGES",
        "AGENT_PASSAGES",
        "AGENT_MOVES",
        "AGENT_REMEMBER",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AGENT_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the exported embedder."""
    folder = tmp_path_factory.mktemp("cache")
    prepare_minilm(folder)
    return folder


@pytest.fixture(scope="session")
def minilm(cache_folder: Path) -> OnnxEmbedder:
    return load_minilm(cache_folder)


@pytest.fixture
def settings(tmp_path: Path, cache_folder: Path) -> Settings:
    """Settings with a home of their own, in which the embedder is prepared already."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "cache").symlink_to(cache_folder)
    return Settings(home=home)


@pytest.fixture
def hashed(tmp_path: Path) -> Iterator[Library]:
    """An empty library with the hash embedder."""
    with Library(tmp_path / "library", HashEmbedder) as library:
        yield library
