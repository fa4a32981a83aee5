"""Load a file into a Source: text to cite, a title, and marks for its headings and pages.

`load` is the way in. It looks at the file, picks a loader from LOADERS and reports every failure
as a LoadError. It does not cut text into chunks, keep anything on disk or use the network.

A new format is one module with a function (bytes, path) -> Source and its line in LOADERS; no module is
imported before the first file of its format, as questions are asked without any.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from importlib import import_module
from pathlib import Path

from retrieval.load.source import Loader, LoadError, Mark, Source, line_of, place

__all__ = [
    "CODE_SUFFIXES",
    "LOADERS",
    "MAX_BYTES",
    "LoadError",
    "Loader",
    "Mark",
    "Source",
    "line_of",
    "load",
    "place",
    "read_as",
    "sniff",
    "suffix_of",
    "text_kind",
    "unsupported",
]


def _late(module: str, name: str = "") -> Loader:
    """The function load_NAME of a module, imported with the first such file; the module's own by default."""

    def load_it(data: bytes, path: Path) -> Source:
        found = import_module(f"retrieval.load.{module}")
        source: Source = getattr(found, f"load_{name or module}")(data, path)
        return source

    return load_it


CODE_SUFFIXES = tuple(
    (
        ".bash .bat .bib .c .cc .cfg .cjs .clj .cljs .cmake .cmd .conf .cpp .cs .css .cu .cxx .dart "
        ".diff .docker .editorconfig .edn .el .elm .erl .ex .exs .fish .fs .go .gql .gradle .graphql "
        ".groovy .h .hcl .hh .hpp .hs .ini .ino .java .jl .js .jsx .kt .kts .less .lisp .ltx .lua .m "
        ".mjs .mk .ml .mli .mm .mts .nim .patch .php .pl .pm .properties .proto .ps1 .psm1 .py .pyi .r "
        ".rb .rs .scala .scss .sh .sql .sty .svelte .swift .tex .tf .thrift .toml .ts .tsx .v .vim .vue "
        ".yaml .yml .zig .zsh "
    ).split()
)

# "" stands for files without a suffix, such as README.
LOADERS: dict[str, Loader] = {
    **dict.fromkeys([".md", ".markdown", ".mdx"], _late("markdown")),
    **dict.fromkeys(["", ".txt", ".text"], _late("plain")),
    **dict.fromkeys([".log", ".rst", ".org"], _late("text")),
    **dict.fromkeys([".html", ".htm", ".xhtml"], _late("html")),
    ".pdf": _late("pdf"),
    ".docx": _late("docx"),
    ".pptx": _late("pptx"),
    **dict.fromkeys([".xlsx", ".xlsm"], _late("xlsx")),
    **dict.fromkeys([".odt", ".odp", ".ods"], _late("odf")),
    ".epub": _late("epub"),
    ".rtf": _late("rtf"),
    **dict.fromkeys([".csv", ".tsv"], _late("csv")),
    **dict.fromkeys([".eml", ".emlx"], _late("mail")),
    ".mbox": _late("mail", "mbox"),
    **dict.fromkeys([".ics", ".ical"], _late("calendar")),
    ".ipynb": _late("notebook"),
    **dict.fromkeys([".srt", ".vtt"], _late("subtitles")),
    ".lrc": _late("subtitles", "lyrics"),
    **dict.fromkeys([".json", ".geojson", ".webmanifest"], _late("records", "json")),
    **dict.fromkeys([".jsonl", ".ndjson"], _late("records", "json_lines")),
    **dict.fromkeys(CODE_SUFFIXES, _late("code")),
}

_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".7z", ".rar", ".zst"})
_SAVE_AS = {
    **dict.fromkeys([".doc", ".dot", ".wps", ".pages"], ".docx"),
    **dict.fromkeys([".ppt", ".pps", ".dps"], ".pptx"),
    **dict.fromkeys([".xls", ".xlsb", ".et", ".numbers"], ".xlsx"),
}
_PACKAGES = frozenset({".docx", ".pptx", ".xlsx", ".xlsm", ".odt", ".odp", ".ods", ".epub"})
_OFFICE = _PACKAGES | {".pdf", ".rtf"}
_SUFFIX = re.compile(r"\.(?=[0-9]*[a-z])[a-z0-9_+-]{1,12}")
TRIES = 3  # readings of a file that changes meanwhile
_MAILDIR = re.compile(r"\d{6,}\.")  # the time with which the name of a message in a Maildir begins
_HTML_START = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)
_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "no permission to read it",
    errno.EPERM: "no permission to read it",
    errno.ELOOP: "a symbolic link that leads back to itself",
}


MAX_BYTES = 200_000_000  # of a file


