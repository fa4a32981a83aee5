"""Citations: from a claim and the evidence it names to exact spans of the source. Pure functions.

A citation holds when `source[start:end] == quote`; nothing else counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.state import Citation, Claim, Evidence
from retrieval.split import sentences
from retrieval.tokens import STOP_WORDS, lexical_tokens

_MARK = re.compile(r"\s*[\[【](\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)[\]】]")


def parse_marks(text: str) -> tuple[str, list[int]]:
    """A sentence without its marks such as [1] or 【2, 3】, and the numbers in them, in order."""
    numbers = [int(n) for match in _MARK.finditer(text) for n in re.findall(r"\d+", match.group(1))]
    return _MARK.sub("", text).strip(), list(dict.fromkeys(numbers))


def cite(claim: Claim, evidence: Sequence[Evidence]) -> list[Citation]:
    """The exact spans that a claim rests on: its own where it is a quotation, else the nearest sentences.

    Numbers of evidence that does not exist, and of tool results, give no citation.
    """
    by_number = {item["number"]: item for item in evidence}
    if claim["spans"]:
        own = [(span, by_number.get(span["evidence"])) for span in claim["spans"]]
        return [_citation(item, span["start"], span["end"]) for span, item in own if item]
    cited = [by_number[number] for number in claim["evidence"] if number in by_number]
    return [nearest(claim["text"], item) for item in cited if item["kind"] == "passage"]


def nearest(text: str, item: Evidence) -> Citation:
    """The sentence of a passage that shares most words with a text; with its neighbour if that adds more."""
    wanted = _words(text)
    spans = sentences(item["text"]) or [(0, len(item["text"]))]
    shared = [wanted & _words(item["text"][start:end]) for start, end in spans]
    best = max(range(len(spans)), key=lambda n: (len(shared[n]), -n))
    first, last = best, best
    for neighbour in (best - 1, best + 1):
        if 0 <= neighbour < len(spans) and len(shared[neighbour] - shared[best]) >= max(2, len(wanted) // 4):
            first, last = min(first, neighbour), max(last, neighbour)
    return _citation(item, item["start"] + spans[first][0], item["start"] + spans[last][1])


def _citation(item: Evidence, start: int, end: int) -> Citation:
    return {
        "evidence": item["number"],
        "document_id": item["document_id"],
        "path": item["path"],
        "start": start,
        "end": end,
        "quote": item["text"][start - item["start"] : end - item["start"]],
        "page": item["page"],
        "heading": item["heading"],
    }


def holds(citation: Citation, sources: Mapping[int, str]) -> bool:
    """Whether the quote stands at its span. `sources`: source texts by document id."""
    source = sources.get(citation["document_id"])
    if source is None or not 0 <= citation["start"] < citation["end"] <= len(source):
        return False
    return source[citation["start"] : citation["end"]] == citation["quote"]


def _words(text: str) -> set[str]:
    return {token for token in lexical_tokens(text) if token not in STOP_WORDS}
