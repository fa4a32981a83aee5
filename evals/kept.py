"""Rows of a measurement that was cut short, so that the same command goes on from there.

JSON lines: first the hash of what is measured, then one line for each row, with its part, corpus and id.
Lines are only ever added; the last one may be torn by whatever ended the program, and is dropped then. It
knows nothing of what the rows say, and keeps no lock: two programs must not write to one file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, TypeVar

Row = dict[str, Any]
Key = tuple[str, str, str]
"""Part, corpus and id of a row."""
T = TypeVar("T")


class Kept:
    """The rows that are there already, in a file or, without one, only here."""

    def __init__(self, file: Path | None = None, sha: str = "") -> None:
        """`sha`: of what is measured. A file with another one is begun afresh; `note` says so."""
        self.file = file
        self.note = ""
        self._rows: dict[Key, Row] = {}
        self._out: IO[bytes] | None = None
        if file:
            begun = self._read(file, sha) if file.exists() else False
            self._out = file.open("ab" if begun else "wb")
            if not begun:
                self._write({"hash": sha})

    def __len__(self) -> int:
        return len(self._rows)

    def _read(self, file: Path, sha: str) -> bool:
        """Take over what a file has; whether it is of the same measurement."""
        data = file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        first, *lines = whole.split(b"\n")[:-1] or [b"{}"]
        try:
            if json.loads(first) != {"hash": sha}:
                self.note = f"{file} is of other data, settings or code: begun afresh"
                return False
            read = [json.loads(line) for line in lines]
            self._rows = {tuple(one["key"]): one["row"] for one in read}
        except (ValueError, KeyError, TypeError):
            self.note = f"{file} is damaged: begun afresh"
            return False
        if len(whole) < len(data):
            with file.open("r+b") as out:
                out.truncate(len(whole))
        self.note = f"going on from {file}: {len(self)} rows are done"
        return True

    def _write(self, line: dict[str, Any]) -> None:
        if self._out:
            self._out.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._out.flush()

    def rows(
        self,
        part: str,
        corpus: str,
        items: Sequence[T],
        name: Callable[[T], str],
        opened: Callable[[], AbstractContextManager[Callable[[T], Row]]],
    ) -> list[Row]:
        """The row of each item, in order: the one that is there, else what the `opened` function makes of it.

        It is opened only where a row is missing. `name`: an item's id, its own within the part and corpus.
        """
        keys = [(part, corpus, name(one)) for one in items]
        todo = [(key, one) for key, one in zip(keys, items, strict=True) if key not in self._rows]
        if todo:
            with opened() as work:
                for n, (key, one) in enumerate(todo, 1):
                    row = json.loads(json.dumps(work(one)))  # as it would be read again
                    self._rows[key] = row
                    self._write({"key": key, "row": row})
                    _tell(f"{part} {corpus} {n + len(items) - len(todo)}/{len(items)}")
            _tell("")
        return [self._rows[key] for key in keys]

    def whole(self, part: str, corpus: str, make: Callable[[], Sequence[Any]]) -> Sequence[Any]:
        """What a part makes of a corpus where its rows cannot be had one by one: all of it, or nothing."""
        made = self.rows(part, corpus, [part], str, lambda: nullcontext(lambda _: {"made": make()}))
        found: Sequence[Any] = made[0]["made"]
        return found

    def close(self, *, done: bool) -> None:
        """`done`: the rows stand elsewhere, and the file goes."""
        if self._out:
            self._out.close()
        if self.file and (done or not self._rows):
            self.file.unlink(missing_ok=True)


def _tell(line: str) -> None:
    """How far it is, on one line of a terminal, which is overwritten."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
