"""The chat models that are installed, and which of them is used. It downloads nothing and loads none.

They lie in the data folder as `models/OWNER--REPOSITORY/FILE.gguf`, with what is known of a file beside it in
`FILE.gguf.json`. A GGUF file that somebody puts there is installed as well. `models.json` names the default.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.error_words import worded
from agent.errors import ModelError
from agent.models.catalog import entry, entry_of
from agent.models.names import SERVER, is_server, server_of

EXTRACTIVE = "extractive"
HOW_TO_GET = "`agent model pull` gets one"
CHOICE_FILE = "models.json"
SUFFIX = ".gguf"


@dataclass(frozen=True)
class Installed:
    """One model on this machine."""

    name: str
    """What `--model` takes: a name of the catalogue, else the file's without its suffix."""
    path: Path
    size_bytes: int
    about: dict[str, Any]
    """repository, file, revision and sha256, where it was pulled."""


def installed(folder: Path) -> list[Installed]:
    """All models in the folder, the newest first."""
    found = []
    for path in [*folder.glob(f"*{SUFFIX}"), *folder.glob(f"*/*{SUFFIX}")]:
        try:
            kept = path.stat()
        except OSError:  # removed meanwhile, or a link to nowhere
            continue
        about = _about(path)
        known = entry_of(about.get("repository", ""), about.get("file", ""))
        name = known.name if known else path.name.removesuffix(SUFFIX)
        found.append((kept.st_mtime_ns, path, Installed(name, path, kept.st_size, about)))
    return [model for *_, model in sorted(found, key=lambda one: one[:2], reverse=True)]


def model_at(folder: Path, path: Path) -> Installed | None:
    """The installed model that is this file."""
    return next((one for one in installed(folder) if one.path.resolve() == path.resolve()), None)


def find(folder: Path, name: str) -> Path:
    """The file of a name or path. Raises `ModelError` where there is none, saying how to get it."""
    path = Path(name).expanduser()
    if path.exists() and (path.is_file() or os.sep in name):
        return path
    names = {name.casefold(), name.casefold().removesuffix(SUFFIX)}
    found = [
        one for one in installed(folder) if one.name.casefold() in names or one.path.stem.casefold() in names
    ]
    if len(found) > 1:
        places = ", ".join(str(one.path) for one in found)
        raise ModelError(f"{len(found)} models are called {name}: give one of their paths: {places}")
    if found:
        return found[0].path
    if entry(name):
        raise worded(ModelError, "model not installed", name)
    if name.endswith(SUFFIX) or os.sep in name:
        raise worded(ModelError, "no model file", path)
    raise worded(ModelError, "no model", name)


def rungs(folder: Path, name: str) -> tuple[str, ...]:
    """The ladder to answer with, first rung first: that of the name, else of the default.

    Each rung is the path of a file, the name of a model on a server, or "extractive", which stands alone
    where there is no model. Raises `ModelError` where a file is not there.
    """
    return tuple(dict.fromkeys(_rung(folder, one) for one in ladder(name or default(folder)))) or (
        EXTRACTIVE,
    )


def check_files(folder: Path, name: str) -> None:
    """Raises `ModelError` where a rung's file is not there, damaged or none; a server is not asked."""
    from agent.models.header import read_header

    for rung in rungs(folder, name):
        if rung != EXTRACTIVE and not is_server(rung):
            read_header(Path(rung))


def ladder(name: str) -> list[str]:
    """The names in a list with commas; a file whose own name holds one is itself."""
    if "," in name and Path(name).expanduser().is_file():
        return [name]
    return [part.strip() for part in name.split(",") if part.strip()]


def _rung(folder: Path, name: str) -> str:
    if is_server(name):
        model, url = server_of(name)
        return f"{SERVER}{model}@{url}"
    return EXTRACTIVE if name == EXTRACTIVE else str(find(folder, name))


def chosen(folder: Path, name: str) -> Path | None:
    """The file of the first rung that is one; None where all are servers, or for quotations.

    Raises `ModelError` where a file is not there.
    """
    files = [one for one in rungs(folder, name) if one != EXTRACTIVE and not is_server(one)]
    return Path(files[0]) if files else None


def default(folder: Path) -> str:
    """What is used where no model is named: what `use` was told, else the newest model, else nothing."""
    if kept := choice(folder):
        return kept
    newest = next(iter(installed(folder)), None)
    return str(newest.path) if newest else ""


def choice(folder: Path) -> str:
    """What `use` was told last, with paths in place of names; "" where it was told nothing."""
    kept = _json(folder / CHOICE_FILE).get("default") or ""
    names = kept if isinstance(kept, list) else [str(kept)]
    return ",".join(
        one if one in ("", EXTRACTIVE) or is_server(one) else str(folder / one) for one in map(str, names)
    )


def use(folder: Path, name: str) -> str:
    """Make a model or a ladder the default, or "extractive" for none; what it is called.

    Raises `ModelError` where there is no such model.
    """
    kept, called = [], []
    for rung in rungs(folder, name):
        ours = None if rung == EXTRACTIVE or is_server(rung) else model_at(folder, Path(rung))
        if ours:
            kept.append(str(ours.path.relative_to(folder)))  # the folder may be moved
        else:
            kept.append(rung if rung == EXTRACTIVE or is_server(rung) else str(Path(rung).resolve()))
        called.append(ours.name if ours else rung)
    _write(folder / CHOICE_FILE, {"default": kept[0] if len(kept) == 1 else kept})
    return ",".join(called)


def remove(folder: Path, name: str) -> Installed:
    """Delete an installed model; it is the default no longer. Raises `ModelError` for any other file."""
    path = find(folder, name)
    model = model_at(folder, path)
    if model is None:
        raise ModelError(f"{path} is not one of the installed models: delete the file yourself")
    was_default = str(model.path) in ladder(choice(folder))
    path = model.path
    try:
        path.unlink()
    except OSError as error:
        raise ModelError(f"{path} cannot be removed: {error.strerror or error}") from error
    about_file(path).unlink(missing_ok=True)
    if path.parent != folder and not any(path.parent.glob("*.gguf*")):
        shutil.rmtree(path.parent, ignore_errors=True)  # locks are left in it
    if was_default:
        (folder / CHOICE_FILE).unlink(missing_ok=True)
    return model


def place(folder: Path, repository: str, file: str) -> Path:
    """Where a file of a repository is installed."""
    return folder / repository.replace("/", "--") / file.replace("/", "--")


def about_file(path: Path) -> Path:
    """Where it is written down what a file is."""
    return path.with_name(path.name + ".json")


def note(path: Path, about: dict[str, Any]) -> None:
    """Write down what a file is."""
    _write(about_file(path), about)


def _about(path: Path) -> dict[str, Any]:
    return _json(about_file(path))


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or cut short: it can be said again
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, data: dict[str, Any]) -> None:
    """Write a file as a whole. Raises `ModelError` where that is not allowed."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        draft.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        raise ModelError(f"{file} cannot be written: {error.strerror or error}") from error
