"""Splits what a chat model calls one sentence into claims that can be judged one by one.

Sentences, list items and table rows become claims of their own, in both languages; speech without punctuation
is cut at a pause. Quotations stay whole: their span says what they are. It neither rewrites a sentence nor
resolves its pronouns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agent.citations import parse_marks
from agent.state import Claim
from retrieval.split import sentences
from tools.numbers import find_numbers

_MARKER = re.compile(
    r"^\s*(?:[-*+•·●▪–—>#]+\s+|\d{1,3}[.)、](?!\d)\s*|[(（]\d{1,3}[)）]\s*|[一二三四五六七八九十]{1,3}、)"
)
_INLINE_ITEM = re.compile(r"(?<=[.;:。；：])\s+(?=(?:[-*•]|\d{1,2}[.)])\s)|(?<=[。；：])(?=\d{1,2}[.、])")
_RULE = re.compile(r"^\s*\|?(?:\s*:?-{2,}:?\s*\|?)+\s*$")
_BARE_NUMBER = re.compile(r"^[\W\d_]*$")
_LEADS_IN = re.compile(r"[:：]\s*$")
_RUNS_ON = re.compile(r"[,，、:：].*[^.!?。！？；;…\"”’)）」』】]\s*$|[,，、]\s*$", re.S)
_MARKS_AFTER = re.compile(
    r"([.!?。！？]+)((?:[^\S\n]*[\[【]\d{1,3}(?:\s*[,，、]\s*\d{1,3})*[\]】])+)"
)  # "... it. [2]"
_FACT = re.compile(r"[a-z,] [A-Z]|[《“\"「]")


def split_claims(claims: Sequence[Claim]) -> list[Claim]:
    """One claim for each sentence, list item or table row, with the evidence numbers of the whole.

    Marks such as [2] inside a piece narrow its evidence to those. A claim whose text is no string comes back
    as it is: the critic is to see it fail.
    """
    return [piece for claim in claims for piece in _pieces(claim)]


def _pieces(claim: Claim) -> Iterator[Claim]:
    text = claim["text"]
    if not isinstance(text, str) or not isinstance(claim["evidence"], list) or claim["spans"]:
        yield claim
        return
    text = _MARKS_AFTER.sub(r"\2\1", text)
    parts = list(_parts(text))
    if len(parts) <= 1 and parts == [text.strip()]:
        piece, numbers = parse_marks(" ".join(text.split()))
        # A text that is nothing but marks is left for the critic to refuse.
        yield {
            **claim,
            "text": piece or text,
            "evidence": list(dict.fromkeys([*claim["evidence"], *numbers])),
        }
        return
    lead = ""
    found: list[Claim] = []
    for n, part in enumerate(parts):
        if _LEADS_IN.search(part) and n + 1 < len(parts):
            # "Ada Fischer wrote:" belongs to every item below it; "The main points are:" says nothing.
            lead = f"{part} " if _FACT.search(part) or find_numbers(part) else ""
            continue
        piece, numbers = parse_marks(lead + part)
        if piece:
            found.append({**claim, "text": piece, "evidence": numbers or claim["evidence"]})
    yield from found or [claim]


def _parts(text: str) -> Iterator[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    prose: list[str] = []
    for n, line in enumerate(lines):
        row = line.strip()
        header = n + 1 < len(lines) and bool(_RULE.match(lines[n + 1])) and "|" in lines[n + 1]
        if not (row.startswith("|") or header or _RULE.match(row)):
            prose.append(line)
            continue
        yield from _prose("\n".join(prose))
        prose = []
        if not header and not _RULE.match(row):
            yield row.strip("| ")
    yield from _prose("\n".join(prose))


def _prose(text: str) -> Iterator[str]:
    for block in _INLINE_ITEM.split(text):
        for start, end in _whole(block, sentences(block)):
            part = _MARKER.sub("", block[start:end]).strip()
            stray = _BARE_NUMBER.match(part) and len(part) < 5 and not parse_marks(part)[1]
            if part and not stray:
                yield part


def _whole(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Long sentences that were cut at a pause put together again, but for speech without punctuation."""
    current: tuple[int, int] | None = None
    for start, end in spans:
        if (
            current
            and _RUNS_ON.search(text[current[0] : current[1]])
            and "\n" not in text[current[1] : start]
        ):
            current = (current[0], end)
            continue
        if current:
            yield current
        current = (start, end)
    if current:
        yield current
