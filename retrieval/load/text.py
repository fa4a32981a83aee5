"""Decode bytes into text, and load plain text files.

Decoding tries what declares or proves itself first (byte-order marks, strict UTF-8), then weighs
the legacy encodings of Chinese, Japanese, Korean and Western European text by how plausible the
decoded characters are. It does not guess the language, mend mojibake that was saved as such, or
read UTF-32 without a byte-order mark.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from pathlib import Path

from retrieval.load.source import LoadError, Source, label_of

TITLE_LIMIT = 80
_SAMPLE = 65_536  # bytes looked at to tell binary from text
_TELLING = 16_384  # bytes of lines beyond ASCII looked at to weigh encodings
_BINARY = "a binary file, not text"
_NO_TEXT = "no text in the file"

# The longer mark first: that of UTF-32 LE begins with that of UTF-16 LE.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Zip, ELF, PNG, GIF, JPEG, gzip, 7z, RAR, old Office, bzip2, xz.
_MAGIC = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"\x7fELF", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x1f\x8b"),
    *(b"7z\xbc\xaf", b"Rar!", b"\xd0\xcf\x11\xe0", b"BZh9", b"\xfd7zXZ"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\v\b\x1b") | {127})

_LEGACY = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949", "cp1252", "utf-8")
_GOOD = 0.45  # mean plausibility from which a legacy decoding is believed

# Characters so common that right decodings are full of them and wrong ones are not: about half
# of running Chinese, most of written Korean's particles and endings. Kana need no list.
_COMMON = frozenset(
    "的是一个在有大这为年能以了人不可我会于来就后用中上国成多到和型其要时现它之对本发出生得他么实"
    "分学但也部很你所做业公力地然家前作工们都因种如行方自数些而日比去体面那什开说化下及被过与月常名"
    "里主代最还文道类长理至场特进性内没应新好者第动度西高定果更小变外程目机等样或经非全位事入通从海"
    "國為韓時民會軍後長個發戰與業產開實來電體黨這進並數條間關將應該從對們說過還讓學點問題無種樣麼"
    "见给看想将再问题什吗呢吧啊天已使由把向此两次"
    "이다는을를가에의로고하지은기사도한인자어서리과와들대그있해나스시수정아니게만일부라적것"
    "요했습까면할없"
)
_PUNCTUATION = frozenset("，。、；：？！“”‘’（）《》〈〉「」『』【】〔〕—…·　～")
_WESTERN = frozenset("“”‘’–—…«»€£§©®°·•¿¡™²³½¼ ºª´")


def load_text(data: bytes, path: Path) -> Source:
    """A plain text file as a Source: the text itself, no marks.

    The title is the first line with something on it, without leading # and the like, cut at
    TITLE_LIMIT characters. Raises LoadError where there is no text.
    """
    text, encoding = decode(data)
    first = label_of(text.strip().partition("\n")[0].lstrip("#*=- \t"))
    title = first[:TITLE_LIMIT].rstrip() or path.stem
    return Source(text, title, (), "text", None, encoding)


def decode(data: bytes) -> tuple[str, str]:
    """The text in `data`, with LF line ends and no byte-order mark, and its encoding.

    Raises LoadError for binary data and where nothing but white space is left. Bytes that the
    chosen encoding cannot read become U+FFFD; a character cut off at the very end is dropped.
    """
    text, encoding = _with_bom(data) or _utf16(data) or _eight_bit(data)
    text = normalise(text)
    if not text.strip():
        raise LoadError(_NO_TEXT)
    return text, encoding


def is_text(data: bytes) -> bool:
    """Whether `decode` would read `data`."""
    try:
        decode(data)
    except LoadError:
        return False
    return True


def normalise(text: str) -> str:
    """`text` with CRLF and lone CR as LF, so that lines stay, and no byte-order mark or NUL."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "")


