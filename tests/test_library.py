"""The library: adding, changing and removing files, other threads and processes, and crashes at any moment."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retrieval.embed import EmbedderError, HashEmbedder, OnnxEmbedder
from retrieval.index import VectorIndex
from retrieval.library import STORE_FILE, AddReport, Library
from retrieval.load import Source
from retrieval.store import Record
from tests.conftest import SAMPLE

if TYPE_CHECKING:
    from retrieval.embed import Vectors

RENT = "The rent is due on the first working day of each month."
DUES = "会费每人每年120元，由何佳收取。"


def write(folder: Path, **texts: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return [folder / f"{name}.txt" for name in texts]


def names(entries: list[dict[str, str]]) -> list[str]:
    return [Path(entry["path"]).name for entry in entries]


def summary(report: AddReport) -> dict[str, list[str]]:
    """The lists of a report that hold something, as file names."""
    lists = {
        key: names(getattr(report, key)) for key in ("indexed", "unchanged", "skipped", "failed", "moved")
    }
    return {key: found for key, found in lists.items() if found}


def found(library: Library, query: str, limit: int = 5) -> list[str]:
    """Names of the documents that share a word with the query; the dense list holds others as well."""
    passages = library.search(query, limit)
    return [Path(passage.chunk.path).name for passage in passages if passage.bm25 is not None]


def check_whole(folder: Path) -> None:
    """SQLite is content, nothing is orphaned, and every chunk is a span of its source."""
    with closing(sqlite3.connect(folder / STORE_FILE)) as db:

        def one(sql: str) -> object:
            return db.execute(sql).fetchone()[0]

        assert one("PRAGMA quick_check") == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert one("SELECT count(*) FROM vectors WHERE chunk_id NOT IN (SELECT id FROM chunks)") == 0
        assert one("SELECT count(*) FROM chunks WHERE id NOT IN (SELECT rowid FROM lexicon)") == 0
        assert one("SELECT count(*) FROM lexicon WHERE rowid NOT IN (SELECT id FROM chunks)") == 0
        assert one("SELECT count(*) FROM chunks WHERE (document_id IS NULL) = (record_id IS NULL)") == 0
        db.execute("INSERT INTO lexicon (lexicon, rank) VALUES ('integrity-check', 1)")
        db.rollback()
        rows = db.execute(
            'SELECT source, start, "end", text FROM chunks JOIN documents d ON d.id = document_id'
        )
        assert all(source[start:end] == text for source, start, end, text in rows)


def check_index(library: Library) -> None:
    """A dense search gives what SQLite holds."""
    assert (
        len(VectorIndex(library.store, library.folder, library.embedder().dim))
        == library.store.counts()["vectors"]
    )


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


def test_unchanged_and_changed_files(hashed: Library, tmp_path: Path) -> None:
    rent, dues = write(tmp_path / "d", rent=RENT, dues=DUES)
    assert summary(hashed.add([rent, dues])) == {"indexed": ["rent.txt", "dues.txt"]}
    generation = hashed.store.generation()
    assert summary(hashed.add([tmp_path / "d"])) == {"unchanged": ["dues.txt", "rent.txt"]}
    assert hashed.store.generation() == generation
    os.utime(rent, (1, 2))  # touched, not changed
    assert summary(hashed.add([rent])) == {"unchanged": ["rent.txt"]}
    assert [d.modified_s for d in hashed.documents() if d.path == str(rent)] == [2]
    rent.write_text("租金于每月初支付。Paid quarterly.", encoding="utf-8")
    assert summary(hashed.add([rent, dues])) == {"indexed": ["rent.txt"], "unchanged": ["dues.txt"]}
    assert found(hashed, "租金") == ["rent.txt"]
    assert not [p for p in hashed.search("working day") if "working" in p.chunk.text]
    assert len(hashed.documents()) == 2
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


def test_a_renamed_file(hashed: Library, tmp_path: Path) -> None:
    [old] = write(tmp_path / "d", old=DUES)
    hashed.add([tmp_path / "d"])
    new = old.rename(old.with_name("new.txt"))
    assert summary(hashed.add([tmp_path / "d"])) == {"moved": ["new.txt"]}
    assert hashed.remove([old]) == []
    assert found(hashed, "会费由谁收取") == ["new.txt"]
    assert summary(hashed.add([new])) == {"unchanged": ["new.txt"]}


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


# --- threads, processes, crashes ---------------------------------------------


def test_search_works_while_another_thread_adds(hashed: Library, tmp_path: Path) -> None:
    hashed.add(write(tmp_path / "first", rent=RENT))
    files = write(tmp_path / "d", **{f"note{n}": f"Note {n} about boat{n}. 第{n}条船。" for n in range(150)})
    reports: list[AddReport] = []
    adding = threading.Thread(target=lambda: reports.append(hashed.add(files)))
    adding.start()
    slowest = searches = 0.0
    while adding.is_alive():
        started = time.perf_counter()
        assert found(hashed, "When is the rent due?")[0] == "rent.txt"
        slowest = max(slowest, time.perf_counter() - started)
        searches += 1
    adding.join()
    assert len(reports[0].indexed) == 150
    assert searches > 2
    assert slowest < 5  # it does not wait for the whole of the adding
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


class Crashes:
    """Forks that add and are killed."""

    def __init__(self) -> None:
        root = Path(__file__).parent.parent
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_child"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def crash(
        self, library: Path, docs: Path, after_lines: int, after_s: float
    ) -> tuple[dict[str, str], bool]:
        """Kill a process that adds, so long after so many acknowledgements.

        What it acknowledged, path to SHA-256, and whether it was killed before it was done.
        """
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(f"{library}\t{docs}\n")
        self.child.stdin.flush()
        pid = int(self.child.stdout.readline())
        lines: list[str] = []
        while len(lines) < after_lines and not {"done\n", "end\n"} & set(lines):
            lines.append(self.child.stdout.readline())
        time.sleep(after_s)
        if "end\n" not in lines:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        text = "".join(lines)
        while not text.endswith("end\n"):  # a line that was cut short stands before it
            text += self.child.stdout.readline()
        told = [line.split(" ", 1) for line in text.splitlines() if len(line.split(" ", 1)[0]) == 64]
        return {path: sha256 for sha256, path in told}, "done\n" not in text

    def __enter__(self) -> Crashes:
        return self

    def __exit__(self, *exc: object) -> None:
        with self.child:
            assert self.child.stdin is not None
            self.child.stdin.close()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize("kills", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_while_adding(kills: int, tmp_path: Path) -> None:
    """Whatever was acknowledged is there, whole; nothing is half there; adding again completes."""
    docs, folder = tmp_path / "docs", tmp_path / "library"
    text = "This is file{n} about kites. " + "Wind and string. " * 350 + "\n\n第{n}号风筝飞了。" * 8
    files = write(docs, **{f"f{n:03}": text.format(n=f"{n:03}") for n in range(40)})
    chance = random.Random(7)
    known: dict[str, str] = {}
    written: dict[str, int] = {}  # SHA-256 of each version of each file: before which kill it was written
    interrupted = 0
    with Crashes() as crashes:
        for kill in range(kills):
            written |= dict.fromkeys((hashlib.sha256(file.read_bytes()).hexdigest() for file in files), kill)
            if kill == 0:  # while the library is made
                told, killed = crashes.crash(folder, docs, 0, chance.uniform(0, 0.1))
            elif kill % 2:  # from the first to the last moment of its work
                told, killed = crashes.crash(folder, docs, 0, chance.uniform(0, 1.5))
            else:
                told, killed = crashes.crash(
                    folder, docs, chance.randint(1, len(files)), chance.uniform(0, 0.03)
                )
            interrupted += killed
            known |= told
            with Library(folder, HashEmbedder) as library:
                for path, sha256 in known.items():  # a later version may have been committed and not told
                    assert written[library.store.document_hash(path) or ""] >= written[sha256]
                for path in chance.sample(sorted(known), min(5, len(known))):
                    assert found(library, Path(path).stem.replace("f", "file"), 1) == [Path(path).name]
                check_index(library)
            check_whole(folder)
            for file in files:  # the next one has all of them to replace
                lines = file.read_text(encoding="utf-8").split("\n\n")[:9]
                file.write_text("\n\n".join([*lines, f"第{kill}次 more."]), encoding="utf-8")
    assert interrupted > kills / 2
    assert known
    with Library(folder, HashEmbedder) as library:
        report = library.add([docs])
        assert names(report.indexed) == [file.name for file in files]
        assert [document.path for document in library.documents()] == [str(file) for file in files]
        assert found(library, "file039 kites", 1) == ["f039.txt"]
        check_index(library)
    check_whole(folder)


# --- several queries at once ----------------------------------------------------------------------------

QUERIES = ["When is the rent due?", "会费是多少？", "rent 租金", "!?", "When is the rent due?", "讀書會"]


def assert_same_one_by_one(library: Library, limit: int) -> None:
    together = library.search_many(QUERIES, limit)
    alone = [library.search(query, limit) for query in QUERIES]
    for many, one in zip(together, alone, strict=True):
        assert [p.chunk for p in many] == [p.chunk for p in one] and len(many) <= limit
        for ours, theirs in zip(many, one, strict=True):
            # A batch is padded, which moves the last digits.
            assert (ours.score, ours.cosine, ours.bm25) == pytest.approx(
                (theirs.score, theirs.cosine, theirs.bm25), abs=1e-4
            )
    assert library.search_many([], limit) == []


@pytest.mark.parametrize("limit", [1, 4])
def test_many_queries_find_what_each_finds_alone(
    tmp_path: Path, minilm: OnnxEmbedder, hashed: Library, limit: int
) -> None:
    with Library(tmp_path / "real", lambda: minilm) as real:
        for library in (real, hashed):
            library.add([SAMPLE, *write(tmp_path / "files", rent=RENT, dues=DUES)])
            assert any(library.search_many(QUERIES, limit))
            assert_same_one_by_one(library, limit)


def test_many_queries_without_an_embedder_are_found_by_their_words(tmp_path: Path) -> None:
    def missing() -> HashEmbedder:
        raise EmbedderError("not there")

    with Library(tmp_path / "blind", missing, words_suffice=True) as library:
        library.add(write(tmp_path / "files", rent=RENT, dues=DUES))
        english, chinese, *_ = library.search_many(QUERIES, 3)
        assert [p.chunk.text for p in english] == [RENT] and [p.chunk.text for p in chinese] == [DUES]
        assert all(p.cosine is None for p in (*english, *chinese)) and library.blind_reason == "not there"
        assert_same_one_by_one(library, 3)


# --- what changed, and no more ------------------------------------------------


class Counting(HashEmbedder):
    """Counts the texts that it embeds, and the largest number at once."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = self.largest = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        self.largest = max(self.largest, len(texts))
        return super().embed(texts)


