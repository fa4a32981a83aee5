"""Reads what a GGUF file says of itself: metadata and where its tensors lie. It reads no weights.

The format: ggml's docs/gguf.md, versions 2 and 3, little-endian. Whatever a file claims, only the file
itself is walked through, nothing is allocated by a count that it names, and the only error is `ModelError`.
Names and small values are kept; the long lists of a vocabulary are only counted.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import ModelError

MAGIC = b"GGUF"
MAX_TEXT = 1 << 20  # bytes of one text that is kept: chat templates have some 10,000
MAX_LIST = 4096  # numbers of one list that are kept: lists by layer have some 100
MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 20
MAX_NAME = 1 << 16  # of keys and tensors; the format allows 65,535 and 64 bytes
MAX_DIMENSIONS = 4
MAX_WALKED = (
    1 << 23
)  # texts in all lists together: the longest vocabularies have some 500,000 and as many merges
ALIGNMENT = 32

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9

# type: (weights in a block, bytes of a block), as in ggml.c, type_traits; others are measured by the gaps.
_BLOCK_TABLE = """
    0:1:4 1:1:2 2:32:18 3:32:20 6:32:22 7:32:24 8:32:34 9:32:40 10:256:84 11:256:110 12:256:144 13:256:176
    14:256:210 15:256:292 16:256:66 17:256:74 18:256:98 19:256:50 20:32:18 21:256:110 22:256:82 23:256:136
    24:1:1 25:1:2 26:1:4 27:1:8 28:1:8 29:256:56 30:1:2 34:256:54 35:256:66 39:32:17 40:64:36 41:128:18
"""
BLOCKS = {
    kind: (weights, size)
    for kind, weights, size in (map(int, one.split(":")) for one in _BLOCK_TABLE.split())
}


@dataclass(frozen=True)
class Header:
    """What a file says of itself."""

    values: dict[str, Any]
    """Metadata: numbers, texts and short lists of numbers."""
    lengths: dict[str, int]
    """How long each list is, those that are not kept among them."""
    tensors: dict[str, int]
    """Bytes of each tensor, by its name."""
    end: int
    """Bytes that the file must have."""

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    def number(self, key: str, default: int = 0) -> int:
        """A whole number of the architecture's; the largest of a list; the default where there is none."""
        value = self.values.get(f"{self.architecture}.{key}", default)
        numbers = value if isinstance(value, list) else [value]
        return max((int(one) for one in numbers if isinstance(one, int)), default=default)

    @property
    def layers(self) -> int:
        """Transformer blocks."""
        return self.number("block_count")

    @property
    def context_tokens(self) -> int:
        """Tokens that it was trained with; 0 where it does not say."""
        return self.number("context_length")

    @property
    def vocabulary(self) -> int:
        return self.lengths.get("tokenizer.ggml.tokens", 0) or self.number("vocab_size")


class _Damaged(Exception):
    """What the file says cannot be."""


class _Reader:
    """A place in a file, moved by what is read."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data = data
        self.size = len(data)
        self.at = 0
        self.walked = 0

    def skip(self, count: int) -> int:
        """Move on; where it was. Raises `_Damaged` behind the end."""
        start = self.at
        if count > self.size - start:
            raise _Damaged("it ends within its header")
        self.at = start + count
        return start

    def number(self, kind: int) -> Any:
        code = _NUMBERS.get(kind)
        if code is None:
            raise _Damaged(f"a value has the unknown type {kind}")
        if code == "?":  # struct would take any byte
            return self.data[self.skip(1)] != 0
        return struct.unpack_from(f"<{code}", self.data, self.skip(struct.calcsize(code)))[0]

    def text(self, limit: int) -> str | None:
        """The next text, or None for one that is longer than is kept."""
        length = self.number(10)
        start = self.skip(length)
        if length > limit:
            return None
        return bytes(self.data[start : start + length]).decode("utf-8", "replace")

    def name(self) -> str:
        name = self.text(MAX_NAME)
        if name is None:
            raise _Damaged("a name is too long")
        return name


def read_header(path: Path) -> Header:
    """What a file says of itself. Raises `ModelError` for one that is no GGUF file, damaged or cut short."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ModelError(f"{path} is not a GGUF file: download it again or choose another.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                header, size = parse(data), len(data)
    except _Damaged as error:
        raise ModelError(f"{path} is damaged or cut short ({error}): download it again.") from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}") from error
    if size < header.end:
        missing = (header.end - size) / 1e6
        raise ModelError(f"{path} is cut short: {missing:,.1f} MB are missing; download it again.")
    return header


