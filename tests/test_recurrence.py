"""Policies of what is kept, over traces of askings."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.recurrence import DAYS, POLICIES, TRACES, base_level, base_level_in_short, hits


@pytest.mark.parametrize("name", POLICIES)
def test_a_hit_is_an_asking_of_what_was_kept(name: str) -> None:
    trace = [[1, 2], [1, 3], [1, 2], [1]]
    assert hits(trace, POLICIES[name], 3) == [(0, 2), (1, 2), (2, 2), (1, 1)]
    assert hits(trace, POLICIES[name], 1) == [(0, 2), (1, 2), (1, 2), (1, 1)]


@pytest.mark.parametrize("name", TRACES)
def test_traces_are_of_a_year_and_the_same_each_time(name: str) -> None:
    trace = TRACES[name](random.Random(3))
    assert len(trace) == DAYS and sum(map(len, trace)) > 300
    assert trace == TRACES[name](random.Random(3)) != TRACES[name](random.Random(4))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=30).map(sorted))
def test_the_short_form_of_the_base_level_is_near_the_whole(days: list[int]) -> None:
    assert abs(base_level(days, 301) - base_level_in_short(days, 301)) < 1.0
    assert base_level(days, 301) > base_level(days, 400)
