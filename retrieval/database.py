"""The library's SQLite file: its connections, its transactions, its version and its settings.

One file in WAL mode: many readers and one writer, also across processes. It knows no documents, records or
runs.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retrieval.schema import SCHEMA_VERSION, VERSIONS

BUSY_TIMEOUT_S = 30.0
DAMAGED = "`agent doctor` says what can be saved"


class StoreError(Exception):
    """The library's file cannot be used; the message says why and what to do."""


class Database:
    """One library file. Safe to use from several threads: each has a connection of its own."""

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        """Open the library file, or make it. One that cannot be written is opened for reading only.

        Raises `StoreError` when the file is not a library, is damaged, or is of a newer version.
        """
        self.file = file
        self.read_only = read_only or (file.exists() and not _is_writable(file))
        self._local = threading.local()
        self._connections: dict[threading.Thread, sqlite3.Connection] = {}
        self._guard = threading.Lock()
        try:
            if read_only and not file.exists():
                raise StoreError(f"no library to read at {file.parent}: unset AGENT_READ_ONLY to make one")
            file.parent.mkdir(parents=True, exist_ok=True)
            self._migrate()
        except OSError as error:
            raise StoreError(f"the library folder {file.parent} cannot be made: {error.strerror}") from error
        except StoreError:
            self.close()
            raise
        except sqlite3.DatabaseError as error:
            self.close()
            if "locked" in str(error):
                raise StoreError("another process is busy with the library: try again") from error
            raise StoreError(
                f"the library {file} cannot be opened ({error}): restore a copy of it, or move it away "
                f"and add your files again; {DAMAGED}"
            ) from error

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()

    @property
    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            self._close_those_of_ended_threads()
        return connection

    def _close_those_of_ended_threads(self) -> None:
        """A long-lived library is asked from many short threads, and each left a connection behind."""
        with self._guard:
            ended = [thread for thread in self._connections if not thread.is_alive()]
            for thread in ended:
                self._connections.pop(thread).close()

    def _connect(self) -> sqlite3.Connection:
        # Autocommit, so that `_write` alone begins transactions; closed by another thread in `close`.
        connection = sqlite3.connect(
            self._address(), uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        with self._guard:
            self._connections[threading.current_thread()] = connection
        connection.row_factory = sqlite3.Row
        if self.read_only:
            return connection
        connection.execute("PRAGMA foreign_keys = ON")
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # what was acknowledged survives a power cut
        return connection

    def _address(self) -> str:
        """The file's URI for SQLite."""
        address = self.file.absolute().as_uri()
        if not self.read_only:
            return address
        if os.access(self.file.parent, os.W_OK):
            return f"{address}?mode=ro"
        log = self.file.with_name(f"{self.file.name}-wal")
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"the library {self.file} was not closed in order: open it once where it can be written"
            )
        return f"{address}?mode=ro&immutable=1"  # nobody can write beside it what others have to see

    def require_writable(self) -> None:
        """Raises `StoreError` where the library is open for reading only."""
        if self.read_only:
            raise StoreError(
                f"the library {self.file.parent} is open for reading only: nothing can be added or removed"
            )

    def _migrate(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION:
            return
        if version > SCHEMA_VERSION:
            raise StoreError(f"the library {self.file} was made by a newer Toulmin: upgrade to open it")
        if self.read_only:
            raise StoreError(f"the library {self.file} is of an older version: open it once for writing")
        with self._write():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]  # somebody may have been faster
            if version == 0 and self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise StoreError(f"{self.file} is another program's database: choose another folder")
            for schema in VERSIONS[version:]:
                for statement in schema.split(";\n"):
                    self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: all of it or nothing. Waits for another writer, then gives up clearly.

        Inside another one it is a part of that.
        """
        self.require_writable()
        if self._db.in_transaction:
            yield self._db
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise
            raise StoreError(
                "another process is writing to the library: try again when it is done"
            ) from error
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):  # a full disk, above all
                raise StoreError(f"the library cannot be written ({error}): nothing was changed") from error
            raise

    def get_meta(self, key: str) -> str | None:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return row["value"] if row else None

    def set_meta(self, key: str, value: str) -> None:
        with self._write() as db:
            put_meta(db, key, value)

    def counts(self) -> dict[str, int]:
        """Rows of every table that a user would ask after."""
        tables = ("documents", "chunks", "vectors", "records", "threads", "runs", "failures")
        return {t: self._db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables}

    def check(self) -> str:
        """SQLite's own verdict on the file: "ok", or what is damaged."""
        return str(self._db.execute("PRAGMA quick_check(1)").fetchone()[0])


def _is_writable(file: Path) -> bool:
    """Whether a library file, and what SQLite writes beside it, can be written."""
    return os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. The switch itself does not wait for others, so we do."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def put_meta(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def printable(text: str) -> str:
    """A text with lone surrogates replaced: they come from broken names and input; nothing stores them."""
    return text.encode("utf-8", "replace").decode("utf-8")
