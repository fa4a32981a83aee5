"""The default embedder's weights in the form in which Chroma's own embedder looks for them.

It would download them, as an ONNX file of its own; these are the same weights, written by our exporter.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from retrieval.embed import minilm_folder
from retrieval.export import export_bert

CHROMA_FOLDER = Path(".cache") / "chroma" / "onnx_models" / "all-MiniLM-L6-v2" / "onnx"  # under the home
BESIDE = ("config.json", "special_tokens_map.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt")


def for_chroma(home: Path) -> None:
    """Put them there, unless they are."""
    import onnx
    from onnx import TensorProto, helper

    target = home / CHROMA_FOLDER / "model.onnx"
    if target.exists():
        return
    plain = target.with_suffix(".plain")
    export_bert(minilm_folder(), plain, "hidden")
    model = onnx.load(plain)
    # It hands over segments, all of them 0, which our graph has added to the words already.
    model.graph.input.append(
        helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, ["batch", "tokens"])
    )
    for name in BESIDE:
        shutil.copy(minilm_folder() / name, target.parent)
    onnx.save(model, target)
    plain.unlink()
