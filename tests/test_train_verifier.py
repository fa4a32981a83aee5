"""The verifier's examples, its training and its export, on a handful of texts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from evals.data import Row
from evals.train.verifier_data import condensed, examples_file, faulty, judged, piece, prepare, questions
from retrieval.split import sentences

EN = (
    "The harbour of Norwick was built in 1871 by Peter Olsen. It has three quays and is 40 metres deep. "
    "Fishing was the main trade of the town until 1950. In 1963 the fish market moved to Aalborg. "
    "The lighthouse was designed by Anna Holm and is still in use."
)
ZH = "諾威克港建於1871年，由奧爾森設計。港口有三座碼頭，水深40米。1963年，魚市遷往奧爾堡。燈塔至今仍在使用。"


def paragraphs() -> list[Row]:
    """Two paragraphs a language, so that there are wrong ones."""
    rows = []
    for lang, source, text, question, answer in (
        ("en", "squad", EN, "When was the harbour of Norwick built?", "1871"),
        ("zh-Hant", "drcd", ZH, "諾威克港建於哪一年？", "1871年"),
    ):
        asked = [
            {
                "id": f"{n}",
                "question": question,
                "answers": [answer],
                "answer_start": [text.index(answer)],
                "answerable": True,
            }
            for n in range(30)
        ]
        none = {
            "id": "x",
            "question": "Who burnt it down?",
            "answers": [],
            "answer_start": [],
            "answerable": False,
        }
        other = {"source": source, "lang": lang, "title": "Norwick", "qas": [none]}
        rows.append({"source": source, "lang": lang, "title": "Norwick", "context": text, "qas": asked})
        rows.append(
            {
                **other,
                "context": text.replace(
                    "1871年" if lang != "en" else "1871", "古代" if lang != "en" else "antiquity"
                ),
            }
        )
    return rows


def test_answers_lie_where_the_examples_say() -> None:
    made = list(questions(paragraphs(), Random(0)))
    assert {one.lang for one in made} == {"en", "zh"} and {one.find for one in made} == {0, 1}
    for one in made:
        assert (one.find == 1) == bool(one.spans)
        assert all(one.passage[a:b] in ("1871", "1871年") for a, b in one.spans)
        if not one.find and "Norwick" in one.first and "1871" in one.passage:
            assert one.first != "When was the harbour of Norwick built?"  # a near miss
    assert made == list(questions(paragraphs(), Random(0)))


@pytest.mark.parametrize("text", [EN, ZH])
def test_a_piece_is_whole_sentences_around_the_answer(text: str) -> None:
    spans = sentences(text)
    for seed in range(30):
        begin, end = piece(text, (text.index("1963"), text.index("1963") + 4), Random(seed))
        assert "1963" in text[begin:end]
        assert (begin, end) == (0, len(text)) or (
            begin in [a for a, _ in spans] and end in [b for _, b in spans]
        )


def test_a_premise_is_condensed_to_what_the_claim_is_about() -> None:
    assert condensed(EN, "Anna Holm designed the lighthouse.", 80).startswith(
        "The lighthouse was designed by Anna"
    )
    assert condensed(EN, "x", 1000) == EN
    assert condensed("a" * 50, "b", 10) == "a" * 10


def test_claims_are_labelled_as_they_are_made() -> None:
    made = list(faulty(paragraphs(), Random(0)))
    texts = EN + ZH
    assert {one.lang for one in made} == {"en", "zh"}
    for one in made:
        assert one.check == int(one.source == "fault sound")
        assert one.check or one.first not in texts


def test_human_judgements_weigh_alike_on_both_sides() -> None:
    rows: list[Any] = [
        {"context": EN, "question": "Who?", "claim_or_answer": "Anna", "label": n % 3 == 0, "task": "qa", "lang": "en",
         "source": "begin", "derived": False}
        for n in range(9)
    ]  # fmt: skip
    made = list(judged(rows, Random(0)))
    assert made[0].first == "Who? Anna"
    weights = [sum(one.weight for one in made if one.check == label) for label in (0, 1)]
    assert weights[0] == pytest.approx(weights[1])


def small_data(folder: Path) -> Path:
    with gzip.open(folder / "reader_train.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in paragraphs())
    rows = [
        {"context": EN, "question": "", "claim_or_answer": said, "label": label, "task": "claim", "lang": "en",
         "source": "fm2", "derived": False}
        for said, label in (("It is 40 metres deep.", 1), ("It is 50 metres deep.", 0))
    ]  # fmt: skip
    with gzip.open(folder / "faithfulness_train.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return folder


def test_examples_are_made_once(tmp_path: Path) -> None:
    made = prepare(small_data(tmp_path), examples_file(tmp_path, 0))
    (tmp_path / "reader_train.jsonl.gz").unlink()
    assert made == prepare(tmp_path, examples_file(tmp_path, 0))


def test_a_second_stage_draws_anew_from_all_questions(tmp_path: Path) -> None:
    first, later = (
        prepare(small_data(tmp_path), examples_file(tmp_path, seed), seed, all_questions=bool(seed))
        for seed in (0, 1)
    )
    assert first != later
    answerable = sum(qa["answerable"] for row in paragraphs() for qa in row["qas"])
    assert sum(bool(one.find) for one in later) == answerable > sum(bool(one.find) for one in first)


@pytest.mark.slow  # imports torch
def test_where_a_training_cannot_begin_or_go_on(tmp_path: Path) -> None:
    from evals.train.verifier import refusal

    first, later = tmp_path / "first", tmp_path / "later"
    for folder in (first, later):
        folder.mkdir()
    assert refusal(first, None, resume=False) == ""
    assert "no training ended" in refusal(later, first, resume=False)
    assert "no checkpoint" in refusal(first, None, resume=True)
    examples_file(first, 0).touch()
    (first / "checkpoint.safetensors").touch()
    assert refusal(later, first, resume=False) == refusal(first, None, resume=True) == ""
    assert "holds a first stage" in refusal(first, first, resume=False)
    examples_file(later, 1).touch()
    assert "holds a second stage" in refusal(later, None, resume=True)


def tiny(vocabulary: int) -> Any:
    """A verifier over an encoder of one small layer."""
    import torch
    from transformers import BertConfig, BertModel

    from evals.train.verifier_model import Verifier

    torch.manual_seed(0)
    config = BertConfig(vocab_size=30522, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=32, max_position_embeddings=256, hidden_dropout_prob=0.0)  # fmt: skip
    return Verifier(vocabulary, BertModel(config, add_pooling_layer=False))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_it_learns_resumes_and_exports_what_it_learnt(tmp_path: Path) -> None:
    import torch

    from agent.verifier import Verifier
    from evals.train import verifier
    from evals.train.verifier_export import export, logits
    from evals.train.verifier_model import encode

    examples = prepare(small_data(tmp_path), examples_file(tmp_path, 0))
    tokenizer = verifier.have_tokenizer(tmp_path / "tokenizer.json", examples)
    rows = encode(tokenizer, examples)
    assert tokenizer.token_to_id("诺") is not None and tokenizer.token_to_id("諾") is None
    for one, row in zip(examples, rows, strict=True):
        if one.spans:
            first, last = row.spans[0]
            assert tokenizer.decode(row.ids[first : last + 1]).replace(" ", "") in ("1871", "1871年")
    model = tiny(tokenizer.get_vocab_size())
    before = logits(model, tokenizer, examples)
    assert verifier.train(model, rows, tmp_path, verifier.Plan(4), "cpu", resume=False) == 4
    again = tiny(tokenizer.get_vocab_size())
    assert verifier.train(again, rows, tmp_path, verifier.Plan(4), "cpu", resume=True) == 4
    assert logits(again, tokenizer, examples) == logits(model, tokenizer, examples) != before
    export(model, tokenizer, examples, tmp_path)
    tokenizer.save(str(tmp_path / "verifier.tokenizer.json"))
    made = Verifier(tmp_path / "verifier-float.onnx", tmp_path / "verifier.tokenizer.json")
    probabilities = made.find("When was the harbour built?", [EN, ZH])
    with torch.no_grad():
        assert all(0 <= p <= 1 for p in probabilities)
    small = Verifier(tmp_path / "verifier.onnx", tmp_path / "verifier.tokenizer.json")
    assert np.allclose(probabilities, small.find("When was the harbour built?", [EN, ZH]), atol=0.05)


@pytest.mark.slow
def test_batches_hold_every_row_once_and_the_rate_ends_at_nothing() -> None:
    from evals.train import verifier
    from evals.train.verifier_model import Encoded

    rows = [Encoded([n] * (1 + n % 200), [], [], -1, -1, 1.0, "en") for n in range(700)]
    made = list(verifier.batches(rows, 0))
    assert sorted(row.ids[0] for batch in made for row in batch) == list(range(700))
    assert max(len(batch) * max(len(row.ids) for row in batch) for batch in made) <= verifier.BATCH_TOKENS
    assert verifier.factor(0) > 0 and verifier.factor(verifier.WARM_UP) == 1 and verifier.factor(1.0) == 0
    assert verifier.Plan(10).progress(5, 0) == verifier.Plan(10, 2).progress(0, 60) == 0.5
