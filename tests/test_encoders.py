"""Sentence-transformers models by folder: the vectors that library gives, whatever runs them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieval import encoders
from retrieval.embed import Embedder, EmbedderError, OnnxEmbedder
from tests.tiny_encoder import LONG, TEXTS, save_sentence_model

pytestmark = pytest.mark.slow  # these import torch and sentence-transformers, 20 s in all

PROMPTS = {"query": "query: ", "document": "passage: "}
KINDS: dict[str, dict[str, Any]] = {
    "bert cls prompts": {"kind": "bert", "pooling": "cls", "prompts": PROMPTS},
    "xlm-r mean prompts": {"kind": "xlm-roberta", "pooling": "mean", "prompts": PROMPTS},
    "mpnet lasttoken": {"kind": "mpnet", "pooling": "lasttoken"},
    "distilbert max and mean, dense": {"kind": "distilbert", "pooling": ("max", "mean"), "dense": True},
    "torch": {"kind": "bert", "pooling": "weightedmean", "prompts": PROMPTS},
}


@pytest.fixture(autouse=True)
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Saving and loading draw progress bars."""
    yield
    capfd.readouterr()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: save_sentence_model(folder / str(n), **how) for n, (name, how) in enumerate(KINDS.items())}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def bert(models: dict[str, Path], tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(models["bert cls prompts"], tmp_path / "bert"))


def ready(folder: Path, cache: Path) -> Embedder:
    encoders.prepare(str(folder), cache)
    return encoders.load(str(folder), cache)


