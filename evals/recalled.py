"""Questions about earlier talk, made by rule from conversations: what was said, by whom, and when.

Each asks for one exchange (a message and its reply). Its words are two words side by side that stand in that
exchange and in no other one of the day it names, or in no other one at all where it names none. So the
reference is definite; the wording is the rule's, not a person's.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from evals.data import SMALL_DATA, read_rows
from retrieval.tokens import STOP_WORDS, fold, segments

PER_USER = 42  # questions, half of them with a day
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
_MONTHS = "January February March April May June July August September October November December".split()
ASKED = {
    "en": {
        "user": (
            "What did I tell you about {what}{when}?",
            "I mentioned {what}{when}. What was it that I said?",
        ),
        "assistant": ("What did you tell me about {what}{when}?", "What was your advice about {what}{when}?"),
    },
    "zh": {
        "user": ("{when}我跟你说过{what}，我是怎么说的？", "{when}我提到{what}的时候说了什么？"),
        "assistant": ("{when}关于{what}你给我的建议是什么？", "{when}你跟我说过的{what}是怎么回事？"),
    },
}


@dataclass(frozen=True)
class Exchange:
    """A message and its reply."""

    id: str
    user: str
    day: date
    said: str
    reply: str


def exchanges(rows: Sequence[dict[str, object]]) -> list[Exchange]:
    """The exchanges of conversations as `memory_en` and `memory_zh` have them."""
    found = []
    for row in rows:
        for session in row["sessions"]:  # type: ignore[attr-defined]
            turns = session["turns"]
            for n in range(0, len(turns) - 1, 2):
                pair = turns[n : n + 2]
                if [one["role"] for one in pair] == ["user", "assistant"]:
                    name = f"{row['user']} {session['date']} {n // 2:02}"
                    day = date.fromisoformat(session["date"])
                    found.append(Exchange(name, str(row["user"]), day, pair[0]["text"], pair[1]["text"]))
    return found


def own_questions(people: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What people asked themselves of earlier talk, where it is definite which exchanges answer.

    As `questions`, with `user`. `needed` are several: any of them will do, or where `all` is set, only all.
    They were read out by hand, into `memory_references.jsonl`.
    """
    references = {row["id"]: row for row in read_rows(SMALL_DATA / "memory_references.jsonl")}
    return [
        {**references[one["id"]], "question": one["question"], "user": person["user"], "kind": "all"}
        for person in people
        for one in person["questions"]
        if one["id"] in references
    ]


def questions(found: Sequence[Exchange], lang: str, seed: int = 1) -> list[dict[str, str]]:
    """`question`, `needed` (an exchange's id), `kind` ("dated" or "undated") and `of` ("user" or "assistant")."""
    dice = random.Random(seed)
    made: list[dict[str, str]] = []
    pairs = {(one.id, of): _pairs(text, lang) for one in found for of, text in _sides(one)}
    everywhere = Counter(
        pair for one in found for pair in {*pairs[one.id, "user"], *pairs[one.id, "assistant"]}
    )
    of_day = Counter(
        (one.day, pair) for one in found for pair in {*pairs[one.id, "user"], *pairs[one.id, "assistant"]}
    )
    for user in dict.fromkeys(one.user for one in found):
        own = [one for one in found if one.user == user]
        dice.shuffle(own)
        for n in range(PER_USER):
            one, of, dated = own[n % len(own)], ("user", "assistant")[n // 2 % 2], n % 2 == 0
            fitting = [
                pair
                for pair in pairs[one.id, of]
                if (of_day[one.day, pair] == 1 < everywhere[pair] if dated else everywhere[pair] == 1)
            ]
            fitting = fitting or [p for p in pairs[one.id, of] if dated and of_day[one.day, p] == 1]
            if fitting:
                what = dice.choice(sorted(fitting))
                asked = ASKED[lang][of][dice.randrange(2)].format(what=what, when=_when(one.day, lang, dated))
                kind = "dated" if dated else "undated"
                made.append({"question": asked, "needed": one.id, "kind": kind, "of": of})
    return made


def _sides(one: Exchange) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("user", one.said), ("assistant", one.reply)


def _when(day: date, lang: str, dated: bool) -> str:
    if not dated:
        return ""
    return f" on {_MONTHS[day.month - 1]} {day.day}" if lang == "en" else f"在{day.month}月{day.day}日，"


def _pairs(text: str, lang: str) -> set[str]:
    """Words of a text, in Chinese, or two side by side, in English, that are no stop words."""
    if lang == "zh":
        words = [text[start:end] for start, end in segments(text)]
        return {word for word in words if len(word) > 1 and word not in STOP_WORDS and word.isalnum()}
    found = set()
    for run in re.split(r"[^A-Za-z'’ -]+", text):
        words = _WORD.findall(run)
        for left, right in pairwise(words):
            if fold(left) not in STOP_WORDS and fold(right) not in STOP_WORDS and f"{left} {right}" in run:
                found.add(f"{left} {right}".lower())
    return found
