"""The chunks of documents and records in the library's file, and the words that they are found by.

Each tier owns a range of chunk ids. It ranks by BM25 alone and does not embed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TypeVar

from retrieval.database import Database, put_meta
from retrieval.tokens import TOKENS_VERSION, lexical_tokens, simplified

T = TypeVar("T")

# Each tier owns a range of chunk ids, so that one range test selects it in FTS5 and in FAISS alike.
TIER_BASE: dict[str, int] = {"long": 0, "mid": 1 << 40, "short": 2 << 40}
TIER_SPAN = 1 << 40
MAX_SCANNED_CHUNKS = 2_000  # of a library whose whole vocabulary is read
MATCHES = 8_000  # rows that one search ranks by their words; FTS5 takes about 3 microseconds for each


@dataclass(frozen=True)
class Message:
    """From where on in a chunk somebody's words stand, up to the next one's."""

    start: int
    who: str
    """The sender or speaker as written, or ""."""
    at: str
    """When, in ISO 8601 as far as it is known, or ""."""


@dataclass(frozen=True)
class StoredChunk:
    """A chunk with the document or the record that it belongs to."""

    id: int
    document_id: int | None
    record_id: str | None
    path: str
    title: str
    start: int
    end: int
    heading: str
    page: int | None
    text: str
    format: str = ""
    messages: tuple[Message, ...] = ()

    @property
    def who(self) -> tuple[str, ...]:
        """Who wrote or says what is in it, as written, in order."""
        return tuple(dict.fromkeys(message.who for message in self.messages if message.who))

    @property
    def when(self) -> str:
        """When the first message in it was written, in ISO 8601 as far as it is known, or ""."""
        return next((message.at for message in self.messages if message.at), "")


@dataclass(frozen=True)
class NewChunk:
    """A chunk to be stored. `vector` is float32 bytes, or None where the embedder is blind."""

    start: int
    end: int
    heading: str
    page: int | None
    text: str
    vector: bytes | None
    embedded: bytes | None = None
    """`embedded_hash` of the text that `vector` is of; None where nothing was embedded."""
    messages: tuple[Message, ...] = ()


def embedded_text(title: str, heading: str, text: str) -> str:
    """A chunk under its title and headings, which say what it is about; they are no part of the span."""
    return f"{' > '.join(part for part in (title, heading) if part)}\n{text}"


def embedded_hash(text: str) -> bytes:
    """What a text that is embedded is known by."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


Words = tuple[str, str]  # lexical tokens of a heading and of a body, as the full-text index takes them


def words_of(heading: str, text: str) -> Words:
    return " ".join(lexical_tokens(heading)), " ".join(lexical_tokens(text))


def telling_terms(rows: Sequence[tuple[str, int]]) -> list[str]:
    """The rarest terms, up to `MATCHES` rows in all; none where the rarest has more rows by itself.

    `rows`: terms with their numbers of rows, the rarest first.
    """
    sums = accumulate(count for _, count in rows)
    return [term for (term, _), total in zip(rows, sums, strict=True) if total <= MATCHES]


def _by_count(pair: tuple[str, int]) -> tuple[int, str]:
    return pair[1], pair[0]


def _varints(data: bytes) -> list[int]:
    """SQLite's variable-length integers, of up to 8 bytes: big-endian, 7 bits in each."""
    numbers = []
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(value)
            value = 0
    return numbers


