"""The comparison with peers: drivers in processes of their own, what becomes of bad ones, and the page."""

from __future__ import annotations

import doctest
import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from evals.peers import __main__ as command
from evals.peers import install, page, process, runner, scores
from evals.peers.crowd import Crowd, busy_s
from evals.peers.table import OURS, PEERS
from evals.report import Result

GOOD = """
import json, pathlib
class Store:
    def __init__(self, folder, model):
        print("a banner on stdout")
        self.file = pathlib.Path(folder, "index.json")
    def warm(self): pass
    def ingest(self, rows): self.file.write_text(json.dumps(rows))
    def load(self): self.rows = json.loads(self.file.read_text())
    def query(self, question, k):
        shared = lambda row: len(set(question) & set(row["title"] + row["text"]))
        return [row["doc_id"] for row in sorted(self.rows, key=shared, reverse=True)][:k]
    def answer(self, question): return {"text": self.rows[0]["text"], "outcome": "verified"}
"""
BAD = {
    "worse": GOOD + "    def warm(self): raise MemoryError('no room\\nat all')",
    "crashing": GOOD + "    def query(self, *a): import os, sys; print('gone', file=sys.stderr); os._exit(3)",
    "hanging": GOOD + "    def ingest(self, rows): import time; time.sleep(60)",
    "silent": "raise SystemExit",
}
CORPUS = [
    {"doc_id": "en", "title": "Lease", "text": "The contract was signed on 1 March 2026."},
    {"doc_id": "zh", "title": "會議", "text": "會議於五月十二日舉行。"},
    {"doc_id": "zh-Hans", "title": "花生", "text": "她对花生过敏。"},
]
ASKED: list[dict[str, Any]] = [
    {"id": "1", "question": "When was the contract signed?", "doc_id": "en", "answers": ["1 March 2026"]},
    {"id": "2", "question": "會議何時舉行？", "doc_id": "zh", "answers": ["五月十二日"]},
    {"id": "3", "question": "谁对花生过敏？", "doc_id": "zh-Hans", "answers": ["她"]},
]


def way(folder: Path, name: str, code: str) -> runner.Way:
    driver = folder / f"{name}.py"
    driver.write_text(code, encoding="utf-8")
    serve = command.DRIVERS / "serve.py"
    return runner.Way(name, (sys.executable, "-ISP", str(serve), str(driver)), {})


def work(folder: Path, **more: Any) -> runner.Work:
    questions = [row["question"] for row in ASKED]
    return runner.Work(CORPUS, questions, questions[:1], folder, "model", 1, **more)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, runner.Measured]:
    """Two that work, beside every kind that does not."""
    folder = tmp_path_factory.mktemp("work")
    babbling = (sys.executable, "-ISPc", "print('Loading weights ...'); input()")
    ways = [
        way(folder, "ours", GOOD),
        *(way(folder, name, code) for name, code in BAD.items()),
        runner.Way("babbling", babbling, {}),
        runner.Way("absent", (str(folder / "no" / "python"),), {}),
        runner.Way("missing", (), {}, "it could not be installed: no such version"),
        way(folder, "theirs", GOOD.replace("reverse=True", "reverse=False")),
    ]
    given = work(folder, adding_limit_s=1.0)
    found = runner.measure(ways, given)
    runner.answer_all(ways[0], given, found["ours"])
    return found


def test_ways_do_the_same_work(measured: dict[str, runner.Measured]) -> None:
    for name in ("ours", "theirs"):
        one = measured[name]
        assert one.failed == ""
        assert len(one.adding) == len(one.cold_s) == 1 and len(one.asking) == len(ASKED)
        assert one.asking_peak_mb > 1 and one.adding[0]["peak_mb"] > 1 and one.adding[0]["disk_mb"] > 0
        assert one.cold_s[0] > one.asking[0]["seconds"] > 0
    assert [one["ids"][0] for one in measured["ours"].asking] == ["en", "zh", "zh-Hans"]
    assert measured["ours"].answers[0]["answer"]["outcome"] == "verified"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("worse", "warm: MemoryError: no room at all"),
        ("crashing", "query: it ended with code 3: gone"),
        ("hanging", "ingest: no answer within 1 s"),
        ("silent", "warm: it ended with code 0"),
        ("babbling", "warm: said 'Loading weights ...' in place of an answer"),
        ("absent", "cannot be started: No such file or directory"),
        ("missing", "it could not be installed: no such version"),
    ],
)
def test_a_peer_that_fails_says_how(measured: dict[str, runner.Measured], name: str, said: str) -> None:
    assert measured[name].failed == said
    assert not measured[name].asking


