"""Cross-encoders of others as scorers of claims: their scores, what they change, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agent.cli.looking import examine
from agent.cli.setting_up import set_up
from agent.critic.entail import Entailer
from agent.critic.scorers import CrossEncoderScorer, VerifierScorer, entailment_label, with_values_of
from agent.deps import build_scorer, build_verifier
from agent.errors import SettingsError
from agent.settings import Settings
from retrieval.embed import EmbedderError
from retrieval.rerank import prepare_reranker
from tests.tiny_encoder import LONG, TEXTS, save_encoder

NLI = ("contradiction", "ENTAILMENT", "neutral")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("scorers")
    return {
        "bert": save_encoder(folder / "bert", "bert", classifier=True, labels=NLI),
        "xlm-roberta": save_encoder(folder / "xlm-roberta", "xlm-roberta", classifier=True, labels=NLI),
        "one": save_encoder(folder / "one", "bert", classifier=True),
    }


@pytest.mark.slow  # imports torch and sentence-transformers
@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "one"])
def test_the_scores_are_those_of_sentence_transformers(
    kind: str, models: dict[str, Path], tmp_path: Path
) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    prepare_reranker(str(models[kind]), tmp_path)
    ours: Entailer = CrossEncoderScorer(str(models[kind]), tmp_path)
    theirs = CrossEncoder(str(models[kind]), device="cpu", local_files_only=True)
    pairs = [(text, claim) for text in [*TEXTS, LONG] for claim in ("Anna signed it.", "会费每年五十元。")]
    logits = theirs.predict(pairs, show_progress_bar=False, activation_fn=Identity())
    shares = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True) if kind != "one" else None
    wanted = 1 / (1 + np.exp(-logits)) if shares is None else shares[:, 1]
    assert np.allclose(ours.score(pairs), wanted, atol=1e-5)
    assert ours.score([]) == [] and 0 <= ours.REFUTED_AT < ours.SUPPORTED_AT <= 1


@pytest.mark.parametrize(
    ("premise", "claim", "read"),
    [
        (
            "Of 297 people, 70 % came.",
            "Seventy percent of about 300 people came.",
            "70 % of about 297 people came.",
        ),
        ("份额超过了70%。", "份额超过了百分之七十。", "份额超过了70%。"),
        ("超過二百艘船停靠。", "超過200艘船停靠。", "超過二百艘船停靠。"),
        ("It was signed on 1998-05-03.", "It was signed on 3 May 1998.", "It was signed on 1998-05-03."),
        ("It was signed in 1998.", "It was signed on 3 May 1998.", "It was signed on 3 May 1998."),
        ("It costs 900 euros.", "It costs 901 euros.", "It costs 901 euros."),
        ("No value.", "", ""),
    ],
)
def test_values_are_read_as_the_source_writes_them(premise: str, claim: str, read: str) -> None:
    assert with_values_of(premise, claim) == read


@pytest.mark.parametrize(
    ("labels", "which"),
    [(NLI, 1), (("entailment", "not_entailment"), 0), (("SUPPORTED", "REFUTED"), 0), (("LABEL_0",), 0)],
)
def test_the_label_that_counts(labels: tuple[str, ...], which: int) -> None:
    assert entailment_label("x", {"id2label": dict(enumerate(labels))}) == which


@pytest.mark.parametrize("config", [{}, {"id2label": {"0": "no", "1": "yes"}}])
def test_a_model_without_entailment_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(EmbedderError, match="none of its labels"):
        entailment_label("x", config)


@pytest.mark.slow  # imports torch to make the models
def test_prepared_by_setup_and_looked_at_by_doctor(
    models: dict[str, Path],
    own_cache: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = str(models["bert"])
    monkeypatch.setenv("AGENT_SCORER_MODEL", name)
    assert examine(as_json=False) == 1
    assert "agent setup --scorer" in capsys.readouterr().out
    assert set_up(None, None, name) == 0
    assert examine(as_json=False) == 0
    assert isinstance(build_scorer(Settings(home=own_cache.home, scorer_model=name)), CrossEncoderScorer)


@pytest.mark.parametrize("named", ["on", "no-such-file.onnx", "~nobody/verifier.onnx"])
def test_a_verifier_that_is_not_there_is_named_in_one_line(named: str) -> None:
    with pytest.raises(SettingsError, match="built-in") as told:
        build_verifier(Settings(verifier=named))
    assert named in str(told.value) and "\n" not in str(told.value)


def test_by_default_and_off() -> None:
    assert build_verifier(Settings()) is build_verifier(Settings()), "it is opened once"
    assert build_verifier(Settings(verifier="off")) is None
    scorer = build_scorer(Settings())
    assert isinstance(scorer, VerifierScorer) and 0 <= scorer.REFUTED_AT < scorer.SUPPORTED_AT <= 1
    pair = ("The rent is 900 euros.", "The rent is 900 euros.")
    shared = build_verifier(Settings())
    assert shared is not None and scorer.score([pair]) == shared.check([pair])
    across = [("The rent is 900 euros.", "租金是两千欧元。"), ("租金是九百欧元。", "Nobody pays any rent.")]
    endless = "The rent is 900 euros, and the landlord, as all agree, " * 12
    assert scorer.score([*across, ("The rent is 900 euros.", endless), pair]) == [0.5] * 3 + shared.check(
        [pair]
    )
    assert build_scorer(Settings(scorer_model="off")) is None
    assert build_scorer(Settings(scorer_model="built-in", verifier="off")) is None