class Chunks(Database):
    """The chunks, by id, by place and by word."""

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        self._common: dict[str, tuple[int, int]] = {}  # large counts of terms, and of how many rows
        super().__init__(file, read_only=read_only)

    def chunks(self, chunk_ids: Sequence[int]) -> list[StoredChunk]:
        """The chunks of these ids, in that order; those that are gone are left out."""
        found = {}
        for group in groups(chunk_ids):
            rows = self._db.execute(
                "SELECT c.id, c.document_id, c.record_id, coalesce(d.path, '') AS path,"
                " coalesce(d.title, '') AS title, coalesce(d.format, '') AS format,"
                ' c.start, c."end", c.heading, c.page, c.text'
                " FROM chunks c LEFT JOIN documents d ON d.id = c.document_id"
                f" WHERE c.id IN ({placeholders(group)})",
                group,
            )
            said = self._messages(group)
            found.update({row["id"]: StoredChunk(**dict(row), messages=said[row["id"]]) for row in rows})
        return [found[chunk_id] for chunk_id in chunk_ids if chunk_id in found]

    def _messages(self, chunk_ids: list[int]) -> Mapping[int, tuple[Message, ...]]:
        """The messages of some chunks, in order; an empty tuple for any other."""
        found: defaultdict[int, tuple[Message, ...]] = defaultdict(tuple)
        rows = self._db.execute(
            "SELECT chunk_id, start, who, at FROM messages"
            f" WHERE chunk_id IN ({placeholders(chunk_ids)}) ORDER BY chunk_id, start",
            chunk_ids,
        )
        for row in rows:
            found[row["chunk_id"]] += (Message(row["start"], row["who"], row["at"]),)
        return found

    def embedded(self, hashes: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """The vectors of texts embedded before, by hash; None where the embedder was blind to one."""
        found: dict[bytes, bytes | None] = {}
        for group in groups(list(dict.fromkeys(hashes))):
            rows = self._db.execute(
                "SELECT c.embedded, v.vector FROM chunks c LEFT JOIN vectors v ON v.chunk_id = c.id"
                f" WHERE c.embedded IN ({placeholders(group)})",
                group,
            )
            found.update({row["embedded"]: row["vector"] for row in rows})
        return found

    def hash_embedded(self) -> None:
        """Note what the chunks of an older library were embedded from: their vectors can be reused."""
        with self._write() as db:
            rows = db.execute(
                "SELECT c.id, d.title, c.heading, c.text"
                " FROM chunks c JOIN documents d ON d.id = c.document_id"
                " JOIN vectors v ON v.chunk_id = c.id WHERE c.embedded IS NULL"
            )
            hashed = (
                (embedded_hash(embedded_text(row["title"], row["heading"], row["text"])), row["id"])
                for row in rows.fetchall()
            )
            db.executemany("UPDATE chunks SET embedded = ? WHERE id = ?", hashed)
            put_meta(db, "embedded_hashes", "1")

    def copies_of(self, chunk_ids: Sequence[int]) -> list[tuple[int, int]]:
        """(chunk id, id of the same chunk in another document with exactly the same content)."""
        copies: list[tuple[int, int]] = []
        for group in groups(chunk_ids):
            rows = self._db.execute(
                "SELECT c.id, other.id AS copy FROM chunks c JOIN documents d ON d.id = c.document_id"
                " JOIN documents same ON same.sha256 = d.sha256 AND same.id <> d.id"
                " JOIN chunks other ON other.document_id = same.id AND other.start = c.start"
                f' AND other."end" = c."end" WHERE c.id IN ({placeholders(group)}) ORDER BY same.path',
                group,
            )
            copies += [(row["id"], row["copy"]) for row in rows]
        return copies

    def chunks_over(self, document_id: int, start: int, end: int) -> list[int]:
        """Ids of the chunks of a document that overlap a span."""
        rows = self._db.execute(
            'SELECT id FROM chunks WHERE document_id = ? AND start < ? AND "end" > ? ORDER BY start',
            (document_id, end, start),
        )
        return [row["id"] for row in rows]

    def lexical(
        self,
        terms: Sequence[str],
        limit: int,
        tier: str,
        within: Sequence[int] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> list[tuple[int, float]]:
        """BM25 over any of the terms: (chunk id, score), best first; higher is better.

        Terms of many chunks are left out beside rarer ones: `telling_terms`. `within`: the ids of the chunks
        to search; None for those of the whole tier. `counts`: `row_counts` of the terms, where known.
        """
        if not terms:
            return []
        rows = sorted((self.row_counts(terms) if counts is None else counts).items(), key=_by_count)
        telling = telling_terms(rows)
        if telling or not rows:
            return self._matching(telling, " OR ", limit, tier, within)
        # Every term is in very many chunks: those that hold them all, or else the rarest.
        found = self._matching([term for term, _ in rows], " AND ", limit, tier, within)
        return found if len(found) == limit else self._matching([rows[0][0]], "", limit, tier, within)

    def _matching(
        self, terms: Sequence[str], operator: str, limit: int, tier: str, within: Sequence[int] | None
    ) -> list[tuple[int, float]]:
        if not terms:
            return []
        query = operator.join(f'"{term}"' for term in terms)
        values: list[str | int] = [query, TIER_BASE[tier] + 1, TIER_BASE[tier] + TIER_SPAN - 1]
        listed = ""
        if within is not None:
            # Asked of each match, at most `MATCHES`; with IN, SQLite searches anew for each id that passes.
            self._db.create_function("passes", 1, frozenset(within).__contains__)
            listed = " AND passes(rowid)"
        # The column `rank` is the same, but to order by it takes FTS5 a query within the query.
        rows = self._db.execute(
            "SELECT rowid, bm25(lexicon) AS score FROM lexicon"
            f" WHERE lexicon MATCH ? AND rowid BETWEEN ? AND ?{listed} ORDER BY score LIMIT ?",
            (*values, limit),
        )
        return [(row["rowid"], -row["score"]) for row in rows]

    def row_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many rows of the full-text index each term occurs, of all tiers; only of those that occur.

        That is what its ranking goes by. Large counts are kept while the index grows by less than 1 %.
        """
        rows = self.lexicon_size()[0]
        counts = {}
        for term in terms:
            count, of_rows = self._common.get(term, (0, 0))
            if abs(rows - of_rows) > of_rows / 100 or not of_rows:
                found = self._db.execute("SELECT count(*) FROM lexicon WHERE lexicon MATCH ?", (f'"{term}"',))
                count = int(found.fetchone()[0])
                if count > MATCHES:
                    self._common[term] = count, rows
            if count:
                counts[term] = count
        return counts

    def lexicon_size(self) -> tuple[int, float]:
        """Rows of the full-text index, and the mean number of tokens in one.

        FTS5 keeps them, as varints, in the first row of its data: "fts5_index.c", averages record.
        """
        row = self._db.execute("SELECT block FROM lexicon_data WHERE id = 1").fetchone()
        rows, *tokens = _varints(row[0]) if row and row[0] else [0]
        return rows, sum(tokens) / rows if rows else 0.0

    def tokens(self, chunk_ids: Sequence[int]) -> dict[int, tuple[list[str], list[str]]]:
        """The tokens of the headings and of the bodies of some chunks, as they are indexed."""
        found = {}
        for group in groups(chunk_ids):
            rows = self._db.execute(
                f"SELECT rowid, heading, body FROM lexicon WHERE rowid IN ({placeholders(group)})", group
            )
            found.update({row["rowid"]: (row["heading"].split(), row["body"].split()) for row in rows})
        return found

    def term_counts(self, terms: Sequence[str]) -> dict[str, int]:
        """In how many chunks of documents each term occurs: what was asked before makes no word less rare."""
        counts = {}
        low = TIER_BASE["long"]
        for term in terms:
            row = self._db.execute(
                "SELECT count(*) FROM lexicon WHERE lexicon MATCH ? AND rowid > ? AND rowid < ?",
                (f'"{term}"', low, low + TIER_SPAN),
            ).fetchone()
            counts[term] = int(row[0])
        return counts

    def terms_with(self, prefix: str) -> dict[str, int]:
        """The terms that begin with a prefix, with the number of chunks they occur in, all tiers together."""
        db = self._db
        db.execute("CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary USING fts5vocab(main, lexicon, row)")
        rows = db.execute(
            "SELECT term, doc FROM temp.vocabulary WHERE term >= ? AND term < ?",
            (prefix, prefix + "\U0010ffff"),
        )
        return {row["term"]: row["doc"] for row in rows}

    def pairs_ending_in(self, char: str) -> dict[str, int]:
        """As `terms_with`, the Chinese pairs that end in a character; none where the library is large.

        They are in no order that helps: the whole vocabulary is read, about 0.3 s for 48,000 terms.
        """
        if self.chunk_count() > MAX_SCANNED_CHUNKS:
            return {}
        return {term: n for term, n in self.terms_with("").items() if len(term) == 2 and term[1] == char}

    def tokenise_again(self) -> None:
        """Bring the full-text index to the tokens of now: only traditional Chinese has others than before."""
        with self._write() as db:
            rows = db.execute(
                "SELECT c.id, c.text, coalesce(d.title || ' ' || c.heading, '') AS heading"
                " FROM chunks c LEFT JOIN documents d ON d.id = c.document_id"
            )
            for row in rows:
                if simplified(row["text"]) != row["text"] or simplified(row["heading"]) != row["heading"]:
                    db.execute(
                        "UPDATE lexicon SET heading = ?, body = ? WHERE rowid = ?",
                        (*words_of(row["heading"], row["text"]), row["id"]),
                    )
            put_meta(db, "tokens", TOKENS_VERSION)

    def chunk_count(self, tier: str = "long") -> int:
        low = TIER_BASE[tier]
        row = self._db.execute(
            "SELECT count(*) FROM chunks WHERE id > ? AND id < ?", (low, low + TIER_SPAN)
        ).fetchone()
        return int(row[0])


def insert_chunk(
    db: sqlite3.Connection,
    tier: str,
    chunk: NewChunk,
    words: Words,
    document_id: int | None = None,
    record_id: str | None = None,
) -> None:
    """Store a chunk with its words and its vector, inside a transaction of its document's or record's."""
    chunk_id = _next_chunk_id(db, tier)
    db.execute(
        'INSERT INTO chunks (id, document_id, record_id, start, "end", heading, page, text, embedded)'
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            chunk_id,
            document_id,
            record_id,
            chunk.start,
            chunk.end,
            chunk.heading,
            chunk.page,
            chunk.text,
            chunk.embedded,
        ),
    )
    db.executemany(
        "INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?)",
        [(chunk_id, max(one.start, chunk.start), one.who, one.at) for one in chunk.messages],
    )
    db.execute("INSERT INTO lexicon (rowid, heading, body) VALUES (?, ?, ?)", (chunk_id, *words))
    if chunk.vector is not None:
        db.execute("INSERT INTO vectors VALUES (?, ?)", (chunk_id, chunk.vector))
        db.execute("INSERT INTO changes (chunk_id, removed) VALUES (?, 0)", (chunk_id,))


def delete_chunks(db: sqlite3.Connection, chunk_ids: Sequence[int]) -> None:
    """Delete chunks with their words; an index learns of it by their changes."""
    rows = [(chunk_id,) for chunk_id in chunk_ids]
    db.executemany(
        "INSERT INTO changes (chunk_id, removed) SELECT chunk_id, 1 FROM vectors WHERE chunk_id = ?", rows
    )
    db.executemany("DELETE FROM lexicon WHERE rowid = ?", rows)
    db.executemany("DELETE FROM chunks WHERE id = ?", rows)


def _next_chunk_id(db: sqlite3.Connection, tier: str) -> int:
    """An id never used before: a counter, as the largest id may have been deleted."""
    key = f"last_chunk_{tier}"
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    chunk_id = int(row["value"]) + 1 if row else TIER_BASE[tier] + 1
    put_meta(db, key, str(chunk_id))
    return chunk_id


def groups(ids: Sequence[T], size: int = 500) -> Iterator[list[T]]:
    """Ids, or hashes, in groups that fit SQLite's limit on bound values."""
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])


def placeholders(group: Sequence[object]) -> str:
    return ",".join("?" * len(group))
