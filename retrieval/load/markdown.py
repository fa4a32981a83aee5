"""Load Markdown files: the source text is the file itself, so spans and lines are the file's.

Headings become marks, and so do the turns of a transcript. Front matter gives title, date and tags, and
"#tags" in the text are tags too. Nothing is rendered: links, emphasis, code and HTML stay as they are
written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from retrieval.load.source import Mark, Source, label_of
from retrieval.load.text import decode
from retrieval.load.turns import headed, turns

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
_DATE = re.compile(r"^(?:date|created|published|updated|日期|时间|時間)[ \t]*[:=][ \t]*(\S.*)$", re.M | re.I)
_DAY = re.compile(r"\b(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?!\d)")
_TAGS = re.compile(
    r"^(?:tags?|keywords|categories|标签|標籤)[ \t]*[:=][ \t]*(?:\[(?P<row>[^\]]*)\]|(?P<line>\S.*)|(?P<list>(?:\n[ \t]*-[ \t]+.*)+))",
    re.M | re.I,
)
_TAG = re.compile(r"(?:^|(?<=[\s(（,，、]))#(?P<tag>[^\W_][\w/-]*)(?![\w#])")
_COLOUR = re.compile(r"\d+|(?=.*\d)(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
TAGS = 50  # of one document
_ANCHOR = re.compile(r"\s*\{\s*[#.:][^{}]*\}\s*$")
_MARKUP = (
    (re.compile(r"!?\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]"), r"\1"),
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
    end = front_matter_end(text)
    marks = headed(marks, turns(text, end, code_spans(text, end)))
    first = next((mark.label for mark in marks if mark.level == 1), "")
    front = text[:end]
    title = _field(_TITLE, front) or first or _field(_ALIAS, front) or path.stem
    return Source(text, title, marks, "markdown", None, encoding, date=_date(front), tags=tags(text, end))


def tags(text: str, end: int) -> tuple[str, ...]:
    """The tags of a text whose front matter ends at `end`: its own, then those in the text, at most TAGS."""
    found: list[str] = []
    if match := _TAGS.search(text, 0, end):
        listed = match["row"] or match["line"] or re.sub(r"\n[ \t]*-", ",", match["list"] or "")
        found = [label_of(one).strip("\"' #") for one in re.split("[,，;；、]", listed)]
    for _, line in _prose(text, end):
        if "#" in line:
            # A number is an issue, and #fff a colour.
            bare = re.sub(r"`[^`]*`|\]\([^)]*\)|\{[^{}]*\}", " ", line)
            found += [m["tag"].strip("/-") for m in _TAG.finditer(bare) if not _COLOUR.fullmatch(m["tag"])]
        if len(found) > 10 * TAGS:
            break
    return tuple(dict.fromkeys(one for one in found if one))[:TAGS]


def code_spans(text: str, begin: int) -> list[tuple[int, int]]:
    """The spans of the lines of code and comments from `begin`, neighbouring ones together."""
    spans: list[tuple[int, int]] = []
    for start, line in _prose(text, begin):
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        if line or stop == start:
            continue
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], stop + 1)
        else:
            spans.append((start, stop + 1))
    return spans


def _date(front: str) -> str:
    """The day in a front matter's date field, in ISO 8601, or ""."""
    match = _DATE.search(front)
    found = _DAY.search(match[1]) if match else None
    if not found or not (1 <= int(found[2]) <= 12 and 1 <= int(found[3]) <= 31):
        return ""
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"


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
