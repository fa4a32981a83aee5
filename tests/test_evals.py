"""Metrics, and the suites on the small data that ships."""

from __future__ import annotations

import ast
import doctest
import gzip
import json
import shutil
import subprocess
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import __main__ as command
from evals import ingesters, metrics, orders
from evals.data import SMALL_DATA, corpora, read_rows
from evals.orders import Order, about, chosen, code_hash
from evals.parts import SUITES, parts_of
from evals.suites import ingest, searches
from evals.suites.qa import first_draft
from tests.processes import ROOT


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


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_groups_of_one_change_nothing(values: list[float]) -> None:
    alone = range(len(values))
    assert metrics.mean_ci(values, groups=alone) == metrics.mean_ci(values)
    assert metrics.paired_p(values, values[::-1], groups=alone) == metrics.paired_p(values, values[::-1])


def test_what_is_said_ten_times_counts_once() -> None:
    values = [float(n % 2) for n in range(10)]
    ten_times, groups = [v for v in values for _ in range(10)], [n for n in range(10) for _ in range(10)]
    assert metrics.mean_ci(ten_times, groups=groups) == pytest.approx(metrics.mean_ci(values))
    _, low, high = metrics.mean_ci(ten_times)
    assert high - low < 0.6 * (metrics.mean_ci(values)[2] - metrics.mean_ci(values)[1])
    one, none = [1.0] * 30, [0.0] * 30
    assert metrics.paired_p(one, none) < 0.001
    assert metrics.paired_p(one, none, groups=["a"] * 15 + ["b"] * 15) == pytest.approx(0.5, abs=0.03)


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
        assert result["suite"] == suite and result["part"] == "corpus" and result["prompts"]
        assert result["n"] == len(result["rows"]) > 0
        assert {"settings", "metrics", "versions", "seed", "started", "finished"} <= set(result)
        assert f"data data {result['data']['hash']}, hash {result['hash']}" in capsys.readouterr().out
        assert all(row["part"] == "corpus" and row["scores"] for row in result["rows"])
        assert not list(tmp_path.glob("*.partial"))
    assert result["metrics"]["zh"]["unsupported_sentences"] == 0
    assert len(result["metrics"]["zh"]["containment [95 % interval]"]) == 3


def test_a_missing_data_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["evals", "retrieval", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="no corpus_"):
        command.main()


