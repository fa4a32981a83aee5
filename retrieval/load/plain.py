"""Load plain text files for what they are: chats, transcripts, code without a suffix, or just text.

Only an exported chat is written anew; the text of all others is the file itself.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from retrieval.load.chats import chat_of_text, write_chat
from retrieval.load.code import code_suffix, load_code
from retrieval.load.source import Source
from retrieval.load.text import load_text
from retrieval.load.turns import turns


def load_plain(data: bytes, path: Path) -> Source:
    """A plain text file as a Source. Raises LoadError for binary data and files without text."""
    if code_suffix(path):
        return load_code(data, path)
    source = load_text(data, path)
    messages, notes = chat_of_text(source.text)
    if any(message.text for message in messages):
        return write_chat(messages, path.stem, notes, source.encoding)
    return replace(source, marks=turns(source.text))
