"""Which activation keeps what is asked again: policies of one capacity over traces of a year of askings.

A trace is which question is asked on which day. Each policy keeps the most active questions at the end of
each day; an asking of one that is kept is a hit. No question is answered, and nothing is stored.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import partial

from agent import policy
from retrieval.records import DAY_S, Age

DAYS = 365
ASKED_A_DAY = 12
DECAY = 0.5  # of ACT-R's base-level law: Anderson and Lebiere 1998, "The atomic components of thought", 3.1

Trace = list[list[int]]
"""The questions of each day."""
Activation = Callable[[Sequence[int], int], float]
"""How present a question is, of the days on which it was asked and the day now."""


def steady(dice: random.Random) -> Trace:
    """Some questions are always asked more than others (Zipf)."""
    weights = [1 / (n + 1) for n in range(1500)]
    return [dice.choices(range(1500), weights, k=ASKED_A_DAY) for _ in range(DAYS)]


def bursts(dice: random.Random) -> Trace:
    """Each question matters for some days; a third of them matter again months later."""
    days: Trace = [[] for _ in range(DAYS)]
    for question in range(700):
        begins = [dice.randrange(DAYS)]
        if dice.random() < 1 / 3:
            begins.append(begins[0] + dice.randrange(60, 180))
        for begin in begins:
            for day in range(begin, min(DAYS, begin + 1 + int(dice.expovariate(1 / 10)))):
                if dice.random() < 0.4:
                    days[day].append(question)
    return days


def drifting(dice: random.Random) -> Trace:
    """How often each question is asked drifts, so that use of old and use of late both tell: Anderson and
    Schooler 1991, "Reflections of the environment in memory"."""
    logs = [dice.gauss(0, 1.5) for _ in range(600)]
    days: Trace = []
    for _ in range(DAYS):
        logs = [0.995 * one + dice.gauss(0, 0.15) for one in logs]
        days.append(dice.choices(range(600), [math.exp(one) for one in logs], k=ASKED_A_DAY))
    return days


def rhythms(dice: random.Random) -> Trace:
    """Questions of every week, month or quarter among ones that are asked once."""
    every = [(question, dice.choice([7, 7, 30, 30, 30, 90]), dice.randrange(90)) for question in range(60)]
    once = iter(range(1000, 1000 + 10 * DAYS))
    return [
        [q for q, period, shift in every if (day + shift) % period == 0]
        + [next(once) for _ in range(ASKED_A_DAY // 4)]
        for day in range(DAYS)
    ]


def shipped(days: Sequence[int], now: int) -> float:
    """`agent.policy.activation` of an episode; all but the first asking were verified uses."""
    at_s = days[-1] * DAY_S
    age = Age("", "mid", "episode", "", days[0] * DAY_S, at_s, len(days) - 1, len(set(days)), False, None)
    return policy.activation(age, now * DAY_S)


def base_level(days: Sequence[int], now: int) -> float:
    """ACT-R's base level, ln of the sum of the askings' ages to the power of -d."""
    return math.log(sum((now - day + 1) ** -DECAY for day in days))


def base_level_in_short(days: Sequence[int], now: int) -> float:
    """The same of the first and the last asking and their number alone.

    Petrov 2006, "Computationally efficient approximation of the base-level learning equation", with k = 1.
    """
    since, age = now - days[-1] + 1, now - days[0] + 1
    total = since**-DECAY
    if age > since:
        total += (len(days) - 1) * (age ** (1 - DECAY) - since ** (1 - DECAY)) / ((1 - DECAY) * (age - since))
    else:
        total *= len(days)
    return math.log(total)


def latest(days: Sequence[int], now: int) -> float:
    return float(days[-1])


def most(days: Sequence[int], now: int) -> float:
    return float(len(days))


TRACES = {"steady": steady, "bursts": bursts, "drifting": drifting, "rhythms": rhythms}
POLICIES: dict[str, Activation] = {
    "shipped": shipped,
    "ACT-R": base_level,
    "ACT-R in short": base_level_in_short,
    "the latest used": latest,
    "the most used": most,
}


def hits(trace: Trace, activation: Activation, capacity: int) -> list[tuple[int, int]]:
    """For each day how many askings met a kept question, of how many."""
    kept: dict[int, list[int]] = {}
    found = []
    for day, asked in enumerate(trace):
        found.append((sum(question in kept for question in asked), len(asked)))
        for question in asked:
            kept.setdefault(question, []).append(day)
        ranked = sorted(kept, key=partial(_rank, kept, activation, day))
        kept = {question: kept[question] for question in ranked[:capacity]}
    return found


def _rank(kept: dict[int, list[int]], activation: Activation, day: int, question: int) -> tuple[float, int]:
    return -activation(kept[question], day), -kept[question][-1]
