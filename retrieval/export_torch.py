"""Writes the ONNX file of any encoder that transformers knows, by tracing it with torch.

Only for what `retrieval.export` cannot do, and only when a model is prepared: this imports torch. It does not
download.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

from retrieval.export import OPSET, ExportError, Output

SAMPLES = ["a text", "and one that is longer"]  # of unlike length, so that padding is traced as well


def export_with_torch(model_folder: Path, target: Path, output: Output) -> None:
    """Write `target`, whole or not at all; inputs and outputs are named as by `export_bert`.

    Raises `ExportError` where transformers or torch cannot.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    quiet = (contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            part = Path(folder) / "model.onnx"
            with quiet[0], quiet[1]:  # progress bars, and notes on tracing
                _export(model_folder, part, output)
            os.replace(part, target)
    except Exception as error:  # torch, transformers and ONNX fail in many ways, all of them final
        raise ExportError(
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        ) from error


def _export(model_folder: Path, target: Path, output: Output) -> None:
    import torch
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

    kind: Any = AutoModelForSequenceClassification if output == "logits" else AutoModel
    # The fused attention of torch branches on its mask, which a trace would fix for good.
    model = kind.from_pretrained(model_folder, local_files_only=True, attn_implementation="eager")
    tokenizer = AutoTokenizer.from_pretrained(model_folder, local_files_only=True)
    known = ["input_ids", "attention_mask", *(["token_type_ids"] if output == "logits" else [])]
    pairs = [[*SAMPLES]] * 2 if output == "logits" else SAMPLES
    encoded = tokenizer(pairs, padding=True, return_tensors="pt")
    names = [name for name in known if name in encoded]

    class Traced(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: Any) -> Any:
            result = self.model(**dict(zip(names, values, strict=True)))
            return result.logits if output == "logits" else result.last_hidden_state

    axes: dict[str, dict[int, str]] = {name: {0: "batch", 1: "tokens"} for name in names}
    axes[output] = {0: "batch"} if output == "logits" else {0: "batch", 1: "tokens"}
    torch.onnx.export(
        Traced().eval(),
        tuple(encoded[name] for name in names),
        str(target),
        input_names=names,
        output_names=[output],
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,  # the newer exporter needs onnxscript and ten times the time
    )
