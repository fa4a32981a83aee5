"""LangGraph's face of a library's file: `ToulminStore`, a `BaseStore` whose items are JSON in SQLite.

Semantic search embeds the fields that `index` names and compares with every vector below the namespace, which
is exact and takes milliseconds for some ten thousand items. Times to live are in minutes, as LangGraph has
them. Items are not documents: `agent ask` never finds them. Nothing is pickled.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    ensure_embeddings,
    get_text_at_path,
    validate_op_namespace,
)

from retrieval.database import Database
from retrieval.embed import Embedder
from retrieval.langchain import ToulminEmbeddings

Key = tuple[tuple[str, ...], str]
WHOLE = "$"  # the field that is the whole item, as JSON


@dataclass
class _Embedded:
    """What a batch needs of an embedder: one vector for each query and each text to be stored."""

    queries: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    vectors: dict[str, bytes] = field(default_factory=dict)
    """Of unit length, by text; a query's key has a NUL in front."""


class _Items(Database):
    """The library's file, opened for its items alone."""

    write = Database._write

    @property
    def db(self) -> Any:
        return self._db


class ToulminStore(BaseStore):
    """A LangGraph store in one SQLite file, usable from several threads and processes.

    `index`: LangGraph's `IndexConfig`; its `embed` may be an embedder of ours, and `dims` may be left out.
    `ttl`: `TTLConfig`; with `sweep_interval_minutes` the first batch after so long deletes what has expired,
    and without it nothing is deleted before `sweep_ttl`. Reads of a batch see what was there before it.
    """

    supports_ttl = True

    def __init__(self, file: Path | str, *, index: Any | None = None, ttl: TTLConfig | None = None) -> None:
        """`file`: a library's `library.sqlite`, or a file of its own; made where there is none.

        Raises `StoreError` when the file cannot be used.
        """
        self._items = _Items(Path(file))
        self.ttl_config = ttl
        self.index_config: IndexConfig | None = index
        self.embeddings: Embeddings | None = _embeddings(index["embed"]) if index else None
        self._swept_s = 0.0

    def close(self) -> None:
        self._items.close()

    def __enter__(self) -> ToulminStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        ops = list(ops)
        needed = self._needed(ops)
        if self.embeddings and needed.texts:
            self._embedded(needed, self.embeddings.embed_documents(needed.texts), "")
        if self.embeddings and needed.queries:
            rows = [self.embeddings.embed_query(query) for query in needed.queries]
            self._embedded(needed, rows, "\0")
        return self._apply(ops, needed)

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        ops = list(ops)
        needed = self._needed(ops)
        if self.embeddings and needed.texts:
            self._embedded(needed, await self.embeddings.aembed_documents(needed.texts), "")
        if self.embeddings and needed.queries:
            rows = await asyncio.gather(*(self.embeddings.aembed_query(query) for query in needed.queries))
            self._embedded(needed, rows, "\0")
        return await asyncio.to_thread(self._apply, ops, needed)

    def sweep_ttl(self) -> int:
        """Delete what has expired; how many items that were."""
        self._swept_s = time.time()
        with self._items.write() as db:
            return int(db.execute("DELETE FROM items WHERE expires_s < ?", (self._swept_s,)).rowcount)

    # --- before: what must be embedded ------------------------------------------------------------------

    def _needed(self, ops: Sequence[Op]) -> _Embedded:
        """Checks every operation as well, so that a wrong one leaves no half of a batch behind."""
        for op in ops:
            if not isinstance(op, GetOp | SearchOp | ListNamespacesOp | PutOp):
                raise ValueError(f"unknown operation: {type(op).__name__}")
            validate_op_namespace(op)
        if self.embeddings is None:
            return _Embedded()
        queries = [op.query for op in ops if isinstance(op, SearchOp) and op.query]
        texts = [text for op in _last_puts(ops).values() for _, text in self._fields(op)]
        return _Embedded(list(dict.fromkeys(queries)), list(dict.fromkeys(texts)))

    def _fields(self, op: PutOp) -> list[tuple[str, str]]:
        """(field, text) of what an item is found by."""
        if self.index_config is None or op.value is None or op.index is False:
            return []
        paths = (self.index_config.get("fields") or [WHOLE]) if op.index is None else op.index
        value = dict(op.value)
        return [
            (f"{path}.{n}", text)
            for path in paths
            for n, text in enumerate(get_text_at_path(value, path))
            if text
        ]

    def _embedded(self, needed: _Embedded, rows: Sequence[Sequence[float]], mark: str) -> None:
        texts = needed.queries if mark else needed.texts
        for text, row in zip(texts, rows, strict=True):
            vector = np.asarray(row, dtype=np.float32)
            norm = float(np.linalg.norm(vector))
            needed.vectors[mark + text] = (vector / norm if norm else vector).tobytes()

    # --- what reads and writes --------------------------------------------------------------------------

    def _apply(self, ops: Sequence[Op], embedded: _Embedded) -> list[Result]:
        interval = (self.ttl_config or {}).get("sweep_interval_minutes")
        if interval and time.time() - self._swept_s > 60 * interval:
            self.sweep_ttl()
        results: list[Result] = []
        for op in ops:
            if isinstance(op, GetOp):
                results.append(self._get(op))
            elif isinstance(op, SearchOp):
                results.append(self._search(op, embedded))
            elif isinstance(op, ListNamespacesOp):
                results.append(self._list(op))
            else:
                results.append(None)
        if puts := _last_puts(ops):
            with self._items.write():
                for put in puts.values():
                    self._put(put, embedded)
        return results

    def _put(self, op: PutOp, embedded: _Embedded) -> None:
        db, place, now_s = self._items.db, (_joined(op.namespace), op.key), time.time()
        if op.value is None:
            db.execute("DELETE FROM items WHERE namespace = ? AND key = ?", place)
            return
        expires_s = None if op.ttl is None else now_s + 60 * op.ttl
        row = db.execute(
            "INSERT INTO items (namespace, key, value, created_s, updated_s, ttl_minutes, expires_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value,"
            " updated_s = excluded.updated_s, ttl_minutes = excluded.ttl_minutes,"
            " expires_s = excluded.expires_s RETURNING id",
            (*place, json.dumps(dict(op.value)), now_s, now_s, op.ttl, expires_s),
        ).fetchone()
        db.execute("DELETE FROM item_vectors WHERE item_id = ?", (row["id"],))
        db.executemany(
            "INSERT INTO item_vectors VALUES (?, ?, ?)",
            [(row["id"], name, embedded.vectors[text]) for name, text in self._fields(op)],
        )

    def _get(self, op: GetOp) -> Item | None:
        row = self._items.db.execute(
            f"SELECT * FROM items WHERE namespace = ? AND key = ? AND {self._living()}",
            (_joined(op.namespace), op.key),
        ).fetchone()
        if row is None:
            return None
        self._refresh([row], op.refresh_ttl)
        return Item(**_item(row))

    def _search(self, op: SearchOp, embedded: _Embedded) -> list[SearchItem]:
        rows = self._items.db.execute(
            f"SELECT * FROM items WHERE {_BELOW} AND {self._living()} ORDER BY id",
            _below(op.namespace_prefix),
        ).fetchall()
        rows = [row for row in rows if matches(json.loads(row["value"]), op.filter or {})]
        scores: dict[int, float] = {}
        query = embedded.vectors.get(f"\0{op.query}") if op.query else None
        if query is not None:
            scores = self._scores(query, op.namespace_prefix)
            # Items without a vector come last, in the order in which they were made.
            rows.sort(key=lambda row: -scores.get(row["id"], -2.0))
        rows = rows[op.offset : op.offset + op.limit]
        self._refresh(rows, op.refresh_ttl)
        return [SearchItem(**_item(row), score=scores.get(row["id"])) for row in rows]

    def _scores(self, query: bytes, prefix: tuple[str, ...]) -> dict[int, float]:
        """The best cosine of each item below a namespace."""
        rows = self._items.db.execute(
            "SELECT v.item_id, v.vector FROM item_vectors v JOIN items i ON i.id = v.item_id"
            f" WHERE {_BELOW} AND length(v.vector) = ?",
            (*_below(prefix), len(query)),
        ).fetchall()
        wanted = np.frombuffer(query, np.float32)
        vectors = np.frombuffer(b"".join(row["vector"] for row in rows), np.float32)
        cosines = vectors.reshape(-1, len(wanted)) @ wanted
        best: dict[int, float] = {}
        for row, cosine in zip(rows, cosines, strict=True):
            best[row["item_id"]] = max(float(cosine), best.get(row["item_id"], -1.0))
        return best

    def _list(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        rows = self._items.db.execute(f"SELECT DISTINCT namespace FROM items WHERE {self._living()}")
        found = {tuple(row["namespace"].split(".")[:-1]) for row in rows}
        wanted = {one for one in found if all(fits(one, c) for c in op.match_conditions or ())}
        cut = sorted({one[: op.max_depth] for one in wanted})
        return cut[op.offset : op.offset + op.limit]

    def _living(self) -> str:
        if not (self.ttl_config or {}).get("omit_expired"):
            return "TRUE"
        return f"(expires_s IS NULL OR expires_s >= {time.time()!r})"

    def _refresh(self, rows: Sequence[Any], wanted: bool) -> None:
        """What was read lives on for as long again."""
        timed = [row for row in rows if row["ttl_minutes"] is not None]
        if not wanted or not timed:
            return
        now_s = time.time()
        with self._items.write() as db:
            db.executemany(
                "UPDATE items SET expires_s = ? WHERE id = ?",
                [(now_s + 60 * row["ttl_minutes"], row["id"]) for row in timed],
            )


def _embeddings(embed: Any) -> Embeddings:
    """LangGraph's own choice among embeddings, functions and names; and an embedder of ours."""
    if hasattr(embed, "embed_queries") and not isinstance(embed, Embeddings):
        return ToulminEmbeddings(cast(Embedder, embed))
    return ensure_embeddings(embed)


def _last_puts(ops: Sequence[Op]) -> dict[Key, PutOp]:
    """Of several writes to one item the last one counts."""
    return {(op.namespace, op.key): op for op in ops if isinstance(op, PutOp)}


def _joined(namespace: tuple[str, ...]) -> str:
    # No label has a full stop, so that one namespace begins with another as text exactly when it lies below.
    return "".join(f"{label}." for label in namespace)


_BELOW = "namespace >= ? AND namespace < ?"


def _below(prefix: tuple[str, ...]) -> tuple[str, str]:
    text = _joined(prefix)
    return text, f"{text[:-1]}/" if text else "\U0010ffff"  # "/" is the character after "."


def _item(row: Any) -> dict[str, Any]:
    return {
        "namespace": tuple(row["namespace"].split(".")[:-1]),
        "key": row["key"],
        "value": json.loads(row["value"]),
        "created_at": datetime.fromtimestamp(row["created_s"], UTC),
        "updated_at": datetime.fromtimestamp(row["updated_s"], UTC),
    }


def fits(namespace: tuple[str, ...], condition: MatchCondition) -> bool:
    """Whether a namespace begins, or ends, as a condition says; "*" stands for any one label."""
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    if condition.match_type not in ("prefix", "suffix"):
        raise ValueError(f"unknown match type: {condition.match_type!r}")
    part = (
        namespace[: len(path)]
        if condition.match_type == "prefix"
        else namespace[len(namespace) - len(path) :]
    )
    return all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))


