"""The reasoner over a chat model: any LangChain `BaseChatModel`, with constrained outputs.

Every call asks for one flat JSON object of a fixed schema. Prompts are append-only (rules, evidence in stable
order, question, task), so that a model that keeps its key-value cache reads each passage once. Planning
stays with rules, as small models plan badly. Failures are raised: the nodes let the extractive reasoner stand
in, except for the judge, whose failure the critic must see.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from agent.errors import ContextOverflow, ModelError
from agent.moves import new_query
from agent.prompts import render
from agent.reasoners.extractive import Extractive, new_claim
from agent.reasoners.language import is_follow_up, language_of
from agent.remarks import remark
from agent.state import Claim, Draft, Evidence, Lang, Plan, Query, Turn, Verdict

MAX_SENTENCES = 4
MAX_QUERIES = 3
MIN_EVIDENCE = 1  # passages kept when a prompt has to shrink to fit the window
QUESTION_CHARS = 300
SWEEP_CALLS = 8  # calls for the parts of a whole document
SWEEP_SENTENCES = 8  # of an answer to a whole-document question, unless it is a list
# How chat templates and our own fence mark control: <|...|>, </...>, <s>, <start_of_turn>, [INST], ...
_CONTROL = re.compile(
    r"<[|｜/]|<(?=passage|s>|bos>|eos>|pad>|unk>|start_of|end_of|think|tool)"
    r"|\[(?=/?INST|/?TOOL|/?SYSTEM|AVAILABLE_TOOLS)",
    re.IGNORECASE,
)


class Standalone(BaseModel):
    """A question that can be understood on its own."""

    question: str


class Sentence(BaseModel):
    """One sentence of an answer and the numbers of the passages it rests on."""

    text: str
    passages: list[int]


class Sentences(BaseModel):
    """An answer, or an empty list when the passages give none."""

    sentences: list[Sentence] = Field(max_length=MAX_SENTENCES)


class Chosen(BaseModel):
    """Numbers of statements."""

    numbers: list[int]


class Queries(BaseModel):
    """New search queries."""

    queries: list[str] = Field(max_length=MAX_QUERIES)


class ChatReasoner:
    """The `Reasoner` that reads and writes with a chat model."""

    def __init__(self, chat_model: BaseChatModel, fallback: Extractive, *, alone: bool = False) -> None:
        """`alone`: it judges what others have written. It is shown what is cited alone; a writer that judges
        its own draft has read all of the evidence already."""
        params = chat_model._identifying_params
        self.name = str(chat_model.name or params.get("model_path") or type(chat_model).__name__)
        self._model = chat_model
        self._alone = alone
        self._fallback = fallback

    def condense(self, question: str, turns: Sequence[Turn]) -> str:
        """By the model only where the question leans on what came before; else it stays as it is."""
        if not turns or not is_follow_up(question):
            return question
        lang = language_of(question)
        said = "\n".join(f"- {turn['standalone']}\n  {turn['answer'][:200]}" for turn in turns[-3:])
        asked = render("condense", lang, turns=quoted(said), question=quoted(question))
        result: Standalone = self._ask(lang, asked, Standalone)
        text = " ".join(result.question.split())
        # Too long a rewriting is babble: the rule's is better than that.
        good = 0 < len(text) <= QUESTION_CHARS
        return text if good else self._fallback.condense(question, turns)

    def plan(self, question: str, today: date) -> Plan:
        return self._fallback.plan(question, today)

    def draft(
        self,
        question: str,
        plan: Plan,
        evidence: Sequence[Evidence],
        kept: Sequence[Claim] = (),
        failed: Sequence[Claim] = (),
    ) -> list[Claim]:
        """After a failed critique only what failed is written anew; verified claims stay as they are."""
        if plan["need"] == "conversation" or any(item["kind"] == "tool" for item in evidence):
            return self._fallback.draft(question, plan, evidence, kept)
        if not evidence:
            return []
        if plan["need"] == "sweep":
            return self._sweep(question, plan, evidence)
        given = {"question": quoted(question), "sentences": str(MAX_SENTENCES)}
        name = "draft"
        if kept or failed:
            name, given = "repair", given | {"kept": _listed(kept), "failed": _listed(failed)}
        result: Sentences = self._ask_with_evidence(name, plan["lang"], evidence, Sentences, **given)
        fresh = [_claim(sentence) for sentence in result.sentences[:MAX_SENTENCES] if sentence.text.strip()]
        known = {claim["text"] for claim in kept}
        return [*kept, *(claim for claim in fresh if claim["text"] not in known)]

    def _sweep(self, question: str, plan: Plan, evidence: Sequence[Evidence]) -> list[Claim]:
        """Sentences of each few parts, then the ones that matter most; a list keeps them all."""
        size = max(1, -(-len(evidence) // SWEEP_CALLS))
        written: list[Claim] = []
        for start in range(0, len(evidence), size):
            written += self._part(question, plan, evidence[start : start + size])
        unique = list({claim["text"]: claim for claim in written}.values())
        if len(unique) <= SWEEP_SENTENCES or (plan["sweep"] and plan["sweep"]["kind"] == "list"):
            return unique
        listed = "\n".join(f"S{n}: {quoted(claim['text'])}" for n, claim in enumerate(unique, start=1))
        asked = render(
            "choose", plan["lang"], question=quoted(question), claims=listed, count=str(SWEEP_SENTENCES)
        )
        chosen: Chosen = self._ask(plan["lang"], asked, Chosen)
        wanted = set(chosen.numbers[:SWEEP_SENTENCES])
        return [claim for n, claim in enumerate(unique, start=1) if n in wanted] or unique[:SWEEP_SENTENCES]

    def _part(self, question: str, plan: Plan, evidence: Sequence[Evidence]) -> list[Claim]:
        """What some parts of a document contribute; halved until they fit the window."""
        asked = render(
            "sweep",
            plan["lang"],
            evidence=fenced(evidence),
            question=quoted(question),
            sentences=str(MAX_SENTENCES),
        )
        try:
            result: Sentences = self._ask(plan["lang"], asked, Sentences)
        except ContextOverflow:
            if len(evidence) == 1:
                raise
            middle = len(evidence) // 2
            return [
                *self._part(question, plan, evidence[:middle]),
                *self._part(question, plan, evidence[middle:]),
            ]
        return [_claim(sentence) for sentence in result.sentences if sentence.text.strip()]

    def judge(
        self, question: str, claims: Sequence[Claim], evidence: Sequence[Evidence]
    ) -> list[tuple[Verdict, str]]:
        """One call for all claims. Raises `ModelError`, which the critic turns into `unverified`."""
        lang = language_of(question)
        shown = list(evidence)
        if self._alone:
            cited = {number for claim in claims for number in claim["evidence"]}
            shown = [item for item in evidence if item["number"] in cited] or shown[:MIN_EVIDENCE]
        listed = "\n".join(_cited(n, claim) for n, claim in enumerate(claims, start=1))
        result: dict[str, str] = self._ask_with_evidence(
            "judge", lang, shown, _verdict_schema(len(claims)), question=quoted(question), claims=listed
        )
        verdicts: list[tuple[Verdict, str]] = []
        for n in range(1, len(claims) + 1):
            said = result[f"S{n}"]
            verdict: Verdict = "supported" if said == "supported" else "unsupported"
            verdicts.append((verdict, f"the chat model says {said}"))
        return verdicts

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
        """The model's queries, then those of the moves. It is shown what the draft was, and has read that."""
        own = self._fallback.reformulate(question, plan, evidence, draft, tried)
        result: Queries = self._ask_with_evidence(
            "reformulate",
            plan["lang"],
            shown or evidence[:4],
            Queries,
            question=quoted(question),
            missing=quoted(", ".join(draft["missing"][:8]) or "-"),
            tried=quoted("\n".join(f"- {query}" for query in tried)),
        )
        proposed = [" ".join(query.split())[:QUESTION_CHARS] for query in result.queries]
        known = {query["text"] for query in own}
        fresh = [text for text in dict.fromkeys(proposed) if text and text not in known]
        return [*(new_query(text, "model") for text in fresh[:MAX_QUERIES]), *own]

    def _ask_with_evidence(
        self, name: str, lang: Lang, evidence: Sequence[Evidence], schema: Any, **values: str
    ) -> Any:
        """Ask with the passages in front; drops them from the tail until the prompt fits the window."""
        shown = list(evidence)
        while True:
            try:
                result = self._ask(lang, render(name, lang, evidence=fenced(shown), **values), schema)
            except ContextOverflow as error:
                if len(shown) <= MIN_EVIDENCE:
                    raise
                window = error.window
                shown = shown[: max(MIN_EVIDENCE, len(shown) * 2 // 3)]
                continue
            if left := len(evidence) - len(shown):
                remark(f"{name}: {left} of {len(evidence)} passages did not fit into {window} tokens")
            return result

    def _ask(self, lang: Lang, prompt: str, schema: Any) -> Any:
        """The model's reply in the wanted form; whatever goes wrong is a `ModelError`."""
        messages = [SystemMessage(render("rules", lang)), HumanMessage(prompt)]
        try:
            result = self._model.with_structured_output(schema).invoke(messages)
        except ModelError:
            raise
        except Exception as error:  # a server that is gone, a reply of a client library's own making
            raise ModelError(f"the chat model failed: {type(error).__name__}: {error}") from error
        if not isinstance(result, dict if isinstance(schema, dict) else schema):
            raise ModelError(f"the chat model replied with {type(result).__name__}, not what was asked for")
        return result


def quoted(text: str) -> str:
    """Text from outside, unable to end its fence or to pass for a control token of a chat template."""
    return _CONTROL.sub(lambda match: f"{match.group()[0]}\u200b{match.group()[1:]}", text)


def fenced(evidence: Sequence[Evidence]) -> str:
    """Passages in their stable order, fenced and labelled as quoted material."""
    parts = []
    for item in evidence:
        label = quoted(" > ".join(part for part in (item["title"], item["heading"]) if part))
        label = label.replace('"', "'")
        parts.append(
            f'<passage number="{item["number"]}" from="{label}">\n{quoted(item["text"])}\n</passage>'
        )
    return "\n\n".join(parts)


def _claim(sentence: Sentence) -> Claim:
    """Lines and marks are left for the critic, which cuts a list into claims."""
    return new_claim(sentence.text.strip(), sentence.passages)


def _cited(number: int, claim: Claim) -> str:
    """A statement for the judge, with the numbers of the passages it rests on."""
    marks = "".join(f"[{one}]" for one in claim["evidence"])
    return f"S{number}: {quoted(claim['text'])} {marks}".rstrip()


def _listed(claims: Sequence[Claim]) -> str:
    return "\n".join(f"- {quoted(claim['text'])}" for claim in claims) or "-"


def _verdict_schema(count: int) -> dict[str, Any]:
    """A JSON schema with one verdict for each of `count` claims, named S1, S2, ..."""
    names = [f"S{n}" for n in range(1, count + 1)]
    return {
        "title": "Verdicts",
        "type": "object",
        "properties": {name: {"enum": ["supported", "unsupported"]} for name in names},
        "required": names,
        "additionalProperties": False,
    }
