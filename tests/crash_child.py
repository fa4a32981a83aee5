"""Adds folders to libraries until its parent kills it, and prints the documents that it has committed.

Everything is imported once; for each line "LIBRARY\tDOCS" on stdin a fork adds, so that it is killed in the
middle of its work and not of its imports. It prints the fork's pid, then "SHA-256 PATH" for each document that
was committed, then "done" unless it was killed, then "end".
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import faiss  # noqa: F401
import numpy  # noqa: F401

from retrieval.embed import HashEmbedder
from retrieval.library import Library
from retrieval.tokens import lexical_tokens


def add(folder: Path, docs: Path) -> None:
    with Library(folder, HashEmbedder) as library:
        told = {document.sha256 for document in library.documents()}

        def progress(_done: int, _files: int, _path: str) -> None:
            """Called between transactions: what the store lists now has been committed."""
            for document in library.documents():
                if document.sha256 not in told:
                    told.add(document.sha256)
                    print(document.sha256, document.path, flush=True)

        library.add([docs], progress)
    print("done", flush=True)


def main() -> None:
    lexical_tokens("a 字")  # loads the word list
    for line in sys.stdin:
        folder, docs = (Path(part) for part in line.rstrip("\n").split("\t"))
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                print(os.getpid(), flush=True)
                add(folder, docs)
                code = 0
            finally:
                os._exit(code)
        os.waitpid(pid, 0)
        print("end", flush=True)


if __name__ == "__main__":
    main()
