"""Scorers of claims: what the built-in verifier says of them, or any CrossEncoder or NLI model of others.

Of an NLI model the probability of entailment counts; a model of one label is one of support itself. Their
scores are not calibrated here. All run in ONNX Runtime.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.embed import EmbedderError
from retrieval.tokens import is_chinese

if TYPE_CHECKING:
    from agent.verifier import Verifier
    from retrieval.rerank import CrossEncoder


class VerifierScorer:
    """What a verifier says of claims, *check*.

    Where it decides by itself was chosen on the repair bench (evals/LOG.md): it refuses what a chat model
    added, and hardly ever saves the judge a look. What it was not trained to tell it leaves open: a claim in
    another language than its source, and one too long to be read to its end.
    """

    SUPPORTED_AT, REFUTED_AT = 0.95, 0.1
    OPEN = 0.5

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The probability that each (premise, claim) is supported; `OPEN` for what it cannot tell."""
        told = [n for n, (premise, claim) in enumerate(pairs) if self._can_tell(premise, claim)]
        scores = dict(zip(told, self._verifier.check([pairs[n] for n in told]), strict=True))
        return [scores.get(n, self.OPEN) for n in range(len(pairs))]

    def _can_tell(self, premise: str, claim: str) -> bool:
        return is_chinese(premise) == is_chinese(claim) and self._verifier.sees_whole(claim)


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
