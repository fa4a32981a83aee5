"""The store: documents, chunks, lexical search, records, runs, changes, and files that cannot be used."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.load import Mark, Source
from retrieval.schema import VERSIONS
from retrieval.store import SCHEMA_VERSION, TIER_BASE, NewChunk, Record, Store, StoreError
from retrieval.tokens import TOKENS_VERSION, query_terms

DIM = 4
ENGLISH = "The contract was signed in March. The rent is due every month."
CHINESE = "合同于三月签订。租金每月支付。"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "library.sqlite")) as store:
        yield store


def source(text: str, title: str = "", marks: tuple[Mark, ...] = ()) -> Source:
    return Source(text, title, marks, "text", None, "utf-8", ("one picture left out",))


def pieces(text: str, size: int = 20, vector: bool = True) -> list[NewChunk]:
    """Spans of equal size, each with a vector that tells it apart."""
    return [
        NewChunk(
            start,
            min(len(text), start + size),
            "",
            None,
            text[start : start + size],
            one(start) if vector else None,
        )
        for start in range(0, len(text), size)
    ]


def one(seed: int) -> bytes:
    return np.random.default_rng(seed).normal(size=DIM).astype(np.float32).tobytes()


def whole(text: str, heading: str = "") -> list[NewChunk]:
    return [NewChunk(0, len(text), heading, None, text, one(len(text)))]


def record(
    name: str, tier: str = "short", thread: str = "t1", text: str = "question", at_s: float = 1.0
) -> Record:
    kind = "turn" if tier == "short" else "episode"
    return Record(name, tier, kind, thread, text, {"answer": "好", "n": [1, None]}, at_s, at_s, 0)


def found(store: Store, query: str, tier: str = "long") -> list[str]:
    return [chunk.text for chunk in store.chunks([i for i, _ in store.lexical(query_terms(query), 10, tier)])]


# --- documents ---------------------------------------------------------------


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_document_comes_back_whole(store: Store, text: str) -> None:
    marks = (Mark(0, "heading", "标题 Title", 1), Mark(3, "page", "2", 0))
    put = Source(text, "书 Book", marks, "html", ((0, 1), (5, 3)), "utf-8", ("注",))
    document_id = store.put_document("/a/书.html", "ab12", put, pieces(text), 99, 12.5)
    assert store.source(document_id) == put
    assert store.file_state(document_id) == ("/a/书.html", 99, 12.5, "ab12")
    assert store.document_id("/a/书.html") == document_id
    assert store.document_hash("/a/书.html") == "ab12"
    [document] = store.documents()
    assert (document.path, document.title, document.chunks) == ("/a/书.html", "书 Book", len(pieces(text)))
    assert document.notes == ("注",)
    chunks = store.chunks(store.chunks_over(document_id, 0, len(text)))
    assert [(chunk.start, chunk.end) for chunk in chunks] == [(p.start, p.end) for p in pieces(text)]
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in chunks)


def test_what_is_not_there(store: Store) -> None:
    assert store.source(7) is None
    assert store.file_state(7) is None
    assert store.document_id("/x") is None
    assert store.document_hash("/x") is None
    assert store.chunks([1, 2]) == []
    assert store.remove_documents(["/x"]) == 0
    assert store.record("x") is None
    assert store.run() is None and store.run("x") is None
    assert store.turns("t", 5) == [] and store.runs(5) == []
    assert store.get_meta("x") is None
    assert store.check() == "ok"


def test_chunks_over_a_span(store: Store) -> None:
    document_id = store.put_document("/a", "h", source("x" * 60), pieces("x" * 60))
    spans = [(c.start, c.end) for c in store.chunks(store.chunks_over(document_id, 19, 41))]
    assert spans == [(0, 20), (20, 40), (40, 60)]
    spans = [(c.start, c.end) for c in store.chunks(store.chunks_over(document_id, 20, 40))]
    assert spans == [(20, 40)]


def test_putting_again_replaces(store: Store) -> None:
    store.put_document("/a", "old", source(ENGLISH), pieces(ENGLISH))
    store.put_document("/b", "other", source("kept"), whole("kept"))
    before = store.chunk_count()
    store.put_document("/a", "new", source(CHINESE), pieces(CHINESE))
    assert [(d.path, d.sha256) for d in store.documents()] == [("/a", "new"), ("/b", "other")]
    assert found(store, "contract") == []
    assert found(store, "租金") != []
    assert found(store, "kept") == ["kept"]
    assert store.chunk_count() == before - len(pieces(ENGLISH)) + len(pieces(CHINESE))


def test_ids_are_never_used_again(store: Store) -> None:
    first = store.put_document("/a", "h", source(ENGLISH), pieces(ENGLISH))
    chunks = store.chunks_over(first, 0, 999)
    store.remove_documents(["/a"])
    second = store.put_document("/a", "h", source(ENGLISH), pieces(ENGLISH))
    assert second != first
    assert not set(chunks) & set(store.chunks_over(second, 0, 999))


def test_removal_leaves_nothing(store: Store, tmp_path: Path) -> None:
    store.put_document("/a", "h", source(ENGLISH), pieces(ENGLISH))
    store.put_document("/b", "h", source(CHINESE), pieces(CHINESE))
    assert store.remove_documents(["/a", "/b", "/c"]) == 2
    counts = store.counts()
    assert {counts[table] for table in ("documents", "chunks", "vectors")} == {0}
    with closing(sqlite3.connect(tmp_path / "library.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM lexicon").fetchone() == (0,)
    assert found(store, "contract") == [] and found(store, "租金") == []


@pytest.mark.parametrize("text", ["the contract", "租金"])
def test_a_chunk_that_is_no_span_is_refused(store: Store, text: str) -> None:
    wrong = NewChunk(1, 1 + len(text), "", None, text, None)
    with pytest.raises(ValueError, match="not a span"):
        store.put_document("/a", "h", source(text + "."), [*whole(text), wrong])
    assert store.documents() == [] and store.chunk_count() == 0


def test_failures_last_until_the_file_is_read_or_removed(store: Store) -> None:
    for path in ("/a", "/b", "/c"):
        store.put_failure(path, "empty file")
    store.put_failure("/a", "没有文字")
    assert store.failures() == [("/a", "没有文字"), ("/b", "empty file"), ("/c", "empty file")]
    store.put_document("/a", "h", source("now"), whole("now"))
    store.touch_document("/b", 3, 4.0)
    store.remove_documents(["/c"])
    assert store.failures() == []


def test_touch_notes_the_new_time_only(store: Store) -> None:
    document_id = store.put_document("/a", "h", source(ENGLISH), pieces(ENGLISH), 5, 1.0)
    generation = store.generation()
    store.touch_document("/a", 6, 2.0)
    assert store.file_state(document_id) == ("/a", 6, 2.0, "h")
    assert store.generation() == generation


# --- lexical search ----------------------------------------------------------


def test_lexical_search_ranks_in_both_languages(store: Store) -> None:
    texts = [ENGLISH, CHINESE, "Rent, rent, rent.", "租金：租金表。", "Comets. 彗星。"]
    for n, text in enumerate(texts):
        store.put_document(f"/{n}", "h", source(text), whole(text))
    assert found(store, "When is the rent due?")[0] == ENGLISH
    assert set(found(store, "rent")) == {ENGLISH, "Rent, rent, rent."}
    assert found(store, "租金何时支付")[0] == CHINESE
    assert set(found(store, "租金")) == {CHINESE, "租金：租金表。"}
    scores = [score for _, score in store.lexical(query_terms("rent 租金"), 10, "long")]
    assert scores == sorted(scores, reverse=True) and min(scores) > 0
    assert len(store.lexical(query_terms("rent 租金"), 2, "long")) == 2
    assert store.lexical([], 10, "long") == []
    assert store.term_counts(["rent", "租金", "comets", "none"]) == {
        "rent": 2,
        "租金": 2,
        "comets": 1,
        "none": 0,
    }


@pytest.mark.parametrize("tier", ["short", "mid"])
def test_what_was_asked_does_not_count_as_a_document(store: Store, tier: str) -> None:
    store.put_document("/a", "h", source(ENGLISH), whole(ENGLISH))
    store.put_record(record("r", tier, text="Is the rent, 租金, a refarctor?"), one(1))
    assert store.term_counts(["rent", "租金", "refarctor"]) == {"rent": 1, "租金": 0, "refarctor": 0}


def test_title_and_heading_are_found_but_not_quoted(store: Store) -> None:
    store.put_document(
        "/a", "h", source("It has six parts.", "The Toulmin model"), whole("It has six parts.", "论证")
    )
    for query in ("toulmin", "论证"):
        assert found(store, query) == ["It has six parts."]


def test_each_tier_has_its_own_range(store: Store) -> None:
    text = "the rent 租金"
    store.put_document("/a", "h", source(text), whole(text))
    for tier in ("short", "mid"):
        store.put_record(record(tier, tier, text=text), one(1))
    chunk_ids = {tier: [i for i, _ in store.lexical(["rent", "租金"], 10, tier)] for tier in TIER_BASE}
    assert {tier: len(ids) for tier, ids in chunk_ids.items()} == dict.fromkeys(TIER_BASE, 1)
    assert {tier: store.chunk_count(tier) for tier in TIER_BASE} == dict.fromkeys(TIER_BASE, 1)
    for tier in ("short", "mid"):
        [chunk] = store.chunks(chunk_ids[tier])
        assert (chunk.record_id, chunk.document_id, chunk.text) == (tier, None, text)


@settings(deadline=None, max_examples=60)
@given(
    text=st.text(
        st.sampled_from("aZé'’\".*-+():^{}_ ½\x00中文馆的，“") | st.characters(codec="utf-8"), max_size=25
    )
)
def test_any_text_is_found_by_its_own_words(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with closing(Store(tmp_path_factory.mktemp("s") / "library.sqlite")) as store:
        store.put_document("/a", "h", source(text), whole(text))
        assert found(store, text) == ([text] if query_terms(text) else [])


def test_a_very_long_query(store: Store) -> None:
    store.put_document("/a", "h", source(ENGLISH), whole(ENGLISH))
    assert found(store, " ".join(f"word{n}" for n in range(3000)) + " contract") == [ENGLISH]


def test_many_chunks_come_in_the_order_asked_for(store: Store) -> None:
    text = "x" * 1200
    store.put_document("/a", "h", source(text), pieces(text, 1))
    ids = [n for n, _ in zip(range(1200, 0, -1), text, strict=True)]
    assert [chunk.id for chunk in store.chunks([*ids, 10**9])] == ids
    assert len(store.vectors_of(ids)) == 1200


# --- changes -----------------------------------------------------------------


def test_generation_grows_with_vectors_only(store: Store) -> None:
    seen = [store.generation()]
    store.put_document("/a", "h", source(ENGLISH), pieces(ENGLISH))
    seen.append(store.generation())
    store.put_record(record("r"), one(5))
    seen.append(store.generation())
    store.remove_documents(["/a"])
    seen.append(store.generation())
    assert seen == sorted(set(seen))
    store.put_document("/b", "h", source(ENGLISH), pieces(ENGLISH, vector=False))
    store.set_meta("k", "v")
    store.remove_documents(["/b"])
    assert store.generation() == seen[-1]


def test_changes_replayed_give_the_vectors(store: Store) -> None:
    store.put_document("/a", "h", source(ENGLISH), pieces(ENGLISH))
    _, _, start = store.vectors(DIM)
    state = set(store.vectors(DIM)[0])
    store.put_document("/b", "h", source(CHINESE), pieces(CHINESE))
    store.remove_documents(["/a"])
    store.put_document("/b", "h", source(CHINESE), pieces(CHINESE, 7))
    changes = store.changes_since(start)
    assert changes is not None
    assert [generation for generation, _, _ in changes] == list(range(start + 1, store.generation() + 1))
    for _, chunk_id, removed in changes:
        (state.discard if removed else state.add)(chunk_id)
    ids, vectors, generation = store.vectors(DIM)
    assert sorted(state) == ids
    assert generation == store.generation()
    assert {n: row.tobytes() for n, row in zip(ids, vectors, strict=True)} == store.vectors_of(ids)


def test_changes_are_forgotten_once_an_index_holds_them(store: Store) -> None:
    store.put_document("/a", "h", source(ENGLISH), pieces(ENGLISH))
    at = store.generation()
    store.put_index_state(at, "state")
    assert store.changes_since(at) == []
    assert store.changes_since(at - 1) is None
    store.remove_documents(["/a"])
    assert store.generation() > at  # numbers go on after the rows are gone
    changes = store.changes_since(at)
    assert changes is not None and len(changes) == len(pieces(ENGLISH))
    assert store.get_meta("index_state") == "state"


def test_an_empty_library_has_no_vectors(store: Store) -> None:
    ids, vectors, generation = store.vectors(DIM)
    assert (ids, vectors.shape, generation) == ([], (0, DIM), 0)


# --- records and runs --------------------------------------------------------


def test_record_comes_back_and_is_replaced(store: Store) -> None:
    store.put_record(record("r1", text="什么时候付租金"), one(1))
    assert store.record("r1") == record("r1", text="什么时候付租金")
    store.put_record(record("r1", text="When is the rent due?"), None)
    assert found(store, "租金", "short") == []
    assert found(store, "rent", "short") == ["When is the rent due?"]
    assert store.counts()["vectors"] == 0
    assert store.counts()["records"] == store.counts()["chunks"] == 1


def test_use_counts(store: Store) -> None:
    store.put_record(record("r1", "mid"), one(1))
    store.use_record("r1", 7.0)
    store.use_record("r1", 9.0)
    used = store.record("r1")
    assert used is not None and (used.uses, used.used_s, used.created_s) == (2, 9.0, 1.0)


def test_turns_are_the_last_of_the_thread_oldest_first(store: Store) -> None:
    for n in (3, 1, 5, 2, 4):
        store.put_record(record(f"r{n}", text=f"question {n}", at_s=float(n)), None)
    store.put_record(record("other", thread="t2", at_s=9.0), None)
    store.put_record(record("episode", "mid", at_s=8.0), None)
    assert [turn.id for turn in store.turns("t1", 3)] == ["r3", "r4", "r5"]
    assert [turn.id for turn in store.turns("t2", 3)] == ["other"]
    assert store.counts()["threads"] == 2


def test_runs_by_prefix(store: Store) -> None:
    for n, name in enumerate(["ab12", "ab34", "cd56"]):
        store.put_run(name, "t", f"问题 {n}", "verified", {"答": n})
        time.sleep(0.002)  # they are ordered by time
    latest = store.run()
    assert latest is not None and latest["id"] == "cd56" and latest["payload"] == {"答": 2}
    by_prefix, exact = store.run("ab1"), store.run("ab34")
    assert by_prefix is not None and by_prefix["question"] == "问题 0"
    assert exact is not None and exact["id"] == "ab34"
    assert store.run("zz") is None
    assert store.run("%") is None  # no pattern, a prefix
    with pytest.raises(StoreError, match="several runs start with 'ab'"):
        store.run("ab")
    assert [run["id"] for run in store.runs(2)] == ["cd56", "ab34"]
    store.put_run("ab12", "t", "again", "partial", {})
    assert [run["id"] for run in store.runs(9)] == ["ab12", "cd56", "ab34"]


# --- the file ----------------------------------------------------------------


def test_opening_again_finds_everything(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "库" / "library.sqlite"
    with closing(Store(file)) as store:
        store.put_document("/a", "h", source(CHINESE), whole(CHINESE))
        store.set_meta("embedder", "hash")
    with closing(Store(file)) as store:
        assert found(store, "租金") == [CHINESE]
        assert store.get_meta("embedder") == "hash"


def test_a_library_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "library.sqlite"
    with closing(Store(file)) as store:
        store.put_document("/a", "h", source(CHINESE), whole(CHINESE))
    with closing(sqlite3.connect(file)) as db:
        later = re.findall(r"CREATE TABLE (\w+)", "".join(VERSIONS[1:]))
        db.executescript(
            "DROP INDEX documents_by_sha256; DROP INDEX chunks_by_embedded;"
            "DROP INDEX records_by_key; DROP INDEX records_by_kind;"
            "ALTER TABLE chunks DROP COLUMN embedded; ALTER TABLE failures DROP COLUMN kind;"
            + "".join(
                f"ALTER TABLE documents DROP COLUMN {n};" for n in ("date", "tags", "described", "etag")
            )
            + "".join(
                f"ALTER TABLE records DROP COLUMN {n};"
                for n in ("key", "days", "pinned", "ended_s", "replaces")
            )
            + "".join(f"DROP TABLE {name};" for name in later)
            + "".join(f"DROP TRIGGER {n};" for n in re.findall(r"CREATE TRIGGER (\w+)", "".join(VERSIONS)))
            + "DELETE FROM meta WHERE key = 'names';"
            + "PRAGMA user_version = 1"
        )
    with closing(Store(file)) as store:
        assert found(store, "租金") == [CHINESE] and store.checkpoints(None) == []
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_names_are_read_anew_when_any_process_changes_them(tmp_path: Path) -> None:
    file = tmp_path / "library.sqlite"
    with closing(Store(file)) as store, closing(Store(file)) as other:
        assert store.document_names().rows == ()
        id_ = other.put_document("/a", "h", source(ENGLISH, "Lease"), whole(ENGLISH))
        named = store.document_names()
        assert named.rows == ((id_, "/a", "Lease"),) and store.document_names() is named
        other.put_document("/a", "i", source(CHINESE, "租約"), whole(CHINESE))
        assert [row[1:] for row in store.document_names().rows] == [("/a", "租約")]
        other.move_document("/a", "/b", source(CHINESE, "租約"), 1, 1.0)
        assert [row[1] for row in store.document_names().rows] == ["/b"]
        other.remove_documents(["/b"])
        assert store.document_names().rows == ()


def test_a_library_of_older_tokens_is_tokenised_again(tmp_path: Path) -> None:
    file, traditional = tmp_path / "library.sqlite", "租約規定租金按月支付。"
    with closing(Store(file)) as store:
        assert store.get_meta("tokens") == TOKENS_VERSION
        store.put_document("/a", "h", source(traditional, "書"), whole(traditional, "條款"))
        store.put_document("/b", "h", source(ENGLISH, "Lease"), whole(ENGLISH))
        store.put_record(record("r", "mid", text="租約在哪裡？"), None)
    with closing(sqlite3.connect(file)) as db:
        db.execute("UPDATE lexicon SET heading = '書 條款', body = '租約 約規 規定' WHERE body LIKE '%租约%'")
        db.execute("DELETE FROM meta WHERE key = 'tokens'")
        db.commit()
    for _ in range(2):
        with closing(Store(file)) as store:
            for query in ("租约规定", "租約規定", "按月支付", "条款"):
                assert found(store, query) == [traditional]
            assert found(store, "租约", "mid") == ["租約在哪裡？"]
            assert found(store, "contract") == [ENGLISH]
            assert store.get_meta("tokens") == TOKENS_VERSION


def test_newer_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "library.sqlite"
    Store(file).close()
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match="newer"):
        Store(file)
    with closing(sqlite3.connect(file)) as db:  # and is left as it was
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)


@pytest.mark.parametrize(
    "content", [b"no database, plain text. " * 500, b"SQLite format 3\x00" + b"\xee" * 9000]
)
def test_other_files_are_refused_and_kept(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "library.sqlite"
    file.write_bytes(content)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(file)
    assert file.read_bytes() == content


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be made"):
        Store(tmp_path / "file" / "library.sqlite")
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "folder.sqlite")


def test_a_second_writer_waits_and_readers_do_not(store: Store, tmp_path: Path) -> None:
    store.put_document("/a", "h", source(ENGLISH), whole(ENGLISH))
    done = threading.Event()

    def write() -> None:
        with closing(Store(tmp_path / "library.sqlite")) as second:
            second.put_document("/b", "h", source(CHINESE), whole(CHINESE))
        done.set()

    with closing(sqlite3.connect(tmp_path / "library.sqlite", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        writer = threading.Thread(target=write)
        writer.start()
        assert not done.wait(0.3)  # it waits for the writer before it
        assert found(store, "contract") == [ENGLISH]
        holder.execute("COMMIT")
    writer.join(10)
    assert done.is_set()
    assert found(store, "租金") == [CHINESE]  # and another connection sees it at once


def test_a_writer_that_waited_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.database.BUSY_TIMEOUT_S", 0.05)
    file = tmp_path / "library.sqlite"
    with closing(Store(file)) as store, closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process is writing"):
            store.set_meta("k", "v")
        holder.execute("ROLLBACK")
        store.set_meta("k", "v")
        assert store.get_meta("k") == "v"


def test_a_write_that_fails_leaves_no_trace(store: Store) -> None:
    store.put_document("/a", "h", source(ENGLISH), whole(ENGLISH))
    before, generation = store.counts(), store.generation()
    broken = [*whole(CHINESE), NewChunk(0, 2, "", object(), CHINESE[:2], None)]  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        store.put_document("/a", "h2", source(CHINESE), broken)
    assert (store.counts(), store.generation()) == (before, generation)
    assert found(store, "contract") == [ENGLISH]
    store.put_failure("/c", "the next transaction works")


# --- the vocabulary -------------------------------------------------------------------------------------


def test_terms_of_a_prefix(store: Store) -> None:
    assert store.terms_with("r") == {}
    store.put_document("a.txt", "1", source(ENGLISH), whole(ENGLISH), 1, 0.0)
    store.put_document("b.txt", "2", source("rents, Rent"), whole("rents, Rent"), 1, 0.0)
    assert store.terms_with("rent") == {"rent": 2, "rents": 1}
    assert store.terms_with("re") == store.terms_with("rent")
    assert store.terms_with("rentx") == store.terms_with("zz") == store.terms_with("R") == {}
    assert set(store.terms_with("")) >= {"rent", "rents", "contract", "march"}
    for odd in ("'", '"', "%", "_", "*", "re*", "\x00", "é"):
        assert store.terms_with(odd) == {}


def test_chinese_terms_of_a_prefix(store: Store) -> None:
    store.put_document("a.txt", "1", source(CHINESE), whole(CHINESE), 1, 0.0)
    store.put_document("b.txt", "2", source("租約與租金"), whole("租約與租金"), 1, 0.0)
    assert store.terms_with("租") == {"租金": 2, "租约": 1}
    assert store.terms_with("租金") == {"租金": 2}
    assert store.terms_with("約") == {}
    assert store.pairs_ending_in("金") == {"租金": 2} and store.pairs_ending_in("約") == {}


def test_terms_of_a_prefix_follow_the_documents_in_every_thread(store: Store) -> None:
    store.put_document("a.txt", "1", source(ENGLISH), whole(ENGLISH), 1, 0.0)
    seen: list[dict[str, int]] = []
    thread = threading.Thread(target=lambda: seen.append(store.terms_with("contr")))
    thread.start()
    thread.join()
    assert seen == [store.terms_with("contr")] == [{"contract": 1}]
    store.remove_documents(["a.txt"])
    assert store.terms_with("contr") == {}
    store.put_document("b.txt", "2", source(CHINESE), whole(CHINESE), 1, 0.0)
    assert "租金" in store.terms_with("租")
