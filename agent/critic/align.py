"""Lays a claim beside the sentences it cites and says where the two part.

Names, numbers, dates and links are aligned by kind, so that an exchanged or replaced one stands opposite the
one it has taken the place of. A difference is only reported where the words around it are the source's own:
in free paraphrase nothing can be told this way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

from agent.critic.facts import (
    CACHED,
    Token,
    chinese_names,
    is_function,
    latin_names,
    opens_sentence,
    read,
    weight,
)
from agent.critic.values import same_date, same_link, same_name, same_number
from agent.critic.wording import ANTONYMS, GENERIC, MEASURES, NEGATION, strip_lead_in
from retrieval.tokens import stem

NEAR_COPY = 0.65  # share of a claim's weight that stands in the source in the same order
LOOSE_COPY = 0.45  # from here on, what stands right beside the difference decides
NEAR_BY = 3  # tokens on each side that must be the source's too where the claim is no near-copy
LAYER_OF = {"name": "names", "number": "numbers", "date": "dates", "time": "dates", "link": "links"}
_PASSIVE = re.compile(r"\bby\b|[被由受]", re.I)
_PART_WORDS = frozenset("and then 并 並 且 而".split())
_JOINED = re.compile(r"[,，、;；&和与與及跟同或以兼]|\b(?:and|or)\b")
_JOINS = frozenset("and or & 和 与 與 及 跟 同 或 以 兼".split())


class Difference(NamedTuple):
    """The claim says `said` where the source says `known`; `layer` is the check that reports it."""

    layer: str
    said: str
    known: str


@dataclass(frozen=True)
class Comparison:
    """`coverage`: share of the claim's weight that the source has in the same order, names alike, [0, 1]."""

    coverage: float
    differences: tuple[Difference, ...]

    def of(self, layer: str) -> Difference | None:
        return next((found for found in self.differences if found.layer == layer), None)


@dataclass(frozen=True)
class _Sides:
    claim: str
    source: str
    ours: tuple[Token, ...]
    theirs: tuple[Token, ...]
    match: dict[int, int]  # index in ours -> index in theirs
    blocks: tuple[tuple[str, int, int, int, int], ...]  # of difflib, from theirs to ours
    coverage: float

    def said(self, start: int, end: int, margin: int = 0) -> str:
        return _between(self.claim, self.ours, start, end, margin)

    def known(self, start: int, end: int, margin: int = 0) -> str:
        return _between(self.source, self.theirs, start, end, margin)


@lru_cache(CACHED)
def compare(claim: str, source: str, context: str) -> Comparison:
    """Where a claim differs from its source. `context`: the passage, for the names that it knows."""
    claim = strip_lead_in(claim)
    if claim == source:
        return Comparison(1.0, ())
    latin = latin_names(claim) | latin_names(context)
    chinese = chinese_names(claim) | chinese_names(context)
    ours, theirs = read(claim, latin, chinese), read(source, latin, chinese)
    if not ours or not theirs:
        return Comparison(0.0, ())
    blocks = _blocks([t.place for t in theirs], [t.place for t in ours])
    match = {
        k: i
        for tag, a, b, c, _ in blocks
        if tag == "equal"
        for i, k in zip(range(a, b), range(c, len(ours)), strict=False)
    }
    coverage = sum(weight(ours[k]) for k in match) / sum(map(weight, ours))
    sides = _Sides(claim, source, ours, theirs, match, blocks, coverage)
    found = [*_exchanged_values(sides), *_misplaced_values(sides), *_other_units(sides)]
    if coverage >= LOOSE_COPY:
        found += [*_negations(sides), *_opposites(sides)]
    if coverage >= NEAR_COPY:
        found += [*_replaced_names(sides), *_exchanged_words(sides)]
    return Comparison(coverage, tuple(found))


def _blocks(theirs: Sequence[str], ours: Sequence[str]) -> tuple[tuple[str, int, int, int, int], ...]:
    return tuple(SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes())


def _between(text: str, tokens: Sequence[Token], start: int, end: int, margin: int) -> str:
    if start >= end:
        return ""
    return text[max(0, tokens[start].start - margin) : tokens[end - 1].end + margin]


# --- values ---------------------------------------------------------------------------------------------


def _same(sides: _Sides, said: Token, known: Token) -> bool:
    if said.key == known.key:
        return True
    if said.kind == "name":
        return same_name(said, known)
    if said.kind == "number":
        return same_number(said.value, sides.claim, known.value, sides.source)
    if said.kind == "date":
        return same_date(said.value, known.value, strict=False)
    return said.kind == "link" and same_link(said.key, known.key)


