"""Extract the cells of a workbook (.xlsx, .xlsm): each sheet a heading, each row a line.

Values are written as a person sees them: dates in ISO 8601, percentages and currencies by the
cell's format, formulas as the result that was saved with them. Each stretch of rows that begins
with a header is under a mark that names its columns, so that every chunk of a long table is. It
does not calculate, read charts or pictures, or tell merged cells from empty ones.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from retrieval.load.package import DAMAGED, embedded, kind_of, opened, part, properties, tree_is_safe
from retrieval.load.pdf import sensible
from retrieval.load.source import LoadError, Source
from retrieval.load.writer import Table, Writer

ROWS_LIMIT = 1_048_576  # rows that a sheet can have
CELLS_LIMIT = 50_000_000  # cells looked at in one sheet, those passed over in its rows included


def load_xlsx(data: bytes, path: Path) -> Source:
    """A workbook as a Source. Raises LoadError for what is locked, damaged or without text.

    The title is the workbook's own, else the file's name without its suffix.
    """
    package = opened(data)
    if kind_of(data) != ".xlsx":
        raise LoadError("not a workbook: it has no sheets")
    _check(package)
    writer = Writer()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of extensions that it passes over
        _write(writer, data)
    text = writer.text()
    if not text:
        raise LoadError("no text in this workbook")
    title, date = properties(package)
    notes = (*_left_out(package), *embedded(package))
    marks = tuple(writer.marks)
    return Source(text, sensible(title) or path.stem, marks, "xlsx", None, "xml", notes, date)


def _check(package: zipfile.ZipFile) -> None:
    """What openpyxl would read is intact, within bounds and free of entities."""
    for name in package.namelist():
        if name.endswith((".xml", ".rels")):
            tree_is_safe(part(package, name) or b"", name)


def _write(writer: Writer, data: bytes) -> None:
    import openpyxl

    try:
        book = openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # openpyxl raises many kinds
        raise LoadError(f"{DAMAGED} ({type(error).__name__})") from error
    try:
        for sheet in book.worksheets:
            writer.mark("heading", sheet.title, 1)
            table = Table(writer, 2)
            for cells in _rows(sheet):
                table.add(cells)
    finally:
        book.close()


def _rows(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # what the file declares may be wrong, or the whole of a million rows
    seen = 0
    for number, cells in enumerate(sheet.iter_rows()):
        seen += len(cells)
        if number >= ROWS_LIMIT or seen > CELLS_LIMIT:
            raise LoadError(f"the sheet {sheet.title!r} is too large: not read")
        yield ["" if cell.value is None else shown(cell.value, cell.number_format) for cell in cells]


def shown(value: object, number_format: str) -> str:
    """A cell's value as a person sees it, but dates in ISO 8601 and times on 24 hours."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        return _moment(value, number_format)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, dt.time):
        return value.isoformat(_precision(value))
    if isinstance(value, dt.timedelta):
        seconds = round(value.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if isinstance(value, int | float):
        return _number(value, number_format or "General")
    return str(value)


def _moment(value: dt.datetime, number_format: str) -> str:
    """The day, the time or both, as the format shows them; m alone is a month or a minute."""
    letters = _LITERAL.sub("", number_format.lower())
    timed, dated = re.search(r"[hs]", letters), re.search(r"[yd]|mmm", letters)
    if timed and not dated:
        return value.time().isoformat(_precision(value.time()))
    if timed and value.time() != dt.time():
        return value.isoformat(" ", _precision(value.time()))
    return value.date().isoformat()


def _precision(value: dt.time) -> str:
    return "seconds" if value.second else "minutes"


_LITERAL = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|am/pm|general')


def plain(value: float) -> str:
    """A number without the noise of binary fractions: 15 significant digits, as Excel keeps."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.15g}"


_TOKEN = re.compile(r'"([^"]*)"|\\(.)|[_*].|\[([^\]]*)\]|([0#?][0#?,.]*|\.[0#?]+)|([Ee][+-]0+)|(General)|(.)')


@lru_cache(1000)
def _pattern(section: str) -> tuple[str, str, str, str]:
    """What stands before a number, its digits as the format has them, its exponent, and what follows."""
    before, digits, exponent, after = "", "", "", ""
    for match in _TOKEN.finditer(section):
        quoted, escaped, bracket, run, power, general, other = match.groups()
        text = quoted or escaped or other or ""
        if bracket is not None:
            text = bracket.split("-")[0].lstrip("$") if bracket.startswith("$") else ""
        if (run or general) and not digits:
            digits = run or general
        elif power:
            exponent = power
        elif digits:
            after += text
        else:
            before += text
    return before, digits, exponent, after


def _number(value: float, number_format: str) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    sections = number_format.split(";")
    negative = value < 0 and len(sections) > 1 and bool(sections[1].strip())
    before, digits, exponent, after = _pattern(sections[1] if negative else sections[0])
    value = -value if negative else value
    if "/" in before + after or not digits:  # a fraction, or a format that shows no number
        return plain(value)
    percent = "%" in before + after
    if exponent:
        return f"{value:.{_decimals(digits)}E}"
    body = _digits(value * 100 if percent else value, digits)
    after = after.replace("%", " %").replace("  %", " %")
    sign = "-" if body.startswith("-") else ""
    return f"{sign}{before}{body.removeprefix('-')}{after}".strip()


def _digits(value: float, digits: str) -> str:
    if digits == "General":
        return plain(value)
    value /= 1000 ** (len(digits) - len(digits.rstrip(",")))
    places = _decimals(digits)
    fixed = re.sub(r"[^0]", "", digits.partition(".")[2])
    comma = "," if "," in digits.rstrip(",").partition(".")[0] else ""
    # Half away from zero, as a spreadsheet rounds; the noise goes first.
    rounded = _rounded(value, places)
    text = f"{rounded:{comma}.{places}f}"
    if places > len(fixed):  # optional places
        whole, _, fraction = text.partition(".")
        fraction = fraction[: len(fixed)] + fraction[len(fixed) :].rstrip("0")
        text = f"{whole}.{fraction}" if fraction else whole
    width = re.sub(r"[^0]", "", digits.partition(".")[0])
    whole, dot, fraction = text.lstrip("-").partition(".")
    zeros = "" if comma else "0" * (len(width) - len(whole))
    return ("-" if text.startswith("-") else "") + zeros + whole + dot + fraction


def _decimals(digits: str) -> int:
    return len(re.sub(r"[^0#?]", "", digits.partition(".")[2]))


def _rounded(value: float, places: int) -> Any:
    from decimal import ROUND_HALF_UP, Decimal

    exact = Decimal(f"{value:.15g}")
    return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) if abs(exact) < 10**15 else exact


def _left_out(package: zipfile.ZipFile) -> tuple[str, ...]:
    names = package.namelist()
    charts = sum(name.startswith("xl/charts/chart") for name in names)
    comments = any(name.startswith(("xl/comments", "xl/threadedComments")) for name in names)
    notes = [f"{charts} chart{'s are' if charts > 1 else ' is'} left out"] if charts else []
    return (*notes, *(["comments on cells are left out"] if comments else []))
