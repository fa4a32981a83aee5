"""Writes `evals/PEERS.md` from a result: tables, versions, and where a peer wins, all from the figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evals.peers.runner import PASSAGES

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
CROWDED = 0.15  # share of the cores that others keep busy

CHINESE = """
The model is English: of Chinese it knows few characters. Toulmin notices and searches by words alone there,
which is also why it adds Chinese so fast: it embeds hardly any of it. Peers that search by meaning would do
better with a model for many languages, as would Toulmin (`agent setup --embedder`), and peers that search by
words with a tokenizer for Chinese."""
TEMPLATE = Path(__file__).with_name("page.md")


def page(result: Metrics) -> str:
    """The whole page; `result` is a `Result` as a dictionary."""
    settings, metrics = result["settings"], result["metrics"]
    facts = {key: settings[key] for key in ("command", "python", "date", "rounds")}
    facts |= {"hash": result["hash"], "chinese": CHINESE if "zh" in metrics else ""}
    return TEMPLATE.read_text(encoding="utf-8").format(
        **facts,
        passages=PASSAGES,
        machine=machine(settings),
        crowd=crowd(settings),
        tables="\n".join(corpus(name, found, settings["ours"]) for name, found in metrics.items()),
        wins=wins(metrics, settings["ours"]),
        peers=took_part(settings),
    )


def machine(settings: Metrics) -> str:
    """In general words."""
    busy = "" if settings["others"] is None else f", {number(settings['others'])} of which others kept busy"
    return f"a machine with {settings['cores']} cores ({settings['machine']}){busy}"


def crowd(settings: Metrics) -> str:
    """A warning where others kept most of the cores busy."""
    others = settings["others"]
    if others is None or others <= settings["cores"] * CROWDED:
        return ""
    return (
        f"**The machine was busy with other work** ({number(others)} of its cores meanwhile),\n"
        "so these times are no measure: threads that wait for one another lose most in a crowd, and\n"
        "peers that use torch have them. Take them again on a quiet machine. Quality, memory and\n"
        "disk do not depend on it.\n\n"
    )


def corpus(name: str, found: Metrics, ours: str) -> str:
    """The tables of one corpus."""
    ran = {peer: one for peer, one in found["peers"].items() if not one.get("failed")}
    lines = [f"## {name}: {found['documents']:,} texts, {found['n']:,} questions", ""]
    heads = [head for score in SCORES.values() for head in (score, "p")]
    lines += table(["", *heads], [[peer, *quality_cells(one)] for peer, one in ran.items()])
    cells = [[peer, *(cost_cell(one, cost) for cost in COSTS)] for peer, one in ran.items()]
    lines += ["", *table(["", *COSTS.values()], cells), ""]
    lines += [
        f"{peer} took no part: {no_paths(one['failed'])}.\n"
        for peer, one in found["peers"].items()
        if one.get("failed")
    ]
    return "\n".join([*lines, answered(found["answers"], ours)])


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
    if "failed" in found:
        return f"{ours}'s whole answers could not be had: {no_paths(found['failed'])}.\n"
    return (
        f"{ours} alone also answers, checked and with the grounds of each sentence, in\n"
        f"{number(found['ms'])} ms (median). Of these questions it answered {share(found['given'])}\n"
        f"and refused the rest; {share(found['given and right'])} of all were answered rightly.\n"
    )


def no_paths(reason: str) -> str:
    """What went wrong, without where on this machine.

    >>> no_paths("No such file: '/home/me/.cache/x.bin' (see https://x.org/a/b)")
    "No such file: 'PATH' (see https://x.org/a/b)"
    """
    return re.sub(r"(?<![\w:/.])/[^\s'\"]+", "PATH", reason)


def share(interval: Sequence[float]) -> str:
    value, low, high = interval
    return f"{value:.2f} ({low:.2f}-{high:.2f})"


def wins(metrics: Metrics, ours: str) -> str:
    """Where a peer is better, by corpus; what may be chance is said to be."""
    lines = [
        f"- **{name}, {label}:** {'; '.join(winners)}.\n"
        for name, found in metrics.items()
        for label, winners in won(found["peers"], ours)
    ]
    return "".join(lines) or "Nowhere in this run.\n"


def won(peers: Metrics, ours: str) -> Iterator[tuple[str, list[str]]]:
    """(what, the peers that are better at it, the best first)."""
    base = peers.get(ours, {})
    others = {name: one for name, one in peers.items() if name != ours and not one.get("failed")}
    if not base or base.get("failed"):
        return
    for score, label in SCORES.items():
        own = base[score][0]
        means = {name: one[score][0] for name, one in others.items() if one[score][0] > own}
        if means:
            yield (
                label,
                [
                    f"{name} {mean:.3f} against {own:.3f}{chance(others[name][f'{score} p'])}"
                    for name, mean in sorted(means.items(), key=lambda item: -item[1])
                ],
            )
    for cost, label in COSTS.items():
        ratios = {name: one[f"{cost}, times"] for name, one in others.items()}
        less = {name: ratio for name, ratio in ratios.items() if ratio[0] < 1}
        if less:
            yield (
                label,
                [
                    f"{name} {times(ratio)}{' (no clear difference)' if ratio[2] >= 1 else ''}"
                    for name, ratio in sorted(less.items(), key=lambda item: item[1][0])
                ],
            )


def chance(p: float) -> str:
    return f" (p {p_value(p)})" if p < CLEAR_P else f" (p {p_value(p)}: may be chance)"


def took_part(settings: Metrics) -> str:
    """Who, how, in which versions; and what could not be installed."""
    rows = [
        [
            one["name"],
            one["how"],
            ", ".join(one["packages"]),
            one["licence"],
            no_paths(one["missing"]) or "yes",
        ]
        for one in settings["peers"]
    ]
    head = ["", "set up as", "versions", "licence", "installed"]
    return "".join(f"{line}\n" for line in table(head, rows, "---"))
