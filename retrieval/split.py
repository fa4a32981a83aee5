"""Cuts source text into sentences and chunks, as character spans of that text.

Both languages; `text[start:end]` is the sentence or the chunk, always. Structure comes first (sections,
messages, paragraphs, fenced code), sentences second, and a length limit last, for transcripts without
punctuation. Only brief messages of one day share a chunk, which then knows all who speak in it.
It does not change the text, and it does not join lines across blank ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from retrieval.load import Source
from retrieval.load.source import Mark, breadcrumb, name_of, trails
from retrieval.tokens import CJK

Span = tuple[int, int]  # character offsets, start inclusive, end exclusive

CHUNK_CHARS = 1000  # about the 256 tokens that the default embedder reads; a CJK character counts as 2.5
SENTENCE_CHARS = 400  # longer "sentences" are speech without punctuation, and are cut at a pause
CJK_WEIGHT = 2.5
BRIEF = 200  # a message up to this weight may share a chunk with its neighbours
NAMED = 4  # speakers named in the heading of a chunk
CACHED_CHARS = 4000  # longer texts are not kept
LATIN_LINE_CHARS = 50  # a Latin line as long as this was wrapped, not ended, unless a full stop ends it

_ABBREVIATIONS = frozenset(
    """
    mr mrs ms dr prof sr jr st vs etc al e.g i.e cf fig figs eq no nos vol pp ed eds dept univ inc ltd
    co corp gen col lt sgt capt rev hon gov sen rep pres approx est ca jan feb mar apr jun jul aug sep
    sept oct nov dec u.s u.k u.n a.m p.m ph.d b.c a.d
    """.split()
)
_MAY_END = frozenset({"etc", "a.m", "p.m"})  # abbreviations after which a capital begins a sentence
_CLOSERS = "\"'”’)\\]」』）】》"
_END = re.compile(
    rf"(?P<wide>[。！？；…]+[{_CLOSERS}]*)"
    rf"|(?P<latin>[.!?]+[{_CLOSERS}]*)(?=\s|$|[{CJK}])"
    r"|(?P<line>\n\s*+)"
)
_ITEM = re.compile(r"(?:[-*+•·●▪–—>|#]|\d{1,3}[.)、]|[(（]\d{1,3}[)）]|[一二三四五六七八九十]{1,3}、)")
# A line of a log begins with a day, a time of day or a commit.
LOG_LINE = re.compile(r"\[?\d{4}-\d\d-\d\d\b|\[?\d\d:\d\d:\d\d\b|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,40} ")
_SPEAKER = re.compile(rf"[A-Z{CJK}][^\s：:，。]{{0,11}}[：:]|\[\d{{1,2}}:\d\d\] ")  # a turn: "林咏华：..."
_PAUSE = re.compile(r"[，,;；、:：]\s*|\s+")
_SEPARATORS = re.compile(rf"[,;](?![\s\d{CJK}])|[,;](?!\d{{3}}(?!\d))(?=\d)")  # no space after, no thousands
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+)", re.MULTILINE)
_RUNS_ON_ZH = re.compile(f"[{CJK}，、]")
_PAUSE_WITHIN = re.compile(rf"[{CJK}][。！？；，](?=[{CJK}])")
_CJK_ONLY = re.compile(f"[{CJK}]")


@dataclass(frozen=True)
class Chunk:
    """A piece as indexed: a span of the source text and where it stands."""

    start: int
    end: int
    heading: str
    """Breadcrumb of the enclosing headings, "Guide > Install"; may be empty."""
    page: int | None
    who: tuple[str, ...] = ()
    """Who wrote or says what is in it, as written in the marks, in order."""
    when: str = ""
    """When the first message in it was written, in ISO 8601, as far as it is known."""
    messages: tuple[Mark, ...] = ()
    """The marks of the messages in it, the one that goes on from before included."""


def weight(text: str) -> float:
    """Length in Latin-character equivalents: a CJK character says about as much as 2.5 letters."""
    return len(text) + (CJK_WEIGHT - 1) * len(_CJK_ONLY.findall(text))


def sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """Spans of the sentences of `text[start:end]`, in order, trimmed of white space, none empty."""
    end = len(text) if end is None else end
    cut = _sentences if len(text) <= CACHED_CHARS else _sentences.__wrapped__
    return list(cut(text, start, end))


@lru_cache(512)  # a run reads the same passages several times
def _sentences(text: str, start: int, end: int) -> tuple[Span, ...]:
    width = _wrap_width(text[start:end])
    spans: list[Span] = []
    begin = start
    for match in _END.finditer(text, start, end):
        if match.lastgroup == "line":
            if not _line_breaks(text, begin, match, end, width):
                continue
        elif match.lastgroup == "latin" and not _period_ends(text, match, end):
            continue
        spans += _trimmed(text, begin, match.end())
        begin = match.end()
    spans += _trimmed(text, begin, end)
    return tuple(piece for span in spans for piece in _within(text, span, SENTENCE_CHARS))


def split(source: Source, chunk_chars: int = CHUNK_CHARS) -> list[Chunk]:
    """The chunks of a document. Raises nothing; a document without text gives no chunk."""
    text = source.text
    spans: list[Span] = []
    for run in _runs(source):
        parts: list[Span] = []
        for section in run:
            for block in _trimmed(text, *section) if len(run) > 1 else _blocks_of(source, section):
                parts += _fitting(text, block, chunk_chars, by_line=source.format == "code")
        spans += _packed(text, parts, chunk_chars)
    said = _said(source.marks, spans)
    placed = trails(source.marks, [start for start, _ in spans])
    return [
        _chunk(span, trail, page, messages)
        for span, (trail, page), messages in zip(spans, placed, said, strict=True)
    ]


def _blocks_of(source: Source, section: Span) -> Iterator[Span]:
    return _rows(source.text, section) if source.format == "csv" else iter(_blocks(source.text, section))


def _chunk(span: Span, trail: tuple[Mark, ...], page: int | None, within: list[Mark]) -> Chunk:
    """A chunk from what encloses its start, and the messages that begin further on in it."""
    messages = [*[mark for mark in trail if mark.kind == "message"][-1:], *within]
    who = tuple(dict.fromkeys(mark.who for mark in messages if mark.who))
    when = next((mark.when for mark in messages if mark.when), "")
    if messages and (within or len(who) > 1):
        names = ", ".join(name_of(one) for one in who[:NAMED]) + (" …" if len(who) > NAMED else "")
        first = messages[0]
        shared = Mark(first.start, "message", names or first.label, first.level, names, when)
        trail = (*(mark for mark in trail if mark.level < first.level), shared)
    heading = breadcrumb(trail)
    return Chunk(span[0], span[1], heading, page, who, when, tuple(messages))


def _said(marks: Sequence[Mark], spans: Sequence[Span]) -> Iterator[list[Mark]]:
    """For each span, in order, the messages that begin in it but not at its start."""
    messages = [mark for mark in marks if mark.kind == "message"]
    at = 0
    for start, end in spans:
        while at < len(messages) and messages[at].start <= start:
            at += 1
        stop = at
        while stop < len(messages) and messages[stop].start < end:
            stop += 1
        yield messages[at:stop]
        at = stop


def _runs(source: Source) -> Iterator[list[Span]]:
    """Sections that may share a chunk: brief messages that follow one another on one day, else one alone.

    Messages of the first level are letters, which stay apart.
    """
    begins = {mark.start: mark for mark in source.marks if mark.kind != "page"}
    run: list[Span] = []
    before: Mark | None = None
    for section in _sections(source):
        mark = begins.get(section[0])
        if mark and not (mark.kind == "message" and mark.level > 1 and _brief(source.text, section)):
            mark = None
        joins = before and mark and before.level == mark.level and before.when[:10] == mark.when[:10]
        if run and not joins:
            yield run
            run = []
        run.append(section)
        before = mark
    if run:
        yield run


def _brief(text: str, section: Span) -> bool:
    return section[1] - section[0] <= 2 * BRIEF and weight(text[slice(*section)].strip()) <= BRIEF


def _wrap_width(text: str) -> int:
    """The line width at which a text is hard-wrapped, in characters; 0 when it is not."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    lengths = sorted(map(len, lines))
    if len(lines) < 4:
        return lengths[-1] if _is_column(lines) else 0
    width = lengths[int(len(lengths) * 0.9)]
    full = sum(length >= 0.7 * width for length in lengths)
    # Headings and the last lines of paragraphs are short, so two full lines in five suffice.
    return width if 12 <= width <= 110 and full >= 0.4 * len(lengths) else 0


