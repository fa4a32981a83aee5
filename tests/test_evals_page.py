"""The report of evals: what it reads and refuses, its page, its tables."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import __main__ as command
from evals import page, panels, results
from evals.metrics import mean_ci
from evals.page import main, page_of, questions
from evals.results import headlines, markdown, read_results, short_names
from tests.test_page import HOSTILE, checked, leaves, put

ASKED = {"q3": {"id": "q3", "question": "这份合同是什么时候签订的？", "answers": ["2007年"]}}


def answered(n: int) -> dict[str, Any]:
    """A row as `qa` and `refusal` write it; the wrong ones are every third."""
    return {
        "corpus": "zh" if n % 2 else "en",
        "id": f"q{n}",
        "kind": "answerable",
        "answerable": n % 5 > 0,
        "outcome": "verified" if n % 4 else "abstained",
        "answer": f"签订于 {2000 + n} 年。" if n % 2 else f"It was signed in {2000 + n}.",
        "confidence": n / 40,
        "right": n % 3 > 0 and n % 4 > 0,
        "draft_right": n % 3 > 0,
        "f1": 0.5,
        "unsupported": 0,
        "rounds": 0,
        "seconds": 0.01 * (n + 1),
    }


def of(suite: str, metrics: dict[str, Any], rows: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "suite": suite,
        "settings": {"model": "extractive"},
        "n": len(rows),
        "metrics": metrics,
        "rows": rows,
        **more,
    }


SHARE = [0.5, 0.4, 0.6]
QA = {
    "selective accuracy of verified [95 % interval]": SHARE,
    "coverage of verified": 0.75,
    "selective accuracy at coverage": {"0.6": 0.75},
    "seconds_p50": 0.2,
}
ROUND = {"all_support": True, "outcome": "verified", "rounds": 1, "seconds": 0.2}
RESULTS: dict[str, dict[str, Any]] = {
    "qa": of("qa", {"en": QA, "zh": QA}, [answered(n) for n in range(40)]),
    "refusal": of(
        "refusal",
        {"en": {"refusal": {"precision [95 % interval]": SHARE, "recall [95 % interval]": SHARE}}},
        [answered(n) for n in range(20)],
    ),
    "retrieval": of(
        "retrieval",
        {"en": {"hybrid r@1 [95 % interval]": SHARE, "hybrid": {"mrr": 0.7}, "dense": {"r@1": 0.25}}},
        [{"corpus": "en", "id": f"q{n}", "dense": n, "lexical": 10_000, "hybrid": 4 * n} for n in range(4)],
    ),
    "loop": of(
        "loop",
        {
            "all_support_recall": {"0": SHARE, "2": SHARE},
            "all_support_recall single-shot": SHARE,
            "rounds 2 - single-shot, paired p": [0.1, 0.0],
            "moves": {"default": SHARE, "without bridge": SHARE},
            "added": {"en": {"one search and one draft ms p50": 20.0, "added ms p50": 30.0, "loop ms p50": 51.0}},
        },
        [{"id": "q3", "kind": "2hop", "single": {"all_support": True}, "0": ROUND, "2": {**ROUND, "all_support": False}}],
    ),
    "repair": of(
        "repair",
        {
            "deterministic_caught": [1841, 0.997, 0.994, 0.999],
            "caught": {kind: {lang: [9, *SHARE] for lang in ("en", "zh")} for kind in ("number", "date")},
        },
        [
            {
                "id": "r1",
                "kind": "number",
                "reached": True,
                "in_answer": False,
                "faulty": "共有四个。",
                "replaced": "共有三个。",
                "sound": [{"variety": "trimmed", "text": "Two lakes.", "origin": "There are two lakes.", "removed": True}],
            }
        ],
    ),
    "critic": of(
        "critic",
        {"all": {"auroc": 0.8, "ece": 0.1}, "source hans": {"auroc": 0.9}},
        [{"source": "hans", "lang": "zh-Hans", "label": n % 2, "verifier": n / 10} for n in range(10)],
    ),
    "memory": of(
        "memory",
        {"own": {"en": {"all": {"ours": SHARE, "dense": SHARE, "bm25": SHARE, "n": 64}}}},
        [{"id": "m1", "ours": False, "bm25": True, "dense": False, "question": "How long did I run?", "of": "user"}],
    ),
    "speed": of("speed", {"total, ms": [9.0, 12.0], "dense, ms": [3.0, 4.0], "lexical, ms": [5.0, 6.0]}, []),
    "mine": of("mine", {"a": {"b": 2.5}}, []),
}  # fmt: skip


def written(folder: Path, **named: Any) -> list[Path]:
    """Files of results, by their names."""
    files = []
    for name, result in named.items():
        files.append(folder / f"{name}.json")
        files[-1].write_text(result if isinstance(result, str) else json.dumps(result), encoding="utf-8")
    return files


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> list[results.Loaded]:
    return read_results(written(tmp_path_factory.mktemp("results"), **RESULTS))


def test_examples_in_the_docstrings_hold() -> None:
    found = doctest.testmod(results)
    assert found.attempted and not found.failed


# --- the page ---------------------------------------------------------------------------------------------


def test_all_suites_are_on_one_page(every: list[results.Loaded]) -> None:
    parsed = checked(page_of(every, ASKED))
    said = parsed.said()
    assert not parsed.all("src")
    drawings = [attributes for tag, attributes in parsed.tags if tag == "svg"]
    assert len(drawings) >= 15
    assert all("viewbox" in one and one["role"] == "img" for one in drawings)
    for told in (
        "0.500 (0.400 to 0.600)",
        "0.997 (0.994 to 0.999), n 1,841",
        "+0.100, p < 0.001",
        "Questions answered from a whole corpus",  # what the suite's module says of itself
        "a › b",
        "2.50",
        "Verified but wrong, the most confident first",
        "这份合同是什么时候签订的？",  # of the data, by its id
        "2007年",
        "签订于 2003 年。",
        "共有四个。",
        "Two lakes.",
        "How long did I run?",
        "Found by one search and lost by the loop (1)",
        "Not among the first ten (1)",
        "Gain",
        "added by the loop",
        "without bridge",
        "expected calibration error",
        "python -m evals qa --json qa.json",
    ):
        assert told in said, told
    assert "Not drawn" not in said


@pytest.mark.parametrize("suite", sorted(RESULTS))
def test_two_results_stand_side_by_side(tmp_path: Path, suite: str) -> None:
    pair = read_results(written(tmp_path, before=RESULTS[suite], 之后=RESULTS[suite]))
    said = checked(page_of(pair, {})).said()
    assert "before" in said and "之后" in said and "Not drawn" not in said
    assert all(len(row) == len(table.head) for table in headlines(pair) for row in table.rows)


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        ("qa", "Risk by coverage. Not drawn: no rows in bare."),
        ("retrieval", "Recall. Not drawn: no rows in bare."),
        ("critic", "Reliability of the score. Not drawn: no rows in bare."),
        ("loop", "Gain per round. Not drawn: no part `multihop` in these results."),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, suite: str, told: str) -> None:
    bare = {"suite": suite, "n": 0, "metrics": {}}
    assert told in checked(page_of(read_results(written(tmp_path, bare=bare)), {})).said()


def test_bands_of_recall_are_those_of_the_table() -> None:
    """Ten questions about each of four documents, which are found for all ten or for none."""
    rows = [
        {
            "corpus": "en",
            "id": f"q{n}",
            "group": n // 10,
            **dict.fromkeys(("dense", "lexical", "hybrid"), n // 20 * 3),
        }
        for n in range(40)
    ]
    once = [dict(row, group=row["id"]) for row in rows]
    own, apart = (panels._recalls(found, "hybrid") for found in (rows, once))
    assert own[0] == mean_ci([row["hybrid"] < 1 for row in rows], groups=[row["group"] for row in rows])
    assert own[0][0] == apart[0][0] == 0.5
    assert own[0][1] < apart[0][1] - 0.1 and own[0][2] > apart[0][2] + 0.1
    assert own[3] == (1.0, 1.0, 1.0)


def test_rows_of_another_form_are_left_out(tmp_path: Path) -> None:
    rows = [
        answered(1),
        {"corpus": 3, "confidence": "high", "answer": ["a", {"b": None}], "outcome": "verified"},
    ]
    files = written(
        tmp_path,
        qa=of("qa", {"en": 3, "zh": {"f1": [1, 2]}}, rows),
        loop=of(
            "loop", {"all_support_recall": {"0": "half"}, "added": {"en": {}}}, [{"single": 3, "2": None}]
        ),
        retrieval=of("retrieval", {}, [{"corpus": "en", "hybrid": -1, "dense": None, "lexical": 1}]),
        repair=of("repair", {"caught": []}, [{"sound": 3}, {"sound": [4]}]),
    )
    said = checked(page_of(read_results(files), ASKED)).said()
    assert "Not drawn: a row has no number for 'confidence'." in said
    assert (
        "Not drawn: a share has no interval." in said and "Not drawn: the results have another form." in said
    )


def test_what_a_result_says_of_itself_is_shown(tmp_path: Path) -> None:
    more = {
        "part": "multihop",
        "hash": "a1b2c3",
        "versions": {"python": "3.12", "faiss": "1.12"},
        "data": {"name": "small", "hash": "99aa"},
        "seed": 0,
        "started": "2026-11-22T10:00:00",
        "command": ["python", "-m", "evals", "qa", "--data", "my notes"],
        "other": [1, 2],
    }
    text = page_of(read_results(written(tmp_path, qa={**RESULTS["qa"], **more})), {})
    said = checked(text).said()
    for told in (
        "qa, multihop",
        "versions: python 3.12, faiss 1.12",
        "name small, hash 99aa",
        "other: 1 / 2",
    ):
        assert told in said, told
    assert '<td data-name="seed">0</td>' in text and '<td data-name="hash">a1b2c3</td>' in text
    assert "python -m evals qa --data 'my notes'" in said and results.UNSAID not in said


def test_of_many_settings_those_that_differ_are_shown(tmp_path: Path) -> None:
    many = {f"s{n}": n for n in range(9)} | {"model": "extractive", "moves": ""}
    files = written(
        tmp_path,
        a={**RESULTS["qa"], "settings": many},
        b={**RESULTS["qa"], "settings": {**many, "s3": 4}},
    )
    text = page_of(read_results(files), {})
    for n in (3, 4):
        assert f'<td data-name="settings">s3 {n}, model extractive</td>' in text
    assert "settings: s0 0, s1 1" in checked(text).said()


def test_a_share_with_its_interval_beside_it_is_shown_once(tmp_path: Path) -> None:
    name = "containment"
    files = written(tmp_path, a=of("qa", {"en": {name: 0.5, f"{name} [95 % interval]": SHARE}}, []))
    found = read_results(files)
    assert headlines(found)[0].rows == [["right of the answerable", "0.500 (0.400 to 0.600)"]]
    assert results.all_metrics(found).rows == [["en › containment", "0.500 (0.400 to 0.600)"]]


def test_questions_of_the_data_are_known_by_their_id(tmp_path: Path) -> None:
    row = {"id": "q1", "question": "谁？", "answers": ["我"]}
    (tmp_path / "qa_zh.jsonl").write_text(json.dumps(row) + "\n[]\n", encoding="utf-8")
    (tmp_path / "qa_en.jsonl.gz").write_bytes(b"no gzip")
    assert questions(tmp_path) == {"q1": row}
    assert questions(tmp_path / "nowhere") == {}


PLACES = [(suite, path) for suite, result in RESULTS.items() for path in leaves(result) if path[0] != "suite"]


@pytest.mark.slow
@given(st.sampled_from(PLACES), HOSTILE)
def test_no_text_becomes_markup(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, Any], text: str
) -> None:
    suite, path = place
    file = tmp_path_factory.mktemp("hostile") / "a.json"
    file.write_text(json.dumps(put(RESULTS[suite], path, text)), encoding="utf-8")
    shown = page_of(read_results([file]), ASKED)
    shown.encode("utf-8")
    assert not {tag for tag, _ in checked(shown).tags} & {"script", "i", "img", "b"}


def test_a_hostile_name_stays_a_text(tmp_path: Path) -> None:
    name = "</style><script>alert(1)</script>"
    hostile = of(
        name, {name: {f"{name}|`": SHARE, "```": SHARE}}, [{name: name}], part=name, hash=name, command=name
    )
    found = read_results(written(tmp_path, a=hostile))
    assert name in checked(page_of(found, {})).said()
    assert "<script" not in markdown(found).split("```bash")[0]


# --- tables -----------------------------------------------------------------------------------------------


def test_tables_have_their_commands(every: list[results.Loaded]) -> None:
    text = markdown(every)
    for line in (
        "| right among verified | 0.500 (0.400 to 0.600) | 0.500 (0.400 to 0.600) |",
        "| faults caught | 0.997 (0.994 to 0.999), n 1,841 |",
        "| 2 rounds above one search | +0.100, p < 0.001 |",
        "python -m evals qa --json qa.json  # its options are not in the result",
        "| a › b | 2.50 |",
    ):
        assert f"\n{line}\n" in text, line
    assert text.count("```bash\n") == len(RESULTS)
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.replace(r"\|", "").count("|") for line in block.split("\n")}) == 1


def test_an_interval_comes_from_the_rows_where_they_agree(every: list[results.Loaded]) -> None:
    by_suite = {
        one.suite: {row[0]: row[1:] for row in headlines([one])[0].rows} for one in every if headlines([one])
    }
    assert by_suite["qa"]["right at coverage 0.6"] == ["0.750", "0.750"]  # the rows say otherwise
    assert by_suite["retrieval"]["R@1, dense"] == ["0.250 (0 to 0.750)"]
    assert by_suite["retrieval"]["mean reciprocal rank, hybrid"] == ["0.700"]


def test_an_interval_from_the_rows_is_over_what_they_share(tmp_path: Path) -> None:
    rows = [{"corpus": "en", "id": f"q{n}", "group": f"d{n // 4}", "dense": n // 4} for n in range(16)]
    metrics = {"en": {"dense": {"r@1": 0.25}}}
    told = {}
    for name in ("shared", "alone"):
        own = [row if name == "shared" else {**row, "group": row["id"]} for row in rows]
        [one] = read_results(written(tmp_path, **{name: of("retrieval", metrics, own)}))
        told[name] = headlines([one])[0].rows[0][1]
    assert told["shared"] == "0.250 (0 to 0.750)" and told["alone"] == "0.250 (0.062 to 0.438)"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["x/a.json", "y/b.json"], ["a", "b"]),
        (["x/a.json", "y/a.json"], ["x/a", "y/a"]),
        (["r/x/a.json", "s/x/a.json", "s/y/结果.json"], ["r/x/a", "s/x/a", "s/y/结果"]),
        (["a.json", "a.json"], ["a (1)", "a (2)"]),
    ],
)
def test_short_names_tell_files_apart(names: list[str], expected: list[str]) -> None:
    assert short_names([Path(name) for name in names]) == expected


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_number_is_shown_near_what_it_is(value: float) -> None:
    shown = float(results.shown(value).replace(",", ""))
    assert shown == pytest.approx(value, rel=0.06, abs=0.0005)


# --- the command ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON: Expecting property name"),
        ("[]", "no object"),
        ('{"suite": "qa", "n": 1}', "no metrics"),
        ('{"suite": 3, "n": 1, "metrics": {}}', "suite is int, not str"),
        ('{"suite": "qa", "n": true, "metrics": {}}', "n is bool, not int"),
        ('{"suite": "qa", "n": 1, "metrics": {}, "settings": []}', "settings is list, not dict"),
        ('{"suite": "qa", "n": 1, "metrics": {}, "rows": [1]}', "a row is no object"),
        ('{"suite": "qa", "n": 1, "metrics": {"a": NaN}}', "holds NaN, which is no number"),
        ('{"suite": "qa", "n": 1, "metrics": ' + '{"a":' * 50 + "1" + "}" * 51, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_result_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    [file] = written(tmp_path, a=text)
    with pytest.raises(SystemExit) as ended:
        main([str(file), "--html", str(tmp_path / "a.html")])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and error.count("\n") == 1
    assert str(file) in error and told in error
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("prepare", "arguments", "told"),
    [
        (lambda folder: None, ["a.json"], "nothing to write"),
        (lambda folder: None, ["none.json", "--html", "a.html"], "none.json: cannot be read: No such file"),
        (lambda folder: (folder / "a.json").write_bytes(b"\xff"), ["a.json", "--html", "a.html"], "is not UTF-8"),
        (lambda folder: None, ["a.json", "--html", "a.json"], "would be lost"),
        (lambda folder: None, ["a.json", "--html", "no/a.html"], "cannot be written: No such file"),
        (lambda folder: (folder / "README.md").write_text("# Mine"), ["a.json", "--markdown", "README.md"], "no such report"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    prepare: Callable[[Path], object],
    arguments: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, a=RESULTS["qa"])
    prepare(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and error.count("\n") == 1 and told in error
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_the_command_writes_both_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, a=RESULTS["qa"], b=RESULTS["qa"])
    given_ = ["evals", "report", "a.json", "b.json", "--html", "页.html", "--markdown", "t.md", "--data", "."]
    monkeypatch.setattr("sys.argv", given_)
    for _ in range(2):  # its own files are replaced
        command.main()
    assert capsys.readouterr().out == 2 * "wrote 页.html\nwrote t.md\n"
    text = (tmp_path / "页.html").read_text(encoding="utf-8")
    assert text == page_of(read_results([Path("a.json"), Path("b.json")]), {})
    assert page.GENERATOR in text[:500] and (tmp_path / "t.md").read_text(encoding="utf-8").startswith(
        results.MARK
    )
