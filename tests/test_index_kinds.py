"""Every kind of index behind the same contract, when each is used, and how one takes over from another."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from retrieval.index import LOCK_FILE, READ_FROM_STORE, VectorIndex
from retrieval.index_kinds import KINDS, Copy, Kind, Sizes, empty, kind_for, lists_for, probes_for, threads
from retrieval.lock import locked
from retrieval.store import TIER_BASE, Store
from tests.test_index import DAMAGE, DIM, QUERY, check, files, put, put_record, unit

if TYPE_CHECKING:
    import numpy.typing as npt

MANY = 1 << 60
OF: dict[Kind, Sizes] = {"exact": Sizes(MANY, MANY), "reduced": Sizes(-1, MANY), "lists": Sizes(-1, -1)}
NEVER = 1e9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "library.sqlite")) as store:
        yield store


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Training so few vectors with several takes longer, as they wait for each other."""
    with threads(1):
        yield


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]


def opened(store: Store, kind: Kind, folder: Path | None = None) -> VectorIndex:
    """An index of a kind; searches start no build of another."""
    index = VectorIndex(store, folder or store.file.parent, DIM, OF[kind], settled_s=NEVER)
    index.build()
    return index


def right(store: Store, ids: list[int], query: npt.NDArray[np.float32], limit: int) -> list[int]:
    vectors = store.vectors_of(ids)
    scored = [(float(np.frombuffer(vectors[n], np.float32) @ query), n) for n in ids if n in vectors]
    return [n for _, n in sorted(scored, reverse=True)[:limit]]


# --- the contract -------------------------------------------------------------------------------------


def test_adds_removes_and_finds(store: Store, kind: Kind) -> None:
    put(store, "/a", range(150))
    index = opened(store, kind)
    assert index.kind == kind and len(index) == 150
    for seed in range(3):
        check(index, store, unit(1000 + seed))
    put(store, "/b", range(150, 200))
    check(index, store, limit=60)
    store.remove_documents(["/a"])
    check(index, store, limit=60)
    assert len(index) == 50
    store.remove_documents(["/b"])
    assert index.search(QUERY, 5, "long") == []
    put(store, "/c", range(7))
    check(index, store)


@pytest.mark.parametrize("chosen", [1, 50, READ_FROM_STORE + 50])
def test_within_a_selection(store: Store, kind: Kind, chosen: int) -> None:
    put(store, "/a", range(600))
    index = opened(store, kind)
    within = sorted(np.random.default_rng(5).choice(np.arange(1, 601), chosen, replace=False).tolist())
    wanted = right(store, within, QUERY, 20)
    assert [n for n, _ in index.search(QUERY, 20, "long", within)] == wanted
    assert [n for n, _ in index.search(QUERY, 20, "long", [*within, *within[:2], 12345])] == wanted
    assert index.search(QUERY, 20, "long", []) == []


def test_tiers_are_kept_apart(store: Store, kind: Kind) -> None:
    put(store, "/a", range(400))
    for seed in range(400, 405):
        put_record(store, "mid", seed)
    index = opened(store, kind)
    for seed in range(405, 408):
        put_record(store, "short", seed)
    found = {tier: [n for n, _ in index.search(QUERY, 100, tier)] for tier in TIER_BASE}
    assert {tier: len(ids) for tier, ids in found.items()} == {"long": 100, "mid": 5, "short": 3}
    for ids in found.values():
        assert ids == right(store, ids, QUERY, 100)
    store.remove_documents(["/a"])
    assert index.search(QUERY, 100, "long") == [] and len(index.search(QUERY, 100, "mid")) == 5


def test_saved_used_again_and_caught_up_with(store: Store, kind: Kind) -> None:
    put(store, "/a", range(300))
    index = opened(store, kind)
    index.save()
    [file] = files(store.file.parent)
    put(store, "/b", range(300, 320))
    second = opened(store, kind)
    assert second.kind == kind
    check(second, store)
    assert not second.save(at_least_changes=21)
    assert second.save(at_least_changes=20)
    assert len(files(store.file.parent)) == 1 and not file.exists()
    check(opened(store, kind), store)


