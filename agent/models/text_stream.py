"""Filters over text that arrives in pieces: stop sequences and hidden reasoning.

Both give the same result however the text is cut into pieces. They know nothing of
tokens or of any model.
"""

from collections.abc import Iterator, Sequence

OPEN_TAG = "<think>"
CLOSE_TAG = "</think>"


class StopFilter:
    """Passes text on until the first stop sequence, which is left out.

    Text that may be the beginning of a stop sequence is held back until it is certain.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take the next piece; return what is safe to pass on ("" once stopped)."""
        if self.stopped:
            return ""
        pending = self._held + text
        found = [at for stop in self._stop if (at := pending.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return pending[: min(found)]
        keep = max((_overlap(pending, stop) for stop in self._stop), default=0)
        self._held = pending[len(pending) - keep :]
        return pending[: len(pending) - keep]

    def finish(self) -> str:
        """What was held back at the end of the text."""
        held, self._held = self._held, ""
        return held


class ThinkFilter:
    """Separates reasoning in ``<think>...</think>`` at the start from the answer.

    Only leading reasoning counts: an answer may speak of the tag. Whitespace after the
    closing tag is dropped. ``inside`` says that the prompt has already opened the tag,
    ``off`` that there is no reasoning to look for.

    Pieces come out as ``(is_reasoning, text)``; reasoning that never ends stays
    reasoning.
    """

    def __init__(self, *, inside: bool = False, off: bool = False) -> None:
        self._state = "answer" if off else "think" if inside else "start"
        self._held = ""

    def feed(self, text: str) -> Iterator[tuple[bool, str]]:
        """Take the next piece and yield what is certain by now."""
        self._held += text
        if self._state == "start":
            self._leave_start()
        if self._state == "think":
            yield from self._think()
        if self._state == "after":
            self._held = self._held.lstrip()
            self._state = "answer" if self._held else "after"
        if self._state == "answer":
            yield from self._take(False, len(self._held))

    def finish(self) -> Iterator[tuple[bool, str]]:
        """Yield what was held back at the end of the text."""
        yield from self._take(self._state == "think", len(self._held))

    def _leave_start(self) -> None:
        text = self._held.lstrip()
        if text.startswith(OPEN_TAG):
            self._state, self._held = "think", text[len(OPEN_TAG) :]
        elif not OPEN_TAG.startswith(text):
            self._state = "answer"

    def _think(self) -> Iterator[tuple[bool, str]]:
        at = self._held.find(CLOSE_TAG)
        if at < 0:
            yield from self._take(True, len(self._held) - _overlap(self._held, CLOSE_TAG))
            return
        yield from self._take(True, at)
        self._state, self._held = "after", self._held[len(CLOSE_TAG) :]

    def _take(self, is_reasoning: bool, count: int) -> Iterator[tuple[bool, str]]:
        text, self._held = self._held[:count], self._held[count:]
        if text:
            yield is_reasoning, text


def _overlap(text: str, tag: str) -> int:
    """Length of the longest end of ``text`` that begins ``tag`` without completing it."""
    longest = min(len(text), len(tag) - 1)
    return next((n for n in range(longest, 0, -1) if tag.startswith(text[-n:])), 0)
