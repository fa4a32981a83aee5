"""Load JSON (.json, .jsonl, .ndjson): a line for each value, "key > sub: value", and a block for each record.

Records, the objects of a list, come under a heading from their title, name or the like. Exported chats are
read as chats. Empty values, long rows of numbers and encoded files are left out. JSON with comments and
other JSON that does not parse is read as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from retrieval.load.chats import chats_of_json, write_chat
from retrieval.load.draft import Draft, clean
from retrieval.load.source import LoadError, Source, label_of
from retrieval.load.text import decode, load_text

JSON_BYTES = 64_000_000  # of one value; parsing takes about ten times that of memory
DEEPEST = 60
NUMBERS = 30  # of a row of numbers
ROW_CHARS = 300  # a list of short values up to this length stands on one line
SHORT = 60  # characters of a value in such a row
NAMES = (
    "title",
    "name",
    "label",
    "subject",
    "headline",
    "summary",
    "标题",
    "標題",
    "名称",
    "名稱",
    "姓名",
    "题目",
    "題目",
)
IDS = ("id", "_id", "key", "slug", "doc_id", "uuid", "编号", "編號")

_ENCODED = re.compile(r"(?:data:[^,]{1,80},)?[A-Za-z0-9+/_=-]{400,}")


def load_json(data: bytes, path: Path) -> Source:
    """A JSON file as a Source. Raises LoadError where it is too large, too deep or holds no text."""
    if len(data) > JSON_BYTES:
        raise LoadError(
            f"too large for JSON: {len(data) / 1e6:.1f} MB (the limit is {JSON_BYTES / 1e6:.1f} MB)"
        )
    text, encoding = decode(data)
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise LoadError("JSON that is nested too deeply") from error
    except ValueError:
        return _as_text(data, path)
    return _chat(value, path, encoding) or _written(value, path, encoding)


def load_json_lines(data: bytes, path: Path) -> Source:
    """A file with a JSON value on each line as a Source. Raises LoadError where none can be read."""
    text, encoding = decode(data)
    first = _sample(text)
    if first and any(True for _ in chats_of_json(first)):
        values = [value for _, value in _values(text, [])]
        if chat := _chat(values, path, encoding):
            return chat
    draft = Draft()
    broken: list[int] = []
    for line, value in _values(text, broken):
        if draft.full:
            break
        draft.gap()
        _write(draft, value, (), 1, line, record=isinstance(value, dict))
    if broken and not draft.marks and not draft.lines:
        return _as_text(data, path)
    if broken:
        draft.notes.append(f"{len(broken)} lines are not JSON and were left out")
    return draft.source(path.stem, "json", encoding, empty="no text in this JSON")


def _sample(text: str) -> list[Any]:
    lines = (line for line in text[:200_000].split("\n")[:50] if line.strip())
    return [value for _, value in _values("\n".join(lines), [])]


def _values(text: str, broken: list[int]) -> Iterator[tuple[int, Any]]:
    """(line of the file, value) for each line that is JSON; the numbers of the others go to `broken`."""
    start = 0
    number = 0
    while start < len(text):
        number += 1
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line, start = text[start:end], end + 1
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                broken.append(number)


def _as_text(data: bytes, path: Path) -> Source:
    source = load_text(data, path)
    return replace(source, title=path.stem, notes=(*source.notes, "not valid JSON: read as text"))


def _chat(value: Any, path: Path, encoding: str) -> Source | None:
    chats = list(chats_of_json(value))
    if not chats:
        return None
    name = chats[0][0] if len(chats) == 1 else ""
    messages = chain.from_iterable(messages for _, messages in chats)
    try:
        chat = write_chat(messages, name or path.stem, (), encoding)
    except LoadError:
        return None
    return replace(chat, lines=())


def _written(value: Any, path: Path, encoding: str) -> Source:
    draft = Draft()
    _write(draft, value, (), 0, None, record=False)
    title = (
        next((value[key] for key in NAMES if isinstance(value.get(key), str)), "")
        if isinstance(value, dict)
        else ""
    )
    return draft.source(label_of(title) or path.stem, "json", encoding, empty="no text in this JSON")


def _write(
    draft: Draft, value: Any, keys: tuple[str, ...], level: int, line: int | None, *, record: bool
) -> None:
    """Append a value found under `keys`, counted from the record that holds it, `level` records deep."""
    if draft.full:
        return
    if level + len(keys) > DEEPEST:
        draft.notes.append("what is nested too deeply was left out")
    elif isinstance(value, dict):
        _write_object(draft, value, keys, level, line, record=record)
    elif isinstance(value, list):
        _write_list(draft, value, keys, level, line)
    elif shown := _shown(value, draft):
        path = " > ".join(keys)
        draft.add(f"{path}: {shown}" if path else shown, line)


def _write_object(
    draft: Draft, value: dict[str, Any], keys: tuple[str, ...], level: int, line: int | None, *, record: bool
) -> None:
    name = _name(value, level) if record else ""
    first = draft.pieces
    fields = sorted(value.items(), key=lambda item: _rank(item, name, value))
    for key, inner in fields:
        label = label_of(clean(str(key)))
        nested = isinstance(inner, dict | list) and bool(inner)
        if level == 0 and not keys and nested:  # the parts of one big object
            draft.gap()
            piece = draft.pieces
            _write(draft, inner, (label,), 1, line, record=False)
            draft.head(piece, label, 1)
            draft.gap()
            continue
        _write(draft, inner, (*keys, label), level, line, record=False)
    draft.head(first, name, level)


def _rank(item: tuple[str, Any], name: str, value: dict[str, Any]) -> int:
    """What names a record comes first, then its plain values, then what is nested in it."""
    key, inner = item
    if (
        name
        and key in (*NAMES, *IDS)
        and isinstance(inner, str | int)
        and label_of(clean(str(inner))) == name
    ):
        return 0
    if isinstance(inner, dict) or (isinstance(inner, list) and _row(inner) is None):
        return 3
    return 2 if key in IDS else 1


def _name(value: dict[str, Any], level: int) -> str:
    """What to call a record; ids name only those that are not within another."""
    for key in (*NAMES, *(IDS if level <= 2 else ())):
        found = value.get(key)
        if isinstance(found, str | int) and not isinstance(found, bool) and label_of(clean(str(found))):
            return label_of(clean(str(found)))
    return ""


def _write_list(draft: Draft, value: list[Any], keys: tuple[str, ...], level: int, line: int | None) -> None:
    row = _row(value)
    if row is not None:
        _write(draft, row, keys, level, line, record=False)
        return
    for inner in value:
        if isinstance(inner, dict) and level and (told := _told(inner)):
            _write(draft, told, keys, level + 1, line, record=False)
        elif isinstance(inner, dict):
            draft.gap()
            # Deep in an object the last key says what its records are; a list of records says it itself.
            _write(draft, inner, keys[-1:] if len(keys) > 1 else (), level + 1, line, record=True)
            draft.gap()
        else:
            _write(draft, inner, keys, level + isinstance(inner, list), line, record=False)
        if draft.full:
            return


def _told(value: dict[str, Any]) -> str:
    """A small record within another as one line, "text: 308, start: 10"; "" where it is not small."""
    if len(value) > 4 or any(isinstance(inner, dict | list) for inner in value.values()):
        return ""
    shown = [f"{key}: {inner}" for key, inner in value.items() if inner is not None]
    told = clean(", ".join(shown))
    return told if len(told) <= ROW_CHARS and "\n" not in told else ""


def _row(value: list[Any]) -> str | None:
    """A list of numbers or of short values as one line; None where it is no such list."""
    if value and all(isinstance(one, int | float) for one in value):
        shown = ", ".join(_number(one) for one in value[:NUMBERS])
        return shown + (f", … ({len(value)} numbers)" if len(value) > NUMBERS else "")
    if all(isinstance(one, str) and len(one) <= SHORT and "\n" not in one for one in value):
        shown = ", ".join(one for one in value if one.strip())
        return shown if len(shown) <= ROW_CHARS else None
    return None


def _number(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)[:40]


def _shown(value: Any, draft: Draft) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return _number(value)
    text = str(value).strip()
    if _ENCODED.fullmatch(text):
        draft.notes.append("encoded data were left out")
        return ""
    return clean(text)