def matches(value: Any, wanted: Any) -> bool:
    """Whether a value is as a filter says: equal, or within its operators; dictionaries field by field.

    Raises `ValueError` for an unknown operator.
    """
    if isinstance(wanted, Mapping):
        if any(str(key).startswith("$") for key in wanted):
            return all(_holds(value, operator, operand) for operator, operand in wanted.items())
        return isinstance(value, Mapping) and all(matches(value.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list | tuple):
        same = isinstance(value, list | tuple) and len(value) == len(wanted)
        return same and all(matches(one, other) for one, other in zip(value, wanted, strict=True))
    return bool(value == wanted)


def _holds(value: Any, operator: str, operand: Any) -> bool:
    if operator in ("$eq", "$ne"):
        return bool((value == operand) == (operator == "$eq"))
    if operator not in ("$gt", "$gte", "$lt", "$lte"):
        raise ValueError(f"unknown operator in a filter: {operator}")
    pair = _comparable(value, operand)
    if pair is None:
        return False
    left, right = pair
    if operator.endswith("e") and left == right:
        return True
    return bool(left > right if operator.startswith("$gt") else left < right)


def _comparable(left: Any, right: Any) -> tuple[Any, Any] | None:
    """Both as numbers where both are, or both as texts (dates, above all); None where there is no order."""
    try:
        return float(left), float(right)
    except (TypeError, ValueError):
        return (left, right) if isinstance(left, str) and isinstance(right, str) else None
