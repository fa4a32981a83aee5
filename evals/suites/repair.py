"""Whether the false sentences of a chat model reach the answer, and what sound ones are lost on the way.

A scripted chat model writes the drafts of `evals.cases` and a gullible judge believes them all: what stands
between a fault and the answer are the rules and the scorer. Reached: the faulty sentence was judged
supported, answered or not. Removed: a sound sentence was not. One round for the bulk; then a pass with a
second round, in which the model writes the repaired sentence. Cases whose passage was not retrieved are
counted and left out. It says nothing of how well a real model writes or judges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

from langchain_core.messages import BaseMessage

from agent.answer import Answer
from agent.assistant import Agent
from agent.citations import parse_marks
from agent.models.store import EXTRACTIVE
from agent.reasoners.chat import quoted
from agent.reasoners.scripted import ScriptedChat
from agent.settings import Settings
from evals.cases import DETERMINISTIC, KINDS, Case, cases
from evals.data import LONG, Row, add_corpus, corpora, read_corpus
from evals.metrics import mean_ci
from evals.orders import SEED, Order
from evals.report import Result
from evals.suites.qa import TODAY, empty_home

REPAIRED = 150  # cases of each corpus that get a second round
_PASSAGE = re.compile(r'<passage number="(\d+)" from="[^"\n]*">\n(.*?)\n</passage>', re.DOTALL)
_STATEMENT = re.compile(r"^(S\d+): ", re.MULTILINE)
_SEARCHED = re.compile("Searched already|已经搜索过")  # only the prompt for new queries says so
_MARK = re.compile(r"\[\d+\]")


@dataclass
class Script:
    """What the scripted model writes for one case, and what of it went into the first draft."""

    case: Case
    drafts: int = 0
    sound: list[int] = field(default_factory=list)
    """Places in `case.sound` of the sound sentences whose passage was shown."""

    def reply(self, messages: list[BaseMessage]) -> dict[str, Any]:
        """A draft, the verdicts of a judge who believes everything, or no queries."""
        prompt = str(messages[-1].text)
        asked = prompt[prompt.rfind("</passage>") :]
        if statements := _STATEMENT.findall(asked):
            return dict.fromkeys(statements, "supported")
        return {"queries": []} if _SEARCHED.search(asked) else {"sentences": self._draft(prompt)}

    def _draft(self, prompt: str) -> list[dict[str, Any]]:
        """The faulty sentence, or in a later round the one it was made from, then the sound ones."""
        shown = [(int(number), text) for number, text in _PASSAGE.findall(prompt)]
        cited = holding(shown, self.case.gold)
        if cited is None:
            return []
        beside = [(n, holding(shown, origin)) for n, origin in enumerate(self.case.origins)]
        self.drafts += 1
        if self.drafts == 1:
            self.sound = [n for n, number in beside if number is not None]
        target = self.case.faulty if self.drafts == 1 else self.case.replaced
        # A mark in the text is all that the sentence cites.
        draft = [{"text": target, "passages": [] if _MARK.search(target) else [cited]}] if target else []
        return draft + [{"text": self.case.sound[n], "passages": [m]} for n, m in beside if m is not None]


def holding(shown: Sequence[tuple[int, str]], text: str) -> int | None:
    """The number of the first passage that holds a text."""
    return next((number for number, passage in shown if quoted(text) in passage), None)


Ask = Callable[[Case], tuple[Script, list[dict[str, Any]], Answer]]
Work = Callable[[Case, Script, list[dict[str, Any]], Answer], Row]


def asking(assistant: Agent, chat: ScriptedChat) -> Ask:
    """A function that runs one case and gives its script, its `critique` events and its answer."""

    current: list[Script] = []

    def reply(messages: list[BaseMessage]) -> dict[str, Any]:
        chat.enqueue(reply)  # as many replies as are asked for
        return current[-1].reply(messages)

    chat.enqueue(reply)

    def ask(case: Case) -> tuple[Script, list[dict[str, Any]], Answer]:
        script = Script(case)
        current[:] = [script]
        chat.history.clear()
        *events, answer = assistant.run(case.question)
        assert isinstance(answer, Answer)
        return script, [dict(e) for e in events if isinstance(e, dict) and e["event"] == "critique"], answer

    return ask


def run(order: Order) -> Result:
    rows: list[dict[str, Any]] = []
    for name, corpus, questions in corpora(order.data, order.lang):
        if order.lang is None and name.startswith(LONG):
            continue
        texts, asked = read_corpus(corpus, questions)
        made = order.some(list(cases(asked, texts, SEED)))
        faulty = [case for case in made if case.kind in DETERMINISTIC][:REPAIRED]
        for part, rounds, work, own in (("once", 0, judged, made), ("again", 1, repaired, faulty)):
            if part in order.parts:
                settings = order.settings(remember=False, max_rounds=rounds, model=EXTRACTIVE)
                opened = partial(_asking, settings, texts, work)
                found = order.kept.rows(part, name, own, attrgetter("id"), opened)
                rows += [{"part": part, "corpus": name, **row} for row in found]
    forced = {"judge": "gullible", "model": EXTRACTIVE, "max_rounds": "0 of once, 1 of again"}
    return Result("repair", forced, len(rows), summary(rows), rows)


@contextmanager
def _asking(settings: Settings, texts: Sequence[Row], work: Work) -> Iterator[Callable[[Case], Row]]:
    """A function that runs one case over a corpus and says what became of it."""
    chat = ScriptedChat()
    with empty_home(settings) as own, Agent(own, chat_model=chat, today=lambda: TODAY) as assistant:
        add_corpus(assistant.library, texts)
        ask = asking(assistant, chat)
        yield lambda case: work(case, *ask(case))


def judged(case: Case, script: Script, critiques: list[dict[str, Any]], answer: Answer) -> dict[str, Any]:
    """What became of the sentences of a case in one round."""
    row = _row("one round", case, script)
    if not script.drafts:
        return row
    written = ([case.faulty] if case.faulty else []) + [case.sound[n] for n in script.sound]
    groups = by_sentence(written, critiques[0]["verdicts"])
    first = groups[0] if case.faulty else []
    others = groups[bool(case.faulty) :]
    row |= {
        "outcome": answer.outcome,
        "faulty": case.faulty,
        "replaced": case.replaced,
        # A piece that the sound sentence holds as well is not where the fault is.
        "reached": any(
            one["verdict"] == "supported" and not _within(one["text"], case.replaced) for one in first
        ),
        "in_answer": bool(case.faulty) and stands(case.faulty, answer),
        "reason": "; ".join(one["reason"] for one in first),
    }
    row["sound"] = [
        {
            "variety": case.varieties[n],
            "text": case.sound[n],
            "origin": case.origins[n],
            "removed": any(one["verdict"] != "supported" for one in pieces),
            "reason": "; ".join(one["reason"] for one in pieces if one["verdict"] != "supported"),
        }
        for n, pieces in zip(script.sound, others, strict=True)
    ]
    return row


def _row(rounds: str, case: Case, script: Script) -> dict[str, Any]:
    """What every row says of its case; `retrieved` is false where the gold passage was never shown."""
    return {
        "pass": rounds,
        "id": case.id,
        "group": case.doc_id,
        "lang": case.lang,
        "kind": case.kind,
        "retrieved": script.drafts > 0,
    }


def by_sentence(written: Sequence[str], verdicts: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The verdicts of each sentence that was written: the critic may cut one into several claims, in order.

    Raises RuntimeError for a claim that is part of none.
    """
    groups: list[list[dict[str, Any]]] = [[] for _ in written]
    place = 0
    for one in verdicts:
        while place < len(written) and not _within(one["text"], written[place]):
            place += 1
        if place == len(written):
            raise RuntimeError(f"no sentence holds the claim {one['text'][:80]!r}")
        groups[place].append(one)
    return groups


