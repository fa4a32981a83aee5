"""The header of a GGUF file is read within bounds, whatever it claims; layers are fitted from it."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFReader
from gguf.constants import GGML_QUANT_SIZES
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ModelError
from agent.models.fit import cache_bytes, layer_bytes, layers_that_fit, memory_bytes, total_layers
from agent.models.header import BLOCKS, Header, _Damaged, parse, read_header
from tests.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("header") / "微型.gguf", layers=3, heads=4, width=64)


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def made(*values: bytes, tensors: int = 0, keys: int | None = None, version: int = 3) -> bytes:
    begin = b"GGUF" + struct.pack("<IQQ", version, tensors, len(values) if keys is None else keys)
    return begin + b"".join(values)


def test_it_reads_what_the_reference_reads(tiny: Path) -> None:
    header, reference = read_header(tiny), GGUFReader(tiny)
    assert header.architecture == "llama" and header.layers == 3 and header.context_tokens == 512
    assert header.vocabulary == 259 and "tokenizer.ggml.tokens" not in header.values
    assert header.tensors == {one.name: one.n_bytes for one in reference.tensors}
    assert header.end == tiny.stat().st_size


def test_the_sizes_are_those_of_ggml() -> None:
    assert {kind: sizes for kind, sizes in BLOCKS.items() if kind in [k.value for k in GGML_QUANT_SIZES]} == {
        kind.value: sizes for kind, sizes in GGML_QUANT_SIZES.items()
    }


@given(data=st.data())
def test_no_bytes_bring_it_down(tiny: Path, data: st.DataObject) -> None:
    """Cut anywhere, and with any bytes in any places, a file is read or refused."""
    whole = bytearray(tiny.read_bytes())
    end = data.draw(st.integers(0, 8000), label="cut at")
    for at in data.draw(st.lists(st.integers(0, 8000), max_size=6), label="changed"):
        whole[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    try:
        header = parse(bytes(whole[: end or None]))
    except _Damaged:
        return
    assert 0 <= header.layers <= 4096
    assert 0 <= layers_that_fit(header, 1 << 40, 4096) <= total_layers(header)


@given(st.binary(max_size=200))
def test_no_begun_header_brings_it_down(rest: bytes) -> None:
    with contextlib.suppress(_Damaged):
        parse(b"GGUF\x03\x00\x00\x00" + rest)


@pytest.mark.parametrize(
    "data",
    [
        made(keys=1 << 60),
        made(tensors=1 << 60),
        made(text("k") + struct.pack("<IIQ", 9, 8, 1 << 60)),  # a list of texts
        made(text("k") + struct.pack("<IIQ", 9, 4, 1 << 60)),  # a list of numbers
        made(text("k") + struct.pack("<IIQ", 9, 9, 1)),  # a list of lists
        made(text("k") + struct.pack("<IQ", 8, 1 << 60)),  # a text
        made(
            text("general.architecture") + struct.pack("<I", 8) + text("a"),
            text("a.block_count") + struct.pack("<II", 4, 4_000_000_000),
        ),
        made(text("general.alignment") + struct.pack("<II", 4, 0)),
        made(version=1),
        made(version=0x03000000),  # the other byte order
    ],
)
def test_counts_that_cannot_be_cost_nothing(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(_Damaged):
            parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("cut", "said"), [(100, "cut short: "), (460_000, "ends within its header|cut short"), (0, "")]
)
def test_a_cut_file_is_told(tiny: Path, tmp_path: Path, cut: int, said: str) -> None:
    file = tmp_path / "截断.gguf"
    file.write_bytes(tiny.read_bytes()[: tiny.stat().st_size - cut])
    if not said:
        read_header(file)
        return
    with pytest.raises(ModelError, match=said) as error:
        read_header(file)
    assert "\n" not in str(error.value) and str(file) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"GG", b"GGUF", b"<html>", b"\x00" * 64])
def test_what_is_no_model_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "no.gguf"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"is not a GGUF file|is damaged or cut short"):
        read_header(file)
    with pytest.raises(ModelError, match="Cannot read"):
        read_header(tmp_path)


def a_header(
    layers: int, heads: int, kv_heads: Any, length: int, block: int, output: int, **more: Any
) -> Header:
    values: dict[str, Any] = {
        "general.architecture": "a",
        "a.block_count": layers,
        "a.context_length": 4096,
        "a.embedding_length": heads * length,
        "a.feed_forward_length": 4 * heads * length,
        "a.attention.head_count": heads,
        "a.attention.head_count_kv": kv_heads,
        **{f"a.{name}": value for name, value in more.items()},
    }
    tensors = {f"blk.{n}.attn_q.weight": block for n in range(layers)}
    return Header(values, {"tokenizer.ggml.tokens": 1000}, {**tensors, "token_embd.weight": output}, 0)


HEADERS = st.builds(
    a_header,
    layers=st.integers(0, 80),
    heads=st.integers(1, 64),
    kv_heads=st.integers(1, 64),
    length=st.sampled_from([32, 64, 128, 256]),
    block=st.integers(0, 1 << 30),
    output=st.integers(0, 1 << 31),
)


@given(
    HEADERS,
    st.integers(0, 1 << 36),
    st.integers(0, 1 << 34),
    st.integers(1, 1 << 15),
    st.integers(0, 1 << 15),
)
def test_more_memory_holds_more_and_a_longer_context_less(
    header: Header, free: int, more: int, context: int, longer: int
) -> None:
    count = layers_that_fit(header, free, context)
    assert 0 <= count <= total_layers(header)
    assert layers_that_fit(header, free + more, context) >= count
    assert layers_that_fit(header, free, context + longer) <= count
    assert sum(layer_bytes(header, context)[:count]) <= free


@given(HEADERS, st.integers(1, 1 << 15))
def test_all_of_it_fits_where_there_is_room_for_all(header: Header, context: int) -> None:
    assert layers_that_fit(header, memory_bytes(header, context) + (1 << 30), context) == total_layers(header)
    assert layers_that_fit(header, 0, context) == 0


def test_the_cache_of_a_known_model() -> None:
    """Qwen3-4B: 36 layers, 8 heads of 128 for keys and for values, in float16: 144 KiB for each token."""
    header = a_header(36, 32, 8, 128, 1, 1, **{"attention.key_length": 128, "attention.value_length": 128})
    assert sum(cache_bytes(header, 1)) == 144 * 1024
    assert sum(cache_bytes(header, 0)) == 4096 * 144 * 1024, "the context that it was trained with"


def test_layers_without_a_cache_take_none() -> None:
    by_list = a_header(4, 8, [0, 0, 0, 2], 64, 1, 1)
    by_interval = a_header(4, 8, 2, 64, 1, 1, full_attention_interval=4)
    assert cache_bytes(by_list, 10) == cache_bytes(by_interval, 10) == [0, 0, 0, 10 * 2 * 128 * 2]
