"""Speaks for one driver: a request a line on stdin, an answer a line on stdout, both JSON objects.

Run as `python -P serve.py DRIVER.py FOLDER MODEL`: FOLDER is where the index is kept, MODEL that of the
weights. It knows nothing but the standard library, as it runs in environments of peers. What a library prints
goes to stderr. Requests: {"do": "warm"}; {"do": "ingest", "file": rows of `doc_id`, `title`, `text`};
{"do": "load"}; {"do": "query", "question", "k"}; {"do": "answer", "question"}; {"do": "close"}. Each answer
has `seconds` and `processor`, of the work alone, and "error" where it failed.

A driver's `Store(folder, model)` imports the peer and loads its model; `warm()` uses the model once;
`ingest(rows)` makes the index and writes it to its folder; `load()` reads it from there; `query(question, k)`
gives the ids of the documents of the k best passages; `answer(question)`, if it has one, an object.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def opened(driver: str, folder: str, model: str) -> Any:
    """The store of a driver, which is found by its path so that no other module hides behind its name."""
    spec = importlib.util.spec_from_file_location(f"driver_{Path(driver).stem}", driver)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Store(folder, model)


def rows_of(file: str) -> list[dict[str, str]]:
    with open(file, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def done(store: Any, request: dict[str, Any], rows: list[dict[str, str]]) -> dict[str, Any]:
    match request["do"]:
        case "warm":
            store.warm()
        case "ingest":
            store.ingest(rows)
        case "load":
            store.load()
        case "query":
            return {"ids": store.query(request["question"], request["k"])}
        case "answer":
            return {"answer": store.answer(request["question"])}
    return {}


def peak_mb() -> float:
    """The most memory this process has held, in MB.

    Of Linux's `VmHWM`, as `ru_maxrss` there begins with what the process that started this one held.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        import resource

        return (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            * (1 if sys.platform == "darwin" else 1024)
            / 1e6
        )


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    store = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "close":
            print(json.dumps({"peak_mb": peak_mb()}), file=out, flush=True)
            break
        try:
            store = store or opened(*sys.argv[1:])
            rows = rows_of(request["file"]) if "file" in request else []
            wall, processor = time.perf_counter(), time.process_time()
            told = done(store, request, rows)
            clocks = {"seconds": time.perf_counter() - wall, "processor": time.process_time() - processor}
            told = {**told, **clocks}
        except Exception as error:
            told = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(told), file=out, flush=True)
    out.flush()
    os._exit(0)  # what libraries do at their end is not measured, and some of them hang there


if __name__ == "__main__":
    main()
