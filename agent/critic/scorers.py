"""Scorers of claims: what the built-in verifier says of them, or any CrossEncoder or NLI model of others.

Of an NLI model the probability of entailment counts; a model of one label is one of support itself. Their
scores are not calibrated here. All run in ONNX Runtime.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.compare import Value, agree, values
from retrieval.embed import EmbedderError
from retrieval.tokens import is_chinese
from tools.dates import DateSpan

if TYPE_CHECKING:
    from agent.verifier import Verifier
    from retrieval.rerank import CrossEncoder


class VerifierScorer:
    """What a verifier says of claims, *check*.

    It refuses where that takes at most 3 % of what people judged to be supported (`faithfulness_dev`, evals/LOG.md):
    what a chat model added, mostly. It hardly ever saves the judge a look, as that it may be trusted to support
    has not been shown. What it was not trained to tell it leaves open: a claim in
    another language than its source, and one too long to be read to its end. That 70% is 百分之七十, and about 300
    may be 297, the checks know better: it reads the claim with the values as the source writes them.
    """

    SUPPORTED_AT, REFUTED_AT = 0.95, 0.15
    OPEN = 0.5

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The probability that each (premise, claim) is supported; `OPEN` for what it cannot tell."""
        told = [n for n, (premise, claim) in enumerate(pairs) if self._can_tell(premise, claim)]
        read = [(premise, with_values_of(premise, claim)) for premise, claim in (pairs[n] for n in told)]
        scores = dict(zip(told, self._verifier.check(read), strict=True))
        return [scores.get(n, self.OPEN) for n in range(len(pairs))]

    def _can_tell(self, premise: str, claim: str) -> bool:
        return is_chinese(premise) == is_chinese(claim) and self._verifier.sees_whole(claim)


def with_values_of(premise: str, claim: str) -> str:
    """A claim with each value as its premise writes one that agrees with it.

    >>> with_values_of("Of 297 people, 70 % came.", "Seventy percent of about 300 people came.")
    '70 % of about 297 people came.'
    """
    known = values(premise)
    for value in reversed(values(claim)):
        written = [one.text for one in known if agree(value, one) and _as_much(value, one)]
        if written and value.text not in written:
            claim = claim[: value.start] + written[0] + claim[value.end :]
    return claim


def _as_much(left: Value, right: Value) -> bool:
    """Whether neither of two dates tells more: a day that the source does not give stays to be refused."""
    dates = [one.read for one in (left, right) if isinstance(one.read, DateSpan)]
    return len({(one.year, one.month, one.day) for one in dates}) <= 1


class CrossEncoderScorer:
    """A cross-encoder that was prepared, opened at its first pair. Threads may share one."""

    def __init__(self, name: str, cache_folder: Path) -> None:
        self.SUPPORTED_AT, self.REFUTED_AT = 0.8, 0.2
        self._name, self._cache_folder = name, cache_folder
        self._lock = threading.Lock()
        self._opened: tuple[CrossEncoder, int] | None = None

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The probability that each (premise, claim) is entailed. Raises `EmbedderError`."""
        import numpy as np

        if not pairs:
            return []
        encoder, label = self._open()
        logits = encoder.logits(pairs).astype(np.float64)
        if logits.shape[1] == 1:
            found = 1 / (1 + np.exp(-logits[:, 0]))
        else:
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            found = (shares / shares.sum(axis=1, keepdims=True))[:, label]
        return [float(score) for score in found]

    def _open(self) -> tuple[CrossEncoder, int]:
        with self._lock:
            if self._opened is None:
                from retrieval.rerank import load_cross_encoder

                encoder, config = load_cross_encoder(self._name, self._cache_folder, option="--scorer")
                self._opened = encoder, entailment_label(self._name, config)
            return self._opened


def entailment_label(name: str, config: dict[str, Any]) -> int:
    """Which output of a model stands for entailment. Raises `EmbedderError` where none is named so."""
    labels = {int(n): str(said).lower() for n, said in (config.get("id2label") or {"0": "", "1": ""}).items()}
    if len(labels) == 1:
        return 0
    found = [n for n, said in labels.items() if said.startswith(("entail", "support"))]
    if len(found) != 1:
        told = ", ".join(labels.values())
        raise EmbedderError(f"{name} cannot check claims: none of its labels ({told}) is entailment")
    return found[0]
