"""What the memory suite asks: questions made by rule, and a world that changes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from evals.changing import NAMES, World
from evals.data import SMALL_DATA, read_rows
from evals.recalled import exchanges, own_questions, questions
from evals.suites.memory import misspelt_pairs

TURNS = {
    "en": ("I adopted a grey kitten yesterday", "A quiet corner helps a kitten"),
    "zh": ("我昨天领养了一只灰色小猫", "安静的角落对小猫有帮助"),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_question_has_one_exchange_that_it_needs(lang: str) -> None:
    said, reply = TURNS[lang]
    days = ("2023-04-27", "2023-04-28")
    sessions = [
        {"date": day, "turns": [{"role": "user", "text": said}, {"role": "assistant", "text": reply}]}
        for day in days
    ]
    found = exchanges([{"user": "Ada", "sessions": sessions}])
    made = questions(found, lang)
    assert [one.day.isoformat() for one in found] == list(days)
    assert made and all(one["kind"] == "dated" for one in made), "without its day none is definite"
    for one in made:
        day = "27" if "2023-04-27" in one["needed"] else "28"
        assert day in one["question"] and one["needed"] in {each.id for each in found}
    assert made == questions(found, lang)


def test_peoples_own_questions_come_with_the_exchanges_that_answer_them() -> None:
    references = read_rows(SMALL_DATA / "memory_references.jsonl")
    assert len({row["id"] for row in references}) == len(references) > 100
    assert all(row["needed"] and row["of"] in ("user", "assistant") for row in references)
    asked = [{"id": references[0]["id"], "question": "How long?"}, {"id": "unknown", "question": "Why?"}]
    [one] = own_questions([{"user": "Ada", "questions": asked}])
    assert one["question"] == "How long?" and one["needed"] == references[0]["needed"]


def test_the_world_knows_what_is_true(tmp_path: Path) -> None:
    world = World(tmp_path, random.Random(1))
    world.begin()
    for _ in range(60):
        world.event()
        for (_, name), value in world.values.items():
            assert str(value) in world.files[next(k for k in world.files if k[1] == name)].read_text("utf-8")
    assert set(tmp_path.iterdir()) == set(world.files.values())
    assert len(world.before) == sum(map(len, NAMES.values()))


def test_misspelt_pairs_share_the_wrong_word() -> None:
    rows = [
        {"answerable": True, "doc_id": "d", "question": f"{start} the greenhouse?"}
        for start in ("Who built", "When is")
    ]
    [(doc_id, left, right)] = misspelt_pairs(rows, "en")
    assert doc_id == "d" and left.split()[-1] == right.split()[-1] != "greenhouse?"