def utf8(data: bytes) -> str | None:
    """`data` as strict UTF-8, less a character cut off at its end; None where it is not UTF-8.

    A cut is only believed after a whole character beyond ASCII: a lone last byte is more likely
    to be an accented letter of another encoding.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        head = data[: error.start]
        cut = error.reason == "unexpected end of data" and error.end == len(data)
        return head.decode("utf-8") if cut and not head.isascii() else None


def _with_bom(data: bytes) -> tuple[str, str] | None:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace").rstrip("\ufffd"), encoding
    return None


def _utf16(data: bytes) -> tuple[str, str] | None:
    """UTF-16 without a byte-order mark; None for plainly 8-bit data. LoadError for binary data."""
    sample = data[:_SAMPLE]
    if data.startswith(_MAGIC):
        raise LoadError(_BINARY)
    if 0 not in sample and not _many_controls(sample):
        return None
    scores = {e: _share_of_writing(sample.decode(e, "replace")) for e in ("utf-16-le", "utf-16-be")}
    best = max(scores, key=lambda e: scores[e])
    if scores[best] < 0.9:
        raise LoadError(_BINARY)
    return data.decode(best, "replace").rstrip("\ufffd"), best


def _eight_bit(data: bytes) -> tuple[str, str]:
    sample = data[:_SAMPLE]
    if b"\x1b$" in sample and (text := _strict(data, "iso2022_jp")) is not None:
        return text, "iso2022_jp"
    if (text := utf8(data)) is not None:
        return text, "utf-8"
    telling = _telling(data)
    encoding = _weigh(telling) or _charset_normalizer(telling) or "cp1252"
    return data.decode(encoding, "replace").rstrip("\ufffd"), encoding


def _many_controls(sample: bytes) -> bool:
    return len(sample.translate(None, _CONTROLS)) < 0.95 * len(sample)


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _telling(data: bytes) -> bytes:
    """The lines of `data` from just before their first byte beyond ASCII, up to _TELLING bytes.

    The first such byte of a line never is the second of a character, so nothing is cut in two.
    """
    lines: list[bytes] = []
    size = 0
    for match in re.finditer(rb"[\x01-\x09\x0b-\x7f]?[\x80-\xff][^\n]*", data):
        lines.append(match[0][:_TELLING])
        size += len(lines[-1])
        if size >= _TELLING:
            break
    return b"\n".join(lines)[:_TELLING]


def _weigh(sample: bytes) -> str | None:
    """The most plausible of the legacy encodings, or None where none is convincing."""
    scores = {e: plausibility(sample.decode(e, "replace")) for e in _LEGACY}
    best = max(scores, key=lambda e: scores[e])
    return best if scores[best] >= _GOOD else None


def _charset_normalizer(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    match = from_bytes(sample).best()
    return match.encoding if match else None


def plausibility(text: str) -> float:
    """How much the characters beyond ASCII in `text` look like writing: about -5 to 1.5.

    It is the mean over those characters; without any it is 0. A last U+FFFD, a cut-off
    character, is left out.
    """
    text = text.rstrip("\ufffd")
    total, count = 0.0, 0
    for i, char in enumerate(text):
        if char < "\x80":
            continue
        around = (text[i - 1] if i else " ", text[i + 1] if i + 1 < len(text) else " ")
        total += _latin(char, around) if char < "\u0250" or char in _WESTERN else _weight(char)
        count += 1
    return total / count if count else 0.0


def _latin(char: str, around: tuple[str, str]) -> float:
    """Western letters stand among ASCII ones; in a wrong decoding they stand in rows."""
    if char < "\xa0":
        return -5.0
    rows = sum("\x80" <= c < "\u0250" for c in around)
    if char.isalpha() and char not in "ªº":
        beside = any(c.isascii() and c.isalpha() for c in around)
        return 1.0 if beside and not rows else (0.3 if beside else -1.0)
    return 0.6 if char in _WESTERN and rows < 2 else -0.5


@lru_cache(maxsize=20_000)
def _weight(char: str) -> float:
    """The plausibility of one character beyond the Latin ones."""
    code = ord(char)
    if char in _COMMON or 0x3041 <= code <= 0x3096 or char in _PUNCTUATION:
        return 1.5
    if 0x30A1 <= code <= 0x30FC:
        return 1.0
    if 0x4E00 <= code <= 0x9FFF:
        return 0.5 if _everyday(char) else -0.6
    if 0xAC00 <= code <= 0xD7A3:
        return 0.4 if len(char.encode("euc_kr", "ignore")) == 2 else -1.0
    if 0x3000 <= code <= 0x303F or 0xFF01 <= code <= 0xFF5E or 0x2010 <= code <= 0x2312:
        return 0.3
    if char == "\ufffd" or 0xE000 <= code <= 0xF8FF or code >= 0xF0000:
        return -5.0
    return -0.8


def _everyday(char: str) -> bool:
    """Whether a Han character is in the common half of GB 2312 or of Big5."""
    gb, big5 = char.encode("gb2312", "ignore"), char.encode("big5", "ignore")
    return b"\xb0" <= gb[:1] <= b"\xd7" or b"\xa4" <= big5[:1] <= b"\xc6"


def _share_of_writing(text: str) -> float:
    """The share of characters in `text` that writing is made of: 0 to 1; NUL rules it out."""
    if "\0" in text or not text:
        return 0.0
    good = sum(
        char in "\t\n\r\f" or " " <= char < "\x7f" or "\xa0" <= char < "\u0530" or _weight(char) > 0
        for char in text
    )
    return good / len(text)


_DECLARABLE = re.compile(
    r"(utf_8|gb|big5|cp\d|iso8859|iso2022|koi8|shift_jis|euc|mac_|hz|tis_620|johab|latin)"
)
# What browsers read under these names; the wider set reads all that the narrower one does.
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "hz": "hz",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859_1": "cp1252",
}


def decode_declared(data: bytes, declared: str | None) -> tuple[str, str]:
    """As `decode`, but trusting a `declared` encoding where nothing better speaks.

    Byte-order marks and valid UTF-8 beyond ASCII outrank the declaration, which is often left
    over from another time; so does the declaration's own failure to decode.
    """
    encoding = _codec(declared)
    plain = encoding is not None and 0 not in data[:_SAMPLE] and _with_bom(data) is None
    if plain and encoding is not None and utf8(data) is None:
        text = _strict(data, encoding)
        if text is not None and text.strip():
            return normalise(text), encoding
    return decode(data)


def _codec(declared: str | None) -> str | None:
    """The codec to use for a declared name; None where it is unknown or no text encoding."""
    try:
        name = codecs.lookup(declared or "").name.replace("-", "_")
    except (LookupError, ValueError):
        return None
    return _WIDER.get(name, name) if _DECLARABLE.match(name) else None
