"""How likely a passage is one that the answer needs: a few numbers about how it was found, a linear model.

Decides which of all passages found in the rounds of a run the draft may cite. The weights in `relevance.json`
are fitted by `evals/train/relevance.py` on `multihop_train_en`, never on dev data. It does not read the
passage for an answer: that is the draft's work.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from functools import cache
from importlib.resources import files

from agent.reasoners.features import Asked, Idf, cover, says, stems, told
from agent.state import Evidence, Query
from retrieval.tokens import STOP_WORDS, is_chinese, query_terms, simplified

FEATURES = (
    "bias",
    "question",  # found by the question itself
    "bridge",  # found from another passage, over a name
    "score",  # fused score for the query that found it
    "cosine",  # ... and its cosine
    "rank",  # 1 / rank among the passages of that query
    "title_asked",  # all words of its title stand in the question
    "title_is_name",  # its title is the bridging name
    "name_there",  # it says the bridging name
    "open_covered",  # share of the words that the source passage left open
    "covered",  # idf-weighted share of the question's terms in it
    "source_covered",  # ... in the passage bridged from
    "source_rank",  # 1 / rank of the passage bridged from
    "name_rarity",  # idf of the rarest term of the name, over the largest of the question's
)


def features(asked: Asked, item: Evidence, query: Query, rank: int, rarity: float) -> tuple[float, ...]:
    """The values of FEATURES for a passage at `rank` (from 0) of a query; `rarity` of the query's name."""
    title, body = stems(item["title"]), stems(f"{item['heading']} {item['text']}")
    tokens = frozenset((*title, *body, *told(asked, item)))
    core = [token for token in title if token not in STOP_WORDS]
    name = stems(query["name"])
    bridged = query["move"] == "bridge"
    return (
        1.0,
        float(query["move"] == "question"),
        float(bridged),
        item["score"],
        max(item["cosine"], 0.0),
        1 / (1 + rank),
        float(bool(core) and asked.tokens.issuperset(core)),
        float(bridged and bool(name) and name in (title, core)),
        float(bridged and bool(name) and _says_name(item, query["name"], title, body)),
        _share(asked, query["open"], tokens) if bridged else 0.0,
        cover(asked, tokens),
        query["cover"],
        1 / (1 + query["rank"]) if bridged else 0.0,
        rarity if bridged else 0.0,
    )


def relevance(values: Sequence[float]) -> float:
    """Probability in [0, 1] that the answer needs the passage, of the values of FEATURES."""
    total = sum(w * x for w, x in zip(_weights(), values, strict=True))
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def name_rarities(asked: Asked, queries: Sequence[Query], idf: Idf) -> list[float]:
    """For each query the idf of the rarest term of its name, over the largest of the question's, or 0."""
    largest = max(asked.idf.values(), default=1.0) or 1.0
    known = idf({term for query in queries for term in query_terms(query["name"])})
    return [max((known[t] for t in query_terms(query["name"])), default=0.0) / largest for query in queries]


def by_relevance(evidence: Sequence[Evidence]) -> list[Evidence]:
    return sorted(evidence, key=lambda item: -item["relevance"])


def most_relevant(evidence: Sequence[Evidence], limit: int, keep: Collection[int] = ()) -> list[Evidence]:
    """At most `limit` of the evidence, by number: what is kept, tools, then the likeliest."""

    def worth(item: Evidence) -> tuple[bool, bool, float, int]:
        return item["number"] not in keep, item["kind"] != "tool", -item["relevance"], item["number"]

    return sorted(sorted(evidence, key=worth)[:limit], key=lambda item: item["number"])


def _says_name(item: Evidence, name: str, title: Sequence[str], body: Sequence[str]) -> bool:
    """Whether a passage says a name. A Chinese one is looked for as written: its tokens overlap."""
    if is_chinese(name):
        wanted = simplified(name)
        return any(wanted in simplified(text) for text in (item["title"], item["heading"], item["text"]))
    return says(title, stems(name)) or says(body, stems(name))


def _share(asked: Asked, terms: Sequence[str], tokens: frozenset[str]) -> float:
    terms = [term for term in terms if term in asked.idf]  # not those that were misspelt
    total = sum(asked.idf[term] for term in terms)
    return sum(asked.idf[term] for term in terms if term in tokens) / total if total else 0.0


@cache
def _weights() -> tuple[float, ...]:
    loaded = json.loads(files("agent").joinpath("relevance.json").read_text(encoding="utf-8"))
    return tuple(loaded["weights"])
