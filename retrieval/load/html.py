"""Extract the readable text of an HTML file, with a map back to the file's lines.

Blocks become paragraphs, list items and table rows become lines, cells are set apart by tabs,
and navigation and other furniture is left out. Nothing is rendered: styles and scripts are
ignored, images leave nothing, and text that a script would add is not there.

Tags are found by a scanner of our own, since the time that html.parser takes grows with the
square of the size of broken markup (unclosed comments, quotes and tags); this one's does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from pathlib import Path
from typing import NamedTuple

from retrieval.load.source import LoadError, Mark, Source, label_of
from retrieval.load.text import decode_declared

LITTLE = 200  # characters of text below which leaving furniture out is thought to have failed

# Never text for a reader. What is inside _RAW is not even markup.
_NEVER = frozenset({"script", "style", "template", "svg"})
_RAW = frozenset({"script", "style"})
_FURNITURE = frozenset({"nav", "footer", "aside", "form", "noscript", "button"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"} | {"track", "wbr"}
)
_PARAGRAPHS = frozenset(
    {"p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "pre", "blockquote", "section", "article"}
    | {"main", "ul", "ol", "dl", "figure", "hr", "header", "footer", "nav", "aside", "form"}
    | {"fieldset", "details", "body"}
)
_LINES = frozenset(
    {"div", "li", "tr", "dt", "dd", "option", "caption", "figcaption", "summary", "legend"}
    | {"address", "br", "center", "thead", "tbody", "tfoot"}
)
_LISTS = frozenset({"ul", "ol", "dl"})
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_CELL_LIMIT = 300  # a cell with less text than this is kept on one line

_META = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})|<\?xml[^>]{0,60}?encoding=[\"']([\w.-]+)",
    re.IGNORECASE,
)
_FOLLOWED = _NEVER | _FURNITURE | {"title", "pre", "main", "article", "header", "li", "dd"}

_SPACE = re.compile(r"[ \t\n\f\v\u00a0\u3000]+")


class _Event(NamedTuple):
    """One step of the text: what it is, and where it stands in the page and in the file.

    `kind` is text, verbatim, break, cell, heading or end (of a heading). `size` is the number of
    line ends for a break and the level for a heading.
    """

    kind: str
    text: str
    size: int
    line: int
    furniture: bool
    main: bool


def load_html(data: bytes, path: Path) -> Source:
    """An HTML file as a Source; malformed pages give what can be read of them.

    The title is that of the page, else its first heading, else the file's name without its
    suffix. Raises LoadError for binary data and pages without text.
    """
    declared = _META.search(data[:4096])
    name = (declared[1] or declared[2]).decode("ascii", "replace") if declared else None
    markup, encoding = decode_declared(data, name)
    reader = _Reader()
    for token in _tokens(markup):
        reader.take(token)
    writer = _Writer()
    writer.write(_readable(reader.events))
    if not writer.text:
        raise LoadError("no text in this HTML file")
    marks = tuple(writer.marks)
    title = label_of(reader.title) or (marks[0].label if marks else "") or path.stem
    return Source(writer.text, title, marks, "html", tuple(writer.lines), encoding)


def _readable(events: list[_Event]) -> list[_Event]:
    """The events a reader would want: the main part, the page without furniture, or all."""
    kept = [event for event in events if not event.furniture]
    size, whole = _amount(kept), _amount(events)
    if size < LITTLE and 2 * size < whole:
        return events
    main = [event for event in kept if event.main]
    return main if 2 * _amount(main) >= size > 0 else kept


def _amount(events: Iterable[_Event]) -> int:
    """Characters of text, white space left out."""
    return sum(len("".join(e.text.split())) for e in events if e.kind in ("text", "verbatim"))


class _Token(NamedTuple):
    """A piece of markup: `kind` is text, start or end; `text` is decoded text or a tag's name."""

    kind: str
    text: str
    hidden: bool
    line: int


_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])")
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_STOP = re.compile(r">|=\s*([\"'])")
_ATTRIBUTE = re.compile(r"([^\s\"'>/=]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]*))?")


