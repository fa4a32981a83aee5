"""The library: adding and removing files, embedders, records, several queries, other threads."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from retrieval.embed import EmbedderError, HashEmbedder, OnnxEmbedder
from retrieval.library import AddReport, Library
from retrieval.load import Source
from retrieval.store import Record
from tests.conftest import SAMPLE
from tests.libraries import DUES, RENT, check_index, check_whole, found, names, summary, write

# --- adding ------------------------------------------------------------------


def test_adding_the_sample(hashed: Library) -> None:
    report = hashed.add([SAMPLE])
    assert summary(report) == {"indexed": ["argument.md", "lease.txt", "meeting.zh.md", "observatory.html"]}
    assert report.chunks == hashed.store.chunk_count() > 4
    assert [document.title for document in hashed.documents()] == [
        "The Toulmin model of argument",
        "Lease of the workshop at 14 Mill Lane",
        "读书会纪要",
        "The hill observatory",
    ]
    assert found(hashed, "Who signed the contract?")[0] == "lease.txt"
    assert found(hashed, "会费由谁收取？")[0] == "meeting.zh.md"
    check_whole(hashed.folder)
    check_index(hashed)


def test_broken_files_fail_alone(hashed: Library, tmp_path: Path) -> None:
    write(tmp_path / "d", a=RENT, empty="", z=DUES)
    (tmp_path / "d" / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "d" / "torn.pdf").write_bytes(b"%PDF-1.7 torn")
    (tmp_path / "d" / "picture.png").write_bytes(b"\x89PNG")
    report = hashed.add([tmp_path / "d", tmp_path / "nowhere"])
    assert summary(report) == {
        "indexed": ["a.txt", "z.txt"],
        "skipped": ["picture.png"],
        "failed": ["binary.txt", "empty.txt", "torn.pdf", "nowhere"],
    }
    assert all(entry["reason"] for entry in [*report.failed, *report.skipped])
    assert names([{"path": path} for path, _ in hashed.store.failures()]) == [
        "binary.txt",
        "empty.txt",
        "torn.pdf",
    ]
    (tmp_path / "d" / "empty.txt").write_text("有字了", encoding="utf-8")
    assert summary(hashed.add([tmp_path / "d" / "empty.txt"])) == {"indexed": ["empty.txt"]}
    assert len(hashed.store.failures()) == 2


def test_a_file_that_breaks_keeps_what_was_read(hashed: Library, tmp_path: Path) -> None:
    [rent] = write(tmp_path / "d", rent=RENT)
    hashed.add([rent])
    rent.write_bytes(b"")
    assert summary(hashed.add([rent])) == {"failed": ["rent.txt"]}
    assert found(hashed, "rent") == ["rent.txt"]
    assert [path for path, _ in hashed.store.failures()] == [str(rent)]


def test_folders_are_read_to_the_bottom(hashed: Library, tmp_path: Path) -> None:
    write(tmp_path / "d" / "一" / "二", deep=DUES)
    write(tmp_path / "d" / ".hidden", secret="a secret")
    write(tmp_path / "d", top=RENT)
    seen: list[tuple[int, int]] = []
    report = hashed.add([tmp_path / "d"], lambda done, files, _path: seen.append((done, files)))
    assert summary(report) == {"indexed": ["top.txt", "deep.txt"]}
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_paths_are_made_absolute(hashed: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "d", rent=RENT)
    monkeypatch.chdir(tmp_path / "d")
    hashed.add([Path("rent.txt"), Path("../d/./rent.txt"), Path(".")])
    assert [document.path for document in hashed.documents()] == [str(tmp_path / "d" / "rent.txt")]
    monkeypatch.chdir(tmp_path)
    assert hashed.remove([Path("d/rent.txt")]) == [str(tmp_path / "d" / "rent.txt")]


@pytest.mark.slow
def test_many_chunks_in_one_file_and_many_files(hashed: Library, tmp_path: Path) -> None:
    long = "\n\n".join(f"Paragraph {n} tells of kite {n}. 第{n}段讲风筝。" * 12 for n in range(150))
    many = {f"note{n}": f"Note {n} is about boat{n}." for n in range(150)}
    report = hashed.add(write(tmp_path / "d", long=long, **many))
    assert len(report.indexed) == 151
    assert report.chunks == hashed.store.counts()["chunks"] == hashed.store.counts()["vectors"]
    assert found(hashed, "boat137")[0] == "note137.txt"
    check_whole(hashed.folder)
    check_index(hashed)


# --- removing ----------------------------------------------------------------


def test_removing_a_file_and_a_folder(hashed: Library, tmp_path: Path) -> None:
    write(tmp_path / "d", rent=RENT, broken="")
    write(tmp_path / "d" / "sub", dues=DUES)
    write(tmp_path / "d2", other="Comets 彗星")
    hashed.add([tmp_path / "d", tmp_path / "d2"])
    assert hashed.remove([tmp_path / "nothing"]) == []
    assert hashed.remove([tmp_path / "d" / "rent.txt"]) == [str(tmp_path / "d" / "rent.txt")]
    assert found(hashed, "rent") == []
    assert sorted(hashed.remove([tmp_path / "d", tmp_path / "d"])) == [
        str(tmp_path / "d" / "broken.txt"),
        str(tmp_path / "d" / "sub" / "dues.txt"),
    ]
    assert hashed.store.failures() == []
    assert found(hashed, "会费") == []
    assert found(hashed, "彗星") == ["other.txt"]  # "d2" only begins like "d"
    check_whole(hashed.folder)
    check_index(hashed)


# --- embedders ---------------------------------------------------------------


def test_another_embedder_is_refused(tmp_path: Path) -> None:
    files = write(tmp_path / "d", rent=RENT)
    with Library(tmp_path / "library", HashEmbedder) as library:
        library.add(files)
    with Library(tmp_path / "library", lambda: HashEmbedder(64)) as library:
        with pytest.raises(EmbedderError, match=r"hash-256.*hash-64"):
            library.add(files)
        assert found(library, "rent") == ["rent.txt"]  # by words
        assert "hash-256" in library.blind_reason
    with Library(tmp_path / "library", HashEmbedder) as library:
        assert library.search("rent")[0].cosine is not None


def test_embedder_is_loaded_once_and_late(tmp_path: Path) -> None:
    loads: list[int] = []

    def load() -> HashEmbedder:
        loads.append(1)
        return HashEmbedder()

    with Library(tmp_path / "library", load) as library:
        assert library.documents() == [] and loads == []
        threads = [threading.Thread(target=library.warm_up) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        library.search("rent")
        assert loads == [1]


def test_headings_are_embedded_but_not_quoted(minilm: OnnxEmbedder, tmp_path: Path) -> None:
    file = tmp_path / "guide.md"
    file.write_text(
        "# Boats\n\n" + "It has one mast. " * 3 + "\n\n# Aircraft\n\n" + "It has two wings. " * 3,
        encoding="utf-8",
    )
    with Library(tmp_path / "library", lambda: minilm) as library:
        library.add([file])
        assert library.search("sailing vessel")[0].chunk.heading == "Boats"
        check_whole(library.folder)


def test_chinese_is_stored_without_vectors_by_a_blind_embedder(minilm: OnnxEmbedder, tmp_path: Path) -> None:
    with Library(tmp_path / "library", lambda: minilm) as library:
        library.add(write(tmp_path / "d", rent=RENT, dues=DUES * 4))
        counts = library.store.counts()
        assert (counts["chunks"], counts["vectors"]) == (2, 1)
        assert found(library, "会费") == ["dues.txt"]


# --- sources and records -----------------------------------------------------


def test_sources_that_are_no_files(hashed: Library) -> None:
    assert hashed.add_sources([("chat", Source(DUES, "", (), "text", None, "utf-8"))]) == 1
    many = [(f"n{n}", Source(f"Boat {n}. 船。", "", (), "text", None, "utf-8")) for n in range(5)]
    assert hashed.add_sources(many) == 5
    assert found(hashed, "会费") == ["chat"]
    assert len(hashed.documents()) == 6
    check_whole(hashed.folder)
    check_index(hashed)


def test_records_are_found_in_their_tier_only(hashed: Library, tmp_path: Path) -> None:
    hashed.add(write(tmp_path / "d", rent=RENT))
    hashed.put_record(Record("r", "mid", "episode", "", "租金何时付 rent", {"答": "月初"}, 1.0, 1.0, 0))
    for query in ("rent", "租金"):
        [passage] = hashed.search(query, tier="mid")
        assert passage.chunk.record_id == "r" and passage.cosine is not None
    assert found(hashed, "rent") == ["rent.txt"]
    assert hashed.search("租金何时付", tier="short") == []


def test_a_record_without_an_embedder(tmp_path: Path) -> None:
    def missing() -> HashEmbedder:
        raise EmbedderError("not there")

    with Library(tmp_path / "library", missing) as library:
        library.put_record(Record("r", "mid", "episode", "", "租金 rent", {}, 1.0, 1.0, 0))
        assert [p.chunk.record_id for p in library.search("租金", tier="mid")] == ["r"]


# --- threads -----------------------------------------------------------------


def test_search_works_while_another_thread_adds(hashed: Library, tmp_path: Path) -> None:
    hashed.add(write(tmp_path / "first", rent=RENT))
    files = write(tmp_path / "d", **{f"note{n}": f"Note {n} about boat{n}. 第{n}条船。" for n in range(150)})
    reports: list[AddReport] = []
    adding = threading.Thread(target=lambda: reports.append(hashed.add(files)))
    adding.start()
    slowest = searches = 0.0
    begun = time.perf_counter()
    while adding.is_alive():
        started = time.perf_counter()
        assert found(hashed, "When is the rent due?")[0] == "rent.txt"
        slowest = max(slowest, time.perf_counter() - started)
        searches += 1
    adding.join()
    assert len(reports[0].indexed) == 150
    assert searches > 2
    assert slowest < (time.perf_counter() - begun) / 2  # it does not wait for the whole of the adding
    assert found(hashed, "boat149")[0] == "note149.txt"


def test_two_libraries_on_one_folder(hashed: Library, tmp_path: Path) -> None:
    with Library(hashed.folder, HashEmbedder) as second:
        hashed.add(write(tmp_path / "a", rent=RENT))
        assert found(second, "rent") == ["rent.txt"]
        second.add(write(tmp_path / "b", dues=DUES))
        second.remove([tmp_path / "a"])
        assert found(hashed, "会费") == ["dues.txt"]
        assert found(hashed, "rent") == []
        check_index(hashed)


# --- several queries at once ----------------------------------------------------------------------------

QUERIES = ["When is the rent due?", "会费是多少？", "rent 租金", "!?", "When is the rent due?", "讀書會"]


def assert_same_one_by_one(library: Library, limit: int) -> None:
    together = library.search_many(QUERIES, [limit] * len(QUERIES))
    alone = [library.search(query, limit) for query in QUERIES]
    for many, one in zip(together, alone, strict=True):
        assert [p.chunk for p in many] == [p.chunk for p in one] and len(many) <= limit
        for ours, theirs in zip(many, one, strict=True):
            # A batch is padded, which moves the last digits.
            assert (ours.score, ours.cosine, ours.bm25) == pytest.approx(
                (theirs.score, theirs.cosine, theirs.bm25), abs=1e-4
            )
    assert library.search_many([], []) == []


@pytest.mark.parametrize("limit", [1, 4])
def test_many_queries_find_what_each_finds_alone(
    tmp_path: Path, minilm: OnnxEmbedder, hashed: Library, limit: int
) -> None:
    with Library(tmp_path / "real", lambda: minilm) as real:
        for library in (real, hashed):
            library.add([SAMPLE, *write(tmp_path / "files", rent=RENT, dues=DUES)])
            assert any(library.search_many(QUERIES, [limit] * len(QUERIES)))
            assert_same_one_by_one(library, limit)


def test_many_queries_without_an_embedder_are_found_by_their_words(tmp_path: Path) -> None:
    def missing() -> HashEmbedder:
        raise EmbedderError("not there")

    with Library(tmp_path / "blind", missing, words_suffice=True) as library:
        library.add(write(tmp_path / "files", rent=RENT, dues=DUES))
        english, chinese, *_ = library.search_many(QUERIES, [3] * len(QUERIES))
        assert [p.chunk.text for p in english] == [RENT] and [p.chunk.text for p in chinese] == [DUES]
        assert all(p.cosine is None for p in (*english, *chinese)) and library.blind_reason == "not there"
        assert_same_one_by_one(library, 3)
