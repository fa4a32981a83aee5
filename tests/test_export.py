"""The ONNX export: refusals, and files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from retrieval.embed import MINILM_ID, MINILM_TOKENS, OnnxEmbedder, minilm_folder
from retrieval.export import ExportError, export_bert

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "contract", "rent", "is", "signed", "due"]


def model_folder(folder: Path, **changes: object) -> Path:
    """A BERT of two small layers with random weights, and a tokenizer of ten words."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    folder.mkdir(parents=True)
    width, wide, random = 16, 32, np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(VOCABULARY), width),
        "embeddings.position_embeddings.weight": (64, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    for layer in range(2):
        for part, out, into in [
            *((f"attention.self.{name}", width, width) for name in ("query", "key", "value")),
            ("attention.output.dense", width, width),
            ("intermediate.dense", wide, width),
            ("output.dense", width, wide),
        ]:
            shapes[f"encoder.layer.{layer}.{part}.weight"] = (out, into)
            shapes[f"encoder.layer.{layer}.{part}.bias"] = (out,)
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[f"encoder.layer.{layer}.{part}.weight"] = (width,)
            shapes[f"encoder.layer.{layer}.{part}.bias"] = (width,)
    weights = {f"bert.{n}": random.normal(size=shape).astype(np.float32) for n, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors")
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "layer_norm_eps": 1e-12,
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_exports_another_bert(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    target = tmp_path / "deep" / "model.onnx"
    export_bert(folder, target)
    embedder = OnnxEmbedder("small", folder, target, 32)
    vectors = embedder.embed(["the rent is due", "the contract is signed", "租金 何时 付", "the rent is due"])
    assert vectors.shape == (4, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), [1, 1, 0, 1], atol=1e-5)
    assert np.allclose(vectors[0], vectors[3], atol=1e-6)
    assert not np.allclose(vectors[0], vectors[1], rtol=0, atol=1e-4)
    assert [path.name for path in target.parent.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize(
    "changes",
    [{"model_type": "distilbert"}, {"model_type": None}, {"hidden_act": "relu"}, {"hidden_act": None}],
)
def test_another_architecture_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model", **changes)
    with pytest.raises(ExportError, match=str(next(iter(changes.values())))):
        export_bert(folder, tmp_path / "out" / "model.onnx")
    assert not (tmp_path / "out").exists()


def test_a_folder_in_the_way_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "out" / "model.onnx"
    target.mkdir(parents=True)
    (target / "kept.txt").write_text("保留", encoding="utf-8")
    with pytest.raises(OSError, match=r"model\.onnx"):
        export_bert(model_folder(tmp_path / "model"), target)
    assert [path.name for path in target.parent.iterdir()] == ["model.onnx"]  # nothing half written
    assert (target / "kept.txt").read_text(encoding="utf-8") == "保留"


def test_an_export_that_fails_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out" / "model.onnx"
    target.parent.mkdir()
    target.write_bytes(b"old")
    folder = model_folder(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(Exception, match=r"(?i)header|safetensor"):
        export_bert(folder, target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in target.parent.iterdir()] == ["model.onnx"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        export_bert(model_folder(tmp_path / "model"), locked / "model.onnx")
    assert list(locked.iterdir()) == []


def test_export_repeats_itself(cache_folder: Path, tmp_path: Path) -> None:
    """The exported default embedder works from any place and is the same file each time."""
    folder = model_folder(tmp_path / "model")
    export_bert(folder, tmp_path / "a.onnx")
    export_bert(folder, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    [exported] = (cache_folder / "onnx").iterdir()
    shutil.copy(exported, tmp_path / "moved.onnx")
    moved = OnnxEmbedder(MINILM_ID, minilm_folder(), tmp_path / "moved.onnx", MINILM_TOKENS)
    assert moved.embed(["a contract"]).any()
