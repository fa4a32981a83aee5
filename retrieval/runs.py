"""The runs in the library's file, and the checkpoints of those that are unfinished.

It neither serialises a checkpoint nor resumes a run.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from retrieval.database import Database, StoreError

UNFINISHED = "unfinished"  # outcome of a run that may be resumed


class Runs(Database):
    """The runs, by id and by time, and their checkpoints."""

    def put_run(
        self,
        run_id: str,
        thread: str,
        question: str,
        outcome: str,
        payload: dict[str, Any],
        created_s: float | None = None,
    ) -> None:
        """Record a run of now, in place of what is known of it. The checkpoints of a finished one go."""
        at_s = time.time() if created_s is None else created_s
        with self._write() as db:
            if outcome != UNFINISHED:
                _delete_checkpoints(db, run_id)
            db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, thread, question, outcome, at_s, json.dumps(payload, ensure_ascii=False)),
            )

    def run(self, run_id: str | None = None) -> dict[str, Any] | None:
        """A recorded run by its id or the start of it; the latest without one.

        Raises `StoreError` when several runs start so.
        """
        rows = self._db.execute(
            "SELECT id, thread, question, outcome, created_s, payload FROM runs"
            " WHERE id >= ? AND id < ? ORDER BY id = ? DESC, created_s DESC LIMIT 2",
            (run_id or "", (run_id or "") + "\U0010ffff", run_id),
        ).fetchall()
        if run_id and len(rows) > 1 and rows[0]["id"] != run_id:
            raise StoreError(f"several runs start with {run_id!r}: give more of the id")
        chosen = rows[0] if rows else None
        return {**dict(chosen), "payload": json.loads(chosen["payload"])} if chosen else None

    def drop_run(self, run_id: str) -> None:
        """Forget a run with its checkpoints."""
        with self._write() as db:
            db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
            _delete_checkpoints(db, run_id)

    def drop_unfinished(self, before_s: float) -> None:
        """Forget the unfinished runs that nobody has worked on since a time."""
        rows = self._db.execute(
            "SELECT id FROM runs WHERE outcome = ? AND created_s < ?", (UNFINISHED, before_s)
        ).fetchall()
        for row in rows:
            self.drop_run(row["id"])

    def prune_runs(self, before_s: float) -> int:
        """Forget the finished runs before a time, but for those that a record rests on; how many."""
        with self._write() as db:
            return db.execute(  # the list is made once; an EXISTS reads all records for each run
                "DELETE FROM runs WHERE created_s < ? AND outcome <> ? AND id NOT IN"
                " (SELECT coalesce(json_extract(payload, '$.run_id'), '') FROM records)",
                (before_s, UNFINISHED),
            ).rowcount

    def runs_holding(self, text: str) -> list[str]:
        """Ids of the runs in whose question, record or checkpoints a text stands."""
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        rows = self._db.execute(
            "SELECT id FROM runs WHERE instr(question, ?1) OR instr(payload, ?2)"
            " UNION SELECT run_id FROM checkpoints"
            " WHERE instr(checkpoint, CAST(?1 AS BLOB)) OR instr(metadata, CAST(?1 AS BLOB))"
            " UNION SELECT run_id FROM checkpoint_writes WHERE instr(value, CAST(?1 AS BLOB))",
            (text, written),
        )
        return [row[0] for row in rows]

    def run_ids(self, thread: str | None = None) -> list[str]:
        """Ids of all runs, those too of which there is a checkpoint alone; or of the runs of a thread."""
        if thread is not None:
            rows = self._db.execute("SELECT id FROM runs WHERE thread = ?", (thread,))
        else:
            rows = self._db.execute(
                "SELECT id FROM runs UNION SELECT run_id FROM checkpoints"
                " UNION SELECT run_id FROM checkpoint_writes"
            )
        return [row[0] for row in rows]

    def runs(self, limit: int) -> list[dict[str, Any]]:
        """The latest runs, newest first, without their payload."""
        rows = self._db.execute(
            "SELECT id, thread, question, outcome, created_s FROM runs ORDER BY created_s DESC LIMIT ?",
            (limit,),
        )
        return [dict(row) for row in rows]

    def put_checkpoint(self, row: Sequence[Any]) -> None:
        """Keep a checkpoint: the values of its columns, in their order."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def checkpoints(self, run_id: str | None, space: str | None = None) -> list[sqlite3.Row]:
        """The checkpoints of a run, or of all, newest first."""
        return self._db.execute(
            "SELECT * FROM checkpoints WHERE (?1 IS NULL OR run_id = ?1) AND (?2 IS NULL OR space = ?2)"
            " ORDER BY run_id, space, id DESC",
            (run_id, space),
        ).fetchall()

    def put_checkpoint_writes(self, rows: Sequence[Sequence[Any]]) -> None:
        """Keep what a task wrote. A place below 0 is written anew, another keeps what it holds."""
        with self._write() as db:
            for row in rows:
                verb = "REPLACE" if row[4] < 0 else "IGNORE"
                db.execute(f"INSERT OR {verb} INTO checkpoint_writes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def checkpoint_writes(self, run_id: str, space: str, checkpoint_id: str) -> list[sqlite3.Row]:
        """What tasks wrote after a checkpoint, in the order in which it is applied."""
        return self._db.execute(
            "SELECT * FROM checkpoint_writes WHERE run_id = ? AND space = ? AND checkpoint_id = ?"
            " ORDER BY task_path, task_id, place",
            (run_id, space, checkpoint_id),
        ).fetchall()

    def delete_checkpoints(self, run_id: str) -> None:
        with self._write() as db:
            _delete_checkpoints(db, run_id)


def _delete_checkpoints(db: sqlite3.Connection, run_id: str) -> None:
    db.execute("DELETE FROM checkpoints WHERE run_id = ?", (run_id,))
    db.execute("DELETE FROM checkpoint_writes WHERE run_id = ?", (run_id,))
