"""Two results of one suite against each other, row by row: `python -m evals --compare A.json B.json`.

Rows are paired by part, corpus and id; of rows with the same, the first with the first, and so on. Every
score that both rows of a pair have is compared, B less A, with a 95 % bootstrap interval and the p of a
paired test, over the ids or, where rows have it, over what they share in `group` (a context, a document);
each by itself: among many scores, some differ by chance. Where rows tell how sure an
answer was, the selective accuracy of both at fixed coverages is compared, too. It measures nothing.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.models.store import EXTRACTIVE
from evals.metrics import RESAMPLES, mean_ci, paired_p, selective_accuracy
from evals.report import read

Key = tuple[str, str, str, int]
"""Part, corpus, id of a row, and which of the rows with these it is."""
Scored = dict[Key, dict[str, float]]
Groups = dict[Key, str]
"""What the rows with these keys share with others."""
Pair = tuple[float, float, str]
"""Two scores and their group."""
Drafted = dict[Key, tuple[float, bool]]
"""How sure the answer of a row was, and whether its best draft was right."""
ALL = "all"
COVERAGES = (0.6, 0.7)
NAMED = 5  # ids that are told of the rows without a partner


@dataclass(frozen=True)
class Difference:
    """One score over the paired rows of a part and a corpus, or of all its corpora."""

    part: str
    corpus: str
    score: str
    left: float
    right: float
    less: tuple[float, float, float]
    """Right less left, and its 95 % interval."""
    p: float
    n: int


def scored(rows: Iterable[Mapping[str, Any]]) -> Scored:
    """The rows with scores, by their keys."""
    return {key: row["scores"] for key, row in _keyed(rows) if row.get("scores")}


def grouped(rows: Iterable[Mapping[str, Any]]) -> Groups:
    """The group of each row that has one; the others stand for themselves."""
    return {key: str(row["group"]) for key, row in _keyed(rows) if "group" in row}


def drafted(rows: Iterable[Mapping[str, Any]]) -> Drafted:
    """The rows of answers to questions, by their keys."""
    return {
        key: (float(row["confidence"]), bool(row["draft_right"]))
        for key, row in _keyed(rows)
        if "confidence" in row and "draft_right" in row
    }


def _keyed(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    seen: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        key = str(row.get("part", "")), str(row.get("corpus", "")), str(row.get("id", ""))
        yield (*key, seen[key]), row
        seen[key] += 1


def differences(left: Scored, right: Scored, of: Groups | None = None) -> list[Difference]:
    """Of each score in each part: by corpus, and over all of them where there are several."""
    groups: dict[tuple[str, str, str], list[Pair]] = {}
    corpora: dict[str, set[str]] = {}
    for key in [key for key in left if key in right]:
        corpora.setdefault(key[0], set()).add(key[1])
    for key, scores in left.items():
        for name in scores.keys() & right.get(key, {}).keys():
            for corpus in {key[1], key[1] if len(corpora[key[0]]) == 1 else ALL}:
                shared = f"{key[1]} {(of or {}).get(key, key[2])}"
                groups.setdefault((key[0], corpus, name), []).append((scores[name], right[key][name], shared))
    found = [_difference(*names, pairs) for names, pairs in groups.items()]
    return sorted(found, key=lambda one: (one.part, one.score, one.corpus == ALL, one.corpus))


def _difference(part: str, corpus: str, score: str, pairs: list[Pair]) -> Difference:
    ours, theirs = [a for a, _, _ in pairs], [b for _, b, _ in pairs]
    groups = [group for _, _, group in pairs]
    less = mean_ci([b - a for a, b, _ in pairs], groups=groups)
    means = float(np.mean(ours)), float(np.mean(theirs))
    p = paired_p(theirs, ours, groups=groups)
    return Difference(part, corpus, score, *means, less, p, len(pairs))


def selective(left: Drafted, right: Drafted, seed: int = 0) -> list[Difference]:
    """Of the selective accuracy at each of `COVERAGES`, by corpus; intervals and p by paired bootstrap."""
    groups: dict[tuple[str, str], list[Key]] = {}
    for key in left:
        if key in right:
            groups.setdefault(key[:2], []).append(key)
    found = []
    for (part, corpus), keys in sorted(groups.items()):
        ours, theirs = [left[key] for key in keys], [right[key] for key in keys]
        rng = np.random.default_rng(seed)
        draws = [rng.integers(0, len(keys), len(keys)) for _ in range(RESAMPLES)]
        for coverage in COVERAGES:
            here, there = _selective(ours, coverage), _selective(theirs, coverage)
            less = np.array(
                [
                    _selective([theirs[n] for n in draw], coverage)
                    - _selective([ours[n] for n in draw], coverage)
                    for draw in draws
                ]
            )
            low, high = (float(end) for end in np.percentile(less, [2.5, 97.5]))
            p = min(1.0, 2 * float(min((less <= 0).mean(), (less >= 0).mean())))
            name = f"selective accuracy at {coverage}"
            found.append(Difference(part, corpus, name, here, there, (there - here, low, high), p, len(keys)))
    return found


def _selective(answers: list[tuple[float, bool]], coverage: float) -> float:
    return selective_accuracy([sure for sure, _ in answers], [right for _, right in answers], coverage)


def unlike(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """What makes two results hard to compare: other data, another seed, another embedder."""
    told = []
    for name, key, inner in (
        ("data", "data", "hash"),
        ("embedder", "versions", "embedder"),
        ("seed", "seed", ""),
    ):
        one, other = ((r.get(key) or {}).get(inner) if inner else r.get(key) for r in (left, right))
        if one != other:
            told.append(f"{name} ({one or 'unknown'} and {other or 'unknown'})")
    if _judged_apart(left, right):
        told.append("the judge (give all models the same one: --settings judge_model=FILE)")
    return told


def _judged_apart(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether two chat models were not judged by the same one: without a judge each judges itself."""
    both = [(r.get("versions") or {}, r.get("settings") or {}) for r in (left, right)]
    models = [versions.get("model") or EXTRACTIVE for versions, _ in both]
    judges = [versions.get("judge") or settings.get("judge_model") or "" for versions, settings in both]
    asked = all("judge_model" in settings for _, settings in both)  # the verifier has no judge
    return (
        asked
        and EXTRACTIVE not in models
        and models[0] != models[1]
        and (not all(judges) or len({*judges}) > 1)
    )