def result(measured: dict[str, runner.Measured]) -> dict[str, Any]:
    settings = {
        "ours": "ours",
        "command": "python -m evals.peers",
        "date": "2026-11-22",
        "machine": "Linux",
        "cores": 2,
        "others": 0.5,
        "python": "3.11.0",
        "rounds": 1,
        "peers": [{"name": "theirs", "how": "so", "packages": ["x==1"], "licence": "MIT", "missing": ""}],
    }
    peers = scores.summary(measured, "ours", ASKED)
    metrics = {
        "zh": {"n": 3, "documents": 3, "peers": peers, "answers": scores.answers(measured["ours"], ASKED)}
    }
    return asdict(Result("peers", settings, 3, metrics, hash="0123456789ab"))


def test_scores_and_page(measured: dict[str, runner.Measured], tmp_path: Path) -> None:
    told = result(measured)
    json.dumps(told)
    peers = told["metrics"]["zh"]["peers"]
    assert peers["ours"]["r@1"][0] == 1.0 and peers["theirs"]["r@1"][0] < 1.0
    assert peers["theirs"]["r@5"][0] == 1.0 and peers["theirs"]["r@5 p"] == 1.0
    assert "r@1 p" not in peers["ours"] and peers["crashing"] == {"failed": measured["crashing"].failed}
    text = page.page(told)
    assert "crashing took no part: query: it ended with code 3: gone." in text
    assert "| theirs | so | x==1 | MIT | yes |" in text
    assert "answered 1.00 (1.00-1.00)" in text
    assert str(tmp_path.parent) not in text and "{" not in text
    rows = [line.count("|") for line in text.splitlines() if line.startswith("| theirs")]
    assert len(rows) == 3 and rows[1] == len(page.COSTS) + 2


def test_times_of_a_busy_machine_are_called_so() -> None:
    assert page.crowd({"cores": 2, "others": None}) == page.crowd({"cores": 2, "others": 0.2}) == ""
    assert "1.3 of its cores meanwhile" in page.crowd({"cores": 2, "others": 1.312})


def test_where_a_peer_wins_is_said() -> None:
    ours = {key: [0.5, 0.4, 0.6] for key in page.SCORES} | dict.fromkeys(page.COSTS, 10.0)
    even = {f"{key} p": 0.4 for key in page.SCORES} | {f"{key}, times": [2.0, 1.5, 2.5] for key in page.COSTS}
    better = {**ours, **even, "r@1": [0.9, 0.8, 1.0], "r@1 p": 0.001, "query ms, times": [0.5, 0.4, 0.6]}
    unsure = {**ours, **even, "r@1": [0.6, 0.5, 0.7], "query ms, times": [0.9, 0.5, 1.5]}
    metrics = {"en": {"peers": {"ours": ours, "A": unsure, "B": better, "C": {"failed": "gone"}}}}
    assert page.wins(metrics, "ours").splitlines() == [
        "- **en, R@1:** B 0.900 against 0.500 (p 0.001); A 0.600 against 0.500 (p 0.400: may be chance).",
        "- **en, query, ms:** B 0.5x; 0.4-0.6; A 0.9x; 0.5-1.5 (no clear difference).",
    ]
    alone = {"en": {"peers": {"ours": ours, "A": {**ours, **even}}}}
    assert page.wins(alone, "ours") == "Nowhere in this run.\n"
    assert "Nowhere" in page.wins({"en": {"peers": {"ours": {"failed": "gone"}, "A": unsure}}}, "ours")


def test_a_document_counts_once_where_it_is_found() -> None:
    assert scores.rank(["a", "a", "b"], "b") == 1
    assert scores.rank([], "b") is None
    assert scores.reciprocal(None) == 0.0 and scores.reciprocal(1) == 0.5


