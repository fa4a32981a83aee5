"""Faults of the retrieval package found once: each must stay mended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from retrieval.embed import EmbedderError, HashEmbedder, load_minilm, minilm_onnx_file, prepare_minilm
from retrieval.library import Library
from retrieval.load import Source
from retrieval.search import fuse
from retrieval.split import sentences
from retrieval.store import NewChunk, Store, StoreError
from retrieval.tokens import lexical_tokens, query_terms
from tests.linear import assert_linear
from tests.processes import environment


def plain(text: str) -> Source:
    return Source(text, "", (), "text", None, "utf-8")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("1958年", ["1958", "年"]),
        ("会费120元", ["会费", "120", "元"]),
        ("1,024人", ["1024", "人"]),
        ("100km", ["100km"]),
        ("第12章", ["第", "12", "章"]),
    ],
)
def test_numbers_before_letters_stay_whole(text: str, tokens: list[str]) -> None:
    assert lexical_tokens(text) == tokens


def test_a_number_finds_a_chinese_year(hashed: Library) -> None:
    hashed.add_sources([("a", plain("该书出版于1958年。"))])
    assert [p.bm25 is not None for p in hashed.search("published in 1958")] == [True]


def test_curly_apostrophe_is_the_straight_one() -> None:
    assert query_terms("don’t O’Neil") == query_terms("don't O'Neil")


@pytest.mark.parametrize(
    "text",
    [
        "He had trained as a physicist and then as a philosopher at Cambridge. The\n"
        "British philosophers gave the book a cold welcome, as teachers Brockriede and\n"
        "Ehninger told the readers of their own journal two years on. It was then that\n"
        "Americans read the book with more interest than anyone had foreseen. And so\n"
        "Toulmin became known.",
        "图尔敏在剑桥先学物理学，后来转学哲学。他发现形\n"
        "式逻辑很少谈到人们在法庭上或者在实验室里究竟怎\n"
        "样进行论证，英国的哲学家们反应冷淡的很。但是在\n"
        "美国的修辞学教师很快就接受了这个模型，并且大力\n"
        "加以推广。",
    ],
)
def test_a_sentence_that_begins_late_in_a_wrapped_line(text: str) -> None:
    assert all(text[end - 1] in ".。" for _, end in sentences(text))


def test_double_spaced_column_that_ends_in_a_comma() -> None:
    lines = [
        "图尔敏在剑桥先学物理学，后来转学哲学，他发现了",
        "竟怎样进行这些论证，英国的哲学家们都反应冷淡，",
        "倒是美国的修辞学教师很快就接受了这一个新模型的",
        "推广这个模型的人还有很多来自其他国家的学者们。",
    ]
    assert len(sentences("\n\n".join(lines))) == 1


@pytest.mark.parametrize("piece", ["字词", " "])
def test_long_lines_take_no_long_time(piece: str) -> None:
    assert_linear(lambda size: sentences(f"a{piece * size}b"), 5_000)


def test_a_name_that_is_not_utf8_fails_alone(hashed: Library, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "good.txt").write_text("good", encoding="utf-8")
    with open(os.path.join(os.fsencode(folder), b"caf\xe9.txt"), "wb") as file:
        file.write(b"boats")
    report = hashed.add([folder])
    assert len(report.indexed) >= 1


def test_threads_that_ended_leave_no_connection(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "library.sqlite")) as store:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(30):
            thread = threading.Thread(target=store.counts)
            thread.start()
            thread.join()
        assert len(os.listdir("/proc/self/fd")) < before + 10


def test_an_exact_run_id_wins(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "library.sqlite")) as store:
        for name in ("ab", "abc", "abd"):
            store.put_run(name, "t", "q", "o", {})
            time.sleep(0.002)
        run = store.run("ab")
        assert run is not None and run["id"] == "ab"


def test_an_older_index_state_does_not_replace_a_newer(tmp_path: Path) -> None:
    """Two processes save: the slower one refreshed before the other added and saved."""
    with closing(Store(tmp_path / "library.sqlite")) as store:
        for n in range(4):
            store.put_document(f"/{n}", "h", plain("x"), [NewChunk(0, 1, "", None, "x", b"\0" * 4)])
        store.put_index_state(4, "four")
        store.put_index_state(2, "two")
        assert store.get_meta("index_state") == "four"
        assert store.changes_since(2) is None  # 3 and 4 are forgotten: it must not say "nothing"


def test_many_open_a_new_library_at_once(tmp_path: Path) -> None:
    errors: list[Exception] = []
    for round_ in range(10):
        barrier = threading.Barrier(6)

        def work(file: Path, barrier: threading.Barrier) -> None:
            barrier.wait()
            try:
                Store(file).close()
            except StoreError as error:
                errors.append(error)

        file = tmp_path / str(round_) / "library.sqlite"
        threads = [threading.Thread(target=work, args=(file, barrier)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


@pytest.mark.slow
def test_processes_open_a_new_library_at_once(tmp_path: Path) -> None:
    failed = []
    for n in range(4):
        code = f"import time; from pathlib import Path; from retrieval.store import Store; time.sleep(max(0, {time.time() + 0.6} - time.time())); Store(Path({str(tmp_path / str(n) / 'l.sqlite')!r})).close()"
        children = [
            subprocess.Popen(
                [sys.executable, "-c", code], env=environment(), stderr=subprocess.PIPE, text=True
            )
            for _ in range(4)
        ]
        failed += [
            out.strip().splitlines()[-1] for c in children for out in [c.communicate()[1]] if c.returncode
        ]
    assert failed == []


def test_passages_that_differ_in_a_number_are_not_duplicates(hashed: Library) -> None:
    text = "The monthly rent for the workshop at Mill Lane is {} dollars and must be paid by the tenant on the first working day of each new month without delay."
    for n in (3400, 3900):
        hashed.add_sources([(str(n), plain(text.format(n)))])
    assert len(hashed.search("monthly rent")) == 2


def test_one_list_with_negative_cosines_keeps_its_order() -> None:
    assert [item for item, _ in fuse([(9, -0.1), (3, -0.5)], [], 0.5)] == [9, 3]


def test_a_cosine_just_over_one() -> None:
    assert fuse([(1, 1.0000002)], [], 0.5)[0][1] <= 1


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_damaged_onnx_file_is_an_embedder_error(content: bytes, tmp_path: Path) -> None:
    file = minilm_onnx_file(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(EmbedderError):
        load_minilm(tmp_path)


def test_setup_mends_a_damaged_onnx_file(tmp_path: Path) -> None:
    file = minilm_onnx_file(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"garbage")
    prepare_minilm(tmp_path, repair=True)
    assert file.stat().st_size > 1_000_000


def test_a_source_can_be_removed_by_its_name(hashed: Library) -> None:
    hashed.add_sources([("chat-1", plain("boats"))])
    assert hashed.remove([Path("chat-1")]) == ["chat-1"]


def test_another_applications_database_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(tmp_path / "l.sqlite")) as db:
        db.execute("CREATE TABLE holidays (day TEXT)")
    with pytest.raises(StoreError):
        Store(tmp_path / "l.sqlite").close()


def test_half_written_index_files_are_cleared(tmp_path: Path) -> None:
    with Library(tmp_path / "library", HashEmbedder) as library:
        left = library.folder / "vectors.1.99999.part"
        left.write_bytes(b"half")
        os.utime(left, (time.time() - 7200,) * 2)  # a younger one may be another process's, at work
        library.add_sources([("a", plain("boats"))])
        library.save_index()
        assert not list(library.folder.glob("*.part"))


def test_surrogates_in_a_question(minilm: object, tmp_path: Path) -> None:
    with Library(tmp_path / "library", lambda: minilm) as library:  # type: ignore[arg-type,return-value]
        library.add_sources([("a", plain("a contract"))])
        assert library.search("contract caf\udce9")


def test_broken_index_state(tmp_path: Path) -> None:
    with Library(tmp_path / "library", HashEmbedder) as library:
        library.add_sources([("a", plain("boats"))])
        library.store.put_index_state(1, "{}")
        assert library.search("boats")


def test_race_of_two_savers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One saves while another, slower, is between reading the library and writing its file."""
    import faiss
    import numpy as np

    from retrieval.index import VectorIndex

    def put(store: Store, name: str, axis: int) -> None:
        vector = np.eye(4, dtype=np.float32)[axis].tobytes()
        store.put_document(name, "h", plain("x"), [NewChunk(0, 1, "", None, "x", vector)])

    serialize = faiss.serialize_index
    with closing(Store(tmp_path / "l.sqlite")) as one, closing(Store(tmp_path / "l.sqlite")) as two:
        put(one, "/a", 0)
        slow, fast = VectorIndex(one, tmp_path, 4), VectorIndex(two, tmp_path, 4)

        def serialize_slowly(index: object) -> object:
            monkeypatch.setattr(faiss, "serialize_index", serialize)
            data = serialize(index)
            put(two, "/b", 1)
            fast.save()
            return data

        monkeypatch.setattr(faiss, "serialize_index", serialize_slowly)
        slow.save()
        assert len(VectorIndex(one, tmp_path, 4)) == 2


@pytest.mark.parametrize(("query", "term"), [("酒吧几点关门", "酒吧"), ("网吧在什么地方", "网吧")])
def test_a_particle_within_a_word_stays(query: str, term: str) -> None:
    assert term in query_terms(query)


def test_words_of_takes_terms_as_well_as_stems() -> None:
    from retrieval.tokens import words_of

    assert words_of("the contract was signed", ["contract", "signed"]) == ["contract", "signed"]
