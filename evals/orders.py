"""What is to be measured, as the command line says it; what decides its scores; and having it measured."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import SettingsError
from agent.models.names import is_server
from agent.models.store import EXTRACTIVE, rungs
from agent.settings import Settings, parse, read_settings
from evals.data import SMALL_DATA, content
from evals.kept import Kept
from evals.parts import SUITES, parts_of
from evals.report import Result

T = TypeVar("T")

SEED = 0  # of all that is drawn: resamples, cases, worlds
ROOT = Path(__file__).parent.parent
PACKAGES = ("agent", "retrieval", "tools", "evals")
CODE = (".py", ".json", ".md")
NOT_CODE = (
    "agent/weights/",
    "evals/data/",
    "evals/LOG.md",
    "evals/PEERS.md",
    "evals/RESULTS.md",
    *(f"evals/{name}.py" for name in ("compare", "curves", "gate", "page", "panels", "plots", "results")),
    "evals/transcripts.py",
)  # data apart, what is written here, and what only shows or compares what was measured
VERSIONED = {
    "toulmin": "toulmin",
    "llama_cpp": "llama-cpp-python",
    "faiss": "faiss-cpu",
    "onnxruntime": "onnxruntime",
    "langgraph": "langgraph",
    "tokenizers": "tokenizers",
    "rjieba": "rjieba",
    "stemmer": "PyStemmer",
    "opencc": "OpenCC",
}
FILES = ("embedder", "rerank_model", "scorer_model")  # settings that may name a file or folder
NOT_DECISIVE = ("home", "remember", "read_only", "allow_remote")  # settings that change no score
BY_CORPUS = ("corpus_", "qa_", "robust_", "memory_")  # files of which there is one for each corpus
REFERENCES = SMALL_DATA / "memory_references.jsonl"
ENDS = 1 << 20  # bytes at either end of a model's file that tell it from others


@dataclass(frozen=True)
class Order:
    """One measurement."""

    suite: str
    part: str | None = None
    """As `--part` names it, with what stands after a colon; None for the parts by default."""
    data: Path = SMALL_DATA
    lang: str | None = None
    limit: int | None = None
    model: str | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """Settings that were named."""
    spread: bool = False
    """Whether a limit takes questions from all over a file, not the first ones."""
    alone: bool = False
    """Whether the user's files and variables decide nothing, so that all have the same settings."""
    kept: Kept = field(default_factory=Kept)

    @property
    def parts(self) -> list[str]:
        """The part that is named, else those by default of whose data files any is there; all if none is."""
        parts = SUITES[self.suite].parts
        names = [
            name
            for name in parts_of(self.suite, self.part)
            if not self.lang or not parts[name].langs or self.lang in parts[name].langs
        ]
        there = [name for name in names if self._has(parts[name].files)]
        return names if self.part or not there else there

    @property
    def has_needs(self) -> bool:
        """Whether the data have what the parts cannot do without."""
        needs = [one for part in self.parts for one in SUITES[self.suite].parts[part].needs]
        return all(any(self.data.glob(one)) for one in needs)

    def _has(self, files: Sequence[str]) -> bool:
        return not files or any(file for pattern in files for file in self.data.glob(pattern))

    def some(self, rows: Sequence[T]) -> list[T]:
        """As many as the limit allows."""
        count = min(self.limit or len(rows), len(rows))
        return [rows[n * len(rows) // count] for n in range(count)] if self.spread else list(rows[:count])

    def settings(self, **forced: Any) -> Settings:
        """The settings in force. `forced`: what the suite itself decides. Raises `SettingsError`."""
        flags = {**({"model": self.model} if self.model else {}), **self.chosen, **forced}
        if not self.alone:
            return read_settings(**flags)
        home = os.environ.get("AGENT_HOME")
        return read_settings({"AGENT_HOME": home} if home else {}, **{"model": EXTRACTIVE, **flags})


def chosen(given: Iterable[str]) -> dict[str, Any]:
    """Settings from "KEY=VALUE". Raises `SettingsError`, naming the nearest key for an unknown one."""
    from agent.config import checked, known_kind

    found = {}
    for one in given:
        key, sign, text = one.partition("=")
        if not sign:
            raise SettingsError(f"--settings takes KEY=VALUE, not {one!r}")
        key = key.strip().replace("-", "_")
        value = parse(known_kind(key), key, text.strip())
        found[key] = checked(key, str(value) if isinstance(value, Path) else value, Path.cwd())
    return found


def measured(order: Order, told: dict[str, Any] | None = None) -> Result:
    """What a suite measures, in the one form. `told`: what `about` says of the order."""
    told = told or about(order)
    started = _now()
    result: Result = import_module(f"evals.suites.{order.suite}").run(order)
    parts = SUITES[order.suite].parts
    for row in result.rows:
        row.setdefault("part", order.parts[0])
        row["scores"] = parts[row["part"]].scores(row)
    return replace(
        result,
        **{**told, "settings": {**told["settings"], **result.settings}},
        part=",".join(order.parts) if order.part is None else order.part,
        command=command(order),
        started=started,
        finished=_now(),
    )


def command(order: Order) -> str:
    """What has to be called to measure the same again; DATA stands for a folder of data of one's own."""
    said = ["python", "-m", "evals", order.suite]
    options = {
        "--part": order.part,
        "--data": None if order.data == SMALL_DATA else "DATA",
        "--lang": order.lang,
        "--limit": order.limit,
        "--model": order.model and Path(order.model).name,
    }
    said += [word for name, value in options.items() if value is not None for word in (name, str(value))]
    return shlex.join([*said, *(f"--settings={name}={value}" for name, value in _changed(order).items())])


def _changed(order: Order) -> dict[str, Any]:
    """The settings that were named, and those that the user's files and variables change; files by name."""
    found = dict(order.chosen)
    if SUITES[order.suite].settings:
        plain = decisive(Settings())
        given = decisive(order.settings())
        found = {name: value for name, value in given.items() if value != plain[name]} | found
    if order.model is not None:
        found.pop("model", None)
    return {name: Path(one).name if Path(str(one)).is_absolute() else one for name, one in found.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# --- what decides the scores -------------------------------------------------------------------------------


def about(order: Order) -> dict[str, Any]:
    """`data`, `versions`, `prompts`, `seed` and `hash`, and the settings where the suite has any.

    `hash` is of all that decides the scores: these, the parts, the corpus, the limit and the code. Times
    depend on the machine besides.
    """
    suite = SUITES[order.suite]
    settings = decisive(order.settings()) if suite.settings else {}
    versions = {
        "python": platform.python_version(),
        **{name: _version(package) for name, package in VERSIONED.items()},
        "code": code_hash(PACKAGES, CODE),
        "embedder": _embedder(settings),
        "verifier": _verifier(settings),
    }
    if suite.model:
        versions["model"] = _model(order)
        if settings.get("judge_model"):
            versions["judge"] = _rungs(order.settings(), settings["judge_model"])
    for name in FILES:
        if (named := str(settings.get(name) or "")) and (file := Path(named).expanduser()).exists():
            versions[name] = _file(file)
    told: dict[str, Any] = {
        "settings": settings,
        "data": {"name": _name(order.data), "hash": data_hash(order)},
        "versions": versions,
        "prompts": code_hash(("agent/prompts",), (".md",)),
        "seed": SEED,
    }
    deciding = {
        **told,
        "data": told["data"]["hash"],
        "asked": [order.suite, order.parts, order.part, order.lang, order.limit, order.spread],
    }
    return {**told, "hash": short(json.dumps(deciding, sort_keys=True).encode())}


def decisive(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in asdict(settings).items() if name not in NOT_DECISIVE}


def short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def data_hash(order: Order) -> str:
    """Of the contents of the files that the parts read, packed or not; of one corpus where it is named."""
    patterns = {one for part in order.parts for one in SUITES[order.suite].parts[part].files}
    files = {file for pattern in patterns for file in order.data.glob(pattern) if file.is_file()}
    sums = {}
    for file in sorted(files):
        name = file.relative_to(order.data).as_posix().removesuffix(".gz").removesuffix(".jsonl")
        if not order.lang or not name.startswith(BY_CORPUS) or name.endswith(f"_{order.lang}"):
            sums[name] = hashlib.sha256(content(file)[1]).hexdigest()
    if "memory_en*" in patterns:
        sums[REFERENCES.stem] = hashlib.sha256(REFERENCES.read_bytes()).hexdigest()
    return short(json.dumps(sums, sort_keys=True).encode())


def code_hash(folders: Iterable[str], endings: tuple[str, ...]) -> str:
    """Of the program's own files that decide a score: all but `NOT_CODE`."""
    own = hashlib.sha256()
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*")):
            inner = file.relative_to(ROOT).as_posix()
            if file.suffix in endings and not inner.startswith(NOT_CODE):
                own.update(f"{inner}\0".encode() + file.read_bytes())
    return own.hexdigest()[:12]


def _name(folder: Path) -> str:
    return "small" if folder.resolve() == SMALL_DATA.resolve() else folder.resolve().name


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _embedder(settings: Mapping[str, Any]) -> str:
    from retrieval.embed import MINILM_ID, is_minilm

    named = str(settings.get("embedder", ""))
    return MINILM_ID if is_minilm(named) else named


def _verifier(settings: Mapping[str, Any]) -> str:
    from agent.verifier import shipped

    named = str(settings.get("verifier", "built-in"))
    if named == "off":
        return named
    file = shipped() if named == "built-in" else Path(named).expanduser()
    return f"{_file(file)}, {_file(file.with_suffix('.tokenizer.json'))}"


def _model(order: Order) -> str:
    """The models of the ladder with a hash of the ends and the size of each file; a server's by name."""
    if not SUITES[order.suite].settings:
        return _file(Path(order.model)) if order.model else ""
    settings = order.settings()
    if not settings.model:
        return EXTRACTIVE
    return _rungs(settings, settings.model)


def _rungs(settings: Settings, named: str) -> str:
    return ",".join(
        one if one == EXTRACTIVE or is_server(one) else _file(Path(one))
        for one in rungs(settings.models_folder, named)
    )


def _file(path: Path) -> str:
    try:
        if path.is_dir():
            return f"{path.name} {short(''.join(_file(one) for one in sorted(path.iterdir())).encode())}"
        size = path.stat().st_size
        with path.open("rb") as data:
            first = data.read(ENDS)
            data.seek(max(0, size - ENDS))
            return f"{path.name} {short(first + data.read(ENDS) + str(size).encode())}"
    except OSError:
        return path.name  # whoever loads it says what is wrong
