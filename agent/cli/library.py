"""`agent add`, `search` and `docs`: the library from the command line."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from agent.assistant import Agent
from agent.cli.render import console, place, print_json, print_table, shorten
from agent.settings import read_settings
from retrieval.library import AddReport, Progress


def add_paths(paths: Sequence[Path], *, as_json: bool) -> int:
    """Add files with a progress bar; the exit code: 1 when something failed and nothing was indexed."""
    with Agent(read_settings()) as assistant:
        if sys.stderr.isatty():
            report = _with_bar(assistant, paths)
        else:
            report = assistant.add(*paths)
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(report)
    return 1 if report.failed and not (report.indexed or report.unchanged) else 0


def _with_bar(assistant: Agent, paths: Sequence[Path]) -> AddReport:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console(sys.stderr), transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def advance(done: int, total: int, path: str) -> None:
            bar.update(task, completed=done, total=total, description=shorten(Path(path).name, 30))

        progress: Progress = advance
        return assistant.add(*paths, progress=progress)


def _print_report(report: AddReport) -> None:
    """Counts on stdout; what was left out, and why, on stderr."""
    err = console(sys.stderr)
    for kind, style in (("skipped", "yellow"), ("failed", "red")):
        for one in getattr(report, kind):
            err.print(f"{kind}: {one['path']}: {one['reason']}", style=style, markup=False)
    for one in report.indexed:
        if one["reason"]:
            err.print(f"indexed in part: {one['path']}: {one['reason']}", style="yellow", markup=False)
    counts = [
        f"{len(getattr(report, kind))} {kind}" for kind in ("indexed", "unchanged", "skipped", "failed")
    ]
    print(f"{', '.join(counts)}; {report.chunks} chunks in {report.seconds:.1f} s")


def search_passages(query: str, k: int, *, as_json: bool) -> None:
    with Agent(read_settings()) as assistant:
        passages = assistant.search(query, k)
        blind = assistant.library.blind_reason
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
    if blind:
        print(f"note: searched by words only: {blind}", file=sys.stderr)
    if not passages:
        print("nothing found", file=sys.stderr)


def list_documents(*, as_json: bool) -> None:
    """Documents with their chunks and state, then the files that could not be read."""
    from agent.answer import file_change

    with Agent(read_settings()) as assistant:
        rows = []
        for document in assistant.library.documents():
            row = asdict(document)
            row["changed"] = file_change(assistant.library, document.id)
            rows.append(row)
        failures = [{"path": path, "reason": reason} for path, reason in assistant.library.store.failures()]
    if as_json:
        print_json({"documents": rows, "failed": failures})
        return
    print_table(
        [
            [
                r["path"],
                f"{r['chunks']} chunks",
                r["format"],
                r["changed"] or time.strftime("%Y-%m-%d", time.localtime(r["added_s"])),
            ]
            for r in rows
        ],
        console(),
    )
    for failure in failures:
        print(f"failed: {failure['path']}: {failure['reason']}", file=sys.stderr)
    if not rows:
        print("no documents yet: add some with `agent add PATH`", file=sys.stderr)


def remove_documents(paths: Sequence[Path], *, as_json: bool) -> int:
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