def _exchanged_values(sides: _Sides) -> Iterator[Difference]:
    """Names, numbers, dates and links that stand where the source has others."""
    wrong = [
        (k, i)
        for k, i in sides.match.items()
        if sides.ours[k].kind != "word" and not _same(sides, sides.ours[k], sides.theirs[i])
    ]
    if not wrong:
        return
    wrong = [pair for pair in wrong if sides.coverage >= NEAR_COPY or _is_local(sides, *pair)]
    if len(wrong) == 1:
        wrong = [pair for pair in wrong if not _is_nearer_elsewhere(sides, *pair)]
    if not wrong or _is_better_by_value(sides, {k for k, _ in wrong}) or _is_list(sides, wrong):
        return
    turned = len(_PASSIVE.findall(sides.claim)) != len(_PASSIVE.findall(sides.source))
    for k, i in wrong:
        said = sides.ours[k]
        if (
            turned
            and said.kind == "name"
            and any(t.kind == "name" and same_name(said, t) for t in sides.theirs)
        ):
            continue
        yield Difference(LAYER_OF[said.kind], sides.said(k, k + 1), sides.known(i, i + 1))


def _is_local(sides: _Sides, k: int, i: int) -> bool:
    """Whether the words beside a value are those beside its counterpart."""
    near = [n for n in range(max(0, k - NEAR_BY), min(len(sides.ours), k + NEAR_BY + 1)) if n != k]
    held = [n for n in near if abs(sides.match.get(n, -99) - i) <= NEAR_BY + 1]
    total = sum(weight(sides.ours[n]) for n in near)
    content = [n for n in held if not is_function(sides.ours[n])]
    return len(content) >= 2 and sum(weight(sides.ours[n]) for n in held) >= 0.75 * total


def _is_better_by_value(sides: _Sides, wrong: set[int]) -> bool:
    """Whether the claim follows the source as well when values must be equal: its clauses are in another order."""
    theirs = [t.key for t in sides.theirs]
    blocks = _blocks(theirs, [t.key for t in sides.ours])
    exact = sum(weight(t) for tag, _, _, c, d in blocks if tag == "equal" for t in sides.ours[c:d])
    right = sum(weight(sides.ours[k]) for k in sides.match if k not in wrong)
    # Of two that have changed places one can always be matched; that is no better.
    return exact > right + max(0.5, len(wrong) - 0.9)


def _is_nearer_elsewhere(sides: _Sides, k: int, i: int) -> bool:
    """Whether the source has the value of a claim in surroundings that are more like the claim's."""
    own = _around(sides.ours, k)
    if not own:  # nothing but the value is said
        return True
    here = len(own & _around(sides.theirs, i))
    elsewhere = [j for j, token in enumerate(sides.theirs) if token.kind == sides.ours[k].kind]
    return any(
        len(own & _around(sides.theirs, j)) > here
        for j in elsewhere
        if j != i and _same(sides, sides.ours[k], sides.theirs[j])
    )


def _around(tokens: Sequence[Token], n: int) -> set[str]:
    near = [*tokens[max(0, n - 5) : n], *tokens[n + 1 : n + 6]]
    return {token.key for token in near if not is_function(token)}


def _misplaced_values(sides: _Sides) -> Iterator[Difference]:
    """Numbers and dates said of what another part of the source says, where that part has its own."""
    parts = _parts(sides.theirs)
    if len(parts) < 2:
        return
    words = {t.key for t in sides.ours if t.kind in ("word", "name", "link") and not is_function(t)}
    for said in sides.ours:
        if said.kind not in ("number", "date"):
            continue
        own = [part for part in parts if any(t.kind == said.kind and _same(sides, said, t) for t in part)]
        if not own or any(_shared(words, part, ("word",)) for part in own):
            continue
        named = max(_shared(words, part, ("word", "name")) for part in own)
        for part in parts:
            rivals = [t for t in part if t.kind == said.kind and _unit_of(t) == _unit_of(said)]
            free = [t for t in rivals if not any(o.kind == t.kind and _same(sides, o, t) for o in sides.ours)]
            if free and part not in own and _shared(words, part, ("word", "name")) >= named + 2:
                shown = sides.source[free[0].start : free[0].end]
                yield Difference(LAYER_OF[said.kind], sides.claim[said.start : said.end], shown)
                break


def _unit_of(token: Token) -> str:
    return str(token.value.unit) if token.kind == "number" else ""


