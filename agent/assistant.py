"""`Agent`: the library face. Opens what it needs when it is first needed, and has questions answered."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.answer import Answer
from agent.budget import Brake
from agent.deps import (
    Deps,
    build_chat_model,
    build_deps,
    build_embedder,
    build_verifier,
    open_library,
    prepare,
    reranker_loader,
)
from agent.driver import Driver, new_start, old_start
from agent.error_words import worded
from agent.errors import InputError
from agent.events import Event
from agent.filters import checked
from agent.lean import defer_unused
from agent.models.store import rungs
from agent.privacy import switch_off_telemetry
from agent.settings import Settings, read_settings
from agent.temporary import docs_folder
from retrieval.addresses import is_address, masked
from retrieval.filters import Filter
from retrieval.library import AddReport, Library, Progress
from retrieval.search import Passage
from retrieval.store import Record
from retrieval.watch import WatchError, changes

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from retrieval.load import Source

    Given = str | Path | tuple[str, Source]
    """A file or folder by its path; or a text that is no file, with the name it is cited by."""


class Memory:
    """What the library remembers beside documents; more of it in `agent.records`."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def turns(self, thread: str, limit: int = 20) -> list[Record]:
        """The latest turns of a thread, oldest first."""
        return self._library.store.turns(thread, limit)

    def search(self, question: str, k: int = 5) -> list[Passage]:
        """Episodes by their question."""
        return self._library.search(question, k, tier="mid")

    def records(self, *, tiers: Sequence[str] = (), kinds: Sequence[str] = ()) -> list[Record]:
        """Records, the newest first. Tiers: short, mid, long; kinds: turn, episode, statement, correction."""
        return self._library.store.records(tiers=tiers, kinds=kinds)

    def correct(self, what: str, right: str = "") -> Record:
        """Say that an answer was wrong, and what is right; `what`: a run's or record's id, or the question.

        Raises `InputError` where nothing is known of it.
        """
        from agent.records import correct

        return correct(self._library, what, right, time.time())

    def forget(self, *ids: str) -> tuple[int, int]:
        """Delete records, by their ids, and all that holds their texts; how many records and runs went."""
        from agent.forgetting import forget_named

        return forget_named(self._library, ids)


