"""Data files of a user's own: what may be left out, and one line for each thing that is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from evals.data import corpora, read_corpus, read_rows

DOCUMENT = '{"doc_id": "rules.txt", "text": "The fee is 20 euros. 会费是20元。"}'
QUESTION = '{"question": "How much is the fee?", "answers": ["20 euros"], "doc_id": "rules.txt"}'


def folder_with(folder: Path, documents: str, questions: str) -> Path:
    (folder / "corpus_own.jsonl").write_text(documents, encoding="utf-8")
    (folder / "qa_own.jsonl").write_text(questions, encoding="utf-8")
    return folder


def test_what_may_be_left_out_is_filled_in(tmp_path: Path) -> None:
    asked = f'\ufeff{QUESTION}\r\n\n{{"question": "谁是会长？"}}\n'
    [(name, corpus, questions)] = corpora(folder_with(tmp_path, DOCUMENT, asked))
    [document], [first, second] = read_corpus(corpus, questions)
    assert name == "own" and document["title"] == "rules.txt"
    assert first["id"] == "line 1" and first["answerable"] is True and first["kind"] == "answerable"
    assert second["id"] == "line 3" and second["answerable"] is False and second["kind"] == "out_of_corpus"
    assert second["answers"] == [] and second["doc_id"] is None


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("qa_en.jsonl", f"{QUESTION}\n{{", r"qa_en.jsonl:2: not JSON"),
        ("qa_en.jsonl", "[1]", r"qa_en.jsonl:1: \[1\], not an object"),
        ("qa_en.jsonl", '{"answers": ["一"]}', r"qa_en.jsonl:1: no 'question'"),
        ("qa_en.jsonl", '{"question": "谁？", "answers": "他"}', r":1: 'answers' is \"他\", not a list"),
        ("qa_en.jsonl", '{"question": "When?", "answers": [1815]}', r":1: 'answers' is \[1815\]"),
        (
            "qa_en.jsonl",
            '{"question": "When?", "answerable": true}',
            r":1: answerable, but without an answer",
        ),
        ("qa_en.jsonl", '{"id": "a", "question": "?"}\n' * 2, r":2: 'a' is the name of line 1 already"),
        ("qa_en.jsonl", '{"id": 7, "question": "?"}', r":1: 'id' is 7, not text"),
        ("corpus_zh.jsonl", '{"title": "规章"}', r"corpus_zh.jsonl:1: no 'doc_id'"),
        ("corpus_zh.jsonl", '{"doc_id": "a", "text": null}', r":1: 'text' is null, not text"),
        ("multihop_en.jsonl", '{"id": "a", "question": "?", "answers": []}', r":1: no 'kind'"),
        ("robust_en.jsonl", "[" * 100_000, r"robust_en.jsonl:1: not JSON"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit, match=told) as ended:
        read_rows(tmp_path / name)
    assert "\n" not in str(ended.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "qa_en.jsonl").write_bytes(f"{QUESTION}\n".encode() + "会".encode("gbk"))
    with pytest.raises(SystemExit, match=r"qa_en.jsonl:2: not UTF-8 from byte 1 on"):
        read_rows(tmp_path / "qa_en.jsonl")
    packed = gzip.compress(QUESTION.encode())
    for data in (packed[:-9], b"no gzip", packed[:20] + b"\xff" * 9 + packed[29:]):
        (tmp_path / "qa_zh.jsonl.gz").write_bytes(data)
        with pytest.raises(SystemExit, match=r"qa_zh.jsonl.gz: cannot be read"):
            read_rows(tmp_path / "qa_zh.jsonl")


def test_questions_and_documents_must_fit(tmp_path: Path) -> None:
    asked = json.dumps({"id": "a", "question": "?", "answers": ["1"], "doc_id": "others.txt"})
    [(_, *files)] = corpora(folder_with(tmp_path, DOCUMENT, asked))
    with pytest.raises(SystemExit, match=r"the document 'others.txt' of 'a' is not in corpus_own\.jsonl"):
        read_corpus(*files)
    folder_with(tmp_path, DOCUMENT, "\n")
    with pytest.raises(SystemExit, match="no questions"):
        read_corpus(*files)
    with pytest.raises(SystemExit, match=r"no corpus_fr.jsonl with its qa_fr.jsonl in .*: there is own"):
        corpora(tmp_path, "fr")
