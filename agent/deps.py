"""What a run needs, and the one place that builds heavy objects.

`Deps` travels as the graph's runtime context; nothing is global.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent.budget import Meter, Spent
from agent.errors import ModelError, SettingsError
from agent.models.names import is_server, server_of
from agent.models.store import EXTRACTIVE
from agent.settings import Settings
from agent.state import Evidence, Found

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from agent.critic.entail import Entailer
    from agent.critic.sufficiency import Thresholds
    from agent.reasoners import Reasoner
    from agent.reasoners.features import Asked
    from agent.verifier import Verifier
    from retrieval.embed import Embedder
    from retrieval.library import Library
    from retrieval.rerank import Reranker


@dataclass(frozen=True)
class Deps:
    """The runtime context of one run."""

    settings: Settings
    library: Library
    """Where documents are searched."""
    memory: Library | None
    """Where turns, episodes and runs are kept; None leaves no trace."""
    rungs: tuple[Reasoner, ...]
    """The ladder: each drafts where the one before it failed. The first one reads the question for all."""
    fallback: Reasoner
    """Stands in where a rung's chat model fails; the extractive one, which has none."""
    referee: Reasoner | None
    """Judges what chat models write, in their place, where one is named."""
    thresholds: Thresholds
    asked: Callable[[str], Asked]
    """Reads a question, once in a run."""
    entailer: Entailer | None = None
    today: Callable[[], date] = date.today
    spent: Callable[[], Spent] = field(default_factory=Meter)
    """What the run has used so far."""

    @property
    def reasoner(self) -> Reasoner:
        return self.rungs[0]

    def at(self, rung: int) -> Reasoner:
        """The reasoner of a rung; the last one's for a rung of a longer ladder, of a run that is resumed."""
        return self.rungs[min(rung, len(self.rungs) - 1)]

    def judge(self, rung: int) -> Reasoner:
        """Who judges what the checks leave undecided of a rung's draft."""
        return self.writers(rung)[-1]

    def writers(self, rung: int) -> tuple[Reasoner, ...]:
        """Who drafts on a rung: one in turn for each path."""
        writer = self.at(rung)
        return (writer, self.referee) if self.referee and writer is not self.fallback else (writer,)

    def found(self, items: list[Evidence]) -> Found:
        """Evidence as a node returns it, with how much of it the run may hold."""
        return {"items": items, "limit": self.settings.max_passages}

    def idf(self, terms: Iterable[str]) -> Mapping[str, float]:
        """log(1 + N / n) of each term over the chunks of the library; the largest for an unknown one."""
        return idf(self.library, terms)


def idf(library: Library, terms: Iterable[str]) -> Mapping[str, float]:
    """Inverse document frequencies, log(1 + N / n), over the chunks of a library; n at least 0.5."""
    total = max(library.store.chunk_count(), 1)
    counts = library.store.term_counts(list(terms))
    return {term: math.log(1 + total / max(count, 0.5)) for term, count in counts.items()}


def open_library(settings: Settings) -> Library:
    """The user's library, with its embedder loaded when it is first needed."""
    from retrieval.library import Library

    library = Library(
        settings.library_folder,
        lambda: build_embedder(settings, library.store.embedder_name()),
        read_only=settings.read_only,
        load_reranker=reranker_loader(settings),
    )
    return library


def reranker_loader(settings: Settings) -> Callable[[], Reranker] | None:
    """What loads the re-ranker that the settings name, when it is first needed; None without one."""
    if settings.rerank_model in ("", "off"):
        return None
    if settings.rerank_model == "built-in":
        from agent.verifier import FindReranker

        verifier = build_verifier(settings)
        return (lambda: FindReranker(verifier)) if verifier else None

    def load() -> Reranker:
        from retrieval.rerank import load_reranker

        return load_reranker(settings.rerank_model, settings.cache_folder)

    return load


def build_embedder(settings: Settings, stored: str = "") -> Embedder:
    """The embedder that the settings name, else `stored`, the library's own, else the default.

    Raises `EmbedderError` when it has not been prepared.
    """
    from retrieval.embed import is_minilm, load_minilm

    name = settings.embedder or stored
    if is_minilm(name):
        return load_minilm(settings.cache_folder)
    from retrieval.encoders import load

    return load(name, settings.cache_folder)


def prepare(
    settings: Settings, stored: str = "", *, repair: bool = False, download: bool = False
) -> tuple[Path, str]:
    """Have the embedder ready, as `build_embedder` chooses it: its file, and why torch must run it, or "".

    `repair`: make the file again where it is damaged. Nothing is downloaded without `download`.
    """
    from retrieval.embed import is_minilm, prepare_minilm

    name = settings.embedder or stored
    if is_minilm(name):
        return prepare_minilm(settings.cache_folder, repair=repair), ""
    from retrieval.encoders import prepare as prepare_encoder

    return prepare_encoder(name, settings.cache_folder, download=download, repair=repair)


