"""The embedded default: answers by selecting sentences, without a language model.

Plans by rules, drafts by quoting the sentences that answer best, and reformulates by relevance feedback.
What it says is quoted, so it cannot invent; it cannot combine, compare or conclude either. Milliseconds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from agent.deps import idf
from agent.reasoners.features import Asked, Candidate, ask, candidates, plain, rank_score
from agent.reasoners.language import answer_type_of, is_small_talk, language_of, names_in, standalone
from agent.state import Claim, Draft, Evidence, Lang, Need, Plan, Span, Turn, Verdict
from retrieval.tokens import STOP_WORDS, lexical_tokens, query_terms
from tools import Call, read_call

if TYPE_CHECKING:
    from retrieval.library import Library

GREETING: dict[Lang, str] = {
    "en": "Hello. Ask me something that your files can answer, and I will show where they say it.",
    "zh": "你好。请问一个你的文件能回答的问题，我会指出原文出处。",
}
SENTENCES = {"list": 4, "summary": 5, "explanation": 3}  # at most, by answer type; else 2
CLOSE_BEHIND = 0.8  # a further sentence must rank within this of the best
FEEDBACK_PASSAGES = 3
FEEDBACK_TERMS = 6


class Extractive:
    """The `Reasoner` that needs no chat model; it asks the library how rare words are."""

    name = "extractive"

    def __init__(self, library: Library) -> None:
        self._library = library

    def condense(self, question: str, turns: Sequence[Turn]) -> str:
        return standalone(question, turns)

    def plan(self, question: str, today: date) -> Plan:
        lang = language_of(question)
        call = read_call(question, today)
        need: Need = "search"
        queries = [question]
        if is_small_talk(question):
            need, queries = "conversation", []
        elif call and not _phrases(call):
            need, queries = "tool", []
        elif call:
            need, queries = "search_then_tool", [question, *_phrases(call)]
        return {
            "need": need,
            "lang": lang,
            "answer_type": answer_type_of(question),
            "queries": list(dict.fromkeys(queries)),
            "call": call,
        }

    def draft(
        self, question: str, plan: Plan, evidence: Sequence[Evidence], kept: Sequence[Claim]
    ) -> list[Claim]:
        if plan["need"] == "conversation":
            return [new_claim(GREETING[plan["lang"]], [])]
        results = [item for item in evidence if item["kind"] == "tool"]
        if results:
            return [new_claim(item["text"], [item["number"]], item["rests_on"]) for item in results[-1:]]
        asked = ask(question, self.idf)
        return [
            new_claim(plain(chosen.text), [chosen.evidence], [span_of(chosen)])
            for chosen in choose(asked, candidates(asked, evidence))
        ]

    def judge(
        self, question: str, claims: Sequence[Claim], evidence: Sequence[Evidence]
    ) -> list[tuple[Verdict, str]]:
        """Quotation needs no judge, and word overlap is none: what the checks left open stays open."""
        return [("unsupported", "no judge is configured, and the words do not match the source")] * len(
            claims
        )

    def reformulate(
        self, question: str, plan: Plan, evidence: Sequence[Evidence], draft: Draft, tried: Sequence[str]
    ) -> list[str]:
        asked = ask(question, self.idf)
        passages = [item for item in evidence if item["kind"] == "passage"][:FEEDBACK_PASSAGES]
        queries = [self._feedback(asked, passages), *_bridges(asked, passages, draft["missing"])]
        known = {frozenset(query_terms(query)) for query in tried}
        fresh: list[str] = []
        for query in queries:
            words = frozenset(query_terms(query))
            if words and words not in known:
                known.add(words)
                fresh.append(query)
        return fresh[:3]

    def idf(self, terms: Iterable[str]) -> Mapping[str, float]:
        return idf(self._library, terms)

    def _feedback(self, asked: Asked, passages: Sequence[Evidence]) -> str:
        """The question with the most telling words of the best passages.

        Relevance model RM3 (Abdul-Jaleel et al. 2004, "UMass at TREC 2004"), with word counts weighted by
        the passage's score and by idf in place of the collection model.
        """
        weights: dict[str, float] = defaultdict(float)
        for item in passages:
            counts = Counter(t for t in lexical_tokens(item["text"]) if t not in STOP_WORDS and len(t) > 1)
            length = sum(counts.values()) or 1
            for term, count in counts.most_common(40):
                weights[term] += item["score"] * count / length
        for term in query_terms(asked.text):
            weights.pop(term, None)
        best = sorted(weights, key=lambda term: -weights[term])[: 4 * FEEDBACK_TERMS]
        rarity = self.idf(best)
        best.sort(key=lambda term: -weights[term] * rarity[term])
        return " ".join([asked.text, *best[:FEEDBACK_TERMS]]) if best else ""


def _phrases(call: Call) -> list[str]:
    """What a tool call needs looked up first."""
    return [operand["phrase"] for operand in call["operands"] if operand["phrase"]]


def _bridges(asked: Asked, passages: Sequence[Evidence], missing: Sequence[str]) -> list[str]:
    """Names found in the best passages joined to the words of the question still open."""
    if not missing:
        return []
    known = asked.text.lower()
    names: list[str] = []
    for item in passages:
        for name in [item["title"], *names_in(item["text"])]:
            if name.lower() not in known and name not in names and len(query_terms(name)) > 0:
                names.append(name)
    return [f"{name} {' '.join(missing[:6])}" for name in names[:2]]


def choose(asked: Asked, found: Sequence[Candidate]) -> list[Candidate]:
    """The best sentences in order of rank: one, and more where they are close and say something else."""
    ranked = sorted(found, key=lambda c: -rank_score(asked.lang, c.features))
    if not ranked:
        return []
    best = rank_score(asked.lang, ranked[0].features)
    limit = SENTENCES.get(asked.answer_type, 2)
    chosen: list[Candidate] = []
    for candidate in ranked:
        close = best - rank_score(asked.lang, candidate.features) <= CLOSE_BEHIND
        if len(chosen) == limit or not close:
            break
        if not any(_repeats(candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def _repeats(left: Candidate, right: Candidate) -> bool:
    shared = len(left.tokens & right.tokens)
    return shared >= 0.7 * min(len(left.tokens), len(right.tokens))


def span_of(chosen: Candidate) -> Span:
    return {"evidence": chosen.evidence, "start": chosen.start, "end": chosen.end}


def new_claim(text: str, evidence: list[int], spans: Sequence[Span] = ()) -> Claim:
    """A claim that is not critiqued yet; with the exact spans where they are known."""
    return {
        "text": text,
        "evidence": list(dict.fromkeys([*evidence, *(span["evidence"] for span in spans)])),
        "spans": list(spans),
        "citations": [],
        "verdict": "undecided",
        "score": 0.0,
        "checks": [],
    }
