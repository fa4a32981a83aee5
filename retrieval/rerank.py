"""Re-ranking with a cross-encoder: a model that reads the query and a passage together.

Any CrossEncoder of one label, by name or folder, through ONNX Runtime: its own ONNX file, or one exported
once. It is slower than the search by far, so it is off unless it is asked for. It orders what hybrid search
found and finds nothing itself; it does not download.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from retrieval.embed import EmbedderError, batches, beside, feed, open_session
from retrieval.encoders import find, max_tokens, place_of, prepare, ready_onnx, tokenizer_file
from retrieval.search import Passage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

RERANKED = 30  # passages of hybrid search that are read again for each query


class Reranker(Protocol):
    """What the library needs of a re-ranker.

    Where it has an attribute `titled` that is true, each text begins with its title and a colon.
    """

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, in [0, 1]."""
        ...


class CrossEncoder:
    """A model that reads two texts together, in ONNX Runtime."""

    def __init__(self, onnx_file: Path, tokenizer: Path, longest: int) -> None:
        """`longest`: tokens of query and text together; of more, the longer one loses its end."""
        from tokenizers import Tokenizer

        self._session = open_session(onnx_file)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(longest, strategy="longest_first")

    def logits(self, pairs: Sequence[tuple[str, str]]) -> npt.NDArray[np.float32]:
        """(pairs, labels) of at least one pair, in their order."""
        import numpy as np

        rows = self._tokenizer.encode_batch(list(pairs))
        order = sorted(range(len(rows)), key=lambda n: len(rows[n].ids))
        groups = batches(order, [len(row.ids) for row in rows])

        def read(batch: list[int]) -> Any:
            (logits,) = self._session.run(["logits"], feed(self._session, [rows[n] for n in batch]))
            return logits

        found: list[Any] = [None] * len(rows)
        for batch, logits in zip(groups, beside(read, groups), strict=True):
            for n, row in zip(batch, logits, strict=True):
                found[n] = row
        return np.stack(found)


class OnnxReranker(CrossEncoder):
    """A cross-encoder of one label. Its scores are the sigmoid of that."""

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        import numpy as np

        if not texts:
            return []
        logits = self.logits([(query, text) for text in texts])[:, 0].astype(np.float64)
        return [float(score) for score in 1 / (1 + np.exp(-logits))]


def prepare_reranker(name: str, cache_folder: Path, *, download: bool = False) -> Path:
    """Have a cross-encoder ready to be loaded: the file that runs it. Raises `EmbedderError`."""
    return prepare(name, cache_folder, download=download, repair=True, output="logits")[0]


def load_reranker(name: str, cache_folder: Path) -> OnnxReranker:
    """A cross-encoder that was prepared. Raises `EmbedderError` where it was not, or is none."""
    folder = find(name, option="--rerank")
    config = _config(folder)
    labels = config.get("num_labels") or len(config.get("id2label") or "12")
    if labels != 1:
        raise EmbedderError(
            f"{name} cannot re-rank: it tells {labels} labels apart instead of giving one score"
        )
    return OnnxReranker(*_files(folder, name, cache_folder, "--rerank"))


def load_cross_encoder(name: str, cache_folder: Path, *, option: str) -> tuple[CrossEncoder, dict[str, Any]]:
    """The same of any number of labels, with its config; `option` of `agent setup` prepares it."""
    folder = find(name, option=option)
    return CrossEncoder(*_files(folder, name, cache_folder, option)), _config(folder)


def _config(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def _files(folder: Path, name: str, cache_folder: Path, option: str) -> tuple[Path, Path, int]:
    """What runs a model, its tokenizer and how much it reads."""
    place = place_of(folder, cache_folder, "logits")
    return (
        ready_onnx(folder, place, name, option=option),
        tokenizer_file(folder, place),
        max_tokens(folder),
    )


def rerank(reranker: Reranker, query: str, passages: Sequence[Passage], limit: int) -> list[Passage]:
    """The best passages as the re-ranker orders them; equals stay in their order.

    Each takes the fused score of its new place, so that scores still fall and mean what they meant.
    """
    titled = getattr(reranker, "titled", False)
    texts = [
        f"{one.chunk.title}: {one.chunk.text}" if titled and one.chunk.title else one.chunk.text
        for one in passages
    ]
    scores = reranker.score(query, texts)
    order = sorted(range(len(passages)), key=lambda n: -scores[n])
    fused = sorted((passage.score for passage in passages), reverse=True)
    return [replace(passages[n], score=fused[place]) for place, n in enumerate(order)][:limit]
