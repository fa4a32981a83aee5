"""Telemetry is off, whatever the environment says."""

from __future__ import annotations

import json

import pytest

from agent.privacy import SWITCHES
from tests.processes import python

TURNED_ON = {
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_TRACING_V2": "true",
    "LANGCHAIN_TRACING_V2": "true",
    "LANGCHAIN_TRACING": "true",
    "LANGSMITH_API_KEY": "lsv2_not_a_key",
    "HF_HUB_DISABLE_TELEMETRY": "0",
    "DO_NOT_TRACK": "0",
    "ANONYMIZED_TELEMETRY": "true",
}


def run(code: str, home: object) -> list[object]:
    """What a fresh interpreter prints as JSON, with every telemetry variable switched on."""
    done = python(code, flags=["-W", "error"], AGENT_HOME=str(home), **TURNED_ON)
    assert done.returncode == 0, done.stderr
    told: list[object] = json.loads(done.stdout)
    return told


TELL = "; from langsmith.utils import tracing_is_enabled; print(json.dumps([tracing_is_enabled(), dict(os.environ)]))"


def test_tracing_was_on_before(tmp_path: object) -> None:
    """Without an agent the variables do switch tracing on, so the next test can fail."""
    assert run("import json, os" + TELL, tmp_path)[0] is True


@pytest.mark.parametrize(
    "before",
    ["", "import langchain_core.messages; ", "import langsmith; "],
    ids=["plain", "langchain", "langsmith"],
)
def test_an_agent_overrides_the_environment(tmp_path: object, before: str) -> None:
    enabled, environment = run(f"import json, os; {before}from agent import Agent; Agent()" + TELL, tmp_path)
    assert enabled is False
    assert isinstance(environment, dict)
    assert {name: environment[name] for name in SWITCHES} == SWITCHES


def test_nothing_is_switched_by_an_import_alone(tmp_path: object) -> None:
    told = run("import json, os, agent; print(json.dumps([os.environ['LANGSMITH_TRACING']]))", tmp_path)
    assert told == ["true"]
