"""Drives one run: the graph from its start, or from where it was cut short, to a recorded answer.

It yields what happens and keeps what is needed to go on after a kill. What a node does, and where the graph
goes next, is none of its business.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from agent import runs
from agent.answer import Answer, answer_of
from agent.budget import Brake, Meter, Spent, budget_of
from agent.deps import Deps
from agent.error_words import worded
from agent.errors import InputError, Stopped
from agent.events import Event, Started, event_of
from agent.latest import Latest
from agent.reasoners.language import language_of
from agent.state import Draft, Plan, State
from retrieval.filters import Filter
from retrieval.library import printable
from retrieval.store import UNFINISHED, Store, StoreError

MAX_QUESTION_CHARS = 4000
KEEP_UNFINISHED_S = 7 * 86_400.0  # an unfinished run that nobody resumed for so long is forgotten
KEEP_EVERY_S = 0.05  # between two notes of how far a run has come
Progress = tuple[State, str, list[Any], Spent]
"""The state, who writes, the events, and what was spent."""
STOPPED_EARLY = "stopped before anything was verified"


@dataclass(frozen=True)
class Start:
    """Where a run starts from."""

    run_id: str
    question: str
    thread: str
    started_s: float
    spent: Spent
    events: list[dict[str, Any]]
    """What happened before it was cut short."""
    resumed: bool
    where: Filter = field(default_factory=Filter)


def new_start(question: str, thread: str, where: Filter | None = None) -> Start:
    """A run from its beginning. Raises `InputError` for a question that is empty or too long."""
    # Lone surrogates come from input that is not UTF-8; nothing downstream takes them.
    question, thread = printable(question).strip(), printable(thread)
    if not question:
        raise worded(InputError, "empty question")
    if len(question) > MAX_QUESTION_CHARS:
        raise worded(InputError, "long question", len(question), MAX_QUESTION_CHARS)
    unspent: Spent = {"seconds": 0.0, "tokens": 0}
    return Start(uuid.uuid4().hex[:12], question, thread, time.time(), unspent, [], False, where or {})


def old_start(store: Store, run_id: str) -> Start:
    """An unfinished run, by its id or the start of it. Raises `InputError` when there is none."""
    run = store.run(run_id)
    if run is None:
        raise worded(InputError, "no run", run_id)
    if run["outcome"] != UNFINISHED:
        raise worded(InputError, "finished run", run["id"])
    payload = run["payload"]
    spent: Spent = {"seconds": payload["seconds"], "tokens": payload["tokens"]}
    return Start(
        run["id"],
        run["question"],
        run["thread"],
        payload["started_s"],
        spent,
        payload["events"],
        True,
        payload.get("where", {}),
    )


def cut_short(state: State) -> State:
    """A state that can be settled, whatever the run had come to. Pure.

    Without a critique nothing counts as an answer, not even to a greeting.
    """
    if "best" in state:
        return state
    nothing: Draft = {"claims": [], "sufficiency": 0.0, "missing": [], "round": 0}
    unplanned: Plan = {
        "need": "search",
        "lang": language_of(state["question"]),
        "answer_type": "other",
        "queries": [],
        "call": None,
        "sweep": None,
        "where": {},
    }
    plan: Plan = {**state.get("plan", unplanned), "need": "search"}
    blank: State = {
        "standalone": state["question"],
        "episodes": [],
        "evidence": [],
        "tried": [],
        "round": 0,
        "tool_failure": "",
    }
    notes = [*state.get("notes", []), STOPPED_EARLY]
    return {**blank, **state, "plan": plan, "best": nothing, "passed": False, "notes": notes}


class Driver:
    """One run on its way."""

    def __init__(self, graph: Any, start: Start, deps: Deps, brake: Brake, chat_model: Any) -> None:
        self._start, self._brake = start, brake
        self._meter = Meter(start.spent)
        self._deps = replace(deps, spent=self._meter)
        # The extractive reasoner needs a few milliseconds: to ask again is cheaper than to be ready for that.
        self._durable = deps.memory is not None and (chat_model is not None or start.resumed)
        self._graph = graph
        self._keeping: Latest[Progress] | None = None  # once it may be resumed
        self._saver: Any = None  # a LangGraph checkpointer, for a run that may be resumed
        self._config: dict[str, Any] = {"recursion_limit": 100}
        if chat_model is not None:
            from agent.models.watch import Watch

            self._config["callbacks"] = [Watch(self._meter, brake)]
        self._events: list[Any] = list(start.events)
        self._state: State = {
            "question": start.question,
            "thread": start.thread,
            "where": start.where,
            "run_id": start.run_id,
            "started_s": start.started_s,
        }

    def run(self) -> Generator[Event | Answer]:
        """The events as they come, then the answer. A run that is not read to its end is forgotten."""
        try:
            yield self._started()
            if self._durable:
                self._prepare()
            try:
                yield from self._nodes()
                if self._keeping:
                    self._keeping.forget()  # what is recorded now says more
            finally:
                if self._keeping:
                    self._keeping.close()
        except GeneratorExit:
            if self._durable:
                with suppress(StoreError):
                    self._store.drop_run(self._start.run_id)
            raise
        yield self._answer()

    @property
    def _store(self) -> Store:
        assert self._deps.memory is not None
        return self._deps.memory.store

    def _started(self) -> Started:
        start = self._start
        return {
            "event": "started",
            "seconds": round(start.spent["seconds"], 3),
            "run_id": start.run_id,
            "question": start.question,
            "thread": start.thread,
            "resumable": self._durable,
            "resumed": start.resumed,
        }

    def _prepare(self) -> None:
        """Have the run survive a kill from here on."""
        from agent.checkpoints import Checkpoints

        with suppress(StoreError):
            self._store.drop_unfinished(time.time() - KEEP_UNFINISHED_S)
        self._saver = Checkpoints(self._store, every_write=False)
        self._graph = self._graph.copy({"checkpointer": self._saver})
        self._config["configurable"] = {"thread_id": self._start.run_id}
        self._write(self._progress())
        self._keeping = Latest(self._write, KEEP_EVERY_S)

    def _nodes(self) -> Iterator[Event]:
        try:
            for node, changed in self._steps():
                yield self._told(node, changed)
        except Stopped:
            yield from self._settle_now()

    def _steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each node that finished with what it changed. Raises `Stopped`."""
        begin: State | None = self._state
        how: dict[str, Any] = {}
        if self._saver:
            how["durability"] = "async"
            if self._saver.get_tuple({"configurable": {"thread_id": self._start.run_id}}):
                begin, self._state = None, self._graph.get_state(self._config).values
        parts = self._graph.stream(
            begin, self._config, context=self._deps, stream_mode=["updates", "values"], **how
        )
        with closing(parts):
            self._brake.check()
            while (part := self._next(parts)) is not None:
                mode, value = part
                if mode == "values":
                    self._state = value
                    if "outcome" not in value:
                        self._brake.check()
                    continue
                for node, changed in value.items():
                    yield node, changed or {}

    def _next(self, parts: Iterator[tuple[str, Any]]) -> tuple[str, Any] | None:
        """The next part. What follows the outcome is not cut short: the answer is there already."""
        if "outcome" not in self._state:
            self._brake.work()
        try:
            return next(parts, None)
        finally:
            self._brake.rest()

    def _settle_now(self) -> Iterator[Event]:
        """Settle with what is verified so far."""
        from langgraph.runtime import Runtime

        from agent.nodes import remember, settle
        from agent.outcome import REFUSALS

        runtime = Runtime(context=self._deps)
        self._state = cut_short(self._state)
        settled = {**settle(self._state, runtime), "stopped": "interrupted"}
        if not settled["claims"] and settled["outcome"] != "verified":
            settled["answer"] = REFUSALS[self._state["plan"]["lang"]]["interrupted"]
        settled["notes"] = [*self._state.get("notes", []), *settled["notes"]]
        self._state = {**self._state, **settled}  # type: ignore[typeddict-item]
        yield self._told("settle", settled)
        remembered = remember(self._state, runtime)
        self._state["notes"] = [*self._state.get("notes", []), *remembered.get("notes", [])]
        yield self._told("remember", remembered)

    def _told(self, node: str, changed: dict[str, Any]) -> Event:
        event = event_of(node, changed, self._meter()["seconds"])
        self._events.append(event)
        if self._keeping:
            self._keeping.give(self._progress())
        return event

    def _progress(self) -> Progress:
        """How far the run has come; what is in it does not change any more."""
        return self._state, self._model(), list(self._events), self._meter()

    def _write(self, progress: Progress) -> None:
        """Note how far the run had come. A busy library must not cost an answer."""
        with suppress(StoreError):
            runs.record_unfinished(self._store, *progress)

    def _model(self) -> str:
        """Who wrote the best draft; until there is one, who would write."""
        writer = self._state["best"].get("model", "") if "best" in self._state else ""
        return writer or self._deps.at(self._state.get("rung", 0)).name

    def _answer(self) -> Answer:
        deps, budget = self._deps, budget_of(self._state, self._deps.settings, self._meter())
        answer = answer_of(self._state, deps.library, self._model(), budget)
        if deps.memory is None:
            return answer
        try:
            runs.record(self._store, answer, self._state, self._events)
        except StoreError as error:  # a busy library must not cost a finished answer
            return replace(answer, run_id="", notes=(*answer.notes, f"not remembered: {error}"))
        return answer
