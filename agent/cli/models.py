"""`agent model`: the chat models of this machine and of the catalogue."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agent.cli.progress import fetching
from agent.cli.render import console, print_json, print_table
from agent.cli.stopping import INTERRUPTED
from agent.errors import InputError, ModelError
from agent.models import store
from agent.models.catalog import Entry, catalog, entry_of, recommended
from agent.models.engine import HOW_TO_INSTALL
from agent.models.fit import gpu_bytes, memory_bytes, total_layers
from agent.models.hardware import (
    ALL_LAYERS,
    backends,
    devices,
    gpus,
    offloaded_layers,
    processor,
    ram_bytes,
)
from agent.models.header import Header, read_header
from agent.models.names import check_allowed, is_server, server_of
from agent.models.store import EXTRACTIVE, Installed
from agent.settings import Settings, read_settings

NAMED = 5  # models of a server that a line names


def list_models(*, as_json: bool) -> None:
    """The models of the catalogue and those that are installed beside them."""
    from agent.models.pull import unfinished

    settings = read_settings()
    folder = settings.models_folder
    found, best, used = store.installed(folder), best_here(), _used(folder)
    rows = [_catalogued(one, found, best, used) for one in catalog()]
    rows += [_own(one, used) for one in found if _entry(one) is None]
    here = {str(one.path) for one in found}
    rows += [_elsewhere(rung) for rung in used if rung != EXTRACTIVE and rung not in here]
    if as_json:
        print_json({"models": rows, "default": ",".join(used), "folder": str(folder)})
        return
    print_table([_shown(row) for row in rows], console())
    for file, size in unfinished(folder):
        print(f"begun: {file}, {shown_size(size)}: pull it again and it goes on", file=sys.stderr)
    if not found and best:
        print(f"`agent model pull` gets {best.name}, the recommended one", file=sys.stderr)


def _catalogued(
    one: Entry, found: Sequence[Installed], best: Entry | None, used: Sequence[str]
) -> dict[str, Any]:
    here = next((model for model in found if _entry(model) == one), None)
    return {
        "name": one.name,
        "repository": one.repository,
        "file": one.file,
        "installed": here is not None,
        "default": here is not None and str(here.path) in used,
        "recommended": one == best,
        "size_bytes": here.size_bytes if here else round(one.size_gb * 1e9),
        "memory_bytes": round(one.memory_gb * 1e9),
        "languages": list(one.languages),
        "licence": one.licence,
        "thinks": one.thinks,
        "note": one.note,
        "path": str(here.path) if here else "",
    }


def _own(one: Installed, used: Sequence[str]) -> dict[str, Any]:
    return {
        "name": one.name,
        "repository": one.about.get("repository", ""),
        "file": one.about.get("file", one.path.name),
        "installed": True,
        "default": str(one.path) in used,
        "recommended": False,
        "size_bytes": one.size_bytes,
        "memory_bytes": 0,
        "languages": [],
        "licence": "",
        "thinks": False,
        "note": "",
        "path": str(one.path),
    }


def _elsewhere(rung: str) -> dict[str, Any]:
    """A rung of the default that lies outside the models' folder."""
    path = Path("") if is_server(rung) else Path(rung)
    size = path.stat().st_size if path.is_file() else 0
    return _own(Installed(rung if is_server(rung) else path.stem, path, size, {}), ()) | {
        "installed": False,
        "default": True,
        "path": "" if is_server(rung) else str(path),
        "file": path.name,
    }


def _shown(row: dict[str, Any]) -> list[str]:
    state = "default" if row["default"] else "installed" if row["installed"] else ""
    marks = ", ".join(mark for mark in (state, "recommended" if row["recommended"] else "") if mark)
    needs = f"needs {row['memory_bytes'] / 1e9:.0f} GB" if row["memory_bytes"] else ""
    notes = [
        ", ".join(row["languages"]),
        "thinks first" if row["thinks"] else "",
        row["note"],
        row["licence"],
    ]
    about = "; ".join(part for part in notes if part) or row["path"]
    return [
        marks or "-",
        row["name"],
        shown_size(row["size_bytes"]) if row["size_bytes"] else "",
        needs,
        about,
    ]


