"""`python -m evals report A.json B.json ... --html FILE --markdown FILE`: results as one page, and as tables.

Several results of one suite stand side by side. The page needs nothing but itself: no script, no address; it
shows no more than the results hold, but for the questions and right answers, which are read from `--data`.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, fromstring

from agent.markup import Part, head, lang_of, written
from agent.markup import element as _e
from evals.data import SMALL_DATA
from evals.panels import Panel, panels
from evals.results import (
    MARK,
    UNSAID,
    Loaded,
    Table,
    all_metrics,
    by_suite,
    command_of,
    flat,
    headlines,
    markdown,
    read_results,
    shown,
    telling_settings,
)

GENERATOR = "Toulmin, python -m evals report"  # by which a page is known to be one of these
EMPTY: tuple[Any, ...] = (None, "", {}, [])
MOST = 12  # rows shown of each kind
OPEN = 12  # rows of a table that is not folded
FIRST = ("hash", "settings", "data", "seed", "started")  # of what a result says of itself
ASKED = ("qa_*.jsonl*", "robust_*.jsonl*", "multihop_en.jsonl*", "crosslingual_qa.jsonl*")

Row = Mapping[str, Any]
Asked = Mapping[str, Row]  # questions of the data by their id


def main(given: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m evals report", description="Results as a page and as Markdown tables."
    )
    parser.add_argument(
        "results", nargs="+", type=Path, help="written by `python -m evals SUITE --json FILE`"
    )
    parser.add_argument("--html", type=Path, help="write the page to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument("--data", type=Path, default=SMALL_DATA, help="where the questions are, to show them")
    arguments = parser.parse_args(given)
    try:
        _report(arguments.results, arguments.html, arguments.markdown, arguments.data)
    except ValueError as error:
        print(f"report: {error}", file=sys.stderr)
        sys.exit(2)


def _report(sources: Sequence[Path], html: Path | None, tables: Path | None, data: Path) -> None:
    """Raises ValueError, in one line, for what cannot be read or written."""
    if not html and not tables:
        raise ValueError("nothing to write: give --html FILE, --markdown FILE or both")
    results = read_results(sources)
    for target, form in ((html, "html"), (tables, "markdown")):
        if target is None:
            continue
        if target.resolve() in {one.resolve() for one in sources}:
            raise ValueError(f"{target}: is one of the results, and would be lost")
        text = page_of(results, questions(data)) if form == "html" else markdown(results)
        if not _is_ours(target):
            raise ValueError(f"{target}: is there already and no such report: move it, or name another file")
        try:
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{target}: cannot be written: {error.strerror or error}") from None
        print(f"wrote {target}")


def _is_ours(file: Path) -> bool:
    """Whether a file may be replaced: one that is not there, is empty or was written by this program."""
    try:
        begin = file.read_bytes()[:500].decode("utf-8", "ignore")
    except OSError:
        return True  # what is wrong, writing says
    return not begin or begin.startswith(MARK) or f'content="{GENERATOR}"' in begin


def questions(folder: Path) -> Asked:
    """The questions of a folder of data by their id; those of files that are damaged are left out."""
    found: dict[str, Row] = {}
    for file in sorted(file for pattern in ASKED for file in folder.glob(pattern)):
        try:
            data = file.read_bytes()
            lines = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8").split("\n")
            rows = [json.loads(line) for line in lines if line.strip()]
        except (OSError, ValueError, EOFError):
            continue
        found |= {row["id"]: row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)}
    return found


# --- the page -----------------------------------------------------------------------------------------------


def page_of(results: Sequence[Loaded], asked: Asked) -> str:
    """The page of some results, one at least."""
    suites = by_suite(results)
    names = {suite: f"suite{n}" for n, suite in enumerate(suites)}
    links = [_e("li", _e("a", suite, href=f"#{names[suite]}")) for suite in suites]
    title = f"Evals: {', '.join(suites)}"
    page = _e(
        "html",
        head(title, GENERATOR, _style()),
        _e(
            "body",
            _e("header", _e("h1", title), _results(results)),
            _e("nav", _e("ul", *links), aria_label="On this page"),
            _e("main", *(_suite(names[suite], found, asked) for suite, found in suites.items())),
            _e("footer", _e("p", "python -m evals report")),
        ),
        lang="en",
    )
    return written(page)


@cache
def _style() -> str:
    both = (files("agent") / "page.css", files("evals") / "page.css")
    return "\n".join(file.read_text(encoding="utf-8") for file in both)


def _results(results: Sequence[Loaded]) -> Element:
    """Every result with what it says of itself, and the command that made it."""
    telling = telling_settings(results)
    told = [{**result.about, "settings": _some(result.about["settings"], telling)} for result in results]
    head = ["result", "suite", "n"]
    head += [key for key in FIRST if any(about.get(key) not in EMPTY for about in told)]
    rows = []
    for result, about in zip(results, told, strict=True):
        suite = f"{result.suite}, {result.part}" if result.part else result.suite
        cells = [result.name, suite, shown(result.n)]
        cells += ["–" if about.get(key) in EMPTY else flat(about[key]) for key in head[3:]]
        rows.append(_e("tr", *(_e("td", cell, data_name=key) for key, cell in zip(head, cells, strict=True))))
        unsaid = None if about.get("command") else _e("div", UNSAID)
        cell = _e(
            "td", _e("code", command_of(result)), unsaid, _others(result, telling), colspan=str(len(head))
        )
        rows.append(_e("tr", cell, class_="more"))
    top = _e("tr", *(_e("th", name, scope="col") for name in head))
    return _wide(_e("table", _e("thead", top), _e("tbody", *rows), class_="results"))


def _some(settings: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: settings[key] for key in keys if settings.get(key) not in EMPTY}


def _others(result: Loaded, telling: Sequence[str]) -> Element | None:
    """What a result says of itself and the table does not, folded."""
    keys = [key for key in result.about if key not in (*FIRST, "command")]
    lines = [f"{key}: {flat(value)}" for key in keys if (value := result.about[key]) not in EMPTY]
    given = result.about["settings"]
    if len(telling) < len(given):
        lines.append(f"settings: {flat({key: one for key, one in given.items() if one not in EMPTY})}")
    return _folded("versions and settings", *(_e("div", line) for line in lines)) if lines else None


def _suite(name: str, results: Sequence[Loaded], asked: Asked) -> Element:
    suite = results[0].suite
    tables, everything = headlines(results), all_metrics(results)
    drawn = panels(results)
    return _e(
        "section",
        _e("h2", suite, id=name),
        _e("p", _about(suite), class_="quiet"),
        *(_table(table) for table in tables),
        _e("div", *(_figure(one) for one in drawn if one.svg and not one.large), class_="plots")
        if any(one.svg for one in drawn)
        else None,
        *(_folded(one.title, _figure(one)) for one in drawn if one.svg and one.large),
        *(_e("p", f"{one.title}. {one.note}", class_="note") for one in drawn if not one.svg),
        *(part for result in results for part in _cases(result, asked, many=len(results) > 1)),
        _folded(
            f"All metrics ({len(everything.rows)})", _table(everything), open_=len(everything.rows) <= OPEN
        ),
        aria_labelledby=name,
    )


def _about(suite: str) -> str:
    """What a suite measures, as its module says first; empty for a suite that is not known."""
    file = files("evals") / "suites" / f"{suite}.py"
    if not suite.isidentifier() or not file.is_file():
        return ""
    told = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return told.split("\n\n")[0].replace("\n", " ")


def _figure(panel: Panel) -> Element:
    return _e(
        "figure",
        _e("h3", panel.title),
        fromstring(panel.svg),
        _e("figcaption", panel.note) if panel.note else None,
    )


def _table(table: Table) -> Element:
    """A table whose first column names what the others count."""
    top = _e(
        "tr",
        *(_e("th", name, scope="col", class_="number" if n else None) for n, name in enumerate(table.head)),
    )
    rows = [
        _e("tr", _e("th", row[0], scope="row"), *(_e("td", cell, class_="number") for cell in row[1:]))
        for row in table.rows
    ]
    return _wide(_e("table", _e("thead", top), _e("tbody", *rows), class_="numbers"))


def _wide(table: Element) -> Element:
    return _e("div", table, class_="wide")


def _folded(summary: str, *body: Part, open_: bool = False) -> Element:
    return _e("details", _e("summary", summary), *body, open="" if open_ else None)


# --- single cases -------------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """Rows of a suite that are worth reading."""

    heading: str
    chosen: Callable[[Row], bool]
    worst: Callable[[Row], float]  # the highest come first
    texts: tuple[str, ...] = ()  # keys whose texts are quoted
    facts: tuple[str, ...] = ()


def _cases(result: Loaded, asked: Asked, *, many: bool) -> Iterable[Element]:
    for kind in KINDS.get(result.suite, []):
        found = [row for one in result.rows for row in _opened(one) if _holds(kind.chosen, row)]
        found.sort(key=lambda row: -_number(kind, row))
        if found:
            count = shown(len(found)) if len(found) <= MOST else f"{MOST} of {len(found):,}"
            heading = f"{kind.heading} ({count}{f', {result.name}' if many else ''})"
            yield _folded(
                heading, _e("ol", *(_case(row, kind, asked) for row in found[:MOST]), class_="cases")
            )


def _opened(row: Row) -> Iterable[Row]:
    """A row, and the sentences that it lists, each with what the row says."""
    yield row
    listed = row.get("sound")
    for one in listed if isinstance(listed, list) else []:
        if isinstance(one, dict):
            yield {"id": row.get("id"), "lang": row.get("lang"), **one}


def _holds(chosen: Callable[[Row], bool], row: Row) -> bool:
    try:
        return chosen(row)
    except (TypeError, KeyError):  # a row of another part, or of another form
        return False


def _number(kind: Kind, row: Row) -> float:
    try:
        return float(kind.worst(row))
    except (TypeError, KeyError, ValueError):
        return 0.0


def _case(row: Row, kind: Kind, asked: Asked) -> Element:
    """One row: its question, its texts, what was right, its facts."""
    known = asked.get(str(row.get("id")), {})
    question = row.get("question") or known.get("question")
    answers = row.get("answers") or known.get("answers")
    texts = [(key, row[key]) for key in kind.texts if row.get(key)]
    facts = [("right answers", answers)] if answers and "answer" in kind.texts else []
    facts += [
        (key, row[key])
        for key in ("corpus", "lang", "kind", *kind.facts, "id")
        if row.get(key) not in (None, "")
    ]
    return _e(
        "li",
        _e("p", _e("strong", flat(question)), lang=lang_of(flat(question))) if question else None,
        *(
            _e(
                "blockquote",
                f"{key}: " if len(kind.texts) > 1 else None,
                flat(text),
                lang=lang_of(flat(text)),
            )
            for key, text in texts
        ),
        _e("dl", *(_e("div", _e("dt", key), _e("dd", flat(value))) for key, value in facts)),
    )


def _confidence(row: Row) -> float:
    return float(row["confidence"])


_WRONG = Kind(
    "Verified but wrong, the most confident first",
    lambda row: row["outcome"] == "verified" and not row["right"],
    _confidence,
    ("answer",),
    ("confidence", "rounds", "seconds"),
)
_LOST = Kind(
    "Refused although the best draft was right, the most confident first",
    lambda row: row["outcome"] == "abstained" and row["draft_right"],
    _confidence,
    ("answer",),
    ("confidence", "rounds"),
)
_UNFOUNDED = Kind(
    "Sentences without support",
    lambda row: row["unsupported"] > 0,
    lambda row: row["unsupported"],
    ("answer",),
)
KINDS: dict[str, list[Kind]] = {
    "critic": [
        Kind(
            "Furthest from the label",
            lambda row: abs(row["verifier"] - row["label"]) > 0.5,
            lambda row: abs(row["verifier"] - row["label"]),
            ("claim",),
            ("source", "task", "label", "verifier", "cosine", "overlap"),
        ),
    ],
    "loop": [
        Kind(
            "Found by one search and lost by the loop",
            lambda row: row["single"]["all_support"] and not row["2"]["all_support"],
            lambda row: 0.0,
        ),
        Kind(
            "Verified without all needed passages",
            lambda row: row["2"]["outcome"] == "verified" and not row["2"]["all_support"],
            lambda row: row["2"]["rounds"],
        ),
    ],
    "memory": [
        Kind(
            "Stale, or on no source",
            lambda row: bool(row["stale"] or row["unfounded"]),
            lambda row: 0.0,
            ("answer",),
        ),
        Kind(
            "Not among five",
            lambda row: row["ours"] is False,
            lambda row: row["bm25"],
            (),
            ("of", "dense", "bm25"),
        ),
    ],
    "qa": [_WRONG, _UNFOUNDED, _LOST],
    "refusal": [_WRONG, _UNFOUNDED, _LOST],
    "repair": [
        Kind(
            "Faults that were believed, those in the answer first",
            lambda row: bool(row["reached"]),
            lambda row: row["in_answer"],
            ("faulty", "replaced"),
            ("outcome", "in_answer"),
        ),
        Kind(
            "Sound sentences that were removed",
            lambda row: bool(row["removed"]),
            lambda row: 0.0,
            ("text", "origin"),
            ("variety", "reason"),
        ),
    ],
    "retrieval": [
        Kind(
            "Not among the first ten",
            lambda row: row["hybrid"] >= 10,
            lambda row: row["hybrid"],
            (),
            ("hybrid", "dense", "lexical"),
        ),
    ],
}


if __name__ == "__main__":
    main(sys.argv[1:])
