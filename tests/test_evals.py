"""Metrics, and the suites on the small data that ships."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import __main__ as command
from evals import metrics
from evals.data import SMALL_DATA, corpora, read_rows


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
