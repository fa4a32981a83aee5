"""Sentence-transformers models by name or folder, run through ONNX Runtime.

Reads what such a folder says of itself (modules, pooling, prompts, longest text), uses its own ONNX file or
exports one, once, and only where neither works runs it through sentence-transformers and torch. A name is
looked up in the Hugging Face cache; only `prepare(..., download=True)` reaches the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.embed import Embedder, EmbedderError, OnnxEmbedder, open_session, token_output
from retrieval.export import ExportError, Output, export_bert

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from retrieval.embed import Vectors

# The E5 models were trained with these, but their folders do not say so: Wang et al. 2022, "Text embeddings
# by weakly-supervised contrastive pre-training", section 4, and the model cards.
E5_PROMPTS = ("query: ", "passage: ")
KNOWN_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
MAX_TOKENS = 512  # where a folder names no limit
DOWNLOADED = ["*.json", "*.txt", "*.safetensors", "*.model", "onnx/model.onnx", "onnx/model.onnx_data"]


class Unreadable(Exception):
    """A folder asks for what we do not do; torch may."""


@dataclass(frozen=True)
class Recipe:
    """How a folder turns text into one vector."""

    folder: Path
    encoder: Path
    """Folder of the transformer itself."""
    pooling: tuple[str, ...] = ("mean",)
    dense: tuple[Path, ...] = ()
    """Folders of the layers behind the pooling."""
    prompts: tuple[str, str] = ("", "")
    max_tokens: int = MAX_TOKENS
    lowercase: bool = False
    unknown: str = "[UNK]"


def find(name: str, *, option: str = "--embedder") -> Path:
    """The folder of a model: a folder, or what the Hugging Face cache holds under a name. Never downloads.

    Raises `EmbedderError` where there is none; `option` of `agent setup` downloads it.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    return _snapshot(name, download=False, option=option)


def _snapshot(name: str, *, download: bool, option: str = "--embedder") -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import snapshot_download

    repository = name if "/" in name else f"sentence-transformers/{name}"
    try:
        files = [*DOWNLOADED, "*/config.json"]
        return Path(snapshot_download(repository, local_files_only=not download, allow_patterns=files))
    except Exception as error:  # no such repository, no network, no disk: it has a class for each
        if download:
            raise EmbedderError(f"{name} cannot be downloaded: {_line(error)}") from error
        raise EmbedderError(
            f"{name} is not on this machine: run `agent setup {option} {name}`, which downloads it"
        ) from error


def prepare(
    name: str, cache_folder: Path, *, download: bool = False, repair: bool = False, output: Output = "hidden"
) -> tuple[Path, str]:
    """Have a model ready to be loaded: the file that runs it, and why torch has to run it, or "".

    `repair`: export again what is damaged. Raises `EmbedderError` where it is not there or unusable.
    """
    try:
        folder = find(name)
    except EmbedderError:
        if not download:
            raise
        folder = _snapshot(name, download=True)
    if not (folder / "modules.json").exists() and not (folder / "config.json").exists():
        raise EmbedderError(f"{folder} holds no sentence-transformers model: it has no config.json")
    place = place_of(folder, cache_folder, output)
    if repair:
        place.with_suffix(".torch").unlink(missing_ok=True)
        if not _runs(place.with_suffix(".onnx"), output):
            place.with_suffix(".onnx").unlink(missing_ok=True)
    try:
        encoder = folder
        if output == "hidden":
            recipe = read_recipe(folder, name)
            encoder = recipe.encoder
            for layer in recipe.dense:
                _read_dense(layer)
        _have_tokenizer(encoder, place)
        return _have_onnx(encoder, place, output), ""
    except (Unreadable, ExportError) as error:
        if output == "logits":
            raise EmbedderError(f"{name} cannot be exported: {_line(error)}") from error
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_suffix(".torch").write_text(_line(error), encoding="utf-8")
        return place.with_suffix(".torch"), _line(error)


def load(name: str, cache_folder: Path) -> Embedder:
    """A model that was prepared. Raises `EmbedderError` where it was not."""
    folder = find(name)
    place = place_of(folder, cache_folder)
    local = Path(name).expanduser().is_dir()
    kept, model_id = (str(folder), f"{folder.name}@{fingerprint(folder)}") if local else (name, name)
    if place.with_suffix(".torch").exists():
        return TorchEmbedder(model_id, kept, folder, place.with_suffix(".torch").read_text(encoding="utf-8"))
    try:
        recipe = read_recipe(folder, name)
        dense = [_read_dense(layer) for layer in recipe.dense]
    except Unreadable as error:
        raise EmbedderError(f"{name} is not prepared yet: run `agent setup --embedder {name}`") from error
    return OnnxEmbedder(
        model_id,
        recipe.encoder,
        ready_onnx(recipe.encoder, place, name),
        recipe.max_tokens,
        name=kept,
        prompts=recipe.prompts,
        tokenizer_file=tokenizer_file(recipe.encoder, place),
        unknown=recipe.unknown,
        lowercase=recipe.lowercase,
        finish=lambda hidden, mask: finish(hidden, mask, recipe.pooling, dense),
    )


