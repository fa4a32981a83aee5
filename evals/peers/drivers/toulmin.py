"""Toulmin itself, by the face that a program would use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from agent import Agent, Settings
from retrieval.load import Source


def source(row: dict[str, str]) -> Source:
    return Source(row["text"], row["title"], (), "text", None, "utf-8")


class Store:
    def __init__(self, folder: str, model: str) -> None:
        # The embedder prepares its own file from the same weights; `model` is not read.
        home = Path(folder)
        if not (home / "cache").exists():
            (home / "cache").symlink_to(os.environ["TOULMIN_CACHE"])
        self._agent = Agent(Settings(home=home))

    def warm(self) -> None:
        self._agent.library.warm_up()

    def ingest(self, rows: list[dict[str, str]]) -> None:
        self._agent.library.add_sources([(row["doc_id"], source(row)) for row in rows])
        self._agent.close()  # with SQLite's log written into its database

    def load(self) -> None:
        _ = self._agent.library

    def query(self, question: str, k: int) -> list[str]:
        return [passage.chunk.path for passage in self._agent.search(question, k)]

    def answer(self, question: str) -> dict[str, Any]:
        answer = self._agent.ask(question)
        return {"text": answer.text, "outcome": str(answer.outcome)}
