"""The library's SQLite file as a whole: the truth about documents, chunks, records, vectors and runs.

Each public method that writes is one short transaction. It does not embed, rank or decide anything.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from retrieval.chunks import TIER_BASE, TIER_SPAN, Chunks, Message, NewChunk, StoredChunk
from retrieval.database import StoreError, put_meta
from retrieval.documents import Document
from retrieval.filters import Filter, Filters
from retrieval.records import ERASING, NewRecord, Record, Records
from retrieval.runs import UNFINISHED, Runs
from retrieval.schema import SCHEMA_VERSION
from retrieval.texts import Texts
from retrieval.tokens import TOKENS_VERSION
from retrieval.vectors import Vectors

__all__ = [
    "SCHEMA_VERSION",
    "TIER_BASE",
    "TIER_SPAN",
    "UNFINISHED",
    "Document",
    "Filter",
    "Message",
    "NewChunk",
    "NewRecord",
    "Record",
    "Store",
    "StoreError",
    "StoredChunk",
]


class Store(Texts, Chunks, Filters, Vectors, Records, Runs):
    """One library file. Safe to use from several threads: each has a connection of its own."""

    def _migrate(self) -> None:
        super()._migrate()
        if self.read_only:
            return  # older tokens find a little less
        if self.get_meta("tokens") != TOKENS_VERSION:
            self.tokenise_again()
        if self.get_meta("embedded_hashes") is None:
            self.hash_embedded()

    def forget(self, record_ids: Iterable[str], run_ids: Iterable[str]) -> int:
        """Delete records and runs, and note that their bytes are to be erased; how many records went."""
        with self._write() as db:
            deleted = self.delete_records(record_ids)
            for run_id in run_ids:
                self.drop_run(run_id)
            put_meta(db, ERASING, uuid.uuid4().hex)
        return deleted