def pull_model(given: Sequence[str], *, as_json: bool) -> int:
    """Download a model, the recommended one where none is named; it answers where none was chosen yet.

    The exit code: that of Ctrl-C where this cut it short.
    """
    from agent.models.pull import Wanted, pull, unfinished, wanted

    settings = read_settings()
    if given:
        want = wanted(given)
    else:
        best = best_here()
        if best is None:
            raise ModelError("no model of the catalogue fits this machine: give one, as OWNER/NAME FILE.gguf")
        _tell(f"recommended for this machine: {best.name}")
        want = Wanted(best.repository, best.file)
    waiting = f"another pull of {want.file} is at work: waiting for it"
    try:
        with _progress() as on_bytes:
            model = pull(want, settings.models_folder, on_bytes, lambda: _tell(waiting))
    except KeyboardInterrupt:
        kept = next((size for file, size in unfinished(settings.models_folder) if file == want.file), 0)
        again = shlex.join(["agent", "model", "pull", *given])
        _tell(f"stopped: {shown_size(kept)} of {want.file} are kept; `{again}` goes on from there")
        return INTERRUPTED
    if not model.about.get("checked"):
        _tell("the hub names no SHA-256 for it: only its size and its header were looked at")
    if not store.choice(settings.models_folder):
        store.use(settings.models_folder, str(model.path))
    if as_json:
        print_json(_described(model.path, settings, model))
    else:
        print(f"{model.name}: {model.path}")
    _tell(
        "it answers from now on; `agent model use extractive` goes back to quotations"
        if str(model.path) in _used(settings.models_folder)
        else f"`agent model use {shlex.quote(model.name)}` makes it the default"
    )
    _tell_of_llama()
    return 0


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Tells the size, then shows on a terminal how much of it is there."""
    told = False
    with fetching() as show:

        def on_bytes(done: int, size: int) -> None:
            nonlocal told
            if not told:
                _tell(f"{shown_size(size)}{f', {shown_size(done)} are there already' if done else ''}")
                told = True
            show(done, size)

        yield on_bytes


def _tell_of_llama() -> None:
    if find_spec("llama_cpp") is None:
        _tell(f"what runs it is missing: `{HOW_TO_INSTALL}`, or `agent setup --gpu auto`")


def use_model(name: str) -> None:
    """Make a model the default."""
    from agent.deps import build_chat_model

    settings = read_settings()
    folder = settings.models_folder
    for rung in store.rungs(folder, name):
        if is_server(rung):
            check_allowed(server_of(rung)[1], allow_remote=settings.allow_remote)
        else:
            build_chat_model(settings, rung)
    kept = store.use(folder, name)
    print("answers are quotations from now on" if kept == EXTRACTIVE else f"{kept} answers from now on")


def remove_model(name: str, *, yes: bool) -> None:
    """Delete a model, after asking."""
    folder = read_settings().models_folder
    path = store.find(folder, name)
    size = shown_size(path.stat().st_size)
    if not yes and store.model_at(folder, path):
        if not sys.stdin.isatty():
            raise InputError(f"{path} ({size}) would be deleted: say --yes")
        if input(f"delete {path} ({size})? [y/N] ").strip().casefold() not in ("y", "yes"):
            raise InputError("nothing was deleted")
    removed = store.remove(folder, name)
    print(f"{removed.name} is deleted: {size} are free again")


def show_model(name: str, *, measure: bool | None, as_json: bool) -> None:
    """What a model is, the default one where none is named, and how it runs here.

    `measure`: whether to load it for that; by default where it never was measured.
    """
    settings = read_settings()
    rungs = [one for one in store.rungs(settings.models_folder, name or settings.model) if one != EXTRACTIVE]
    if not rungs:
        raise InputError(f"no chat model is used: answers are quotations; {store.HOW_TO_GET}")
    if len(rungs) > 1:
        raise InputError(f"name one of the ladder: {', '.join(rungs)}")
    if is_server(rungs[0]):
        raise InputError(f"{rungs[0]} is on a server, which tells nothing of it: `agent doctor` looks at it")
    path = Path(rungs[0])
    model = store.model_at(settings.models_folder, path)
    about = _described(path, settings, model)
    if measure is not False:
        about |= _measured(settings, path, again=bool(measure))
    if as_json:
        print_json(about)
        return
    rows = [
        [key.replace("_", " "), _plain(key, value)] for key, value in about.items() if value not in ("", [])
    ]
    print_table([[key.removesuffix(" bytes"), value] for key, value in rows], console())
    _tell_of_llama()


def _measured(settings: Settings, path: Path, *, again: bool = False) -> dict[str, Any]:
    """How the model was loaded here and how fast it was, measured now where it never was.

    Nothing where what runs it is missing. Raises `ModelError` where it does not load.
    """
    if find_spec("llama_cpp") is None:
        return {}
    from agent.models import speeds

    found = None if again else speeds.kept(settings, path)
    if found is None:
        if sys.stderr.isatty():
            _tell(f"measuring {path.name}")
        found = speeds.measure(settings, path)
    return {**found}


def _plain(key: str, value: Any) -> str:
    if key.endswith("_bytes"):
        return shown_size(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _described(path: Path, settings: Settings, model: Installed | None) -> dict[str, Any]:
    """What its header says, and what of it this machine's GPUs take."""
    header = read_header(path)
    about = model.about if model else {}
    return {
        "name": model.name if model else path.name,
        "path": str(path),
        "size_bytes": path.stat().st_size,
        "architecture": header.architecture,
        "model": str(header.values.get("general.name", "")),
        "licence": str(header.values.get("general.license", "")),
        "repository": about.get("repository", ""),
        "revision": about.get("revision", ""),
        "sha256": about.get("sha256", ""),
        "chat_template": "tokenizer.chat_template" in header.values,
        "trained_context_tokens": header.context_tokens,
        "context_tokens": settings.context_tokens,
        "memory_bytes": memory_bytes(header, settings.context_tokens),
        "backend": backends() or ["cpu"],
        "devices": [one.name for one in devices()] or [processor()],
        "layers": total_layers(header),
        "layers_offloaded": planned(settings, header)[0],
    }


