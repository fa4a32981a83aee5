"""Filters: what a search is restricted to, and which chunks of the library pass.

A filter is plain JSON. Values of one key are alternatives, different keys must all hold, and what is not
given restricts nothing. A message is dated by its own time, else by its document's own date, else by the time
of its file. It reads no words of a question and parses no dates: `agent.filters` and `agent.asides` do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, TypedDict

from retrieval.chunks import Message, StoredChunk
from retrieval.database import Database
from retrieval.tokens import fold, is_chinese

FORMATS = frozenset(
    """
    markdown text html pdf docx pptx xlsx odt odp ods epub rtf csv mail chat calendar notebook json subtitles
    code
    """.split()
)
# The day of what has no time of its own: the file's where the document says none.
_DAY = (
    "CASE WHEN d.date <> '' THEN d.date WHEN d.modified_s > 0"
    " THEN date(d.modified_s, 'unixepoch', 'localtime') ELSE '' END"
)
_Condition = tuple[str, Any]  # a test, and what stands for its parameter; None where it has none
_GLOB = re.compile(r"[*?\[]")
_REST = "9999-99-99"  # what a date that names no day or month may still be


class Filter(TypedDict, total=False):
    """What a search is restricted to."""

    documents: list[int]  # their ids
    paths: list[str]  # files, folders with all below them, or globs; relative ones are found at any depth
    formats: list[str]  # of FORMATS
    since: str  # YYYY, YYYY-MM or YYYY-MM-DD, inclusive
    until: str  # the same: "2025-03" is the whole month
    who: list[str]  # senders or speakers, by any part of their names
    tags: list[str]
    title: str  # words that a title holds


class Filters(Database):
    """Which chunks of documents pass a filter, and what there is to filter by."""

    def selected(self, where: Filter) -> list[int]:
        """Ids of the chunks that pass, ascending; `where` must not be empty."""
        where = self.resolved(where)
        conditions: list[_Condition] = []
        documents = self.documents_passing(where)
        if documents is not None:
            conditions.append(("c.document_id IN (SELECT value FROM json_each(?))", json.dumps(documents)))
        if where.get("who"):
            conditions.append(("m.who IN (SELECT value FROM json_each(?))", json.dumps(where["who"])))
        if not (where.get("since") or where.get("until")):
            said = " LEFT JOIN messages m ON m.chunk_id = c.id" if where.get("who") else ""
            return self._ids(f"chunks c{said}", conditions)
        told = self._ids(
            "messages m JOIN chunks c ON c.id = m.chunk_id",
            [*conditions, *_within("m.at", where, indexed=True)],
        )
        untold = self._ids(
            "documents d JOIN chunks c ON c.document_id = d.id LEFT JOIN messages m ON m.chunk_id = c.id",
            [*conditions, ("coalesce(m.at, '') = ''", None), *_within(f"({_DAY})", where)],
        )
        return sorted({*told, *untold})

    def resolved(self, where: Filter) -> Filter:
        """The filter with names as senders and speakers are written; those that nobody has stay."""
        if not where.get("who"):
            return where
        known = self.senders()
        who = [one for name in where["who"] for one in matching_names(name, known) or [name]]
        return {**where, "who": list(dict.fromkeys(who))}

    def senders(self) -> list[str]:
        """Everybody who wrote or says something in a document, as written there, in order of code points."""
        # Leaps from one name to the next in the index: there may be many messages of few people.
        rows = self._db.execute(
            "WITH RECURSIVE names (who) AS (SELECT min(who) FROM messages UNION ALL"
            " SELECT (SELECT min(who) FROM messages WHERE who > names.who) FROM names WHERE who IS NOT NULL)"
            " SELECT who FROM names WHERE who <> ''"
        )
        return [row["who"] for row in rows]

    def formats(self) -> set[str]:
        """The formats of the documents."""
        return {row["format"] for row in self._db.execute("SELECT DISTINCT format FROM documents")}

    def tags(self) -> list[str]:
        """The tags of the documents, without repeats."""
        rows = self._db.execute("SELECT DISTINCT tags FROM documents WHERE tags <> '[]'")
        return sorted({tag for row in rows for tag in json.loads(row["tags"])})

    def last_year_of(self, month: int, who: Sequence[str]) -> int | None:
        """The last year in which any of these, as written, has a message in a month; nobody means anybody."""
        named = " AND who IN (SELECT value FROM json_each(?2))" if who else ""
        row = self._db.execute(
            f"SELECT max(substr(at, 1, 4)) FROM messages WHERE substr(at, 6, 2) = ?1{named}",
            (f"{month:02d}", json.dumps(list(who)))[: 2 if who else 1],
        ).fetchone()
        return int(row[0]) if row[0] else None

    def _ids(self, tables: str, conditions: Sequence[_Condition]) -> list[int]:
        tests = ["c.document_id IS NOT NULL", *(test for test, _ in conditions)]
        values = [value for _, value in conditions if value is not None]
        cursor = self._db.cursor()
        cursor.row_factory = None  # plain tuples: there may be very many
        rows = cursor.execute(f"SELECT DISTINCT c.id FROM {tables} WHERE {' AND '.join(tests)}", values)
        return sorted([chunk_id for (chunk_id,) in rows])

    def documents_passing(self, where: Filter) -> list[int] | None:
        """Ids of the documents that pass what is asked of whole documents; None where nothing is."""
        if not any(where.get(key) for key in ("documents", "paths", "formats", "tags", "title")):
            return None
        tests, values = ["1"], []
        for column, wanted in (("id", where.get("documents")), ("format", where.get("formats"))):
            if wanted:
                tests.append(f"{column} IN (SELECT value FROM json_each(?))")
                values.append(json.dumps(wanted))
        # Tags lie behind the text of a document, all of which is read to come to them.
        columns = "id, path, title" + (", tags" if where.get("tags") else "")
        rows = self._db.execute(
            f"SELECT {columns} FROM documents WHERE {' AND '.join(tests)} ORDER BY id", values
        )
        return [row["id"] for row in rows if _passes(row, where)]


def _passes(row: Any, where: Filter) -> bool:
    """Whether a document has the path, the tags and the title that are asked for."""
    if where.get("paths") and not any(is_in(row["path"], one) for one in where["paths"]):
        return False
    if where.get("tags"):
        own = [fold(tag) for tag in json.loads(row["tags"])]
        wanted = [fold(tag.lstrip("#＃")) for tag in where["tags"]]
        if not any(tag == one or tag.startswith(f"{one}/") for tag in own for one in wanted):
            return False
    if not where.get("title"):
        return True
    return all(word in fold(row["title"]) for word in fold(where["title"]).split())


def is_in(path: str, place: str) -> bool:
    """Whether a path is a file, lies in a folder, or matches a glob; a relative one at any depth."""
    path, place = (text.replace("\\", "/").casefold() for text in (path, place))
    place = re.sub(r"^(?:\./)+", "", place).rstrip("/") or "/"
    absolute = place.startswith("/") or re.match(r"[a-z]:/", place)
    if f"{path}/".startswith(f"{place.rstrip('/')}/") or (not absolute and f"/{place}/" in f"/{path}/"):
        return True
    patterns = [place] if absolute else [place, f"*/{place}"]
    return bool(_GLOB.search(place)) and any(
        fnmatchcase(path, one) or fnmatchcase(path, f"{one}/*") for one in patterns
    )


def matching_names(name: str, known: Sequence[str], *, whole: bool = False) -> list[str]:
    """Those of some names that hold all words of a name; without any, and unless `whole`, its letters.

    A Chinese name stands without spaces: its characters suffice.
    """
    wanted = fold(name).strip()
    if not wanted:
        return []
    if is_chinese(wanted):
        return [one for one in known if wanted in fold(one)]
    words = set(re.findall(r"\w+", wanted))
    found = [one for one in known if words and words <= set(re.findall(r"\w+", fold(one)))]
    return found or [one for one in known if not whole and wanted in fold(one)]


def covers(where: Filter, day: str) -> bool:
    """Whether a date, in ISO 8601 and perhaps without a day or a month, may lie in the filter's time."""
    day = day[:10]
    early = day + _REST[len(day) :] < where.get("since", "")
    return bool(day) and not early and (not where.get("until") or day <= _last(where["until"]))