@pytest.mark.parametrize("kind", ["reduced", "lists"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "bits flipped"])
def test_a_damaged_file_heals(store: Store, kind: Kind, damage: str) -> None:
    put(store, "/a", range(100))
    opened(store, kind).save()
    [file] = files(store.file.parent)
    DAMAGE[damage](file)
    again = opened(store, kind)
    check(again, store)
    assert again.kind == kind and len(again) == 100


def test_two_at_once(store: Store, kind: Kind) -> None:
    with closing(Store(store.file)) as other:
        put(store, "/a", range(100))
        one, two = opened(store, kind), opened(other, kind)
        put(other, "/b", range(100, 150))
        check(one, store)
        store.remove_documents(["/a"])
        check(two, other)
        assert two.save()  # what `one` has not seen is only in that file now
        put(other, "/c", range(150, 160))
        check(one, store)
        assert len(one) == len(two) == 60 and one.kind == kind


@hypothesis_settings(max_examples=12, deadline=None)
@given(kind=st.sampled_from(KINDS), steps=st.lists(st.integers(0, 9), max_size=12))
def test_whatever_happens_it_finds_what_is_there(
    tmp_path_factory: pytest.TempPathFactory, kind: Kind, steps: list[int]
) -> None:
    with closing(Store(tmp_path_factory.mktemp("steps") / "library.sqlite")) as store:
        index = opened(store, kind)
        for at, step in enumerate(steps):
            if step < 5:  # add, or put in the place of an older one
                put(store, f"/{step}", range(at * 20, at * 20 + 20))
            elif step < 7:
                store.remove_documents([f"/{step - 5}"])
            elif step < 8:
                index.save()
            else:
                index = opened(store, kind)
            check(index, store, unit(at))


# --- which kind ---------------------------------------------------------------------------------------


@given(st.integers(0, 300_000), st.sampled_from([None, *KINDS]))
def test_the_kind_for_a_count(count: int, current: Kind | None) -> None:
    sizes = Sizes()
    kind = kind_for(count, current, sizes)
    assert kind_for(count, kind, sizes) == kind  # it is settled
    assert KINDS.index(kind) >= KINDS.index(kind_for(count, None, sizes))
    if current and count > sizes.reduced:
        assert kind == "lists"
    if count <= sizes.exact / 2:
        assert kind == "exact"


@given(st.lists(st.sampled_from([-1, 1]), max_size=200), st.sampled_from([Sizes.exact, Sizes.reduced]))
def test_around_a_threshold_it_changes_once(steps: list[int], count: int) -> None:
    kind, changes = kind_for(count, None, Sizes()), 0
    for step in steps:
        count += step * 100
        after = kind_for(count, kind, Sizes())
        changes += after != kind
        kind = after
    assert changes <= 1


@given(st.integers(1, 2_000_000), st.floats(0, 1))
def test_lists_and_probes(count: int, share: float) -> None:
    lists = lists_for(count)
    assert 1 <= lists <= 2 * math.sqrt(count) + 1
    assert min(lists, probes_for(lists, 1.0)) <= probes_for(lists, share) <= lists
    assert probes_for(lists, 0.0) == lists


def test_a_small_selection_far_from_the_query_does_not_starve() -> None:
    """Few vectors that lie in none of the lists which are read first."""
    dice, count = np.random.default_rng(0), 12_000
    vectors = dice.normal(size=(count, DIM)).astype(np.float32)
    vectors[:600, 0] = -9  # away from the query
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    copy = Copy(empty("lists", DIM, vectors, count), 1, count)
    ids = np.arange(1, count + 1)
    ids[:5] += TIER_BASE["mid"]
    copy.add(ids, vectors)
    assert probes_for(copy.index.nlist, 1.0) < copy.index.nlist / 2
    assert len(copy.nearest(QUERY, 10, "mid", None)) == 5
    within = ids[5:600].tolist()
    found = {n for n, _ in copy.nearest(QUERY, 50, "long", within)}
    best = set(ids[5:600][np.argsort(-(vectors[5:600] @ QUERY))[:10]].tolist())
    assert len(found) == 50 and len(best & found) >= 9


# --- one takes over from another ----------------------------------------------------------------------