def _shared(words: set[str], part: Sequence[Token], kinds: Sequence[str]) -> float:
    found = {t.key for t in part if t.kind in kinds and t.key in words and not is_function(t)}
    return sum(1.0 if len(key) > 1 else 0.5 for key in found)


def _parts(tokens: Sequence[Token]) -> list[list[Token]]:
    """The clauses of a text; one that is hardly more than a date goes with the next."""
    parts: list[list[Token]] = []
    clause = -1
    for token in tokens:
        small = parts and sum(not is_function(t) for t in parts[-1]) <= 1
        if not small and (token.clause != clause or token.key in _PART_WORDS):
            parts.append([])
        clause = token.clause
        if not parts:
            parts.append([])
        parts[-1].append(token)
    return parts


def _is_list(sides: _Sides, wrong: Sequence[tuple[int, int]]) -> bool:
    """Whether the values are the members of one list in another order."""
    own, known = sorted(k for k, _ in wrong), sorted(i for _, i in wrong)
    values = Counter(sides.ours[k].key for k in own), Counter(sides.theirs[i].key for i in known)
    if len(own) < 2 or values[0] != values[1]:
        return False
    pairs = ((sides.ours, own, sides.claim), (sides.theirs, known, sides.source))
    return all(_only_joins(tokens, at, text) for tokens, at, text in pairs)


def _only_joins(tokens: Sequence[Token], at: Sequence[int], text: str) -> bool:
    kind = tokens[at[0]].kind
    gaps = pairwise(at)
    return all(t.kind == kind or t.key in _JOINS for t in tokens[at[0] : at[-1] + 1]) and all(
        _JOINED.search(text[tokens[n].end : tokens[m].start]) for n, m in gaps
    )


def _other_units(sides: _Sides) -> Iterator[Difference]:
    """A number with a measure that the source does not give it, though it gives another."""
    for k, i in sides.match.items():
        said, known = sides.ours[k], sides.theirs[i]
        if said.kind != "number" or said.value.value != known.value.value:
            continue
        own, other = _unit(sides.ours, k, said), _unit(sides.theirs, i, known)
        measured = {own, other} & MEASURES
        if own and other and own != other and measured and own not in other and other not in own:
            yield Difference(
                "numbers",
                sides.said(k, min(k + 2, len(sides.ours))),
                sides.known(i, min(i + 2, len(sides.theirs))),
            )


def _unit(tokens: Sequence[Token], n: int, token: Token) -> str:
    """The unit of a number: the one read with it, else the word after it."""
    unit = str(token.value.unit)
    if unit or n + 1 == len(tokens):
        return unit
    after = tokens[n + 1]
    near = after.kind == "word" and after.start - token.end <= 1 and after.clause == token.clause
    return after.key if near and not is_function(after) else ""


# --- words ----------------------------------------------------------------------------------------------


def _replaced_names(sides: _Sides) -> Iterator[Difference]:
    """A name of the source whose place is taken by something that is neither its short form nor a pronoun."""
    for tag, a, b, c, d in sides.blocks:
        if tag != "replace" or b - a > 4 or d - c > 8:
            continue
        names = [t for t in sides.theirs[a:b] if t.kind == "name"]
        said, known = re.sub("['’]s$", "", sides.said(c, d)), sides.known(a, b)
        if len(names) != 1 or any(t.kind != "word" for t in sides.ours[c:d]) or GENERIC.search(said):
            continue
        if names[0].key.isascii():
            opener = sides.ours[c]
            single = d - c == 1 and said[:1].isupper() and opens_sentence(sides.claim, opener.start)
            plain = re.search(r"(?:s|ing|ed|ly)$", said)
            if single and not plain and opener.key not in {t.key for t in sides.theirs}:
                yield Difference("names", said, known)
        elif not said.isascii() and not _is_short_form(said, known) and b - a == 1 and d - c <= 6:
            yield Difference("names", said, known)


def _is_short_form(said: str, known: str) -> bool:
    """北大 for 北京大学: the same characters in the same order."""
    short, long = sorted((said, known), key=len)
    rest = iter(long)
    return all(char in rest for char in short)


def _exchanged_words(sides: _Sides) -> Iterator[Difference]:
    """Two words that have changed places: "the landlord pays the tenant"."""
    if len(_PASSIVE.findall(sides.claim)) != len(_PASSIVE.findall(sides.source)):
        return
    own = [t for t in sides.ours if not is_function(t)]
    known = [t for t in sides.theirs if not is_function(t)]
    shared = Counter(t.key for t in own) & Counter(t.key for t in known)
    own, known = [t for t in own if t.key in shared], [t for t in known if t.key in shared]
    other = [n for n, (said, t) in enumerate(zip(own, known, strict=False)) if said.key != t.key]
    if len(own) != len(known) or len(other) != 2 or other[1] - other[0] < 2:
        return
    first, second = other
    if (own[first].key, own[second].key) == (known[second].key, known[first].key):
        shown = (
            text[t.start : t.end] for text, t in ((sides.claim, own[first]), (sides.source, known[first]))
        )
        yield Difference("words", *shown)


