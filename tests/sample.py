"""Questions over the sample documents, and sentences that a model may write in answer to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CONTRACT = "When was the contract signed?"
SIGNED = "The contract was signed on 1 March 2026 by Ada Fischer, the landlord."
FEE = "会费每人每年多少钱？"
PAID = "会费每人每年120元，由何佳收取。"
GOOD = [(CONTRACT, SIGNED), (FEE, PAID)]
# In other words than the source's: the checks leave it to the judge.
REWORDED = {
    CONTRACT: "On 1 March 2026 Ada Fischer put her name to it, making the contract binding.",
    FEE: "何佳负责收会费，每人每年要交120元。",
}
FALSE = {CONTRACT: "The monthly rent is $3,500.", FEE: "会费每人每年130元。"}
WRONG = {CONTRACT: "The contract was signed on 2 March 2026.", FEE: "会费每人每年130元。"}


def drafted(*sentences: str, passages: Sequence[int] = (1,)) -> dict[str, Any]:
    """A chat model's draft."""
    return {"sentences": [{"text": text, "passages": list(passages)} for text in sentences]}
