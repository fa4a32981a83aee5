"""Citations: from a claim and the evidence it names to exact spans of the source. Pure functions.

A citation holds when `source[start:end] == quote`; nothing else counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from agent.state import Citation, Claim, Evidence
from retrieval.split import sentences
from retrieval.tokens import STOP_WORDS, is_chinese, lexical_tokens

SENTENCES = 3  # of one passage that one claim may rest on
ITEMS, LEADS = " · ", " — "  # between items; between them and the sentence that names them
WHOLE = 0.6  # share of a sentence's words by which a claim repeats it
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
    return [found for item in cited if item["kind"] == "passage" for found in closest(claim["text"], item)]


def nearest(text: str, item: Evidence) -> Citation:
    """The sentence of a passage that shares most words with a text; with its neighbour if that adds more."""
    return closest(text, item)[0]


def closest(text: str, item: Evidence) -> list[Citation]:
    """The sentences of a passage that a text rests on, best first; neighbours are one citation.

    Further sentences are taken in, three in all, while each adds a quarter of the text's words or is mostly
    there itself. Between two languages the whole passage is cited.
    """
    wanted = _words(text)
    spans = sentences(item["text"]) or [(0, len(item["text"]))]
    own = [_words(item["text"][start:end]) for start, end in spans]
    shared = [wanted & words for words in own]
    crossing = is_chinese(text) != is_chinese(item["text"])
    if crossing and wanted and 2 * max(map(len, shared)) < len(wanted):
        return [_citation(item, item["start"], item["start"] + len(item["text"]))]
    best = max(range(len(spans)), key=lambda n: (len(shared[n]), -n))
    chosen, covered = [best], set(shared[best])
    while len(chosen) < SENTENCES:
        more = max(range(len(spans)), key=lambda n: (len(shared[n] - covered), -abs(n - best), -n))
        added = len(shared[more] - covered)
        if added < max(2, len(wanted) // 4) and added < max(3, WHOLE * len(own[more])):
            break
        chosen.append(more)
        covered |= shared[more]
    runs = _runs(sorted(chosen))
    runs.sort(key=lambda run: best not in run)
    start = item["start"]
    return [_citation(item, start + spans[run[0]][0], start + spans[run[-1]][1]) for run in runs]


def _runs(numbers: list[int]) -> list[list[int]]:
    """Sorted numbers in runs of neighbours."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


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


@lru_cache(2048)  # the sentences of a draft's passages, which every claim is compared with
def _words(text: str) -> frozenset[str]:
    return frozenset(token for token in lexical_tokens(text) if token not in STOP_WORDS)