def reference(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def assert_same(ours: Any, theirs: Any, least: float = 0.99999) -> None:
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    assert ours.shape == theirs.shape
    assert (ours * theirs).sum(axis=1).min() > least


@pytest.mark.parametrize("kind", KINDS)
def test_the_vectors_of_sentence_transformers(kind: str, models: dict[str, Path], cache: Path) -> None:
    folder = models[kind]
    embedder, theirs = ready(folder, cache), reference(folder)
    texts = [*TEXTS, LONG]
    documents = embedder.embed(texts)
    assert_same(documents, theirs.encode_document(texts))
    assert_same(embedder.embed_queries(texts), theirs.encode_query(texts))
    assert documents.shape == (len(texts), embedder.dim) and documents.dtype == np.float32
    alike = documents @ documents.T - np.eye(len(texts))
    assert alike.max() < 0.9995, "the model does not tell texts apart, so nothing was compared"
    assert embedder.prompts == (("query: ", "passage: ") if "prompts" in KINDS[kind] else ("", ""))
    assert embedder.model_id.startswith("model@") and embedder.name == str(folder)
    assert embedder.embed([]).shape == (0, embedder.dim)
    assert isinstance(embedder, OnnxEmbedder) == (kind != "torch")


def test_the_reason_for_torch_is_told(models: dict[str, Path], cache: Path) -> None:
    file, reason = encoders.prepare(str(models["torch"]), cache)
    assert "weightedmean" in reason and file.suffix == ".torch"
    assert encoders.prepare(str(models["bert cls prompts"]), cache)[1] == ""


def test_blind_only_to_what_it_does_not_know(models: dict[str, Path], cache: Path) -> None:
    for kind in ("bert cls prompts", "xlm-r mean prompts"):
        embedder = ready(models[kind], cache)
        assert embedder.coverage("会费每人每年") == 1 and embedder.coverage("") == 1
        assert embedder.coverage("ЖЖ ЩЩ") < 0.75
        # The known tokens of the prompt do not make up for it.
        assert not embedder.embed(["ЖЖ ЩЩ"]).any() and not embedder.embed_queries(["ЖЖ"]).any()
        assert embedder.is_word("the") and not embedder.is_word("zzz")


def test_its_own_onnx_file_is_used(bert: Path, tmp_path: Path) -> None:
    from retrieval.export_torch import export_with_torch

    export_with_torch(bert, bert / "onnx" / "model.onnx", "hidden")
    for file in bert.rglob("*.safetensors"):
        file.unlink()  # so that nothing else can be what runs
    cache = tmp_path / "cache"
    assert encoders.prepare(str(bert), cache) == (bert / "onnx" / "model.onnx", "")
    (bert / "onnx" / "model.onnx").rename(bert / "model.onnx")
    assert encoders.load(str(bert), cache).embed(TEXTS).any() and not cache.exists()


def test_folders_as_older_versions_wrote_them(bert: Path, tmp_path: Path) -> None:
    older = {
        "word_embedding_dimension": 32,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
    }
    before = ready(bert, tmp_path / "cache").embed(TEXTS)
    (bert / "1_Pooling" / "config.json").write_text(json.dumps(older), encoding="utf-8")
    modules = json.loads((bert / "modules.json").read_text(encoding="utf-8"))
    for module in modules:
        module["type"] = "sentence_transformers.models." + module["type"].rsplit(".", 1)[-1]
    (bert / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    limits = {"max_seq_length": 8, "do_lower_case": False}
    (bert / "sentence_bert_config.json").write_text(json.dumps(limits), encoding="utf-8")
    after = ready(bert, tmp_path / "cache")
    assert np.allclose(after.embed(["Who signed it?"]), before[1], atol=1e-5)
    assert np.allclose(*after.embed([LONG, LONG[:200]]), atol=1e-5)  # what follows is not read


def test_a_bare_transformer_is_pooled_by_mean(models: dict[str, Path], tmp_path: Path) -> None:
    base = models["xlm-r mean prompts"].parent / "base"
    embedder = ready(base, tmp_path)
    assert embedder.prompts == ("", "")
    assert_same(embedder.embed(TEXTS), reference(base).encode(TEXTS))


def test_a_vocabulary_without_a_tokenizer(bert: Path, tmp_path: Path) -> None:
    before = ready(bert, tmp_path / "a").embed(TEXTS)
    words = json.loads((bert / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    (bert / "tokenizer.json").unlink()
    (bert / "vocab.txt").write_text("\n".join(sorted(words, key=words.get)), encoding="utf-8")
    config = {"tokenizer_class": "BertTokenizer", "model_max_length": 60}
    (bert / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert np.allclose(ready(bert, tmp_path / "b").embed(TEXTS), before, atol=1e-5)


def test_e5_without_prompts_of_its_own(bert: Path) -> None:
    (bert / "config_sentence_transformers.json").unlink()
    for name in ("intfloat/multilingual-e5-small", "/models/e5-base-v2"):
        assert encoders.read_recipe(bert, name).prompts == ("query: ", "passage: ")
    for name in ("intfloat/e5", "some/mine5-small", ""):
        assert encoders.read_recipe(bert, name).prompts == ("", "")


def test_other_weights_are_another_model(bert: Path, tmp_path: Path) -> None:
    first = encoders.fingerprint(bert)
    moved = Path(shutil.copytree(bert, tmp_path / "moved"))
    assert encoders.fingerprint(moved) == first
    data = bytearray((bert / "model.safetensors").read_bytes())
    data[-5] ^= 1
    (bert / "model.safetensors").write_bytes(data)
    assert encoders.fingerprint(bert) != first


def test_errors_say_what_to_do(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(EmbedderError, match="agent setup --embedder nobody/nothing"):
        encoders.load("nobody/nothing", tmp_path / "cache")
    with pytest.raises(EmbedderError, match="not prepared yet: run `agent setup --embedder"):
        encoders.load(str(bert), tmp_path / "cache")
    with pytest.raises(EmbedderError, match=r"no config\.json"):
        encoders.prepare(str(tmp_path), tmp_path / "cache")
    ready(bert, tmp_path / "cache")
    (exported,) = (tmp_path / "cache" / "onnx").glob("*.onnx")
    exported.write_bytes(b"damaged")
    with pytest.raises(EmbedderError, match="agent setup"):
        encoders.load(str(bert), tmp_path / "cache")
    encoders.prepare(str(bert), tmp_path / "cache", repair=True)
    assert encoders.load(str(bert), tmp_path / "cache").embed(TEXTS).any()
    (bert / "modules.json").write_text("{", encoding="utf-8")
    with pytest.raises(EmbedderError, match=r"modules\.json cannot be read"):
        encoders.prepare(str(bert), tmp_path / "cache")
