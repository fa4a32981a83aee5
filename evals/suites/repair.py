"""Whether the false sentences of a chat model reach the answer, and what sound ones are lost on the way.

A scripted chat model writes the drafts of `evals.faults` and a gullible judge believes them all: what stands
between a fault and the answer is the deterministic part alone. Reached: the faulty sentence was judged
supported, answered or not. Removed: a sound sentence was not. One round for the bulk; then a pass with a
second round, in which the model writes the repaired sentence. Cases whose passage was not retrieved are
counted and left out. It says nothing of how well a real model writes or judges.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from agent.answer import Answer
from agent.assistant import Agent
from agent.citations import parse_marks
from agent.deps import prepare
from agent.reasoners.chat import quoted
from agent.reasoners.scripted import ScriptedChat
from agent.settings import Settings, read_settings
from evals.data import add_corpus, corpora, read_rows
from evals.faults import DETERMINISTIC, KINDS, Case, cases
from evals.metrics import mean_ci
from evals.report import Result

LANGUAGES = ("en", "zh")  # the long articles are asked for with --lang
REPAIRED = 150  # cases of each language that get a second round
_PASSAGE = re.compile(r'<passage number="(\d+)" from="[^"\n]*">\n(.*?)\n</passage>', re.DOTALL)
_STATEMENT = re.compile(r"^(S\d+): ", re.MULTILINE)
_EXAMPLES = 0


@dataclass
class Script:
    """What the scripted model writes in the case at hand, and how far it has got."""

    case: Case
    drafts: int = 0
    retrieved: bool = False
    written: list[str] = field(default_factory=list)
    """The sentences of the first draft, the faulty one first."""
    origins: list[int] = field(default_factory=list)
    """Of each sound sentence of the first draft, its place in `case.sound`."""

    def reply(self, messages: list[BaseMessage]) -> dict[str, Any]:
        """A draft, the verdicts of a judge who believes all, or no queries."""
        prompt = str(messages[-1].text)
        asked = prompt[prompt.rfind("</passage>") :]
        statements = _STATEMENT.findall(asked)
        if statements:
            return dict.fromkeys(statements, "supported")
        # Each schema takes its own key and leaves the other.
        return {"sentences": self._draft(prompt) if self._is_draft(asked) else [], "queries": []}

    def _is_draft(self, asked: str) -> bool:
        return not re.search("Searched already|已经搜索过|已搜索过|已经搜过|搜索过", asked)

    def _draft(self, prompt: str) -> list[dict[str, Any]]:
        shown = [(int(number), text) for number, text in _PASSAGE.findall(prompt)]
        case = self.case
        cited = _holding(shown, case.gold)
        if cited is None:
            return []
        self.drafts += 1
        first = self.drafts == 1
        target = case.faulty if first else case.replaced
        draft = []
        if target:
            # A mark in the text is all that the sentence cites.
            draft.append({"text": target, "passages": [] if re.search(r"\[\d+\]", target) else [cited]})
        for n, (said, origin) in enumerate(zip(case.sound, case.origins, strict=True)):
            number = _holding(shown, origin)
            if number is not None:
                draft.append({"text": said, "passages": [number]})
                if first:
                    self.origins.append(n)
        if first:
            self.retrieved = True
            self.written = [str(sentence["text"]) for sentence in draft]
        return draft


def _holding(shown: Sequence[tuple[int, str]], text: str) -> int | None:
    """The number of the passage that holds a text."""
    return next((number for number, passage in shown if quoted(text) in passage), None)


def run(arguments: argparse.Namespace) -> Result:
    base = read_settings(remember=False)
    cache = prepare(base).parent.parent
    rows: list[dict[str, Any]] = []
    again: list[dict[str, Any]] = []
    for name, corpus, questions in corpora(arguments.data, arguments.lang):
        if arguments.lang is None and name not in LANGUAGES:
            continue
        texts = read_rows(corpus)
        made = list(cases(read_rows(questions), texts))[: arguments.limit]
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "cache").symlink_to(cache)  # the embedder that is prepared already
            settings = replace(base, home=Path(folder), max_rounds=0)
            with _asking(settings) as ask:
                rows += [judged(case, *ask(case), ask.library_added) for case in made] if False else []
        del settings, ask
    return Result("repair", {}, len(rows), {}, rows)