def _is_column(lines: Sequence[str]) -> bool:
    """Whether two or three lines are the whole of a turn in a narrow Chinese column.

    They are of one length but for the last, none of them ends where the writing pauses, and it pauses within.
    """
    width = max(map(len, lines), default=0)
    full = all(len(line) >= 0.85 * width and _RUNS_ON_ZH.match(line[-1]) for line in lines[:-1])
    return len(lines) > 1 and 12 <= width <= 40 and full and any(map(_PAUSE_WITHIN.search, lines))


def _line_breaks(text: str, begin: int, match: re.Match[str], end: int, width: int) -> bool:
    """Whether a line end ends the sentence: not where a paragraph was merely wrapped to a width."""
    # The physical line, which may have begun in the sentence before.
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
    if match.end() >= end or _ITEM.match(text, match.end()) or line.startswith(("#", "|")):
        return True
    if LOG_LINE.match(text, match.end()) and LOG_LINE.match(line):
        return True
    if _is_row(line) or _is_row(text[match.end() : match.end() + SENTENCE_CHARS].partition("\n")[0]):
        return True
    if line[-1:] in ".!?。！？；…:：" or _SPEAKER.match(text, match.end()):
        return True
    wrapped = width > 0 and len(line) >= 0.6 * width
    if match.group().count("\n") > 1:
        # Columns copied with an empty line between wrapped lines: a full line of Chinese goes on.
        return not (wrapped and len(line) >= 0.85 * width and _RUNS_ON_ZH.match(line[-1:]))
    runs_on = text[match.end()].islower() or (len(line) >= LATIN_LINE_CHARS and line[-1:].isascii())
    return not (wrapped or runs_on)


