"""What is deferred is not run on the path of a question, and still works for whoever asks for it."""

from __future__ import annotations

import pytest

from tests.processes import python


def run(code: str) -> str:
    done = python(code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_the_graph_does_not_run_the_deferred_package() -> None:
    code = (
        "import sys\n"
        "from agent.lean import DEFERRED, defer_unused\n"
        "defer_unused()\n"
        "import agent.graph\n"
        "print([type(sys.modules[name]).__name__ for name in DEFERRED])\n"
    )
    assert run(code) == "['_Deferred']"


@pytest.mark.slow
def test_a_deferred_package_runs_when_a_name_is_asked_for() -> None:
    code = (
        "from agent.lean import defer_unused\n"
        "defer_unused()\n"
        "import agent.graph, langsmith.types, langsmith.client\n"
        "from langsmith.types import RunSelectField\n"
        "print(RunSelectField is not None, type(langsmith.types).__name__)\n"
    )
    assert run(code) == "True module"


def test_what_is_imported_already_is_left_alone() -> None:
    code = (
        "import langsmith.types as before\n"
        "from agent.lean import defer_unused\n"
        "defer_unused()\n"
        "import sys\n"
        "print(sys.modules['langsmith.types'] is before)\n"
    )
    assert run(code) == "True"
