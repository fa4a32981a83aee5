"""Switches off the telemetry of every dependency and keeps checkpoints to plain types.

Called before the dependencies are imported; it overrides what the environment says, as private text must not
leave because a variable was set for another program.
"""

from __future__ import annotations

import os

SWITCHES = {
    "LANGSMITH_TRACING": "false",
    "LANGSMITH_TRACING_V2": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGCHAIN_TRACING": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "ANONYMIZED_TELEMETRY": "false",
    "LANGGRAPH_STRICT_MSGPACK": "true",
}


def switch_off_telemetry() -> None:
    os.environ.update(SWITCHES)