def thousand(lang: str) -> list[str]:
    """Paragraphs of a chunk each."""
    one = {
        "en": "Paragraph {n} tells of kite {n}, its wind and its string. " * 15,
        "zh": "第{n}段讲第{n}号风筝，讲风和线。" * 24,
    }[lang]
    return [one.format(n=n) for n in range(1000)]


@pytest.mark.parametrize(("lang", "more"), [("en", "A new sentence."), ("zh", "又添了一句。")])
def test_an_edited_document_embeds_what_changed(tmp_path: Path, lang: str, more: str) -> None:
    embedder, paragraphs = Counting(), thousand(lang)
    with Library(tmp_path / "library", lambda: embedder) as library:
        [file] = write(tmp_path / "d", kites="\n\n".join(paragraphs))
        told: list[str] = []
        first = library.add([file], lambda _done, _files, what: told.append(what))
        assert first.embedded == first.chunks >= 1000 and embedder.largest <= 64
        assert f"{file}: 64 of {first.embedded} chunks" in told
        paragraphs[500] += more
        paragraphs.insert(700, more * 10)
        file.write_text("\n\n".join(paragraphs), encoding="utf-8")
        embedder.texts = 0
        report = library.add([file])
        assert 1 <= report.embedded == embedder.texts <= 3
        assert report.reused == report.chunks - report.embedded >= 998
        check_index(library)
        assert library.search(paragraphs[999], 1)[0].chunk.text == paragraphs[999].strip()
    check_whole(tmp_path / "library")


