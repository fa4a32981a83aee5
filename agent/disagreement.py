"""Says where the files disagree with an answer: quotes the other side, and names both with their dates.

What contradicts what is found by `agent.conflicts`, the dates by `agent.dated`; it does not say who is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from agent.conflicts import conflicts
from agent.critic import critique_claims
from agent.dated import document_date
from agent.reasoners import Reasoner
from agent.reasoners.extractive import new_claim
from agent.reasoners.features import Asked, plain, stems
from agent.state import Claim, Conflict, Evidence, Lang
from retrieval.tokens import STOP_WORDS, is_chinese

Dated = tuple[str, str]  # a document's name and its date, ISO or ""


@dataclass(frozen=True)
class Said:
    """What one document says, for `conflict_sentence`."""

    name: str
    date: str  # ISO, or ""
    value: str


def disagreement(
    asked: Asked,
    answer: str,
    claims: Sequence[Claim],
    evidence: Sequence[Evidence],
    sources: Mapping[int, str],
    judge: Reasoner,
) -> dict[str, Any]:
    """What other passages say against an answer: claims that quote them, and a line that says so."""
    found = contradicting(asked, claims, evidence, sources)
    if not found:
        return {}
    checked = critique_claims(asked.text, [claim for _, claim in found], evidence, sources, judge)
    pairs = [
        (conflict, claim)
        for (conflict, _), claim in zip(found, checked, strict=True)
        if claim["verdict"] == "supported"
    ]
    if not pairs:
        return {}
    said = {claim["text"] for claim in claims}
    against = [conflict for conflict, _ in pairs]
    lines = lines_of(asked, claims, against, evidence, sources)
    return {
        "conflicts": against,
        "disagreements": lines,
        "claims": [*claims, *(claim for _, claim in pairs if claim["text"] not in said)],
        "answer": "\n".join([answer, *lines]),
    }


def contradicting(
    asked: Asked, claims: Sequence[Claim], evidence: Sequence[Evidence], sources: Mapping[int, str]
) -> list[tuple[Conflict, Claim]]:
    """What contradicts the claims, each with a claim, not critiqued yet, that quotes it."""
    by_number = {item["number"]: item for item in evidence}
    found = []
    for conflict in conflicts(asked, claims, _alike(claims, evidence)):
        number, start, end = conflict["evidence"], conflict["start"], conflict["end"]
        text = sources.get(by_number[number]["document_id"], "")[start:end]
        found.append(
            (conflict, new_claim(plain(text), [], [{"evidence": number, "start": start, "end": end}]))
        )
    return found


def _alike(claims: Sequence[Claim], evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence that is cited, or shares half the words of a cited sentence: only that can contradict it.

    A cheap look before the thorough one of `agent.conflicts`, which most answers need not pay for.
    """
    cited = {citation["evidence"] for claim in claims for citation in claim["citations"]}
    said = [frozenset(stems(c["quote"])) - STOP_WORDS for claim in claims for c in claim["citations"]]
    kept = []
    for item in evidence:
        words = frozenset(stems(f"{item['heading']} {item['text']}"))
        if item["number"] in cited or any(2 * len(words & own) >= len(own) for own in said):
            kept.append(item)
    return kept if len(kept) > 1 else []


def lines_of(
    asked: Asked,
    claims: Sequence[Claim],
    found: Sequence[Conflict],
    evidence: Sequence[Evidence],
    sources: Mapping[int, str],
) -> list[str]:
    """One line for each value that is contradicted, in the question's language, newest first if known."""
    lines: list[str] = []
    told: set[frozenset[Said]] = set()
    for n, ours in dict.fromkeys((conflict["claim"], conflict["ours"]) for conflict in found):
        against = [conflict for conflict in found if (conflict["claim"], conflict["ours"]) == (n, ours)]
        said = [_said(_cited(claims[n], ours), ours, evidence, sources)]
        said += [_said(one["evidence"], one["theirs"], evidence, sources) for one in against]
        if (sides := frozenset(said)) not in told:  # two claims may contradict each other
            told.add(sides)
            lines.append(conflict_sentence(asked.lang, said))
    return lines


def _cited(claim: Claim, value: str) -> int:
    """Number of the evidence in which a claim's value stands."""
    holding = [one for one in claim["citations"] if value in one["quote"]] or claim["citations"]
    return holding[0]["evidence"]


def _said(number: int, value: str, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Said:
    item = next(item for item in evidence if item["number"] == number)
    date = item.get("when", "")[:10]
    date = date or document_date(item["path"], item["title"], sources.get(item["document_id"], ""))
    return Said(PurePath(item["path"]).name or item["title"], date, value)


def newer(left: str, right: str) -> int:
    """1 where the first of two ISO dates is the newer one, -1 where it is the older, 0 where unknown.

    "" is unknown; partial dates are compared as far as both say.
    """
    if not left or not right:
        return 0
    for a, b in zip(left.split("-"), right.split("-"), strict=False):
        if a != b:
            return 1 if int(a) > int(b) else -1
    return 0


def newest_first(said: Sequence[Said]) -> list[Said]:
    """Newest first where every two dates tell which; else as given."""
    for n, one in enumerate(said):
        for other in said[n + 1 :]:
            if newer(one.date, other.date) == 0 and one.date != other.date:
                return list(said)
            if not one.date:
                return list(said)
    return sorted(said, key=lambda one: one.date, reverse=True)


def conflict_sentence(lang: Lang, said: Sequence[Said]) -> str:
    """One plain line that says that sources disagree, newest first where the dates are known."""
    ordered = newest_first(said)
    if lang == "zh":
        return "你的文件说法不一：" + "，".join(_said_zh(one) for one in ordered) + "。"
    return "Your files disagree: " + ", ".join(_said_en(one) for one in ordered) + "."


def _said_en(one: Said) -> str:
    date = f" ({one.date})" if one.date else ""
    return f"{one.name}{date} says {_short(one.value)}"


def _said_zh(one: Said) -> str:
    date = f"（{one.date}）" if one.date else ""
    return f"{one.name}{date}写的是{_short(one.value)}"


def _short(value: str) -> str:
    """A value on one line; a whole sentence in quotation marks, cut where it is long."""
    value = " ".join(value.split()).rstrip(".。")
    if len(value) > 120:
        value = value[:119].rstrip() + "…"
    sentence = len(value.split()) > 5 or (is_chinese(value) and len(value) > 15)
    return f"“{value}”" if sentence else value
