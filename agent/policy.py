"""What becomes of records as time passes: pure functions of records and a clock.

A record's activation falls with the time since its last use and rises with every *verified* use. Below a
floor it expires; used on separate days, or pinned, it is kept for good; more than there is room for go, the
least active first. Nothing pinned ever goes. It deletes nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from retrieval.records import DAY_S, Age, Record

# Days without use after which half of the activation is left: what was asked, and what the user said himself.
HALF_LIFE_DAYS = {"episode": 30.0, "statement": 365.0, "correction": 365.0}
FLOOR = 0.05  # activation below which a record expires: unused, an episode lives for 130 days
PROMOTE_DAYS = 3  # separate days with a verified use that make a record one to keep
MID_CAPACITY = 1_000  # records of tier mid
LONG_CAPACITY = 5_000  # promoted ones that nobody pinned
TURN_CAPACITY = 4_000  # turns of all threads together
RUN_DAYS = 90.0  # that a run is kept which no record rests on
TURN_DAYS = 180.0  # that a turn is kept after its thread was last used


Aged = Record | Age


@dataclass(frozen=True)
class Tidying:
    """Ids of records: those that move to tier long, and those that go, by the reason."""

    promoted: list[str]
    expired: list[str]
    """Below the floor, or superseded for so long."""
    crowded_out: list[str]
    """More than there is room for."""


def activation(record: Aged, now_s: float) -> float:
    """How present a record is, at least 0: (1 + verified uses) halved once in a half-life without use."""
    return _activation(record, now_s - record.used_s)


def _activation(record: Aged, idle_s: float) -> float:
    idle_days = max(0.0, idle_s) / DAY_S
    return float((1 + record.uses) * 0.5 ** (idle_days / HALF_LIFE_DAYS.get(record.kind, 30.0)))


def used(record: Record, at_s: float) -> Record:
    """A record after one verified use more."""
    first = not record.uses or int(record.used_s // DAY_S) < int(at_s // DAY_S)
    return replace(record, uses=record.uses + 1, days=record.days + first, used_s=max(record.used_s, at_s))


def is_kept(record: Aged) -> bool:
    """Whether a record is one for good."""
    return record.pinned or record.days >= PROMOTE_DAYS


def is_expired(record: Aged, now_s: float) -> bool:
    """Whether a record has fallen below the floor. What no longer holds falls from when it ceased to."""
    if record.pinned or (is_kept(record) and record.ended_s is None):
        return False
    return _activation(record, now_s - max(record.used_s, record.ended_s or 0.0)) < FLOOR


def tidying(
    records: Sequence[Aged],
    now_s: float,
    mid_capacity: int = MID_CAPACITY,
    long_capacity: int = LONG_CAPACITY,
) -> Tidying:
    """What is to become of the records of the tiers mid and long."""
    expired = [one for one in records if is_expired(one, now_s)]
    gone = {one.id for one in expired}
    alive = [one for one in records if one.id not in gone]
    promoted = [one.id for one in alive if one.tier == "mid" and is_kept(one)]
    mid = [one for one in alive if not is_kept(one)]
    long = [one for one in alive if is_kept(one) and not one.pinned]
    crowded = [*_beyond(mid, mid_capacity, now_s), *_beyond(long, long_capacity, now_s)]
    return Tidying([one for one in promoted if one not in crowded], [one.id for one in expired], crowded)


def _beyond(records: Sequence[Aged], capacity: int, now_s: float) -> list[str]:
    """Ids of the least active records beyond a capacity."""
    ranked = sorted(records, key=lambda one: (-activation(one, now_s), -one.created_s, one.id))
    return [one.id for one in ranked[capacity:]]


def old_turns(
    turns: Sequence[Aged], now_s: float, capacity: int = TURN_CAPACITY, days: float = TURN_DAYS
) -> list[str]:
    """Ids of the turns that go: of threads that rest for long, and the oldest beyond a capacity."""
    last: dict[str, float] = {}
    for turn in turns:
        last[turn.thread] = max(last.get(turn.thread, 0.0), turn.created_s)
    newest = sorted(turns, key=lambda one: (-one.created_s, one.id))
    return [
        one.id
        for place, one in enumerate(newest)
        if not one.pinned and (place >= capacity or now_s - last[one.thread] > days * DAY_S)
    ]
