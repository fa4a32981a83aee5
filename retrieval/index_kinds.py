"""The kinds of FAISS index, and which of them a library of some size is searched with.

`exact` holds every vector as float32, `reduced` in eight bits a number, and `lists` in eight bits a number as
well, in inverted lists of which a search reads the likeliest. What the last two find is for their caller to
score again from the float32 vectors. The functions of a count are pure. It knows neither the library nor
where index files lie.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from retrieval.chunks import TIER_BASE, TIER_SPAN

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Kind = Literal["exact", "reduced", "lists"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # from the smallest library to the largest

# Chosen by measurement: evals/LOG.md, 2026-11-22, the index by size; but the first two are a choice.
KEPT_SHARE = 0.5  # a kind is kept until the library is smaller than this share of what asked for it
REGROWN = 2.0  # lists are made again when the library has grown by this factor
LISTS_PER_ROOT = 2.0  # lists for each square root of the number of vectors
SAMPLE_PER_LIST = 32  # vectors to train each list on
SAMPLE_REDUCED = 20_000  # vectors to learn the range of each number from
ITERATIONS = 10  # of k-means
PROBES = 96  # lists that a search of everything reads
EXTRA_CANDIDATES = 40  # found beyond what is asked for, to be scored again
SEARCH_THREADS = 1  # more of them wait for each other longer than one query takes
LARGEST_BITMAP = 1 << 24  # ids; 2 MB
SEED = 1
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Sizes:
    """Up to how many vectors a library is searched exactly, and in reduced precision without lists.

    From evals/LOG.md, 2026-11-22: up to there a search takes at most about 10 ms on one core.
    """

    exact: int = 30_000
    reduced: int = 60_000

    def kind(self, count: float) -> Kind:
        return "exact" if count <= self.exact else "reduced" if count <= self.reduced else "lists"


def kind_for(count: int, current: Kind | None, sizes: Sizes) -> Kind:
    """The kind for so many vectors; a library that shrinks keeps its own for a while, so as not to flip."""
    wanted = sizes.kind(count)
    if current is None or KINDS.index(wanted) >= KINDS.index(current):
        return wanted
    return min(current, sizes.kind(count / KEPT_SHARE), key=KINDS.index)


def lists_for(count: int) -> int:
    """How many inverted lists so many vectors are parted into, at least 1."""
    return max(1, int(LISTS_PER_ROOT * math.sqrt(count)))


def probes_for(lists: int, share: float) -> int:
    """How many lists a search reads that is for this share, in [0, 1], of the vectors.

    All of them where the share is small, as the best of a selection may lie in no likely list. It grows with
    the square, as what is selected together often lies together.
    """
    return lists if share * share * lists <= PROBES else math.ceil(PROBES / (share * share))


def candidates(limit: int) -> int:
    """How many to find so that the best `limit` are among them."""
    return limit + EXTRA_CANDIDATES


def sample_size(kind: Kind, count: int) -> int:
    """How many vectors an index of so many is trained on."""
    size = {"exact": 0, "reduced": SAMPLE_REDUCED, "lists": SAMPLE_PER_LIST * lists_for(count)}[kind]
    return min(count, size)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Have FAISS use so many threads for what this thread asks of it."""
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class Copy:
    """Vectors by chunk id that can be searched, as they were at a generation of the library.

    For one thread at a time.
    """

    def __init__(self, index: Any, generation: int, trained: int, saved: int = -1) -> None:
        self.index = index
        self.generation = generation
        self.trained = trained
        """How many vectors there were when it was made."""
        self.saved = saved
        """The generation of the file that holds it, or -1."""
        self.kind = _kind_of(index)
        self._counts = dict.fromkeys(TIER_BASE, 0)
        for ids in _ids(index):
            self._count(ids)

    def __len__(self) -> int:
        return int(self.index.ntotal)

    def add(self, ids: Sequence[int] | npt.NDArray[np.int64], vectors: npt.NDArray[np.float32]) -> None:
        import numpy as np

        if len(ids):
            self.index.add_with_ids(vectors, np.asarray(ids, np.int64))
            self._count(ids)

    def remove(self, ids: Iterable[int]) -> None:
        import numpy as np

        gone = np.fromiter(ids, dtype=np.int64)
        for tier, low in TIER_BASE.items():
            own = gone[(gone >= low) & (gone < low + TIER_SPAN)]
            if len(own):
                self._counts[tier] -= int(self.index.remove_ids(own))

    def nearest(
        self, query: npt.NDArray[np.float32], limit: int, tier: str, within: Sequence[int] | None
    ) -> list[tuple[int, float]]:
        """(chunk id, its cosine as far as this kind knows it), best first. As `VectorIndex.search`."""
        import faiss
        import numpy as np

        low, count = TIER_BASE[tier], self._counts[tier]
        how: dict[str, Any] = {}
        if within is not None:
            how["sel"], count = _selector(np.asarray(within, np.int64)), len(within)
        elif count < len(self):
            how["sel"] = faiss.IDSelectorRange(low, low + TIER_SPAN)
        if self.kind == "lists":
            how["nprobe"] = probes_for(self.index.nlist, min(1.0, count / max(1, len(self))))
        parameters: Any = faiss.SearchParametersIVF if self.kind == "lists" else faiss.SearchParameters
        with threads(SEARCH_THREADS):
            scores, ids = self.index.search(query.reshape(1, -1), limit, params=parameters(**how))
        pairs = zip(ids[0].tolist(), scores[0].tolist(), strict=True)
        return [(chunk_id, score) for chunk_id, score in pairs if chunk_id >= 0]

    def _count(self, ids: Sequence[int] | npt.NDArray[np.int64]) -> None:
        import numpy as np

        known = np.asarray(ids, np.int64)
        for tier, low in TIER_BASE.items():
            self._counts[tier] += int(((known >= low) & (known < low + TIER_SPAN)).sum())


