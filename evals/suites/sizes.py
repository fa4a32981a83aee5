"""The kinds of index at a size: how fast, how exact, how large; the baseline is exact search in the same run.

The vectors are embeddings of real English passages, each copied many times with Gaussian noise and brought to
unit length again; the noise is of five strengths, so that a copy has a cosine of about 0.95, 0.9, 0.82, 0.71
or 0.6 with its passage. The passages are those of the corpora in the data folder, or if it has a
`library.sqlite` those of that library, which are embedded already; the queries are the questions of its
`qa_en.jsonl`. The vectors lie in a library's SQLite file, and what is timed is `VectorIndex.search` as it is
called: catching up, the search, and scoring again from SQLite. It does not time the embedding of the query.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.deps import build_embedder, prepare
from agent.settings import read_settings
from evals.data import read_rows
from retrieval import index_kinds
from retrieval.chunks import TIER_BASE, delete_chunks
from retrieval.index import VectorIndex
from retrieval.index_kinds import KINDS, Kind, Sizes
from retrieval.search import POOL
from retrieval.store import Store

if TYPE_CHECKING:
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int64]

QUERIES = 200
TIMED = 20  # of them, in each round
ROUNDS = 3  # over the kinds in turn, so that a busy machine slows all of them
PASSAGES = 4_000
NOISE = (0.017, 0.025, 0.036, 0.05, 0.068)  # standard deviation of each of 384 numbers
BLOCK = 20_000
TIER_COUNT = 200  # vectors in a tier beside the documents
REMOVED = 0.05
PAUSE_S = 0.05  # between two searches beside a build
FORCED = {"exact": Sizes(1 << 60, 1 << 60), "reduced": Sizes(-1, 1 << 60), "lists": Sizes(-1, -1)}

CHILD = """
import json, resource, sys, time
from pathlib import Path
import faiss, numpy
from retrieval.index import VectorIndex
from retrieval.store import Store
store = Store(Path(sys.argv[1]) / "library.sqlite")
pages = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 1e6
before, started = pages(), time.perf_counter()
index = VectorIndex(store, Path(sys.argv[1]), int(sys.argv[2]), settled_s=1e9)
len(index)
seconds = time.perf_counter() - started
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1e3
out = {"MB in memory": pages() - before, "peak MB of the process": peak, "seconds to load": seconds}
print(json.dumps(out))
"""
BUILDER = "import sys; from evals.suites import sizes; sizes.while_building(sys.argv[1], int(sys.argv[2]))"


def measure(data: Path, count: int) -> dict[str, Any]:
    """Every kind at so many vectors; times in milliseconds for one query, recall against exact search."""
    passages, queries = embedded(data)
    dim = passages.shape[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(Store(folder / "library.sqlite")) as store:
            _fill(folder / "library.sqlite", passages, count)
            dice = np.random.default_rng(3)
            documents = np.arange(1, count + 1)
            removed = np.sort(dice.choice(documents, int(REMOVED * count), replace=False))
            wanted: dict[str, tuple[str, Ids | None]] = {
                "all": ("long", None),
                "within 50": ("long", np.sort(dice.choice(documents, 50, replace=False))),
                "within 10 %": ("long", np.sort(dice.choice(documents, count // 10, replace=False))),
                "within 10 % of the passages": (
                    "long",
                    documents[copied(count) % len(passages) % 10 == 0],
                ),
                f"a tier of {TIER_COUNT}": ("mid", None),
            }
            indexes: dict[Kind, VectorIndex] = {}
            out: dict[Kind, dict[str, Any]] = {}
            for kind in KINDS:
                indexes[kind], out[kind] = _build(store, folder, dim, kind)
            for what, times in _search(store, dim, indexes, queries, wanted).items():
                for kind in KINDS:
                    out[kind][what] = times[kind]
            _remove(folder / "library.sqlite", removed)
            for kind in KINDS:
                started = time.perf_counter()
                len(indexes[kind])
                out[kind]["seconds to remove 5 %"] = time.perf_counter() - started
            after = _search(store, dim, indexes, queries, {"all, 5 % removed": ("long", None)})
            for kind in KINDS:
                out[kind]["all, 5 % removed"] = after["all, 5 % removed"][kind]
            indexes.clear()
            np.save(folder / "queries.npy", queries)
            out["lists"]["built while another answers"] = _child(BUILDER, folder, dim)
    return {str(kind): told for kind, told in out.items()}


def embedded(data: Path, most: int = PASSAGES) -> tuple[Vectors, Vectors]:
    """At most so many passages, and questions, embedded by the shipped embedder."""
    settings = read_settings()
    prepare(settings)
    embedder = build_embedder(settings)
    rows = [row for row in read_rows(data / "qa_en.jsonl") if row["answerable"]][:QUERIES]
    queries = embedder.embed_queries([row["question"] for row in rows])
    if (data / "library.sqlite").exists():
        with closing(Store(data / "library.sqlite", read_only=True)) as store:
            return store.vectors(embedder.dim)[1][:most], queries[queries.any(axis=1)]
    files = sorted(data.glob("*corpus*_en.jsonl*"))
    texts = [row["text"] for file in files for row in read_rows(file)][:most]
    passages = np.concatenate([embedder.embed(texts[at : at + 64]) for at in range(0, len(texts), 64)])
    return passages[passages.any(axis=1)], queries[queries.any(axis=1)]


def copied(count: int) -> Ids:
    """Which passage each vector is a copy of, before it is taken modulo their number."""
    return np.random.default_rng(1).integers(1 << 40, size=count)


def noisy(passages: Vectors, picked: Ids, dice: np.random.Generator) -> Vectors:
    noise = np.array(NOISE, np.float32)[dice.integers(len(NOISE), size=len(picked))]
    vectors = passages[picked % len(passages)]
    vectors = vectors + noise[:, None] * dice.standard_normal(vectors.shape, dtype=np.float32)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _fill(file: Path, passages: Vectors, count: int) -> None:
    """Put noisy copies into a library's file: `count` documents' and a few of another tier."""
    dice = np.random.default_rng(2)
    picked = copied(count + TIER_COUNT)
    ids = np.concatenate([np.arange(1, count + 1), np.arange(1, TIER_COUNT + 1) + TIER_BASE["mid"]])
    with writing(file) as db:
        for start in range(0, len(ids), BLOCK):
            vectors = noisy(passages, picked[start : start + BLOCK], dice)
            rows = list(zip(ids[start : start + BLOCK].tolist(), vectors, strict=True))
            db.executemany(
                """INSERT INTO chunks (id, start, "end", heading, text) VALUES (?, 0, 0, '', '')""",
                [(chunk_id,) for chunk_id, _ in rows],
            )
            db.executemany("INSERT INTO vectors VALUES (?, ?)", [(n, row.tobytes()) for n, row in rows])
        db.execute("INSERT INTO changes (chunk_id, removed) VALUES (?, 0)", (count,))


def _remove(file: Path, ids: Ids) -> None:
    with writing(file) as db:
        delete_chunks(db, ids.tolist())


@contextmanager
def writing(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = OFF")
        with db:
            yield db
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _build(store: Store, folder: Path, dim: int, kind: Kind) -> tuple[VectorIndex, dict[str, Any]]:
    """An index of a kind, its file written, and what that took."""
    index = VectorIndex(store, folder, dim, FORCED[kind], settled_s=1e9)
    started = time.perf_counter()
    if kind == "exact":
        index.save(at_least_changes=1)
    else:
        index.build()
    seconds = time.perf_counter() - started
    [file] = folder.glob("vectors.*.faiss")
    assert index.kind == kind
    size = file.stat().st_size / 1e6
    return index, {"seconds to build": seconds, "MB on disk": size, **_child(CHILD, folder, dim)}


def _child(code: str, folder: Path, dim: int) -> dict[str, Any]:
    """What a process of its own measures: its memory is not mixed with ours."""
    command = [sys.executable, "-c", code, str(folder), str(dim)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    out: dict[str, Any] = json.loads(done.stdout)
    return out


def while_building(folder: str, dim: int) -> None:
    """Print how long searches take while lists are built beside them, from nothing but the store."""
    for file in Path(folder).glob("vectors.*"):
        file.unlink()
    queries = np.load(Path(folder) / "queries.npy")
    with closing(Store(Path(folder) / "library.sqlite")) as store:
        started = time.perf_counter()
        index = VectorIndex(store, Path(folder), dim, FORCED["lists"], settled_s=0)
        times: list[float] = []
        while index.kind != "lists":
            began = time.perf_counter()
            index.search(queries[len(times) % len(queries)], 10, "long")
            times.append(1000 * (time.perf_counter() - began))
            time.sleep(PAUSE_S)
        seconds = time.perf_counter() - started
        peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1e3
        spread = [float(np.percentile(times, share)) for share in (50, 95, 100)]
        print(json.dumps({"ms p50 p95 most": spread, "seconds": seconds, "peak MB of the process": peak}))


def _search(
    store: Store,
    dim: int,
    indexes: dict[Kind, VectorIndex],
    queries: Vectors,
    wanted: dict[str, tuple[str, Ids | None]],
) -> dict[str, dict[Kind, dict[str, Any]]]:
    """Times and recall of every kind for every selection, the kinds in turn."""
    best = _best(store, dim, queries, wanted)
    out: dict[str, dict[Kind, dict[str, Any]]] = {}
    for what, (tier, ids) in wanted.items():
        within = None if ids is None else ids.tolist()
        times: dict[tuple[Kind, int], list[float]] = {}
        for _ in range(ROUNDS):
            for kind, index in indexes.items():
                for threads in (1, 0) if what == "all" else (1,):
                    with _threads(threads):
                        index.search(queries[0], 10, tier, within)
                        for query in queries[:TIMED]:
                            started = time.perf_counter()
                            index.search(query, 10, tier, within)
                            times.setdefault((kind, threads), []).append(time.perf_counter() - started)
        out[what] = {}
        for kind, index in indexes.items():
            asked = queries if kind != "exact" else queries[:TIMED]  # the baseline is right anyway
            found = [[n for n, _ in index.search(query, POOL, tier, within)] for query in asked]
            out[what][kind] = _summary(kind, times, found, best[what])
    return out


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Search with so many threads; 0 for as many as FAISS takes by itself."""
    import faiss

    before = index_kinds.SEARCH_THREADS
    index_kinds.SEARCH_THREADS = count or faiss.omp_get_max_threads()
    try:
        yield
    finally:
        index_kinds.SEARCH_THREADS = before


