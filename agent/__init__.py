"""Toulmin: answers from your own files, with the grounds for every claim, or says that it cannot.

    from agent import Agent
    with Agent() as agent:
        agent.add("notes/")
        print(agent.ask("When was the treaty signed?").text)

Importing this package is light: what is heavy is imported when it is first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.settings import Settings

if TYPE_CHECKING:
    from agent.answer import Answer, Citation, Claim
    from agent.assistant import Agent
    from agent.state import Outcome
    from retrieval.filters import Filter

__version__ = "0.1.0"
__all__ = ["Agent", "Answer", "Citation", "Claim", "Filter", "Outcome", "Settings", "__version__"]

_HOMES = {
    "Agent": "agent.assistant",
    "Answer": "agent.answer",
    "Citation": "agent.answer",
    "Claim": "agent.answer",
    "Filter": "retrieval.filters",
    "Outcome": "agent.state",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
