"""Write a tiny random model that llama.cpp loads.

A llama-architecture file of about half a megabyte with random weights and one token
per byte, so that the real code path (loading, template, grammar, sampling) can be
tested without a download. It knows nothing: what it writes is noise, and the same
noise for the same seed.

The output rows of the special tokens and of all bytes that are not printable ASCII
are zero, so free text is nearly always printable and runs until the token limit.
Under a grammar, use flat shapes: enums, integers, booleans, short arrays of them. A
free string is not bounded by the grammar and may well never be closed.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFWriter, TokenType

CHAT_TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
_SPECIAL = 3  # <unk>, <s>, </s>
_VOCABULARY = _SPECIAL + 256
_HEAD_SCALE = 4.0  # makes the best token clearly the best


def write_tiny_gguf(
    path: Path,
    *,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    context: int = 512,
    seed: int = 0,
    chat_template: str | None = CHAT_TEMPLATE,
    architecture: str = "llama",
) -> Path:
    """Write the file and return its path.

    Args:
        path: where to write; overwritten.
        layers: transformer blocks, at least 1.
        width: embedding size, a multiple of ``2 * heads``.
        heads: attention heads.
        context: tokens the file claims to be trained for.
        seed: of the random weights.
        chat_template: Jinja text; None leaves the template out of the file.
        architecture: the name written into the file; anything but "llama" will not load.
    """
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(layers)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(width // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    _add_vocabulary(writer)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    for name, tensor in _tensors(layers, width, seed).items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_vocabulary(writer: GGUFWriter) -> None:
    byte_tokens = [f"<0x{value:02X}>" for value in range(256)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>", *byte_tokens])
    writer.add_token_scores([0.0] * _VOCABULARY)
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    writer.add_token_types([*kinds, *[TokenType.BYTE] * 256])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)


def _tensors(layers: int, width: int, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> npt.NDArray[np.float32]:
        return random.standard_normal((rows, columns), np.float32) / np.float32(columns**0.5)

    ones = np.ones(width, dtype=np.float32)
    tensors = {"token_embd": matrix(_VOCABULARY, width), "output_norm": ones}
    for block in range(layers):
        names = ("attn_q", "attn_k", "attn_v", "attn_output")
        parts = {name: matrix(width, width) for name in names}
        parts |= {name: matrix(2 * width, width) for name in ("ffn_gate", "ffn_up")}
        parts |= {"ffn_down": matrix(width, 2 * width), "attn_norm": ones, "ffn_norm": ones}
        tensors |= {f"blk.{block}.{name}": tensor for name, tensor in parts.items()}
    head = matrix(_VOCABULARY, width) * np.float32(_HEAD_SCALE)
    head[: _SPECIAL + 0x20] = 0.0
    head[_SPECIAL + 0x7F :] = 0.0
    return tensors | {"output": head}