def _opposites(sides: _Sides) -> Iterator[Difference]:
    """A word of the source replaced by its opposite."""
    for tag, a, b, c, d in sides.blocks:
        if tag != "replace":
            continue
        if sides.coverage < NEAR_COPY and not (sides.match.get(c - 1) == a - 1 and sides.match.get(d) == b):
            continue
        said, known = sides.said(c, d, 1).lower(), sides.known(a, b, 1).lower()
        own, other = _sides_of(said), _sides_of(known)
        for pair, side in own:
            if (pair, 1 - side) in other and (pair, side) not in other:
                yield Difference("comparison", said.strip(), known.strip())
                break


@cache
def _opposite_table() -> dict[str, tuple[tuple[int, int], ...]]:
    table: dict[str, tuple[tuple[int, int], ...]] = {}
    for n, sides in enumerate(ANTONYMS):
        for side, words in enumerate(sides):
            for word in words.split():
                key = stem(word)
                table[key] = (*table.get(key, ()), (n, side))
    return table


def _sides_of(text: str) -> set[tuple[int, int]]:
    table = _opposite_table()
    found: set[tuple[int, int]] = set()
    for word in re.findall(r"[a-z]+", text):
        found.update(table.get(stem(word), ()))
    if not text.isascii():
        chars = re.sub(r"[\x00-\x7f]", "", text)
        for size in (1, 2):
            for n in range(len(chars) - size + 1):
                found.update(table.get(chars[n : n + size], ()))
    return found


# --- negation -------------------------------------------------------------------------------------------


def _negations(sides: _Sides) -> Iterator[Difference]:
    """A negation that only one of the two has, among words that both have."""
    backward = {i: k for k, i in sides.match.items()}
    own = _denials(sides.claim, sides.ours)
    known = _denials(sides.source, sides.theirs)
    kept = [n for n in own if not any(sides.match.get(k) in m for m in known for k in n)]
    lost = [m for m in known if not any(backward.get(i) in n for n in own for i in m)]
    paired = _paired(sides, kept, lost)
    added = [n for n in kept if n not in paired[0] and _among(sides.ours, n, sides.match)]
    dropped = [m for m in lost if m not in paired[1] and _among(sides.theirs, m, backward)]
    if len(added) == len(dropped):  # one negation, worded or placed otherwise
        return
    said = " ".join(sides.said(min(n), max(n) + 1) for n in added) or "no negation"
    missed = " ".join(sides.known(min(m), max(m) + 1) for m in dropped) or "no negation"
    yield Difference("negation", said, missed)


def _denials(text: str, tokens: Sequence[Token]) -> list[frozenset[int]]:
    """The tokens of each negation of a text."""
    spans = [match.span() for match in NEGATION.finditer(text)]
    sets = [
        frozenset(n for n, t in enumerate(tokens) if t.start < end and start < t.end) for start, end in spans
    ]
    return [found for found in sets if found]


def _paired(
    sides: _Sides, kept: Sequence[frozenset[int]], lost: Sequence[frozenset[int]]
) -> tuple[set[frozenset[int]], set[frozenset[int]]]:
    """Negations that stand opposite each other in one replaced stretch."""
    left, right = set(), set()
    for tag, a, b, c, d in sides.blocks:
        if tag == "replace":
            own = [n for n in kept if min(n) < d and max(n) >= c]
            other = [m for m in lost if min(m) < b and max(m) >= a]
            for n, m in zip(own, other, strict=False):
                left.add(n)
                right.add(m)
    return left, right


def _among(tokens: Sequence[Token], denial: frozenset[int], matched: dict[int, int]) -> bool:
    """Whether the words that a negation denies, the next ones of its clause, are in the other text too."""
    first, last = min(denial), max(denial)
    clause = tokens[last].clause
    after = [n for n in range(last + 1, min(len(tokens), last + 7)) if tokens[n].clause == clause]
    before = [n for n in range(max(0, first - 3), first) if tokens[n].clause == clause]
    content = [n for n in after if not is_function(tokens[n])][:4] or before
    return bool(content) and 2 * sum(n in matched for n in content) >= len(content)
