"""Several drafts of one answer: what each path is given, and what is kept of them all.

Claims of different drafts are compared by their words and numbers; which is true is for the critic to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.errors import ModelError
from agent.reasoners import Reasoner
from agent.reasoners.features import stems
from agent.state import Claim, Draft, Evidence, supported_of
from retrieval.tokens import STOP_WORDS

SAME_CLAIM = 0.6  # share of the words of the shorter of two claims above which they say the same


def run_paths(
    number: int,
    writers: Sequence[Reasoner],
    fallback: Reasoner,
    write: Callable[[Reasoner, int], list[Claim]],
) -> tuple[list[list[Claim]], list[str], list[str]]:
    """What a writer makes for each path, and who made it; the fallback, and a note, where one fails."""
    paths, names, notes = [], [], []
    for path in range(number):
        writer = writers[path % len(writers)]
        try:
            paths.append(write(writer, path))
        except ModelError as error:
            writer = fallback
            paths.append(write(writer, path))
            notes.append(f"draft: {error}")
        names.append(writer.name)
    return paths, names, notes


def turned(evidence: Sequence[Evidence], path: int) -> list[Evidence]:
    """The evidence in an order of its own for each path, its numbers as they are: 0 first to last, 1 the
    other way round, further ones begin further on. A model leans on what it reads first and last (Liu et al.
    2024, "Lost in the middle", section 2.3).
    """
    items = list(evidence) if path % 2 == 0 else list(reversed(evidence))
    start = (path // 2) * max(1, len(items) // 3) % max(len(items), 1)
    return items[start:] + items[:start]


def says_same(left: Claim, right: Claim) -> bool:
    """Whether two claims say the same: most words shared, and every number of each in the other."""
    own, other = (frozenset(stems(claim["text"])) - STOP_WORDS for claim in (left, right))
    if not own or not other or len(own & other) < SAME_CLAIM * min(len(own), len(other)):
        return False
    return not any(token[0].isdigit() for token in own ^ other)


def best_of(drafts: Sequence[Draft]) -> Draft:
    """The best of several judged drafts, mended by the others.

    Best: the likeliest to answer, then the one with most supported and fewest failed claims. A failed
    claim of it gives way to one of another draft that is supported and cites the same; supported claims
    that most of the other drafts make are added.
    """
    best = max(drafts, key=rank)
    others = [draft for draft in drafts if draft is not best]
    supported = [supported_of(draft["claims"]) for draft in others]
    own = supported_of(best["claims"])
    claims: list[Claim] = []
    for claim in best["claims"]:
        if claim in own:
            claims.append(claim)
        elif not _known(mended := _instead(claim, supported), [*own, *claims]):
            claims.append(mended)
    for candidates in supported:
        for claim in candidates:
            agreeing = sum(any(says_same(claim, other) for other in row) for row in supported)
            if agreeing > 1 and 2 * agreeing > len(others) and not _known(claim, claims):
                claims.append(claim)
    return {**best, "claims": claims}


def rank(draft: Draft) -> tuple[float, int, int]:
    """Higher is better: how likely it answers, its supported claims, and how few failed."""
    supported = sum(claim["verdict"] == "supported" for claim in draft["claims"])
    return round(draft["sufficiency"], 3), supported, supported - len(draft["claims"])


def _instead(failed: Claim, supported: Sequence[Sequence[Claim]]) -> Claim:
    wanted = set(failed["evidence"])
    own = frozenset(stems(failed["text"])) - STOP_WORDS
    fitting = [claim for row in supported for claim in row if wanted & set(claim["evidence"])]
    best = max(fitting, key=lambda claim: len(own & frozenset(stems(claim["text"]))), default=failed)
    shared = own & frozenset(stems(best["text"]))
    return best if 2 * len(shared) >= len(own) else failed


def _known(claim: Claim, claims: Sequence[Claim]) -> bool:
    return any(says_same(claim, other) for other in claims)
