"""Write a random model that llama.cpp loads: llama's architecture, no training, noise for text.

So the real code path (loading, template, grammar, sampling) can be tested and measured without a download.
The same seed gives the same noise. Needs the `gguf` package.

The output matrix has rows of zeros for control tokens and for all bytes that are not printable ASCII, so free
text is nearly always printable and runs until the token limit, unless `likely` says otherwise.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_FIRST = ("<unk>", "<s>", "</s>")
_HEAD_SCALE = 4.0  # makes the best token clearly the best
_CONSTANT = 1.0  # what one number of every hidden state is; rows of the output matrix lean on it

Matrix = npt.NDArray[np.float32]


def write_random_gguf(
    path: Path,
    *,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    context: int = 512,
    seed: int = 0,
    chat_template: str | None = None,
    architecture: str = "llama",
    control: Sequence[str] = (),
    own: Sequence[str] = (),
    words: Sequence[str] = (),
    likely: Mapping[str, float] | None = None,
    quantised: bool = False,
) -> Path:
    """Write the file and return its path.

    Args:
        path: where to write; overwritten.
        layers: transformer blocks, at least 1.
        width: embedding size, a multiple of `2 * heads`, and of 32 where `quantised`.
        heads: attention heads.
        context: tokens the file claims to be trained for.
        seed: of the random weights.
        chat_template: Jinja text; None leaves the template out of the file.
        architecture: the name written into the file; anything but "llama" will not load.
        control: further control tokens, such as <|im_end|>.
        own: further tokens that are read out of plain text too (llama.cpp's "user defined").
        words: further tokens of plain text; see `common_pieces`.
        likely: what to add to the logit of a token, by its text; 6 makes it come about every sixth time.
        quantised: Q8_0, and the same weights in every block, which is much faster to write.
    """
    from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType
    from gguf.quants import quantize

    texts, kinds = _vocabulary(control, own, words)
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(layers)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(width // heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0 if quantised else LlamaFileType.ALL_F32)
    _add_vocabulary(writer, texts, kinds)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    known: dict[int, Any] = {}
    for name, matrix in _tensors(layers, width, seed, texts, likely or {}, same=quantised):
        if quantised and matrix.ndim == 2:
            if id(matrix) not in known:  # the matrices of a block live as long as the others share them
                known[id(matrix)] = quantize(matrix, GGMLQuantizationType.Q8_0)
            writer.add_tensor(f"{name}.weight", known[id(matrix)], raw_dtype=GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(f"{name}.weight", matrix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def common_pieces(texts: Sequence[str], count: int) -> list[str]:
    """The most frequent words and beginnings of words, each with its own beginnings: what a tokenizer that
    merges neighbours can reach."""
    seen: dict[str, int] = {}
    for text in texts:
        for word in text.replace(" ", "\u2581").replace("\u2581", " \u2581").split(" "):
            for end in range(2, min(len(word), 12) + 1):
                seen[word[:end]] = seen.get(word[:end], 0) + 1
    ranked = sorted(seen, key=lambda piece: (-seen[piece], len(piece), piece))
    return ranked[:count]


def _vocabulary(
    control: Sequence[str], own: Sequence[str], words: Sequence[str]
) -> tuple[list[str], list[int]]:
    from gguf import TokenType

    groups = (
        (_FIRST[:1], TokenType.UNKNOWN),
        ((*_FIRST[1:], *control), TokenType.CONTROL),
        (own, TokenType.USER_DEFINED),
        ([f"<0x{value:02X}>" for value in range(256)], TokenType.BYTE),
        (words, TokenType.NORMAL),
    )
    texts = [text for group, _ in groups for text in group]
    return texts, [kind for group, kind in groups for _ in group]


def _add_vocabulary(writer: Any, texts: list[str], kinds: list[int]) -> None:
    writer.add_tokenizer_model("llama")
    writer.add_token_list(texts)
    writer.add_token_scores([-float(at) for at in range(len(texts))])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(False)


def _tensors(
    layers: int, width: int, seed: int, texts: Sequence[str], likely: Mapping[str, float], *, same: bool
) -> Iterator[tuple[str, Matrix]]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, *, writes: bool = False) -> Matrix:
        values = random.standard_normal((rows, columns), np.float32) / np.float32(columns**0.5)
        if writes:  # nothing is added to the constant number
            values[0] = 0.0
        return values

    ones = np.ones(width, dtype=np.float32)
    embeddings = matrix(len(texts), width)
    embeddings[:, 0] = _CONSTANT
    yield "token_embd", embeddings
    yield "output_norm", ones
    parts: dict[str, Matrix] = {}
    for block in range(layers):
        if not parts or not same:
            parts = {name: matrix(width, width) for name in ("attn_q", "attn_k", "attn_v")}
            parts["attn_output"] = matrix(width, width, writes=True)
            parts |= {name: matrix(2 * width, width) for name in ("ffn_gate", "ffn_up")}
            parts["ffn_down"] = matrix(width, 2 * width, writes=True)
            parts |= {"attn_norm": ones, "ffn_norm": ones}
        for name, tensor in parts.items():
            yield f"blk.{block}.{name}", tensor
    head = matrix(len(texts), width) * np.float32(_HEAD_SCALE)
    head[:, 0] = 0.0
    for at, text in enumerate(texts):
        said = _said(text)
        if said in likely or not said or not _WRITTEN.issuperset(said):
            head[at] = 0.0
        head[at, 0] = likely.get(said, 0.0)
    yield "output", head


_WRITTEN = frozenset(string.printable) - frozenset(string.whitespace) | {" ", "\u2581"}


def _said(text: str) -> str:
    """What a token writes; "" for a byte that is no character by itself, and for the first three."""
    if text in _FIRST[:2]:
        return ""
    if text.startswith("<0x") and len(text) == 6:
        value = int(text[3:5], 16)
        return chr(value) if value < 0x80 else ""
    return text
