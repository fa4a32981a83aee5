"""`agent why`, `runs`, `graph` and `doctor`: looking at what is there."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from agent.assistant import Agent
from agent.cli.render import console, print_json, print_table
from agent.config import resolve_here
from agent.deps import build_embedder, build_scorer, build_verifier, reranker_loader
from agent.errors import InputError, SettingsError
from agent.runs import Node, tree
from agent.settings import Settings, read_settings
from retrieval.embed import MIN_COVERAGE, EmbedderError
from retrieval.library import STORE_FILE
from retrieval.store import StoreError

PACKAGES = (
    "toulmin",
    "langgraph",
    "langchain-core",
    "faiss-cpu",
    "onnxruntime",
    "tokenizers",
    "llama-cpp-python",
)
SAMPLES = {
    "English": "When was the treaty signed, and by whom?",
    "Chinese": "条约是什么时候签署的，由谁签署？",
}

# Down the middle each node leads on to the next; other ways leave beside a node, and arrive above one.
GRAPH = """\
            START
              │
            recall ─────────────────────────╮
              │                             │
            plan ──────────┬─────┬─────╮    │
              │            │     │     │    │
            sweep ─────────│─────│─────┤    │
   ╭─────────▸┼◂───────────╯     │     │    │
   │        retrieve ────────────│─────┤    │
   │          ├◂─────────────────╯     │    │
   │        act                        │    │
   │    ╭────▸┼◂───────────────────────╯    │
   │    │   draft                           │
   │    │     │                             │
   ├────│── critique ───────────────────────┤
   │    │     │                             │
   ╰────┴── reformulate                     │
              ├◂────────────────────────────╯
            settle
              │
            remember
              │
            END"""

MUCH_BLIND_CHUNKS = 20  # below both of these the odd chunk without a word is meant
MUCH_BLIND_SHARE = 0.1
BLIND_ADVICE = (
    "are found by their words only, as the embedder does not know their language; a multilingual one does: "
    "`agent setup --embedder intfloat/multilingual-e5-small --reembed` (downloads 0.5 GB once, MIT) or "
    "paraphrase-multilingual-MiniLM-L12-v2 (Apache-2.0)"
)


def show_run(run_id: str, *, as_json: bool) -> None:
    found = _found(run_id)
    if as_json:
        print_json(_whole(found))
        return
    from rich.text import Text
    from rich.tree import Tree

    def grow(node: Node) -> Tree:
        line, below = node
        branch = Tree(Text(line), guide_style="dim")
        branch.children = [grow(one) for one in below]
        return branch

    console().print(grow(tree(found)))


def write_page(run_id: str, file: Path, *, force: bool) -> None:
    """A run as an HTML page in a file, which only another such page is replaced in; `-` is stdout."""
    from agent.page import page_of

    found = _found(run_id)
    page = page_of(_whole(found))
    if str(file) == "-":
        sys.stdout.write(page)
        return
    try:
        _replace(Path(os.path.realpath(file.expanduser())), page, force=force)
    except (OSError, RuntimeError) as error:  # RuntimeError: ~nobody/x.html
        raise InputError(f"{file} cannot be written: {getattr(error, 'strerror', error)}") from error
    print(f"run {found['id']} written to {file}")


def _replace(target: Path, page: str, *, force: bool) -> None:
    """Write a page in one step, so that no half of one is ever seen."""
    if target.exists():
        if not target.is_file():
            raise InputError(f"{target} is no file: give another")
        if not force and not _is_own_page(target):
            raise InputError(f"{target} exists and is no page of a run: --force replaces it")
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        part.write_text(page, encoding="utf-8", newline="\n")
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _is_own_page(file: Path) -> bool:
    from agent.page import is_page_of_a_run

    with file.open(encoding="utf-8", errors="replace") as opened:
        return is_page_of_a_run(opened.read(1000))


def _found(run_id: str) -> dict[str, Any]:
    """A recorded run, the latest for "". Raises `InputError` when there is none."""
    with Agent(read_settings()) as assistant:
        found = assistant.library.store.run(run_id or None)
    if found is None:
        raise InputError(
            f"no run {run_id!r}: `agent runs` lists them" if run_id else "no runs yet: ask something"
        )
    return found


def _whole(run: dict[str, Any]) -> dict[str, Any]:
    """What `agent why --json` prints."""
    return {**run["payload"], "run_id": run["id"], "created_s": run["created_s"]}


def list_runs(limit: int, *, as_json: bool) -> None:
    with Agent(read_settings()) as assistant:
        found = assistant.library.store.runs(limit)
    if as_json:
        print_json({"runs": found})
        return
    rows = [
        [
            r["id"],
            _minute(r["created_s"]),
            r["outcome"],
            r["question"],
        ]
        for r in found
    ]
    print_table(rows, console())
    if not rows:
        print("no runs yet", file=sys.stderr)


def prune_runs(days: int, *, as_json: bool) -> None:
    with Agent(read_settings()) as assistant:
        pruned = assistant.library.store.prune_runs(time.time() - days * 86_400)
    if as_json:
        print_json({"pruned": pruned})
    else:
        print(f"{pruned} runs forgotten")


def _minute(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s))


def print_graph(*, mermaid: bool) -> None:
    """The state machine, drawn on a terminal; as Mermaid in a pipe, where a program reads it."""
    from agent.graph import build_graph

    print(build_graph().get_graph().draw_mermaid() if mermaid or not sys.stdout.isatty() else GRAPH)


Finding = tuple[str, bool, str]  # what was looked at, whether it is well, what was seen and what to do


def examine(*, as_json: bool) -> int:
    """Print every finding; 1 when one is broken."""
    found = resolve_here({})
    settings = found.usable()
    checks: tuple[Callable[[Settings], list[Finding]], ...] = (
        _versions,
        _embedder,
        _reranker,
        _verifier,
        _library,
        _llama,
    )
    findings = [("settings", False, problem) for problem in found.problems]
    findings += [("settings", True, note) for note in found.notes]
    findings += [finding for check in checks for finding in check(settings)]
    if as_json:
        print_json({"findings": [{"name": n, "ok": ok, "detail": d} for n, ok, d in findings]})
    else:
        print_table([["ok" if ok else "BROKEN", name, detail] for name, ok, detail in findings], console())
    return 0 if all(ok for _, ok, _ in findings) else 1


def _versions(settings: Settings) -> list[Finding]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return [("versions", True, f"{python}, {', '.join(found)}")]


def _embedder(settings: Settings) -> list[Finding]:
    stored = ""
    if settings.library_folder.exists():
        with suppress(StoreError, sqlite3.DatabaseError), Agent(settings) as assistant:
            stored = assistant.library.store.embedder_name()
    try:
        embedder = build_embedder(settings, stored)
        embedder.embed(["ready"])
    except EmbedderError as error:
        return [("embedder", False, str(error))]
    except Exception as error:  # a damaged ONNX file, whatever ONNX Runtime says of it
        target = settings.cache_folder / "onnx"
        return [("embedder", False, f"{type(error).__name__}: remove {target} and run `agent setup`")]
    findings = [("embedder", True, f"{embedder.model_id}, {embedder.dim} dimensions")]
    for language, sample in SAMPLES.items():
        share = embedder.coverage(sample)
        blind = "" if share >= MIN_COVERAGE else ": blind to it, searched by words only"
        findings.append((f"embedder, {language}", True, f"knows {share:.0%} of the tokens{blind}"))
    if reason := getattr(embedder, "reason", ""):
        findings.append(("embedder, speed", True, f"slow: torch runs it, because {reason}"))
    return findings


OFF = "off, as the verifier is"


def _reranker(settings: Settings) -> list[Finding]:
    try:
        load = reranker_loader(settings)
        if load is None:
            return [("re-ranker", True, OFF)] if settings.rerank_model == "built-in" else []
        load().score("ready", ["ready"])
    except (EmbedderError, SettingsError) as error:
        return [("re-ranker", False, str(error))]
    return [("re-ranker", True, settings.rerank_model)]


def _verifier(settings: Settings) -> list[Finding]:
    """The built-in encoder, or another's file, and the scorer in its place."""
    found: list[Finding] = []
    try:
        verifier = build_verifier(settings)
        if verifier:
            verifier.check([("ready", "ready")])
        found.append(("verifier", True, settings.verifier))
        scorer = build_scorer(settings)
        if scorer and settings.scorer_model != "built-in":
            scorer.score([("ready", "ready")])
            found.append(("scorer", True, settings.scorer_model))
        elif not scorer and settings.scorer_model == "built-in":
            found.append(("scorer", True, OFF))
    except (EmbedderError, SettingsError) as error:
        found.append(("scorer" if found else "verifier", False, str(error)))
    return found


