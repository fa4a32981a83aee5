"""Extract the text of a Rich Text file (.rtf), in whatever encodings it is written.

Paragraphs, table rows, list numbers, footnotes and text boxes are kept, and paragraphs with an
outline level become headings. Headers, footers, pictures, embedded objects and deleted text are
left out. Bytes beyond ASCII belong to the character set of their font, as the specification of
RTF 1.9.1 has it ("Unicode RTF" and "Font Table"); a letter after a first byte of two is its second.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from pathlib import Path

from retrieval.load.pdf import sensible
from retrieval.load.source import LoadError, Source
from retrieval.load.writer import Writer, clean, row, word

DEPTH_LIMIT = 10_000  # groups within groups

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])"
    rb"|[\r\n\0]+|([^\\{}\r\n\0]+)",
    re.DOTALL,
)
_CHARSETS = {
    0: "cp1252",
    77: "mac_roman",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gb18030",
    136: "big5hkscs",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    254: "cp437",
    255: "cp850",
}
_WIDER = {"932": "cp932", "936": "gb18030", "949": "cp949", "950": "big5hkscs", "65001": "utf-8"}
_TWO_BYTES = frozenset({"cp932", "cp949", "johab", "gb18030", "big5hkscs"})
_CHARACTERS = {
    "tab": "\t",
    "line": "\n",
    "emdash": "—",
    "endash": "–",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "bullet": "•",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
}
_SIGNS = {"~": " ", "_": "-", "\\": "\\", "{": "{", "}": "}"}
# Destinations that are text although they are marked as not for every reader, and the others.
_TEXT = frozenset({"shpinst", "shptxt", "fldrslt", "listtext", "pntext", "footnote", "ud"})
_NO_TEXT = frozenset(
    """
    fonttbl colortbl stylesheet info header headerl headerr headerf footer footerl footerr footerf pict object
    objdata fldinst bkmkstart bkmkend themedata colorschememapping latentstyles datastore listtable generator
    listoverridetable rsidtbl xmlnstbl sp sn sv atnid atnauthor atnref atndate atnparent annotation nonshppict
    ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn tc tcl xe rxe txe template filetbl revtbl private xmlopen
    mmath filename userprops docvar upr pgdsctbl background nextfile
    """.split()
)


@dataclass
class _State:
    """What holds inside a group, and is as before when it ends."""

    target: str = "text"  # text, note, box, title, created, info, fonts, styles or none
    font: int | None = None
    skip: int = 1  # how many bytes after \\u stand for it
    deleted: bool = False


def load_rtf(data: bytes, path: Path) -> Source:
    """A Rich Text file as a Source. Raises LoadError for what is no RTF and for files without text.

    The title is the file's own, else its first heading, else its name without its suffix.
    """
    if not data.lstrip()[:5].lower() == b"{\\rtf":
        raise LoadError("not a Rich Text file")
    reader = _Reader()
    reader.read(data)
    text = reader.writer.text()
    if not text:
        raise LoadError("no text in this file")
    marks = tuple(reader.writer.marks)
    title = sensible("".join(reader.title)) or (marks[0].label if marks else "") or path.stem
    return Source(text, title, marks, "rtf", None, reader.encoding, (), reader.date)


class _Reader:
    """Reads the file token by token. The font table and the stylesheet come before the text."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.title: list[str] = []
        self.date = ""
        self.encoding = "cp1252"
        self._fonts: dict[int, str] = {}
        self._outlines: dict[int, int] = {}  # style to outline level, from 0
        self._state = _State()
        self._stack: list[_State] = []
        self._font_read: int | None = None
        self._style_read: int | None = None
        self._bytes = bytearray()  # beyond ASCII, not yet decoded
        self._high = 0  # the first half of a surrogate pair
        self._text: list[str] = []
        self._note: list[str] = []
        self._notes: list[str] = []  # of this paragraph
        self._count = 0
        self._cells: list[str] = []
        self._in_table = False
        self._table_gap = "\n\n"
        self._outline: int | None = None
        self._listed = False
        self._list_gap = "\n\n"
        self._created = ("", "", "")

    def read(self, data: bytes) -> None:
        at, skipping, ignorable = 0, 0, False
        while at < len(data):
            match = _TOKEN.match(data, at)
            if match is None:  # a lone backslash at the end
                break
            at = match.end()
            name, number, hexed, sign, brace, run = match.groups()
            if hexed is None and not (run and self._bytes):
                self._decode()
            if brace:
                skipping, ignorable = 0, False
                if not self._brace(brace):
                    break
            elif name:
                skipping = 0
                control, value = name.decode(), int(number) if number else None
                if control == "bin":
                    at += max(value or 0, 0)
                elif control == "u":
                    self._unicode(value or 0)
                    skipping = self._state.skip
                else:
                    self._control(control, value, ignorable)
                    if self._state.target == "none":
                        at = _group_end(data, at)
                ignorable = False
            elif sign:
                ignorable = sign == b"*"
                self._sign(sign.decode("latin-1"))
            elif skipping and hexed:
                skipping -= 1
            elif hexed:
                self._add_byte(bytes.fromhex(hexed.decode()))
            elif run:
                kept = run[skipping:]
                skipping = max(0, skipping - len(run))
                self._add_run(kept)
        self._decode()
        self._paragraph()

    def _brace(self, brace: bytes) -> bool:
        """Whether the file goes on: what follows its outermost group is not of it."""
        if brace == b"{":
            if len(self._stack) > DEPTH_LIMIT:
                raise LoadError("damaged: its groups never end")
            self._stack.append(self._state)
            self._state = replace(self._state)
            return True
        before = self._state.target
        if self._stack:
            self._state = self._stack.pop()
        if before in ("note", "box") and self._state.target != before:
            self._aside(before)
        return bool(self._stack)

    def _aside(self, kind: str) -> None:
        """Keep a footnote or a text box for the end of the paragraph that it stands in."""
        text = clean("".join(self._note))
        self._note = []
        if text and kind == "note":
            self._count += 1
            text = " ".join(text.split())
            text = f"{word('Footnote', text)} {self._count}: {text}"
        self._notes += [text] if text else []

    def _control(self, name: str, value: int | None, ignorable: bool) -> None:
        state = self._state
        if name == "ansicpg" and value is not None:
            self.encoding = _WIDER.get(str(value)) or _known(f"cp{value}") or "cp1252"
        elif name in ("mac", "pc", "pca"):
            self.encoding = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[name]
        elif name == "uc":
            state.skip = value or 0
        elif name == "f":
            state.font = self._font_read = value
        elif name == "fcharset" and state.target == "fonts":
            if self._font_read is not None and value in _CHARSETS:
                self._fonts[self._font_read] = _CHARSETS[value]
        elif name == "s":
            self._styled(value)
        elif name == "outlinelevel" and value is not None:
            if state.target == "styles" and self._style_read is not None:
                self._outlines[self._style_read] = value
            elif state.target == "text":
                self._outline = value
        elif name == "deleted":
            state.deleted = value != 0
        elif name in _CHARACTERS:
            self._put(_CHARACTERS[name])
        elif state.target == "created":
            self._date(name, value)
        elif self._is_destination(name, ignorable):
            self._enter(name)
        elif state.target in ("note", "box") and name in ("par", "row", "cell"):
            self._note.append("\t" if name == "cell" else "\n")
        elif state.target == "text":
            self._layout(name)

    @staticmethod
    def _is_destination(name: str, ignorable: bool) -> bool:
        return name in _NO_TEXT or name in _TEXT or ignorable or name in ("title", "creatim")

    def _enter(self, name: str) -> None:
        state = self._state
        if name == "fonttbl":
            state.target = "fonts"
        elif name == "stylesheet":
            state.target = "styles"
        elif name in ("info", "upr") and state.target in ("text", "info"):
            state.target = "info"
        elif name in ("title", "creatim") and state.target == "info":
            state.target = {"title": "title", "creatim": "created"}[name]
            if name == "title":
                self.title = []  # the last one is in Unicode where there are two
        elif name == "ud" and state.target == "info":
            pass
        elif name in ("footnote", "shptxt") and state.target == "text":
            state.target = "note" if name == "footnote" else "box"
        elif name in ("listtext", "pntext"):
            self._listed = self._listed or state.target == "text"
        elif name not in _TEXT and state.target not in ("fonts", "styles"):
            state.target = "none"

    def _styled(self, value: int | None) -> None:
        if self._state.target == "styles":
            self._style_read = value
        elif self._state.target == "text" and value is not None:
            self._outline = self._outlines.get(value)

    def _layout(self, name: str) -> None:
        if name in ("par", "sect", "page"):
            if self._in_table:
                self._put(" ")
            else:
                self._paragraph()
        elif name == "pard":
            self._in_table, self._outline = False, None
        elif name == "intbl":
            self._in_table = True
        elif name in ("cell", "nestcell"):
            self._cells.append("".join(self._text))
            self._text = []
        elif name in ("row", "nestrow"):
            self._row()

    def _row(self) -> None:
        self.writer.write(row(self._cells), self._table_gap)
        self._cells, self._table_gap, self._listed = [], "\n", False
        self._write_notes()

    def _paragraph(self) -> None:
        if self._cells:  # a row that never ended
            self._row()
        text = clean("".join(self._text))
        self._text, self._table_gap = [], "\n\n"
        if text:
            if self._outline is not None and self._outline < 9:
                self.writer.heading(" ".join(text.split()), self._outline + 1)
            else:
                text = re.sub(r"^([^\s]{1,10})\t", r"\1 ", text) if self._listed else text
                self.writer.write(text, self._list_gap if self._listed else "\n\n")
        self._list_gap = "\n" if self._listed and text else "\n\n"
        self._listed = False
        self._write_notes()

    def _write_notes(self) -> None:
        for note in self._notes:
            self.writer.write(note)
        self._notes = []

    def _date(self, name: str, value: int | None) -> None:
        place = {"yr": 0, "mo": 1, "dy": 2}.get(name)
        if place is not None and value:
            fields = [*self._created]
            fields[place] = f"{value:0{4 if place == 0 else 2}d}"
            self._created = (fields[0], fields[1], fields[2])
            self.date = "-".join(self._created) if all(self._created) else ""

    def _sign(self, sign: str) -> None:
        if sign in ("\n", "\r"):
            self._layout("par") if self._state.target == "text" else self._put(" ")
        elif sign in _SIGNS:
            self._put(_SIGNS[sign])

    def _unicode(self, value: int) -> None:
        code = value + 0x10000 if value < 0 else value
        if 0xD800 <= code < 0xDC00:
            self._high = code
            return
        if 0xDC00 <= code < 0xE000 and self._high:
            code = 0x10000 + ((self._high - 0xD800) << 10) + (code - 0xDC00)
        self._high = 0
        if 0xF000 <= code <= 0xF0FF:  # a symbol font's: what stands there is a bullet, mostly
            self._put("•" if self._listed else "")
        elif code < 0x110000:
            self._put(chr(code))

    def _charset(self) -> str:
        font = self._state.font
        return self._fonts.get(font, self.encoding) if font is not None else self.encoding

    def _add_byte(self, byte: bytes) -> None:
        self._bytes += byte

    def _add_run(self, run: bytes) -> None:
        """Plain characters; the first is the second byte of a character that a \\'xx began."""
        charset = self._charset()
        if self._bytes and run and charset in _TWO_BYTES and _is_cut(bytes(self._bytes), charset):
            self._bytes += run[:1]
            run = run[1:]
        self._decode()
        if run:
            self._put(run.decode("ascii") if run.isascii() else run.decode(charset, "replace"))

    def _decode(self) -> None:
        raw, self._bytes = bytes(self._bytes), bytearray()
        if not raw:
            return
        charset = self._charset()
        text = raw.decode(charset, "replace")
        # A font that claims Western letters, or other ones than it has, in a file of another code page.
        doubtful = "\ufffd" in text or (charset == "cp1252" and len(raw) > 1)
        if doubtful and self.encoding in _TWO_BYTES:
            other = raw.decode(self.encoding, "replace")
            text = text if "\ufffd" in other else other
        self._put(text)

    def _put(self, text: str) -> None:
        target = self._state.target
        if self._state.deleted:
            return
        if target == "text":
            self._text.append(text)
        elif target in ("note", "box"):
            self._note.append(text)
        elif target == "title":
            self.title.append(text)


_SKIPPED = re.compile(rb"\\bin(\d{1,10}) ?|\\.|[{}]", re.DOTALL)


def _group_end(data: bytes, at: int) -> int:
    """The offset of the brace that closes the group around `at`, or the end of the file."""
    depth = 1
    while found := _SKIPPED.search(data, at):
        at = found.end() + int(found[1] or 0)
        depth += {b"{": 1, b"}": -1}.get(found[0], 0)
        if depth == 0:
            return found.start()
    return len(data)


def _known(name: str) -> str | None:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def _is_cut(raw: bytes, charset: str) -> bool:
    """Whether `raw` ends in the first byte of a character."""
    decoder = codecs.getincrementaldecoder(charset)("replace")
    decoder.decode(raw)
    return bool(decoder.getstate()[0])
