"""A year of use, simulated: turns and episodes day by day under the policy, with a clock of its own.

No question is answered: what is written is what a run would write. Words are drawn from a made-up vocabulary.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from agent import memory
from agent.episodes import Manner
from agent.likeness import key_of
from agent.turns import find_turns
from retrieval.embed import HashEmbedder
from retrieval.library import STORE_FILE, Library
from retrieval.records import DAY_S, Record

DAYS = 365
TURNS, EPISODES = 10_000, 2_000
START_S = 1_800_000_000.0
PINNED = "pinned"
SEARCHES = 20
MANNER = Manner(("extractive",), "1", 0.5)


@dataclass(frozen=True)
class Quarter:
    """How large the library was after so many days, and how long one search of each kind took."""

    day: int
    turns: int
    episodes: int
    kept: int
    size_bytes: int
    recall_ms: float
    turns_ms: float


def simulate(folder: Path, tidy_days: int = 1) -> Iterator[Quarter]:
    """Four quarters of a year of use, each as it ends. `tidy_days`: between two times of tidying up."""
    dice = random.Random(7)
    vocabulary = [f"word{n}" for n in range(3000)]
    with Library(folder, HashEmbedder) as library:
        library.put_record(_record(PINNED, "mid", "episode", "favourite", START_S, pinned=True))
        turns = episodes = 0
        for day in range(DAYS):
            now_s = START_S + day * DAY_S
            new = []
            while turns < (day + 1) * TURNS // DAYS:
                text = " ".join(dice.choices(vocabulary, k=6))
                at_s = now_s + turns % 100
                new.append(_record(f"t{turns}", "short", "turn", text, at_s, thread=f"{day // 7}"))
                turns += 1
                if episodes < (day + 1) * EPISODES // DAYS:
                    new.append(_record(f"e{episodes}", "mid", "episode", text, at_s))
                    episodes += 1
            used = [f"e{dice.randrange(max(1, episodes - 60), episodes)}" for _ in range(3)]
            library.put_records(
                [(one, "") for one in new], used=[*used, "e0"] if day < 5 else used, at_s=now_s
            )
            if day % tidy_days == 0:
                memory.tidy(library, now_s)
            if day + 1 in (DAYS // 4, DAYS // 2, 3 * DAYS // 4, DAYS):
                memory.tidy(library, now_s)
                yield _quarter(library, folder, day + 1)


def _record(
    name: str, tier: str, kind: str, text: str, at_s: float, *, thread: str = "", pinned: bool = False
) -> Record:
    payload = {"standalone": text, "answer": text, "outcome": "verified", "run_id": "", "spans": []}
    key = key_of(text) if kind == "episode" else ""
    return Record(name, tier, kind, thread, text, payload, at_s, at_s, 0, key, pinned=pinned)


def _quarter(library: Library, folder: Path, day: int) -> Quarter:
    library.store.erase()
    counts = library.store.record_counts()
    started = time.process_time()
    for n in range(SEARCHES):
        memory.recall(library, library, f"word{n} word{n + 1} word{n + 2} word{n + 3}", MANNER)
    recalled = time.process_time()
    for n in range(SEARCHES):
        find_turns(library, f"word{n} word{n + 1} word{n + 2}", date(2028, 1, 1))
    done = time.process_time()
    return Quarter(
        day,
        counts["short"]["turn"],
        counts.get("mid", {}).get("episode", 0),
        counts.get("long", {}).get("episode", 0),
        (folder / STORE_FILE).stat().st_size,
        (recalled - started) / SEARCHES * 1000,
        (done - recalled) / SEARCHES * 1000,
    )
