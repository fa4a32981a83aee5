"""Operands that the question only names: found exactly, or not at all."""

from __future__ import annotations

import pytest

from agent.operands import fill_operands
from agent.state import Evidence
from tools import Call, ToolError
from tools.base import Kind, wanted


def passage(text: str, number: int = 1, title: str = "") -> Evidence:
    return {
        "number": number, "kind": "passage", "chunk_id": number, "document_id": number, "path": f"{number}.txt",
        "title": title, "heading": "", "page": None, "start": 0, "end": len(text), "text": text, "score": 1.0,
        "cosine": 0.0, "query": "", "relevance": 1.0, "link": None, "round": 0, "rests_on": [],
    }  # fmt: skip


def look_up(kind: Kind, texts: list[str], *phrases: str) -> list[str | None]:
    call: Call = {"tool": "t", "operation": "o", "operands": [wanted(kind, phrase) for phrase in phrases]}
    evidence = [passage(text, number) for number, text in enumerate(texts, start=1)]
    filled, spans = fill_operands(call, evidence)
    for span, operand in zip(spans, filled["operands"], strict=True):
        assert operand["value"] is not None
        assert texts[span["evidence"] - 1][span["start"] : span["end"]]
    return [operand["value"] for operand in filled["operands"]]


@pytest.mark.parametrize(
    ("kind", "text", "phrase", "value"),
    [
        ("date", "The contract was signed on 1 March 2026 by Ada.", "the contract date", "2026-03-01"),
        ("date", "The deadline for giving notice is 12 May 2026.", "the deadline for notice", "2026-05-12"),
        ("date", "合同签订日期是2026年3月1日。", "合同签订日期", "2026-03-01"),
        ("number", "The lease year has 365 days and the rent is 800 euros.", "the rent", "800 euros"),
        ("number", "Room 12 has a rent of about 500 euros.", "the rent", "500 euros"),
        ("number", "The rent is 1,200 euros and the deposit is 3,600 euros.", "the rent", "1,200 euros"),
        ("number", "The rent is 1,200 euros and the deposit is 3,600 euros.", "the deposit", "3,600 euros"),
        ("number", "项目预算是500万元。", "项目预算", "500万元"),
    ],
)
def test_value_of_a_phrase(kind: Kind, text: str, phrase: str, value: str) -> None:
    assert look_up(kind, [text], phrase) == [value]


@pytest.mark.parametrize(
    ("kind", "texts", "phrases"),
    [
        # what tells two things apart is missing
        ("number", ["Rent of flat A: 1,200 euros."], ["the rent of flat C"]),
        ("date", ["Otto Kahn signed the contract on 5 June 2025."], ["the birth date of Otto Kahn"]),
        ("date", ["甲合同签订日期是2026年3月1日。"], ["乙合同签订日期"]),
        # several values fit
        ("number", ["The rent is 700 euros.", "The rent is 900 euros."], ["the rent"]),
        ("number", ["The rent was 700 euros in 2020, 800 in 2021, 900 in 2022."], ["the rent"]),
        ("number", ["The salary ranges from 1000 to 2000 euros."], ["the salary"]),
        ("date", ["The deadline was moved from 12 May 2026 to 30 June 2026."], ["the deadline"]),
        # denied, doubted, or no value of the kind
        ("date", ["It is false that the contract was signed on 5 June 2025."], ["the contract date"]),
        ("date", ["The contract was not signed on 5 June 2025."], ["the contract date"]),
        ("date", ["合同可能在2026年3月1日签订。"], ["合同签订日期"]),
        ("number", ["Sales fell by 20 %."], ["the sales"]),
        ("number", ["The rent is due on 5 June 2025."], ["the rent"]),
        # one value cannot be two things
        ("number", ["The rent and the deposit are 900 euros."], ["the rent", "the deposit"]),
    ],
)
def test_what_is_not_certain_is_not_computed(kind: Kind, texts: list[str], phrases: list[str]) -> None:
    with pytest.raises(ToolError):
        look_up(kind, texts, *phrases)


def test_two_things_told_apart_by_a_letter() -> None:
    texts = ["Rent of flat A: 1,200 euros.", "Rent of flat B: 900 euros."]
    assert look_up("number", texts, "the rent of flat A", "the rent of flat B") == [
        "1,200 euros",
        "900 euros",
    ]
