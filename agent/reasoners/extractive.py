"""The embedded default: answers by selecting sentences, without a language model.

Plans by rules, drafts by quoting the sentences that answer best, and reformulates by relevance feedback.
What it says is quoted, so it cannot invent; it cannot combine, compare or conclude either. Milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from agent.asides import Aside, filter_of, find_asides
from agent.deps import idf
from agent.moves import DEFAULT_MOVES, Failure, propose
from agent.reasoners.features import (
    Asked,
    Candidate,
    Reader,
    ask,
    asks_only_whose,
    candidates,
    is_question,
    plain,
    rank_score,
    spanned,
    stems,
)
from agent.reasoners.language import (
    answer_type_of,
    is_of_another_kind,
    is_small_talk,
    language_of,
    standalone,
)
from agent.state import Claim, Draft, Evidence, Lang, Need, Plan, Query, Span, Turn, Verdict
from retrieval.tokens import place_of, query_terms
from tools import Call, read_call

if TYPE_CHECKING:
    from retrieval.library import Library

GREETING: dict[Lang, str] = {
    "en": "Hello. Ask me something that your files can answer, and I will show where they say it.",
    "zh": "你好。请问一个你的文件能回答的问题，我会指出原文出处。",
}
SENTENCES = {"list": 4, "summary": 5, "explanation": 3}  # at most, by answer type; else 2
# How likely a passage that another leads to must be needed. Relevance is fitted on English, where the default
# embedder sees; blind to Chinese, it is low (evals/LOG.md).
LINKED: dict[Lang, float] = {"en": 0.4, "zh": 0.1}
SHORT = 0.5  # of its sentence: what is longer is no short answer
CLOSE_BEHIND = 0.8  # a further sentence must rank within this of the best


class Extractive:
    """The `Reasoner` that needs no chat model; it asks the library how rare words are."""

    name = "extractive"

    def __init__(
        self,
        library: Library,
        moves: Sequence[str] = DEFAULT_MOVES,
        today: Callable[[], date] = date.today,
        reader: Reader | None = None,
    ) -> None:
        """`reader`: reads passages as possible answers; without one, words alone tell."""
        self.library = library
        self._reader = reader
        self._today = today
        self._moves = moves
        self._asked: dict[str, Asked] = {}

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
            "sweep": None,
            "where": filter_of(self.asides(question, today)),
        }

    def draft(
        self,
        question: str,
        plan: Plan,
        evidence: Sequence[Evidence],
        kept: Sequence[Claim] = (),
        failed: Sequence[Claim] = (),
    ) -> list[Claim]:
        """A sweep's quotations are `kept`; else sentences are chosen anew from all the evidence."""
        if plan["need"] == "sweep":
            return list(kept)
        if plan["need"] == "conversation":
            return [new_claim(GREETING[plan["lang"]], [])]
        results = [item for item in evidence if item["kind"] == "tool"]
        if results:
            return [new_claim(item["text"], [item["number"]], item["rests_on"]) for item in results[-1:]]
        asked = self.asked(question)
        found = candidates(asked, evidence)
        chosen = choose(asked, found)
        wanted = [span_of(one) for one in chosen]
        wanted += led_to(asked, chosen[0], found, evidence) if chosen else []
        numbered = {item["number"]: item for item in evidence}
        spans: list[Span] = []
        for span in wanted:
            if not any(_overlap(numbered, span, other) for other in spans):
                spans.append(span)
        claims = [
            new_claim(plain(spanned(numbered[span["evidence"]], span)), [span["evidence"]], [span])
            for span in spans
        ]
        answer = chosen[0].answer if chosen and asked.answer_type not in SENTENCES else ""
        if answer and not is_of_another_kind(asked.answer_type, answer):
            mark_short(claims[0], answer)
        return claims

    def judge(
        self, question: str, claims: Sequence[Claim], evidence: Sequence[Evidence]
    ) -> list[tuple[Verdict, str]]:
        """Quotation needs no judge, and word overlap is none: what the checks left open stays open."""
        return [("unsupported", "no judge is configured, and the words do not match the source")] * len(
            claims
        )

    def reformulate(
        self,
        question: str,
        plan: Plan,
        evidence: Sequence[Evidence],
        draft: Draft,
        tried: Sequence[str],
        *,
        shown: Sequence[Evidence] = (),
    ) -> list[Query]:
        asked = self.asked(question)
        failure = Failure(
            asked,
            [item for item in evidence if item["kind"] == "passage"],
            draft["missing"],
            self.library.store.term_counts(query_terms(question)),
            self.idf,
            self.library.store.terms_with,
            self.library.store.pairs_ending_in,
            self.library.store.term_counts,
            self.library.is_word,
        )
        return propose(failure, self._moves, tried)

    def asked(self, question: str) -> Asked:
        """A question, read once in a run."""
        if question not in self._asked:
            asides = self.asides(question, self._today())
            self._asked[question] = ask(question, self.idf, asides, self._reader)
        return self._asked[question]

    def asides(self, question: str, today: date) -> list[Aside]:
        return find_asides(question, today, self.library.store)

    def idf(self, terms: Iterable[str]) -> Mapping[str, float]:
        return idf(self.library, terms)


