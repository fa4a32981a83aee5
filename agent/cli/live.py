"""The loop as it goes on, on a terminal: queries and hits, the draft, and what becomes of each claim.

`steps` and `claims` are pure; `frame` puts them into a window; `Live` draws frames over each other and wipes
the last one. It never shows an answer: what is not verified is dim, said to be so, and gone in the end.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from agent.cli.chat_words import WORDS, Lang
from agent.cli.keyboard import ctrl_c, do_nothing
from agent.cli.render import shorten, visible
from agent.filters import said
from agent.models.names import shown_name
from agent.page_words import PAGE_WORDS

if TYPE_CHECKING:
    from rich.console import Console

    from agent.events import Event, Judged

FRAMES_A_SECOND = 12
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
INDENT = "  "
MAX_CLAIM_LINES = 4  # of one claim, so that a long one leaves room for others
NO_WRAP, WRAP = "\x1b[?7l", "\x1b[?7h"  # a line that a terminal takes for wider than we do must not wrap
CLEAR_LINE, CLEAR_BELOW = "\x1b[K", "\x1b[J"

AFTER = {  # what is under way once a node has finished
    "started": "recall",
    "recall": "plan",
    "plan": "retrieve",
    "retrieve": "draft",
    "act": "draft",
    "sweep": "draft",
    "draft": "critique",
    "reformulate": "retrieve",
    "settle": "remember",
    "remember": "remember",
}


def now_doing(events: Sequence[Event], lang: Lang) -> str:
    """What is under way, in words."""
    doing = WORDS[lang]["doing"]
    if not events:
        return str(doing["ready"])
    last = events[-1]
    if last["event"] == "critique":
        return str(doing["settle" if last["passed"] else "reformulate"])
    if last["event"] == "plan" and last["need"] in ("tool", "conversation", "sweep"):
        return str(doing[{"tool": "act", "conversation": "draft", "sweep": "sweep"}[last["need"]]])
    return str(doing[AFTER[last["event"]]])


def steps(events: Sequence[Event], lang: Lang) -> list[Text]:
    """A line for each step that was taken, but for drafts and verdicts."""
    asked = events[0]["question"] if events and events[0]["event"] == "started" else ""
    said_again = [one for one in events if one["event"] == "recall" and one["standalone"] == asked]
    lines = [_step(event, lang) for event in events if event not in said_again]
    return [Text(line, style="dim") for line in lines if line]


def _step(event: Event, lang: Lang) -> str:
    words, line = WORDS[lang], ""
    match event["event"]:
        case "recall":
            line = words["recall"].format(question=event["standalone"])
        case "plan":
            kind = event["answer_type"]
            known = kind != "other"
            wanted = [words["wanted"].format(kind=PAGE_WORDS[lang]["type"][kind])] if known else []
            tool = [event["tool"]] if event["tool"] else []
            only = [words["only"].format(what=said(event["where"]))] if event["where"] else []
            line = words["plan"] + words["comma"].join([words["needs"][event["need"]], *wanted, *tool, *only])
        case "retrieve":
            line = words["retrieve"].format(queries=_first(event["queries"], words), hits=event["hits"])
        case "act":
            line = words["act"] + (event["result"] or event["failure"])
        case "sweep":
            line = words["sweep"].format(parts=event["parts"], quoted=event["quoted"])
        case "reformulate":
            queries = _first([query["text"] for query in event["queries"]], words)
            line = words["round"].format(n=event["round"], queries=queries or words["none"])
    return line


def _first(queries: Sequence[str], words: dict[str, Any]) -> str:
    """The first of some queries and how many there are beside it."""
    more = words["more"].format(n=len(queries) - 1) if len(queries) > 1 else ""
    return "".join(queries[:1]) + more


def claims(events: Sequence[Event], lang: Lang) -> list[Text]:
    """The latest draft, headed as unverified, or what became of its claims; nothing before there is one."""
    words = WORDS[lang]
    for event in reversed(events):
        if event["event"] == "draft":
            head = words["drafted"].format(model=shown_name(event["model"]))
            drafted = [Text(f"{INDENT}· {_line(text)}", style="dim italic") for text in event["claims"]]
            return [Text(head, style="dim yellow"), *drafted] if drafted else []
        if event["event"] == "critique":
            judged = [_judged(one, words) for one in event["verdicts"]]
            head = words["judged" if event["passed"] else "insufficient"]
            return [Text(head, style="dim"), *judged] if judged else []
    return []


def _judged(one: Judged, words: dict[str, Any]) -> Text:
    if one["verdict"] == "supported":
        return Text.assemble((f"{INDENT}✓ ", "bold green"), (_line(one["text"]), "green"))
    reason = f"{words['dash']}{words['verdicts'][one['verdict']]} ({_line(one['reason'])})"
    return Text.assemble(
        (f"{INDENT}✗ ", "bold red"), (_line(one["text"]), "red strike"), (reason, "not strike dim")
    )


def _line(text: str) -> str:
    return " ".join(visible(text).split())


def frame(
    events: Sequence[Event], seconds: float, lang: Lang, width: int, height: int, *, stopping: bool = False
) -> list[Text]:
    """What is shown of a run so far: lines below `width` columns, fewer of them than `height`.

    The head stays, and that of the draft with the draft; the oldest steps go first.
    """
    doing = WORDS[lang]["doing"]["stopping"] if stopping else now_doing(events, lang)
    spin = SPINNER[int(seconds * FRAMES_A_SECOND) % len(SPINNER)]
    head = Text.assemble((f"{spin} ", "cyan"), doing, (f"  {seconds:.0f} s", "dim"))
    head.truncate(max(1, width - 1), overflow="ellipsis")
    room = max(0, height - 2)
    draft = [line for one in claims(events, lang) for line in _wrapped(one, width)]
    if len(draft) > room:
        draft = [*draft[: room - 1], Text(f"{INDENT}…", style="dim")] if room > 2 else []
    taken = [
        Text(INDENT + shorten(line.plain, max(1, width - 1 - len(INDENT))), style=line.style)
        for line in steps(events, lang)
    ]
    left = room - len(draft)
    return [head, *(taken[-left:] if left else []), *draft]


def _wrapped(text: Text, width: int) -> list[Text]:
    """A claim on lines of its own, the later ones under its words."""
    from rich.console import Console

    plain = Console(width=max(8, width - 1), file=io.StringIO())
    mark = 4 if text.plain.startswith(INDENT) else 0
    inner = max(4, width - 1 - mark)
    head, body = text[:mark], text[mark:]
    lines = list(body.wrap(plain, inner, overflow="fold"))
    if len(lines) > MAX_CLAIM_LINES:
        last = lines[MAX_CLAIM_LINES - 1]
        last.append("…")
        last.truncate(inner, overflow="ellipsis")
        lines = lines[:MAX_CLAIM_LINES]
    blank = Text(" " * mark)
    return [Text.assemble(head if n == 0 else blank, line) for n, line in enumerate(lines)]


class Live:
    """Frames drawn over each other by a thread of its own, from what `frame(width, height)` says; then wiped.

    What is written to stderr meanwhile comes after it. A window made narrower has wrapped the lines that are
    there: as many rows are gone back as they take then.
    """

    def __init__(self, console: Console, frame: Callable[[int, int], list[Text]]) -> None:
        self._console, self._frame = console, frame
        self._stream = console.file
        self._drawn: list[int] = []  # cells of each line on the screen
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep_drawing, daemon=True)
        self._said = io.StringIO()

    def __enter__(self) -> Live:
        with ctrl_c(do_nothing):  # half of it would leave the screen or stderr as they must not stay
            self._stderr, sys.stderr = sys.stderr, self._said
            self.draw()
            self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        with ctrl_c(do_nothing):
            self._over.set()
            self._thread.join()
            self._write(f"{self._back()}{CLEAR_BELOW}")
            self._drawn = []
            sys.stderr = self._stderr
        sys.stderr.write(visible(self._said.getvalue()))

    def _keep_drawing(self) -> None:
        while not self._over.wait(1 / FRAMES_A_SECOND):
            self.draw()

    def draw(self) -> None:
        with self._lock:
            width, height = self._console.size
            lines = self._frame(width, height)
            back = self._back()
            with self._console.capture() as capture:
                for line in lines:
                    self._console.print(line, no_wrap=True, crop=True, overflow="crop", soft_wrap=False)
            shown = capture.get().split("\n")[: len(lines)]
            self._drawn = [line.cell_len for line in lines]
            text = f"{CLEAR_LINE}\r\n".join(shown)
            self._write(f"{NO_WRAP}{back}{text}{CLEAR_LINE}{CLEAR_BELOW}{WRAP}")

    def _back(self) -> str:
        """To the beginning of what was drawn."""
        up = rows(self._drawn, self._console.width) - 1
        return "\r" + (f"\x1b[{up}A" if up > 0 else "")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal is gone: whoever writes next will say so
            self._over.set()


def rows(cells: Sequence[int], width: int) -> int:
    """How many rows lines of so many cells take in a window of a width."""
    return sum(max(1, -(-one // max(1, width))) for one in cells)


class Watching:
    """A run as the live view sees it: events are given to it, and it tells the frame."""

    def __init__(self, lang: Lang) -> None:
        self.lang = lang
        self.stopping = False
        self._events: list[Event] = []
        self._began = time.monotonic()

    def give(self, event: Event) -> None:
        self._events.append(event)

    def frame(self, width: int, height: int) -> list[Text]:
        seconds = time.monotonic() - self._began
        return frame(list(self._events), seconds, self.lang, width, height, stopping=self.stopping)
