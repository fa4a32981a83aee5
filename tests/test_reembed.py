"""Embedding a library again: in place, resumable, with the old vectors in use until the new ones are there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from retrieval.embed import EmbedderError, HashEmbedder
from retrieval.library import Library
from retrieval.load import Source
from retrieval.reembed import GROUP_CHUNKS, reembed
from retrieval.store import Record
from tests.conftest import SAMPLE

if TYPE_CHECKING:
    from retrieval.embed import Vectors


class Failing(HashEmbedder):
    """Fails after so many calls, as a kill would end it."""

    def __init__(self, calls: int, dim: int = 512) -> None:
        super().__init__(dim)
        self.calls = calls
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not self.calls:
            raise EmbedderError("killed")
        self.calls -= 1
        self.seen += texts
        return super().embed(texts)


class Prompted(HashEmbedder):
    """The default hash embedder with prompts: of the same length and the same id."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts = ("query: ", "passage: ")


def note(n: int) -> tuple[str, Source]:
    return f"note-{n}", Source(f"Note {n} about subject{n}. 第{n}条。", "", (), "text", None, "utf-8")


@pytest.fixture
def library(hashed: Library) -> Library:
    hashed.add([SAMPLE])
    hashed.add_sources([note(n) for n in range(2 * GROUP_CHUNKS)])
    hashed.put_record(Record("r", "mid", "episode", "", "谁签了合同？", {}, 0.0, 0.0, 0))
    return hashed


def top(library: Library, query: str = "subject7") -> str:
    (chunk_id, *_) = library.dense(query, 1)
    return library.store.chunks([chunk_id])[0].path


def test_the_new_embedder_takes_over(library: Library) -> None:
    assert top(library) == "note-7"
    chunks = library.store.counts()["chunks"]
    told: list[tuple[int, int]] = []
    assert reembed(library.store, HashEmbedder(512), lambda *now: told.append(now)) == chunks
    assert told[0] == (0, chunks) and told[-1] == (chunks, chunks)
    with pytest.raises(EmbedderError, match=r"hash-512, not with hash-256.*setup --embedder NAME --reembed"):
        library.embedder()  # which noticed at once
    with Library(library.folder, lambda: HashEmbedder(512)) as again:
        assert top(again) == "note-7" and again.dense("谁签了合同？", 1, "mid")
        fresh = HashEmbedder(512).embed(["Note 7 about subject7. 第7条。"])[0]
        (chunk_id, *_) = again.dense("subject7", 1)
        assert np.array_equal(np.frombuffer(again.store.vectors_of([chunk_id])[chunk_id], np.float32), fresh)
        again.save_index()
        again.add_sources([note(999)])
        assert top(again, "subject999") == "note-999"
    assert library.store.check() == "ok"


def test_killed_it_goes_on_where_it_was_and_the_old_one_serves(library: Library) -> None:
    killed = Failing(calls=2)
    with pytest.raises(EmbedderError, match="killed"):
        reembed(library.store, killed)
    assert top(library) == "note-7" and library.embedder().model_id == "hash-256"
    library.add_sources([note(500)])  # and may still be added to
    library.remove([Path("note-3")])
    going_on = Failing(calls=9)
    chunks = library.store.counts()["chunks"]
    assert reembed(library.store, going_on) == chunks - len(killed.seen) + 1  # note-3 is gone
    assert set(going_on.seen).isdisjoint(killed.seen)
    with Library(library.folder, lambda: HashEmbedder(512)) as again:
        assert top(again, "subject500") == "note-500" and top(again) == "note-7"


def test_another_one_begins_anew(library: Library) -> None:
    with pytest.raises(EmbedderError):
        reembed(library.store, Failing(calls=1))
    assert reembed(library.store, HashEmbedder(32)) == library.store.counts()["chunks"]
    assert library.store.embedder() == ("hash-32", ("", ""))


def test_other_prompts_are_another_embedder(library: Library) -> None:
    library.embedder()
    with Library(library.folder, Prompted) as other, pytest.raises(EmbedderError, match="other prompts"):
        other.embedder()
    reembed(library.store, Prompted())
    with Library(library.folder, Prompted) as again:
        assert top(again) == "note-7"


def test_an_empty_library_takes_the_embedder_on(hashed: Library) -> None:
    assert reembed(hashed.store, HashEmbedder(512)) == 0
    assert hashed.store.embedder() == ("hash-512", ("", ""))


def test_an_index_of_the_old_vectors_is_not_used(library: Library) -> None:
    """Also one of the same length, which nothing but its generation tells apart."""
    library.save_index()
    top(library)
    flipped = Prompted()
    flipped.model_id = "flipped"
    flipped.embed = lambda texts: -HashEmbedder().embed(texts)  # type: ignore[method-assign]
    reembed(library.store, flipped)
    with Library(library.folder, lambda: flipped) as again:
        assert top(again) == "note-7"


def test_one_is_at_work_at_a_time(library: Library) -> None:
    """The second one waits, and finds the work done; what both embedded would not be told apart."""
    waiting = threading.Event()

    class Slow(HashEmbedder):
        def embed(self, texts: Sequence[str]) -> Vectors:
            waiting.wait(30)
            return super().embed(texts)

    with ThreadPoolExecutor(2) as pool:
        turns = [
            pool.submit(reembed, library.store, Slow(512), None, waiting.set),
            pool.submit(reembed, library.store, Slow(512), None, waiting.set),
        ]
        embedded = sorted(turn.result() for turn in turns)
    assert embedded == [0, library.store.counts()["chunks"]]
