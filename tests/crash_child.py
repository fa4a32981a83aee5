"""Adds a folder to a library and prints the documents that it has committed, until its parent kills it."""

from __future__ import annotations

import sys
from pathlib import Path

from retrieval.embed import HashEmbedder
from retrieval.library import Library


def main() -> None:
    with Library(Path(sys.argv[1]), HashEmbedder) as library:
        told = {document.sha256 for document in library.documents()}

        def progress(_done: int, _files: int, _path: str) -> None:
            """Called between transactions: what the store lists now has been committed."""
            for document in library.documents():
                if document.sha256 not in told:
                    told.add(document.sha256)
                    print(document.sha256, document.path, flush=True)

        library.add([Path(sys.argv[2])], progress)
    print("done", flush=True)


if __name__ == "__main__":
    main()
