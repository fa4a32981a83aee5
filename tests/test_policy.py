"""What time makes of records: pure functions, and a simulated year of use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import policy
from evals.year import simulate
from retrieval.library import Library
from retrieval.records import DAY_S, Record

NOW = 1_800_000_000.0


def record(name: str = "r", *, idle_days: float = 0.0, kind: str = "episode", **more: object) -> Record:
    used_s = NOW - idle_days * DAY_S
    one = Record(name, "mid", kind, "", name, {}, used_s, used_s, 0)
    return replace(one, **more)  # type: ignore[arg-type]


def test_activation_falls_with_time_and_rises_with_use() -> None:
    assert policy.activation(record(), NOW) == 1
    assert policy.activation(record(idle_days=30), NOW) == pytest.approx(0.5)
    assert policy.activation(record(idle_days=30, uses=3), NOW) == pytest.approx(2)
    assert policy.activation(record(idle_days=30, kind="statement"), NOW) > 0.9


@given(st.floats(0, 5000), st.integers(0, 50), st.floats(0, 5000))
def test_what_is_pinned_never_goes(idle_days: float, uses: int, later: float) -> None:
    pinned = record(idle_days=idle_days, uses=uses, pinned=True)
    done = policy.tidying([pinned], NOW + later * DAY_S, mid_capacity=0, long_capacity=0)
    assert done.expired == done.crowded_out == [] and done.promoted == ["r"]


def test_the_unused_expire_and_the_used_stay() -> None:
    old = [record("unused", idle_days=131), record("used", idle_days=131, uses=4), record("new")]
    assert policy.tidying(old, NOW).expired == ["unused"]


def test_use_on_separate_days_promotes_and_on_one_does_not() -> None:
    one = record()
    for hour in range(5):
        one = policy.used(one, NOW + hour * 60)
    assert (one.uses, one.days, policy.is_kept(one)) == (5, 1, False)
    for day in (1, 2):
        one = policy.used(one, NOW + day * DAY_S)
    assert one.days == 3 and policy.tidying([one], NOW).promoted == ["r"]
    assert not policy.is_expired(one, NOW + 10_000 * DAY_S)
    ended = replace(one, ended_s=NOW)
    assert policy.is_expired(ended, NOW + 10_000 * DAY_S), "what no longer holds is not kept for ever"


def test_what_was_superseded_falls_from_then_on() -> None:
    long_unused = record(idle_days=200, uses=3, days=3, tier="long", ended_s=NOW)
    assert policy.tidying([long_unused], NOW).expired == []
    assert policy.tidying([long_unused], NOW + 300 * DAY_S).expired == ["r"]
    ended_before = record(idle_days=0, ended_s=NOW - 300 * DAY_S)
    assert not policy.is_expired(ended_before, NOW), "it was used since"


def test_the_store_counts_days_as_the_policy_does(hashed: Library) -> None:
    one = record()
    hashed.put_record(one)
    for at_s in (NOW, NOW + 60, NOW + DAY_S, NOW + 3 * DAY_S, NOW + 3 * DAY_S + 5):
        hashed.store.use_record("r", at_s)
        one = policy.used(one, at_s)
    assert hashed.store.record("r") == one


def test_beyond_the_capacity_the_least_active_go() -> None:
    many = [record(f"r{n}", idle_days=n) for n in range(10)]
    assert policy.tidying(many, NOW, mid_capacity=7).crowded_out == ["r7", "r8", "r9"]


def test_turns_go_with_their_thread_and_beyond_a_capacity() -> None:
    turns = [replace(record(f"t{n}", idle_days=n, kind="turn"), thread="a", tier="short") for n in range(5)]
    resting = replace(record("old", idle_days=200, kind="turn"), thread="b", tier="short")
    first = replace(record("first", idle_days=300, kind="turn"), thread="a", tier="short")
    assert policy.old_turns([*turns, resting, first], NOW) == ["old"], "a thread in use keeps its beginning"
    assert policy.old_turns(turns, NOW, capacity=3) == ["t3", "t4"]


@pytest.mark.slow
def test_a_year_of_use_stays_bounded(tmp_path: Path) -> None:
    """10,000 turns and 2,000 episodes: what is there at the year's end is no more than at its middle."""
    _, half, _, year = simulate(tmp_path / "library", tidy_days=7)
    assert year.turns <= policy.TURN_CAPACITY and year.episodes <= policy.MID_CAPACITY
    assert year.kept >= 2, "what is pinned, and what was used on several days"
    assert year.size_bytes <= 1.15 * half.size_bytes
    assert year.recall_ms <= 3 * half.recall_ms + 5 and year.turns_ms <= 3 * half.turns_ms + 5
