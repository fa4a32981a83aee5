"""Writes the ONNX file of a BERT-like encoder straight from its safetensors weights.

It builds the graph itself (embeddings, encoder layers, and what is asked of them), with ONNX Runtime's fused
transformer operators, so neither torch nor transformers is imported and the export takes about a second. It
knows BERT, RoBERTa and XLM-RoBERTa with absolute positions and GELU; `retrieval.export_torch` does others. It
does not download and does not quantise. The tests hold it to what torch gives.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from onnx import NodeProto, TensorProto

    Weights = dict[str, npt.NDArray[np.float32]]

OPSET = 18
FAMILY = ("bert", "roberta", "xlm-roberta")
Output = Literal["embedding", "hidden", "logits"]
MS_DOMAIN = "com.microsoft"  # ONNX Runtime's fused operators: docs/ContribOperators.md there


class ExportError(Exception):
    """The weights are of an architecture that this exporter does not know, or the target is not writable."""


def export_bert(model_folder: Path, target: Path, output: Output = "embedding") -> None:
    """Write `target`, whole or not at all.

    Inputs `input_ids` and `attention_mask`, int64 (batch, tokens), padded on the right; and `token_type_ids`
    where the output is `logits` and the model has segments. Outputs, float32: `embedding` (batch, dim), the
    mean of the tokens with unit length; `hidden` (batch, tokens, dim); `logits` (batch, labels) of a sequence
    classifier. Raises `ExportError` for another architecture.
    """
    import onnx
    from safetensors.numpy import load_file

    config = json.loads((model_folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") not in FAMILY or config.get("hidden_act") != "gelu":
        raise ExportError(
            f"cannot export a {config.get('model_type')!r} model with activation "
            f"{config.get('hidden_act')!r}: only BERT and RoBERTa with GELU are known"
        )
    if config.get("position_embedding_type") not in (None, "absolute"):
        raise ExportError(f"cannot export positions of type {config['position_embedding_type']!r}")
    try:
        weights = load_file(model_folder / "model.safetensors")
        model = _build(config, {_plain(name): _float32(w) for name, w in weights.items()}, output)
    except (OSError, TypeError) as error:  # TypeError: numbers that numpy does not have, such as bfloat16
        raise ExportError(f"the weights in {model_folder} cannot be read: {error}") from error
    except KeyError as error:
        raise ExportError(f"the weights in {model_folder} have no {error}") from error
    onnx.checker.check_model(model)
    _write_atomically(model.SerializeToString(), target)


def _plain(name: str) -> str:
    return name.removeprefix("bert.").removeprefix("roberta.")


def _float32(weight: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return weight if weight.dtype.kind != "f" else weight.astype("float32", copy=False)


def _write_atomically(data: bytes, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".part")
    except OSError as error:
        raise ExportError(f"{target.parent} cannot be written: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class _Graph:
    """Nodes and constants in the order in which they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        import numpy as np
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, domain: str = "", **attrs: Any) -> str:
        from onnx import helper

        # A skipped LayerNorm has four outputs, of which only the first is wanted.
        self.nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attrs))
        return output


def _build(config: dict[str, Any], weights: Weights, output: Output) -> Any:
    from onnx import TensorProto, helper

    graph = _Graph()
    segments = output == "logits" and int(config.get("type_vocab_size", 1)) > 1
    hidden = _embed_tokens(graph, weights, config, segments)
    for layer in range(int(config["num_hidden_layers"])):
        hidden = _encoder_layer(graph, weights, config, layer, hidden)
    if output == "embedding":
        _pool(graph, hidden)
    elif output == "logits":
        _classify(graph, weights, hidden)
    else:
        graph.node("Identity", [hidden], "hidden")
    width = int(config["hidden_size"])
    shapes: dict[str, list[Any]] = {
        "embedding": ["batch", width],
        "hidden": ["batch", "tokens", width],
        "logits": ["batch", "labels"],
    }
    inputs = ["input_ids", "attention_mask", *(["token_type_ids"] if segments else [])]
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentence_encoder",
            [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, shapes[output])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MS_DOMAIN, 1)],
        ir_version=9,
        producer_name="toulmin",
    )


