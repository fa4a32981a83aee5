"""Keeps what is never used from being imported on the path of a question.

langchain-core imports the LangSmith client for its tracer, and the client imports a package of several
hundred API types for one annotation: a quarter of the graph's import time, for a service that is switched off
here (`agent.privacy`). The package is put in place unexecuted, and runs when something asks it for a name.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

DEFERRED = ("langsmith.types",)


class _Deferred(ModuleType):
    """A package whose `__init__` has not run. Its submodules import as usual."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or self.__spec__ is None or self.__spec__.loader is None:
            raise AttributeError(name)
        self.__class__ = ModuleType  # type: ignore[assignment]  # run it once, as an ordinary module
        self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def defer_unused() -> None:
    """Put the deferred packages in place, unless they are imported already or are not there."""
    for name in DEFERRED:
        if name in sys.modules:
            continue
        try:
            spec = importlib.util.find_spec(name)
        except ImportError:
            continue
        if spec is None or spec.loader is None or spec.submodule_search_locations is None:
            continue
        package = _Deferred(name)
        package.__spec__, package.__loader__, package.__package__ = spec, spec.loader, name
        package.__path__ = spec.submodule_search_locations
        package.__file__ = spec.origin
        sys.modules[name] = package
        parent, _, child = name.rpartition(".")
        setattr(sys.modules[parent], child, package)  # as the import system would
