"""The gate: what it lets pass, what it does not, and that something real makes it fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import gate
from evals.compare import Scored
from evals.metrics import drop_p

flags = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30)


def rows(values: list[float], name: str = "right") -> Scored:
    return {("corpus", "en", str(n), 0): {name: float(value)} for n, value in enumerate(values)}


def test_five_rows_that_fall_are_more_than_noise() -> None:
    before = [1.0] * 60
    assert gate.falls(rows(before), rows([0.0] * 4 + [1.0] * 56)) == []
    [fall] = gate.falls(rows(before), rows([0.0] * 5 + [1.0] * 55))
    assert (fall.fell, fall.rose, fall.n) == (5, 0, 60)
    assert str(fall) == "corpus right: 1.000 -> 0.917, 5 of 60 rows fell and 0 rose (p 0.031)"


def test_rows_that_rise_make_up_for_those_that_fall() -> None:
    before, after = [1.0] * 6 + [0.0] * 6, [0.0] * 6 + [1.0] * 6
    assert gate.falls(rows(before), rows(after)) == []
    assert gate.falls(rows(before), rows(before)) == []


def test_what_must_never_happen_and_what_is_exact() -> None:
    for name, allowed in (("not stale", 0), ("lexical r@1", 0), ("hybrid r@5", 1), ("right", 4)):
        for fallen in range(5):
            after = rows([0.0] * fallen + [1.0] * (9 - fallen), name)
            assert bool(gate.falls(rows([1.0] * 9, name), after)) is (fallen > allowed), (name, fallen)
    swapped = rows([0.0, 1.0], "lexical r@1"), rows([1.0, 0.0], "lexical r@1")
    assert gate.falls(*swapped) == []


def test_scores_that_are_gone_are_told() -> None:
    assert gate.unasked(rows([1.0, 1.0]), rows([1.0])) == 1
    assert gate.unasked(rows([1.0]), rows([1.0], "other")) == 1
    assert gate.unasked(rows([1.0]), rows([1.0, 1.0])) == 0


@given(flags)
def test_a_drop_is_seen_from_one_side_only(pairs: list[tuple[bool, bool]]) -> None:
    before, after = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    p = drop_p(before, after)
    assert 0 < p <= 1 and p == drop_p(before, after)
    if sum(after) >= sum(before):
        assert p > 0.4
    assert drop_p(before, before) == 1.0


def test_the_baseline_is_of_what_is_measured() -> None:
    known = json.loads(gate.BASELINE.read_text("utf-8"))
    assert list(known) == list(gate.ORDERS)
    for one in known.values():
        found = gate.read_scored(one["rows"])
        assert len(found) == len(one["rows"]) and gate.means(found) == one["scores"]


def test_the_baseline_is_written_as_it_is_read(tmp_path: Path) -> None:
    known = json.loads(gate.BASELINE.read_text("utf-8"))
    gate.write(known, tmp_path / "baseline.json")
    assert (tmp_path / "baseline.json").read_bytes() == gate.BASELINE.read_bytes()


def test_an_unknown_part_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.gate(suite="speed") == 2
    assert "choose among qa, repair" in capsys.readouterr().err


@pytest.mark.slow
def test_the_gate_fails_where_something_real_is_damaged(
    cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "evals"
    home.mkdir()
    (home / "cache").symlink_to(cache_folder)
    monkeypatch.setenv("AGENT_HOME", str(home))
    assert gate.gate(suite="memory") == 0
    assert gate.gate(suite="memory", changes={"passages": 1, "max_evidence": 1, "strictness": "strict"}) == 1
    assert "FELL memory" in capsys.readouterr().out