def _embed_tokens(graph: _Graph, weights: Weights, config: dict[str, Any], segments: bool) -> str:
    """Word + position + type embeddings, normalised: float32 (batch, tokens, hidden)."""
    import numpy as np

    words = graph.constant("words", weights["embeddings.word_embeddings.weight"])
    table = weights["embeddings.position_embeddings.weight"]
    if config["model_type"] != "bert":
        table = table[int(config.get("pad_token_id", 1)) + 1 :]  # RoBERTa counts from behind its padding
    types = weights["embeddings.token_type_embeddings.weight"]
    # In a single text the type embedding is the same row everywhere: fold it in.
    positions = graph.constant("positions", table if segments else table + types[0])
    zero = graph.constant("zero", np.array([0], dtype=np.int64))
    one = graph.constant("one", np.array([1], dtype=np.int64))
    shape = graph.node("Shape", ["input_ids"], "ids_shape")
    two = graph.constant("two", np.array([2], dtype=np.int64))
    count = graph.node("Slice", [shape, one, two], "token_count")
    position = graph.node("Slice", [positions, zero, count, zero], "position_rows")
    word = graph.node("Gather", [words, "input_ids"], "word_rows")
    total = graph.node("Add", [word, position], "embedding_sum")
    if segments:
        kind = graph.node("Gather", [graph.constant("types", types), "token_type_ids"], "type_rows")
        total = graph.node("Add", [total, kind], "embedding_sum_typed")
    scale = graph.constant("embed_norm_scale", weights["embeddings.LayerNorm.weight"])
    shift = graph.constant("embed_norm_shift", weights["embeddings.LayerNorm.bias"])
    epsilon = float(config["layer_norm_eps"])
    graph.node("Cast", ["attention_mask"], "mask_int32", to=6)
    return graph.node("LayerNormalization", [total, scale, shift], "embedded", axis=-1, epsilon=epsilon)


def _encoder_layer(graph: _Graph, weights: Weights, config: dict[str, Any], layer: int, hidden: str) -> str:
    """One transformer block: self-attention and a feed-forward net, each added and normalised."""
    import numpy as np

    source, name = f"encoder.layer.{layer}.", f"layer{layer}_"

    def constant(key: str, path: str) -> str:
        value = weights[source + path]
        # torch keeps a linear layer as (out, in); ONNX multiplies by (in, out).
        return graph.constant(name + key, value.T if value.ndim == 2 else value)

    def add_and_norm(key: str, update: str, skip: str, norm: str, bias: str) -> str:
        inputs = [
            update,
            skip,
            constant(key + "_scale", norm + ".weight"),
            constant(key + "_shift", norm + ".bias"),
            constant(key + "_bias", bias),
        ]
        return graph.node(
            "SkipLayerNormalization",
            inputs,
            name + key,
            MS_DOMAIN,
            epsilon=float(config["layer_norm_eps"]),
        )

    parts = ["query", "key", "value"]
    qkv = [weights[f"{source}attention.self.{part}.weight"].T for part in parts]
    bias = [weights[f"{source}attention.self.{part}.bias"] for part in parts]
    attended = graph.node(
        "Attention",
        [
            hidden,
            graph.constant(name + "qkv", np.concatenate(qkv, axis=1)),
            graph.constant(name + "qkv_bias", np.concatenate(bias)),
            "mask_int32",
        ],
        name + "attended",
        MS_DOMAIN,
        num_heads=int(config["num_attention_heads"]),
    )
    out = graph.node(
        "MatMul", [attended, constant("out", "attention.output.dense.weight")], name + "projected"
    )
    hidden = add_and_norm("mixed", out, hidden, "attention.output.LayerNorm", "attention.output.dense.bias")
    wide = graph.node("MatMul", [hidden, constant("up", "intermediate.dense.weight")], name + "wide")
    active = graph.node(
        "BiasGelu", [wide, constant("up_bias", "intermediate.dense.bias")], name + "active", MS_DOMAIN
    )
    down = graph.node("MatMul", [active, constant("down", "output.dense.weight")], name + "narrow")
    return add_and_norm("block", down, hidden, "output.LayerNorm", "output.dense.bias")


def _pool(graph: _Graph, hidden: str) -> None:
    """Mean over the tokens that are not padding, then unit length."""
    import numpy as np

    last = graph.constant("last_axis", np.array([2], dtype=np.int64))
    tokens = graph.constant("token_axis", np.array([1], dtype=np.int64))
    mask = graph.node("Cast", ["attention_mask"], "mask_float", to=1)
    column = graph.node("Unsqueeze", [mask, last], "mask_column")
    kept = graph.node("Mul", [hidden, column], "kept")
    total = graph.node("ReduceSum", [kept, tokens], "token_sum", keepdims=0)
    # The mean differs from the sum by a positive factor only, which unit length takes out again.
    graph.node("LpNormalization", [total], "embedding", axis=1, p=2)


def _classify(graph: _Graph, weights: Weights, hidden: str) -> None:
    """The head of a sequence classifier over the first token."""
    import numpy as np

    bert = "pooler.dense.weight" in weights
    dense, out = ("pooler.dense", "classifier") if bert else ("classifier.dense", "classifier.out_proj")
    cls = graph.node("Gather", [hidden, graph.constant("first", np.array([0], np.int64))], "cls", axis=1)
    first = graph.node("Squeeze", [cls, graph.constant("cls_axis", np.array([1], np.int64))], "cls_row")
    for name, part in (("head", dense), ("logits", out)):
        weight = graph.constant(f"{name}_weight", weights[f"{part}.weight"])
        bias = graph.constant(f"{name}_bias", weights[f"{part}.bias"])
        first = graph.node("Gemm", [first, weight, bias], name, transB=1)
        if name == "head":
            first = graph.node("Tanh", [first], "head_active")
