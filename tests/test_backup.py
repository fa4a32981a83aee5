"""Backing up, restoring, saving what is left of a damaged library, reading only, and retention."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from agent import Agent, Settings
from retrieval.backup import back_up, restore, save_what_is_left
from retrieval.embed import HashEmbedder
from retrieval.library import LOCK_FILE, STORE_FILE, Library
from retrieval.lock import locked, try_lock
from retrieval.salvage import readable
from retrieval.store import Record, StoreError
from tests.libraries import DUES, RENT, check_index, check_whole, found, write
from tests.processes import called, python


def filled(folder: Path, docs: Path, count: int = 60, more: str = "Wind and water. ") -> None:
    texts = {f"f{n:03}": f"Note {n} tells of boat{n}. {more * 60} 第{n}条船。" for n in range(count)}
    with Library(folder, HashEmbedder) as library:
        library.add(write(docs, **texts))
        for n in range(20):
            library.put_record(
                Record(f"r{n:02}", "mid", "episode", "t", f"租金{n} rent", {"run_id": f"run{n}"}, 1.0, 1.0, 0)
            )
            library.store.put_run(f"run{n}", "t", f"rent {n}? 租金", "verified", {"claims": []})


# --- backup and restore -----------------------------------------------------------------------------


def test_a_backup_taken_while_adding_is_whole(hashed: Library, tmp_path: Path) -> None:
    hashed.add(write(tmp_path / "first", rent=RENT))
    files = write(tmp_path / "d", **{f"n{n}": f"Note {n}. 船{n}。" for n in range(150)})
    adding = threading.Thread(target=lambda: hashed.add(files))
    adding.start()
    for n in range(4):
        back_up(hashed.store.file, tmp_path / f"{n}.backup")
        restore(tmp_path / f"{n}.backup", tmp_path / str(n))
        check_whole(tmp_path / str(n))
        with Library(tmp_path / str(n), HashEmbedder) as copy:
            assert found(copy, "rent") == ["rent.txt"]
            check_index(copy)
    adding.join()
    assert not list(tmp_path.glob("*.part*"))


def test_restoring_keeps_the_replaced_library(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with Library(folder, HashEmbedder) as library:
        library.add(write(tmp_path / "d", rent=RENT))
    back_up(folder / STORE_FILE, tmp_path / "备份.backup")
    with pytest.raises(StoreError, match="exists: give another"):
        back_up(folder / STORE_FILE, tmp_path / "备份.backup")
    with Library(folder, HashEmbedder) as library:
        library.add(write(tmp_path / "d", dues=DUES))
    with pytest.raises(StoreError, match="--force"):
        restore(tmp_path / "备份.backup", folder)
    aside = restore(tmp_path / "备份.backup", folder, force=True)
    with Library(folder, HashEmbedder) as library:
        assert found(library, "rent") == ["rent.txt"] and found(library, "会费") == []
    assert aside is not None and aside.parent == tmp_path
    with Library(aside, HashEmbedder) as library:
        assert found(library, "会费") == ["dues.txt"]


def test_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    filled(folder, tmp_path / "d", 3)
    with closing(sqlite3.connect(tmp_path / "other")) as db, db:
        db.execute("CREATE TABLE t (x)")
    (tmp_path / "text").write_text("不是数据库 " * 500, encoding="utf-8")
    for name, says in (("other", "not a backup"), ("text", "not a backup"), ("nowhere", "no such file")):
        with pytest.raises(StoreError, match=says):
            restore(tmp_path / name, folder, force=True)
    with pytest.raises(StoreError, match="no library"):
        back_up(tmp_path / "nowhere", tmp_path / "b")
    with pytest.raises(StoreError, match="is a folder"):
        back_up(folder / STORE_FILE, tmp_path)
    back_up(folder / STORE_FILE, tmp_path / "good")
    with locked(folder / LOCK_FILE), pytest.raises(StoreError, match="at work"):
        restore(tmp_path / "good", folder, force=True)
    check_whole(folder)
    assert not list(tmp_path.glob("*.part*"))


# --- damage -----------------------------------------------------------------------------------------


def overwrite_pages(file: Path, share: float, start: float = 0.3) -> None:
    """Write noise over a share of the file's pages, from a place in it on."""
    size = file.stat().st_size
    with file.open("r+b") as out:
        out.seek(int(size * start) // 4096 * 4096)
        out.write(b"\xde\xad\xbe\xef" * 1024 * max(1, int(size * share) // 4096))


@pytest.mark.parametrize("start", [0.3, 0.5, 0.7])
def test_what_is_left_of_a_damaged_library_is_saved(start: float, tmp_path: Path) -> None:
    folder, target = tmp_path / "library", tmp_path / "saved.backup"
    filled(folder, tmp_path / "d")
    overwrite_pages(folder / STORE_FILE, 0.1, start)
    left = readable(folder / STORE_FILE)
    assert left is not None and left.documents > 20
    saved = save_what_is_left(folder / STORE_FILE, target, HashEmbedder)
    assert saved == left
    aside = restore(target, folder, force=True)
    assert aside is not None
    with Library(folder, HashEmbedder) as library:
        assert library.store.counts()["documents"] == left.documents
        assert library.store.counts()["records"] == left.records
        for document in library.documents()[:5]:
            assert found(library, Path(document.path).stem.replace("f0", "boat").replace("boat0", "boat"))
        check_index(library)
    check_whole(folder)
    assert not list(tmp_path.glob("*.saved"))


def test_a_whole_library_is_saved_whole(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    filled(folder, tmp_path / "d", 5)
    saved = save_what_is_left(folder / STORE_FILE, tmp_path / "saved", HashEmbedder)
    assert (saved.documents, saved.records, saved.runs) == (5, 20, 20)
    restore(tmp_path / "saved", tmp_path / "again")
    with Library(folder, HashEmbedder) as old, Library(tmp_path / "again", HashEmbedder) as new:
        assert [(d.path, d.sha256, d.chunks) for d in old.documents()] == [
            (d.path, d.sha256, d.chunks) for d in new.documents()
        ]
        assert old.store.record("r01") == new.store.record("r01")
        assert old.store.run("run1") == new.store.run("run1")


def test_memory_that_is_saved_knows_what_is_newer(hashed: Library, tmp_path: Path) -> None:
    """Documents have other ids afterwards; turns are found by their replies as before."""
    files = write(tmp_path / "d", gone="Gone.", rent=RENT)
    hashed.add(files)
    hashed.remove(files[:1])
    last = hashed.store.last_document()
    payload = {"answer": "A quagga, said the keeper.", "library_at": last}
    kinds = (("early", "episode", last), ("turn", "turn", last), ("late", "episode", last + 1))
    hashed.add(write(tmp_path / "d", dues=DUES))
    for name, kind, at in kinds:
        one = Record(name, "short", kind, "t", "What was it?", {**payload, "library_at": at}, 1, 1, 0)
        hashed.put_records([(one, payload["answer"] if kind == "turn" else "")])
    save_what_is_left(hashed.folder / STORE_FILE, tmp_path / "saved", HashEmbedder)
    restore(tmp_path / "saved", tmp_path / "again")
    with Library(tmp_path / "again", HashEmbedder) as new:
        ids = {Path(one.path).stem: new.store.document_id(one.path) for one in new.documents()}
        assert ids == {"rent": 1, "dues": 2}
        early, late = (new.store.record(name) for name in ("early", "late"))
        assert early and early.payload["library_at"] == 1 and late and late.payload["library_at"] == 2
        assert [p.chunk.record_id for p in new.search("quagga", 1, "short")] == ["turn"]


def test_where_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / STORE_FILE).write_bytes(b"not a database at all" * 300)
    assert readable(tmp_path / STORE_FILE) is None
    filled(tmp_path / "library", tmp_path / "d", 5)
    overwrite_pages(tmp_path / "library" / STORE_FILE, 0.9, 0.05)  # where the tables begin
    with pytest.raises(StoreError, match="nothing of"):
        save_what_is_left(tmp_path / "library" / STORE_FILE, tmp_path / "saved", HashEmbedder)
    with pytest.raises(StoreError, match="nothing of"):
        save_what_is_left(tmp_path / STORE_FILE, tmp_path / "saved", HashEmbedder)
    assert not (tmp_path / "saved").exists()


def test_a_damaged_vector_file_heals_itself(hashed: Library, tmp_path: Path) -> None:
    hashed.add(write(tmp_path / "d", rent=RENT, dues=DUES))
    [file] = hashed.folder.glob("vectors.*.faiss")
    overwrite_pages(file, 1.0, 0)
    with Library(hashed.folder, HashEmbedder) as library:
        assert library.search("rent")[0].cosine is not None
        check_index(library)


# --- reading only -----------------------------------------------------------------------------------


def test_reading_only(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    filled(folder, tmp_path / "d", 3)
    before = (folder / STORE_FILE).read_bytes()
    with Library(folder, HashEmbedder, read_only=True) as library:
        assert found(library, "boat2", 1) == ["f002.txt"] and found(library, "第2条船", 3)
        for refused in (
            lambda: library.add([tmp_path / "d"]),
            lambda: library.remove([tmp_path / "d"]),
            lambda: library.store.drop_run("run1"),
        ):
            with pytest.raises(StoreError, match="reading only"):
                refused()
    assert (folder / STORE_FILE).read_bytes() == before
    with pytest.raises(StoreError, match="no library to read"):
        Library(tmp_path / "nowhere", HashEmbedder, read_only=True)


READER = """
import os, sys
from pathlib import Path
from retrieval.embed import HashEmbedder
from retrieval.library import Library
import concurrent.futures.thread, faiss, numpy, retrieval.tokens, retrieval.load.plain
retrieval.tokens.lexical_tokens('a 字')
if os.getuid() == 0:
    os.setuid(65534)  # nothing is read-only for root
with Library(Path(sys.argv[1]), HashEmbedder) as library:
    print(library.store.read_only, Path(library.search('boat1', 1)[0].chunk.path).name)
    try:
        library.add([Path(sys.argv[1])])
    except Exception as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs POSIX permissions")
def test_a_library_on_a_read_only_folder(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as shared:  # pytest's own folder is closed to others
        folder = Path(shared) / "library"
        filled(folder, tmp_path / "d", 3)
        Path(shared).chmod(0o755)
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        done = python(READER, str(folder))
        folder.chmod(0o755)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "True f001.txt" and "open for reading only" in second


def test_asking_a_library_that_is_read_only(settings: Settings, tmp_path: Path) -> None:
    assert settings.home is not None
    with Agent(settings) as agent:
        agent.add(*write(tmp_path / "d", rent=RENT, dues=DUES))
    with Agent(Settings(home=settings.home, read_only=True)) as agent:
        assert agent.ask("When is the rent due?", thread="t").outcome == "verified"
        assert agent.ask("会费由谁收取？").outcome == "verified"
        assert agent.library.store.runs(5) == [] and agent.memory.turns("t") == []
        with pytest.raises(StoreError, match="reading only"):
            agent.add(tmp_path / "d")


def test_a_library_that_was_moved_works(settings: Settings, tmp_path: Path) -> None:
    assert settings.home is not None
    with Agent(settings) as agent:
        agent.add(*write(tmp_path / "d", rent=RENT, dues=DUES))
    shutil.move(settings.home, tmp_path / "新家")
    with Agent(Settings(home=tmp_path / "新家")) as agent:
        assert agent.ask("When is the rent due?").outcome == "verified"
        assert agent.ask("会费由谁收取？").outcome == "verified"
        assert len(agent.add(tmp_path / "d").unchanged) == 2


# --- retention --------------------------------------------------------------------------------------


def test_runs_that_memory_rests_on_are_kept(hashed: Library) -> None:
    store = hashed.store
    old_s = time.time() - 10 * 86_400
    for name in ("old", "remembered"):
        store.put_run(name, "", "租金?", "verified", {}, created_s=old_s)
    store.put_run("new", "", "rent?", "abstained", {})
    store.put_run("going", "", "rent?", "unfinished", {}, created_s=old_s)
    store.put_record(Record("r", "mid", "episode", "", "租金", {"run_id": "remembered"}, 1, 1, 0), None)
    store.put_record(Record("s", "mid", "statement", "", "租金", {}, 1, 1, 0), None)  # of no run
    assert store.prune_runs(time.time() - 20 * 86_400) == 0
    assert store.prune_runs(time.time() - 5 * 86_400) == 1
    assert {run["id"] for run in store.runs(9)} == {"remembered", "new", "going"}


# --- two at once ------------------------------------------------------------------------------------


class Slow(HashEmbedder):
    """Counts and takes its time."""

    count = 0

    def embed(self, texts: list[str]) -> object:  # type: ignore[override]
        Slow.count += len(texts)
        time.sleep(0.01)
        return super().embed(texts)


def test_two_adds_at_once_embed_everything_once(tmp_path: Path) -> None:
    files = write(tmp_path / "d", **{f"n{n}": f"Note {n} of boat{n}. 船{n}。" for n in range(200)})
    Slow.count, waited = 0, []
    with Library(tmp_path / "l", Slow) as one, Library(tmp_path / "l", Slow) as other:
        adding = [
            threading.Thread(target=lambda lib=lib: lib.add(files, on_wait=lambda: waited.append(1)))
            for lib in (one, other)
        ]
        for thread in adding:
            thread.start()
        while adding[0].is_alive():
            one.search("boat")
        for thread in adding:
            thread.join()
        assert Slow.count < 200 + 100  # the searches embed as well
        assert waited == [1]
        check_index(one)


def test_a_lock_is_freed_with_its_holder(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        assert try_lock(tmp_path / "lock") is None
    held = try_lock(tmp_path / "lock")
    assert held is not None
    os.close(held)


# --- the command line -------------------------------------------------------------------------------


def command(home: Path | None, *arguments: str, **more: str) -> tuple[int, str]:
    assert home is not None
    done = called(home, *arguments, **more)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_backup_from_the_command_line(settings: Settings, tmp_path: Path) -> None:
    def run(*arguments: str, **more: str) -> tuple[int, str]:
        return command(settings.home, *arguments, **more)

    file = str(tmp_path / "a.backup")
    assert run("backup", file)[0] == 1  # no library yet
    with Agent(settings) as agent:
        agent.add(*write(tmp_path / "d", rent=RENT, dues=DUES))
    assert run("backup", file)[0] == 0
    code, said = run("backup", file)
    assert code == 1 and "--force" in said
    code, said = run("backup", "--restore", file)
    assert code == 1 and said.count("\n") == 1 and "--force" in said
    code, said = run("backup", "--restore", "--force", file)
    assert code == 0 and "is kept in" in said
    assert run("backup", "--restore", "--salvage", file)[0] == 2
    assert "FAISS" in run("doctor")[1]
    overwrite_pages(settings.library_folder / STORE_FILE, 0.2, 0.0)
    code, said = run("doctor")
    assert code == 1 and "BROKEN" in said
    assert run("backup", "--restore", "--force", file)[0] == 0
    assert run("search", "rent")[0] == 0
    assert run("runs", "--prune", "30") == (0, "0 runs forgotten\n")
    assert run("search", "会费", AGENT_READ_ONLY="1")[0] == 0
    code, said = run("add", str(tmp_path / "d"), AGENT_READ_ONLY="1")
    assert code == 1 and "reading only" in said and said.count("\n") == 1


def test_doctor_counts_what_can_be_saved(settings: Settings, tmp_path: Path) -> None:
    # In Chinese, to which the embedder is blind: to embed all of it again would take its time.
    filled(settings.library_folder, tmp_path / "d", more="风和水，无边无际，一望无余。")
    overwrite_pages(settings.library_folder / STORE_FILE, 0.1, 0.4)
    code, said = command(settings.home, "doctor")
    assert code == 1 and "documents, " in said and "can be read: `agent backup --salvage FILE`" in said
    assert command(settings.home, "backup", "--salvage", str(tmp_path / "s"))[0] == 0
    assert command(settings.home, "backup", "--restore", "--force", str(tmp_path / "s"))[0] == 0
    code, said = command(settings.home, "doctor")
    assert "BROKEN" not in said, said
