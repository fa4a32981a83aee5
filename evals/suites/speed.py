"""Speed and memory, as ratios against a named baseline in the same run.

`cold`: whole commands in fresh processes, in turn, against `python -c pass`; nothing is remembered, as a
question that was asked before is answered sooner. `embed`: the shipped embedder against
`SentenceTransformer.encode` with the same weights and texts, interleaved (that part alone needs torch).
`--part retrieval`: the kinds of index against exact search, at 10,000 and 100,000 vectors, or as many as
`--part retrieval:N` says (`evals.suites.sizes`; a million take some ten minutes and 8 GB of disk).
`--part ingest`: adding folders of documents (`evals.suites.ingest`); `ingest:speed`, `ingest:memory` alone.
`--part hybrid:N`: whole searches among N passages, by default 100,000 (`evals.suites.searches`).
`--part first_line`: how soon a terminal shows something (`evals.suites.first_line`).
`--part verifier`: milliseconds of a pair of 200 tokens, against embedding as many.
`--part gguf[:FILE]`: what a chat model costs beyond the model itself (`evals.suites.gguf`).
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.assistant import Agent
from agent.deps import build_embedder, prepare
from agent.errors import ToulminError
from agent.settings import read_settings
from agent.state_names import EXIT_CODES
from agent.verifier import Verifier, shipped
from evals.data import add_corpus, corpora, read_rows
from evals.orders import Order
from evals.report import Result
from evals.suites import first_line, gguf, ingest, searches, sizes

REPEATS = 11
ANSWERED = set(EXIT_CODES.values()) - {EXIT_CODES["error"]}
NOTHING, ASK, UNREAD = "python -c pass", "agent ask", "agent ask, without its verifier"
EMBED_REPEATS = 3
EMBED_TEXTS = 128
PAIRS, PAIR_TOKENS = 64, 200
LIBRARY_CHUNKS = 1000
SIZES = [10_000, 100_000]


def run(arguments: Order) -> Result:
    part, _, size = (arguments.part or "").partition(":")
    if part == "gguf":
        return gguf.run(arguments, size)
    if part == "retrieval":
        counts = [int(size)] if size else SIZES
        measured = {f"{count} vectors": sizes.measure(arguments.data, count) for count in counts}
        return Result("speed", {"queries": sizes.QUERIES, "rounds": sizes.ROUNDS}, len(counts), measured)
    if part == "ingest":
        by_folder = ingest.measure(arguments.data, arguments.lang, arguments.limit, size)
        return Result("speed", {"repeats": ingest.REPEATS}, len(by_folder), by_folder)
    if part == "first_line":
        return Result("speed", {"repeats": first_line.REPEATS}, first_line.REPEATS, first_line.measure())
    if part == "hybrid":
        found = searches.measure(arguments.data, int(size or searches.PASSAGES))
        return Result("speed", {"questions": searches.QUESTIONS}, searches.QUESTIONS, found)
    if part == "verifier":
        return Result("speed", {"pairs": PAIRS}, PAIRS, verifying(arguments))
    texts: list[dict[str, Any]] = []
    questions: list[str] = []
    for _, corpus, asked in corpora(arguments.data, arguments.lang):
        texts += read_rows(corpus)
        questions += [row["question"] for row in read_rows(asked) if row["answerable"]][:REPEATS]
    metrics = {"cold": cold(texts, questions)} | embed([row["text"] for row in texts])
    return Result("speed", {"questions": len(questions)}, len(questions), metrics)


def cold(texts: list[dict[str, Any]], questions: list[str]) -> dict[str, Any]:
    """Seconds of whole commands, median and range, over a library of about 1,000 chunks."""
    base = read_settings()
    cache = prepare(base)[0].parent.parent
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cache").symlink_to(cache)
        with Agent(replace(base, home=Path(folder))) as assistant:
            copies = 0
            while assistant.library.store.chunk_count() < LIBRARY_CHUNKS and copies < 50:
                # A small corpus is added again under other names until the library is large enough.
                rows = [{**row, "doc_id": f"{copies}/{row['doc_id']}"} for row in texts[:LIBRARY_CHUNKS]]
                add_corpus(assistant.library, rows)
                copies += 1
            chunks = assistant.library.store.chunk_count()
        agent = [sys.executable, "-m", "agent.cli"]
        times: dict[str, list[float]] = {}
        for turn, question in enumerate(questions):
            ask = [*agent, "ask", "--no-memory", question]
            commands: list[tuple[str, list[str], dict[str, str]]] = [
                (NOTHING, [sys.executable, "-c", "pass"], {}),
                ("agent --help", [*agent, "--help"], {}),
                ("agent search", [*agent, "search", question], {}),
                (ASK, ask, {}),
                (UNREAD, ask, {"AGENT_VERIFIER": "off"}),
            ]
            first = turn % len(commands)  # each time another one is first
            for name, command, variables in commands[first:] + commands[:first]:
                times.setdefault(name, []).append(_seconds(command, folder, variables))
    nothing = statistics.median(times[NOTHING])
    more = [a - b for a, b in zip(times[ASK], times[UNREAD], strict=True)]
    out: dict[str, Any] = {
        "chunks": chunks,
        "seconds of the verifier": {"p50": statistics.median(more), "range": [min(more), max(more)]},
    }
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        out[name] = {
            "seconds_p50": middle,
            "range": [min(seconds), max(seconds)],
            f"times {NOTHING}": middle / nothing,
        }
    return out


def _seconds(command: list[str], home: str, variables: dict[str, str]) -> float:
    environment = {**os.environ, "AGENT_HOME": home, **variables}
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode not in ANSWERED:
        raise ToulminError(f"{' '.join(command[2:4])} ended with {done.returncode}: {done.stderr[-200:]}")
    return seconds


def verifying(order: Order) -> dict[str, Any]:
    """Milliseconds a pair, in turn with embedding texts of as many tokens; none is read twice."""
    from tokenizers import Tokenizer

    corpus = corpora(order.data, order.lang)[0][1]
    words = [word for row in read_rows(corpus) for word in row["text"].split()]
    embedder, verifier = build_embedder(read_settings()), Verifier(shipped())
    tokenizer = Tokenizer.from_file(str(shipped().with_suffix(".tokenizer.json")))
    question = "who wrote down the first of these words"
    own_tokens = len(tokenizer.encode(question).ids) + 1  # with those around them
    times: dict[str, list[float]] = {"verifier": [], "embedding": []}
    for turn in range(EMBED_REPEATS + 1):
        long = [" ".join(random.Random(turn * PAIRS + n).choices(words, k=PAIR_TOKENS)) for n in range(PAIRS)]
        ends = [
            tokenizer.encode(text, add_special_tokens=False).offsets[PAIR_TOKENS - own_tokens - 1][1]
            for text in long
        ]
        texts = [text[:end] for text, end in zip(long, ends, strict=True)]
        for name, work in (
            ("verifier", lambda: verifier.read([(question, text) for text in texts])),  # noqa: B023
            ("embedding", lambda: embedder.embed(texts)),  # noqa: B023
        ):
            started = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - started) * 1000 / PAIRS)
    own, other = (times[name][1:] for name in ("verifier", "embedding"))  # the first opens the sessions
    ratios = [a / b for a, b in zip(own, other, strict=True)]
    return {
        "ms_per_pair": statistics.median(own),
        "range": [min(own), max(own)],
        "ms to embed": statistics.median(other),
        "share of embedding": statistics.median(ratios),
    }


def embed(texts: list[str]) -> dict[str, Any]:
    """Texts per second of both, and how far their vectors agree; nothing where the embedder knows no text."""
    from sentence_transformers import SentenceTransformer

    from retrieval.embed import minilm_folder

    ours = build_embedder(read_settings())
    # Where ours is blind it gives no vector: such texts are no comparison.
    seen = [text for text in texts if ours.coverage(text) == 1.0][:EMBED_TEXTS]
    if not seen:
        return {}
    theirs = SentenceTransformer(str(minilm_folder()), device="cpu")
    theirs.encode(seen[:8])
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    both = [("ours", ours.embed), ("theirs", theirs.encode)]
    for turn in range(EMBED_REPEATS):
        for name, encode in both if turn % 2 == 0 else both[::-1]:
            started = time.perf_counter()
            encode(seen)
            rates[name].append(len(seen) / (time.perf_counter() - started))
    left, right = ours.embed(seen), theirs.encode(seen, normalize_embeddings=True)
    pairs = [a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True)]
    told = {
        "texts": len(seen),
        "texts_per_second": statistics.median(rates["ours"]),
        "SentenceTransformer texts_per_second": statistics.median(rates["theirs"]),
        "times as fast": statistics.median(pairs),
        "range": [min(pairs), max(pairs)],
        "least cosine": float((left * right).sum(axis=1).min()),
    }
    return {"embed": told}
