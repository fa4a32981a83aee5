"""`python -m evals.peers`: install the peers, have them and Toulmin do the same work, write the page.

Peers go into environments of their own under `--envs`, which are kept (five gigabytes). Nothing else is left
behind. It takes minutes on the small data and up to an hour on the large ones.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from agent.deps import prepare
from agent.errors import ToulminError
from agent.privacy import SWITCHES
from agent.settings import read_settings
from evals.data import SMALL_DATA, Row
from evals.orders import Order, about
from evals.peers import install, runner, scores, weights
from evals.peers.crowd import Crowd
from evals.peers.page import page
from evals.peers.table import OURS, PEERS, Peer
from evals.report import Result, show, write
from evals.suites.retrieval import libraries
from retrieval.embed import EmbedderError, minilm_folder
from retrieval.store import StoreError

LANGS = ("en", "zh")
PAGE = Path(__file__).parent.parent / "PEERS.md"
DRIVERS = Path(__file__).parent / "drivers"
BESIDE = ("onnxruntime", "transformers", "faiss-cpu")  # what peers bring along and the figures depend on
WRONG = 2
INTERRUPTED = 130
OFFLINE = {
    **SWITCHES,
    "TRANSFORMERS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "OTEL_SDK_DISABLED": "true",
    "POSTHOG_DISABLED": "1",
}


def main() -> None:
    os.environ.setdefault("AGENT_NO_PROJECT", "1")
    parser = argparse.ArgumentParser(prog="python -m evals.peers", description="Compare with peers.")
    parser.add_argument(
        "--data", type=Path, default=SMALL_DATA, help="folder of data, by default the small set"
    )
    parser.add_argument(
        "--lang", choices=("en", "zh", "long_en"), help="this corpus only; by default en and zh"
    )
    parser.add_argument("--limit", type=int, help="so many questions of each corpus, evenly spread")
    parser.add_argument("--rounds", type=int, default=3, help="of adding and of cold starts; 3 by default")
    parser.add_argument("--distractors", action="store_true", help="search among the training passages, too")
    parser.add_argument("--only", help="names of peers, with commas")
    parser.add_argument(
        "--envs", type=Path, help="folder of the peers' environments; by default in the cache"
    )
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--out", type=Path, help="write the page there, by default to PEERS.md")
    arguments = parser.parse_args()
    if wrong := refused(arguments):
        end(wrong, WRONG)
    out = arguments.out or PAGE
    try:
        for result in run(arguments):  # a run that is killed leaves what it had, but no part of the page
            if arguments.json:
                write(result, arguments.json)
        out.write_text(page(asdict(result)), encoding="utf-8")
    except KeyboardInterrupt:
        end("interrupted", INTERRUPTED)
    except (ToulminError, EmbedderError, StoreError, OSError) as error:
        end(" ".join(str(error).split()), 1)
    show(result)
    print(f"wrote {out}")


def end(line: str, code: int) -> NoReturn:
    print(line, file=sys.stderr)
    sys.exit(code)


def refused(arguments: argparse.Namespace) -> str:
    """What is wrong with the options, in one line; "" where nothing is."""
    for name in ("limit", "rounds"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            return f"--{name} must be at least 1, not {value}"
    for file in filter(None, (arguments.json, arguments.out)):
        if file.is_dir() or not file.absolute().parent.is_dir():
            return f"{file}: {'is a folder' if file.is_dir() else 'its folder is not there'}: name a file"
    if not arguments.data.is_dir():
        return f"no such folder: {arguments.data}"
    if not langs(arguments):
        return f"{arguments.data}: no corpus_{arguments.lang or 'en'}.jsonl and its questions"
    if not arguments.out and (arguments.only or langs(arguments) != list(LANGS)):
        return f"this is a part of what {PAGE.name} tells: name another page with --out"
    return ""


def langs(arguments: argparse.Namespace) -> list[str]:
    """The corpora that are asked for and there."""
    return [
        lang
        for lang in ([arguments.lang] if arguments.lang else LANGS)
        if any(arguments.data.glob(f"corpus_{lang}.jsonl*"))
    ]


def run(arguments: argparse.Namespace) -> Iterator[Result]:
    """The result after each corpus."""
    cache = prepare(read_settings())[0].parent.parent
    envs = arguments.envs or cache / "peers"
    peers = chosen(arguments.only)
    missing = installed(peers, envs)
    told = facts(arguments, peers, missing, envs)
    measured = of_what(arguments)
    crowd = Crowd()
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    for lang in langs(arguments):
        for name, corpus, questions in libraries(arguments.data, lang, arguments.distractors):
            answerable = [row for row in questions if row["answerable"]]
            asked = spread(answerable, arguments.limit)
            others = [row for row in questions if not row["answerable"]] or answerable
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                ways = [ours(home, cache), *(theirs(peer, envs, missing, home) for peer in peers)]
                work = runner.Work(
                    corpus,
                    [row["question"] for row in asked],
                    [row["question"] for row in others[: runner.WARMING]],
                    home,
                    str(minilm_folder()),
                    arguments.rounds,
                    tell=progress(name),
                )
                found = runner.measure(ways, work)
                metrics[name] = {"n": len(asked), "documents": len(corpus)}
                metrics[name]["peers"] = scores.summary(found, OURS.name, asked)
                if not found[OURS.name].failed:
                    runner.answer_all(ways[0], work, found[OURS.name])
                metrics[name]["answers"] = scores.answers(found[OURS.name], asked)
            rows += [row for peer, one in found.items() for row in rows_of(name, peer, one, asked)]
            settings = {**told, "others": crowd.cores()}
            yield replace(measured, settings=settings, n=len(rows), metrics=metrics, rows=rows)


def of_what(arguments: argparse.Namespace) -> Result:
    """A result without its figures: data, versions and hash as `python -m evals retrieval` would say them."""
    part = "distractors" if arguments.distractors else "corpus"
    order = Order("retrieval", part, arguments.data, arguments.lang, arguments.limit, spread=True, alone=True)
    return Result("peers", n=0, metrics={}, command=retold(arguments), **about(order))


def progress(corpus: str) -> Callable[[str], None]:
    return lambda line: print(f"{corpus}: {line}", file=sys.stderr, flush=True)


def chosen(only: str | None) -> list[Peer]:
    if not only:
        return list(PEERS)
    names = [name.strip().casefold() for name in only.split(",")]
    unknown = set(names) - {peer.name.casefold() for peer in PEERS}
    if unknown:
        sys.exit(f"no such peer: {sorted(unknown)[0]} (there are {', '.join(peer.name for peer in PEERS)})")
    return [peer for peer in PEERS if peer.name.casefold() in names]


def installed(peers: Sequence[Peer], envs: Path) -> dict[str, str]:
    """Why a peer could not be installed, by its name; "" where it is."""
    missing = {}
    for peer in peers:
        print(f"installing {peer.name}", file=sys.stderr)
        missing[peer.name] = install.install(peer, envs / peer.driver)
    return missing


def ours(folder: Path, cache: Path) -> runner.Way:
    environment = {
        **surroundings(folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "TOULMIN_CACHE": str(cache),
        "AGENT_NO_PROJECT": "1",
    }
    return runner.Way(OURS.name, command(Path(sys.executable), OURS), environment)


def theirs(peer: Peer, envs: Path, missing: dict[str, str], folder: Path) -> runner.Way:
    if peer.driver == "chroma_store" and not missing[peer.name]:
        weights.for_chroma(folder)
    python = install.interpreter(envs / peer.driver)
    why = f"it could not be installed: {missing[peer.name]}" if missing[peer.name] else ""
    return runner.Way(peer.name, command(python, peer), surroundings(folder), why)


def command(python: Path, peer: Peer) -> tuple[str, ...]:
    return (str(python), "-P", str(DRIVERS / "serve.py"), str(DRIVERS / f"{peer.driver}.py"))


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a driver: no settings of this one, a home of its own, no network."""
    left_out = ("PYTHON", "AGENT_", "VIRTUAL_ENV", "HF_", "XDG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, **OFFLINE, "HOME": str(home)}


def spread(rows: Sequence[Row], limit: int | None) -> list[Row]:
    """So many of the rows, evenly spread over all; all of them by default."""
    count = min(limit or len(rows), len(rows))
    return [rows[n * len(rows) // count] for n in range(count)]


def rows_of(corpus: str, peer: str, found: runner.Measured, asked: Sequence[Row]) -> list[Row]:
    return [
        {
            "corpus": corpus,
            "peer": peer,
            "id": row["id"],
            "rank": scores.rank(one["ids"], row["doc_id"]),
            "ms": 1000 * one["seconds"],
        }
        for row, one in zip(asked, found.asking, strict=False)
    ]


def facts(
    arguments: argparse.Namespace, peers: Sequence[Peer], missing: dict[str, str], envs: Path
) -> dict[str, Any]:
    """What the page says of the run; nothing that tells where it was."""
    return {
        "ours": OURS.name,
        "command": retold(arguments),
        "date": date.today().isoformat(),
        "machine": platform.system(),
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "rounds": arguments.rounds,
        "peers": [
            {
                "name": peer.name,
                "how": peer.how,
                "packages": versions_of(peer, envs),
                "licence": peer.licence,
                "missing": missing.get(peer.name, ""),
            }
            for peer in (OURS, *peers)
        ],
    }


def retold(arguments: argparse.Namespace) -> str:
    """The command with what shapes the figures; a folder of data is called DATA."""
    words = ["python", "-m", "evals.peers"]
    words += ["--data", "DATA"] if arguments.data != SMALL_DATA else []
    for name in ("lang", "limit", "rounds", "only"):
        value = getattr(arguments, name)
        words += [f"--{name}", str(value)] if value and (name, value) != ("rounds", 3) else []
    return shlex.join([*words, *(["--distractors"] if arguments.distractors else [])])


def versions_of(peer: Peer, envs: Path) -> list[str]:
    """What was asked for, and what it brought along that decides its figures."""
    if peer == OURS:
        return [f"{name}=={version(name)}" for name in ("toulmin", "onnxruntime", "faiss-cpu")]
    brought = install.versions(peer, envs / peer.driver)
    return [*peer.packages, *(f"{name}=={brought[name]}" for name in BESIDE if name in brought)]


if __name__ == "__main__":
    main()
