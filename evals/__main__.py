"""`python -m evals SUITE`: measure, print, and write the result as JSON."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path

from agent.privacy import switch_off_telemetry
from evals.data import SMALL_DATA
from evals.report import show, write

SUITES = {
    name: f"evals.suites.{name}"
    for name in ("critic", "lexical", "loop", "memory", "qa", "refusal", "repair", "retrieval", "speed")
}


def main() -> None:
    if sys.argv[1:2] == ["report"]:
        import_module("evals.page").main(sys.argv[2:])
        return
    os.environ.setdefault("AGENT_NO_PROJECT", "1")  # figures do not depend on the folder they are taken in
    parser = argparse.ArgumentParser(prog="python -m evals", description="Measure quality and speed.")
    parser.add_argument("suite", choices=sorted(SUITES))
    parser.add_argument(
        "--data", type=Path, default=SMALL_DATA, help="folder of data, by default the small set"
    )
    parser.add_argument("--lang", choices=("en", "zh", "long_en"), help="one corpus only")
    parser.add_argument("--part", help="of the suite, where it has parts: see its file")
    parser.add_argument("--limit", type=int, default=None, help="the first N questions of each corpus")
    parser.add_argument(
        "--model",
        default=None,
        help="a GGUF file, for the suites that answer questions; for critic its ONNX file",
    )
    parser.add_argument("--json", type=Path, default=None, help="write the result to this file")
    arguments = parser.parse_args()
    switch_off_telemetry()
    result = import_module(SUITES[arguments.suite]).run(arguments)
    show(result)
    if arguments.json:
        write(result, arguments.json)


if __name__ == "__main__":
    main()