def _selector(ids: npt.NDArray[np.int64]) -> Any:
    """What selects some ids: a bitmap, which is quicker to ask, unless it would be large."""
    import faiss
    import numpy as np

    last = int(ids.max(initial=0))
    if last > LARGEST_BITMAP:
        return faiss.IDSelectorBatch(ids)
    chosen = np.zeros(last + 1, bool)
    chosen[ids] = True
    bitmap: Any = faiss.IDSelectorBitmap  # of an array: its SWIG wrapper
    return bitmap(np.packbits(chosen, bitorder="little"))


def empty(kind: Kind, dim: int, sample: npt.NDArray[np.float32], count: int) -> Any:
    """An index without vectors, trained on a sample (n, dim) of the `count` it is for."""
    import faiss

    if kind == "exact" or not len(sample):
        return faiss.IndexIDMap(faiss.IndexFlatIP(dim))
    bits, metric = faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    index: Any
    if kind == "reduced":
        index = faiss.IndexIDMap(faiss.IndexScalarQuantizer(dim, bits, metric))
    else:
        lists = min(lists_for(count), len(sample))
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dim), dim, lists, bits, metric, False)
        index.cp.seed, index.cp.niter, index.cp.spherical = SEED, ITERATIONS, True
        index.cp.min_points_per_centroid = 1  # it warns on stderr otherwise
        index.cp.max_points_per_centroid = 2 * SAMPLE_PER_LIST  # all of the sample
    index.train(sample)
    return index


def write(index: Any, file: Path) -> int:
    """Write an index to a file, without a second copy of it in memory; the CRC-32 of the file."""
    import faiss

    if _kind_of(index) == "exact":  # small
        data = faiss.serialize_index(index).tobytes()
        file.write_bytes(data)
        return zlib.crc32(data)
    checksum = 0
    with file.open("wb") as target:

        def put(data: bytes) -> int:
            nonlocal checksum
            checksum = zlib.crc32(data, checksum)
            return target.write(data)

        faiss.write_index(index, _callback("Writer", put))
    return checksum


def read(file: Path, checksum: int) -> Any:
    """The index in a file with this CRC-32, without a second copy of it in memory; None if it is damaged.

    Raises `OSError`, and `RuntimeError` when it is of another version of FAISS. The file is not mapped into
    memory: an index that is cannot be added to, and the checksum reads all of it anyway.
    """
    import faiss

    with file.open("rb") as source:
        found = 0
        while block := source.read(BLOCK_BYTES):
            found = zlib.crc32(block, found)
        if found != checksum:
            return None
        source.seek(0)
        return faiss.read_index(_callback("Reader", source.read))


def _callback(direction: str, function: Callable[..., Any]) -> Any:
    """FAISS's own reader or writer that calls a function for each block; its stubs lack both."""
    import faiss

    return getattr(faiss, f"PyCallbackIO{direction}")(function, BLOCK_BYTES)


def _kind_of(index: Any) -> Kind:
    import faiss

    if isinstance(index, faiss.IndexIVF):
        return "lists"
    return "exact" if isinstance(faiss.downcast_index(index.index), faiss.IndexFlat) else "reduced"


def _ids(index: Any) -> Iterator[npt.NDArray[np.int64]]:
    """The ids of an index, in parts."""
    import faiss

    if not isinstance(index, faiss.IndexIVF):
        yield faiss.vector_to_array(index.id_map)
        return
    lists: Any = index.invlists
    for number in range(index.nlist):
        size = lists.list_size(number)
        if size:
            yield faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
