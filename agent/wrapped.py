"""Whole sentences of texts whose lines were wrapped to columns or cut by pages, and places between words.

`retrieval.split.sentences` cuts for search, and rather too often; what is quoted is joined again here. It
cannot put columns back in order.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from retrieval.split import LOG_LINE, SENTENCE_CHARS, Span, sentences, weight
from retrieval.tokens import CJK

PUNCTUATED_SHARE = 0.4  # of sentences that end in a full stop, from which one that does not was cut
FULL_SHARE = 0.7  # of the lines around it that a line must be as long as to have been wrapped
AROUND = 8  # lines before and after that show how wide a column is
LONG_LINE = 100.0  # Latin-character equivalents of a paragraph, which no heading is as long as
WINDOW = 12  # characters either side that show where a Chinese word ends

ENDS = re.compile(r"[.!?。！？…；;][\"'”’)\]」』）*]*$")
_OPEN_END = re.compile(rf"[{CJK}A-Za-z0-9，、,（(《“-]$")
_BEGINS = re.compile(
    rf"[-*+•·●▪–—>|#<]|\d{{1,3}}[.)、]|[(（]\d{{1,3}}[)）]|[一二三四五六七八九十]{{1,3}}、|[A-Z{CJK}][^\s：:，。]{{0,15}}[：:]"
)


def whole_sentences(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """The sentences of `text[start:end]`, each with the lines that it was wrapped over; in order, trimmed."""
    cut = sentences(text, start, end)
    ended = sum(bool(ENDS.search(text[a:b])) for a, b in cut)
    if ended < PUNCTUATED_SHARE * len(cut):
        return cut  # speech without punctuation: nothing shows what was cut
    begin, stop = max(0, start - 1000), len(text) if end is None else end
    lines = [match.span() for match in re.compile(r"[^\n]*\S[^\n]*").finditer(text, begin, stop)]
    joined: list[Span] = []
    for span in cut:
        if joined and _goes_on(text, joined[-1], span, lines):
            joined[-1] = (joined[-1][0], span[1])
        else:
            joined.append(span)
    return joined


def _goes_on(text: str, one: Span, other: Span, lines: Sequence[Span]) -> bool:
    """Whether a sentence that ends with its line goes on in the next."""
    if "\n" not in text[one[1] : other[0]] or not _OPEN_END.search(text[: one[1]][-1:]):
        return False
    if (
        _BEGINS.match(text, other[0])
        or LOG_LINE.match(text, other[0])
        or weight(text[one[0] : other[1]]) > 2 * SENTENCE_CHARS
    ):
        return False
    place = max(0, bisect_left(lines, (one[1],)) - 1)
    begin, end = lines[place]
    line = text[begin:end].strip()
    if line.startswith(("#", "|")) or (line[-1:].isascii() and text[other[0]].isupper()):
        return False
    near = sorted(weight(text[a:b].strip()) for a, b in lines[max(0, place - AROUND) : place + AROUND + 1])
    wide = near[int(0.75 * (len(near) - 1))]
    # Beside long lines, a line that is all of its sentence may be a heading.
    column = wide <= LONG_LINE or weight(line) >= LONG_LINE or one[0] < begin
    return column and weight(line) >= FULL_SHARE * wide


def between_words(text: str, place: int) -> bool:
    """Whether a place lies between two words: within Chinese, as the segmenter cuts them."""
    if not 0 < place < len(text):
        return True
    left, right = text[place - 1], text[place]
    if not (left.isalnum() and right.isalnum()):
        return True
    if not (_is_cjk(left) and _is_cjk(right)):
        return _is_cjk(left) or _is_cjk(right)
    import rjieba

    at = max(0, place - WINDOW)
    for word in rjieba.cut(text[at : place + WINDOW]):
        at += len(word)
        if at >= place:
            break
    return at == place


def _is_cjk(char: str) -> bool:
    return bool(re.match(f"[{CJK}]", char))


def on_words(text: str, span: Span) -> Span:
    """A span that begins and ends between words: what is half in it is left out."""
    start, end = span
    while start < end and not between_words(text, start):
        start += 1
    while end > start and not between_words(text, end):
        end -= 1
    return (start, end) if start < end else span