def _is_row(line: str) -> bool:
    """Whether a line is a table's: cells set apart by tabs, or by commas as writing does not have them."""
    return "\t" in line or len(_SEPARATORS.findall(line)) >= 2


def _period_ends(text: str, match: re.Match[str], end: int) -> bool:
    """Whether a Latin full stop ends a sentence: not after an abbreviation, an initial or a list number."""
    if match.group()[0] != "." or match.group().startswith(".."):
        following = text[match.end() : match.end() + 2].lstrip()
        return not following[:1].islower()
    before = re.search(r"[\w.]*$", text[max(0, match.start() - 12) : match.start()])
    word = before.group() if before else ""
    following = text[match.end() : min(end, match.end() + 3)].lstrip(" \t\"'“‘([")
    if following[:1].islower():
        return False
    if word.lower() in _ABBREVIATIONS:
        return word.lower() in _MAY_END and following[:1].isupper()
    initial = len(word) == 1 and word.isupper()
    list_number = word.isdigit() and len(word) <= 3 and _begins_line(text, match.start() - len(word))
    return not (initial or list_number)


def _begins_line(text: str, offset: int) -> bool:
    return not text[text.rfind("\n", 0, offset) + 1 : offset].strip()


def _trimmed(text: str, start: int, end: int) -> list[Span]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return [(start, end)] if start < end else []