def _tokens(markup: str) -> Iterator[_Token]:
    """The text and tags of `markup`, in time that grows with its size only.

    Comments, declarations and scripts are passed over. As in a browser, a tag that never ends
    takes the rest of the page with it; a comment that never ends is taken to end at its first >.
    """
    # Where each closer last stands, so that none is looked for in vain.
    last = {closer: markup.rfind(closer) for closer in (">", '"', "'", "-->")}
    at, line = 0, 1
    while at < len(markup):
        found = _MARKUP.search(markup, at)
        start = found.start() if found else len(markup)
        if start > at:
            yield _Token("text", unescape(markup[at:start]), False, line)
        line += markup.count("\n", at, start)
        tag = _TAG.match(markup, start)
        end = _tag_end(markup, start, last) if tag else _comment_end(markup, start, last)
        if end < 0:
            return
        if tag:
            name = tag[2].lower()
            yield _Token("end" if tag[1] else "start", name, _hidden(markup[start:end]), line)
            if markup[end - 2] == "/" and not tag[1]:
                yield _Token("end", name, False, line)
            elif name in _RAW and not tag[1]:
                close = re.compile(f"</{name}", re.IGNORECASE).search(markup, end)
                end = close.start() if close else len(markup)
        line += markup.count("\n", start, end)
        at = end


def _tag_end(markup: str, start: int, last: dict[str, int]) -> int:
    """The offset after the tag at `start`, or -1 if it never ends. A > in quotes is no end."""
    at = start
    while at <= last[">"]:
        stop = _STOP.search(markup, at)
        if stop is None:
            return -1
        if stop[0] == ">":
            return stop.end()
        quote, at = stop[1], stop.end()
        if last[quote] >= at:
            at = markup.index(quote, at) + 1
    return -1


def _comment_end(markup: str, start: int, last: dict[str, int]) -> int:
    """The offset after the comment or declaration at `start`, or -1 if it never ends."""
    if markup.startswith("<!--", start) and last["-->"] >= start + 2:
        return markup.index("-->", start + 2) + 3
    return markup.index(">", start) + 1 if last[">"] >= start else -1


def _hidden(tag: str) -> bool:
    if "hidden" not in tag.lower():
        return False
    values = {name.lower(): value.strip("\"'") for name, value in _ATTRIBUTE.findall(tag)}
    return "hidden" in values or values.get("aria-hidden", "").lower() == "true"


