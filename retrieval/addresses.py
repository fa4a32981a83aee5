"""Addresses of pages: which of what a user names is one, and how the library names the page there.

It fetches nothing: `retrieval.web` does. httpx is imported with the first address, as questions are asked
without any.
"""

from __future__ import annotations

import re
from pathlib import Path

from retrieval.load.source import LoadError

# A scheme is at least two letters: one is a drive. A Path has lost a slash of its address.
_ADDRESS = re.compile(r"\s*(?:[a-z][a-z0-9+.-]+://|https?:/|(?:javascript|data|mailto|file|about):)", re.I)
_CREDENTIALS = re.compile(r"(?<=//)[^/?#]*@")
_ESCAPES = re.compile(r"%[0-9a-fA-F]{2}")
_BEYOND_ASCII = re.compile(r"(?:%[89A-F][0-9A-F])+")
_SHORT = re.compile(r"(?<=^http:)/(?!/)|(?<=^https:)/(?!/)", re.IGNORECASE)


def is_page(path: str) -> bool:
    """Whether the path of a document is the address of a page."""
    return path.startswith(("http://", "https://"))


def is_address(given: str | Path) -> bool:
    """Whether what a user names is an address, of whatever scheme, and no file or folder."""
    return bool(_ADDRESS.match(str(given)))


def page_name(given: str) -> str:
    """The `address` of what may be one; "" for a path, and for what cannot be fetched."""
    try:
        return address(given) if is_address(given) else ""
    except LoadError:
        return ""


def masked(given: str) -> str:
    """An address to show: without the name and password in it, and with the slash that a `Path` took."""
    return _CREDENTIALS.sub("...@", _SHORT.sub("//", given))


def address(given: str) -> str:
    """An address as the library names it, without its fragment, and readable: "https://例え.jp/図".

    Spellings that browsers take for the same give the same. Raises LoadError for what cannot be fetched.
    """
    import httpx

    given = given.strip()
    scheme = given.partition(":")[0].lower()
    if scheme not in ("http", "https"):
        said = ": give the path itself" if scheme == "file" else ""
        raise LoadError(f"only http and https addresses can be added, not {scheme}{said}")
    try:
        url = httpx.URL(scheme + given[len(scheme) :])
    except (httpx.InvalidURL, ValueError) as error:
        raise LoadError(f"not a valid address ({error})") from error
    if url.userinfo:
        raise LoadError("it holds a name or password, which would be stored and shown: leave them out")
    if not url.host or "%" in url.host or (url.port or 0) > 65535:
        raise LoadError("not a valid address: write it as https://example.org/page (in Python as str)")
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = "" if url.port in (None, {"http": 80, "https": 443}[scheme]) else f":{url.port}"
    return f"{scheme}://{host}{port}{_readable(url.raw_path.decode('ascii'))}"


def _readable(path: str) -> str:
    """A path and query with escapes in upper case, and those for letters beyond ASCII undone."""
    return _BEYOND_ASCII.sub(_letters, _ESCAPES.sub(lambda escape: escape[0].upper(), path))


def _letters(escaped: re.Match[str]) -> str:
    from urllib.parse import quote, unquote_to_bytes

    try:
        letters = unquote_to_bytes(escaped[0]).decode("utf-8")
    except UnicodeDecodeError:  # of another encoding
        return escaped[0]
    return "".join(letter if letter.isprintable() else quote(letter) for letter in letters)
