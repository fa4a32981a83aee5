"""Load Markdown files: the source text is the file itself, so spans and lines are the file's.

Headings become marks and front matter is recognised. Nothing is rendered: links, emphasis, code
and HTML stay as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from retrieval.load.source import Mark, Source, label_of
from retrieval.load.text import decode

_FENCE = re.compile(r"[ \t]*(?:[-*+>] +)?(`{3,}|~{3,})([^\n]*)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
# Lines that cannot be the text of an underlined heading.
_NOT_TEXT = re.compile(r"\s*$| {4}|\t|\s{0,3}([-*+>|#<]|\d{1,9}[.)]\s|={2,})")
_FRONT = re.compile(
    r"(?P<rule>---|\+\+\+)[ \t]*\n(?P<body>(?:.*\n){0,200}?)(?:(?P=rule)|\.\.\.)[ \t]*(?:\n|\Z)"
)
_FIELD = re.compile(r"[ \t]*(?:#.*|[\w\"'-][^\n:=]*[ \t]*[:=](?:[ \t].*)?)")
_TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(?:[>|][+-]?[ \t]*\n[ \t]+)?(\S.*)$", re.M | re.I)
_ALIAS = re.compile(r"^alias(?:es)?[ \t]*[:=][ \t]*(?:\n[ \t]*-[ \t]*|\[[ \t]*)?(\S.*)$", re.M | re.I)
_ANCHOR = re.compile(r"\s*\{\s*[#.:][^{}]*\}\s*$")
_MARKUP = (
    (re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*(?:\([^()]*\)[^()]*)*\)|\[[^\[\]]*\])"), r"\1"),
    (re.compile(r"</?[a-zA-Z][^<>]*>"), ""),
    (re.compile(r"\*\*|__|`"), ""),
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),
)


def load_markdown(data: bytes, path: Path) -> Source:
    """A Markdown file as a Source. Raises LoadError for binary data and files without text.

    The title is the front matter's title, else the first level-1 heading, else the front
    matter's first alias, else the file's name without its suffix.
    """
    text, encoding = decode(data)
    marks = headings(text)
    first = next((mark.label for mark in marks if mark.level == 1), "")
    front = text[: front_matter_end(text)]
    title = _field(_TITLE, front) or first or _field(_ALIAS, front) or path.stem
    return Source(text, title, marks, "markdown", None, encoding)


def front_matter_end(text: str) -> int:
    """The offset just after the front matter at the top of `text`; 0 where there is none.

    Front matter is YAML between lines of --- or TOML between lines of +++, at most 200 lines,
    whose first line with something on it is a field. So a rule (---) at the top is not taken
    for it.
    """
    match = _FRONT.match(text)
    if not match:
        return 0
    first = match["body"].strip("\n").partition("\n")[0]
    return match.end() if not first.strip() or _FIELD.fullmatch(first) else 0


def headings(text: str) -> tuple[Mark, ...]:
    """The headings of `text` in order, each starting where its line starts.

    Both `# heading` and underlined ones count; none do in front matter, fenced or indented code
    or comments. An underlined heading has one line of text.
    """
    marks: list[Mark] = []
    before, line = "", ""  # the lines above: an underlined heading's text, and what is above that
    line_start = 0
    for start, current in _prose(text, front_matter_end(text)):
        if match := _ATX.fullmatch(current):
            _add(marks, start, match[2] or "", len(match[1]))
            current = ""
        elif (match := _UNDERLINE.fullmatch(current)) and not _NOT_TEXT.match(line):
            if not before.strip():
                _add(marks, line_start, line, 1 if match[1][0] == "=" else 2)
            current = ""
        before, line, line_start = line, current, start
    return tuple(marks)


def _add(marks: list[Mark], start: int, raw: str, level: int) -> None:
    label = plain(raw)
    if label:
        marks.append(Mark(start, "heading", label, level))


def plain(raw: str) -> str:
    """A heading as a person reads it: without link targets, emphasis, tags and {#anchors}."""
    label = _ANCHOR.sub("", raw)
    for pattern, instead in _MARKUP:
        label = pattern.sub(instead, label)
    return label_of(label) or label_of(raw)


def _prose(text: str, begin: int) -> Iterator[tuple[int, str]]:
    """(offset, line) for each line from `begin`; lines of code and comments come as ""."""
    fence, comment, start = "", False, begin
    for line in text[begin:].split("\n"):
        shown = line
        if fence:
            shown, fence = "", "" if _closes(line, fence) else fence
        elif comment:
            shown, comment = "", "-->" not in line
        elif opened := _opens(line):
            shown, fence = "", opened
        elif line.lstrip().startswith("<!--"):
            shown, comment = "", "-->" not in line
        yield start, shown
        start += len(line) + 1


def _opens(line: str) -> str:
    match = _FENCE.match(line)
    if not match or (match[1][0] == "`" and "`" in match[2]):
        return ""
    return match[1]


def _closes(line: str, fence: str) -> bool:
    bare = line.strip().lstrip("> ")
    return bare.startswith(fence) and not bare.strip(fence[0])


def _field(pattern: re.Pattern[str], front: str) -> str:
    """The value of a front matter field, or ""."""
    match = pattern.search(front)
    if not match:
        return ""
    value = match[1].partition(",")[0] if pattern is _ALIAS else match[1]
    value = label_of(value.strip(" \t\"'[]"))
    return "" if value.startswith("/") else value  # an alias may be an old address of the page
