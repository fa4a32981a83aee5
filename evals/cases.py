"""Drafts with one false sentence each, made from question-answering data: the cases of `repair`.

A case holds sound sentences of a document, rewritten as a good chat model writes them (`rewrites`), and one
made false by a rule (`faults`). It knows nothing of the critic, and it runs no part of the agent.
Deterministic for a seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from random import Random

from evals.data import Row
from evals.faults import FAULTS, Fault, nothing
from evals.metrics import contains
from evals.places import Corpus, Place, is_whole, read_corpus, words_of
from evals.rewrites import joined, led_in, rewritings, trimmed
from retrieval.split import sentences

DETERMINISTIC = ("number", "date", "name", "speaker", "negation", "unit", "swap", "link")
KINDS = (*DETERMINISTIC, "addition", "off-topic", "none")
PER_KIND = 120  # cases of one kind in one language, where the data allow it
SOUND = 2  # sound sentences beside the faulty one


@dataclass(frozen=True)
class Case:
    """One draft: `faulty`, made from the sound sentence `replaced`, and the sound ones beside it."""

    id: str
    lang: str
    kind: str
    question: str
    doc_id: str
    start: int
    end: int
    """Span in the document of the sentence that the faulty one was made from."""
    gold: str
    """The text of that span."""
    sound: tuple[str, ...]
    varieties: tuple[str, ...]
    """How each sound sentence was rewritten."""
    origins: tuple[str, ...]
    """The verbatim text that each sound sentence says."""
    faulty: str
    """Empty for a case of the kind "none". A mark such as [97] in it stands for its citation."""
    replaced: str


def cases(questions: Sequence[Row], corpus: Sequence[Row], seed: int = 0) -> Iterator[Case]:
    """The cases of one language, the kinds taking turns. `questions`: unanswerable ones are left out."""
    rng = Random(seed)
    read = read_corpus(corpus)
    documents = {row["doc_id"]: row for row in corpus}
    asked = [row for row in questions if row["answerable"] and row["doc_id"] in documents]
    rng.shuffle(asked)
    gold = [place for row in asked if (place := _gold(row, documents[row["doc_id"]], read))]
    near = [Place(p.row, p.document, p.spans, n, read) for p in gold for n in (p.at + 1, p.at - 1, p.at + 2)
            if 0 <= n < len(p.spans) and is_whole(p.said(n))]  # fmt: skip
    used: set[tuple[str, int]] = set()
    made: dict[str, list[Case]] = {}
    # The kinds that fewest sentences allow choose first.
    for kind in ("unit", "speaker", "swap", "date", "negation", "number", "name", "link", "addition",
                 "off-topic", "none"):  # fmt: skip
        made[kind] = list(_of_kind(kind, gold + near, used, rng))
    for turn in zip_longest(*(made[kind] for kind in KINDS)):
        yield from (case for case in turn if case)


def _of_kind(kind: str, places: Sequence[Place], used: set[tuple[str, int]], rng: Random) -> Iterator[Case]:
    """Up to `PER_KIND` cases: fresh sentences first, and only if these do not suffice those used before."""
    count = 0
    own: set[tuple[str, int]] = set()
    faults: tuple[Fault, ...] = FAULTS.get(kind, ())
    for fresh, fault in ((fresh, fault) for fault in faults or (nothing,) for fresh in (True, False)):
        for place in places:
            key = (place.document["doc_id"], place.at)
            if count == PER_KIND:
                return
            if key in own or (fresh and key in used):
                continue
            case = _case(kind, fault, place, rng)
            if case:
                own.add(key)
                used.add(key)
                count += 1
                yield case


def _case(kind: str, fault: Fault, place: Place, rng: Random) -> Case | None:
    base = place.text
    light = [*trimmed(base), *led_in(base)]
    if light and kind not in ("off-topic", "none") and rng.random() < 0.3:
        base = rng.choice(light)
    faulty = next((said for said in fault(base, place, rng) if said != base), None)
    if faulty is None:
        return None
    beside = _sound(place, rng, with_gold=kind == "none")
    if not beside:
        return None
    start, end = place.spans[place.at]
    return Case(
        id=f"{place.row['id']}:{place.at}:{kind}",
        lang="zh" if place.corpus.chinese else "en",
        kind=kind,
        question=place.row["question"],
        doc_id=place.document["doc_id"],
        start=start,
        end=end,
        gold=place.source[start:end],
        sound=tuple(said for _, said, _ in beside),
        varieties=tuple(variety for variety, _, _ in beside),
        origins=tuple(origin for _, _, origin in beside),
        faulty=faulty,
        replaced=base if faulty else "",
    )


def _sound(place: Place, rng: Random, with_gold: bool) -> list[tuple[str, str, str]]:
    """(variety, sentence, what it says) of neighbours of a sentence, and of itself where it is sound."""
    beside = [
        n for n in (place.at - 1, place.at + 1, place.at + 2, place.at - 2) if 0 <= n < len(place.spans)
    ]
    chosen = [n for n in beside if is_whole(place.said(n))][:SOUND]
    if with_gold:
        chosen = [place.at, *chosen[:1]]
    found = []
    for n in chosen:
        start, end = place.spans[n]
        options = [(variety, said, place.source[start:end]) for variety, said in rewritings(place.said(n))]
        if n + 1 < len(place.spans) and n + 1 != place.at and n != place.at and is_whole(place.said(n + 1)):
            both = place.source[start : place.spans[n + 1][1]]
            options += [("joined", said, both) for said in joined(place.said(n), place.said(n + 1))]
        by_variety: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for option in options:
            by_variety[option[0]].append(option)
        # A variety that seldom fits is taken where it does, so that each is seen often enough.
        rare = [v for v in by_variety if v not in ("verbatim", "lead-in", "joined")]
        pool = rare if rare and rng.random() < 0.7 else list(by_variety)
        found.append(rng.choice(by_variety[rng.choice(pool)]))
    return found


def _gold(row: Row, document: Row, corpus: Corpus) -> Place | None:
    """The sentence that holds a reference answer and shares most words with the question."""
    spans = sentences(document["text"])
    wanted = words_of(row["question"])
    holding = [
        n for n, (start, end) in enumerate(spans) if contains(document["text"][start:end], row["answers"])
    ]
    if not holding:
        return None
    at = max(holding, key=lambda n: (len(wanted & words_of(document["text"][slice(*spans[n])])), -n))
    place = Place(row, document, spans, at, corpus)
    return place if is_whole(place.text) else None
