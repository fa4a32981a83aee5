"""The state of one run: plain JSON types, one comment per key saying who writes it.

Nothing here computes, except the reducers that merge what a node found.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from retrieval.filters import Filter
from tools import Call

Need = Literal["conversation", "search", "tool", "search_then_tool", "sweep"]
AnswerType = Literal["person", "date", "number", "place", "list", "summary", "explanation", "other"]
Verdict = Literal["supported", "unsupported", "undecided", "unverified"]
Outcome = Literal["verified", "partial", "abstained", "unverified", "error"]
Lang = Literal["en", "zh"]

# Why no further round began; "" where none was needed, or none could help.
Stop = Literal["", "rounds", "tokens", "seconds", "passages", "stagnated", "interrupted"]


class Span(TypedDict):
    """A place in the evidence; offsets count in its source text."""

    evidence: int
    start: int
    end: int


class Evidence(TypedDict):
    """A numbered thing that a claim may cite."""

    number: int  # [1], [2], ...: stable within a run; 0 until merged
    kind: Literal["passage", "tool", "said"]  # said: the user's own words, with the day in `heading`
    chunk_id: int  # 0 for a tool result and for a user's words
    document_id: int  # the same
    path: str
    title: str
    heading: str
    page: int | None
    start: int  # of `text` in the source text
    end: int
    text: str  # verbatim
    score: float  # fused score of the query that found it, [0, 1]
    cosine: float  # of that query, [-1, 1]; 0 where the dense part did not find it
    query: str
    relevance: float  # probability that the answer needs it, by the query that speaks best for it, [0, 1]
    link: Span | None  # where other evidence names what that query bridged to; else None
    round: int
    rests_on: list[Span]  # where the values that a tool result was computed from stand
    format: NotRequired[str]  # of the document
    who: NotRequired[list[str]]  # senders or speakers of it, as written, where they are known
    when: NotRequired[str]  # ISO 8601: when the first message in it was written, where that is known


class Place(TypedDict):
    """Where a sentence stands that a user said is no answer."""

    path: str
    start: int
    end: int
    quote: str


class Worked(TypedDict):
    """A rewording that found what an answer cites."""

    asked: str  # the words of the question that it replaced, "" where it is another search altogether
    found: str  # those that it put in their place
    query: str


class Told(TypedDict):
    """What a message says where it asks nothing: a statement, or a correction of the turn before."""

    kind: Literal["statement", "correction"]
    text: str  # the user's words, verbatim: what is stated, or what is right, "" if that is not said
    question: str  # the question whose answer is corrected; ""
    run_id: str  # the run that is corrected; ""


class Citation(TypedDict):
    """An exact span: `source[start:end] == quote`."""

    evidence: int
    document_id: int
    path: str
    start: int
    end: int
    quote: str
    page: int | None
    heading: str


class Check(TypedDict):
    """What one layer of the critic said of a claim."""

    layer: str
    verdict: Verdict
    reason: str


class Claim(TypedDict):
    """One sentence of a draft. `draft` writes the first three keys, `critique` the others."""

    text: str
    evidence: list[int]
    spans: list[Span]  # where it is a quotation or a tool's operands; else empty
    citations: list[Citation]
    verdict: Verdict
    score: float  # confidence, [0, 1]
    checks: list[Check]
    short: NotRequired[str]  # the piece of its text that answers, where a short answer is known


class Query(TypedDict):
    """One search and the move that proposed it."""

    text: str
    move: str  # "question", or a name of `agent.moves.MOVES`, or "model"
    name: str  # bridge: the name that leads on; else ""
    rank: int  # bridge: rank of the passage that holds the name, from 0
    cover: float  # bridge: share of the question's terms that passage covers, [0, 1]
    open: list[str]  # bridge: terms of the question that it does not
    link: Span | None  # bridge: the sentence of that passage which says the name


class Sweep(TypedDict):
    """What a question wants of whole documents."""

    kind: Literal["summary", "list", "speakers"]
    subject: str  # what is to be listed, or the topic; "" for none
    speaker: str  # the one speaker asked about; "" for all
    documents: list[int]  # their ids


class Plan(TypedDict):
    """What a question needs."""

    need: Need
    lang: Lang
    answer_type: AnswerType
    queries: list[str]  # the first searches
    call: Call | None  # the tool to run, if any
    sweep: Sweep | None  # the documents to be read from end to end, if any
    where: Filter  # what the first round searches: `State.where`, and what the question's words restrict


class Conflict(TypedDict):
    """A sentence that contradicts a claim. Offsets count in its source text."""

    claim: int  # index of the claim
    evidence: int  # number of the evidence that holds the contradicting sentence
    start: int
    end: int
    what: Literal["number", "date", "name", "negation"]
    ours: str  # the two values as written; for a negation the two sentences
    theirs: str


class Draft(TypedDict):
    """A draft and what the critic makes of it."""

    claims: list[Claim]
    sufficiency: float  # probability that it answers the question, [0, 1]
    missing: list[str]  # words of the question that nothing cited covers
    round: int
    model: NotRequired[str]  # the rung that wrote it, by its name


class Turn(TypedDict):
    """One earlier question of the thread with the answer that was given."""

    question: str
    standalone: str
    answer: str
    outcome: str


class Found(TypedDict):
    """What a node found, and how many items of evidence the run may hold."""

    items: list[Evidence]
    limit: int


def merge_evidence(old: list[Evidence], new: Found) -> list[Evidence]:
    """Append what is new, numbered on, up to the limit; what is there keeps its number and text.

    What is found again takes the better relevance, and the link of that find.
    """
    merged = list(old)
    known = {_place(item): n for n, item in enumerate(old)}
    for item in new["items"]:
        key = _place(item)
        if key in known:
            place = known[key]
            if item["relevance"] > merged[place]["relevance"]:
                merged[place] = {**merged[place], "relevance": item["relevance"], "link": item["link"]}
        elif len(merged) < new["limit"]:
            known[key] = len(merged)
            merged.append({**item, "number": len(merged) + 1})
    return merged


def _place(item: Evidence) -> tuple[int, int, int, str]:
    return item["document_id"], item["chunk_id"], item["start"], item["text"]


def supported_of(claims: list[Claim]) -> list[Claim]:
    return [claim for claim in claims if claim["verdict"] == "supported"]


def append(old: list[Any], new: list[Any]) -> list[Any]:
    """Append without repeats, in order."""
    return old + [item for item in dict.fromkeys(new) if item not in old]


class State(TypedDict, total=False):
    """What the nodes share. Replaced by each write unless a reducer stands beside it."""

    question: str  # the caller: as asked
    thread: str  # the caller: "" for none
    where: Filter  # the caller: what every search is restricted to; empty for nothing
    run_id: str  # the caller
    started_s: float  # the caller: Unix time
    turns: list[Turn]  # recall: the short-term window, oldest first
    standalone: str  # recall: the question without its context; plan: without the documents it names
    episodes: list[str]  # recall: ids of earlier questions that were like this one
    ready: bool  # recall: the answer is known, and nothing is searched
    told: Told | None  # recall: what the user's words say where they ask nothing
    demoted: list[str]  # recall: quotations left out of the evidence, as they were wrong for this question
    wordings: list[str]  # recall: searches that found the answer to this question before
    library_at: int  # recall: the id of the document that came last
    plan: Plan  # plan
    queries: list[Query]  # plan, reformulate: to be searched now
    tried: Annotated[list[str], append]  # retrieve: every query searched
    evidence: Annotated[list[Evidence], merge_evidence]  # recall, retrieve, act: all that was found
    shown: list[int]  # sweep, draft: numbers of the evidence that it was given and may cite
    tool_failure: str  # act: why the tool could not run; "" when it did
    quoted: list[Claim]  # sweep: quotations that answer a whole-document question
    whole: bool  # sweep: whether the documents were read, and the list is complete
    unclear: str  # plan: what the user must say first; "" for nothing
    others: list[list[Claim]]  # draft: the claims of further paths, to be checked against the first
    draft: Draft  # draft, then critique
    best: Draft  # critique: the best draft so far
    passed: bool  # critique
    round: int  # reformulate: 0 for the first pass
    rung: int  # plan, reformulate: which of the ladder drafts, from 0
    climbed: bool  # reformulate: whether it raised the rung
    seen: int  # reformulate: how much evidence there was before this round's search
    conflicts: list[Conflict]  # settle: where the files disagree with a claim of the answer
    disagreements: list[str]  # settle: the same as sentences for the user
    outcome: Outcome  # settle
    stopped: Stop  # settle
    answer: str  # settle
    claims: list[Claim]  # settle: the verified sentences
    missing: list[str]  # settle
    notes: Annotated[list[str], append]  # any node: what a reader of the run should know
