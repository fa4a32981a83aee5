"""The verifier's runtime, over a small ONNX file in which each word has its own weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import SettingsError
from agent.verifier import LONGEST_ANSWER, REMEMBERED, Verifier, _whole_words, _windows
from evals.suites.critic import auroc, auroc_gain, balanced_accuracy, bare, calibration_error

# Word: (find, check, first token of the answer, last one)
WORDS = {
    "[PAD]": (9, 9, 9, 9),
    "[UNK]": (0, 0, 0, 0),
    "[CLS]": (-2, -2, 1, 1),
    "[SEP]": (0, 0, 9, 9),
    "monday": (5, 1, 4, 3),
    "noon": (1, 0, 3, 4),
    "rent": (0, 2, 0, 0),
    "周": (2, 1, 4, 0),
    "一": (2, 1, 0, 4),
    "国": (0, 0, 0, 0),
}


def verifier(folder: Path, window: int = 16) -> Verifier:
    """What a pair scores is the sum over its words; an answer goes from the best first to the best last one."""
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    weights = np.array(list(WORDS.values()), dtype=np.float32)
    nodes = [
        helper.make_node("Gather", ["judging", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["real", "last"], ["column"]),
        helper.make_node("Mul", ["each", "column"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["judged"], keepdims=0),
        helper.make_node("Gather", ["answering", "input_ids"], ["answers"]),
    ]
    constants = {"judging": weights[:, :2], "answering": weights[:, 2:]}
    axes = {"last": np.array([2]), "tokens": np.array([1])}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "words",
            [
                helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"])
                for n in ("input_ids", "attention_mask")
            ],
            [
                helper.make_tensor_value_info("judged", TensorProto.FLOAT, ["b", 2]),
                helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["b", "t", 2]),
            ],
            [
                numpy_helper.from_array(np.ascontiguousarray(value), name)
                for name, value in {**constants, **axes}.items()
            ],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    calibration = {head: {"en": [1.0, 0.0], "zh": [0.5, -1.0]} for head in ("find", "check")}
    metadata = {"window": window, "question": 6, "calibration": calibration}
    helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    save(model, str(folder / "verifier.onnx"))
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.save(str(folder / "verifier.tokenizer.json"))
    return Verifier(folder / "verifier.onnx")


def logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def test_three_answers_of_one_reading(tmp_path: Path) -> None:
    made = verifier(tmp_path)
    passages = ["The rent is due Monday at noon.", "A cat sat there."]
    assert made.find("When?", passages) == pytest.approx([logistic(4), logistic(-2)])
    assert made.check([(passages[0], "When?")]) == pytest.approx([logistic(1)])
    span, none = made.answer("When?", passages)
    assert span is not None and passages[0][span.start : span.end] == "Monday at noon"
    assert span.score == pytest.approx(logistic(8 - 2))
    assert none is None
    forced = made.answer("When?", passages, least=0.0)[1]
    assert forced is not None and forced.score == pytest.approx(logistic(-2))


def test_traditional_characters_are_read_as_simplified_ones_at_their_offsets(tmp_path: Path) -> None:
    made = verifier(tmp_path)
    text = "租金於週一支付，中國。"
    [span] = made.answer("何時付租金？", [text])
    assert span is not None and text[span.start : span.end] == "週一"
    assert made.find("何時付租金？", [text]) == pytest.approx(
        [logistic(0.5 * (4 - 2) - 1)]
    )  # Chinese calibration


def test_a_passage_longer_than_the_window_is_slid_over(tmp_path: Path) -> None:
    made = verifier(tmp_path)
    text = "A cat sat there. " * 20 + "It is due Monday at noon."
    [span] = made.answer("When?", [text])
    assert span is not None and text[span.start : span.end] == "Monday at noon"
    assert made.find("When?", [text]) == pytest.approx([logistic(4)])
    assert made.find("When is the rent really and truly to be paid?", [text]) == pytest.approx([logistic(4)])


def test_empty_texts_and_no_texts(tmp_path: Path) -> None:
    made = verifier(tmp_path)
    assert made.find("", []) == [] and made.check([]) == []
    assert made.answer("", ["", " "]) == [None, None]
    assert made.find("", [""]) == pytest.approx([logistic(-2)])


def test_what_was_read_is_remembered_but_not_for_ever(tmp_path: Path) -> None:
    made = verifier(tmp_path)
    first = made.read([("When?", "Monday")])
    (tmp_path / "verifier.onnx").unlink()
    assert made.read([("When?", "Monday")]) == first
    made.read([(str(n), "noon") for n in range(REMEMBERED + 5)])
    assert len(made._known) == REMEMBERED
    assert made.read([("When?", "Monday")] * 3) == first * 3


@pytest.mark.parametrize("broken", ["verifier.onnx", "verifier.tokenizer.json", ""])
def test_what_is_no_verifier_is_told_in_a_line(tmp_path: Path, broken: str) -> None:
    made = verifier(tmp_path)
    if broken:
        (tmp_path / broken).write_bytes((tmp_path / broken).read_bytes()[:40])
    else:  # an encoder of another kind
        from onnx import load, save

        model = load(str(tmp_path / "verifier.onnx"))
        del model.metadata_props[:]
        save(model, str(tmp_path / "verifier.onnx"))
    with pytest.raises(SettingsError, match=r"is no verifier.*config set verifier off") as told:
        made.find("When?", ["Monday"])
    assert "\n" not in str(told.value)


def test_of_a_long_question_both_ends_are_read(tmp_path: Path) -> None:
    made = verifier(tmp_path)
    assert made.sees_whole("When is the rent due ?") and not made.sees_whole("cat " * 7)
    [window] = _windows(made._open()[1], "Monday cat cat cat cat cat noon rent", "noon", 40, 6)
    words = [list(WORDS)[n] for n in window.ids]
    assert words[1:7] == ["monday", "[UNK]", "[UNK]", "[UNK]", "noon", "rent"]


def test_nothing_is_opened_before_the_first_reading(tmp_path: Path) -> None:
    assert Verifier(tmp_path / "missing.onnx")._opened is None


@given(
    st.lists(
        st.sampled_from(["Monday", "noon", "rent", "國", "一", "cat", ",", "\n", "é", "１"]), max_size=60
    )
)
def test_spans_lie_within_the_passage(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    if not hasattr(test_spans_lie_within_the_passage, "made"):
        test_spans_lie_within_the_passage.made = verifier(tmp_path_factory.mktemp("v"))  # type: ignore[attr-defined]
    text = " ".join(words)
    [span] = test_spans_lie_within_the_passage.made.answer("rent?", [text], least=0.0)  # type: ignore[attr-defined]
    if span is None:
        assert not text.strip()
    else:
        assert 0 <= span.start < span.end <= len(text) and text[span.start : span.end].strip()
        assert len(text[span.start : span.end].split()) <= LONGEST_ANSWER


def test_a_span_is_grown_to_whole_words() -> None:
    assert _whole_words("unhappiness,", 2, 7) == (0, 11)
    assert _whole_words("1958年出版", 0, 4) == (0, 4)
    assert _whole_words("ab", 0, 2) == (0, 2)
    assert _whole_words("這些昆蟲曾一度登陸，又再次", 0, 8) == (0, 9)
    assert _whole_words("由三菱重工业的造船厂建造", 2, 9) == (1, 10)


def test_figures_of_the_suite() -> None:
    labels = np.array([0, 0, 1, 1])
    assert auroc(labels, [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert auroc(labels, [1, 1, 1, 1]) == 0.5 == auroc([1, 1], [0.1, 0.2])
    gain, low, high = auroc_gain(
        labels, np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.9, 0.8, 0.2, 0.1]), np.arange(4)
    )
    assert gain == 1 and low <= high <= 1
    assert balanced_accuracy(np.array([0, 0, 0, 1]), np.array([False, False, True, True])) == pytest.approx(
        5 / 6
    )
    assert calibration_error(np.array([0, 1.0]), np.array([0.25, 0.75])) == pytest.approx(0.25)
    assert bare("The Treaty, of 1815.") == bare("treaty of 1815") != bare("treaty of 1816")
