"""Load subtitles and timed lyrics (.srt, .vtt, .lrc): the words, without cue numbers and times.

A mark stands wherever a cue begins a sentence or a speaker, labelled with the time in the film, so that
a citation says when it is said. Styles, positions and notes are left out, and a line that only
repeats the one before, as rolling captions do, is written once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import NamedTuple

from retrieval.load.draft import Draft
from retrieval.load.source import Source, label_of
from retrieval.load.text import decode

PAUSE_S = 4.0  # seconds of silence that make a paragraph
APART_S = 30.0  # seconds after which speech without punctuation gets a mark all the same

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_ARROW = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}(?:[ \t].*)?$")
_LYRIC = re.compile(r"\[(\d{1,3}):(\d{2})(?:[.:](\d{1,3}))?\]")
_LYRIC_FIELD = re.compile(r"\[([a-z#]{1,10}):(.*)\]\s*$", re.IGNORECASE)
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t]+([^>]{1,80})>")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,200}>|<\d[\d:.]*>|\{\\[^{}\n]{0,200}\}|</?>")
_LABELLED = re.compile(r"(?:[-–—>]+[ \t]*)?([^\W\d_][^\n:：.,!?。，！？]{0,40}?)[ \t]*[:：][ \t]*(?=\S)")
_ENDED = re.compile(r"[.!?。！？…♪\])）][\"'”’」』]*$")


class _Cue(NamedTuple):
    start: float
    end: float
    lines: list[tuple[int, str]]  # line of the file, from 1, and its text


def load_subtitles(data: bytes, path: Path) -> Source:
    """An SRT or WebVTT file as a Source. Raises LoadError where there are no cues."""
    text, encoding = decode(data)
    return _write(list(_cues(text)), path.stem, "subtitles", encoding)


def load_lyrics(data: bytes, path: Path) -> Source:
    """An LRC file as a Source. Raises LoadError where there are no timed lines."""
    text, encoding = decode(data)
    cues: list[_Cue] = []
    fields: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        times = list(_LYRIC.finditer(line))
        words = _TAG.sub("", _LYRIC.sub("", line)).strip()
        if not times and (field := _LYRIC_FIELD.match(line)):
            fields[field[1].lower()] = field[2].strip()
        for time in times if words else []:
            start = int(time[1]) * 60 + int(time[2])
            cues.append(_Cue(start, start + PAUSE_S, [(number, words)]))
    cues.sort(key=lambda cue: cue.start)
    title = " — ".join(fields[key] for key in ("ti", "ar") if fields.get(key))
    return _write(cues, title or path.stem, "subtitles", encoding)


def _cues(text: str) -> Iterator[_Cue]:
    """The cues in order; a cue ends at a blank line, or where the next one's times stand."""
    start = end = -1.0
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if arrow := _ARROW.match(line):
            if lines and lines[-1][1].strip().isdigit() and len(lines) > 1:
                lines.pop()  # the number of this cue, with no blank line before it
            if start >= 0 and lines:
                yield _Cue(start, end, lines)
            start, end, lines = _seconds(arrow.groups()[:4]), _seconds(arrow.groups()[4:]), []
        elif not line.strip():
            if start >= 0 and lines:
                yield _Cue(start, end, lines)
                start = -1.0
            lines = []
        elif start >= 0:
            lines.append((number, line.strip()))
    if start >= 0 and lines:
        yield _Cue(start, end, lines)


def _seconds(groups: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = (group or "0" for group in groups)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def clock(seconds: float) -> str:
    """Seconds as 00:12:31."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def _write(cues: list[_Cue], title: str, format: str, encoding: str) -> Source:
    named = _names(cues)
    draft = Draft()
    before, who_before, ended, marked = "", "", -PAUSE_S, -APART_S
    for cue in cues:
        spoken = [(line, who, words) for line, raw in cue.lines for who, words in _spoken(raw, named)]
        first = True
        for line, who, words in spoken:
            if words == before and not who:
                ended = max(ended, cue.end)
                continue
            voiced = who and who != who_before
            if cue.start - ended >= PAUSE_S or (voiced and not first):
                draft.gap()
            shown = f"{who}: {words}" if voiced and not words.startswith(who) else words
            begins = not before or bool(_ENDED.search(before)) or cue.start - ended >= PAUSE_S
            start = draft.add(shown, line)
            if (first and (begins or cue.start - marked >= APART_S)) or voiced or who != who_before:
                draft.mark(start, "message", clock(cue.start), 6, who)
                marked = cue.start
            before, who_before, first = words, who, False
            ended = max(ended, cue.end)
    return draft.source(title, format, encoding, empty="no timed lines in this file")


def _spoken(raw: str, named: frozenset[str]) -> Iterator[tuple[str, str]]:
    """(speaker, words) of one line; a line may hold several voices."""
    pieces = _VOICE.split(raw)
    for number in range(0, len(pieces), 2):
        words = " ".join(unescape(_TAG.sub("", pieces[number])).split())
        who = label_of(unescape(pieces[number - 1])) if number else ""
        if not who and (match := _LABELLED.match(words)) and match[1] in named:
            who = match[1]
        if words:
            yield who, words


def _names(cues: list[_Cue]) -> frozenset[str]:
    """Labels before a colon that are speakers: in capitals, or there more than once."""
    counts: dict[str, int] = {}
    for cue in cues:
        for _, raw in cue.lines:
            if match := _LABELLED.match(_TAG.sub("", raw).strip()):
                counts[match[1]] = counts.get(match[1], 0) + 1
    return frozenset(
        name
        for name, count in counts.items()
        if (count > 1 and not name[0].islower() and len(name.split()) <= 4)
        or (name.isupper() and name.isascii() and len(name) > 2)
    )
