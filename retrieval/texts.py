"""Documents that are no files: single texts with an id and a dictionary of their owner's.

Each is a document of one chunk, so that every search of the library finds it. It does not embed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.chunks import NewChunk, groups, placeholders
from retrieval.documents import Documents
from retrieval.load import Source

PREFIX = "text:"  # of their paths, which no path of a file begins with: those are absolute


@dataclass(frozen=True)
class Text:
    """A text with what its owner says of it; `metadata` is anything that JSON can hold."""

    id: str
    text: str
    metadata: dict[str, Any]


class Texts(Documents):
    """The texts, by the ids that their owner gave them."""

    def put_texts(self, texts: Sequence[tuple[Text, bytes | None]]) -> None:
        """Store texts, each with its vector, in place of those with the same ids; all of them or none.

        Raises `TypeError` for metadata that JSON cannot hold.
        """
        with self._write() as db:
            for one, vector in texts:
                source = Source(one.text, "", (), "text", None, "utf-8")
                chunk = NewChunk(0, len(one.text), "", None, one.text, vector)
                digest = hashlib.sha256(one.text.encode()).hexdigest()
                document_id = self.put_document(PREFIX + one.id, digest, source, [chunk], len(one.text))
                db.execute("INSERT INTO texts VALUES (?, ?)", (document_id, json.dumps(one.metadata)))

    def texts(self, ids: Sequence[str]) -> list[Text]:
        """The texts of these ids, in that order; those that are not there are left out."""
        found: dict[str, Text] = {}
        for group in groups([self.document_id(PREFIX + one) or 0 for one in ids]):
            found.update({text.id: text for text in self.texts_of(group).values()})
        return [found[one] for one in ids if one in found]

    def texts_of(self, document_ids: Sequence[int]) -> dict[int, Text]:
        """The texts among some documents, by document id."""
        found = {}
        for group in groups(document_ids):
            rows = self._db.execute(
                "SELECT d.id, d.path, d.source, t.metadata FROM texts t"
                " JOIN documents d ON d.id = t.document_id"
                f" WHERE d.id IN ({placeholders(group)})",
                group,
            )
            for row in rows:
                name = row["path"].removeprefix(PREFIX)
                found[int(row["id"])] = Text(name, row["source"], json.loads(row["metadata"]))
        return found

    def text_documents(self) -> list[int]:
        """The ids of the documents that are texts."""
        return [row[0] for row in self._db.execute("SELECT document_id FROM texts ORDER BY document_id")]

    def remove_texts(self, ids: Sequence[str] | None) -> None:
        """Remove texts by id, or all of them, and no file; those that are not there are passed over."""
        with self._write():
            if ids is None:
                ids = [text.id for text in self.texts_of(self.text_documents()).values()]
            self.remove_documents(PREFIX + one for one in ids)
