"""`Agent`: the library face. Opens what it needs when it is first needed, runs the graph, records the run."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import runs
from agent.answer import Answer, answer_of
from agent.deps import Deps, build_chat_model, build_deps, build_embedder, open_library, prepare
from agent.errors import InputError
from agent.events import Event, event_of
from agent.lean import defer_unused
from agent.privacy import switch_off_telemetry
from agent.settings import Settings, read_settings
from agent.state import State
from retrieval.library import AddReport, Library, Progress, printable
from retrieval.search import Passage
from retrieval.store import Record, StoreError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

MAX_QUESTION_CHARS = 4000


class Memory:
    """What the library remembers beside documents, for reading."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def turns(self, thread: str, limit: int = 20) -> list[Record]:
        """The latest turns of a thread, oldest first."""
        return self._library.store.turns(thread, limit)

    def search(self, question: str, k: int = 5) -> list[Passage]:
        """Episodes by their question."""
        return self._library.search(question, k, tier="mid")


class Agent:
    """Answers questions from one library of files. Use it in a `with`, or `close` it.

    `chat_model`: any LangChain `BaseChatModel`, in place of the one that the settings name. `today`: the
    clock that "next Sunday" is counted from.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        chat_model: BaseChatModel | None = None,
        today: Callable[[], date] = date.today,
    ) -> None:
        switch_off_telemetry()
        defer_unused()
        self.settings = settings or read_settings()
        self._chat_model = chat_model
        self._today = today
        self._library: Library | None = None
        self._graph: Any = None
        self._warming: threading.Thread | None = None
        self._opening = threading.RLock()  # `aask` comes from several threads

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the library and free the chat model."""
        if self._warming:
            self._warming.join()
            self._warming = None
        if self._library:
            self._library.close()
            self._library = None
        close = getattr(self._chat_model, "close", None)
        if close:
            close()

    @property
    def library(self) -> Library:
        """The library, opened when first asked for. Raises `StoreError` when it cannot be."""
        with self._opening:
            if self._library is None:
                self._library = open_library(self.settings)
            return self._library

    @property
    def graph(self) -> Any:
        """The compiled state machine, a LangChain Runnable."""
        with self._opening:
            if self._graph is None:
                from agent.graph import build_graph

                self._graph = build_graph()
            return self._graph

    @property
    def memory(self) -> Memory:
        return Memory(self.library)

    def add(self, *paths: str | Path, progress: Progress | None = None) -> AddReport:
        """Index files and folders; prepares the embedder when that was not done yet."""
        prepare(self.settings)
        return self.library.add([Path(path) for path in paths], progress)

    def search(self, query: str, k: int = 5) -> list[Passage]:
        """The best passages of the documents."""
        return self.library.search(query, k)

    def ask(self, question: str, thread: str = "", docs: Sequence[str | Path] = ()) -> Answer:
        """Answer a question. Raises `InputError` for one that is empty or too long.

        `thread`: questions of the same thread may lean on each other. `docs`: answer from these files alone,
        remembering nothing of them.
        """
        with self._deps(docs) as deps:
            answer: Answer | None = None
            for item in self._events(question, thread, deps):
                if isinstance(item, Answer):
                    answer = item
        if answer is None:
            raise RuntimeError("the run ended without an answer")
        return answer

    def stream(self, question: str, thread: str = "", docs: Sequence[str | Path] = ()) -> Iterator[Event]:
        """The events of a run (see `agent.events`); the last one, `settled`, holds the answer."""
        with self._deps(docs) as deps:
            for item in self._events(question, thread, deps):
                if isinstance(item, Answer):
                    yield {"event": "settled", "seconds": item.seconds, "answer": item.to_json()}
                else:
                    yield item

    def run(
        self, question: str, thread: str = "", docs: Sequence[str | Path] = ()
    ) -> Iterator[Event | Answer]:
        """The events as they come, then the `Answer`: what the command line shows."""
        with self._deps(docs) as deps:
            yield from self._events(question, thread, deps)

    async def aask(self, question: str, thread: str = "", docs: Sequence[str | Path] = ()) -> Answer:
        """`ask` in a thread of its own."""
        return await asyncio.to_thread(self.ask, question, thread, docs)

    async def astream(
        self, question: str, thread: str = "", docs: Sequence[str | Path] = ()
    ) -> AsyncIterator[Event]:
        """`stream`, each step in a thread of its own."""
        events = self.stream(question, thread, docs)
        while (event := await asyncio.to_thread(next, events, None)) is not None:
            yield event

    @contextmanager
    def _deps(self, docs: Sequence[str | Path]) -> Iterator[Deps]:
        """The runtime context, over the library or over `docs` alone."""
        with self._opening:
            if self._chat_model is None:
                self._chat_model = build_chat_model(self.settings)
        if not docs:
            self._warm_up()
            memory = self.library if self.settings.remember else None
            yield build_deps(self.settings, self.library, memory, self._chat_model, self._today)
            return
        with tempfile.TemporaryDirectory(prefix="toulmin-") as folder, self._docs_library(folder) as library:
            report = library.add([Path(path) for path in docs])
            if not report.indexed:
                reasons = "; ".join(
                    f"{one['path']}: {one['reason']}" for one in report.failed + report.skipped
                )
                raise InputError(f"nothing to read in --docs ({reasons or 'no files there'})")
            yield build_deps(self.settings, library, None, self._chat_model, self._today)

    def _warm_up(self) -> None:
        """Load the embedder beside the import of the graph: each takes a good part of a cold start."""
        with self._opening:
            if self._graph is None and self._warming is None:
                self._warming = threading.Thread(target=self.library.warm_up)
                self._warming.start()

    def _docs_library(self, folder: str) -> Library:
        """A library that is thrown away; what was embedded for it is remembered by content hash."""
        from retrieval.embed_cache import CachedEmbedder

        cache = self.settings.cache_folder / "embeddings.sqlite"
        return Library(
            Path(folder), lambda: CachedEmbedder(build_embedder(self.settings), cache), words_suffice=True
        )

    def _events(self, question: str, thread: str, deps: Deps) -> Iterator[Event | Answer]:
        """Run the graph; yields an event per node, then the answer, and records the run."""
        started, clock = time.time(), time.perf_counter()
        state = _first_state(question, thread, started)
        final: State = state
        events: list[Event] = []
        usage = _usage_handler(self._chat_model)
        config = {"recursion_limit": 100, "callbacks": [usage] if usage else []}
        for mode, part in self.graph.stream(state, config, context=deps, stream_mode=["updates", "values"]):
            if mode == "values":
                final = part
                continue
            for node, changed in part.items():
                events.append(event_of(node, changed or {}, time.perf_counter() - clock))
                yield events[-1]
        seconds = time.perf_counter() - clock
        answer = answer_of(final, deps.library, deps.reasoner.name, seconds, _tokens(usage))
        if deps.memory is not None:
            try:
                runs.record(deps.memory.store, answer, final, events)
            except StoreError as error:  # a busy library must not cost a finished answer
                answer = replace(answer, run_id="", notes=(*answer.notes, f"not remembered: {error}"))
        yield answer


def _first_state(question: str, thread: str, started_s: float) -> State:
    # Lone surrogates come from input that is not UTF-8; nothing downstream takes them.
    question, thread = printable(question).strip(), printable(thread)
    if not question:
        raise InputError("the question is empty")
    if len(question) > MAX_QUESTION_CHARS:
        raise InputError(f"the question has {len(question)} characters; {MAX_QUESTION_CHARS} is the limit")
    return {"question": question, "thread": thread, "run_id": uuid.uuid4().hex[:12], "started_s": started_s}


def _usage_handler(chat_model: Any) -> Any:
    if chat_model is None:
        return None
    from langchain_core.callbacks import UsageMetadataCallbackHandler

    return UsageMetadataCallbackHandler()


def _tokens(usage: Any) -> int:
    """Tokens that the chat model read and wrote; 0 without one."""
    return sum(one["total_tokens"] for one in usage.usage_metadata.values()) if usage else 0
