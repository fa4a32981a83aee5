"""Messages and chunks of LangChain, as text models read and write them. It renders no template."""

from __future__ import annotations

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGenerationChunk

from agent.errors import ModelError

BYTES_PER_TOKEN = 4  # of UTF-8, roughly


def estimated_tokens(text: str) -> int:
    """Tokens of a text where no vocabulary is at hand: one for every four bytes of UTF-8, rounded up."""
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)


def plain(message: BaseMessage) -> dict[str, str]:
    """A message as chat templates know it.

    Raises:
        ModelError: the message is of a kind, or holds content, a text model cannot take.
    """
    roles = ((SystemMessage, "system"), (HumanMessage, "user"), (AIMessage, "assistant"))
    role = next((name for kind, name in roles if isinstance(message, kind)), None)
    if role is None:
        raise ModelError(f"This chat model takes no {message.type} message.")
    if any(block["type"] not in ("text", "reasoning") for block in message.content_blocks):
        raise ModelError("This chat model takes text only: remove images and tool calls.")
    return {"role": role, "content": str(message.text)}


def chunk(text: str, is_reasoning: bool) -> ChatGenerationChunk:
    """A piece of a reply, or of the reasoning before it."""
    if is_reasoning:
        return ChatGenerationChunk(
            message=AIMessageChunk(content="", additional_kwargs={"reasoning_content": text})
        )
    return ChatGenerationChunk(message=AIMessageChunk(content=text))
