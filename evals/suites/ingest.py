"""Adding a folder of documents: how fast against the usual stack in the same run, and in how much memory.

The documents are those of `docs_en` and `docs_zh` in the data folder, `--limit` of them spread evenly over
each. Ours and theirs (`evals.ingesters`) take turns, each in a fresh process; the order alternates. Where
`langchain-text-splitters` is missing, theirs cuts at fixed lengths, which is faster. Of Chinese our default
embedder gives no vectors, as it is blind to it, while theirs embeds unknown tokens: no fair match.

Memory: the peak of a process that adds the folder, and of one that adds ten altered copies of it.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.deps import prepare
from agent.settings import read_settings

REPEATS = 2
COPIES = 10
_WORDS_LAST = re.compile(r"(?<=\w)[.。]?$", re.MULTILINE)

CHILD = "import sys; from evals import ingesters; getattr(ingesters, sys.argv[1])(*sys.argv[2:])"


def measure(data: Path, lang: str | None = None, limit: int | None = None, what: str = "") -> dict[str, Any]:
    """By folder. `what`: "speed" or "memory" alone; both by default."""
    folders = [folder for folder in sorted(data.glob("docs_*")) if lang in (None, folder.name[5:])]
    if not folders or what not in ("", "speed", "memory"):
        sys.exit(f"no docs_en or docs_zh in {data}" if not folders else f"no such part: ingest:{what}")
    out: dict[str, Any] = {}
    for folder in folders:
        texts = spread([file.read_text(encoding="utf-8") for file in sorted(folder.rglob("*.md"))], limit)
        out[folder.name] = {"files": len(texts), "characters": sum(map(len, texts))}
        if what != "memory":
            out[folder.name] |= speed(texts)
        if what != "speed":
            out[folder.name] |= memory(texts)
    return out


def spread(texts: Sequence[str], limit: int | None) -> list[str]:
    """So many of the texts, evenly spread over all; all of them by default."""
    count = min(limit or len(texts), len(texts))
    return [texts[n * len(texts) // count] for n in range(count)]


def speed(texts: Sequence[str]) -> dict[str, Any]:
    """Seconds, median of `REPEATS`, and how many times as long theirs takes; cold: with imports and model."""
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as name:
        docs = write(Path(name) / "docs", texts)
        for turn in range(REPEATS):
            for who in ("ours", "theirs") if turn % 2 == 0 else ("theirs", "ours"):
                found[who].append(run(who, docs))
    ratios = {
        key: [b[key] / a[key] for a, b in zip(found["ours"], found["theirs"], strict=True)]
        for key in ("seconds", "processor seconds", "seconds of the process")
    }
    out: dict[str, Any] = {}
    for who, runs in found.items():
        out[who] = {**runs[0], **{key: statistics.median(one[key] for one in runs) for key in ratios}}
    out["times as fast"] = statistics.median(ratios["seconds"])
    out["range"] = [min(ratios["seconds"]), max(ratios["seconds"])]
    out["times as fast, processor time"] = statistics.median(ratios["processor seconds"])
    out["times as fast, cold"] = statistics.median(ratios["seconds of the process"])
    return out


def memory(texts: Sequence[str]) -> dict[str, Any]:
    """Peak megabytes of adding the texts, and ten copies of them that share no passage."""
    out: dict[str, Any] = {}
    for copies in (1, COPIES):
        with tempfile.TemporaryDirectory() as name:
            docs = Path(name) / "docs"
            for copy in range(copies):
                write(docs / str(copy), [altered(text, copy) for text in texts] if copy else texts)
            told = run("ours", docs)
        out[f"memory at {copies}x"] = {
            key: told[key] for key in ("files", "chunks", "embedded", "seconds", "MB when ready", "peak MB")
        }
    peaks = [out[f"memory at {copies}x"]["peak MB"] for copies in (1, COPIES)]
    return {**out, f"peak at {COPIES}x / peak at 1x": peaks[1] / peaks[0]}


def altered(text: str, copy: int) -> str:
    """Another text of the same form: its first line, and each that ends in a word, with a number."""
    first, _, rest = text.partition("\n")
    return f"{first} {copy}\n" + _WORDS_LAST.sub(lambda match: f" {copy}{match.group()}", rest)


def write(folder: Path, texts: Sequence[str]) -> Path:
    folder.mkdir(parents=True)
    for n, text in enumerate(texts):
        (folder / f"{n:05}.md").write_text(text, encoding="utf-8")
    return folder


def run(who: str, docs: Path) -> dict[str, Any]:
    """What one way told of itself, in a process of its own, and how long the whole process took."""
    cache = prepare(read_settings())[0].parent.parent
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "cache").symlink_to(cache)
        command = [sys.executable, "-c", CHILD, who, str(docs), *([home] if who == "ours" else [])]
        started = time.perf_counter()
        quiet = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(command, env=quiet, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - started
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**told, "seconds of the process": seconds}