def parse(data: bytes | mmap.mmap) -> Header:
    """The header at the beginning of a file. Raises `_Damaged`, and nothing else, for any other bytes."""
    reader = _Reader(data)
    if data[reader.skip(4) : reader.at] != MAGIC:
        raise _Damaged("it does not begin as one")
    version = reader.number(4)
    if version not in (2, 3):
        raise _Damaged(f"version {version} is not one of 2 and 3")
    tensor_count, key_count = reader.number(10), reader.number(10)
    if tensor_count > MAX_TENSORS or key_count > MAX_KEYS:
        raise _Damaged(f"{tensor_count} tensors and {key_count} values are too many")
    values: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    for _ in range(key_count):
        _read_value(reader, reader.name(), values, lengths)
    header = Header(values, lengths, *_read_tensors(reader, tensor_count, _alignment(values)))
    if not 0 <= header.layers <= MAX_LIST:
        raise _Damaged(f"it claims {header.layers} layers")
    return header


def _read_value(reader: _Reader, name: str, values: dict[str, Any], lengths: dict[str, int]) -> None:
    kind = reader.number(4)
    if kind == _LIST:
        values[name], lengths[name] = _read_list(reader)
    elif kind == _TEXT:
        values[name] = reader.text(MAX_TEXT)
    else:
        values[name] = reader.number(kind)
    if values[name] is None:
        del values[name]


def _read_list(reader: _Reader) -> tuple[list[Any] | None, int]:
    """The numbers of a short list, or None, and its length."""
    kind, length = reader.number(4), reader.number(10)
    if kind == _TEXT:
        _walk_texts(reader, length)
        return None, length
    code = _NUMBERS.get(kind)
    if code is None:
        raise _Damaged(f"a list has the unknown type {kind}")
    start = reader.skip(length * struct.calcsize(code))
    if length > MAX_LIST:
        return None, length
    if code == "?":
        return [byte != 0 for byte in reader.data[start : start + length]], length
    return list(struct.unpack_from(f"<{length}{code}", reader.data, start)), length


def _walk_texts(reader: _Reader, count: int) -> None:
    """Move behind the texts of a list. Written out, as vocabularies have hundreds of thousands."""
    reader.walked += count
    if reader.walked > MAX_WALKED:
        raise _Damaged(f"lists of {reader.walked} texts are too long")
    data, at, last = reader.data, reader.at, reader.size - 8
    length_at = struct.Struct("<Q").unpack_from
    for _ in range(count):
        if at > last:
            raise _Damaged("it ends within its header")
        at += 8 + length_at(data, at)[0]
    reader.at = at
    if at > reader.size:
        raise _Damaged("it ends within its header")


def _alignment(values: dict[str, Any]) -> int:
    found = values.get("general.alignment", ALIGNMENT)
    if not isinstance(found, int) or not 1 <= found <= 1 << 20:
        raise _Damaged(f"its tensors cannot be aligned to {found!r}")
    return int(found)


def _read_tensors(reader: _Reader, count: int, alignment: int) -> tuple[dict[str, int], int]:
    """Bytes of each tensor, and where the last one ends."""
    found: list[tuple[int, str, int]] = []  # offset, name, bytes or -1
    for _ in range(count):
        name, dimensions = reader.name(), reader.number(4)
        if dimensions > MAX_DIMENSIONS:
            raise _Damaged(f"a tensor has {dimensions} dimensions")
        weights = 1
        for _ in range(dimensions):
            weights *= reader.number(10)
        kind, offset = reader.number(4), reader.number(10)
        block, size = BLOCKS.get(kind, (0, 0))
        found.append((offset, name, -(-weights // block) * size if block else -1))
    start = -(-reader.at // alignment) * alignment if count else reader.at
    found.sort()
    nexts = [*(offset for offset, _, _ in found[1:]), max(reader.size - start, 0)][: len(found)]
    tensors = {
        name: size if size >= 0 else max(after - offset, 0)
        for (offset, name, size), after in zip(found, nexts, strict=True)
    }
    end = max((start + offset + max(size, 0) for offset, _, size in found), default=start)
    return tensors, end
