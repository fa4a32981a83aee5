"""What a shell may complete: names of models, threads, runs, documents, settings and formats.

A shell asks at every press of a key, so this reads the library's file alone and imports next to nothing;
whatever goes wrong completes nothing and says nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

MOST = 200  # proposed at once
BUSY_S = 0.2  # waited for another program that writes to the library

Completer = Callable[[str], list[str]]


def _silent(propose: Callable[[str], Iterable[str]]) -> Completer:
    """What is proposed and begins as what was typed; nothing where something fails."""

    def complete(incomplete: str) -> list[str]:  # typer goes by this name
        try:
            found = (one for one in propose(incomplete) if one.startswith(incomplete))
            return list(dict.fromkeys(found))[:MOST]
        except Exception:
            return []

    return complete


def one_of(*names: str) -> Completer:
    """Completes one of some words."""
    return _silent(lambda typed: names)


def _in_lists(names: Iterable[str], typed: str) -> Iterable[str]:
    """Names behind what stands before the last comma."""
    begun = typed.rpartition(",")[0]
    given = begun.split(",") if begun else []
    return [",".join([*given, name]) for name in names if name not in given]


@_silent
def models(typed: str) -> Iterable[str]:
    """Models that are installed, "extractive", then those of the catalogue; also in a list with commas."""
    from agent.models.catalog import catalog

    return _in_lists([*_installed(), "extractive", *(one.name for one in catalog())], typed)


@_silent
def installed_models(typed: str) -> Iterable[str]:
    """Models that are installed."""
    return _installed()


@_silent
def catalogue(typed: str) -> Iterable[str]:
    """Models that can be pulled by name."""
    from agent.models.catalog import catalog

    return [one.name for one in catalog()]


@_silent
def threads(typed: str) -> Iterable[str]:
    """Threads, the latest first."""
    return _rows("SELECT id FROM threads ORDER BY used_s DESC")


@_silent
def runs(typed: str) -> Iterable[str]:
    """Ids of runs, the latest first."""
    return _rows("SELECT id FROM runs ORDER BY created_s DESC")


@_silent
def unfinished_runs(typed: str) -> Iterable[str]:
    """Ids of runs that can be resumed."""
    return _rows("SELECT id FROM runs WHERE outcome = 'unfinished' ORDER BY created_s DESC")


@_silent
def records(typed: str) -> Iterable[str]:
    """Ids of records, the latest first."""
    return _rows("SELECT substr(id, 1, 12) FROM records ORDER BY created_s DESC")


@_silent
def documents(typed: str) -> Iterable[str]:
    """Paths of documents, as they are typed: from the current folder, or absolute."""
    paths = _rows("SELECT path FROM documents ORDER BY path")
    if os.path.isabs(typed):
        return paths
    here = os.getcwd() + os.sep
    return [path.removeprefix(here) for path in paths if path.startswith(here) or not os.path.isabs(path)]


@_silent
def settings(typed: str) -> Iterable[str]:
    """Names of settings."""
    from agent.config import KINDS

    return KINDS


@_silent
def formats(typed: str) -> Iterable[str]:
    """What --type takes, also in a list with commas."""
    from retrieval.filters import FORMATS

    return _in_lists(sorted(FORMATS), typed)


def _installed() -> list[str]:
    from agent.config import resolve_here
    from agent.models.store import installed

    return [one.name for one in installed(resolve_here({}).usable().models_folder)]


def _rows(query: str) -> list[str]:
    """The first column of a query of the library's file, which is neither made nor changed."""
    import sqlite3
    from contextlib import closing
    from urllib.parse import quote

    from agent.config import resolve_here

    file = Path(resolve_here({}).usable().library_folder, "library.sqlite").absolute()
    uri = f"file:{quote(str(file))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as db:
        return [str(row[0]) for row in db.execute(query)]