def build_verifier(settings: Settings) -> Verifier | None:
    """The verifier that the settings name, opened at its first reading; None where it is off.

    Raises `SettingsError`.
    """
    if settings.verifier == "off":
        return None
    from agent.verifier import shipped

    if settings.verifier == "built-in":
        return _verifier_of(shipped())
    file = Path(os.path.expanduser(settings.verifier))
    if not file.is_file() or not file.with_suffix(".tokenizer.json").is_file():
        raise SettingsError(
            'verifier must be "built-in", "off" or an ONNX file with its tokenizer beside it, not '
            f"{settings.verifier!r}"
        )
    return _verifier_of(file)


@lru_cache(2)
def _verifier_of(file: Path) -> Verifier:
    """One for all who ask in this process: it is opened once, and remembers what it read."""
    from agent.verifier import Verifier

    return Verifier(file)


def build_scorer(settings: Settings) -> Entailer | None:
    """The scorer of claims that the settings name, opened at its first pair; None without one."""
    if settings.scorer_model == "built-in":
        from agent.critic.scorers import VerifierScorer

        verifier = build_verifier(settings)
        return VerifierScorer(verifier) if verifier else None
    if settings.scorer_model == "off":
        return None
    return _scorer_of(settings.scorer_model, settings.cache_folder)


@lru_cache(2)
def _scorer_of(name: str, cache_folder: Path) -> Entailer:
    from agent.critic.scorers import CrossEncoderScorer

    return CrossEncoderScorer(name, cache_folder)


def build_chat_model(settings: Settings, rung: str) -> BaseChatModel | None:
    """The chat model of one of `agent.models.store.rungs`, or None for the extractive reasoner.

    Raises `ModelError` for one that is not there, damaged or of a kind that llama.cpp does not know, and for
    a server that private text may not be sent to.
    """
    if rung == EXTRACTIVE:
        return None
    if is_server(rung):
        from agent.models.server import ChatServer

        name, url = server_of(rung)
        return ChatServer(
            model=name,
            base_url=url,
            allow_remote=settings.allow_remote,
            max_output_tokens=settings.max_output_tokens,
        )
    from agent.models.engine import check_file
    from agent.models.gguf import ChatGGUF
    from agent.models.hardware import is_known
    from agent.models.header import read_header

    path = Path(rung)
    check_file(path)
    header = read_header(path)
    if not header.values.get("tokenizer.chat_template"):
        raise ModelError(f"{path} has no chat template: use an instruct or chat version")
    model = ChatGGUF(
        model_path=str(path),
        context_tokens=settings.context_tokens,
        gpu_layers=settings.gpu_layers,
        max_output_tokens=settings.max_output_tokens,
    )
    if not is_known(header.architecture):
        _ = model.window  # loads it, and tells what llama.cpp says
    return model


def moves_of(settings: Settings) -> tuple[str, ...]:
    """The moves that the settings name. Raises `SettingsError` for an unknown one."""
    from agent.moves import DEFAULT_MOVES, MOVES

    if settings.moves.strip() == "all":
        return tuple(MOVES)
    named = tuple(name.strip() for name in settings.moves.split(",") if name.strip())
    unknown = [name for name in named if name not in MOVES]
    if unknown:
        raise SettingsError(f"moves: there is no {unknown[0]!r}; choose among {', '.join(MOVES)}")
    return named or DEFAULT_MOVES


def build_deps(
    settings: Settings,
    library: Library,
    memory: Library | None,
    chat_models: BaseChatModel | Sequence[BaseChatModel | None] | None,
    judge_model: BaseChatModel | None = None,
    today: Callable[[], date] = date.today,
) -> Deps:
    """The runtime context: a rung for each chat model; None is the extractive reasoner.

    A `judge_model` judges in place of the chat models, and drafts every other path.
    """
    from agent.critic.sufficiency import thresholds
    from agent.reasoners.extractive import Extractive

    verifier = build_verifier(settings)
    extractive = Extractive(library, moves_of(settings), today, verifier)
    models = chat_models if isinstance(chat_models, Sequence) else [chat_models]
    rungs: list[Reasoner] = [extractive] * len(models)
    referee: Reasoner | None = None
    if any(models):
        from agent.reasoners.chat import ChatReasoner

        rungs = [ChatReasoner(model, extractive) if model else extractive for model in models]
        referee = ChatReasoner(judge_model, extractive, alone=True) if judge_model else None
    return Deps(
        settings,
        library,
        memory,
        tuple(rungs),
        extractive,
        referee,
        thresholds(settings.strictness),
        extractive.asked,
        build_scorer(settings),
        today=today,
    )
