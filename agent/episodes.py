"""Episodes: questions that were answered and verified, with the spans their answers rest on.

An answer is given again only while it would be found again: every span stands in the source as it did, no
cited file has changed since it was read, and no document that came since speaks of the same. Else the episode
is a hint at most: passages to look at, and words that found something. An answer's text is never evidence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.answer import file_change
from agent.evidence import of_chunk
from agent.state import Check, Citation, Claim, Draft, Evidence, State, Worked, merge_evidence
from retrieval.library import Library
from retrieval.records import Record
from retrieval.tokens import CJK, fold, has_cjk, query_terms

NEWER_CHUNKS = 500  # of documents that came since; more are not looked through, the question is searched anew
SPEAKS = 0.5  # share of a question's words that a newer chunk may not hold


def standing(spans: Iterable[dict[str, Any]], library: Library) -> list[tuple[int, dict[str, Any]]]:
    """The spans that stand in the library's sources, byte for byte, where they did, with their documents."""
    found = [(library.store.document_id(span["path"]), span) for span in spans]
    texts = library.store.source_texts({one for one, _ in found if one})
    return [
        (one, span)
        for one, span in found
        if one and texts.get(one, "")[span["start"] : span["end"]] == span["quote"]
    ]


def is_stale(record: Record, library: Library) -> bool:
    """Whether something that an episode rests on, or a correction corrects, is gone.

    Such an episode is not used until it is verified again.
    """
    spans = record.payload["spans"]
    return not spans or len(standing(spans, library)) < len(spans)


def files_stand(record: Record, library: Library) -> bool:
    """Whether no file that an episode rests on has changed since it was indexed."""
    ids = {library.store.document_id(span["path"]) for span in record.payload["spans"]}
    return all(one and not file_change(library, one) for one in ids)


def nothing_newer(record: Record, library: Library) -> bool:
    """Whether no document that came since holds half of the question's words in one passage."""
    last = int(record.payload["library_at"])
    if library.store.last_document() <= last:
        return True
    newer = library.store.chunks_since(last, NEWER_CHUNKS + 1)
    if len(newer) > NEWER_CHUNKS:
        return False
    wanted = set(query_terms(record.text))
    return all(
        len(wanted & {*heading, *body}) < SPEAKS * len(wanted)
        for heading, body in library.store.tokens(newer).values()
    )


@dataclass(frozen=True)
class Manner:
    """How a question is answered now: an episode that was answered otherwise is not its answer."""

    models: tuple[str, ...]
    """Who may write the answer."""
    checked: str
    """How many drafts are compared, who judges them, and what reads, scores and orders passages."""
    verified_at: float
    """The sufficiency that a verified answer takes."""


def may_answer(record: Record, manner: Manner) -> bool:
    """Whether an episode was answered as it would be now.

    Not what a tool computed or depends on the day, not whole documents, and not where files disagreed.
    """
    payload = record.payload
    plan = payload.get("plan")
    return bool(
        plan
        and plan["need"] == "search"
        and plan["call"] is None
        and not plan["where"].get("since")
        and not plan["where"].get("until")
        and not payload["disagreed"]
        and payload["model"] in manner.models
        and payload.get("checked") == manner.checked
        and payload["sufficiency"] >= manner.verified_at
    )


def evidence_of(found: Iterable[Record], library: Library) -> list[Evidence]:
    """The passages around the spans that episodes rest on; none where a source has changed since."""
    evidence: list[Evidence] = []
    for record in found:
        for document_id, span in standing(record.payload["spans"], library):
            over = library.store.chunks_over(document_id, span["start"], span["end"])
            scores = span["score"], span["cosine"]
            evidence += [
                of_chunk(chunk, record.text, *scores, round_=0) for chunk in library.store.chunks(over)
            ]
    return evidence


def answered_again(record: Record, library: Library, limit: int) -> dict[str, Any] | None:
    """What `recall` returns for a question that is answered from its episode; None where that cannot be."""
    items = evidence_of([record], library)
    evidence = merge_evidence([], {"items": items, "limit": limit})
    claims = [_claim(one, evidence, library) for one in record.payload["claims"]]
    if not claims or any(one is None for one in claims):
        return None
    best: Draft = {
        "claims": [one for one in claims if one],
        "sufficiency": record.payload["sufficiency"],
        "missing": record.payload["missing"],
        "round": 0,
        "model": record.payload["model"],
    }
    return {
        "ready": True,
        "plan": record.payload["plan"],
        "evidence": {"items": items, "limit": limit},
        "shown": [item["number"] for item in evidence],
        "draft": best,
        "best": best,
        "passed": True,
    }


def _claim(kept: dict[str, Any], evidence: Sequence[Evidence], library: Library) -> Claim | None:
    """A claim of an episode over the evidence of this run; None where a passage for it is missing."""
    citations: list[Citation] = []
    for one in kept["citations"]:
        document_id = library.store.document_id(one["path"])
        over = [item for item in evidence if item["document_id"] == document_id]
        item = next((i for i in over if i["start"] < one["end"] and one["start"] < i["end"]), None)
        if item is None:
            return None
        citations.append(
            {
                "evidence": item["number"],
                "document_id": item["document_id"],
                "path": item["path"],
                "start": one["start"],
                "end": one["end"],
                "quote": one["quote"],
                "page": one["page"],
                "heading": one["heading"],
            }
        )
    check: Check = {
        "layer": "memory",
        "verdict": "supported",
        "reason": "verified before, and every quotation still stands at its place",
    }
    return {
        "text": kept["text"],
        "evidence": list(dict.fromkeys(one["evidence"] for one in citations)),
        "spans": [],
        "citations": citations,
        "verdict": "supported",
        "score": kept["score"],
        "checks": [check],
        "short": kept.get("short", ""),
    }