def _library(settings: Settings) -> list[Finding]:
    folder = settings.library_folder
    if not folder.exists():
        place = next((parent for parent in folder.parents if parent.exists()), folder)
        if not (place.is_dir() and os.access(place, os.W_OK)):
            return [("library", False, f"{folder} cannot be made: set AGENT_HOME to a folder of your own")]
        return [("library", True, f"none yet at {folder}: `agent add PATH` makes it")]
    try:
        with Agent(settings) as assistant:
            store = assistant.library.store
            verdict = store.check()
            rows = store.counts()
            counts = ", ".join(f"{n} {name}" for name, n in rows.items())
            more = "; open for reading only" if store.read_only else ""
    except StoreError as error:
        damaged = isinstance(error.__cause__, sqlite3.DatabaseError)
        return [("library", False, str(error)), *(_left_of(folder) if damaged else [])]
    except sqlite3.DatabaseError as error:
        return [("library", False, f"{folder} is damaged: {error}"), *_left_of(folder)]
    if verdict != "ok":
        return [("library", False, f"{folder} is damaged: {verdict}"), *_left_of(folder)]
    sqlite, faiss = (
        sum(file.stat().st_size for file in folder.glob(name)) / 1e6 for name in ("library.*", "vectors.*")
    )
    size = f"SQLite {sqlite:.1f} MB, FAISS {faiss:.1f} MB"
    findings = [("library", True, f"{folder}: {counts}; {size}{more}")]
    blind = rows["chunks"] - rows["vectors"]
    if blind >= MUCH_BLIND_CHUNKS and blind >= MUCH_BLIND_SHARE * rows["chunks"]:
        findings.append(("library, meaning", True, f"{blind} of {rows['chunks']} chunks {BLIND_ADVICE}"))
    return findings


def _left_of(folder: Path) -> list[Finding]:
    """What can be saved of a library that cannot be used, and how."""
    from retrieval.salvage import readable

    left = readable(folder / STORE_FILE)
    if left is None or not any((left.documents, left.records, left.runs)):
        return [("saving it", False, "nothing can be read: restore a backup, or move it away and add again")]
    counted = f"{left.documents} documents, {left.records} records and {left.runs} runs can be read"
    how = "`agent backup --salvage FILE` saves them, `agent backup --restore --force FILE` opens them"
    return [("saving it", False, f"{counted}: {how}; or restore a backup")]


def _llama(settings: Settings) -> list[Finding]:
    from agent.cli.models import findings
    from agent.models.engine import gpu_backend

    return [("llama.cpp", True, gpu_backend()), *findings(settings)]