def _within(piece: str, sentence: str) -> bool:
    """Whether a claim is a piece of a sentence, marks such as [2] aside."""
    return _letters(piece) in _letters(sentence)


def _letters(text: str) -> str:
    return "".join(char for char in parse_marks(text)[0] if char.isalnum())


def repaired(case: Case, script: Script, critiques: list[dict[str, Any]], answer: Answer) -> dict[str, Any]:
    """What became of a case whose second draft is sound."""
    row = _row("two rounds", case, script)
    if not script.drafts:
        return row
    # The passage may have been found, and the first sentence written, in the second round only.
    first = next(critique["verdicts"] for critique in critiques if critique["verdicts"])
    own = [v for v in first if _within(v["text"], case.faulty)]
    verified = [v["text"] for v in first if v not in own and v["verdict"] == "supported"]
    caught = not any(v["verdict"] == "supported" and not _within(v["text"], case.replaced) for v in own)
    kept = all(_within(text, answer.best_draft) for text in verified)
    mended = _within(case.replaced, answer.best_draft) and not _in(case, answer.best_draft)
    return row | {
        "caught": caught,
        "drafts": script.drafts,
        "outcome": answer.outcome,
        "repaired": mended and kept,
        "kept": kept,
        # Where only its citation was wrong, the sentence itself is right once it is cited anew.
        "fault_in_answer": stands(case.faulty, answer) and (not caught or _in(case, answer.text)),
        "answered": answer.outcome in ("verified", "partial"),
    }


