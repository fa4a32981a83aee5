"""Writes `evals/PEERS.md` from a result: tables, versions, and where a peer wins, all from the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

Metrics = dict[str, Any]

SCORES = {"r@1": "R@1", "r@5": "R@5", "mrr": "MRR"}
COSTS = {
    "query ms": "query, ms",
    "query processor ms": "query, processor ms",
    "cold start s": "cold start, s",
    "adding s": "adding, s",
    "adding processor s": "adding, processor s",
    "peak MB, asking": "peak memory asking, MB",
    "peak MB, adding": "peak memory adding, MB",
    "MB on disk": "disk, MB",
}
CLEAR_P = 0.05

HEAD = """# Toulmin and its peers on the same work

Other ways to make texts searchable, run beside Toulmin on the same texts and questions and, where they take a model, with the weights of the
same small English one (all-MiniLM-L6-v2). This page is written by

```console
$ {command}
```

which installs each of them from the package index into an environment of its own, and has all of them take turns: round by round while texts are
added and processes are started, question by question while they are asked. Ratios count how many times what Toulmin takes a peer takes: **above 1
Toulmin is better, below 1 the peer is.** Times are from one run, {date}, Python {python}, on {machine};
compare them with each other only.

"""

TAIL = """
## How it is measured

- **Texts.** Encyclopedia paragraphs with their titles, as in `evals/data/README.md`; peers are given the title in front of the text.
  Each cuts texts as it does by itself. Questions are those that the texts answer; the paragraph that a question was written for is the one to be found.
- **Quality.** Each gives its 10 best passages. R@k: share of questions whose paragraph is among the first k documents; MRR: mean of 1 / its rank, 0
  beyond. Brackets: 95 % bootstrap intervals. p: paired permutation test against Toulmin.
- **Query.** Everything is open and warm; every way answers a question before the next is asked, each time another one first. The median, and the geometric
  mean of the ratios question by question with its 95 % interval. Processor time counts all threads.
- **Cold start.** From the start of a fresh process to its first answer over an index on disk; files are in the system's cache. Rounds: {rounds}, of which the median; the brackets
  are the range of the ratios.
- **Adding.** Cutting, embedding, indexing and writing, in a fresh process whose model is loaded before the clock runs. As above.
- **Memory.** The most that a process held (resident, `VmHWM`): one that adds, one that answers all questions. **Disk.** The index folder, without the model's weights.
- Telemetry is off and nothing is fetched: `HF_HUB_OFFLINE=1`, and a home folder of their own.

**What is not compared.** Peers, as they are set up here, find passages; none of them answers, gives the grounds of each claim, checks it or refuses without
further parts and a language model. So only the search is compared, and what Toulmin needs to check its answers (exact spans, positions, the words of each
passage) is part of its time and disk. The model is English: of Chinese it knows few characters. Toulmin notices and searches by words alone there; peers that
search by meaning would do better with a model for many languages, as would Toulmin (`agent setup --embedder`). Peers are set up as their
documentation shows, and not tuned; their other stores and models may be faster or better. Chroma's embedder would download an
ONNX file of its own; it is given the same weights, written by Toulmin's exporter.
"""


def page(result: Metrics) -> str:
    """The whole page; `result` is a `Result` as a dictionary."""
    settings = result["settings"]
    facts = {key: settings[key] for key in ("command", "python", "date")}
    parts = [HEAD.format(**facts, machine=machine(settings))]
    parts += [corpus(name, found, settings["ours"]) for name, found in result["metrics"].items()]
    parts += [wins(result["metrics"], settings["ours"]), versions(settings)]
    return "".join(parts) + TAIL.format(rounds=settings["rounds"])


def machine(settings: Metrics) -> str:
    """In general words, and how much else it had to do, as times in a crowd say little."""
    load = settings["load"]
    busy = "" if load is None else f", whose load was {number(load)} when it began"
    return f"a machine with {settings['cores']} cores ({settings['machine']}){busy}"


def corpus(name: str, found: Metrics, ours: str) -> str:
    """The tables of one corpus."""
    ran = {peer: one for peer, one in found["peers"].items() if not one.get("failed")}
    lines = [f"## {name}: {found['documents']:,} texts, {found['n']:,} questions", ""]
    heads = [head for score in SCORES.values() for head in (score, "p")]
    lines += table(["", *heads], [[peer, *quality_cells(one)] for peer, one in ran.items()])
    cells = [[peer, *(cost_cell(one, cost) for cost in COSTS)] for peer, one in ran.items()]
    lines += ["", *table(["", *COSTS.values()], cells), ""]
    lines += [
        f"{peer} took no part: {one['failed']}.\n"
        for peer, one in found["peers"].items()
        if one.get("failed")
    ]
    return "\n".join([*lines, answered(found.get("answers", {}), ours), ""])


def quality_cells(one: Metrics) -> Iterator[str]:
    for score in SCORES:
        value, low, high = one[score]
        yield f"{value:.3f} ({low:.3f}-{high:.3f})"
        yield p_value(one[f"{score} p"]) if f"{score} p" in one else ""


def p_value(p: float) -> str:
    """As it is printed; the test resamples 10,000 times.

    >>> p_value(0.0), p_value(0.25)
    ('< 0.001', '0.250')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def cost_cell(one: Metrics, cost: str) -> str:
    if f"{cost}, times" not in one:
        return number(one[cost])
    return f"{number(one[cost])} ({times(one[f'{cost}, times'])})"