class _Reader:
    """Turns tokens into events. Only elements that change how text is read are followed.

    Elements are counted, not nested: a page may close them in any order or never.
    """

    def __init__(self) -> None:
        self.events: list[_Event] = []
        self.title = ""
        self._open: dict[str, int] = {}  # how many of each followed element are open
        self._hidden = ""  # the name of the hidden element we are in
        self._depth = 0  # how many elements of that name are open
        self._titled = False
        self._line = 1
        self._heading = 0
        self._cell: int | None = None  # where in events the open cell begins

    def take(self, token: _Token) -> None:
        self._line = token.line
        if token.kind == "text":
            self._text(token.text)
        elif token.kind == "start":
            self._start(token.text, token.hidden)
        else:
            self._end(token.text)

    def _start(self, tag: str, hidden: bool) -> None:
        if tag in _VOID:
            self._layout(tag)
            return
        self._hide(tag, hidden)
        if tag in _FOLLOWED:
            self._open[tag] = self._open.get(tag, 0) + 1
        if tag == "header" and (self._is_open("article") or self._is_open("main")):
            self._open[tag] -= 1  # the heading of an article, not of the site
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        self._layout(tag)
        if tag in ("td", "th"):
            self._add("cell")
            self._cell = len(self.events)
        if tag in _HEADINGS:
            self._end_heading()
            self._heading = _HEADINGS[tag]
            self._add("heading", size=self._heading)

    def _end(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        if tag in _HEADINGS:
            self._end_heading()
        if tag not in _VOID:
            self._layout(tag)
        if self._open.get(tag):
            self._open[tag] -= 1
        if tag == "title":
            self._titled = bool(self.title.strip())
        if self._hidden == tag:
            self._depth -= 1
            self._hidden = tag if self._depth else ""

    def _text(self, data: str) -> None:
        if self._is_open("title"):
            if not self._titled and not self._is_open(*_NEVER):
                self.title += data
            return
        verbatim = self._is_open("pre")
        line = self._line
        for number, piece in enumerate(data.split("\n")):
            if verbatim and number:
                self._add("verbatim", "\n", line=line + number - 1)
            elif number:
                self._add("text", "\n", line=line + number - 1)
            if piece:
                self._add("verbatim" if verbatim else "text", piece, line=line + number)

    def _hide(self, tag: str, hidden: bool) -> None:
        if self._hidden == tag:
            self._depth += 1
        elif not self._hidden and hidden:
            self._hidden, self._depth = tag, 1

    def _is_open(self, *tags: str) -> bool:
        return any(self._open.get(tag) for tag in tags)

    def _layout(self, tag: str) -> None:
        if tag in _PARAGRAPHS or tag in _LINES:
            self._open["title"] = 0  # never closed, it would swallow the page
        if tag in _PARAGRAPHS:
            inner = tag in _LISTS and (self._is_open("li") or self._is_open("dd"))
            self._add("break", size=1 if inner else 2)
        elif tag in _LINES:
            self._add("break", size=1)

    def _end_heading(self) -> None:
        if self._heading:
            self._add("end")
            self._heading = 0

    def _end_cell(self) -> None:
        """Keep a short cell on one line: paragraphs in it would break up its row."""
        begin, self._cell = self._cell, None
        if begin is None or _amount(self.events[begin:]) > _CELL_LIMIT:
            return
        for i in range(begin, len(self.events)):
            event = self.events[i]
            if event.kind == "break":
                self.events[i] = _Event("text", " ", 0, event.line, event.furniture, event.main)

    def _add(self, kind: str, text: str = "", size: int = 0, line: int | None = None) -> None:
        if self._is_open(*_NEVER):
            return
        furniture = bool(self._hidden) or self._is_open("header", *_FURNITURE)
        main = self._is_open("main", "article")
        at = self._line if line is None else line
        self.events.append(_Event(kind, text, size, at, furniture, main))


class _Writer:
    """Puts events together: text, the heading marks in it, and the lines it came from."""

    def __init__(self) -> None:
        self.text = ""
        self.marks: list[Mark] = []
        self.lines: list[tuple[int, int]] = []
        self._parts: list[str] = []
        self._length = 0
        self._last = ""  # the last character written
        self._gap = ""  # what stands between it and the next: "", " ", "\n" (a space), or layout
        self._ends = 0  # line ends owed before the next character
        self._blank = 0  # line ends owed within verbatim text
        self._tabs = 0  # tabs owed: cells begun since the last text or break
        self._heading: tuple[int, int] | None = None  # level, and index of its first part

    def write(self, events: Iterable[_Event]) -> None:
        for event in events:
            if event.kind == "text":
                self._running(event)
            elif event.kind == "verbatim":
                self._verbatim(event)
            elif event.kind == "break":
                self._ends = max(self._ends, event.size)
                self._tabs = self._blank = 0
            elif event.kind == "cell":
                self._tabs += 1
            else:
                self._mark(event)
        self.text = "".join(self._parts).rstrip()
        self.marks = [mark for mark in self.marks if mark.start < len(self.text)]
        self.lines = [pair for pair in self.lines if pair[0] < len(self.text)]

    def _running(self, event: _Event) -> None:
        words = _SPACE.sub(" ", event.text)
        if words.startswith(" "):
            self._gap = "\n" if "\n" in event.text or self._gap == "\n" else " "
        if words.strip(" "):
            self._put(words.strip(" "), event.line)
            self._gap = " " if words.endswith(" ") else ""

    def _verbatim(self, event: _Event) -> None:
        if event.text == "\n":
            self._blank += 1
        else:
            self._put(event.text.replace("\u00a0", " "), event.line)

    def _put(self, piece: str, line: int) -> None:
        if self._parts:
            self._write(self._separator(piece[0]))
        self._ends, self._blank, self._tabs, self._gap = 0, 0, 0, ""
        if not self.lines or self.lines[-1][1] != line:
            self.lines.append((self._length, line))
        self._write(piece)

    def _separator(self, following: str) -> str:
        if self._ends:
            return "\n" * self._ends + "\t" * (self._tabs - 1)
        if self._blank:
            return "\n" * self._blank
        if self._tabs:
            return "\t" * self._tabs
        # A line end inside running Chinese or Japanese is no space to a reader.
        if self._gap == "\n" and self._last > "\u2e80" and following > "\u2e80":
            return ""
        return " " if self._gap and self._last != "\n" else ""

    def _write(self, piece: str) -> None:
        if piece:
            self._parts.append(piece)
            self._length += len(piece)
            self._last = piece[-1]

    def _mark(self, event: _Event) -> None:
        if event.kind == "heading":
            self._heading = (event.size, len(self._parts))
        elif self._heading:
            level, first = self._heading
            self._heading = None
            written = "".join(self._parts[first:])
            if label := label_of(written):
                start = self._length - len(written.lstrip())
                self.marks.append(Mark(start, "heading", label, level))
