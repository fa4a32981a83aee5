"""Checkpoints of unfinished runs in the library's own file, for LangGraph: one thread per run.

Values are serialised by LangGraph, strictly: plain data and its own few types come back, nothing is ever
pickled, and no class that a file names is imported. What cannot be written is left out, as a busy library
must not cost an answer. It does not prune: a run's checkpoints go when it settles.
"""

from __future__ import annotations

import builtins
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from retrieval.store import Store, StoreError


class Checkpoints(BaseCheckpointSaver[int]):
    """A LangGraph checkpointer over a library's store.

    `every_write`: whether to keep what each task wrote before the checkpoint that holds it. Without, a run
    that is killed within a step begins that step again, and there is one transaction less for every task.
    """

    def __init__(self, store: Store, *, every_write: bool = True) -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._store, self._every_write = store, every_write

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The checkpoint that the config names, else the latest of its thread."""
        thread_id, space = _place(config)
        wanted = get_checkpoint_id(config)
        rows = self._store.checkpoints(thread_id, space)
        return next((self._tuple(row) for row in rows if wanted in (None, row["id"])), None)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """The checkpoints of a thread, or of all, newest first; `filter` is over their metadata."""
        asked = config["configurable"] if config else {}
        wanted = get_checkpoint_id(config) if config else None
        until = get_checkpoint_id(before) if before else None
        given = 0
        for row in self._store.checkpoints(asked.get("thread_id"), asked.get("checkpoint_ns")):
            if (wanted and row["id"] != wanted) or (until and row["id"] >= until):
                continue
            found = self._tuple(row)
            metadata: dict[str, Any] = {**found.metadata}
            if any(metadata.get(key) != value for key, value in (filter or {}).items()):
                continue
            if limit is not None and given >= limit:
                return
            given += 1
            yield found

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        thread_id, space = _place(config)
        parent = config["configurable"].get("checkpoint_id")
        kept = self.serde.dumps_typed(checkpoint)
        about = self.serde.dumps_typed(get_checkpoint_metadata(config, metadata))
        with suppress(StoreError):
            self._store.put_checkpoint((thread_id, space, checkpoint["id"], parent, *kept, *about))
        return _config(thread_id, space, checkpoint["id"])

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        thread_id, space = _place(config)
        at = (thread_id, space, config["configurable"]["checkpoint_id"], task_id)
        rows = [
            (*at, WRITES_IDX_MAP.get(channel, n), task_path, channel, *self.serde.dumps_typed(value))
            for n, (channel, value) in enumerate(writes)
            if self._every_write or channel in WRITES_IDX_MAP  # such as an interrupt
        ]
        if not rows:
            return
        with suppress(StoreError):
            self._store.put_checkpoint_writes(rows)

    def delete_thread(self, thread_id: str) -> None:
        self._store.delete_checkpoints(thread_id)

    # The graph may be driven asynchronously too; each step is a short transaction.

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return self.get_tuple(config)

    async def alist(self, config: RunnableConfig | None, **chosen: Any) -> AsyncIterator[CheckpointTuple]:
        for found in self.list(config, **chosen):
            yield found

    async def aput(self, *given: Any) -> RunnableConfig:
        return self.put(*given)

    async def aput_writes(self, *given: Any) -> None:
        self.put_writes(*given)

    async def adelete_thread(self, thread_id: str) -> None:
        self.delete_thread(thread_id)

    def _tuple(self, row: sqlite3.Row) -> CheckpointTuple:
        at = (row["run_id"], row["space"])
        writes: builtins.list[tuple[str, str, Any]] = [
            (one["task_id"], one["channel"], self.serde.loads_typed((one["kind"], one["value"])))
            for one in self._store.checkpoint_writes(*at, row["id"])
        ]
        return CheckpointTuple(
            config=_config(*at, row["id"]),
            checkpoint=self.serde.loads_typed((row["kind"], row["checkpoint"])),
            metadata=self.serde.loads_typed((row["metadata_kind"], row["metadata"])),
            parent_config=_config(*at, row["parent"]) if row["parent"] else None,
            pending_writes=writes,
        )


def _place(config: RunnableConfig) -> tuple[str, str]:
    asked = config["configurable"]
    return str(asked["thread_id"]), asked.get("checkpoint_ns", "")


def _config(thread_id: str, space: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": space, "checkpoint_id": checkpoint_id}}
