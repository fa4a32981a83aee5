"""The sentences of a corpus that faults are made of, and what each may borrow from the other documents.

It makes no faults: `faults` does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from evals.data import Row
from evals.names import find_names
from retrieval.split import sentences
from retrieval.tokens import STOP_WORDS, is_chinese, lexical_tokens

_LEANS = re.compile(
    "(?:It|He|She|They|This|That|These|Those|His|Her|Their|Its|However|But|And|Also|Such|There|One|Another|For"
    "|In addition|Other|Both|Some|Moreover|Therefore|Thus|As)\\b|[他她它其此该該这這那但而并並也亦又同因所之另]|不过|不過|后来|後來|由于|由於"
)


@dataclass(frozen=True)
class Place:
    """A sentence in its document, with what a fault may be made of."""

    row: Row
    document: Row
    spans: list[tuple[int, int]]
    at: int
    corpus: Corpus

    @cached_property
    def text(self) -> str:
        return self.said(self.at)

    @property
    def source(self) -> str:
        return str(self.document["text"])

    def said(self, n: int) -> str:
        return " ".join(self.source[slice(*self.spans[n])].split())

    def is_new(self, phrase: str) -> bool:
        """Whether none of the words of a phrase stands in the document (for Chinese: no two in a row)."""
        folded = f"{self.document['title']} {self.source}".casefold()
        if is_chinese(phrase):
            return not any(phrase[n : n + 2] in folded for n in range(max(1, len(phrase) - 1)))
        return not any(word in folded for word in re.findall(r"\w{3,}", phrase.casefold()))


@dataclass(frozen=True)
class Corpus:
    """All documents, and the names and sentences that faults borrow from them."""

    chinese: bool
    common: frozenset[str]
    """Words that stand in small letters somewhere."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """Names by their type."""
    others: list[tuple[str, str]] = field(default_factory=list)
    """(title, sentence) of short sentences that stand on their own feet."""


def read_corpus(rows: Sequence[Row]) -> Corpus:
    chinese = sum(is_chinese(row["text"]) for row in rows) > len(rows) / 2
    common = set(re.findall(r"\b[a-z]+\b", " ".join(row["text"] for row in rows)))
    names: dict[str, dict[str, None]] = defaultdict(dict)
    others: list[tuple[str, str]] = []
    for row in rows:
        for start, end in sentences(row["text"]):
            text = " ".join(row["text"][start:end].split())
            for begin, stop, kind in find_names(text, chinese, common):
                names[kind].setdefault(text[begin:stop])
            if is_whole(text) and len(text) <= (45 if chinese else 130) and not _LEANS.match(text):
                others.append((row["title"], text))
    return Corpus(chinese, frozenset(common), {kind: list(found) for kind, found in names.items()}, others)


@lru_cache(maxsize=1024)
def words_of(text: str) -> frozenset[str]:
    return frozenset(token for token in lexical_tokens(text) if token not in STOP_WORDS)


def is_whole(text: str) -> bool:
    """A sentence of ordinary length that begins and ends as one, with nothing open in it."""
    pairs = (("(", ")"), ("（", "）"), ("「", "」"), ("《", "》"), ("“", "”"))
    balanced = all(text.count(a) == text.count(b) for a, b in pairs) and text.count('"') % 2 == 0
    if is_chinese(text):
        return balanced and 10 <= len(text) <= 150 and text.endswith("。") and text[0] not in "，、）」"
    return balanced and 35 <= len(text) <= 330 and bool(re.match(r"[A-Z0-9]", text)) and text[-1] == "."
