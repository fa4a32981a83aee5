"""`agent` with a chat model that takes its time and notes each call: SCRIPT LOG agent-arguments...

SCRIPT is JSON: a list of [reply, seconds]. The seconds are slept inside the model, as a real one would compute.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import agent.assistant
from agent import cli
from agent.reasoners.scripted import ScriptedChat


def chat_of(script: list[Any], log: Path) -> ScriptedChat:
    """A chat model that takes its time and notes each call."""

    def reply(said: dict[str, Any], seconds: float) -> Any:
        def say(_messages: Any) -> dict[str, Any]:
            with log.open("a") as file:
                file.write(f"{','.join(said)}\n")
            time.sleep(seconds)
            return said

        return say

    return ScriptedChat(replies=[reply(said, seconds) for said, seconds in script])


def main() -> None:
    chat = chat_of(json.loads(sys.argv[1]), Path(sys.argv[2]))
    agent.assistant.build_chat_model = lambda _settings, _name: chat
    sys.argv = ["agent", *sys.argv[3:]]
    cli.main()


if __name__ == "__main__":
    main()
