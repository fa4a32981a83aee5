"""`agent setup`: the embedder, and the library embedded again with another one."""

from __future__ import annotations

import sys
import time

from agent.assistant import Agent
from agent.cli.render import console
from agent.deps import build_embedder, prepare
from agent.settings import Settings, read_settings
from retrieval.embed import Embedder
from retrieval.store import Store


def set_up(embedder: str | None = None, rerank: str | None = None, *, reembed: bool = False) -> None:
    """Have the embedder and the re-ranker ready, try them once, and have an empty library take the former on.

    Only what is named here is downloaded. `reembed`: a full library takes the embedder on as well.
    """
    settings = read_settings(embedder=embedder, rerank_model=rerank)
    if settings.rerank_model:
        _ready_to_rerank(settings, download=bool(rerank))
    if not (embedder or reembed or settings.library_folder.exists()):
        _ready(settings, "", download=False)
        return
    with Agent(settings) as assistant:
        store = assistant.library.store
        ready = _ready(settings, store.embedder_name(), download=bool(embedder))
        _take_on(store, ready, reembed=reembed)
        assistant.library.save_index()


def _ready(settings: Settings, stored: str, *, download: bool) -> Embedder:
    started = time.perf_counter()
    file, reason = prepare(settings, stored, repair=True, download=download)
    embedder = build_embedder(settings, stored)
    embedder.embed(["ready"])
    _tell(f"embedder ready: {embedder.model_id}, {file} ({time.perf_counter() - started:.1f} s)")
    if reason:
        _tell(f"it is slow, as torch has to run it: {reason}")
    return embedder


def _ready_to_rerank(settings: Settings, *, download: bool) -> None:
    from retrieval.rerank import load_reranker, prepare_reranker

    name = settings.rerank_model
    file = prepare_reranker(name, settings.cache_folder, download=download)
    load_reranker(name, settings.cache_folder).score("ready", ["ready"])
    _tell(f"re-ranker ready: {file}; AGENT_RERANK_MODEL={name} turns it on")


def _take_on(store: Store, embedder: Embedder, *, reembed: bool) -> None:
    before = store.embedder()
    chunks = store.counts()["chunks"]
    if before == (embedder.model_id, embedder.prompts):
        return
    if chunks and not reembed:
        name = before[0] if before else "no embedder"
        _tell(
            f"the library was embedded with {name} and stays so: `agent setup --embedder {embedder.name} "
            f"--reembed` embeds its {chunks} chunks again"
        )
        return
    started = time.perf_counter()
    embedded = _embed_again(store, embedder)
    if chunks:
        _tell(f"embedded {embedded} chunks again ({time.perf_counter() - started:.1f} s)")


def _embed_again(store: Store, embedder: Embedder) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from retrieval.reembed import reembed

    columns = (TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=None)
        return reembed(store, embedder, lambda done, total: bar.update(task, completed=done, total=total))


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