def fingerprint(folder: Path) -> str:
    """Twelve digits that change with the weights or with what a folder says of them; read in milliseconds."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.json")):
        if file.name in ("config.json", "modules.json", "config_sentence_transformers.json"):
            digest.update(file.read_bytes())
    for file in sorted([*folder.rglob("*.safetensors"), *folder.rglob("pytorch_model*.bin")]):
        with file.open("rb") as weights:
            size = file.stat().st_size
            digest.update(size.to_bytes(8, "big"))
            for part in range(16):  # all of a small file, samples of a large one
                weights.seek(size * part // 16)
                digest.update(weights.read(1 << 14))
    return digest.hexdigest()[:12]


def place_of(folder: Path, cache_folder: Path, output: Output = "hidden") -> Path:
    """Where what we make for a folder is kept; the ending is still to come."""
    name = folder.parent.parent.name if folder.parent.name == "snapshots" else folder.name
    kind = "" if output == "hidden" else f"-{output}"
    plain = re.sub(r"[^\w-]+", "-", name)  # a full stop would begin an ending
    return cache_folder / "onnx" / f"{plain}-{fingerprint(folder)}{kind}"


# --- reading a folder -----------------------------------------------------------------------------------


def read_recipe(folder: Path, name: str = "") -> Recipe:
    """What a folder says of itself. Raises `Unreadable` for parts that we do not run."""
    modules = _json(folder / "modules.json") or []
    encoder, dense = folder, []
    pooling: tuple[str, ...] = ("mean",)
    for module in modules:
        kind, path = str(module["type"]).rsplit(".", 1)[-1], folder / module["path"]
        if kind == "Transformer" and module is modules[0]:
            encoder = path
        elif kind == "Pooling":
            pooling = _read_pooling(path)
        elif kind == "Dense":
            dense.append(path)
        elif kind != "Normalize":  # vectors are brought to unit length anyway
            raise Unreadable(f"its module {kind} is not one that we run")
    settings = _json(encoder / "sentence_bert_config.json") or {}
    tokenizer = _json(encoder / "tokenizer_config.json") or {}
    unknown = tokenizer.get("unk_token") or "[UNK]"
    return Recipe(
        folder,
        encoder,
        pooling,
        tuple(dense),
        _read_prompts(folder, name),
        max_tokens(encoder),
        bool(settings.get("do_lower_case")),
        unknown if isinstance(unknown, str) else str(unknown.get("content", "[UNK]")),
    )


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EmbedderError(f"{file} cannot be read: {error}") from error


def _read_pooling(folder: Path) -> tuple[str, ...]:
    config = _json(folder / "config.json") or {}
    if config.get("include_prompt") is False:
        raise Unreadable("it leaves its prompts out of the pooling")
    named = config.get("pooling_mode")
    if named is None:  # as it was written until sentence-transformers 5
        older = {"cls_token": "cls", "max_tokens": "max", "mean_tokens": "mean", "lasttoken": "lasttoken"}
        known = {f"pooling_mode_{key}": mode for key, mode in older.items()}
        on = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
        named = [known.get(key, key) for key in on] or "mean"
    modes = (named,) if isinstance(named, str) else tuple(named)
    for mode in modes:
        if mode not in ("cls", "max", "mean", "lasttoken"):
            raise Unreadable(f"its pooling {mode} is not one that we do")
    # In this order they are joined, however they are listed.
    return tuple(mode for mode in ("cls", "max", "mean", "lasttoken") if mode in modes)


def _read_prompts(folder: Path, name: str) -> tuple[str, str]:
    """In front of a query and of a document, as `encode_query` and `encode_document` choose them."""
    config = _json(folder / "config_sentence_transformers.json") or {}
    prompts = config.get("prompts") or {}
    default = prompts.get(config.get("default_prompt_name") or "", "")
    query = prompts.get("query", default)
    names = [one for one in ("document", "passage", "corpus") if one in prompts]
    found = (query or "", (prompts[names[0]] if names else default) or "")
    if not any(found) and re.search(r"(?:^|[/_-])e5-(?:small|base|large)\b", name or folder.name):
        return E5_PROMPTS
    return found


def max_tokens(encoder: Path) -> int:
    """The longest text that a transformer reads, in tokens, those at its ends included."""
    config, settings, tokenizer = (
        _json(encoder / name) or {}
        for name in ("config.json", "sentence_bert_config.json", "tokenizer_config.json")
    )
    positions = config.get("max_position_embeddings")
    if positions and config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= int(config.get("pad_token_id", 1)) + 1
    limits = [settings.get("max_seq_length") or tokenizer.get("model_max_length"), positions]
    # A tokenizer without a limit says so with 10^30.
    return int(min([n for n in limits if n and 0 < n < 1_000_000] or [MAX_TOKENS]))


# --- its ONNX file and its tokenizer --------------------------------------------------------------------


def own_onnx(encoder: Path) -> Path | None:
    """The ONNX file that a folder brings along, where it brings one."""
    files = [encoder / "onnx" / "model.onnx", encoder / "model.onnx"]
    return next((file for file in files if file.exists()), None)


def ready_onnx(encoder: Path, place: Path, name: str, *, option: str = "--embedder") -> Path:
    """What runs a folder: what we exported, else its own. Raises `EmbedderError` where there is neither."""
    exported = place.with_suffix(".onnx")
    file = exported if exported.exists() else own_onnx(encoder)
    if file is None:
        raise EmbedderError(f"{name} is not prepared yet: run `agent setup {option} {name}`")
    return file


def tokenizer_file(encoder: Path, place: Path) -> Path:
    own = encoder / "tokenizer.json"
    return own if own.exists() else place.with_suffix(".tokenizer.json")


def _have_tokenizer(encoder: Path, place: Path) -> None:
    """Older folders hold a vocabulary only, which transformers makes a tokenizer of."""
    target = tokenizer_file(encoder, place)
    if target.exists():
        return
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        tokenizer.backend_tokenizer.save(str(target))
    except Exception as error:
        raise Unreadable(f"its tokenizer cannot be had as a tokenizer.json: {_line(error)}") from error


def _have_onnx(encoder: Path, place: Path, output: Output) -> Path:
    exported = place.with_suffix(".onnx")
    if exported.exists():
        return exported
    own = own_onnx(encoder)
    if own and _runs(own, output):
        return own
    try:
        export_bert(encoder, exported, output)
    except ExportError:
        from retrieval.export_torch import export_with_torch

        export_with_torch(encoder, exported, output)
    return exported


def _runs(file: Path, output: Output) -> bool:
    try:
        session = open_session(file)
        if output == "hidden":
            token_output(session)
    except EmbedderError:
        return False
    return {one.name for one in session.get_inputs()} <= KNOWN_INPUTS


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# --- from tokens to one vector --------------------------------------------------------------------------


def _read_dense(folder: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None, str]:
    """(weights, bias, activation) of a layer behind the pooling."""
    from safetensors.numpy import load_file

    config = _json(folder / "config.json") or {}
    activation = str(config.get("activation_function", "")).rsplit(".", 1)[-1]
    if activation not in ("Tanh", "Identity") or config.get("use_residual"):
        raise Unreadable(f"its layer {folder.name} with {activation} is not one that we run")
    if not (folder / "model.safetensors").exists():
        raise Unreadable(f"its layer {folder.name} has no model.safetensors")
    weights = load_file(folder / "model.safetensors")
    return weights["linear.weight"], weights.get("linear.bias"), activation


def finish(hidden: Any, mask: Any, pooling: Sequence[str], dense: Sequence[Any]) -> Vectors:
    """Pool the tokens of each text, pass the layers behind, and bring the rows to unit length."""
    import numpy as np

    pools: dict[str, Callable[[], Any]] = {
        "cls": lambda: hidden[:, 0],
        "max": lambda: np.where(mask[:, :, None] == 1, hidden, -np.inf).max(axis=1),
        "mean": lambda: (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True),
        "lasttoken": lambda: hidden[np.arange(len(hidden)), mask.sum(axis=1) - 1],
    }
    rows = np.concatenate([pools[mode]() for mode in pooling], axis=1)
    for weights, bias, activation in dense:
        rows = rows @ weights.T + (0 if bias is None else bias)
        rows = np.tanh(rows) if activation == "Tanh" else rows
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    vectors: Vectors = (rows / np.maximum(norms, 1e-12)).astype(np.float32)
    return vectors


class TorchEmbedder:
    """A model that only sentence-transformers can run: slow to load, and it knows of no blindness."""

    def __init__(self, model_id: str, name: str, folder: Path, reason: str) -> None:
        """`reason`: why ONNX Runtime does not run it."""
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except Exception as error:
            raise EmbedderError(f"{name} cannot be loaded: {_line(error)}") from error
        self.model_id = model_id
        self.name = name
        self.reason = reason
        self.prompts = _read_prompts(folder, name)
        self.dim = int(self._model.get_embedding_dimension() or self._encode(["a"], "").shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts, self.prompts[1])

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._encode(texts, self.prompts[0])

    def coverage(self, text: str) -> float:
        return 1.0

    def is_word(self, word: str) -> bool:
        return False

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        import numpy as np

        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        rows = self._model.encode(
            list(texts),
            prompt=prompt,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        vectors: Vectors = np.asarray(rows, dtype=np.float32)
        return vectors
