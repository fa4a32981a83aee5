"""The verifier's file as it is shipped: whole, small enough, and saying what it said when it was measured."""

from __future__ import annotations

import hashlib

import pytest

from agent.reasoners.features import fitted_with
from agent.verifier import Verifier, shipped

SHA256 = "f6df3aa0f88ab3096c7254a0ceb6bceb14571d0079c76692485dee9dcda57d31"
MILL = "Mills: The ferry crosses the lake at noon. The old mill by the lake burnt in 1911. Nobody was hurt."
LEASE = "The tenant pays a rent of 1,200 euros on the third day of each month. The landlord pays for repairs of the roof."
LIGHT = "灯塔由陈海生看守了三十年。灯塔高十八米，灯光十五海里外可见。"


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier(shipped())


def test_the_file_is_the_one_of_the_model_card() -> None:
    assert hashlib.sha256(shipped().read_bytes()).hexdigest() == SHA256
    assert SHA256 in shipped().with_name("MODEL_CARD.md").read_text(encoding="utf-8")
    assert shipped().stat().st_size <= 30_000_000


def test_the_weights_for_a_reader_were_fitted_with_it() -> None:
    assert SHA256.startswith(fitted_with()) and len(fitted_with()) == 12


@pytest.mark.parametrize(
    ("question", "passage", "find", "answer"),
    [
        ("When did the old mill burn?", MILL, 0.98, "1911"),
        ("Who built the mill?", MILL, 0.07, ""),
        ("How much is the rent?", LEASE, 0.95, "1,200 euros"),
        ("灯塔由谁看守？", LIGHT, 0.98, "陈海生"),
        ("港口的门票多少钱？", LIGHT, 0.12, ""),
    ],
)
def test_five_known_scores(verifier: Verifier, question: str, passage: str, find: float, answer: str) -> None:
    """Processors round a little differently."""
    assert verifier.find(question, [passage]) == [pytest.approx(find, abs=0.05)]
    (span,) = verifier.answer(question, [passage])
    assert (passage[span.start : span.end] if span else "") == answer


def test_what_is_said_is_supported_more_than_what_is_not(verifier: Verifier) -> None:
    said, unsaid = verifier.check(
        [(LEASE, f"The rent is {euros} euros a month.") for euros in ("1,200", "900")]
    )
    assert said == pytest.approx(0.70, abs=0.05) and unsaid == pytest.approx(0.34, abs=0.05)


def test_an_answer_far_down_a_long_passage_is_found(verifier: Verifier) -> None:
    long = "The harbour is closed in winter. " * 120 + MILL
    (span,) = verifier.answer("When did the old mill burn?", [long])
    assert span and long[span.start : span.end] == "1911"


def test_the_card_says_what_the_file_says(verifier: Verifier) -> None:
    card = shipped().with_name("MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"{verifier._open()[2]['window']} tokens" in card
    for wanted in ("Data", "Licences", "Figures", "Limits"):
        assert wanted in card
