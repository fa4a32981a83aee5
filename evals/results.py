"""Results that suites wrote, read again: checked, named, their numbers put into words and Markdown tables.

It measures nothing and draws nothing. Values of keys that a result need not have are shown as they are.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from evals.metrics import mean_ci
from evals.parts import MISSED

Path_ = tuple[str, ...]  # the names that lead to a number in the metrics
Rows = Sequence[Mapping[str, Any]]
ANY = "*"  # in such a path: a corpus, or whatever the suite reports one by one
FEW_SETTINGS = 4
MARK = "<!-- python -m evals report -->"  # by which a file of tables is known
DEEPEST = 20  # groups within each other
UNSAID = "its options are not in the result"
INTERVAL = " [95 % interval]"  # what some names end in

# What is said first of a suite: its name in words, and where it stands in the metrics.
HEADLINES: dict[str, list[tuple[str, Path_]]] = {
    "critic": [
        ("balanced accuracy", (ANY, "balanced_accuracy")),
        ("AUROC", (ANY, "auroc")),
        ("AUROC above overlap of words", (ANY, f"auroc above overlap{INTERVAL}")),
        ("expected calibration error", (ANY, "ece")),
        ("exact answers", (ANY, f"exact{INTERVAL}")),
        ("F1 of answers", (ANY, f"f1{INTERVAL}")),
    ],
    "loop": [
        ("all needed passages, one search", ("all_support_recall single-shot",)),
        ("all needed passages, no rounds", ("all_support_recall", "0")),
        ("all needed passages, 1 round", ("all_support_recall", "1")),
        ("all needed passages, 2 rounds", ("all_support_recall", "2")),
        ("all needed passages, 3 rounds", ("all_support_recall", "3")),
        ("2 rounds above one search", ("rounds 2 - single-shot, paired p",)),
        ("of documents that one search misses, found", ("recovered", ANY, "share")),
        ("milliseconds that the loop adds, median", ("added", ANY, "added ms p50")),
    ],
    "memory": [
        ("needed exchange among five", ("turns", ANY, "all", "ours")),
        ("the same, dense alone", ("turns", ANY, "all", "dense")),
        ("the same, BM25 alone", ("turns", ANY, "all", "bm25")),
        ("needed exchange of own questions", ("own", ANY, "all", "ours")),
        ("the same, dense alone", ("own", ANY, "all", "dense")),
        ("the same, BM25 alone", ("own", ANY, "all", "bm25")),
        ("askings while documents change", ("stale", "askings")),
        ("stale answers", ("stale", "stale")),
        ("answers that cite themselves", ("stale", "self_cited")),
        ("answers on no source", ("stale", "unfounded")),
    ],
    "qa": [
        ("right among verified", (ANY, f"selective accuracy of verified{INTERVAL}")),
        ("share of questions verified", (ANY, "coverage of verified")),
        ("right at coverage 0.6", (ANY, "selective accuracy at coverage", "0.6")),
        ("right of the answerable", (ANY, "containment")),
        ("F1", (ANY, "f1")),
        ("short answers, of those verified", (ANY, "short answers among the verified")),
        ("F1 of short answers", (ANY, f"f1 of short answers among the verified{INTERVAL}")),
        ("refused of what the corpus says nothing about", (ANY, "kind", "out_of_corpus", "refused")),
        ("refused of the unanswerable", (ANY, "refusal_recall")),
        ("sentences without support", (ANY, "unsupported_sentences")),
        ("seconds, median", (ANY, "seconds_p50")),
        ("seconds, 95 %", (ANY, "seconds_p95")),
    ],
    "refusal": [
        ("precision of refusing", (ANY, "refusal", f"precision{INTERVAL}")),
        ("recall of refusing", (ANY, "refusal", f"recall{INTERVAL}")),
        ("precision at recall 0.60", (ANY, "refusal", "precision at recall 0.60")),
        ("recall at precision 0.80", (ANY, "refusal", "recall at precision 0.80")),
        (
            "area under risk by coverage",
            (ANY, "risk of the best draft at coverage", "of all questions", "area"),
        ),
    ],
    "repair": [
        ("faults caught", ("deterministic_caught",)),
        ("faults kept out of the answer", ("deterministic_not_in_answer",)),
        ("sound sentences removed", ("sound_removed",)),
        ("repaired, nothing verified lost", ("second round", "repaired, nothing verified lost")),
        ("additions kept out of the answer", ("kept out of the answer", "addition", ANY)),
        ("sound sentences removed", ("removed", "all", ANY)),
    ],
    "retrieval": [
        ("R@1, hybrid", (ANY, f"hybrid r@1{INTERVAL}")),
        ("R@5, hybrid", (ANY, f"hybrid r@5{INTERVAL}")),
        ("mean reciprocal rank, hybrid", (ANY, "hybrid", "mrr")),
        ("R@1, dense", (ANY, "dense", "r@1")),
        ("R@1, lexical", (ANY, "lexical", "r@1")),
    ],
    "speed": [
        ("cold `agent ask`, seconds", ("cold", "agent ask", "seconds_p50")),
        ("cold `agent search`, seconds", ("cold", "agent search", "seconds_p50")),
        ("cold `agent --help`, seconds", ("cold", "agent --help", "seconds_p50")),
        ("embedding, times as fast as SentenceTransformer", ("embed", "times as fast")),
        ("search, ms (wall median, 95 %; processor the same)", ("total, ms",)),
        ("a pair of 200 tokens for the verifier, milliseconds", ("ms_per_pair",)),
        ("prompt tokens computed / unavoidable", ("prompt tokens computed / unavoidable",)),
    ],
}  # fmt: skip


# The values of rows whose mean is a share that its suite gives without an interval.
FROM_ROWS: dict[str, dict[Path_, Callable[[Rows], list[float]]]] = {
    "qa": {
        (ANY, "selective accuracy at coverage", "0.6"): lambda rows: [
            row["draft_right"]
            for row in sorted(rows, key=lambda row: -row["confidence"])[: max(1, round(len(rows) * 0.6))]
        ],
    },
    "retrieval": {
        (ANY, "hybrid", "mrr"): lambda rows: [
            1 / (1 + row["hybrid"]) if row["hybrid"] < MISSED else 0.0 for row in rows
        ],
        (ANY, "dense", "r@1"): lambda rows: [row["dense"] < 1 for row in rows],
        (ANY, "lexical", "r@1"): lambda rows: [row["lexical"] < 1 for row in rows],
    },
}


class Loaded(NamedTuple):
    """A result and the name that it has beside the others."""

    name: str
    file: Path
    suite: str
    part: str
    n: int
    metrics: Mapping[str, Any]
    rows: Rows
    about: Mapping[str, Any]  # every other key


class Table(NamedTuple):
    head: list[str]
    rows: list[list[str]]


# --- reading ----------------------------------------------------------------------------------------------


def read_results(files: Sequence[Path]) -> list[Loaded]:
    """The results in these files, in their order; ValueError, in one line, for a file with none."""
    return [_loaded(name, file, _read(file)) for name, file in zip(short_names(files), files, strict=True)]


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"), parse_constant=_no_number)
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ValueError(
            f"{file}: is not UTF-8, so no result of `python -m evals SUITE --json FILE`"
        ) from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{file}: is no JSON: {error.msg}, line {error.lineno}") from None
    except RecursionError:
        raise ValueError(f"{file}: is nested too deeply for a result") from None
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{file}: is no result of `python -m evals SUITE --json FILE`: no object")
    wanted = {"suite": str, "n": int, "metrics": dict}
    if missing := [key for key in wanted if key not in found]:
        raise ValueError(
            f"{file}: is no result of `python -m evals SUITE --json FILE`: no {', '.join(missing)}"
        )
    if _is_deep(found):
        raise ValueError(f"{file}: is nested too deeply for a result")
    found = {"rows": [], "settings": {}, **found}
    for key, kind in {**wanted, "rows": list, "settings": dict}.items():
        if not isinstance(found[key], kind) or isinstance(found[key], bool):
            raise ValueError(f"{file}: {key} is {type(found[key]).__name__}, not {kind.__name__}")
    if not all(isinstance(row, dict) for row in found["rows"]):
        raise ValueError(f"{file}: a row is no object")
    return found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            below
            for one in level
            for below in (one.values() if isinstance(one, dict) else one)
            if isinstance(below, dict | list)
        ]
    return bool(level)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"holds {name}, which is no number")


def _loaded(name: str, file: Path, found: dict[str, Any]) -> Loaded:
    own = {key: found.pop(key) for key in ("suite", "n", "metrics", "rows")}
    part = found.pop("part", None) or found["settings"].get("part") or ""
    return Loaded(name, file, own["suite"], flat(part), own["n"], own["metrics"], own["rows"], found)


def short_names(files: Sequence[Path]) -> list[str]:
    """The files' names without their ending, with as many folders before them as tell them apart."""
    parts = [file.absolute().with_suffix("").parts for file in files]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(one[-depth:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(one[-1:])} ({n})" for n, one in enumerate(parts, start=1)]


def telling_settings(results: Sequence[Loaded]) -> list[str]:
    """The settings that tell these results apart, and the model of the answers; all where there are few."""
    given = [result.about["settings"] for result in results]
    keys = list(dict.fromkeys(key for one in given for key in one))
    if len(keys) <= FEW_SETTINGS:
        return keys
    return [key for key in keys if key == "model" or len({flat(one[key]) for one in given if key in one}) > 1]


def command_of(result: Loaded) -> str:
    """The command that made a result, as far as the result says."""
    told = result.about.get("command")
    if isinstance(told, str) and told:
        return told
    if isinstance(told, list) and told:
        return shlex.join(map(str, told))
    part = ["--part", result.part] if result.part and "," not in result.part else []  # else those by default
    return shlex.join(["python", "-m", "evals", result.suite, *part, "--json", result.file.name])


# --- numbers in words -------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A value as all tables show it: three places below 1, three figures or all whole ones above.

    >>> shown(0.98765), shown(1.0), shown(0.0004), shown(12.345), shown(1841), shown(2879.4), shown(0.0)
    ('0.988', '1.000', '0.00040', '12.3', '1,841', '2,879', '0')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return "–" if value is None else flat(value)
    size = abs(value)
    if not size:
        return "0"
    if size < 0.001:
        return f"{value:.2g}" if size < 1e-5 else f"{value:.5f}"
    places = 3 if size <= 1 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{value:,.{places}f}"


def flat(value: Any) -> str:
    """Any value of JSON in one line: names with their values."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {flat(one)}" for name, one in value.items())
    if isinstance(value, list):
        return " / ".join(map(flat, value))
    return value if isinstance(value, str) else shown(value)


def interval_of(value: Any) -> tuple[float, float, float] | None:
    """(value, low, high) of a list that is one, perhaps after the number of cases; None for anything else."""
    if not isinstance(value, list) or not all(_is_number(one) for one in value):
        return None
    if len(value) == 4 and isinstance(value[0], int) and value[0] >= 0:
        value = value[1:]
    if len(value) != 3 or not value[1] - 1e-9 <= value[0] <= value[2] + 1e-9:
        return None
    return float(value[0]), float(value[1]), float(value[2])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def worded(value: Any, name: str = "") -> str:
    """A value of the metrics: with its interval, the number of its cases or its p, where it has them."""
    found = interval_of(value)
    if found:
        text = f"{shown(found[0])} ({shown(found[1])} to {shown(found[2])})"
        return f"{text}, n {shown(value[0])}" if len(value) == 4 else text
    if name.endswith("paired p") and isinstance(value, list) and len(value) == 2:
        sign = "+" if value[0] > 0 else ""
        return f"{sign}{shown(value[0])}, p {shown(value[1]) if value[1] else '< 0.001'}"
    return " / ".join(map(shown, value)) if isinstance(value, list) else shown(value)


def leaves(metrics: Mapping[str, Any], path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Each number of the metrics with the names that lead to it."""
    for name, value in metrics.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


# --- tables -----------------------------------------------------------------------------------------------


def headlines(results: Sequence[Loaded]) -> list[Table]:
    """What is said first of results of one suite: a table of what it reports once, one of what by corpus."""
    once = [one for one in HEADLINES.get(results[0].suite, []) if ANY not in one[1]]
    each = [one for one in HEADLINES.get(results[0].suite, []) if ANY in one[1]]
    return [table for wanted in (once, each) if (table := _headline(results, wanted)).rows]


def _headline(results: Sequence[Loaded], wanted: Sequence[tuple[str, Path_]]) -> Table:
    found: list[tuple[str, dict[tuple[str, int], str]]] = []
    for words, pattern in wanted:
        row = {
            (star, n): worded(_with_interval(result, pattern, star, value), path[-1])
            for n, result in enumerate(results)
            for star, path, value in _matching(result.metrics, pattern)
        }
        if row:
            found.append((words, row))
    columns = list(dict.fromkeys(key for _, row in found for key in row))
    stars = list(dict.fromkeys(star for star, _ in columns))
    columns.sort(key=lambda key: (stars.index(key[0]), key[1]))
    names = [
        ", ".join(filter(None, (star, results[n].name if len(results) > 1 else ""))) for star, n in columns
    ]
    return Table(
        ["", *(name or "value" for name in names)],
        [[words, *(row.get(key, "–") for key in columns)] for words, row in found],
    )


def _with_interval(result: Loaded, pattern: Path_, star: str, value: Any) -> Any:
    """The value with the interval of the rows; alone where those give another; None where no row counts."""
    said = FROM_ROWS.get(result.suite, {}).get(pattern)
    if said is None or not _is_number(value):
        return value
    try:
        rows = [row for row in result.rows if row.get("corpus") == star]
        found = [float(one) for one in said(rows)]
        # Of some of the rows, each stands for itself.
        mean, low, high = mean_ci(found, groups=shared(rows) if len(found) == len(rows) else None)
    except (KeyError, TypeError, ValueError, ArithmeticError):  # rows of another form
        return value
    if rows and not found:
        return None
    return [mean, low, high] if rows and abs(mean - value) < 1e-6 else value


def shared(rows: Rows) -> list[object]:
    """Of each row what it shares with others, as its suite counts it; its place where it shares nothing."""
    return [row.get("group", n) for n, row in enumerate(rows)]


def _matching(metrics: Mapping[str, Any], pattern: Path_) -> Iterator[tuple[str, Path_, Any]]:
    """(what stands for the star, path, value) of every number that a pattern leads to."""
    found = dict(leaves(metrics))
    for path, value in found.items():
        if len(path) == len(pattern) and all(p in (ANY, own) for p, own in zip(pattern, path, strict=True)):
            value = found.get((*path[:-1], path[-1] + INTERVAL), value)
            star = "".join(own for p, own in zip(pattern, path, strict=True) if p == ANY)
            if not star.startswith("source "):  # the parts of a part
                yield star, path, value


def all_metrics(results: Sequence[Loaded]) -> Table:
    """Every number of results of one suite, side by side."""
    found: dict[Path_, dict[int, str]] = {}
    for n, result in enumerate(results):
        told = {_plain(path): value for path, value in leaves(result.metrics)}  # the interval stands last
        for path, value in told.items():
            found.setdefault(path, {})[n] = worded(value, path[-1])
    rows = [
        [" › ".join(path), *(row.get(n, "–") for n in range(len(results)))] for path, row in found.items()
    ]
    return Table(["metric", *(result.name for result in results)], rows)


def _plain(path: Path_) -> Path_:
    return tuple(name.removesuffix(INTERVAL) for name in path)


def by_suite(results: Sequence[Loaded]) -> dict[str, list[Loaded]]:
    """The results of each suite, in the order in which the suites come."""
    found: dict[str, list[Loaded]] = {}
    for result in results:
        found.setdefault(result.suite, []).append(result)
    return found


def markdown(results: Sequence[Loaded]) -> str:
    """The tables of all suites, each with the commands that make its numbers."""
    parts = [MARK]
    for suite, found in by_suite(results).items():
        tables = headlines(found) or [all_metrics(found)]
        parts += [f"### {_cell(suite)}", *map(_markdown, tables)]
        commands = [_command(one, name=len(found) > 1) for one in found]
        longest = max((len(run) for line in commands for run in re.findall("`+", line)), default=0)
        fence = "`" * max(3, longest + 1)
        parts.append("\n".join([f"{fence}bash", *(line.replace("\n", " ") for line in commands), fence]))
    return "\n\n".join(parts) + "\n"


def _command(result: Loaded, *, name: bool) -> str:
    said = [result.name] if name else []
    said += [f"hash {flat(sha)}"] if (sha := result.about.get("hash")) else []
    said += [] if result.about.get("command") else [UNSAID]
    return command_of(result) + (f"  # {'; '.join(said)}" if said else "")


def _markdown(table: Table) -> str:
    lines = [table.head, ["---"] * len(table.head), *table.rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    """A text in a cell: it ends no cell, and opens no tag."""
    return " ".join(re.sub(r"<(?=[a-z/!?])", "&lt;", text.replace("|", r"\|"), flags=re.IGNORECASE).split())
