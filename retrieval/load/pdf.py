"""Extract the text layer of a PDF, page by page, with a mark for each page that has text.

It reads what the file says its text is; pages that are only an image are read through the program
`tesseract` where it is installed. Form fields' values, comments and attachments are not read.
Order is that of the file's own text.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retrieval.load import ocr
from retrieval.load.source import LoadError, Mark, Source, label_of

PAGE_BREAK = "\n\n"
_WRONG_PASSWORD = 4  # PDFium's error codes
_UNKNOWN_PROTECTION = 5
_LOCK = threading.Lock()  # PDFium is not thread-safe

_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufeff\uffff]")
# PDFium puts U+FFFE (formerly U+0002) where it has joined a word hyphenated at a line's end.
_JOINED = re.compile("([^\\W_]*)[\ufffe\x02][ \n]*([^\\W_]*)")
_NO_TITLE = re.compile(
    r"(microsoft (word|powerpoint|excel)\b.*|(untitled|document|presentation|slide|title|doc|"
    r"powerpoint presentation|无标题|未命名|文档|演示文稿)[\s\d]*|.*\.[a-z]{2,4}|[\W\d_]*)",
    re.IGNORECASE,
)


@dataclass
class _Read:
    """What was read of a document, filled in page by page; page numbers count from 1."""

    pages: dict[int, str] = field(default_factory=dict)
    images: list[int] = field(default_factory=list)
    recognised: list[int] = field(default_factory=list)
    blank: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    title: str = ""


def load_pdf(data: bytes, path: Path) -> Source:
    """A PDF as a Source: its pages' text with blank lines between, one mark a page with text.

    Pages that cannot be read or hold no text are left out and named in the notes, as are those
    that were read from an image. The title is
    the file's own where it says something, else the first line if it looks like a heading, else
    the file's name without its suffix. Raises LoadError for files that need a password, that
    are broken, or that have no text at all.
    """
    with _LOCK:
        read = _read(data)
    _recognise(read, data)
    pages = _clean_pages(read.pages)
    if not pages:
        raise LoadError(_why_nothing(read))
    marks: list[Mark] = []
    start = 0
    for number, text in pages.items():
        marks.append(Mark(start, "page", str(number), 0))
        start += len(text) + len(PAGE_BREAK)
    text = PAGE_BREAK.join(pages.values())
    title = sensible(read.title) or _first_heading(text) or path.stem
    return Source(text, title, tuple(marks), "pdf", None, "pdf", _notes(read))


def _read(data: bytes) -> _Read:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise LoadError(_why_closed(getattr(error, "err_code", None))) from error
    try:
        read = _Read(title=_metadata_title(document))
        for index in range(len(document)):
            _read_page(document, index, read)
        return read
    finally:
        document.close()


def _read_page(document: Any, index: int, read: _Read) -> None:
    """Add page `index` (from 0) to `read`; whatever is wrong with one page stops no other."""
    try:
        page = document[index]
        try:
            text = _page_text(page)
            if text.strip():
                read.pages[index + 1] = text
            else:
                (read.images if _has_image(page) else read.blank).append(index + 1)
        finally:
            page.close()
    except Exception:  # PDFium's wrapper raises several kinds
        read.broken.append(index + 1)


def _page_text(page: Any) -> str:
    layer = page.get_textpage()
    try:
        return str(layer.get_text_range())
    finally:
        layer.close()


def _has_image(page: Any) -> bool:
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    return any(item.type == FPDF_PAGEOBJ_IMAGE for item in page.get_objects())


def _recognise(read: _Read, data: bytes) -> None:
    """Read the pages that are only images through tesseract, as far as it is there and has the time."""
    if not read.images or not ocr.available():
        return
    deadline = time.monotonic() + ocr.FILE_SECONDS
    for number in list(read.images):
        if time.monotonic() > deadline:
            break
        text = ocr.text_of(_drawn(data, number))
        if text.strip():
            read.pages[number] = text
            read.images.remove(number)
            read.recognised.append(number)
    read.pages = dict(sorted(read.pages.items()))


def _drawn(data: bytes, number: int) -> bytes:
    """Page `number` (from 1) drawn in grey, as a PGM image; b"" where it cannot be drawn."""
    import pypdfium2

    with _LOCK:
        document = pypdfium2.PdfDocument(data)
        try:
            page = document[number - 1]
            width, height = page.get_size()
            scale = min(ocr.DOTS_PER_INCH / 72, (ocr.PIXELS / max(width * height, 1)) ** 0.5)
            bitmap = page.render(scale=scale, grayscale=True)
            rows = bytes(bitmap.buffer)
            lines = (rows[y * bitmap.stride :][: bitmap.width] for y in range(bitmap.height))
            return b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + b"".join(lines)
        except (pypdfium2.PdfiumError, ValueError):
            return b""
        finally:
            document.close()


def _metadata_title(document: Any) -> str:
    try:
        return str(document.get_metadata_value("Title"))
    except Exception:  # a broken information dictionary is no reason to refuse the text
        return ""


def _clean_pages(pages: dict[int, str]) -> dict[int, str]:
    """The pages' text made plain; those without any left are dropped."""
    raw = {number: _line_ends(text) for number, text in pages.items()}
    compounds = set(re.findall(r"[^\W\d_]+-[^\W\d_]+", "\n".join(raw.values())))
    cleaned = {number: clean(text, compounds) for number, text in raw.items()}
    return {number: text for number, text in cleaned.items() if text}


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")


