"""Turn the files and folders a person names into the files to load.

It only lists: nothing is opened, and a file that is listed may still fail to load.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from retrieval.load import LOADERS, suffix_of, unsupported

NOT_ENTERED = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "__MACOSX"})


def walk(paths: Iterable[Path]) -> Iterator[tuple[Path, str | None]]:
    """(file, None) for each file to load and (path, reason) for each that is left out.

    Folders are read to the bottom, names in sorted order. What is hidden (a leading dot) or in
    NOT_ENTERED inside a folder is passed over in silence; linked folders inside a folder are
    not followed. A path named in `paths` itself is always tried, whatever its name. Each file
    comes once, whatever the number of ways to it.
    """
    seen: set[tuple[str, bool]] = set()
    for named in paths:
        for path, reason in _expand(named):
            key = (os.path.realpath(path), reason is None)
            if key not in seen:
                seen.add(key)
                yield path, reason


def walk_changed(paths: Iterable[Path], named: Iterable[Path]) -> Iterator[tuple[Path, str | None]]:
    """As `walk`, for what has changed below folders: a file that was not named itself has to be readable.

    What is gone is left out.
    """
    files = {os.path.abspath(path) for path in named if not os.path.isdir(path)}
    for path in paths:
        if os.path.abspath(path) in files or _is_own_folder(path):
            yield from walk([path]) if os.path.lexists(path) else ()
        elif os.path.lexists(path):
            yield path, _reason(path)


def _expand(named: Path) -> Iterator[tuple[Path, str | None]]:
    try:
        is_folder = os.path.isdir(named)
        missing = not os.path.lexists(named)
    except ValueError:  # a NUL in the name
        is_folder, missing = False, True
    if missing:
        yield named, "no such file or folder"
    elif is_folder:
        yield from _folder(named)
    else:
        yield named, None


def _folder(top: Path) -> Iterator[tuple[Path, str | None]]:
    waiting = [top]  # a stack, so that no depth of folders exhausts the interpreter's own
    while waiting:
        path = waiting.pop()
        if path != top and not _is_own_folder(path):
            yield path, _reason(path)
            continue
        try:
            names = sorted(os.listdir(path), reverse=True)
        except OSError as error:
            yield path, f"the folder cannot be read ({error.strerror})"
            continue
        waiting += [path / name for name in names if not is_passed_over(name)]


def is_passed_over(name: str) -> bool:
    """Whether a file or folder of that name inside a folder is passed over in silence."""
    return name.startswith(".") or name in NOT_ENTERED


def _is_own_folder(path: Path) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def _reason(path: Path) -> str | None:
    """Why a path found inside a folder is left out, or None."""
    if os.path.isdir(path):
        return "a link to a folder, not followed"
    if not os.path.exists(path):
        return "a symbolic link to something that does not exist"
    if not os.path.isfile(path):
        return "not a regular file (a device, pipe or socket)"
    suffix = suffix_of(path)
    return None if suffix in LOADERS else unsupported(suffix)