class Agent:
    """Answers questions from one library of files. Use it in a `with`, or `close` it.

    `chat_model`: any LangChain `BaseChatModel`, in place of the one that the settings name. `chat_models`: a
    ladder of them, each for what the one before it fails at; None in it stands for quotations. `today`: the
    clock that "next Sunday" is counted from.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        chat_model: BaseChatModel | None = None,
        chat_models: Sequence[BaseChatModel | None] = (),
        judge_model: BaseChatModel | None = None,
        today: Callable[[], date] = date.today,
    ) -> None:
        switch_off_telemetry()
        defer_unused()
        self.settings = settings or read_settings()
        if chat_model and chat_models:
            raise InputError("give chat_model or chat_models, not both")
        self._chat_models = list(chat_models) or [chat_model]
        self._judge_model = judge_model
        self._today = today
        self._library: Library | None = None
        self._warming: threading.Thread | None = None
        self._brakes: list[Brake] = []  # of the runs on their way
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
        for model in (*self._chat_models, self._judge_model):
            close = getattr(model, "close", None)
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
        from agent.graph import build_graph

        return build_graph()

    @property
    def remembers(self) -> bool:
        """Whether what is asked of the library is remembered."""
        return self.settings.remember and not self.library.store.read_only

    @property
    def memory(self) -> Memory:
        return Memory(self.library)

    def add(
        self,
        *paths: str | Path,
        progress: Progress | None = None,
        prune: bool = False,
        on_wait: Callable[[], None] | None = None,
    ) -> AddReport:
        """Index files, folders and pages; prepares the embedder when that was not done yet.

        A text that begins with http:// or https:// is the address of a page, which is fetched, and that page
        alone; added again, it is indexed again if it has changed. A `Path` cannot hold an address.
        `prune`: remove the documents of these folders whose files are gone. `on_wait`: called when another
        `add` of the library is at work, which this one waits for.
        """
        if self.settings.library_folder.exists():  # before the embedder is prepared, which takes a while
            self.library.store.require_writable()
        prepare(self.settings, self.library.store.embedder_name())
        return self.library.add(paths, progress, prune=prune, on_wait=on_wait)

    def watch(
        self, *paths: str | Path, prune: bool = False, on_wait: Callable[[], None] | None = None
    ) -> Iterator[AddReport]:
        """Add, then keep the library up to date: a report of everything, then one for each group of changes.

        Documents whose files are removed are told as `missing`, and removed with `prune`. Ends with
        KeyboardInterrupt. Raises `InputError` for a path that is not there, or cannot be watched, as a page.
        """
        if page := next((path for path in paths if is_address(path)), ""):
            raise InputError(f"only files are watched: add {masked(str(page))} without --watch")
        named = [Path(path) for path in paths]
        for path in named:
            if not path.exists():
                raise InputError(f"no such file or folder to watch: {path}")
        try:
            for changed in changes(named):
                if changed:
                    yield self.library.add_changed(changed, named, prune=prune)
                else:
                    yield self.add(*paths, prune=prune, on_wait=on_wait)
        except WatchError as error:
            raise InputError(str(error)) from error

    def search(self, query: str, k: int = 5, *, where: Filter | None = None) -> list[Passage]:
        """The best passages of the documents, or of what of them passes a filter."""
        return self.library.search(query, k, where=checked(where, self._today()))

    def ask(
        self,
        question: str = "",
        thread: str = "",
        docs: Sequence[Given] = (),
        *,
        where: Filter | None = None,
        resume: str = "",
    ) -> Answer:
        """Answer a question. Raises `InputError` for one that is empty or too long.

        `thread`: questions of the same thread may lean on each other. `docs`: answer from these files alone,
        or from a (name, `retrieval.load.Source`) that is no file, remembering nothing of them. `where`:
        answer from what passes this filter alone. `resume`: in place of a question, the id of a run that was
        killed. KeyboardInterrupt comes through as from any other function; `stop` settles instead.
        """
        return _last(self._run(Brake(), question, thread, docs, where, resume))

    def stream(
        self,
        question: str = "",
        thread: str = "",
        docs: Sequence[Given] = (),
        *,
        where: Filter | None = None,
        resume: str = "",
    ) -> Iterator[Event]:
        """The events of a run (see `agent.events`); only the last one, `settled`, holds the answer.

        Closed before that, it leaves nothing behind.
        """
        return _as_events(self._run(Brake(), question, thread, docs, where, resume))

    def run(
        self,
        question: str = "",
        thread: str = "",
        docs: Sequence[Given] = (),
        *,
        where: Filter | None = None,
        resume: str = "",
    ) -> Iterator[Event | Answer]:
        """The events as they come, then the `Answer`: what the command line shows."""
        return self._run(Brake(), question, thread, docs, where, resume)

    def stop(self) -> bool:
        """Settle the runs on their way with what is verified so far; False when there are none.

        May be called from any thread and from a signal handler. It takes effect between nodes and between the
        tokens of a chat model; from a handler in the thread that runs, at once.
        """
        brakes = list(self._brakes)
        for brake in brakes:
            brake.pulled = True
        for brake in brakes:
            brake.pull()
        return bool(brakes)

    async def aask(
        self,
        question: str = "",
        thread: str = "",
        docs: Sequence[Given] = (),
        *,
        where: Filter | None = None,
        resume: str = "",
    ) -> Answer:
        """`ask` in a thread of its own. Cancelled, it stops the run."""
        brake = Brake()
        try:
            return await asyncio.to_thread(
                lambda: _last(self._run(brake, question, thread, docs, where, resume))
            )
        except asyncio.CancelledError:
            brake.pull()
            raise

    async def astream(
        self,
        question: str = "",
        thread: str = "",
        docs: Sequence[Given] = (),
        *,
        where: Filter | None = None,
        resume: str = "",
    ) -> AsyncIterator[Event]:
        """`stream`, each step in a thread of its own. Closed or cancelled, it stops the run."""
        brake, turn = Brake(), threading.Lock()
        events = _as_events(self._run(brake, question, thread, docs, where, resume))

        def step() -> Event | None:
            with turn:
                return next(events, None)

        def leave() -> None:
            brake.pull()
            with turn:  # a cancelled step is still on its way
                events.close()

        try:
            while (event := await asyncio.to_thread(step)) is not None:
                yield event
        finally:
            await asyncio.shield(asyncio.to_thread(leave))

    def _run(
        self,
        brake: Brake,
        question: str,
        thread: str,
        docs: Sequence[Given],
        where: Filter | None,
        resume: str,
    ) -> Generator[Event | Answer]:
        if resume and self.library.store.read_only:
            self.library.store.require_writable()
        if resume and (docs or where or not self.settings.remember):
            raise worded(InputError, "not resumable")
        if page := next((path for path in docs if isinstance(path, str | Path) and is_address(path)), ""):
            raise worded(InputError, "docs fetch nothing", masked(str(page)))
        given = checked(where, self._today())
        start = old_start(self.library.store, resume) if resume else new_start(question, thread, given)
        with self._deps(docs) as deps:
            driver = Driver(self.graph, start, deps, brake, next(filter(None, self._chat_models), None))
            self._brakes.append(brake)
            try:
                with closing(driver.run()) as items:
                    yield from items
            finally:
                self._brakes.remove(brake)

    @contextmanager
    def _deps(self, docs: Sequence[Given]) -> Iterator[Deps]:
        """The runtime context, over the library or over `docs` alone."""
        with self._opening:
            if not any(self._chat_models):
                names = rungs(self.settings.models_folder, self.settings.model)
                self._chat_models = [build_chat_model(self.settings, name) for name in names]
            if self._judge_model is None and self.settings.judge_model:
                [rung, *_] = rungs(self.settings.models_folder, self.settings.judge_model)
                self._judge_model = build_chat_model(self.settings, rung)
        if not docs:
            self._warm_up()
            yield self._built(self.library, self.library if self.remembers else None)
            return
        with docs_folder() as folder, self._docs_library(folder) as library:
            library.add_sources([one for one in docs if isinstance(one, tuple)])
            report = library.add([Path(one) for one in docs if not isinstance(one, tuple)])
            if not library.store.chunk_count():
                reasons = "; ".join(
                    f"{one['path']}: {one['reason']}" for one in report.failed + report.skipped
                )
                raise worded(InputError, "nothing to read", reasons or "no files there")
            yield self._built(library, None)

    def _built(self, library: Library, memory: Library | None) -> Deps:
        return build_deps(self.settings, library, memory, self._chat_models, self._judge_model, self._today)

    def _warm_up(self) -> None:
        """Load the embedder and the verifier beside the import of the graph, which takes as long."""

        def work() -> None:
            self.library.warm_up()
            with suppress(Exception):  # left for the question to report
                if verifier := build_verifier(self.settings):
                    verifier.warm_up()

        with self._opening:
            if self._warming is None:
                self._warming = threading.Thread(target=work)
                self._warming.start()

    def _docs_library(self, folder: str) -> Library:
        """A library that is thrown away; what was embedded for it is remembered by content hash."""
        from retrieval.embed_cache import CachedEmbedder

        cache = self.settings.cache_folder / "embeddings.sqlite"
        return Library(
            Path(folder),
            lambda: CachedEmbedder(build_embedder(self.settings), cache),
            words_suffice=True,
            load_reranker=reranker_loader(self.settings),
        )


def _last(items: Generator[Event | Answer]) -> Answer:
    """The answer at the end of a run."""
    with closing(items):
        for item in items:
            if isinstance(item, Answer):
                return item
    raise RuntimeError("the run ended without an answer")


def _as_events(items: Generator[Event | Answer]) -> Generator[Event]:
    """The events of a run, its answer as the last of them."""
    with closing(items):
        for item in items:
            if isinstance(item, Answer):
                yield {"event": "settled", "seconds": item.seconds, "answer": item.to_json()}
            else:
                yield item
