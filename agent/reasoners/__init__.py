"""Reasoners: what plans, drafts, judges and reformulates.

`extractive` does it by rules and word statistics, `chat` through a chat model; `scripted` is the shipped
double of a chat model. This file holds only what they have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from agent.state import Claim, Draft, Evidence, Plan, Query, Turn, Verdict


class Reasoner(Protocol):
    """The decisions of a run that need reading. Every method may raise `ModelError`."""

    name: str

    def condense(self, question: str, turns: Sequence[Turn]) -> str:
        """The question so that it can be understood without the turns before it."""
        ...

    def plan(self, question: str, today: date) -> Plan: ...

    def draft(
        self,
        question: str,
        plan: Plan,
        evidence: Sequence[Evidence],
        kept: Sequence[Claim] = (),
        failed: Sequence[Claim] = (),
    ) -> list[Claim]:
        """Claims with the evidence numbers they rest on.

        `kept`: verified claims of earlier rounds, or the quotations of a sweep; `failed`: claims of the last
        draft that were not verified, each to be mended or left out.
        """
        ...

    def judge(
        self, question: str, claims: Sequence[Claim], evidence: Sequence[Evidence]
    ) -> list[tuple[Verdict, str]]:
        """A verdict and its reason for each claim that the checks left undecided."""
        ...

    def reformulate(
        self,
        question: str,
        plan: Plan,
        evidence: Sequence[Evidence],
        draft: Draft,
        tried: Sequence[str],
        *,
        shown: Sequence[Evidence] = (),
    ) -> list[Query]:
        """New queries, none of them tried before; empty when there is nothing left to try.

        `evidence`: all that was found, most promising first; `shown`: what the draft was given, in its order.
        """
        ...