def narrowed(chunk: StoredChunk, where: Filter) -> list[StoredChunk]:
    """What of a chunk passes: all of it, or the messages of whom and when is asked for, each run apart.

    `where` is `resolved`. A message without a time passes where its chunk was selected.
    """
    asked = where.get("who") or where.get("since") or where.get("until")
    if not asked or not chunk.messages:
        return [chunk]
    passing = [_is_meant(message, where) for message in chunk.messages]
    if all(passing) and chunk.messages[0].start <= chunk.start:
        return [chunk]
    return list(_runs(chunk, passing))


def _is_meant(message: Message, where: Filter) -> bool:
    if where.get("who") and message.who not in where["who"]:
        return False
    return not message.at or covers(where, message.at)


def _runs(chunk: StoredChunk, passing: Sequence[bool]) -> Iterator[StoredChunk]:
    stops = [*(message.start for message in chunk.messages[1:]), chunk.end]
    run: list[Message] = []
    for n, message in enumerate(chunk.messages):
        if passing[n]:
            run.append(message)
        if run and (n + 1 == len(passing) or not passing[n + 1]):
            text = chunk.text[run[0].start - chunk.start : stops[n] - chunk.start].rstrip()
            if text:
                start = run[0].start
                yield replace(chunk, start=start, end=start + len(text), text=text, messages=tuple(run))
            run = []


def _last(until: str) -> str:
    return until + _REST[len(until) :]


def _within(column: str, where: Filter, *, indexed: bool = False) -> Iterator[_Condition]:
    """Conditions for dates that may lack a day or a month, and that an index can be asked for first."""
    since, until = where.get("since", ""), where.get("until", "")
    day = f"substr({column}, 1, 10)"
    yield f"{column} <> ''", None
    if since:
        if indexed:
            yield f"{column} >= ?", since[:4]
        yield f"{day} || substr('{_REST}', length({day}) + 1) >= ?", since
    if until:
        if indexed:
            yield f"{column} <= ?", f"{_last(until)}~"
        yield f"{day} <= ?", _last(until)
