"""Crashes: a process that is killed at any moment of its adding loses nothing that it acknowledged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retrieval.embed import HashEmbedder
from retrieval.library import Library
from tests.libraries import check_index, check_whole, found, names, write
from tests.processes import environment


class Crashes:
    """Forks that add and are killed."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_child"],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def crash(
        self, library: Path, docs: Path, after_lines: int, after_s: float
    ) -> tuple[dict[str, str], bool]:
        """Kill a process that adds, so long after so many acknowledgements.

        What it acknowledged, path to SHA-256, and whether it was killed before it was done.
        """
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.write(f"{library}\t{docs}\n")
        self.child.stdin.flush()
        pid = int(self.child.stdout.readline())
        lines: list[str] = []
        while len(lines) < after_lines and not {"done\n", "end\n"} & set(lines):
            lines.append(self.child.stdout.readline())
        time.sleep(after_s)
        if "end\n" not in lines:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        text = "".join(lines)
        while not text.endswith("end\n"):  # a line that was cut short stands before it
            text += self.child.stdout.readline()
        told = [line.split(" ", 1) for line in text.splitlines() if len(line.split(" ", 1)[0]) == 64]
        return {path: sha256 for sha256, path in told}, "done\n" not in text

    def __enter__(self) -> Crashes:
        return self

    def __exit__(self, *exc: object) -> None:
        with self.child:
            assert self.child.stdin is not None
            self.child.stdin.close()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("kills", "seed"),
    [(8, 7), pytest.param(100, 7, marks=pytest.mark.slow), pytest.param(100, 8, marks=pytest.mark.slow)],
)
def test_killed_while_adding(kills: int, seed: int, tmp_path: Path) -> None:
    """Whatever was acknowledged is there, whole; nothing is half there; adding again completes."""
    docs, folder = tmp_path / "docs", tmp_path / "library"
    text = "This is file{n} about kites. " + "Wind and string. " * 350 + "\n\n第{n}号风筝飞了。" * 8
    files = write(docs, **{f"f{n:03}": text.format(n=f"{n:03}") for n in range(40)})
    chance = random.Random(seed)
    known: dict[str, str] = {}
    written: dict[str, int] = {}  # SHA-256 of each version of each file: before which kill it was written
    interrupted = 0
    with Crashes() as crashes:
        for kill in range(kills):
            written |= dict.fromkeys((hashlib.sha256(file.read_bytes()).hexdigest() for file in files), kill)
            if kill == 0:  # while the library is made
                told, killed = crashes.crash(folder, docs, 0, chance.uniform(0, 0.1))
            elif kill % 2:  # from the first to the last moment of its work
                told, killed = crashes.crash(folder, docs, 0, chance.uniform(0, 1.5))
            else:
                told, killed = crashes.crash(
                    folder, docs, chance.randint(1, len(files)), chance.uniform(0, 0.03)
                )
            interrupted += killed
            known |= told
            with Library(folder, HashEmbedder) as library:
                for path, sha256 in known.items():  # a later version may have been committed and not told
                    assert written[library.store.document_hash(path) or ""] >= written[sha256]
                for path in chance.sample(sorted(known), min(5, len(known))):
                    assert found(library, Path(path).stem.replace("f", "file"), 1) == [Path(path).name]
                check_index(library)
            check_whole(folder)
            for file in files:  # the next one has all of them to replace
                lines = file.read_text(encoding="utf-8").split("\n\n")[:9]
                file.write_text("\n\n".join([*lines, f"第{kill}次 more."]), encoding="utf-8")
    assert interrupted > kills / 2
    assert known
    with Library(folder, HashEmbedder) as library:
        report = library.add([docs])
        assert names(report.indexed) == [file.name for file in files]
        assert [document.path for document in library.documents()] == [str(file) for file in files]
        assert found(library, "file039 kites", 1) == ["f039.txt"]
        check_index(library)
    check_whole(folder)
