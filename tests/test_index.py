"""The vector index: exact search, catching up with other writers, and every way a file can be bad."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from retrieval.index import VectorIndex
from retrieval.load import Source
from retrieval.store import TIER_BASE, NewChunk, Record, Store

if TYPE_CHECKING:
    import numpy.typing as npt

DIM = 16
QUERY = np.eye(DIM, dtype=np.float32)[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "library.sqlite")) as store:
        yield store


@pytest.fixture
def index(store: Store, tmp_path: Path) -> VectorIndex:
    return VectorIndex(store, tmp_path, DIM)


def unit(seed: int, dim: int = DIM) -> npt.NDArray[np.float32]:
    vector = np.random.default_rng(seed).normal(size=dim).astype(np.float32)
    return vector / np.linalg.norm(vector)


def put(store: Store, path: str, seeds: range, dim: int = DIM) -> None:
    """A document of one chunk for each seed."""
    text = "文" * len(seeds)
    chunks = [NewChunk(n, n + 1, "", None, "文", unit(seed, dim).tobytes()) for n, seed in enumerate(seeds)]
    store.put_document(path, "h", Source(text, "", (), "text", None, "utf-8"), chunks)


def put_record(store: Store, tier: str, seed: int) -> None:
    name = f"{tier}{seed}"
    store.put_record(Record(name, tier, "turn", "t", name, {}, 1.0, 1.0, 0), unit(seed).tobytes())


def check(index: VectorIndex, store: Store, query: npt.NDArray[np.float32] = QUERY, limit: int = 7) -> None:
    """The search gives what numpy gives over the vectors in SQLite."""
    ids, vectors, _ = store.vectors(DIM)
    scores = vectors @ query
    best = np.argsort(-scores, kind="stable")[:limit]
    found = index.search(query, limit, "long")
    assert [chunk_id for chunk_id, _ in found] == [ids[n] for n in best]
    assert np.allclose([score for _, score in found], scores[best], atol=1e-6)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("vectors.*"))


@pytest.mark.parametrize("count", [0, 1, 3, 200])
def test_search_is_exact(index: VectorIndex, store: Store, count: int) -> None:
    put(store, "/a", range(count))
    assert len(index) == count
    for seed in range(5):
        check(index, store, unit(1000 + seed))
        check(index, store, unit(1000 + seed), limit=500)


def test_tiers_are_kept_apart(index: VectorIndex, store: Store) -> None:
    put(store, "/a", range(30))
    for seed in range(30, 35):
        put_record(store, "mid", seed)
        put_record(store, "short", seed)
    found = {tier: {chunk_id for chunk_id, _ in index.search(QUERY, 100, tier)} for tier in TIER_BASE}
    assert {tier: len(ids) for tier, ids in found.items()} == {"long": 30, "mid": 5, "short": 5}
    for tier, ids in found.items():
        assert {bool(chunk.record_id) for chunk in store.chunks(sorted(ids))} == {tier != "long"}
        assert all((chunk.record_id or "long").startswith(tier) for chunk in store.chunks(sorted(ids)))


@pytest.mark.parametrize("saved", [False, True])
def test_catches_up_with_another_writer(
    index: VectorIndex, store: Store, tmp_path: Path, saved: bool
) -> None:
    put(store, "/a", range(20))
    check(index, store)
    if saved:
        assert index.save()
    with closing(Store(tmp_path / "library.sqlite")) as other:
        put(other, "/b", range(20, 50))
        check(index, store)
        other.remove_documents(["/a"])
        put(other, "/b", range(50, 60))  # in place of the old one
        check(index, store)
        assert len(index) == 10
        other.remove_documents(["/b"])
    assert index.search(QUERY, 5, "long") == []


def test_catches_up_after_another_index_forgot_the_changes(
    index: VectorIndex, store: Store, tmp_path: Path
) -> None:
    put(store, "/a", range(20))
    check(index, store)
    with closing(Store(tmp_path / "library.sqlite")) as other:
        put(other, "/b", range(20, 40))
        other.remove_documents(["/a"])
        assert VectorIndex(other, tmp_path, DIM).save()  # what `index` has not seen is now only in that file
    check(index, store)
    assert len(index) == 20


def test_saved_file_is_used_and_then_caught_up_with(index: VectorIndex, store: Store, tmp_path: Path) -> None:
    put(store, "/a", range(20))
    assert index.save()
    before = [(file.name, file.stat().st_mtime_ns) for file in files(tmp_path)]
    assert len(before) == 1
    assert not index.save()  # nothing is new
    second = VectorIndex(store, tmp_path, DIM)
    check(second, store)
    assert not second.save()  # it came from the file: rebuilt from SQLite it would be written again
    assert [(file.name, file.stat().st_mtime_ns) for file in files(tmp_path)] == before
    put(store, "/b", range(20, 25))
    third = VectorIndex(store, tmp_path, DIM)
    check(third, store)
    assert not third.save(at_least_changes=6)
    assert third.save(at_least_changes=5)
    assert len(files(tmp_path)) == 1
    assert files(tmp_path)[0].name != before[0][0]


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for at in range(len(data) // 4, len(data) // 2):  # signs and exponents of several vectors
        data[at] ^= 0x80
    file.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-7]),
    "empty": lambda file: file.write_bytes(b""),
    "bits flipped": flip,
    "garbage": lambda file: file.write_bytes(b"\x80\x04garbage" * 99),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_rebuilt_from_the_store(
    damage: Callable[[Path], object], index: VectorIndex, store: Store, tmp_path: Path
) -> None:
    put(store, "/a", range(20))
    assert index.save()
    put(store, "/b", range(20, 30))
    [file] = files(tmp_path)
    damage(file)
    again = VectorIndex(store, tmp_path, DIM)
    check(again, store)
    assert len(again) == 30
    if not file.is_dir():
        assert again.save()
        third = VectorIndex(store, tmp_path, DIM)
        check(third, store)
        assert not third.save()


def test_file_of_another_dimension(store: Store, tmp_path: Path) -> None:
    """A folder copied from a library with another embedder."""
    other = tmp_path / "other"
    with closing(Store(other / "library.sqlite")) as elsewhere:
        put(elsewhere, "/a", range(20), dim=8)
        assert VectorIndex(elsewhere, other, 8).save()
        state, generation = elsewhere.get_meta("index_state"), elsewhere.generation()
    put(store, "/a", range(20))
    assert store.generation() == generation
    shutil.copy(files(other)[0], tmp_path)
    store.put_index_state(generation, state or "")
    check(VectorIndex(store, tmp_path, DIM), store)


def test_leftovers_do_no_harm(index: VectorIndex, store: Store, tmp_path: Path) -> None:
    put(store, "/a", range(20))
    (tmp_path / "vectors.20.12345.part").write_bytes(b"half")
    (tmp_path / "vectors.3.faiss").write_bytes(b"from before a crash")
    check(index, store)
    assert index.save()
    check(VectorIndex(store, tmp_path, DIM), store)
    assert [file.name for file in tmp_path.glob("*.faiss")] == ["vectors.20.faiss"]


def test_a_folder_that_is_gone_only_costs_the_file(store: Store, tmp_path: Path) -> None:
    index = VectorIndex(store, tmp_path / "gone", DIM)
    put(store, "/a", range(20))
    assert not index.save()
    check(index, store)


def test_search_from_threads_while_another_writes(index: VectorIndex, store: Store) -> None:
    errors: list[BaseException] = []
    stop = threading.Event()

    def search() -> None:
        try:
            while not stop.is_set():
                scores = [score for _, score in index.search(QUERY, 5, "long")]
                assert scores == sorted(scores, reverse=True)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for n in range(20):
        put(store, f"/{n % 5}", range(n * 10, n * 10 + 10))
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    check(index, store)
    assert len(index) == 50