def test_texts_embedded_before_are_reused_in_other_documents(tmp_path: Path) -> None:
    embedder = Counting()
    with Library(tmp_path / "library", lambda: embedder) as library:
        report = library.add(write(tmp_path / "d", a=RENT, b=RENT, c=DUES))
        assert (report.chunks, report.embedded, report.reused) == (3, 2, 1)
        report = library.add(write(tmp_path / "e", d=DUES))
        assert (report.embedded, report.reused, embedder.texts) == (0, 1, 2)
        check_index(library)


def test_a_blind_embedder_is_not_asked_again(minilm: OnnxEmbedder, tmp_path: Path) -> None:
    with Library(tmp_path / "library", lambda: minilm) as library:
        library.add(write(tmp_path / "d", a=DUES * 4))
        assert library.add(write(tmp_path / "e", b=DUES * 4)).reused == 1
        assert library.store.counts()["vectors"] == 0


def test_vectors_of_an_older_library_are_reused(hashed: Library, tmp_path: Path) -> None:
    [file] = write(tmp_path / "d", a=RENT)
    hashed.add([file])
    with closing(sqlite3.connect(hashed.store.file)) as db, db:
        db.execute("UPDATE chunks SET embedded = NULL")
        db.execute("DELETE FROM meta WHERE key = 'embedded_hashes'")
    with Library(hashed.folder, HashEmbedder) as library:
        assert library.add(write(tmp_path / "e", b=RENT)).reused == 1