def _phrases(call: Call) -> list[str]:
    """What a tool call needs looked up first."""
    return [operand["phrase"] for operand in call["operands"] if operand["phrase"]]


def choose(asked: Asked, found: Sequence[Candidate]) -> list[Candidate]:
    """The best sentences in order of rank: one, and more where they are close and say something else."""
    ranked = sorted(found, key=lambda c: -rank_score(asked.lang, c.features))
    if not ranked:
        return []
    best = rank_score(asked.lang, ranked[0].features)
    limit = SENTENCES["summary"] if asks_only_whose(asked) else SENTENCES.get(asked.answer_type, 2)
    chosen: list[Candidate] = []
    for candidate in ranked:
        close = best - rank_score(asked.lang, candidate.features) <= CLOSE_BEHIND
        if len(chosen) == limit or not close:
            break
        if not any(_repeats(candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def led_to(
    asked: Asked, best: Candidate, found: Sequence[Candidate], evidence: Sequence[Evidence]
) -> list[Span]:
    """The best sentence that another passage leads to, after the one that leads there, where it helps.

    It helps where both together leave less of the question open than `best` does. Such a sentence answers a
    question over several documents that no single one answers; it is shown beside the best, not instead.
    """
    numbered = {item["number"]: item for item in evidence}
    helping: list[tuple[float, Span, Span]] = []
    for candidate in found:
        item = numbered[candidate.evidence]
        link = item["link"]
        if not link or link["evidence"] not in numbered or link["evidence"] == candidate.evidence:
            continue
        if item["relevance"] < LINKED[asked.lang]:
            continue
        leads = spanned(numbered[link["evidence"]], link)
        if is_question(leads):
            continue
        said = frozenset(stems(leads))
        if len(candidate.missing - said) < len(best.missing):
            helping.append((rank_score(asked.lang, candidate.features), link, span_of(candidate)))
    return list(max(helping, key=lambda one: one[0])[1:]) if helping else []


def _overlap(numbered: Mapping[int, Evidence], left: Span, right: Span) -> bool:
    """Whether two spans overlap in one document; a part of a passage may be evidence beside the whole."""
    one, other = numbered[left["evidence"]], numbered[right["evidence"]]
    apart = left["end"] <= right["start"] or right["end"] <= left["start"]
    return one["document_id"] == other["document_id"] and not apart


def _repeats(left: Candidate, right: Candidate) -> bool:
    shared = len(left.tokens & right.tokens)
    return shared >= 0.7 * min(len(left.tokens), len(right.tokens))


def mark_short(claim: Claim, answer: str) -> None:
    """Note the short answer in a claim, unless it is most of it anyway."""
    piece = plain(answer)
    if any(place_of(piece, claim["text"])) and len(piece) <= SHORT * len(claim["text"]):
        claim["short"] = piece


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
