"""Reads evaluation data: JSON lines, plain or gzipped, and corpora as libraries. It judges nothing."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from retrieval.library import Library
from retrieval.load import Source

SMALL_DATA = Path(__file__).parent / "data"
Row = dict[str, Any]


def read_rows(file: Path) -> list[Row]:
    """The rows of a JSON lines file, or of its gzipped form; a missing one ends the program with one line."""
    packed = file.with_name(f"{file.name}.gz")
    if not file.exists() and packed.exists():
        file = packed
    if not file.exists():
        sys.exit(f"no such data file: {file} (give the folder of the benchmark data with --data)")
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8")
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def corpora(folder: Path, lang: str | None = None) -> list[tuple[str, Path, Path]]:
    """(name, corpus file, questions file) of each corpus with questions in a folder."""
    found = []
    for corpus in sorted([*folder.glob("corpus_*.jsonl"), *folder.glob("corpus_*.jsonl.gz")]):
        name = corpus.name.split(".")[0].removeprefix("corpus_")
        questions = corpus.with_name(corpus.name.replace("corpus_", "qa_"))
        if questions.exists() and lang in (None, name):
            found.append((name, corpus, questions))
    if not found:
        sys.exit(f"no corpus_*.jsonl with its qa_*.jsonl in {folder}: name another folder with --data")
    return found


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
