"""What a user gets back: an answer with its claims and their citations, as frozen data.

Built from the final state of a run. It looks at files only to tell whether a cited one has changed.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.budget import Budget
from agent.evidence import shown_evidence
from agent.state import Conflict, Evidence, Outcome, State, Stop, Verdict
from retrieval.addresses import is_page
from retrieval.load import line_of, place

if TYPE_CHECKING:
    from agent import state as states
    from retrieval.library import Library


@dataclass(frozen=True)
class Citation:
    """An exact span of a document: `source[start:end] == quote`."""

    path: str
    start: int
    end: int
    quote: str
    page: int | None
    heading: str
    line: int | None
    """Line of the file on which the quote begins, from 1; None where the format has no lines."""
    changed: str
    """"" while the file is as it was indexed, else "changed" or "gone"."""
    also: tuple[str, ...] = ()
    """Paths of the other documents with exactly the same content."""


@dataclass(frozen=True)
class Claim:
    """One sentence of the answer. Without a citation it is a tool's result over the question alone."""

    text: str
    verdict: Verdict
    score: float
    citations: tuple[Citation, ...]
    short: str = ""
    """The piece of the text that answers the question, where a short answer is known."""


@dataclass(frozen=True)
class Answer:
    """An answer to one question, or the reason why there is none."""

    question: str
    outcome: Outcome
    text: str
    claims: tuple[Claim, ...]
    rounds: int
    queries: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    model: str
    run_id: str
    seconds: float
    tokens: int
    lang: str
    confidence: float
    """Probability in [0, 1] that the best draft answers the question, as the critic sees it."""
    conflicts: tuple[Conflict, ...]
    """Where other passages contradict a claim; they are quoted among the claims."""
    disagreements: tuple[str, ...]
    """The same as sentences in the question's language, newest document first where the dates are known."""
    best_draft: str
    """The supported sentences of the best draft, given as the answer or not: for measuring."""
    stopped: Stop
    """Why no further round began; "" where none was needed, or none could help."""
    budget: Budget
    """What was used of each budget."""

    @property
    def short(self) -> str:
        """The answer in a word or a few, where that is known; it stands in the first claim.

        None of what is not verified, or of what the files disagree about: in a word, doubt has no place.
        """
        sure = self.outcome == "verified" and not self.conflicts
        return self.claims[0].short if self.claims and sure else ""

    def to_json(self) -> dict[str, Any]:
        """The object that `agent ask --json` prints; its keys are stable."""
        return {
            "outcome": self.outcome,
            "answer": self.text,
            "short": self.short,
            "claims": [
                {
                    **asdict(claim),
                    "citations": [{**asdict(one), "also": list(one.also)} for one in claim.citations],
                }
                for claim in self.claims
            ],
            "rounds": self.rounds,
            "queries": list(self.queries),
            "evidence": [dict(item) for item in self.evidence],
            "missing": list(self.missing),
            "conflicts": [dict(one) for one in self.conflicts],
            "disagreements": list(self.disagreements),
            "notes": list(self.notes),
            "model": self.model,
            "run_id": self.run_id,
            "seconds": self.seconds,
            "tokens": self.tokens,
            "confidence": self.confidence,
            "stopped": self.stopped,
            "budget": self.budget,
        }


def answer_of(state: State, library: Library, model: str, budget: Budget) -> Answer:
    """The answer of a settled run."""
    changed = {
        c["document_id"]: file_change(library, c["document_id"])
        for claim in state["claims"]
        for c in claim["citations"]
    }
    return Answer(
        question=state["question"],
        outcome=state["outcome"],
        text=state["answer"],
        claims=tuple(_claim(claim, library, changed) for claim in state["claims"]),
        rounds=state["round"],
        queries=tuple(state.get("tried", [])),
        evidence=tuple(shown_evidence(state)),
        missing=tuple(state["missing"]),
        notes=tuple(state.get("notes", [])),
        model=model,
        run_id=state["run_id"],
        seconds=round(budget["seconds"]["used"], 3),
        tokens=int(budget["tokens"]["used"]),
        lang=state["plan"]["lang"],
        confidence=round(state["best"]["sufficiency"], 4),
        conflicts=tuple(state.get("conflicts", [])),
        disagreements=tuple(state.get("disagreements", [])),
        best_draft=" ".join(c["text"] for c in state["best"]["claims"] if c["verdict"] == "supported"),
        stopped=state["stopped"],
        budget=budget,
    )


def _claim(claim: states.Claim, library: Library, changed: Mapping[int, str]) -> Claim:
    citations = tuple(_citation(c, library, changed) for c in claim["citations"])
    return Claim(claim["text"], claim["verdict"], claim["score"], citations, claim.get("short", ""))


def _citation(citation: states.Citation, library: Library, changed: Mapping[int, str]) -> Citation:
    source = library.store.source(citation["document_id"])
    return Citation(
        path=citation["path"],
        start=citation["start"],
        end=citation["end"],
        quote=citation["quote"],
        page=citation["page"],
        # Several brief messages may share a passage: the quote is from one of them.
        heading=(place(source.marks, citation["start"])[0] if source else "") or citation["heading"],
        line=line_of(source, citation["start"]) if source else None,
        changed=changed[citation["document_id"]],
        also=tuple(library.store.also_at(citation["document_id"])),
    )


def file_change(library: Library, document_id: int) -> str:
    """What became of a document's file since it was indexed: "", "changed" or "gone".

    A file with the size and time it had is taken as unchanged; another is hashed. A document that never was a
    file has no time and does not change; nor does a page, as nobody looks at it again.
    """
    state = library.store.file_state(document_id)
    if state is None:
        return "gone"
    path, size_bytes, modified_s, sha256 = state
    if not modified_s or is_page(path):
        return ""
    try:
        info = Path(path).stat()
        if not stat.S_ISREG(info.st_mode):
            return "changed"  # never opened: a pipe would wait for a writer
        if (info.st_size, info.st_mtime) == (size_bytes, modified_s):
            return ""
        with Path(path).open("rb") as file:
            return "" if hashlib.file_digest(file, "sha256").hexdigest() == sha256 else "changed"
    except (OSError, ValueError):
        return "gone"