def load(path: Path, max_bytes: int = MAX_BYTES) -> tuple[Source, str]:
    """The Source in `path` and the SHA-256 of the file's bytes, as hex.

    Raises LoadError for anything but a readable regular file of a supported format with text in
    it, and for files over `max_bytes`. A symbolic link to such a file is followed.
    """
    suffix = suffix_of(path)
    data = _read(path, suffix, max_bytes)
    source = read_as(sniff(data, suffix), data, path)
    return source, hashlib.sha256(data).hexdigest()


def read_as(kind: str, data: bytes, path: Path) -> Source:
    """The Source in `data`, by the loader of a key of LOADERS; `path` is never opened. Raises LoadError."""
    try:
        return LOADERS[kind](data, path)
    except LoadError:
        raise
    except Exception as error:  # whatever a parser does, a person gets one line
        reason = " ".join(str(error).split())[:120]
        raise LoadError(f"could not be read ({type(error).__name__}: {reason})") from error


def suffix_of(path: Path) -> str:
    """The suffix in lower case with its dot, or "" where there is none.

    What follows the last dot counts only if it is short, ASCII and has a letter, so that
    "notes 2024.10", "第1.2章" and "Dr. Smith" have none. Nor has a message in a Maildir.
    """
    if path.parent.name in ("cur", "new") and _MAILDIR.match(path.name):
        return ""
    suffix = path.suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def unsupported(suffix: str) -> str:
    """One line saying that files with `suffix` cannot be read, and what can be done."""
    if suffix in _ARCHIVES:
        return f"an archive ({suffix}): unpack it first"
    if suffix in _SAVE_AS:
        return f"not a supported format: {suffix} (open it and save it as {_SAVE_AS[suffix]})"
    known = ", ".join(sorted(s.lstrip(".") for s in LOADERS if s and s not in CODE_SUFFIXES))
    return f"not a supported format: {suffix} (supported: {known}, and source code)"


def sniff(data: bytes, suffix: str) -> str:
    """The key of LOADERS for `data`: `suffix`, unless the bytes plainly say otherwise.

    A PDF, an office document or a book under another name is what it is. An office suffix on
    HTML or text, as some programs write it, is read as that; otherwise it stays, and its loader
    refuses the file. A file without a suffix may be mail.
    """
    if data.startswith(b"%PDF-"):
        return ".pdf"
    if not suffix:
        from retrieval.load.mail import mail_suffix

        suffix = mail_suffix(data)
    if suffix == ".pdf" and b"%PDF-" in data[:1024]:
        return suffix
    if data.startswith(b"PK\x03\x04"):
        from retrieval.load.package import kind_of

        kind = kind_of(data)
        return suffix if not kind or (kind, suffix) == (".xlsx", ".xlsm") else kind
    if data.startswith(b"{\\rtf"):
        return ".rtf"
    return suffix if suffix not in _OFFICE else text_kind(data) or suffix


def text_kind(data: bytes) -> str:
    """ ".html" or ".txt" for bytes that are HTML or text whatever their name, "" for others."""
    if _HTML_START.match(data):
        return ".html"
    from retrieval.load.text import is_text

    return ".txt" if is_text(data) else ""


def _read(path: Path, suffix: str, max_bytes: int) -> bytes:
    """All bytes of `path`, checked before and after reading. Raises LoadError."""
    try:
        _check(os.stat(path), suffix, max_bytes)
        for _ in range(TRIES):
            with open(path, "rb", opener=_opener) as file:
                before = os.fstat(file.fileno())
                _check(before, suffix, max_bytes)
                data = file.read(max_bytes + 1)
                after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
                break
        else:
            raise LoadError("it changes while it is read: add it again when it is at rest")
    except (OSError, ValueError) as error:
        raise LoadError(_reason(path, error)) from error
    if not data:
        raise LoadError("empty file")
    if len(data) > max_bytes:  # it grew after it was looked at
        raise LoadError(_too_large(len(data), max_bytes))
    return data


def _opener(path: str, flags: int) -> int:
    # A pipe put in the file's place since it was looked at must not keep us waiting for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check(info: os.stat_result, suffix: str, max_bytes: int) -> None:
    # Opening a pipe would wait for a writer and a device may never end: look before opening.
    if stat.S_ISDIR(info.st_mode):
        raise LoadError("a folder, not a file")
    if not stat.S_ISREG(info.st_mode):
        raise LoadError("not a regular file (a device, pipe or socket)")
    if suffix not in LOADERS:
        raise LoadError(unsupported(suffix))
    if info.st_size > max_bytes:
        raise LoadError(_too_large(info.st_size, max_bytes))


def _too_large(size: int, limit: int) -> str:
    return f"too large: {size / 1e6:.1f} MB (the limit is {limit / 1e6:.1f} MB)"


def _reason(path: Path, error: Exception) -> str:
    code = error.errno if isinstance(error, OSError) else errno.ENOENT
    if code == errno.ENOENT and isinstance(error, OSError) and os.path.islink(path):
        return "a symbolic link to something that does not exist"
    return _REASONS.get(code or 0, f"could not be read ({error})")
