"""Reads evaluation data: JSON lines, plain or gzipped, and corpora as libraries. It judges no answers.

What cannot be used ends the program with one line that names the file, its line and what is wrong. Files of a
user's own may leave out what `evals/data/README.md` says; it is filled in here.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from retrieval.library import Library
from retrieval.load import Source

SMALL_DATA = Path(__file__).parent / "data"
LONG = "long_"  # how corpora of long articles are called: some suites want these to be asked for
Row = dict[str, Any]

_TEXT, _MAYBE, _LIST, _FLAG = (str,), (str, type(None)), (list,), (bool,)
_DOCUMENT: dict[str, tuple[type, ...]] = {"doc_id": _TEXT, "title": _TEXT, "text": _TEXT}
_QUESTION: dict[str, tuple[type, ...]] = {"id": _TEXT, "question": _TEXT, "answers": _LIST}
_FORMS: dict[str, dict[str, tuple[type, ...]]] = {
    "corpus_": _DOCUMENT,
    "multihop_corpus": _DOCUMENT,
    "multihop_distractors": _DOCUMENT,
    "multihop_": {**_QUESTION, "kind": _TEXT, "doc_ids": _LIST},
    "qa_": {**_QUESTION, "kind": _TEXT, "answerable": _FLAG, "doc_id": _MAYBE},
    "robust_": {**_QUESTION, "task": _TEXT, "docs": _LIST, "expected": _TEXT},
    "memory_references": {"id": _TEXT, "needed": _LIST},
    "memory_": {"user": _TEXT, "sessions": _LIST, "questions": _LIST},
    "faithfulness_": {"context": _TEXT, "claim_or_answer": _TEXT, "label": (int,), "lang": _TEXT},
    "reader_train": {"context": _TEXT, "title": _TEXT, "lang": _TEXT, "qas": _LIST},
}
"""Fields that rows must have, by how the file's name begins; of several the first that fits."""
_MEANT = {_TEXT: "text", _MAYBE: "text or null", _LIST: "a list", _FLAG: "true or false", (int,): "0 or 1"}


def read_rows(file: Path) -> list[Row]:
    """The rows of a JSON lines file, or of its gzipped form; one that cannot be used ends the program."""
    name, data = content(file)
    form = next((form for start, form in _FORMS.items() if file.name.startswith(start)), {})
    rows: list[Row] = []
    places: dict[str, int] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        row = _row(line, name, number)
        _fill(row, number, form)
        for field, types in form.items():
            if field not in row:
                _wrong(name, number, f"no {field!r}")
            if not isinstance(row[field], types):
                _wrong(name, number, f"{field!r} is {_said(row[field])}, not {_MEANT[types]}")
        if not all(isinstance(one, str | list) for one in row.get("answers", ())):
            _wrong(name, number, f"'answers' is {_said(row['answers'])}, not a list of texts")
        if row.get("answerable") and not row["answers"]:
            _wrong(name, number, "answerable, but without an answer")
        own = row.get("id") if "id" in form else row.get("doc_id") if form is _DOCUMENT else None
        if own is not None and places.setdefault(own, number) != number:
            _wrong(name, number, f"{own!r} is the name of line {places[own]} already")
        rows.append(row)
    return rows


def content(file: Path) -> tuple[Path, bytes]:
    """A data file, or where there is none its gzipped form, and what is in it."""
    packed = file.with_name(f"{file.name}.gz")
    if not file.exists() and packed.exists():
        file = packed
    try:
        data = file.read_bytes()
        return file, gzip.decompress(data) if file.suffix == ".gz" else data
    except FileNotFoundError:
        sys.exit(f"no such data file: {file} (give the folder of the benchmark data with --data)")
    except (OSError, EOFError, zlib.error) as error:
        sys.exit(f"{file}: cannot be read: {error}")


def _row(line: bytes, file: Path, number: int) -> Row:
    try:
        row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        _wrong(file, number, f"not UTF-8 from byte {error.start + 1} on")
    except (ValueError, RecursionError) as error:
        _wrong(file, number, f"not JSON: {error}")
    if not isinstance(row, dict):
        _wrong(file, number, f"{_said(row)}, not an object")
    return row


def _fill(row: Row, number: int, form: dict[str, tuple[type, ...]]) -> None:
    """What a row may leave out."""
    if form is _DOCUMENT and "doc_id" in row:
        row.setdefault("title", row["doc_id"])
    if form is _FORMS["qa_"]:
        row.setdefault("id", f"line {number}")
        row.setdefault("answers", [])
        row.setdefault("answerable", bool(row["answers"]))
        row.setdefault("kind", "answerable" if row["answerable"] else "out_of_corpus")
        row.setdefault("doc_id", None)


def _said(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _wrong(file: Path, number: int, what: str) -> NoReturn:
    sys.exit(f"{file}:{number}: {what}")


def corpora(folder: Path, lang: str | None = None) -> list[tuple[str, Path, Path]]:
    """(name, corpus file, questions file) of each corpus with questions in a folder."""
    found = []
    for corpus in sorted([*folder.glob("corpus_*.jsonl"), *folder.glob("corpus_*.jsonl.gz")]):
        name = corpus.name.split(".")[0].removeprefix("corpus_")
        questions = folder / f"qa_{name}.jsonl"
        if questions.exists() or questions.with_name(f"{questions.name}.gz").exists():
            found.append((name, corpus, questions))
    if not found:
        sys.exit(f"no corpus_*.jsonl with its qa_*.jsonl in {folder}: name another folder with --data")
    if lang is not None and lang not in (name for name, _, _ in found):
        sys.exit(f"no corpus_{lang}.jsonl with its qa_{lang}.jsonl in {folder}: there is {_names(found)}")
    return [one for one in found if lang in (None, one[0])]


def _names(found: Iterable[tuple[str, Path, Path]]) -> str:
    return ", ".join(name for name, _, _ in found)


def read_corpus(corpus: Path, questions: Path) -> tuple[list[Row], list[Row]]:
    """The documents and the questions of one of `corpora`; each question's document must be among them."""
    documents, asked = read_rows(corpus), read_rows(questions)
    known = {None, *(row["doc_id"] for row in documents)}
    for row in asked:
        if row["answerable"] and row["doc_id"] not in known:
            sys.exit(f"{questions}: the document {row['doc_id']!r} of {row['id']!r} is not in {corpus.name}")
    if not asked:
        sys.exit(f"{questions}: no questions")
    return documents, asked


def text_source(title: str, text: str) -> Source:
    """A text that is no file, as a source."""
    return Source(text, title, (), "text", None, "utf-8")


def add_corpus(library: Library, rows: Iterable[Row]) -> int:
    """Index rows of `doc_id`, `title`, `text`; each document is known by its `doc_id`. Its chunks."""
    chunks = 0
    group: list[tuple[str, Source]] = []
    for row in rows:
        group.append((row["doc_id"], text_source(row["title"], row["text"])))
        if len(group) == 64:
            chunks += library.add_sources(group)
            group = []
    return chunks + library.add_sources(group)
