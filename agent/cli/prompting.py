"""The prompt of the chat: keys, history and completion.

It imports prompt_toolkit and nothing else that takes time, so that it is there at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.history import FileHistory, History, InMemoryHistory, ThreadedHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import create_output

if TYPE_CHECKING:
    from agent.settings import Settings

PROMPT, CONTINUED = "> ", "  "
HISTORY = "chat_history"
MENU_ROWS = 4  # kept free below the prompt for completions

Choices = Callable[[str], Sequence[str]]
"""What may follow a command, by the kind of its argument."""


class Prompt:
    """Reads questions from a terminal: Enter sends, Alt-Enter and Ctrl-J begin a new line."""

    def __init__(self, settings: Settings, kinds: Mapping[str, str], choices: Choices) -> None:
        """`kinds`: the commands, each with the kind of its argument."""
        is_command = Condition(lambda: self._session.default_buffer.text.startswith("/"))
        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation=CONTINUED,
            key_bindings=_keys(),
            history=_history(settings),
            completer=_Commands(kinds, choices),
            complete_while_typing=is_command,
            complete_in_thread=True,
            search_ignore_case=True,
            enable_suspend=True,
            reserve_space_for_menu=MENU_ROWS,
            output=create_output(always_prefer_tty=True),  # stdout may be a file, which is for answers
        )

    def read(self) -> str:
        """A question or a command. Raises EOFError at Ctrl-D, KeyboardInterrupt at Ctrl-C."""
        return self._session.prompt()

    @property
    def was_empty(self) -> bool:
        """Whether nothing had been typed when the last `read` ended."""
        return not self._session.default_buffer.text


def _keys() -> KeyBindings:
    keys, typing = KeyBindings(), has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=typing)
    def send(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None  # what was chosen stands there; another Enter sends it
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter", filter=typing)
    @keys.add("c-j", filter=typing)
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    return keys


class _History(FileHistory):
    """A file of questions; one that cannot be written to costs no question."""

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string.encode("utf-8", "replace").decode("utf-8"))


def _history(settings: Settings) -> History:
    """The library's own; none where nothing is to be remembered or can be."""
    folder = settings.library_folder
    if not settings.remember or settings.read_only:
        return InMemoryHistory()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / HISTORY).touch()
    except OSError:
        return InMemoryHistory()
    return ThreadedHistory(_History(str(folder / HISTORY)))


class _Commands(Completer):
    """Completes commands, and the paths, threads and names that follow them."""

    def __init__(self, kinds: Mapping[str, str], choices: Choices) -> None:
        self._kinds, self._choices = kinds, choices
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        name, space, rest = text.partition(" ")
        if not text.startswith("/") or "\n" in text:
            return
        if space and self._kinds.get(name) == "path":
            rest = rest.lstrip()
            yield from self._paths.get_completions(Document(rest, len(rest)), complete_event)
        else:
            for found, start in suggested(text, self._kinds, self._choices):
                yield Completion(found, start)


def suggested(text: str, kinds: Mapping[str, str], choices: Choices) -> list[tuple[str, int]]:
    """What a command line may go on with; each from so many characters before the cursor on (0, -1, ...)."""
    name, space, rest = text.partition(" ")
    if not space:
        return [(one, -len(text)) for one in kinds if one.startswith(text.lower()) and one != text]
    rest = rest.lstrip()
    found = choices(kinds.get(name, ""))
    return [(one, -len(rest)) for one in found if one.casefold().startswith(rest.casefold()) and one != rest]
