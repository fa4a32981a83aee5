"""What is overtaken is left out; the last of it never is."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from agent.latest import Latest


@given(st.lists(st.integers(), max_size=20))
def test_the_last_is_written_and_nothing_twice(items: list[int]) -> None:
    written: list[int] = []
    latest = Latest(written.append)
    for item in enumerate(items):
        latest.give(item)  # type: ignore[arg-type]
    latest.close()
    latest.close()
    assert written == sorted(set(written)) and written[-1:] == list(enumerate(items))[-1:]


def test_what_is_forgotten_is_not_written() -> None:
    written: list[str] = []
    latest = Latest(written.append, pause_s=60.0)
    latest.give("一")
    while not written:
        time.sleep(0.01)
    latest.give("二")
    latest.forget()
    latest.close()
    assert written == ["一"]
    assert not latest._thread.is_alive(), "a pause ends with it"


def test_who_gives_does_not_wait() -> None:
    begun, go, written = threading.Event(), threading.Event(), []

    def write(item: str) -> None:
        begun.set()
        go.wait(10)
        written.append(item)

    latest = Latest(write)
    latest.give("一")
    assert begun.wait(10)
    for item in ("二", "三", "四"):
        latest.give(item)
    go.set()
    latest.close()
    assert written == ["一", "四"]
