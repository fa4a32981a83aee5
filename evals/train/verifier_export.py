"""Writes the trained verifier as an ONNX file: traced by torch, and quantised to int8.

The file's metadata say what a runtime has to know: the window, the calibration of each head and language
(from training data that were held out). It measures nothing on dev data.

    python -m evals.train.verifier_export FOLDER
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from agent.verifier import Verifier as Runtime
from evals.train.verifier_checkpoint import restore
from evals.train.verifier_data import Example, read_examples
from evals.train.verifier_model import QUESTION, WINDOW, Verifier, collate, encode
from retrieval.export import OPSET

Array = npt.NDArray[np.float64]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = ("judged", "answers")
HEADS = ("find", "check")
CALIBRATING = 600  # examples of each task


class _Traced(nn.Module):
    """The verifier with one table of words."""

    def __init__(self, model: Verifier) -> None:
        super().__init__()
        words = model.encoder.embeddings.word_embeddings.weight.detach()
        table = torch.cat([words, model.added.detach()])
        self.words = nn.Embedding(len(table), table.shape[1], _weight=table)
        self.encoder, self.judge, self.answer = model.encoder, model.judge, model.answer

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(
            inputs_embeds=self.words(ids), attention_mask=mask, token_type_ids=types
        ).last_hidden_state
        return self.judge(hidden[:, 0]), self.answer(hidden)


def export_float(model: Verifier, target: Path) -> None:
    """Trace the model into an ONNX file of float32, batch and length dynamic."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    model.encoder.set_attn_implementation("eager")  # the fused attention branches on its mask
    rows = torch.tensor([[101, 2054, 102, 2023, 102], [101, 2054, 102, 102, 0]])
    example = (rows, (rows > 0).long(), torch.tensor([[0, 0, 0, 1, 1], [0, 0, 0, 1, 0]]))
    axes: dict[str, dict[int, str]] = {name: {0: "batch", 1: "tokens"} for name in INPUTS}
    axes |= {"judged": {0: "batch"}, "answers": {0: "batch", 1: "tokens"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Traced(model).cpu().eval(),
            example,
            str(target),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def quantise(source: Path, target: Path) -> None:
    """All weights as int8, by onnxruntime, between layers float32.

    Seven bits of the eight are used: with all of them, processors without VNNI overflow.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
                     op_types_to_quantize=["MatMul", "Gemm", "Gather"])  # fmt: skip


def logits(model: Verifier, tokenizer: Any, examples: Sequence[Example]) -> list[tuple[float, float]]:
    """(find, check) of each example, uncalibrated."""
    rows = encode(tokenizer, examples)
    order = sorted(range(len(rows)), key=lambda n: len(rows[n].ids))
    found: dict[int, tuple[float, float]] = {}
    model.eval()
    with torch.no_grad():
        for start in range(0, len(order), 16):
            numbers = order[start : start + 16]
            batch = collate([rows[n] for n in numbers])
            judged, _ = model(batch.ids, batch.mask, batch.types)
            found |= {n: (float(a), float(b)) for n, (a, b) in zip(numbers, judged, strict=True)}
    return [found[n] for n in range(len(rows))]


def platt(scores: Array, labels: Array, weights: Array | None = None) -> tuple[float, float]:
    """(slope, shift) of the logistic curve over the logits that fits the labels best, kept near (1, 0).

    Platt 1999, "Probabilistic outputs for support vector machines", by Newton's method.
    """
    curve = np.array([1.0, 0.0])
    each = np.ones_like(scores) if weights is None else weights
    inputs = np.stack([scores, np.ones_like(scores)], axis=1)
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(inputs @ curve, -30, 30)))
        gradient = inputs.T @ (each * (labels - p)) - (curve - np.array([1.0, 0.0]))
        hessian = (inputs.T * (each * p * (1 - p))) @ inputs + np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        curve += step
        if np.abs(step).max() < 1e-8:
            break
    return float(max(curve[0], 0.05)), float(curve[1])


def calibrate(
    scored: Sequence[tuple[float, float]], examples: Sequence[Example]
) -> dict[str, dict[str, list[float]]]:
    """By head and language (slope, shift) of its calibration; a language without data takes that of all."""
    found: dict[str, dict[str, list[float]]] = {}
    for head, name in enumerate(HEADS):
        known = [n for n, one in enumerate(examples) if getattr(one, name) is not None]
        found[name] = {}
        for lang in ("en", "zh"):
            own = [n for n in known if examples[n].lang == lang] or known
            labels = np.array([getattr(examples[n], name) for n in own], dtype=float)
            weights = np.array([examples[n].weight for n in own])
            slope, shift = platt(np.array([scored[n][head] for n in own]), labels, weights)
            found[name][lang] = [round(slope, 4), round(shift, 4)]
    return found


def write_metadata(file: Path, metadata: dict[str, Any]) -> str:
    """Put JSON values into the ONNX file; its SHA-256."""
    import onnx

    model = onnx.load(str(file))
    del model.metadata_props[:]
    for key, value in metadata.items():
        onnx.helper.set_model_props(
            model, {**{p.key: p.value for p in model.metadata_props}, key: json.dumps(value)}
        )
    onnx.save(model, str(file))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def export(model: Verifier, tokenizer: Any, examples: Sequence[Example], folder: Path) -> str:
    """Write verifier.onnx and verifier-float.onnx in `folder`; the SHA-256 of the first.

    `examples`: held out of training, for the calibration.
    """
    scored = logits(model, tokenizer, examples)
    found = calibrate(scored, examples)
    metadata = {
        "window": WINDOW,
        "question": QUESTION,
        "calibration": found,
        "licence": "Apache-2.0",
    }
    export_float(model, folder / "verifier-float.onnx")
    quantise(folder / "verifier-float.onnx", folder / "verifier.onnx")
    write_metadata(folder / "verifier-float.onnx", metadata)
    return write_metadata(folder / "verifier.onnx", metadata)


def refusals(examples: Sequence[Example], checks: Sequence[float]) -> list[str]:
    """What refusing claims up to each threshold would do, for `agent.critic.scorers`: a line for each.

    By held-out sentences of free texts: of the additions the share that is refused, and of the sound ones.
    """
    lines = []
    for lang in ("en", "zh"):
        found = [(one, p) for one, p in zip(examples, checks, strict=True) if one.lang == lang]
        for threshold in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4):
            shares = []
            for source in ("fault addition", "fault sound"):
                own = [p <= threshold for one, p in found if one.source == source]
                shares.append(f"{source} {sum(own)} of {len(own)}")
            lines.append(f"{lang}: refused up to {threshold}: {', '.join(shares)}")
    return lines


def export_checkpoint(folder: Path) -> str:
    """Export what a training left in `folder`; the SHA-256 of the int8 file."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.save(str(folder / "verifier.tokenizer.json"))
    model = Verifier(tokenizer.get_vocab_size())
    restore(folder / "checkpoint.safetensors", model)
    [examples] = folder.glob("examples-*.jsonl.gz")
    held = [one for one in read_examples(examples) if one.held_out]
    asked, claims = ([one for one in held if one.task == task] for task in ("answer", "check"))
    told = export(model, tokenizer, [*asked[:CALIBRATING], *claims[:CALIBRATING]], folder)
    made = Runtime(folder / "verifier.onnx")
    faulty = [one for one in claims if one.source.startswith("fault ")]
    print(*refusals(faulty, made.check([(one.passage, one.first) for one in faulty])), sep="\n")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="of the training")
    arguments = parser.parse_args()
    print("SHA-256", export_checkpoint(arguments.folder))


if __name__ == "__main__":
    main()