def _in(case: Case, text: str) -> bool:
    faulty = parse_marks(case.faulty)[0]
    return faulty != case.replaced and faulty in text


def stands(faulty: str, answer: Answer) -> bool:
    """Whether a faulty sentence is one of the claims of a given answer."""
    return parse_marks(faulty)[0] in {parse_marks(claim.text)[0] for claim in answer.claims}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Per kind and language what was caught, per variety what was removed; shares with 95 % intervals."""
    seen = [row for row in rows if row["retrieved"]]
    once = [row for row in seen if row["pass"] == "one round"]
    twice = [row for row in seen if row["pass"] == "two rounds"]
    faulty = [row for row in once if row["kind"] != "none"]
    sound = [{"lang": row["lang"], "group": row["group"], **one} for row in once for one in row["sound"]]
    deterministic = [row for row in faulty if row["kind"] in DETERMINISTIC]
    varieties = sorted({one["variety"] for one in sound})
    return {
        "not retrieved": len(rows) - len(seen),
        "deterministic_caught": share([not row["reached"] for row in deterministic]),
        "deterministic_not_in_answer": share([not row["in_answer"] for row in deterministic]),
        "sound_removed": _removed(sound),
        "caught": {
            kind: _by_lang([(row["lang"], not row["reached"]) for row in faulty if row["kind"] == kind])
            for kind in KINDS
            if kind != "none"
        },
        "kept out of the answer": {
            kind: _by_lang([(row["lang"], not row["in_answer"]) for row in faulty if row["kind"] == kind])
            for kind in KINDS
            if kind != "none"
        },
        "removed": {
            "all": {
                lang: _removed([one for one in sound if one["lang"] == lang])
                for lang in sorted({one["lang"] for one in sound})
            }
        }
        | {
            variety: _by_lang([(one["lang"], one["removed"]) for one in sound if one["variety"] == variety])
            for variety in varieties
        },
        "second round": _second(twice),
    }


def _second(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    again = [row for row in rows if row["caught"] and row["drafts"] > 1]
    return {
        "fault caught in round 0": share([row["caught"] for row in rows]),
        "drafted again when caught": share([row["drafts"] > 1 for row in rows if row["caught"]]),
        "repaired, nothing verified lost": share([row["repaired"] for row in again]),
        "nothing verified lost": share([row["kept"] for row in again]),
        "repaired and answered": share([row["repaired"] and row["answered"] for row in again]),
        "fault not in answer": share([not row["fault_in_answer"] for row in rows]),
    }


def _by_lang(values: Sequence[tuple[str, bool]]) -> dict[str, Any]:
    langs = sorted({lang for lang, _ in values})
    return {lang: share([value for one, value in values if one == lang]) for lang in langs}


def _removed(sound: Sequence[dict[str, Any]]) -> list[float]:
    """`share` of the sentences that were removed, resampled by document."""
    return share([one["removed"] for one in sound], [one["group"] for one in sound])


def share(values: Sequence[bool], groups: Sequence[str] | None = None) -> list[float]:
    """Number of values, share of true ones, and the 95 % interval of that share."""
    return [len(values), *mean_ci([float(value) for value in values], groups=groups)]
