"""Fixtures that many tests share: no network, folders of their own, and the real embedder, exported once."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from agent import Agent
from agent.answer import Answer
from agent.budget import Brake
from agent.deps import build_deps
from agent.driver import Driver, new_start
from agent.settings import Settings
from retrieval.embed import HashEmbedder, OnnxEmbedder, load_minilm, prepare_minilm
from retrieval.library import Library
from retrieval.store import Store

# What one process compiles, the many others that the tests start can use; git ignores it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Started in the background of a shell, the tests would hand on to their processes that these are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long an example takes tells about the machine.
hypothesis.settings.register_profile("toulmin", deadline=None)
hypothesis.settings.load_profile("toulmin")

SAMPLE = Path(__file__).parent.parent / "evals" / "data" / "sample"


def pytest_collection_finish() -> None:
    """What was imported and collected stays; to look through it again for garbage takes long."""
    gc.collect()
    gc.freeze()


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
    """Nothing a test does may touch the library of whoever runs it, or read their settings."""
    for name in list(os.environ):
        if name.startswith("AGENT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AGENT_NO_PROJECT", "1")


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache that holds the exported embedder, which is kept open for all who load it."""
    folder = tmp_path_factory.mktemp("cache")
    prepare_minilm(folder)
    embedder = load_minilm(folder)
    yield folder
    del embedder


@pytest.fixture(scope="session")
def minilm(cache_folder: Path) -> OnnxEmbedder:
    return load_minilm(cache_folder)


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory, cache_folder: Path) -> Path:
    """A home whose library holds the sample documents, to be copied."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "cache").symlink_to(cache_folder)
    with Agent(Settings(home=folder)) as agent:
        assert len(agent.add(SAMPLE).indexed) == 4
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, sample_home: Path) -> Path:
    """Such a home for the tests of one file."""
    return shutil.copytree(sample_home, tmp_path_factory.mktemp("home"), symlinks=True, dirs_exist_ok=True)


@pytest.fixture(autouse=True)
def nothing_asked_before(request: pytest.FixtureRequest) -> None:
    """What another test of the file asked of the same home would be answered from memory."""
    folder = request.getfixturevalue("home") if "home" in request.fixturenames else None
    if isinstance(folder, Path) and (folder / "library" / "library.sqlite").exists():
        with closing(Store(folder / "library" / "library.sqlite")) as store:
            store.delete_records([one.id for one in store.records(tiers=("mid", "long"))])


@pytest.fixture
def own_sample(tmp_path: Path, sample_home: Path) -> Settings:
    """Settings with such a home for one test."""
    return Settings(home=shutil.copytree(sample_home, tmp_path / "home", symlinks=True))


@pytest.fixture
def settings(tmp_path: Path, cache_folder: Path) -> Settings:
    """Settings with a home of their own, in which the embedder is prepared already."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "cache").symlink_to(cache_folder)
    return Settings(home=home)


@pytest.fixture
def own_cache(tmp_path: Path, cache_folder: Path) -> Settings:
    """As `settings`, with a cache that a test may write to."""
    exported = tmp_path / "home" / "cache" / "onnx"
    exported.mkdir(parents=True)
    for file in (cache_folder / "onnx").iterdir():
        (exported / file.name).symlink_to(file)
    return Settings(home=tmp_path / "home")


@pytest.fixture
def hashed(tmp_path: Path) -> Iterator[Library]:
    """An empty library with the hash embedder."""
    with Library(tmp_path / "library", HashEmbedder) as library:
        yield library


def ask_in(
    library: Library,
    question: str,
    *,
    chat: Any = None,
    judge: Any = None,
    thread: str = "",
    memory: Library | None = None,
    **limits: Any,
) -> Answer:
    """A whole run over a library that is open already, as `Agent.ask` makes it; `limits` are settings."""
    from agent.graph import build_graph

    deps = build_deps(Settings(**limits), library, memory, chat, judge)
    *_, answer = Driver(build_graph(), new_start(question, thread), deps, Brake(), chat).run()
    assert isinstance(answer, Answer)
    return answer


def assert_cited(library: Library, answer: Answer) -> None:
    """Every claim is supported by spans that exist in their sources, and the answer says nothing else."""
    said = answer.text
    for line in answer.disagreements:
        said = said.replace(line, "")
    for claim in answer.claims:
        assert claim.verdict == "supported" and claim.citations
        said = said.replace(claim.text, "")
        for citation in claim.citations:
            source = library.store.source(library.store.document_id(citation.path) or 0)
            assert source is not None and citation.quote
            assert source.text[citation.start : citation.end] == citation.quote
    assert not answer.claims or not said.strip(" -\n"), f"nothing rests on {said!r}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A copy of two sample files, free to change."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("lease.txt", "meeting.zh.md"):
        shutil.copy(SAMPLE / name, folder / name)
    return folder


@pytest.fixture
def agent(settings: Settings, files: Path) -> Iterator[Agent]:
    """An agent over them that remembers."""
    with Agent(settings) as opened:
        opened.add(files)
        yield opened