def _summary(
    kind: Kind, times: dict[tuple[Kind, int], list[float]], found: list[list[int]], best: list[list[int]]
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for threads, name in ((1, "one thread"), (0, "default threads")):
        if (kind, threads) in times:
            own = [1000 * seconds for seconds in times[kind, threads]]
            exact = statistics.median(times["exact", threads])
            spread = [float(np.percentile(own, share)) for share in (50, 95, 0)]
            out[f"ms p50 p95 least, {name}"] = spread
            out[f"times exact, {name}"] = statistics.median(own) / 1000 / exact
    for limit in (10, POOL):
        shares = [
            len({*got[:limit]} & {*right[:limit]}) / max(1, len(right[:limit]))
            for got, right in zip(found, best, strict=False)
        ]
        out[f"recall@{limit}"] = statistics.mean(shares)
    return out


def _best(
    store: Store, dim: int, queries: Vectors, wanted: dict[str, tuple[str, Ids | None]]
) -> dict[str, list[list[int]]]:
    """The right ids for every selection and query, by multiplying everything in blocks."""
    kept = {what: [(np.empty(0, np.float32), np.empty(0, np.int64)) for _ in queries] for what in wanted}
    for ids, vectors in store.vector_blocks(dim):
        known = np.array(ids)
        scores = queries @ vectors.T
        for what, (tier, within) in wanted.items():
            low = TIER_BASE[tier]
            chosen = (known >= low) & (known < low + (1 << 40))
            if within is not None:
                chosen &= np.isin(known, within)
            for n, row in enumerate(scores[:, chosen]):
                both = np.concatenate([kept[what][n][0], row])
                their = np.concatenate([kept[what][n][1], known[chosen]])
                top = np.argpartition(-both, POOL)[:POOL] if len(both) > POOL else np.arange(len(both))
                kept[what][n] = both[top], their[top]
    return {
        what: [ids[np.argsort(-scores, kind="stable")].tolist() for scores, ids in rows]
        for what, rows in kept.items()
    }
