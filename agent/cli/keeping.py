"""`agent backup`: copies of the library, and putting them back."""

from __future__ import annotations

import sys
from pathlib import Path

from agent.cli.render import print_json
from agent.deps import build_embedder
from agent.settings import read_settings
from retrieval.backup import back_up, restore, save_what_is_left
from retrieval.library import STORE_FILE


def back_up_library(file: Path, *, force: bool, as_json: bool) -> None:
    size = back_up(read_settings().library_folder / STORE_FILE, file.expanduser(), force=force)
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        print(f"backed up to {file} ({size / 1e6:.1f} MB)")


def restore_library(file: Path, *, force: bool, as_json: bool) -> None:
    settings = read_settings()
    aside = restore(file.expanduser(), settings.library_folder, force=force)
    if as_json:
        print_json({"library": str(settings.library_folder), "replaced": str(aside) if aside else None})
        return
    print(f"restored to {settings.library_folder}")
    if aside:
        print(f"the library before is kept in {aside}", file=sys.stderr)


def salvage_library(file: Path, *, force: bool, as_json: bool) -> None:
    settings = read_settings()
    damaged = settings.library_folder / STORE_FILE

    def tell(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} documents", end="", file=sys.stderr)

    saved = save_what_is_left(
        damaged, file.expanduser(), lambda: build_embedder(settings), force=force, tell=tell
    )
    if as_json:
        print_json({"documents": saved.documents, "records": saved.records, "runs": saved.runs})
        return
    print(f"saved {saved.documents} documents, {saved.records} records, {saved.runs} runs to {file}")
    print(f"`agent backup --restore --force {file}` opens them", file=sys.stderr)