def payload_of(state: State, checked: str) -> dict[str, Any]:
    """What an episode keeps of a verified run beside its question."""
    best = state["best"]
    return {
        "answer": state["answer"],
        "spans": _spans(state),
        "claims": [
            {
                "text": claim["text"],
                "score": claim["score"],
                "short": claim.get("short", ""),
                "citations": [
                    {name: one[name] for name in ("path", "start", "end", "quote", "page", "heading")}
                    for one in claim["citations"]
                ],
            }
            for claim in state["claims"]
        ],
        "plan": state["plan"],
        "sufficiency": best["sufficiency"],
        "missing": best["missing"],
        "model": best.get("model", ""),
        "checked": checked,
        "disagreed": len(state.get("conflicts", [])),
        "library_at": state.get("library_at", 0),
        "demoted": state.get("demoted", []),
        "queries": state.get("tried", []),
        "worked": worked(state),
        "run_id": state["run_id"],
    }


def _spans(state: State) -> list[dict[str, Any]]:
    """Pointers to what the answer cites, with the scores that found it."""
    items = {item["number"]: item for item in state.get("evidence", [])}
    return [
        {
            "path": citation["path"],
            "start": citation["start"],
            "end": citation["end"],
            "quote": citation["quote"],
            "score": items[citation["evidence"]]["score"],
            "cosine": items[citation["evidence"]]["cosine"],
        }
        for claim in state["claims"]
        for citation in claim["citations"]
    ]


def worked(state: State) -> list[Worked]:
    """Which rewordings found what the answer cites.

    A question with a word replaced counts where the new word stands in what is cited, and the old one does
    not; another search where it was the one to find it.
    """
    items = {item["number"]: item for item in state.get("evidence", [])}
    cited = [items[c["evidence"]] for claim in state["claims"] for c in claim["citations"]]
    texts = fold(" ".join(f"{item['title']} {item['heading']} {item['text']}" for item in cited))
    found: list[Worked] = []
    tried = state.get("tried", []) if state.get("round") else []
    for query in tried[1:]:  # the first is the question as it was asked; by now it may be read otherwise
        asked, put = replacement(fold(tried[0]), fold(query))
        if asked and put in texts and asked not in texts:
            found.append({"asked": asked, "found": put, "query": query})
    later = dict.fromkeys(item["query"] for item in cited if item["round"] and item["query"])
    known = [one["query"] for one in found]
    return found + [{"asked": "", "found": "", "query": query} for query in later if query not in known]


def replacement(question: str, query: str) -> tuple[str, str]:
    """The word of a question that a search has another for, and that; ("", "") where they differ in more.

    At both ends whole words are taken, in Chinese a character of what stands around.
    """
    if question == query:
        return "", ""
    limit = min(len(question), len(query))
    start = next((n for n in range(limit) if question[n] != query[n]), limit)
    end = next((n for n in range(limit - start) if question[-1 - n] != query[-1 - n]), limit - start)
    while start and _joins(question[start - 1 : start + 1], question, start):
        start -= 1
        if has_cjk(question[start]):
            break
    while end and _joins(question[len(question) - end - 1 :][:2], question, len(question) - end):
        end -= 1
        if has_cjk(question[len(question) - end - 1]):
            break
    asked, put = question[start : len(question) - end], query[start : len(query) - end]
    whole = asked == question or " " in asked.strip() or not (asked.strip() and put.strip())
    return ("", "") if whole else (asked.strip(), put.strip())


def _joins(pair: str, text: str, at: int) -> bool:
    """Whether a word goes on across a place of a text."""
    return text[at - 1].isalnum() and (has_cjk(text[at - 1]) or at >= len(text) or pair.isalnum())


def reworded(
    question: str, like: Iterable[Record], is_unknown: Callable[[str], bool]
) -> tuple[str, str, str]:
    """A question with a word that the library does not have, replaced as it was with success before.

    (the question, the word, what it was replaced by); ("", "", "") where nothing is known.
    """
    folded = fold(question)
    for record in like:
        for one in record.payload.get("worked", []):
            asked, found = one["asked"], one["found"]
            edge = "" if has_cjk(asked) else rf"[^\W{CJK}]"
            whole = f"(?<!{edge}){re.escape(asked)}(?!{edge})" if edge else re.escape(asked)
            at = re.search(whole, folded) if asked and len(folded) == len(question) else None
            if at and is_unknown(asked):
                return question[: at.start()] + found + question[at.end() :], asked, found
    return "", "", ""


def searches_of(same: Iterable[Record]) -> list[str]:
    """The searches that found the answer to the very same question before."""
    found = [one["query"] for record in same for one in record.payload.get("worked", [])]
    return list(dict.fromkeys(found))[:2]