def planned(settings: Settings, header: Header, taken_bytes: int = 0) -> tuple[int, int]:
    """Layers that a load would put on a GPU now, and the bytes that they take there.

    `taken_bytes`: what is planned for the rungs before it.
    """
    if not backends():
        return 0, 0
    context = settings.context_tokens
    asked = offloaded_layers(settings.gpu_layers, header, context, taken_bytes=taken_bytes)
    layers = total_layers(header) if asked == ALL_LAYERS else min(asked, total_layers(header))
    return layers, gpu_bytes(header, context, layers)


def best_here() -> Entry | None:
    """The entry of the catalogue that suits this machine."""
    return recommended(ram_bytes(), [one.total_bytes for one in gpus()])


def findings(settings: Settings) -> list[tuple[str, bool, str]]:
    """What `agent doctor` says: the GPUs, and the chat model that answers."""
    found = []
    usable = devices()
    for one in usable or gpus():
        memory = f"{one.free_bytes / 1e9:.1f} of {one.total_bytes / 1e9:.1f} GB free"
        unused = "" if usable else "; llama.cpp is built without it: `agent setup --gpu auto`"
        found.append(("GPU", True, f"{one.name}, {memory}{unused}"))
    try:
        rungs = store.rungs(settings.models_folder, settings.model)
    except ModelError as error:
        return [*found, ("chat model", False, str(error))]
    if rungs == (EXTRACTIVE,):
        return [*found, ("chat model", True, f"none, answers are quotations: {store.HOW_TO_GET}")]
    taken = 0
    for rung in rungs:
        if rung != EXTRACTIVE:
            finding, size = _model_finding(settings, rung, taken)
            found.append(finding)
            taken += size
    return found


def _model_finding(settings: Settings, rung: str, taken_bytes: int) -> tuple[tuple[str, bool, str], int]:
    """What is to be said of a rung, and the bytes that it takes of the GPUs."""
    name = "chat model"
    try:
        if is_server(rung):
            model, url = server_of(rung)
            check_allowed(url, allow_remote=settings.allow_remote)
            return (name, True, f"{model}, on the server {url}{_as_named(model, url)}"), 0
        path = Path(rung)
        header = read_header(path)
        if find_spec("llama_cpp") is None:
            return (name, False, f"{path.name}: what runs it is missing: {HOW_TO_INSTALL}"), 0
        speed = _measured(settings, path)
    except ModelError as error:
        return (name, False, str(error)), 0
    layers, size = planned(settings, header, taken_bytes)
    where = ", ".join([one.name for one in devices()] or [processor()])
    said = [
        f"{path.name}: {header.architecture}",
        shown_size(path.stat().st_size),
        f"{' and '.join(backends() or ['cpu'])} ({where})",
        f"{layers} of {total_layers(header)} layers on the GPU",
        f"context {speed['context_tokens']}",
        f"{speed['prompt_tokens_per_s']:g} tokens per second read",
        f"{speed['generated_tokens_per_s']:g} written",
    ]
    return (name, True, ", ".join(said)), size


def _as_named(model: str, url: str) -> str:
    """Whether the server knows it by that name. Raises `ModelError` where nothing answers."""
    from agent.models.server import models_of

    named = models_of(url)
    if not named:
        return ", which does not tell what models it has"
    if model in named:
        return ", which has it"
    shown = ", ".join(named[:NAMED]) + (", ..." if len(named) > NAMED else "")
    return f", which has {shown} and none of that name: it may refuse it, or answer with its own"


def shown_size(size: int) -> str:
    """Bytes as gigabytes, or megabytes where that is less than a tenth of one."""
    return f"{size / 1e9:.1f} GB" if size >= 5e7 else f"{size / 1e6:.1f} MB"


def _entry(model: Installed) -> Entry | None:
    return entry_of(model.about.get("repository", ""), model.about.get("file", ""))


def _used(folder: Path) -> tuple[str, ...]:
    """The rungs of the default; quotations alone for none, or one that is gone."""
    try:
        return store.rungs(folder, "")
    except ModelError:
        return (EXTRACTIVE,)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
