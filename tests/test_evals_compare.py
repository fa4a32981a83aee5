"""Two results against each other, row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evals import __main__ as command
from evals.compare import changes, differences, drafted, grouped, scored, selective, unlike
from evals.orders import Order, measured
from evals.report import read, write


def row(name: str, right: float, corpus: str = "en", **more: Any) -> dict[str, Any]:
    return {"part": "corpus", "corpus": corpus, "id": name, "scores": {"right": right}, **more}


def result(rows: list[dict[str, Any]], suite: str = "qa", **more: Any) -> dict[str, Any]:
    return {"suite": suite, "settings": {}, "n": len(rows), "metrics": {}, "rows": rows, **more}


def test_rows_are_paired_by_corpus_and_id() -> None:
    left = scored([row("a", 1), row("b", 0), row("a", 0, "zh"), row("only", 1)])
    right = scored([row("a", 1, "zh"), row("b", 1), row("a", 1), {"id": "times", "scores": {}}])
    found = {one.corpus: one for one in differences(left, right)}
    assert set(found) == {"en", "zh", "all"}
    assert (found["en"].left, found["en"].right, found["en"].n) == (0.5, 1.0, 2)
    assert found["zh"].less[0] == 1.0
    assert found["all"].n == 3 and found["all"].less[0] == pytest.approx(2 / 3)


def test_rows_of_one_id_are_paired_in_their_order() -> None:
    left, right = scored([row("a", 0), row("a", 1)]), scored([row("a", 1), row("a", 1)])
    assert [(one.corpus, one.n, one.left, one.right) for one in differences(left, right)] == [
        ("en", 2, 0.5, 1.0)
    ]


def test_a_difference_comes_with_its_interval_and_test() -> None:
    rows = [row(str(n), 0) for n in range(40)]
    better = [row(str(n), float(n < 20)) for n in range(40)]
    [one] = differences(scored(rows), scored(better))
    value, low, high = one.less
    assert low < value == 0.5 < high and low > 0 and one.p < 0.001
    [same] = differences(scored(rows), scored(rows))
    assert same.less == (0.0, 0.0, 0.0) and same.p == 1.0


def test_selective_accuracy_is_compared_where_rows_tell_how_sure_they_were() -> None:
    def answers(right_when_sure: bool) -> list[dict[str, Any]]:
        return [
            row(str(n), 1, confidence=n / 100, draft_right=(n >= 50) == right_when_sure) for n in range(100)
        ]

    found = selective(drafted(answers(False)), drafted(answers(True)))
    assert [one.score for one in found] == ["selective accuracy at 0.6", "selective accuracy at 0.7"]
    assert (found[0].left, found[0].right) == (pytest.approx(10 / 60), pytest.approx(50 / 60))
    assert found[0].less[1] > 0 and found[0].p < 0.001 and found[0].n == 100
    [same, _] = selective(drafted(answers(True)), drafted(answers(True)))
    assert same.less == (0.0, 0.0, 0.0) and same.p == 1.0
    assert selective(drafted([row("a", 1)]), drafted([row("a", 1)])) == []


def test_rows_that_share_something_are_resampled_together() -> None:
    left = [row(f"q{n}", 0.0, group=f"d{n % 2}") for n in range(40)]
    right = [row(f"q{n}", 1.0, group=f"d{n % 2}") for n in range(40)]
    [apart] = differences(scored(left), scored(right))
    [together] = differences(scored(left), scored(right), grouped(left))
    assert apart.p < 0.001 and together.p == pytest.approx(0.5, abs=0.03) and together.n == 40


def test_a_model_that_judges_itself_is_told() -> None:
    def of(model: str, named: str = "", **more: str) -> dict[str, Any]:
        return {"versions": {"model": model, **more}, "settings": {"judge_model": named}}

    [told] = unlike(of("a.gguf"), of("b.gguf"))
    assert "judge_model" in told
    assert unlike(of("a.gguf", "a.gguf"), of("b.gguf", "b.gguf")) == [told]
    assert unlike(of("a.gguf", "j", judge="j 1"), of("b.gguf", "j", judge="j 2")) == [told]
    assert unlike(of("a.gguf", "j"), of("b.gguf", "j")) == unlike(of("a.gguf"), of("a.gguf")) == []
    assert unlike(of("a.gguf"), of("extractive")) == [], "which has no judge"
    verifiers = ({"versions": {"model": f"{name}.onnx"}, "settings": {}} for name in "ab")
    assert unlike(*verifiers) == []


def test_what_differs_besides_is_told() -> None:
    left = {"data": {"name": "a", "hash": "1"}, "versions": {"embedder": "x"}, "seed": 0}
    assert unlike(left, left) == []
    assert len(unlike(left, {"data": {"hash": "2"}, "versions": {"embedder": "y"}, "seed": 1})) == 3
    assert unlike(left, {"suite": "qa"}) and unlike({}, {}) == []


def test_settings_that_differ_are_told() -> None:
    assert changes({"passages": 10, "moves": ""}, {"passages": 1, "moves": ""}) == ["passages 10 and 1"]
    assert changes({}, {"strictness": "strict"}) == ["strictness None and strict"]


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    for file, rows in zip(files, ([row("a", 1), row("问", 1)], [row("a", 0)]), strict=True):
        Path(file).write_text(json.dumps(result(rows)), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["evals", "--compare", *files])
    command.main()
    said = capsys.readouterr().out
    assert "corpus\ten\tright\t1.000\t0.000\t-1.000 [-1.000, -1.000]\t1.000\t1\n" in said
    assert f"only in {files[0]}: 1 rows: corpus en 问" in said and "\x1b" not in said


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("{", 1, "not JSON"),
        ("[]", 1, "not a result"),
        (json.dumps(result([row("a", 1)], suite="loop")), 2, "only one suite can be compared"),
        (json.dumps(result([{"id": "a"}])), 2, "no rows with scores"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    text: str, code: int, told: str,
) -> None:  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(result([row("a", 1)])), encoding="utf-8")
    (tmp_path / "b.json").write_text(text, encoding="utf-8")
    monkeypatch.setattr(
        "sys.argv", ["evals", "--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    )
    with pytest.raises(SystemExit) as ended:
        command.main()
    said = ended.value.code if isinstance(ended.value.code, str) else capsys.readouterr().err
    assert told in said and said.strip().count("\n") == 0
    assert (1 if isinstance(ended.value.code, str) else ended.value.code) == code


@pytest.mark.slow
def test_which_chat_model_is_more_faithful(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """As the README of the data says, on documents of one's own; the models write noise."""
    pytest.importorskip("llama_cpp")
    from tests.tiny_gguf import write_tiny_gguf

    monkeypatch.setenv("AGENT_HOME", str(home))
    data = tmp_path / "my"
    data.mkdir()
    (data / "corpus_en.jsonl").write_text(
        '{"doc_id": "a", "text": "The fee is 20 euros."}\n', encoding="utf-8"
    )
    (data / "qa_en.jsonl").write_text(
        '{"question": "How much is the fee?", "answers": ["20"]}\n', encoding="utf-8"
    )
    files = []
    for seed in (0, 1):
        model = write_tiny_gguf(tmp_path / f"{seed}.gguf", context=4096, seed=seed)
        chosen = {"context_tokens": 4096, "max_output_tokens": 16, "max_rounds": 0, "gpu_layers": 0}
        found = measured(Order("qa", data=data, model=str(model), chosen=chosen))
        write(found, tmp_path / f"{seed}.json")
        files.append(read(tmp_path / f"{seed}.json"))
        assert found.versions["model"].startswith(f"{seed}.gguf ") and found.settings["max_rounds"] == 0
        assert found.rows[0]["tokens"] > 0
    assert files[0]["hash"] != files[1]["hash"]
    assert {one.n for one in differences(*(scored(one["rows"]) for one in files))} == {1}
