"""Metrics, and the suites on the small data that ships."""

from __future__ import annotations

import doctest
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import __main__ as command
from evals import ingesters, metrics
from evals.data import SMALL_DATA, corpora, read_rows
from evals.suites import ingest, searches


def test_rows_are_read_packed_too(tmp_path: Path) -> None:
    rows = [{"问": "a\u2028b"}, {}]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    assert read_rows(tmp_path / "rows.jsonl") == read_rows(tmp_path / "rows.jsonl.gz") == rows
    with pytest.raises(SystemExit, match="no such data file"):
        read_rows(tmp_path / "others.jsonl")


def test_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(metrics)
    assert found.attempted >= 3
    assert found.failed == 0


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        ("The lens has 68 centimetres.", ["68 centimetres"], True),
        ("The lens has 168 centimetres.", ["68 centimetres"], False),
        ("It cost $1,024.", ["1024"], True),
        ("签订于２００７年10月2日。", ["2007年10月2日"], True),
        ("签订于2007年。", ["2008年"], False),
        ("Nothing here", [], False),
        ("Signed by the Queen", ["Queen", "King"], True),
    ],
)
def test_contains(text: str, answers: list[str], expected: bool) -> None:
    assert metrics.contains(text, answers) is expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    mean, low, high = metrics.mean_ci(values)
    assert low - 1e-9 <= mean <= high + 1e-9
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_paired_test_sees_a_difference_and_no_difference() -> None:
    same = [1.0, 0.0] * 20
    assert metrics.paired_p(same, same) == 1.0
    assert metrics.paired_p([1.0] * 20, [0.0] * 20) < 0.001
    assert metrics.paired_p([1.0, 0.0] * 10, [0.0, 1.0] * 10) > 0.5


def test_selective_accuracy_takes_the_most_confident() -> None:
    scores, right = [0.9, 0.8, 0.2, 0.1], [True, True, False, False]
    assert metrics.selective_accuracy(scores, right, 0.5) == 1.0
    assert metrics.selective_accuracy(scores, right, 1.0) == 0.5


def test_token_f1_counts_chinese_by_character() -> None:
    assert metrics.token_f1("周四晚上", ["周四"]) == pytest.approx(2 * 2 / 6)
    assert metrics.token_f1("nothing", ["周四"]) == 0.0


def test_small_data_is_whole() -> None:
    for _, corpus, questions in corpora(SMALL_DATA):
        documents = {row["doc_id"] for row in read_rows(corpus)}
        asked = read_rows(questions)
        assert all(row["doc_id"] in documents for row in asked if row["answerable"])
        assert any(not row["answerable"] for row in asked)


@pytest.mark.slow
def test_suites_write_their_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "evals"
    home.mkdir()
    (home / "cache").symlink_to(cache_folder)
    monkeypatch.setenv("AGENT_HOME", str(home))
    small = tmp_path / "data"
    small.mkdir()
    for name in ("corpus_zh.jsonl", "qa_zh.jsonl"):
        lines = (SMALL_DATA / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (small / name).write_text("".join(lines[:90]), encoding="utf-8")
    for suite, limit in (("retrieval", "20"), ("qa", "8")):
        out = tmp_path / f"{suite}.json"
        arguments = ["evals", suite, "--data", str(small), "--limit", limit, "--json", str(out)]
        monkeypatch.setattr("sys.argv", arguments)
        command.main()
        result = json.loads(out.read_text(encoding="utf-8"))
        assert result["suite"] == suite
        assert result["n"] == len(result["rows"]) > 0
        assert {"settings", "metrics"} <= set(result)
    assert result["metrics"]["zh"]["unsupported_sentences"] == 0
    assert "refusal_precision" in capsys.readouterr().out


def test_a_missing_data_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["evals", "retrieval", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="no corpus_"):
        command.main()


@pytest.mark.slow
def test_adding_documents_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("AGENT_HOME", str(home))
    assert ingest.spread(list("abcdef"), 3) == ["a", "c", "e"]
    assert ingest.spread(["a"], 3) == ingest.spread(["a"], None) == ["a"]
    text = "# Kites 风筝\n\nThey fly.\n\n```\ncode\n```\n风筝飞了。\n"
    assert ingest.altered(text, 3) == "# Kites 风筝 3\n\nThey fly 3.\n\n```\ncode 3\n```\n风筝飞了 3。\n"
    docs = tmp_path / "docs_en"
    docs.mkdir()
    (docs / "kites.md").write_text(text, encoding="utf-8")
    small = ingest.measure(tmp_path, "en", what="memory")["docs_en"]
    assert small["memory at 1x"]["files"] * ingest.COPIES == small["memory at 10x"]["files"] == ingest.COPIES
    assert small["memory at 10x"]["embedded"] == ingest.COPIES
    assert small["peak at 10x / peak at 1x"] < 1.5
    with pytest.raises(SystemExit, match="no docs_"):
        ingest.measure(tmp_path, "zh")


@given(st.text("ab \n", max_size=3 * ingesters.CHUNK_CHARS))
def test_cuts_at_fixed_lengths_hold_the_text(text: str) -> None:
    first, *rest = ingesters.fixed_length(text)
    assert first + "".join(piece[ingesters.OVERLAP_CHARS :] for piece in rest) == text
    assert all(len(piece) <= ingesters.CHUNK_CHARS for piece in (first, *rest))


@pytest.mark.slow
def test_whole_searches_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("AGENT_HOME", str(home))
    for name in ("corpus_en.jsonl", "qa_en.jsonl"):
        lines = (SMALL_DATA / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / name).write_text("".join(lines[:12]), encoding="utf-8")
    found = searches.measure(tmp_path, 60)
    assert found["passages"] == 60
    parts = [name for name in found if name.endswith(", ms")]
    assert {"total, ms", "dense, ms", "lexical, ms", "scoring, ms"} <= set(parts)
    assert all(0 < found[name][0] <= found[name][1] for name in parts)