def order(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["evals", *arguments])
    command.main()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["qa", "--part", "other"], "qa has no part 'other': choose among corpus"),
        (["speed", "--part", "ingests"], "speed has no part 'ingests': choose among cold, retrieval"),
        (["loop", "--part", "multihop:3"], "takes nothing after a colon"),
        (["speed", "--part", "hybrid:many"], "hybrid of speed takes a number after the colon, not 'many'"),
        (["qa", "--settings", "max_round=2"], "did you mean max_rounds?"),
        (["qa", "--settings", "max_rounds"], "KEY=VALUE"),
        (["qa", "--settings", "max_rounds=many"], "max_rounds='many' is not a valid int"),
        (["qa", "--settings", "passages=99"], "passages must be between 1 and 20"),
        (["qa", "--settings", "moves=jump"], "there is no 'jump'"),
        (["retrieval", "--model", "a.gguf"], "retrieval has no model to choose"),
        (["speed", "--settings", "passages=2"], "leave out --settings"),
        (["qa", "--limit", "0"], "--limit must be at least 1"),
        (["qa", "--data", "/nowhere"], "no such folder: /nowhere"),
        (["--part", "other"], "name a suite: critic"),
        (["gate", "--update", "--settings", "passages=1"], "--update is of gate"),
        (["qa", "--update"], "--update is of gate"),
        (["gate", "--model", "a.gguf", "--limit", "3"], "leave out --model and --limit"),
        (["qa", "--compare", "a.json", "b.json"], "--compare takes two results and nothing else"),
        (["gate", "--part", "speed"], "the gate has no part 'speed'"),
        (["qa", "--json", "evals"], "evals is a folder: name a file in it"),
        (["loop", "--part", "multihop", "--lang", "zh"], "loop --part multihop is of English alone"),
        (["qa", "--keep"], "--keep is of the result that --json FILE names"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        order(monkeypatch, *arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and told in said and said.count("\n") == 1


def test_without_a_suite_all_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    order(monkeypatch)
    said = capsys.readouterr().out
    for name, suite in SUITES.items():
        assert f"\n{name} " in said and all(f"\n  {part}" in said for part in suite.parts)


def test_every_suite_has_its_parts() -> None:
    for name, suite in SUITES.items():
        module = import_module(f"evals.suites.{name}")
        assert callable(module.run) and any(part.default for part in suite.parts.values())
        assert set(getattr(module, "PARTS", suite.parts)) == set(suite.parts)


def test_the_hash_is_of_what_decides_the_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("corpus_zh.jsonl", "qa_zh.jsonl"):
        (tmp_path / name).write_bytes((SMALL_DATA / name).read_bytes())
    (tmp_path / "a.gguf").write_bytes(b"weights")
    plain = Order("qa", data=tmp_path, lang="zh", alone=True)
    hashes = {
        about(one)["hash"]
        for one in (
            plain,
            replace(plain, limit=3),
            replace(plain, chosen={"max_rounds": 1}),
            replace(plain, model=str(tmp_path / "a.gguf"), alone=False),
            Order("refusal", data=tmp_path, lang="zh", alone=True),
        )
    }
    assert len(hashes) == 5
    assert about(plain)["hash"] == about(replace(plain, chosen={"max_rounds": 2}))["hash"], "the default"
    first = about(plain)
    (tmp_path / "corpus_fr.jsonl").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("AGENT_MAX_ROUNDS", "7")
    assert about(plain) == first, "neither another corpus nor a variable decides"
    assert about(replace(plain, alone=False))["settings"]["max_rounds"] == 7
    packed = tmp_path / "corpus_zh.jsonl"
    packed.with_name("corpus_zh.jsonl.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    assert about(plain)["data"]["hash"] == first["data"]["hash"], "packed or not"


def test_what_nothing_has_changed_since_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "critic.json"
    asked = ["critic", "--limit", "1", "--lang", "zh", "--json", str(out), "--keep"]
    for damaged in (None, "{", "[]", '{"hash": "of something else"}'):
        if damaged:
            out.write_text(damaged, encoding="utf-8")
        order(monkeypatch, *asked)
        written = out.read_bytes()
        assert "not measured again" not in capsys.readouterr().out
    order(monkeypatch, *asked)
    assert out.read_bytes() == written and "not measured again" in capsys.readouterr().out
    [row] = json.loads(written)["rows"]
    assert row["part"] == "answer" and row["corpus"] == "zh", "of the small data, which has no claims"


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_eval_measures_every_suite_and_reports_what_is_there() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "-n", "eval", "DATA=my data"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    ordered = [line for line in done.stdout.splitlines() if line.endswith(" --keep")]
    assert all('--data "my data"' in line for line in ordered)
    assert set(SUITES) - {"lexical"} == {line.split("-m evals ")[1].split()[0] for line in ordered}
    for line in ordered:
        suite, *options = line.split("-m evals ")[1].split()
        parts_of(suite, options[1] if options[0] == "--part" else None)
        name = f"{suite}.{options[1]}" if options[0] == "--part" else suite
        assert f" .results/{name}.json " in f"{line} "
    assert "evals report" in done.stdout.splitlines()[-1]


def test_what_the_data_have_no_files_for_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "retrieval.distractors.json"
    out.write_text('{"hash": "of other data"}', encoding="utf-8")
    order(monkeypatch, "retrieval", "--part", "distractors", "--json", str(out), "--keep")
    assert "no data for it: distractors" in capsys.readouterr().err and not out.exists()
    assert Order("loop", lang="zh").parts == ["recovered", "added"]
    assert Order("loop", lang="en").parts == ["multihop", "recovered", "added"]


def test_files_of_one_name_count_each(tmp_path: Path) -> None:
    hashes = set()
    for first, second in (("1", "1"), ("2", "1"), ("1", "2")):
        for folder, text in (("docs_en/a", first), ("docs_en/b", second)):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / "index.md").write_text(text, encoding="utf-8")
        hashes.add(orders.data_hash(Order("speed", part="ingest", data=tmp_path)))
    assert len(hashes) == 3


def test_figures_written_down_do_not_change_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_code() -> str:
        return code_hash(("evals",), (".py", ".md"))

    monkeypatch.setattr(orders, "ROOT", tmp_path)
    (tmp_path / "evals" / "data").mkdir(parents=True)
    (tmp_path / "evals" / "a.py").write_text("1", encoding="utf-8")
    before = of_code()
    for name in ("RESULTS.md", "PEERS.md", "LOG.md", "data/README.md", "panels.py"):
        (tmp_path / "evals" / name).write_text("figures", encoding="utf-8")
    assert of_code() == before
    (tmp_path / "evals" / "a.py").write_text("2", encoding="utf-8")
    assert of_code() != before


def imports(file: Path) -> set[Path]:
    """Our own modules that a module imports, within functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{one.name}" for one in node.names)]
            found |= {ROOT / f"{name.replace('.', '/')}.py" for name in names}
        elif isinstance(node, ast.Import):
            found |= {ROOT / f"{one.name.replace('.', '/')}.py" for one in node.names}
    return {one for one in found if one.is_file()}


def test_code_that_does_not_count_is_not_used_to_measure() -> None:
    used: set[Path] = set()
    folders = (ROOT / "evals" / "suites", ROOT / "evals" / "peers")
    todo = {ROOT / "evals" / "orders.py", *(file for one in folders for file in one.rglob("*.py"))}
    while todo:
        used |= todo
        todo = {one for file in todo for one in imports(file)} - used
    names = {one.relative_to(ROOT).as_posix() for one in used}
    assert {"evals/metrics.py", "retrieval/library.py", "agent/graph.py"} <= names
    assert not {name for name in names if name.startswith(orders.NOT_CODE)}


def test_the_command_tells_what_was_in_force(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AGENT_HOME", str(tmp_path))
    assert orders.command(Order("qa")) == "python -m evals qa"
    monkeypatch.setenv("AGENT_MAX_ROUNDS", "7")
    monkeypatch.setenv("AGENT_JUDGE_MODEL", str(tmp_path / "judge.gguf"))
    told = orders.command(Order("qa", model="/models/a.gguf", chosen={"passages": 3}))
    assert told == (
        "python -m evals qa --model a.gguf --settings=judge_model=judge.gguf"
        " --settings=max_rounds=7 --settings=passages=3"
    )
    assert orders.command(Order("speed")) == "python -m evals speed"


def test_a_file_counts_by_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "scorer.onnx"
    hashes = set()
    for data in (b"one", b"two"):
        file.write_bytes(data)
        hashes.add(about(Order("qa", alone=True, chosen={"scorer_model": str(file)}))["hash"])
    assert len(hashes) == 2


def test_parts_without_data_are_left_out(tmp_path: Path) -> None:
    assert Order("memory").parts == ["stale", "speed", "rounds", "year"]
    assert Order("memory", part="own").parts == ["own"]
    (tmp_path / "memory_zh.jsonl").touch()
    assert Order("memory", data=tmp_path).parts == ["turns", "own", "stale", "year"]
    assert Order("refusal", data=tmp_path).parts == ["corpus", "passages"], "it says what is missing"


def test_a_limit_may_take_questions_from_all_over() -> None:
    assert Order("qa", limit=2).some("abcd") == ["a", "b"]
    assert Order("qa", limit=2, spread=True).some("abcd") == ["a", "c"]
    assert Order("qa", limit=9, spread=True).some("abcd") == Order("qa").some("abcd") == list("abcd")


def test_settings_are_read_as_their_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["max-rounds=3", " timeout_s = 1.5", "read_only=yes", "moves=all", "model=a=b"]
    kinds = {"max_rounds": 3, "timeout_s": 1.5, "read_only": True, "moves": "all", "model": "a=b"}
    assert chosen(given) == kinds
    monkeypatch.setenv("AGENT_PASSAGES", "4")
    own = Order("qa", chosen={"passages": 3}, model="extractive").settings(remember=False)
    assert (own.passages, own.model, own.remember) == (3, "extractive", False)
    assert Order("qa").settings().passages == 4 and Order("qa", alone=True).settings().passages == 10


def test_of_a_chat_model_its_first_draft_counts() -> None:
    def events(model: str, *verdicts: str) -> list[dict[str, object]]:
        judged = [{"text": "", "verdict": one, "reason": ""} for one in verdicts]
        return [{"event": "draft", "model": model}, {"event": "critique", "verdicts": judged}]

    twice = events("a.gguf", "supported", "unsupported") + events("a.gguf", "supported")
    assert first_draft(twice) == {"wrote": "a.gguf", "readable": True, "drafted": 2, "supported": 1}
    empty = first_draft(events("a.gguf"))
    assert (empty["readable"], empty["drafted"]) == (True, 0), "it says that the passages do not answer"
    unread = first_draft(events("extractive", "supported"))
    assert (unread["readable"], unread["drafted"]) == (False, 0)
    assert first_draft([]) == {"wrote": "", "readable": False, "drafted": 0, "supported": 0}


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
