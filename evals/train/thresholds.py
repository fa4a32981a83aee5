"""Chooses the thresholds of `agent.critic.sufficiency` for each strictness, on dev data.

    python -m evals refusal --data FOLDER --json ROWS
    python -m evals.train.thresholds ROWS

`verified`: the least confidence from which on the mean over both languages of the share of right drafts
reaches RIGHT, every kind of question counted, those written to mislead too. `partial`: the greatest at which
no more of the answerable questions are refused than leaves the recall of refusing at REFUSED. It fits no
weights, and does not run the loop.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.data import Row
from evals.metrics import precision_recall
from evals.suites.refusal import ADVERSARIAL, LANGUAGES, TO_REFUSE

RIGHT = {"strict": 0.89, "default": 0.85, "lenient": 0.82}  # of the drafts that are called verified
REFUSED = {"strict": 0.80, "default": 0.72, "lenient": 0.60}  # of the questions to be refused
STEPS = tuple(n / 100 for n in range(1, 100))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("rows", type=Path, help="what the refusal suite wrote")
    parser.add_argument("--out", type=Path, default=Path("agent/critic/thresholds.json"))
    args = parser.parse_args()
    rows = json.loads(args.rows.read_text(encoding="utf-8"))["rows"]
    chosen: dict[str, Any] = {"chosen_on": "the refusal suite over the dev data (evals/train/thresholds.py)"}
    for strictness in RIGHT:
        verified = least_verified(rows, RIGHT[strictness])
        partial = min(least_partial(rows, REFUSED[strictness]), verified)
        chosen[strictness] = {"verified": verified, "partial": partial}
        print(strictness, chosen[strictness], figures(rows, verified, partial))
    args.out.write_text(json.dumps(chosen, indent=1) + "\n", encoding="utf-8")


def least_verified(rows: Sequence[Row], right: float) -> float:
    """The least threshold whose drafts are right often enough; the one that is right most often otherwise."""

    def share(threshold: float) -> float:
        return sum(selected(of_language(rows, lang), threshold)[0] for lang in LANGUAGES) / len(LANGUAGES)

    return next((step for step in STEPS if share(step) >= right), max(STEPS, key=share))


def least_partial(rows: Sequence[Row], recall: float) -> float:
    """The least threshold below which enough of what is to be refused lies, in the mean of the languages."""

    def refused(threshold: float) -> float:
        return sum(refusing(of_language(rows, lang), threshold)[1] for lang in LANGUAGES) / len(LANGUAGES)

    return next((step for step in STEPS if refused(step) >= recall), STEPS[-1])


def selected(rows: Sequence[Row], threshold: float) -> tuple[float, float]:
    """(share of right drafts, share of all rows) at or over a threshold."""
    over = [row["draft_right"] for row in rows if row["confidence"] >= threshold]
    return sum(over) / max(len(over), 1), len(over) / max(len(rows), 1)


def refusing(rows: Sequence[Row], threshold: float) -> tuple[float, float]:
    """(precision, recall) of refusing below a threshold, without the questions written to mislead."""
    apart = [row for row in rows if row["kind"] != ADVERSARIAL]
    return precision_recall(
        [row["confidence"] < threshold for row in apart], [row["kind"] in TO_REFUSE for row in apart]
    )


def of_language(rows: Sequence[Row], lang: str) -> list[Row]:
    return [row for row in rows if row["corpus"].endswith(lang)]


def figures(rows: Sequence[Row], verified: float, partial: float) -> dict[str, Any]:
    """What the thresholds amount to in each language."""
    found = {}
    for lang in LANGUAGES:
        own = of_language(rows, lang)
        right, coverage = selected(own, verified)
        precision, recall = refusing(own, partial)
        values = {"right": right, "coverage": coverage, "precision": precision, "recall": recall}
        found[lang] = {name: round(value, 3) for name, value in values.items()}
    return found


if __name__ == "__main__":
    main()