def test_ratios_of_few_are_told_with_their_range() -> None:
    assert scores.ratio([2.0, 8.0], [1.0, 1.0]) == (4.0, 2.0, 8.0)
    middle, low, high = scores.ratio([2.0] * 20 + [4.0] * 20, [1.0] * 40)
    assert 2.0 < low < middle < high < 4.0
    assert scores.ratio([0.0], [0.0]) == (1.0, 1.0, 1.0)


def test_questions_are_spread_over_the_corpus() -> None:
    rows = [{"id": n} for n in range(10)]
    assert [row["id"] for row in command.spread(rows, 3)] == [0, 3, 6]
    assert command.spread(rows, None) == rows == command.spread(rows, 99)


def test_pins_are_exact_and_drivers_are_there() -> None:
    for peer in PEERS:
        assert all(re.fullmatch(r"[\w-]+==[\w.]+", package) for package in peer.packages)
    assert {f"{one.driver}.py" for one in (OURS, *PEERS)} | {"serve.py", "__init__.py"} == {
        file.name for file in command.DRIVERS.glob("*.py")
    }


def test_what_is_installed_stands_until_its_pins_change(tmp_path: Path) -> None:
    peer = PEERS[0]
    assert install.versions(peer, tmp_path) == {}
    stamp = {"packages": list(peer.packages), "versions": {"torch": "2.13.0"}}
    (tmp_path / install.STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    assert install.versions(peer, tmp_path) == {"torch": "2.13.0"} and install.install(peer, tmp_path) == ""
    (tmp_path / install.STAMP).write_text(json.dumps({**stamp, "packages": []}), encoding="utf-8")
    assert install.versions(peer, tmp_path) == {}


def test_what_cannot_be_installed_says_why(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ERROR: No matching distribution found for x==1' >&2\nexit 1\n")
    python.chmod(0o755)
    told = install.install(PEERS[0], tmp_path / "made", str(python))
    assert told == "No matching distribution found for x==1"
    assert install.versions(PEERS[0], tmp_path / "made") == {}


def test_peers_are_chosen_by_name() -> None:
    assert [peer.name for peer in command.chosen("bm25s, Chroma")] == ["Chroma", "BM25s"]
    assert command.chosen(None) == list(PEERS)
    with pytest.raises(SystemExit, match="no such peer: nobody"):
        command.chosen("nobody")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--limit", "0"], "--limit must be at least 1, not 0"),
        (["--rounds", "-1"], "--rounds must be at least 1, not -1"),
        (["--json", "."], ".: is a folder: name a file"),
        (["--out", "no/page.md"], "no/page.md: its folder is not there: name a file"),
        (["--data", "no/data"], "no such folder: no/data"),
        (["--data", "tests"], "tests: no corpus_en.jsonl and its questions"),
        (["--only", "Chroma"], "this is a part of what PEERS.md tells: name another page with --out"),
    ],
)
def test_what_cannot_be_measured_is_said_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    monkeypatch.setattr("sys.argv", ["evals.peers", *options])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"{said}\n"


def test_others_count_for_what_they_took(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 0 50 900 40 5 5 0 0 0\ncpu0 1 1 1\n", encoding="ascii")
    assert busy_s(stat) == pytest.approx(160 / os.sysconf("SC_CLK_TCK"))
    crowd = Crowd(stat)
    stat.write_text("cpu  999100 0 50 900 40 5 5 0 0 0\n", encoding="ascii")
    assert (crowd.cores() or 0) > 100
    assert Crowd(tmp_path / "none").cores() is None


def test_drivers_have_no_settings_and_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("ANONYMIZED_TELEMETRY", "true")
    told = command.surroundings(tmp_path)
    assert not [name for name in told if name.startswith(("PYTHON", "AGENT_", "VIRTUAL_ENV"))]
    assert told["HOME"] == str(tmp_path) and told["HF_HUB_OFFLINE"] == "1"
    assert told["ANONYMIZED_TELEMETRY"] == "false" and told["HAYSTACK_TELEMETRY_ENABLED"] == "False"


@pytest.mark.parametrize("module", [install, page, process, scores], ids=lambda m: m.__name__)
def test_examples(module: Any) -> None:
    assert doctest.testmod(module).failed == 0
