"""Remarks reach the node that listens, from other threads too, and nobody else."""

from __future__ import annotations

from agent.critic.entail import within
from agent.remarks import hearing, remark


def test_remarks_are_heard_once_and_not_outside() -> None:
    remark("to nobody")
    with hearing() as outer:
        remark("一")
        with hearing() as inner:
            within(5.0, lambda: remark("two"))
            remark("two")
        remark("一")
    assert (outer, inner) == (["一"], ["two"])
