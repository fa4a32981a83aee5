"""`agent setup`: the embedder, the library embedded again with another one, and llama.cpp for a GPU."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from agent.assistant import Agent
from agent.cli.progress import counting, following
from agent.cli.progress import line as spinning
from agent.cli.stopping import INTERRUPTED
from agent.deps import build_embedder, prepare
from agent.errors import ModelError
from agent.settings import Settings, read_settings
from retrieval.embed import Embedder
from retrieval.store import Store

if TYPE_CHECKING:
    from agent.models.build import Step


def set_up(
    embedder: str | None = None,
    rerank: str | None = None,
    scorer: str | None = None,
    *,
    reembed: bool = False,
) -> int:
    """Have the embedder, the re-ranker and the scorer ready and try them; an empty library takes the first.

    Only what is named here is downloaded. `reembed`: a full library takes the embedder on as well. The exit
    code: that of Ctrl-C where this cut short the embedding of a library.
    """
    settings = read_settings(embedder=embedder, rerank_model=rerank, scorer_model=scorer)
    if embedder or rerank or scorer:
        _go_online()
    if settings.rerank_model not in ("", "off", "built-in"):
        _ready_to_rerank(settings, download=bool(rerank))
    if settings.scorer_model not in ("off", "built-in"):
        _ready_to_score(settings, download=bool(scorer))
    if not (embedder or reembed or settings.library_folder.exists()):
        _ready(settings, "", download=False)
        return 0
    with Agent(settings) as assistant:
        store = assistant.library.store
        ready = _ready(settings, store.embedder_name(), download=bool(embedder))
        try:
            _take_on(store, ready, reembed=reembed)
        except KeyboardInterrupt:
            done, total = store.next_count()
            _tell(
                f"stopped: {done} of {total} chunks are embedded and kept; the library answers as before; "
                f"`agent setup --embedder {shlex.quote(ready.name or ready.model_id)} --reembed` goes on"
            )
            return INTERRUPTED
        assistant.library.save_index()
    return 0


def _go_online() -> None:
    """Import what downloads, which reads once whether it may: an Agent takes its process offline."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import huggingface_hub.constants  # noqa: F401


def set_up_gpu(asked: str, *, wheel: bool, dry_run: bool, yes: bool) -> int:
    """Build llama.cpp for a kind of GPU, showing first what is run; the exit code."""
    from agent.models import build
    from agent.models.hardware import backends, cuda_version, gpu_kind

    kind = gpu_kind() if asked == "auto" else asked
    if asked == "auto" and kind == "cpu":
        _tell("no GPU that llama.cpp computes with was found")
    if kind in (backends() or ["cpu"]) and build.offloads() is not None:
        _tell(f"llama.cpp computes with {kind} already: there is nothing to build")
        return 0 if dry_run else _try_out(kind)
    index = build.wheel_index(kind, cuda_version()) if wheel else ""
    installer = build.installer_here()
    missing = [] if index else build.gaps(kind)
    if wheel and not index:
        missing = [
            "nvidia-smi tells of no CUDA that a ready-made build is for: leave out --wheel to build it"
        ]
    if not installer:
        missing.append("nothing installs packages here: install uv, or run `python -m ensurepip`")
    _tell(f"llama.cpp for {kind}, by {index or 'a build on this machine, which takes some minutes'}:")
    wheels = read_settings().cache_folder / f"llama-{kind}"
    todo = build.steps(kind, installer or ("pip",), wheels, build.requirement(), index)
    print("\n".join(map(str, todo)))
    for line in missing:
        print(f"error: {line}", file=sys.stderr)
    if missing:
        return 1
    if dry_run or not (yes or _agreed()):
        _tell("nothing was changed")
        return 0
    shutil.rmtree(wheels, ignore_errors=True)  # of a build that was killed
    try:
        return _build(kind, todo)
    finally:
        shutil.rmtree(wheels, ignore_errors=True)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        _tell("--yes runs it")
        return False
    return input("run this? [y/N] ").strip().casefold() in ("y", "yes")


_REASONS = {
    None: "what was built does not start",
    False: "what was built finds no GPU",
    True: "what was built is not for the CPU alone",
}


def _build(kind: str, todo: list[Step]) -> int:

    log = read_settings().cache_folder / f"build-{kind}.log"
    _tell(f"at work; the log is {log}")
    try:
        return _built(kind, todo, log)
    except KeyboardInterrupt:
        _tell(f"stopped: what was installed before is in place; `agent setup --gpu {kind}` begins again")
        return INTERRUPTED


def _built(kind: str, todo: list[Step], log: Path) -> int:
    from agent.models import build

    with build.kept() as put_back:
        with following(f"building llama.cpp for {kind}", log):
            failed = build.run(todo, log)
            works = None if failed else build.offloads()
        if works is None or works != (kind != "cpu"):
            put_back()
            print(build.tail(log), file=sys.stderr)
            reason = "the build failed" if failed else _REASONS[works]
            print(f"error: {reason}; what was installed before is back. The log: {log}", file=sys.stderr)
            return 1
    _tell(f"llama.cpp computes with {kind} now")
    return _try_out(kind)


def _try_out(kind: str) -> int:
    """Load the model that answers, where there is one, and see that it comes to lie on the GPU."""
    from agent.models import build
    from agent.models.store import chosen

    settings = read_settings()
    try:
        model = chosen(settings.models_folder, settings.model)
    except ModelError:
        model = None
    if model is None:
        _tell("no chat model is here to try it with: `agent model pull`")
        return 0
    tried = build.tried(model)
    if tried is None or (kind != "cpu" and not tried["gpu_bytes"]):
        why = "could not be loaded" if tried is None else "was loaded, but nothing of it lies on the GPU"
        print(f"error: {model.name} {why}: `agent ask --model {model}` says more", file=sys.stderr)
        return 1
    where = f"{tried['gpu_bytes'] / 1e9:.1f} GB of it on the GPU" if kind != "cpu" else "on the CPU"
    _tell(f"tried with {model.name}: {where}")
    return 0


def _ready(settings: Settings, stored: str, *, download: bool) -> Embedder:
    started = time.perf_counter()
    with nullcontext() if download else spinning("preparing the embedder"):  # a download has bars of its own
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


def _ready_to_score(settings: Settings, *, download: bool) -> None:
    from agent.critic.scorers import CrossEncoderScorer
    from retrieval.rerank import prepare_reranker

    name = settings.scorer_model
    file = prepare_reranker(name, settings.cache_folder, download=download)
    CrossEncoderScorer(name, settings.cache_folder).score([("ready", "ready")])
    _tell(f"scorer ready: {file}; AGENT_SCORER_MODEL={name} turns it on")


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
    from retrieval.reembed import reembed

    with counting("embedding") as advance:
        return reembed(store, embedder, advance, _say_waiting)


def _say_waiting() -> None:
    _tell("another `agent setup --reembed` is at work on this library: waiting for it")


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