def test_a_moved_folder_keeps_its_vectors_and_its_records(tmp_path: Path) -> None:
    embedder = Counting()
    with Library(tmp_path / "library", lambda: embedder) as library:
        [old, _] = write(tmp_path / "旧", rent=RENT, dues=DUES)
        library.add([tmp_path / "旧"])
        document = library.store.document_id(str(old))
        (tmp_path / "旧").rename(tmp_path / "中")
        library.add([tmp_path / "中"])
        (tmp_path / "中").rename(tmp_path / "新")
        embedder.texts = 0
        report = library.add([tmp_path / "新"])
        assert names(report.moved) == ["dues.txt", "rent.txt"] and not report.indexed
        assert embedder.texts == report.embedded == 0
        assert [d.path for d in library.documents()] == [
            str(tmp_path / "新" / f"{n}.txt") for n in ("dues", "rent")
        ]
        # What a record calls by the first path is still found.
        assert library.store.document_id(str(old)) == document
        assert library.add([tmp_path / "新"]).unchanged
    check_whole(tmp_path / "library")


def test_a_file_renamed_is_found_by_its_new_name(hashed: Library, tmp_path: Path) -> None:
    file = tmp_path / "harbour.csv"
    file.write_text("boat,owner\nVega,Ada\n", encoding="utf-8")
    hashed.add([file])
    file.rename(tmp_path / "marina.csv")
    assert names(hashed.add([tmp_path]).moved) == ["marina.csv"]
    assert hashed.store.lexical(["marina"], 5, "long") and not hashed.store.lexical(["harbour"], 5, "long")
    check_whole(hashed.folder)


def test_a_file_moved_over_another(hashed: Library, tmp_path: Path) -> None:
    rent, dues = write(tmp_path / "d", rent=RENT, dues=DUES)
    hashed.add([rent, dues])
    rent.replace(dues)
    report = hashed.add([dues])
    assert names(report.moved) == ["dues.txt"] and (report.embedded, report.reused) == (0, 1)
    assert [Path(d.path).name for d in hashed.documents()] == ["dues.txt"]
    assert hashed.store.document_id(str(rent)) == hashed.store.document_id(str(dues))


def test_files_that_are_gone_are_told_and_pruned_on_demand(hashed: Library, tmp_path: Path) -> None:
    rent, _, empty = write(tmp_path / "d", rent=RENT, dues=DUES, empty="")
    (tmp_path / "d" / "picture.png").write_bytes(b"png")
    other = write(tmp_path / "d2", other="Comets 彗星")
    hashed.add([tmp_path / "d", *other])
    assert [path for path, _ in hashed.store.failures("skipped")] == [str(tmp_path / "d" / "picture.png")]
    for file in (rent, empty, tmp_path / "d" / "picture.png", *other):
        file.unlink()
    report = hashed.add([tmp_path / "d"])
    assert names(report.missing) == ["rent.txt"] and not report.pruned
    assert hashed.store.failures() == hashed.store.failures("skipped") == []
    assert found(hashed, "rent") == ["rent.txt"]
    report = hashed.add([tmp_path / "d"], prune=True)
    assert names(report.pruned) == ["rent.txt"] and not report.missing
    assert [Path(d.path).name for d in hashed.documents()] == ["dues.txt", "other.txt"]


@pytest.mark.parametrize(("text", "query"), [(RENT, "When is the rent due?"), (DUES, "会费由谁收取？")])
def test_many_copies_are_one_passage_and_hide_no_other(
    hashed: Library, tmp_path: Path, text: str, query: str
) -> None:
    copies = write(tmp_path / "d", **{f"copy{n:03}": text for n in range(150)})
    others = write(tmp_path / "e", one=f"{query} One says.", two=f"{query} Another asks 二.")
    report = hashed.add([*copies, *others])
    assert report.embedded == 3
    passages = hashed.search(query, 3)
    assert len(passages) == 3
    [folded] = [p for p in passages if p.also]
    assert len({folded.chunk.path, *(c.path for c in folded.also)}) == 150
    assert len(hashed.store.also_at(folded.chunk.document_id or 0)) == 149
