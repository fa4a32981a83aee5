"""`python -m evals SUITE`: measure, print, and write the result as JSON. Also `gate` and `--compare`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from agent.errors import SettingsError, ToulminError
from agent.privacy import switch_off_telemetry
from evals.data import SMALL_DATA
from evals.kept import Kept
from evals.orders import Order, about, chosen, measured
from evals.parts import SUITES, listing, parts_of
from evals.report import show, write

INTERRUPTED = 130  # exit code, as of any program that Ctrl-C ends
WRONG = 2
GATE = "gate"


def main() -> None:
    """Run the command. Exits with 2 for what was asked wrongly, 130 after Ctrl-C, 1 for other failures."""
    if sys.argv[1:2] == ["report"]:
        import_module("evals.page").main(sys.argv[2:])
        return
    os.environ.setdefault("AGENT_NO_PROJECT", "1")  # figures do not depend on the folder they are taken in
    parser = _parser()
    given = parser.parse_args()
    switch_off_telemetry()
    try:
        _check_together(given)
        if given.compare:
            from evals.compare import compare_files

            compare_files(*given.compare)
        elif given.suite == GATE:
            from evals.gate import gate

            sys.exit(gate(update=given.update, suite=given.part, changes=chosen(given.settings)))
        elif given.suite:
            _measure(given)
        else:
            print(
                f"{parser.format_usage()}\n{listing()}\n{GATE:10} the committed sets against their baseline\n"
                f"{'report':10} results as a page and as tables"
            )
    except (SettingsError, _Wrong) as error:
        _end(str(error), WRONG)
    except KeyboardInterrupt:
        _end("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of the output has gone
        sys.exit(1)
    except Exception as error:
        if not isinstance(error, _expected()):
            raise
        _end(" ".join(str(error).split()), 1)


class _Wrong(Exception):
    """What was asked for does not exist."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evals", description="Measure quality and speed. Without a suite: list them."
    )
    parser.add_argument("suite", nargs="?", choices=[*SUITES, GATE], metavar="SUITE")
    parser.add_argument(
        "--data", type=Path, default=SMALL_DATA, help="folder of data, by default the small set"
    )
    parser.add_argument("--lang", metavar="XX", help="one corpus only, of corpus_XX.jsonl")
    parser.add_argument("--part", help="one part of the suite; `python -m evals` lists them")
    parser.add_argument("--limit", type=int, help="the first N questions of each corpus")
    parser.add_argument("--model", help="a chat model, by name or GGUF file; for critic its ONNX file")
    parser.add_argument(
        "--settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of `agent config show`",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the result; what is cut short goes on"
    )
    parser.add_argument(
        "--keep", action="store_true", help="a result in FILE that nothing has changed since stays"
    )
    parser.add_argument(
        "--compare", nargs=2, type=Path, metavar=("A.json", "B.json"), help="two results, row by row"
    )
    parser.add_argument("--update", action="store_true", help="of gate: write the baseline anew")
    return parser


def _measure(given: argparse.Namespace) -> None:
    order = Order(
        given.suite, given.part, given.data, given.lang, given.limit, given.model, chosen(given.settings)
    )
    _check(order)
    if given.keep and not order.has_needs:
        print(f"note: {_left_out(order)}", file=sys.stderr)
        given.json.unlink(missing_ok=True)  # what it holds is of other data
        return
    if given.json and not given.json.absolute().parent.is_dir():
        raise _Wrong(f"no such folder: {given.json.parent}")
    if given.json and given.json.is_dir():
        raise _Wrong(f"{given.json} is a folder: name a file in it")
    told = about(order)
    if given.keep and _is_of(given.json, told["hash"]):
        print(f"{given.json}: of the same data, settings, versions and code: not measured again")
        return
    keeps = given.json and (given.json.is_file() or not given.json.exists())  # not /dev/stdout
    # By its hash: whoever tries another option and comes back goes on where this one was.
    partial = given.json.with_name(f"{given.json.name}.{told['hash']}.partial") if keeps else None
    kept = Kept(partial, told["hash"])
    for note in filter(None, (_left_out(order), kept.note)):
        print(f"note: {note}", file=sys.stderr)
    done = False
    try:
        result = measured(replace(order, kept=kept), told)
        if given.json:
            write(result, given.json)
        done = True
    except KeyboardInterrupt:
        _end(f"interrupted: {_goes_on(kept)}", INTERRUPTED)
    finally:
        kept.close(done=done)
    show(result)


def _is_of(file: Path, sha: str) -> bool:
    """Whether a file holds a result with this hash."""
    try:
        return bool(json.loads(file.read_text(encoding="utf-8")).get("hash") == sha)
    except (OSError, ValueError, AttributeError):
        return False  # none, or none that can be read: measured anew


def _left_out(order: Order) -> str:
    missing = [name for name in parts_of(order.suite, order.part) if name not in order.parts]
    missing = missing or ([] if order.has_needs else [order.part or order.suite])
    return f"left out, as {order.data} has no data for it: {', '.join(missing)}" if missing else ""


def _goes_on(kept: Kept) -> str:
    if not kept.file:
        return "nothing is kept; with --json FILE the same command could go on from here"
    if not len(kept):
        return "nothing was done yet"
    return f"{len(kept)} rows are kept in {kept.file}; the same command goes on from there"


def _check_together(given: argparse.Namespace) -> None:
    """Raises `_Wrong` for options that do not go together, as they would have no effect."""
    measures = [
        f"--{name}" for name in ("lang", "model", "limit", "json") if getattr(given, name) is not None
    ]
    measures += ["--data"] if given.data != SMALL_DATA else []
    if given.compare and (given.suite or given.part or given.settings or measures):
        raise _Wrong("--compare takes two results and nothing else")
    if given.suite == GATE and measures:
        raise _Wrong(f"{GATE} measures what its baseline is of: leave out {' and '.join(measures)}")
    if given.keep and given.json is None:
        raise _Wrong("--keep is of the result that --json FILE names")
    if given.update and (given.suite != GATE or given.settings):
        raise _Wrong(f"--update is of {GATE}, with the settings by default")
    if not given.suite and not given.compare and (given.part or given.settings or measures):
        raise _Wrong(f"name a suite: {', '.join(SUITES)}")


def _check(order: Order) -> None:
    """Raises `_Wrong` for what the suite does not have."""
    suite = SUITES[order.suite]
    try:
        parts_of(order.suite, order.part)
    except ValueError as error:
        raise _Wrong(str(error)) from error
    if not order.parts:
        raise _Wrong(f"{order.suite} --part {order.part} is of English alone: leave out --lang")
    if order.model and not suite.model:
        raise _Wrong(f"{order.suite} has no model to choose: leave out --model")
    if order.chosen and not suite.settings:
        raise _Wrong(f"{order.suite} does not depend on settings: leave out --settings")
    if order.limit is not None and order.limit < 1:
        raise _Wrong(f"--limit must be at least 1, not {order.limit}")
    if not order.data.is_dir():
        raise _Wrong(f"no such folder: {order.data}")


def _expected() -> tuple[type[Exception], ...]:
    """Errors of which one line says enough."""
    from retrieval.embed import EmbedderError
    from retrieval.store import StoreError

    return (ToulminError, EmbedderError, StoreError, OSError)


def _end(line: str, code: int) -> None:
    print(line, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