def changes(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    """The settings that differ, with both values."""
    names = [name for name in {**left, **right} if left.get(name) != right.get(name)]
    return [f"{name} {left.get(name)} and {right.get(name)}" for name in names]


def compare_files(left: Path, right: Path) -> None:
    """Print how two results differ: a table on a terminal, columns between tabs in a pipe."""
    from agent.cli.render import console, print_table

    ours, theirs = read(left), read(right)
    if ours["suite"] != theirs["suite"]:
        _end(f"{left} is of {ours['suite']}, {right} of {theirs['suite']}: only one suite can be compared")
    here, there = scored(ours["rows"]), scored(theirs["rows"])
    for file, rows in ((left, here), (right, there)):
        if not rows:
            _end(f"{file}: no rows with scores (times have none; an old result is to be measured again)")
    if warned := unlike(ours, theirs):
        print(f"warning: these differ, and not only what is measured: {'; '.join(warned)}", file=sys.stderr)
    for file, result in ((left, ours), (right, theirs)):
        print(f"{file}: {result['suite']}, hash {result.get('hash', '')}, {_model(result)}")
    if changed := changes(ours.get("settings") or {}, theirs.get("settings") or {}):
        print(f"settings: {'; '.join(changed)}")
    found = [
        *differences(here, there, {**grouped(ours["rows"]), **grouped(theirs["rows"])}),
        *selective(drafted(ours["rows"]), drafted(theirs["rows"])),
    ]
    print_table([HEADER, *(_cells(one) for one in found)] if found else [["no row is in both"]], console())
    for file, own, other in ((left, here, there), (right, there, here)):
        alone = [" ".join(filter(None, key[:3])) for key in own if key not in other]
        if alone:
            more = f" and {len(alone) - NAMED} more" if len(alone) > NAMED else ""
            print(f"only in {file}: {len(alone)} rows: {'; '.join(alone[:NAMED])}{more}")


HEADER = ["part", "corpus", "score", "A", "B", "B - A [95 % interval]", "p", "n"]


def _cells(one: Difference) -> list[str]:
    value, low, high = one.less
    p = "< 0.001" if one.p < 0.001 else f"{one.p:.3f}"
    return [
        one.part, one.corpus, one.score, f"{one.left:.3f}", f"{one.right:.3f}",
        f"{value:+.3f} [{low:+.3f}, {high:+.3f}]", p, str(one.n),
    ]  # fmt: skip


def _model(result: Mapping[str, Any]) -> str:
    versions = result.get("versions") or {}
    return f"model {os.path.basename(versions.get('model') or 'none')}"


def _end(line: str) -> None:
    print(line, file=sys.stderr)
    sys.exit(2)