class Watched(Store):
    """A store whose vectors a build that a search began reads only when, and as, a test allows."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.reads = 0
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.failure: BaseException | None = None

    def vector_blocks(self, dim: int, size: int = 7) -> Iterator[Any]:
        self.reads += 1
        for block in super().vector_blocks(dim, size):
            if threading.current_thread().name == "index":
                self.reached.set()
                self.go_on.wait(10)
                if self.failure:
                    raise self.failure
            yield block


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with closing(Watched(tmp_path / "library.sqlite")) as store:
        yield store


def grown(store: Store, sizes: Sizes, *, settled_s: float) -> VectorIndex:
    """An index that is exact, over a library that has grown beyond that since it was saved."""
    put(store, "/a", range(20))
    index = VectorIndex(store, store.file.parent, DIM, sizes, settled_s=settled_s)
    assert index.save()
    put(store, "/b", range(20, 60))
    return index


def wait_for(kind: Kind, index: VectorIndex) -> None:
    until = time.monotonic() + 10
    while index.kind != kind and time.monotonic() < until:
        time.sleep(0.01)
    assert index.kind == kind


@pytest.mark.parametrize("sizes", [Sizes(30, 1000), Sizes(30, 30)])
def test_the_old_one_answers_while_another_is_built(watched: Watched, sizes: Sizes) -> None:
    index = grown(watched, sizes, settled_s=0)
    watched.go_on.clear()
    check(index, watched)  # begins the build
    assert watched.reached.wait(10)
    assert index.kind == "exact"
    put(watched, "/c", range(60, 70))
    watched.remove_documents(["/a"])
    for seed in range(3):
        check(index, watched, unit(seed))
    assert not index.save()  # the other one will be
    watched.go_on.set()
    wait_for(sizes.kind(50), index)
    check(index, watched)
    with closing(Watched(watched.file)) as other:
        second = VectorIndex(other, other.file.parent, DIM, sizes)
        check(second, other)
        assert second.kind == sizes.kind(50) and other.reads == 1  # by `check` itself: it came from the file


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "failure", [sqlite3.OperationalError("disk I/O error"), MemoryError(), SystemExit()], ids=repr
)
def test_a_build_that_dies_leaves_all_as_it_was(watched: Watched, failure: BaseException) -> None:
    index = grown(watched, Sizes(30, 30), settled_s=0)
    before = [(file.name, file.read_bytes()) for file in files(watched.file.parent)]
    watched.failure = failure
    found = index.search(QUERY, 7, "long")
    assert watched.reached.wait(10)
    for thread in threading.enumerate():
        if thread.name == "index":
            thread.join(10)
    watched.failure = None
    assert index.kind == "exact" and index.search(QUERY, 7, "long") == found
    assert [(file.name, file.read_bytes()) for file in files(watched.file.parent)] == before
    check(VectorIndex(watched, watched.file.parent, DIM), watched)
    assert index.build() and index.kind == "lists"  # the next one is not kept from it
    check(index, watched)


def test_a_catching_up_that_is_interrupted_leaves_no_half(store: Store, kind: Kind) -> None:
    class Failing(Store):
        fails = False

        def vectors_of(self, chunk_ids: Sequence[int]) -> dict[int, bytes]:
            if self.fails:
                raise MemoryError
            return super().vectors_of(chunk_ids)

    put(store, "/a", range(40))
    with closing(Failing(store.file)) as failing:
        index = opened(failing, kind)
        put(store, "/b", range(40, 60))
        store.remove_documents(["/a"])
        failing.fails = True
        with pytest.raises(MemoryError):
            index.search(QUERY, 5, "long")
        failing.fails = False
        check(index, store)
        assert len(index) == 20


@pytest.mark.parametrize("state", ["null", "[1]", "{", '{"generation": "x"}', '{"generation": 20}'])
def test_a_state_that_makes_no_sense(store: Store, state: str) -> None:
    put(store, "/a", range(40))
    store.put_index_state(20, state)
    index = VectorIndex(store, store.file.parent, DIM, Sizes(10, 20))
    check(index, store)
    assert index.build() and index.kind == "lists"
    check(index, store)


def test_a_command_starts_no_build_by_a_search(watched: Watched) -> None:
    index = grown(watched, Sizes(30, 30), settled_s=NEVER)
    check(index, watched)
    check(index, watched)
    assert index.kind == "exact" and not any(thread.name == "index" for thread in threading.enumerate())
    assert index.build() and index.kind == "lists"
    assert not index.build()


def test_what_another_process_built_is_taken_from_its_file(watched: Watched) -> None:
    index = grown(watched, Sizes(30, 30), settled_s=NEVER)
    check(index, watched)
    with closing(Store(watched.file)) as other:
        assert VectorIndex(other, other.file.parent, DIM, Sizes(30, 30)).build()
    watched.reads = 0
    assert index.build() and index.kind == "lists" and watched.reads == 0
    check(index, watched)


def test_one_builds_or_writes_at_a_time(watched: Watched) -> None:
    index = grown(watched, Sizes(30, 30), settled_s=NEVER)
    with locked(watched.file.parent / LOCK_FILE):
        assert not index.build() and not index.save()
        check(index, watched)
    assert index.build()


def test_no_build_once_it_is_closed(watched: Watched) -> None:
    index = grown(watched, Sizes(30, 30), settled_s=NEVER)
    index.close()
    assert not index.build()


def test_closed_within_a_build(watched: Watched) -> None:
    index = grown(watched, Sizes(30, 30), settled_s=0)
    watched.go_on.clear()
    index.search(QUERY, 5, "long")
    assert watched.reached.wait(10)
    closing_ = threading.Thread(target=index.close)
    closing_.start()
    watched.go_on.set()
    closing_.join(10)
    watched.close()
    for thread in threading.enumerate():
        if thread.name == "index":
            thread.join(10)
    with closing(Store(watched.file)) as again:
        check(VectorIndex(again, again.file.parent, DIM), again)


def test_lists_are_made_again_when_the_library_has_outgrown_them(store: Store) -> None:
    put(store, "/a", range(50))
    index = opened(store, "lists")
    put(store, "/b", range(50, 100))
    assert not index.build()
    put(store, "/c", range(100, 101))
    assert index.build() and index.save() is False
    check(index, store)


def test_a_library_that_shrinks_goes_back(store: Store) -> None:
    put(store, "/a", range(100))
    put(store, "/b", range(100, 110))
    index = VectorIndex(store, store.file.parent, DIM, Sizes(30, 60))
    assert index.build() and index.kind == "lists"
    store.remove_documents(["/a"])
    assert index.build() and index.kind == "exact"
    check(index, store)
    assert [file.name for file in files(store.file.parent)] == [f"vectors.{store.generation()}.faiss"]


def test_for_reading_only_it_is_built_in_memory(store: Store) -> None:
    put(store, "/a", range(100))
    with closing(Store(store.file, read_only=True)) as reader:
        index = VectorIndex(reader, reader.file.parent, DIM, Sizes(30, 60))
        assert index.build() and index.kind == "lists"
        check(index, reader)
        assert not index.save() and files(reader.file.parent) == []
        assert LOCK_FILE not in os.listdir(reader.file.parent)


def test_a_file_of_an_older_version_is_exact(store: Store) -> None:
    put(store, "/a", range(20))
    index = VectorIndex(store, store.file.parent, DIM)
    assert index.save()
    state = json.loads(store.get_meta("index_state") or "")
    store.set_meta("index_state", json.dumps({name: state[name] for name in ("generation", "crc32")}))
    second = VectorIndex(store, store.file.parent, DIM)
    check(second, store)
    assert second.kind == "exact" and not second.save()


def test_a_large_file_is_not_written_for_every_change(store: Store) -> None:
    put(store, "/a", range(2000))
    index = VectorIndex(store, store.file.parent, DIM)
    assert index.save()
    put(store, "/b", range(1))
    assert not index.save()
    put(store, "/c", range(1))
    assert index.save()


def test_vectors_are_read_in_blocks(store: Store) -> None:
    put(store, "/a", range(25))
    blocks = list(store.vector_blocks(DIM, 10))
    assert [len(ids) for ids, _ in blocks] == [len(rows) for _, rows in blocks] == [10, 10, 5]
    ids, vectors, _ = store.vectors(DIM)
    assert [n for block, _ in blocks for n in block] == ids
    assert np.array_equal(np.concatenate([rows for _, rows in blocks]), vectors)
    assert list(store.vector_blocks(DIM + 1)) == [] and store.vector_count() == 25
