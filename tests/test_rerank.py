"""Re-ranking: the scores of sentence-transformers' CrossEncoder, and what a library does with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agent import Agent
from agent.cli.looking import examine
from agent.cli.setting_up import set_up
from agent.deps import build_verifier
from agent.settings import Settings
from agent.verifier import under
from retrieval.embed import EmbedderError, HashEmbedder
from retrieval.library import Library
from retrieval.rerank import load_reranker, prepare_reranker, rerank
from tests.conftest import SAMPLE
from tests.tiny_encoder import LONG, TEXTS, save_encoder


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    kinds = ("bert", "xlm-roberta", "distilbert")
    return {kind: save_encoder(folder / kind, kind, classifier=True) for kind in kinds}


@pytest.mark.slow  # imports torch and sentence-transformers
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "distilbert"])
def test_the_scores_of_a_cross_encoder(kind: str, models: dict[str, Path], tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    prepare_reranker(str(models[kind]), tmp_path)
    ours = load_reranker(str(models[kind]), tmp_path)
    theirs = CrossEncoder(str(models[kind]), device="cpu", local_files_only=True)
    for query in ("Who signed it?", "会费每人每年多少元？"):
        wanted = theirs.predict([(query, text) for text in [*TEXTS, LONG]], show_progress_bar=False)
        found = ours.score(query, [*TEXTS, LONG])
        assert np.allclose(found, wanted, atol=1e-5)
        assert max(found) - min(found) > 0.001, "the model does not tell texts apart"
    assert ours.score("x", []) == []


class ByLength:
    """The shortest text first."""

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        return [1 / (1 + len(text)) for text in texts]


def test_documents_are_ordered_again(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with Library(folder, HashEmbedder) as plain:
        plain.add([SAMPLE])
        before = plain.search("contract", 30)
    with Library(folder, HashEmbedder, load_reranker=ByLength) as library:
        after = library.search("contract", 30)
        lengths = [len(passage.chunk.text) for passage in after]
        assert lengths == sorted(lengths) and len(after) > 3
        assert {passage.chunk.id for passage in after} == {passage.chunk.id for passage in before}
        assert [passage.score for passage in after] == [passage.score for passage in before]
        assert library.search("contract", 2) == after[:2]
        assert library.search_many(["contract", "会费"], [2, 2])[0] == after[:2]
    assert rerank(ByLength(), "x", [], 3) == []


def test_the_built_in_verifier_puts_what_answers_first(own_cache: Settings) -> None:
    with Agent(Settings(home=own_cache.home, rerank_model="built-in")) as agent:
        agent.add(SAMPLE)
        found = agent.search("Who ground the lens?", 5)
        assert "Margaret Oduya" in found[0].chunk.text
    own = build_verifier(Settings())
    assert own is not None
    texts = [under(passage.chunk.title, passage.chunk.text) for passage in found]
    scores = own.find("Who ground the lens?", texts)
    assert scores == sorted(scores, reverse=True) and scores[0] > 0.5 > scores[-1]


@pytest.mark.parametrize(
    ("verifier", "code", "told"),
    [
        ("built-in", 0, "re-ranker built-in"),
        ("off", 0, "off, as the verifier is"),
        ("/no/file.onnx", 1, "/no/file"),
    ],
)
def test_doctor_tells_of_the_built_in_re_ranker(
    own_cache: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    verifier: str, code: int, told: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("AGENT_RERANK_MODEL", "built-in")
    monkeypatch.setenv("AGENT_VERIFIER", verifier)
    assert examine(as_json=False) == code
    said = " ".join(capsys.readouterr().out.split())
    assert told in said, said


@pytest.mark.slow  # imports torch to make the models
def test_off_unless_asked_for(
    models: dict[str, Path], own_cache: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(models["bert"])
    with Agent(Settings(home=own_cache.home, rerank_model=name)) as agent:
        agent.add(SAMPLE)
        with pytest.raises(EmbedderError, match="agent setup --rerank"):
            agent.search("contract")
    monkeypatch.setenv("AGENT_RERANK_MODEL", name)
    assert examine(as_json=False) == 1
    set_up(None, name)
    assert examine(as_json=False) == 0
    monkeypatch.delenv("AGENT_RERANK_MODEL")
    with Agent(Settings(home=own_cache.home, rerank_model=name)) as agent:
        ranked = agent.search("contract", 10)
    with Agent(own_cache) as agent:
        plain = agent.search("contract", 10)
    assert ranked != plain and len(ranked) == len(plain)


@pytest.mark.slow  # imports torch to make the models
def test_a_classifier_is_no_reranker(models: dict[str, Path], tmp_path: Path) -> None:
    import json
    import shutil

    folder = Path(shutil.copytree(models["bert"], tmp_path / "three"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {"0": "no", "1": "maybe", "2": "yes"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(EmbedderError, match="3 labels"):
        load_reranker(str(folder), tmp_path)