def clean(text: str, compounds: set[str] | frozenset[str] = frozenset()) -> str:
    """`text` with words joined across line ends, and without control characters.

    A hyphen at a line's end is dropped as hyphenation, unless what it joins is one of
    `compounds` (words seen hyphenated inside a line) or goes on with a capital or a digit.
    """

    def join(match: re.Match[str]) -> str:
        left, right = match[1], match[2]
        keep = f"{left}-{right}" in compounds or not right or not right[0].islower()
        return f"{left}-{right}" if keep else left + right

    text = _UNWANTED.sub("", _JOINED.sub(join, text).replace("\ufffe", ""))
    return "\n".join(line.rstrip() for line in text.split("\n")).strip()


def sensible(title: str) -> str:
    """A title from a file's own metadata, or "" where it is only what a program puts there."""
    label = label_of(_UNWANTED.sub("", title.replace("\ufffe", "")))
    return "" if _NO_TITLE.fullmatch(label) else label


def _first_heading(text: str) -> str:
    """The first of the top five lines that reads like a heading: short, of words, no sentence.

    A line that goes on in small letters, or that is itself such a going on, is running text.
    """
    lines = text.split("\n", 6)
    for i, line in enumerate(lines[:5]):
        label = label_of(line)
        running = label[:1].islower() or "".join(lines[i + 1 : i + 2])[:1].islower()
        letters = sum(char.isalpha() for char in label)
        wide = any(char > "\u2e80" for char in label)
        sentence = label.endswith((".", ",", ";", ":", "-", "。", "，", "；")) or ". " in label
        wordy = letters >= (2 if wide else 4) and letters * 2 >= len(label)
        if wordy and len(label) <= 80 and not sentence and not running:
            return label
    return ""


def _notes(read: _Read) -> tuple[str, ...]:
    notes = []
    unread = "" if ocr.available() else f" ({ocr.WANTED})"
    for numbers, one, many in (
        (read.broken, "could not be read", "could not be read"),
        (read.recognised, "was read from an image by tesseract", "were read from images by tesseract"),
        (read.images, f"is only an image{unread}", f"are only images{unread}"),
        (read.blank, "has no text", "have no text"),
    ):
        if numbers:
            single = len(numbers) == 1
            notes.append(f"page{'' if single else 's'} {spans(numbers)} {one if single else many}")
    return tuple(notes)


def spans(numbers: list[int]) -> str:
    """Ascending numbers in short: [1, 2, 3, 7] gives "1-3, 7"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _why_nothing(read: _Read) -> str:
    if read.images:
        if ocr.available():
            return "no text layer: the pages are only images, and tesseract finds no text in them"
        return f"no text layer: the pages are only images ({ocr.WANTED})"
    if read.broken:
        return "broken PDF: none of its pages can be read"
    return "no text in this PDF"


def _why_closed(code: int | None) -> str:
    if code == _WRONG_PASSWORD:
        return "password-protected PDF: remove the password and add it again"
    if code == _UNKNOWN_PROTECTION:
        return "protected PDF of an unknown kind: save it without protection and add it again"
    return "broken PDF: it cannot be opened"
