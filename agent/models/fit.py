"""How many layers of a model fit into the memory of a GPU: arithmetic over its header, nothing else.

It errs towards fewer layers: what does not fit ends the load, what is left free costs a little speed.
"""

from __future__ import annotations

import re

from agent.models.header import Header

BATCH_TOKENS = 512  # llama-cpp-python's n_ubatch
CACHE_BYTES = 2  # of a number in the key-value cache, which is float16
FLOAT_BYTES = 4
OVERHEAD_BYTES = 512 << 20  # what a driver keeps for itself: 300 to 500 MB with CUDA
_BLOCK = re.compile(r"blk\.(\d+)\.")


def layers_that_fit(header: Header, free_bytes: int, context_tokens: int) -> int:
    """Layers to put on the GPU, 0 to `total_layers`, as llama.cpp counts them: the output layer is one.

    `context_tokens`: 0 takes what the model was trained with.
    """
    left = free_bytes - OVERHEAD_BYTES - scratch_bytes(header, context_tokens)
    count = 0
    for size in layer_bytes(header, context_tokens):
        left -= size
        if left < 0:
            break
        count += 1
    return count


def gpu_bytes(header: Header, context_tokens: int, layers: int) -> int:
    """What so many layers take of a GPU's memory, beside what its driver keeps."""
    if not layers:
        return 0
    return scratch_bytes(header, context_tokens) + sum(layer_bytes(header, context_tokens)[:layers])


def total_layers(header: Header) -> int:
    """All layers: the blocks and the output."""
    return header.layers + 1


def layer_bytes(header: Header, context_tokens: int) -> list[int]:
    """Weights and cache of each layer, in the order in which llama.cpp puts them on a GPU: the last first."""
    blocks = [0] * header.layers
    output = 0
    for name, size in header.tensors.items():
        found = _BLOCK.match(name)
        if found and int(found[1]) < len(blocks):
            blocks[int(found[1])] += size
        elif not name.startswith("token_embd"):  # these stay with the CPU
            output += size
    if "output.weight" not in header.tensors:  # then the embedding is used again, and copied
        output += header.tensors.get("token_embd.weight", 0)
    cache = cache_bytes(header, context_tokens)
    return [output, *(weights + kept for weights, kept in zip(blocks[::-1], cache[::-1], strict=True))]


def cache_bytes(header: Header, context_tokens: int) -> list[int]:
    """Key-value cache of each block; sliding windows are counted as whole, as llama-cpp-python keeps them."""
    tokens = context_tokens or header.context_tokens
    heads = max(header.number("attention.head_count"), 1)
    width = header.number("embedding_length") // heads
    lengths = [
        max(header.number(f"attention.{name}", width), header.number(f"attention.{name}_swa"))
        for name in ("key_length", "value_length")
    ]
    return [tokens * kv_heads * sum(lengths) * CACHE_BYTES for kv_heads in _kv_heads(header, heads)]


def scratch_bytes(header: Header, context_tokens: int) -> int:
    """What one batch needs to be computed: scores, logits and the widest layer, as if all at once."""
    tokens = context_tokens or header.context_tokens
    wide = (
        header.vocabulary + 2 * header.number("feed_forward_length") + 4 * header.number("embedding_length")
    )
    scores = tokens * header.number("attention.head_count")
    return BATCH_TOKENS * FLOAT_BYTES * (wide + scores)


def memory_bytes(header: Header, context_tokens: int) -> int:
    """What the whole model needs, wherever it runs."""
    embedding = header.tensors.get("token_embd.weight", 0)
    return embedding + sum(layer_bytes(header, context_tokens)) + scratch_bytes(header, context_tokens)


def _kv_heads(header: Header, heads: int) -> list[int]:
    """Heads of keys and values in each block; blocks of linear attention have no cache that grows."""
    given = header.values.get(f"{header.architecture}.attention.head_count_kv")
    if isinstance(given, list) and len(given) == header.layers:
        return [max(one, 0) if isinstance(one, int) else heads for one in given]
    each = header.number("attention.head_count_kv", heads)
    every = header.number("full_attention_interval")  # of the Qwen hybrids: one block in so many
    return [0 if every > 1 and block % every != every - 1 else each for block in range(header.layers)]