def _within(text: str, span: Span, limit: int) -> Iterator[Span]:
    """The span in pieces of at most `limit` weighted characters, cut at the last pause before it."""
    start, end = span
    while end - start > 1 and weight(text[start : min(end, start + limit + 1)]) > limit:
        reach = _reach(text, start, end, limit)
        pauses = [match.end() for match in _PAUSE.finditer(text, start + (reach - start) // 2, reach)]
        cut = pauses[-1] if pauses else reach
        yield from _trimmed(text, start, cut)
        start = cut
    yield from _trimmed(text, start, end)


def _reach(text: str, start: int, end: int, limit: int) -> int:
    """The furthest offset, after `start`, up to which the text weighs at most `limit`."""
    low, high = start + 1, min(end, start + limit)
    while low < high:
        middle = (low + high + 1) // 2
        if weight(text[start:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def _sections(source: Source) -> list[Span]:
    """Spans between marks: a chunk never reaches over a heading or a page. Front matter is left out.

    A heading with nothing under it but a message goes with that message.
    """
    text = source.text
    begin = 0
    if source.format == "markdown":
        from retrieval.load.markdown import front_matter_end  # as below: not needed where questions are asked

        begin = front_matter_end(text)
    cuts = [begin]
    headed = False
    for mark in source.marks:
        alone = headed and mark.kind == "message" and "\n" not in text[cuts[-1] : mark.start].strip()
        if mark.start > cuts[-1] and not alone:
            cuts.append(mark.start)
        headed = mark.kind == "heading"
    return list(pairwise([*cuts, len(text)])) if begin < len(text) else []


def _blocks(text: str, section: Span) -> Iterator[Span]:
    """Paragraphs, and fenced code whole."""
    start, end = section
    while start < end:
        fence = _FENCE.search(text, start, end)
        yield from _paragraphs(text, start, fence.start() if fence else end)
        if not fence:
            return
        closing = re.compile(rf"^ {{0,3}}{re.escape(fence.group(1))}[^\S\n]*$", re.MULTILINE)
        close = closing.search(text, fence.end(), end)
        stop = close.end() if close else end
        yield from _trimmed(text, fence.start(), stop)
        start = stop


def _paragraphs(text: str, start: int, end: int) -> Iterator[Span]:
    for match in _BLANK_LINE.finditer(text, start, end):
        yield from _trimmed(text, start, match.start())
        start = match.end()
    yield from _trimmed(text, start, end)


def _fitting(text: str, block: Span, limit: int, *, by_line: bool) -> Iterator[Span]:
    """A block whole when it fits, else its sentences, or its lines where it is code or a table."""
    start, end = block
    # A character weighs at least one: a huge block is not looked at to be weighed.
    if end - start <= limit and weight(text[start:end]) <= limit:
        yield block
    elif _is_table(text, start, end):
        for line in _lines(text, start, end):
            yield from _fitting(text, line, limit, by_line=by_line)
    else:
        code = by_line or _FENCE.match(text, start)
        for piece in _lines(text, start, end) if code else sentences(text, start, end):
            yield from _within(text, piece, limit)


def _rows(text: str, section: Span) -> Iterator[Span]:
    """The rows of a CSV file, whose cells may hold line ends."""
    from retrieval.load.csv import rows, separator_of

    for start, end in rows(text, separator_of(text), *section):
        yield from _trimmed(text, start, end)


def _is_table(text: str, start: int, end: int) -> bool:
    """Whether the most of a block's lines are rows: cells set apart by tabs, more than one row."""
    lines = text.count("\n", start, end)
    return lines > 0 and 2 * sum("\t" in text[a:b] for a, b in _lines(text, start, end)) > lines


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        yield from _trimmed(text, start, stop)
        start = stop + 1


def _packed(text: str, blocks: list[Span], limit: int) -> Iterator[Span]:
    """Neighbouring blocks together while they fit."""
    current: Span | None = None
    for start, end in blocks:
        if current and weight(text[current[0] : end]) <= limit:
            current = (current[0], end)
            continue
        if current:
            yield current
        current = (start, end)
    if current:
        yield current
