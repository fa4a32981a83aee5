"""`agent add`, `search` and `docs`: the library from the command line."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from agent.assistant import Agent
from agent.cli.first_run import is_empty
from agent.cli.progress import adding
from agent.cli.render import console, place, print_copies, print_json, print_table, shorten
from agent.cli.stopping import INTERRUPTED
from agent.cli.words import WORDS
from agent.filters import nothing_passes, read_options
from agent.settings import read_settings
from retrieval.addresses import is_page
from retrieval.library import AddReport

ALWAYS_COUNTED = ("indexed", "unchanged", "skipped", "failed")
NO_DOCUMENTS = "no documents yet: add some with `agent add PATH`"
LISTED = 20  # files that were skipped, beside the table of documents


def add_paths(paths: Sequence[str], *, as_json: bool, prune: bool = False) -> int:
    """Add files with a progress bar; the exit code: 1 when something failed and nothing was indexed."""
    with Agent(read_settings()) as assistant:
        try:
            report = _add(assistant, paths, prune=prune)
        except KeyboardInterrupt:
            documents = assistant.library.store.counts()["documents"]
            again = shlex.join(["agent", "add", *(["--prune"] if prune else []), *paths])
            print(
                f"stopped: the library keeps its {documents} documents; `{again}` goes on with the rest",
                file=sys.stderr,
            )
            return INTERRUPTED
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(report)
    return 1 if report.failed and not (report.indexed or report.unchanged) else 0


def add_here(assistant: Agent, folder: Path) -> None:
    """Add a folder with a progress bar, and tell of it on stderr."""
    _print_report(_add(assistant, [str(folder)], prune=False), sys.stderr)


def _add(assistant: Agent, paths: Sequence[str], *, prune: bool) -> AddReport:
    with adding(paths) as progress:
        return assistant.add(*paths, progress=progress, prune=prune, on_wait=_say_waiting)


def watch_paths(paths: Sequence[str], *, as_json: bool, prune: bool = False) -> int:
    """Add, then follow what changes, a line for each, until Ctrl-C."""
    import json

    began = False
    with Agent(read_settings()) as assistant:
        try:
            for report in assistant.watch(*paths, prune=prune, on_wait=_say_waiting):
                if as_json:
                    print(json.dumps(asdict(report), ensure_ascii=False), flush=True)
                elif began:
                    _print_changes(report)
                else:
                    _print_report(report)
                if not began:
                    print("watching for changes; Ctrl-C ends it", file=sys.stderr, flush=True)
                began = True
                sys.stdout.flush()
        except KeyboardInterrupt:
            print("stopped: the library is as far as was told", file=sys.stderr)
    return 0


def _print_changes(report: AddReport) -> None:
    """One line for each file that changed; nothing for one that says what it said."""
    now = time.strftime("%H:%M:%S")
    for kind in ("indexed", "moved", "pruned", "missing", "skipped", "failed"):
        for one in getattr(report, kind):
            reason = f": {one['reason']}" if one["reason"] else ""
            alone = kind == "indexed" and len(report.indexed) == 1
            made = f" ({report.embedded} embedded, {report.reused} reused)" if alone else ""
            print(f"{now} {kind} {one['path']}{made}{reason}")


def _say_waiting() -> None:
    print("another `agent add` is at work on this library: waiting for it", file=sys.stderr)


def _print_report(report: AddReport, out: TextIO | None = None) -> None:
    """Counts on stdout, or where it is said; what was left out, and why, on stderr."""
    err = console(sys.stderr)
    for kind, style in (("skipped", "yellow"), ("failed", "red")):
        for one in getattr(report, kind):
            err.print(f"{kind}: {one['path']}: {one['reason']}", style=style, markup=False)
    for one in report.indexed:
        if one["reason"]:
            word = "indexed" if is_page(one["path"]) else "indexed in part"
            err.print(f"{word}: {one['path']}: {one['reason']}", style="yellow", markup=False)
    for one in report.moved:
        err.print(f"moved: {one['path']}: {one['reason']}", style="dim", markup=False)
    for one in report.missing:
        err.print(f"missing: {one['path']}: {one['reason']}", style="yellow", markup=False)
    if report.missing:
        err.print("what is missing stays in the library: --prune removes it", markup=False)
    counts = [
        f"{len(getattr(report, kind))} {kind}"
        for kind in ("indexed", "unchanged", "skipped", "failed", "moved", "missing", "pruned")
        if getattr(report, kind) or kind in ALWAYS_COUNTED
    ]
    made = f"{report.embedded} embedded, {report.reused} reused"
    print(f"{', '.join(counts)}; {report.chunks} chunks ({made}) in {report.seconds:.1f} s", file=out)


def search_passages(query: str, k: int, only: dict[str, Any], *, as_json: bool) -> int:
    """Print the best passages; the exit code: 1 where no document passes the filter."""
    from agent.reasoners.language import language_of

    where = read_options(**only)
    with Agent(read_settings()) as assistant:
        nothing = nothing_passes(where, assistant.library.store)
        passages = [] if nothing else assistant.search(query, k, where=where)
        blind = assistant.library.blind_reason
        empty = is_empty(assistant)
    if as_json:
        rows = [
            {
                "path": p.chunk.path,
                "start": p.chunk.start,
                "end": p.chunk.end,
                "text": p.chunk.text,
                "score": round(p.score, 4),
                "tier": "long",
                "heading": p.chunk.heading,
                "page": p.chunk.page,
                **({"who": list(p.chunk.who)} if p.chunk.who else {}),
                **({"when": p.chunk.when} if p.chunk.when else {}),
                "also": [{"path": c.path, "start": c.start, "end": c.end} for c in p.also],
            }
            for p in passages
        ]
        print_json({"passages": rows})
    else:
        out = console()
        for p in passages:
            line = place(p.chunk.path, None, p.chunk.page, out)
            out.print(f"{p.score:.2f} ", line, f" {p.chunk.heading}", sep="", markup=False)
            out.print(f"     {shorten(p.chunk.text, 300)}", style="dim", markup=False)
            elsewhere = list(dict.fromkeys(c.path for c in p.also if c.path != p.chunk.path))
            print_copies(elsewhere, WORDS[language_of(query)], out)
    if blind:
        print(f"note: searched by words only: {blind}", file=sys.stderr)
    if not passages:
        print(nothing or ("nothing found: try other words" if not empty else NO_DOCUMENTS), file=sys.stderr)
    return 1 if nothing else 0


def list_documents(*, as_json: bool) -> None:
    """Documents with their chunks and state, then the files that were skipped or could not be read."""
    from agent.answer import file_change

    with Agent(read_settings()) as assistant:
        rows = []
        for document in assistant.library.documents():
            row = asdict(document)
            row["changed"] = file_change(assistant.library, document.id)
            rows.append(row)
        failed, skipped = (
            [{"path": path, "reason": reason} for path, reason in assistant.library.store.failures(kind)]
            for kind in ("failed", "skipped")
        )
    coverage = {
        "indexed": len(rows),
        "changed": sum(r["changed"] == "changed" for r in rows),
        "gone": sum(r["changed"] == "gone" for r in rows),
        "skipped": len(skipped),
        "failed": len(failed),
    }
    if as_json:
        print_json({"documents": rows, "failed": failed, "skipped": skipped, "coverage": coverage})
        return
    print_table(
        [
            [
                r["path"],
                f"{r['chunks']} {'chunk' if r['chunks'] == 1 else 'chunks'}",
                r["format"],
                r["changed"] or time.strftime("%Y-%m-%d", time.localtime(r["added_s"])),
            ]
            for r in rows
        ],
        console(),
    )
    for one in failed:
        print(f"failed: {one['path']}: {one['reason']}", file=sys.stderr)
    for one in skipped[:LISTED]:
        print(f"skipped: {one['path']}: {one['reason']}", file=sys.stderr)
    if len(skipped) > LISTED:
        print(f"skipped: {len(skipped) - LISTED} more (--json names them)", file=sys.stderr)
    print(", ".join(f"{n} {kind}" for kind, n in coverage.items()), file=sys.stderr)
    if old := sum(not row["described"] for row in rows):
        print(
            f"{old} documents were added before dates, tags and senders were kept: `agent add` them again",
            file=sys.stderr,
        )
    if coverage["changed"]:
        print("what changed is read again by `agent add` of its folder or file", file=sys.stderr)
    if coverage["gone"]:
        print("what is gone stays until `agent docs rm PATH`, or `agent add --prune FOLDER`", file=sys.stderr)
    if not rows:
        print(NO_DOCUMENTS, file=sys.stderr)


def remove_documents(paths: Sequence[str], *, as_json: bool) -> int:
    with Agent(read_settings()) as assistant:
        removed = assistant.library.remove(paths)
    if as_json:
        print_json({"removed": removed})
    else:
        for path in removed:
            print(f"removed {path}")
    if not removed:
        print("nothing to remove: `agent docs` lists what is there", file=sys.stderr)
    return 0 if removed else 1
