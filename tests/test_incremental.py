"""What changed, and no more: edited, moved, renamed, copied and removed files."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retrieval.embed import HashEmbedder, OnnxEmbedder
from retrieval.library import Library

if TYPE_CHECKING:
    from retrieval.embed import Vectors

from tests.libraries import DUES, RENT, check_index, check_whole, found, names, summary, write


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


def test_a_renamed_file(hashed: Library, tmp_path: Path) -> None:
    [old] = write(tmp_path / "d", old=DUES)
    hashed.add([tmp_path / "d"])
    new = old.rename(old.with_name("new.txt"))
    assert summary(hashed.add([tmp_path / "d"])) == {"moved": ["new.txt"]}
    assert hashed.remove([old]) == []
    assert found(hashed, "会费由谁收取") == ["new.txt"]
    assert summary(hashed.add([new])) == {"unchanged": ["new.txt"]}


class Counting(HashEmbedder):
    """Counts the texts that it embeds, and the largest number at once."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = self.largest = 0

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        self.largest = max(self.largest, len(texts))
        return super().embed(texts)


def paragraphs_of(lang: str, count: int) -> list[str]:
    """Paragraphs of a chunk each."""
    one = {
        "en": "Paragraph {n} tells of kite {n}, its wind and its string. " * 15,
        "zh": "第{n}段讲第{n}号风筝，讲风和线。" * 24,
    }[lang]
    return [one.format(n=n) for n in range(count)]


@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("lang", "more"), [("en", "A new sentence."), ("zh", "又添了一句。")])
def test_an_edited_document_embeds_what_changed(tmp_path: Path, lang: str, more: str, count: int) -> None:
    embedder, paragraphs = Counting(), paragraphs_of(lang, count)
    with Library(tmp_path / "library", lambda: embedder) as library:
        [file] = write(tmp_path / "d", kites="\n\n".join(paragraphs))
        told: list[str] = []
        first = library.add([file], lambda _done, _files, what: told.append(what))
        assert first.embedded == first.chunks >= count and embedder.largest <= 64
        assert f"{file}: 64 of {first.embedded} chunks" in told
        paragraphs[count // 2] += more
        paragraphs.insert(count * 7 // 10, more * 10)
        file.write_text("\n\n".join(paragraphs), encoding="utf-8")
        embedder.texts = 0
        report = library.add([file])
        assert 1 <= report.embedded == embedder.texts <= 3
        assert report.reused == report.chunks - report.embedded >= count - 2
        check_index(library)
        assert library.search(paragraphs[-1], 1)[0].chunk.text == paragraphs[-1].strip()
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