def times(interval: Sequence[float]) -> str:
    """A ratio with its ends, where it has some.

    >>> times([2.0, 1.5, 2.5]), times([0.25, 0.25, 0.25])
    ('2.0x; 1.5-2.5', '0.25x')
    """
    middle, low, high = (number(value) for value in interval)
    return f"{middle}x" if low == high == middle else f"{middle}x; {low}-{high}"


def number(value: float) -> str:
    """Two significant digits or more.

    >>> number(1234.4), number(12.34), number(1.234), number(0.01234)
    ('1,234', '12', '1.2', '0.012')
    """
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.995 else f"{value:.2g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], others: str = "---:") -> list[str]:
    """`others`: how the columns after the first are aligned."""
    marks = ["---", *[others] * (len(head) - 1)]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]


def answered(found: Metrics, ours: str) -> str:
    """What whole answers were like, of ours alone."""
    if not found:
        return ""
    if "failed" in found:
        return f"{ours}'s whole answers could not be had: {found['failed']}.\n"
    return (
        f"{ours} alone also answers: checked, with the grounds of each sentence, in {number(found['ms'])} ms (median). Of these questions it "
        f"answered {share(found['given'])} and refused the rest; {share(found['given and right'])} of all were answered with a right answer.\n"
    )


def share(interval: Sequence[float]) -> str:
    value, low, high = interval
    return f"{value:.2f} ({low:.2f}-{high:.2f})"


def wins(metrics: Metrics, ours: str) -> str:
    """Where a peer is better, by corpus; what may be chance is said to be."""
    lines = ["## Where a peer wins", ""]
    for name, found in metrics.items():
        for label, winners in won(found["peers"], ours):
            lines.append(f"- **{name}, {label}:** {'; '.join(winners)}.")
    if len(lines) == 2:
        lines.append("Nowhere in this run.")
    return "\n".join([*lines, "", ""])


def won(peers: Metrics, ours: str) -> Iterator[tuple[str, list[str]]]:
    """(what, the peers that are better at it, the best first)."""
    base = peers.get(ours, {})
    others = {name: one for name, one in peers.items() if name != ours and not one.get("failed")}
    if not base or base.get("failed"):
        return
    for score, label in SCORES.items():
        better = sorted(
            (n for n in others if others[n][score][0] > base[score][0]), key=lambda n: -others[n][score][0]
        )
        told = [
            f"{name} {others[name][score][0]:.3f} against {base[score][0]:.3f}{chance(others[name][f'{score} p'])}"
            for name in better
        ]
        if told:
            yield label, told
    for cost, label in COSTS.items():
        ratios = {name: one[f"{cost}, times"] for name, one in others.items()}
        better = sorted((name for name in ratios if ratios[name][0] < 1), key=lambda name: ratios[name][0])
        told = [
            f"{name} {times(ratios[name])}{' (no clear difference)' if ratios[name][2] >= 1 else ''}"
            for name in better
        ]
        if told:
            yield label, told


def chance(p: float) -> str:
    return f" (p {p_value(p)})" if p < CLEAR_P else f" (p {p_value(p)}: may be chance)"


def versions(settings: Metrics) -> str:
    """What took part, and what could not be installed."""
    rows = [
        [one["name"], one["how"], ", ".join(one["packages"]), one["licence"], one["missing"] or "yes"]
        for one in settings["peers"]
    ]
    lines = table(["", "set up as", "versions", "licence", "installed"], rows, "---")
    return "\n".join(["## Who took part", "", *lines, ""])
