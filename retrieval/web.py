"""Fetch one page of the web, for `add`, and read it with the loader of its format.

A page is asked for with GET, without cookies, referrer or credentials, and nothing that it names is fetched:
no images, no frames, no refresh; only redirects of the server are followed. It renders nothing, runs no
scripts and logs in nowhere.
"""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.addresses import address, masked
from retrieval.load import (
    LOADERS,
    MAX_BYTES,
    LoadError,
    Source,
    read_as,
    sniff,
    suffix_of,
    text_kind,
    unsupported,
)

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 10
TIMEOUT_S = 120.0  # for a page as a whole, redirects included; looking a name up is the system's own affair
READ_TIMEOUT_S = 20.0  # for each connection and each reading
LITTLE = 400  # characters of text that a page whose business is a login, or a script, stays below

SAVE_IT = "save it from the browser and add the file"
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
# Types that say how to read a page. Any other leaves it to the suffix of its address, and to its content.
_TYPES = {
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "application/pdf": ".pdf",
    "text/markdown": ".md",
    "application/json": ".json",
    "application/x-ndjson": ".jsonl",
    "application/jsonl": ".jsonl",
    "application/x-ipynb+json": ".ipynb",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/calendar": ".ics",
    "text/vtt": ".vtt",
    "application/x-subrip": ".srt",
    "message/rfc822": ".eml",
    "application/mbox": ".mbox",
    "application/rtf": ".rtf",
    "text/rtf": ".rtf",
    "application/epub+zip": ".epub",
    f"{_OFFICE}wordprocessingml.document": ".docx",
    f"{_OFFICE}presentationml.presentation": ".pptx",
    f"{_OFFICE}spreadsheetml.sheet": ".xlsx",
    f"{_OPEN}text": ".odt",
    f"{_OPEN}presentation": ".odp",
    f"{_OPEN}spreadsheet": ".ods",
    "application/msword": ".doc",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/zip": ".zip",
    "application/gzip": ".gz",
}
_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/x-download"})
_OWN_ENCODING = frozenset({".eml", ".emlx", ".mbox", ".pdf", ".rtf"})  # of bytes, whatever a header says
_TAG = re.compile(r'(?:W/)?"[!#-~]{1,300}"')
_PASSWORD = re.compile(rb"<input[^>]{0,300}?type\s*=\s*[\"']?password", re.IGNORECASE)
_SCRIPTED = re.compile(
    r"(?:enable|activate|turn on|allow|requires?|without)\W{0,3}(?:\w+ ){0,3}javascript"
    r"|(?:启用|啟用|开启|開啟|需要)\W{0,3}javascript"
    r"|javascript.{0,30}(?:enabled|disabled|required|启用|啟用|开启|開啟|禁用)",
    re.IGNORECASE,
)
_HINTS = {
    401: f"it asks for a login: {SAVE_IT}",
    403: f"it asks for a login, or lets no programs in: {SAVE_IT}",
    404: "there is no such page",
    410: "the page is gone",
    429: "too many requests: try again later",
}


@dataclass(frozen=True)
class Page:
    """A page as it was fetched. `url`: where it was found, after redirects."""

    url: str
    name: str
    """A file name, for a title and for what its suffix says."""
    kind: str
    """A suffix, by what the server said of the page; perhaps none that can be read."""
    charset: str | None
    modified_s: float
    """When the server says that it changed last; 0 where it does not."""
    data: bytes = field(repr=False)
    etag: str = ""
    """What the server calls this version of it (RFC 9110, section 8.8.3); "" where it does not say."""

    def etag_at(self, url: str) -> str:
        """The tag if it is of this address: redirects may lead elsewhere another time, to the same tag."""
        return self.etag if self.url == url else ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def fetch(
    url: str,
    since_s: float = 0.0,
    etag: str = "",
    *,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = TIMEOUT_S,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> Page | None:
    """The page at an `address`; None when the server says that it is the one called `etag`, or of `since_s`.

    `max_bytes`: of the page, packed and unpacked. Raises LoadError, with one line, for everything else.
    """
    import httpx

    until = time.monotonic() + timeout_s
    try:
        with _client(min(timeout_s, read_timeout_s)) as client, _ended_after(timeout_s) as trace:
            found = _follow(client, url, _unless(since_s, etag), max_bytes, trace)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        late = isinstance(error, httpx.TimeoutException) or time.monotonic() >= until
        reason = "timed out: the server is too slow" if late else _reason(error)
        raise LoadError(reason) from error
    if time.monotonic() >= until:  # a page that ends with its connection looks whole
        raise LoadError("timed out: the server is too slow")
    return found


def read(page: Page) -> Source:
    """The source of a page. Raises LoadError for one that nobody can read, and one that says nothing."""
    if not page.data:
        raise LoadError("an empty page")
    kind = sniff(page.data, page.kind)
    if not kind or kind not in LOADERS:
        kind = text_kind(page.data)
    if not kind:
        raise LoadError(unsupported(page.kind) if page.kind else "a binary file, not text")
    data = page.data
    if page.charset and kind not in _OWN_ENCODING and not data.startswith(b"PK\x03\x04"):
        from retrieval.load.text import decode_declared

        data = decode_declared(data, page.charset)[0].encode("utf-8", "replace")
    try:
        source = read_as(kind, data, Path(page.name))
    except LoadError as error:
        raise LoadError(_says_nothing(kind, data, "") or str(error)) from error
    if why := _says_nothing(kind, data, source.text):
        raise LoadError(why)
    return source


def _says_nothing(kind: str, data: bytes, text: str) -> str:
    """Why a page has no text of its own; "" for one that has, and for what is no page of HTML."""
    if kind not in (".html", ".htm", ".xhtml") or len(text) >= LITTLE or not text_kind(data):
        return ""
    if _PASSWORD.search(data):
        return f"it asks for a login: {SAVE_IT}"
    if not text:
        return f"no text in it, as where scripts or frames make a page: {SAVE_IT}"
    return f"scripts write its text: {SAVE_IT}" if _SCRIPTED.search(text) else ""


def noted(source: Source, page: Page, url: str) -> Source:
    """A source that says where its page was found, if that is elsewhere than at `url`."""
    return source if page.url == url else replace(source, notes=(*source.notes, f"redirected to {page.url}"))


def _client(read_timeout_s: float) -> httpx.Client:
    from http.cookiejar import CookieJar, DefaultCookiePolicy
    from importlib.metadata import PackageNotFoundError, version

    import httpx

    name = "toulmin"
    with suppress(PackageNotFoundError):
        name = f"toulmin/{version('toulmin')}"
    try:
        return httpx.Client(
            headers={"User-Agent": name, "Accept": "text/html, */*;q=0.8", "Accept-Encoding": "gzip"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=read_timeout_s,
            verify=_trusted(),
        )
    except (ImportError, ValueError) as error:
        raise LoadError(f"the proxy that the environment names cannot be used ({error})") from error


@cache
def _trusted() -> ssl.SSLContext:
    import httpx

    try:
        context = httpx.create_ssl_context()
        context.load_default_certs()  # those of the system as well: a company may have its own
    except OSError as error:
        raise LoadError(f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names: {error}") from error
    return context


@contextmanager
def _ended_after(timeout_s: float) -> Iterator[Any]:
    """A trace for requests whose connections are cut when the time is over, whatever they wait for."""
    sockets: list[socket.socket] = []
    over = threading.Event()

    def trace(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            sockets.append(info["return_value"].get_extra_info("socket"))
            if over.is_set():
                cut()

    def cut() -> None:
        over.set()
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield trace
    finally:
        timer.cancel()


def _unless(since_s: float, etag: str) -> dict[str, str]:
    """The headers that ask for a page only if it is another one; a server that knows tags goes by the tag."""
    from email.utils import formatdate

    since = {"If-Modified-Since": formatdate(since_s, usegmt=True)} if since_s else {}
    return since | ({"If-None-Match": etag} if etag else {})


def _follow(
    client: httpx.Client, url: str, headers: dict[str, str], max_bytes: int, trace: Any
) -> Page | None:
    """The page at the end of the redirects."""
    for _ in range(MAX_REDIRECTS + 1):
        with client.stream("GET", url, headers=headers, extensions={"trace": trace}) as response:
            if response.has_redirect_location:
                url = _redirected(url, response)
            elif response.status_code == 304 and headers:
                return None
            else:
                return _page(url, response, max_bytes)
    raise LoadError(f"more than {MAX_REDIRECTS} redirects: they go in a circle, or the page wants cookies")


def _redirected(url: str, response: httpx.Response) -> str:
    target = str(response.url.join(response.headers["location"]))
    try:
        following = address(target)
    except LoadError as error:
        raise LoadError(f"redirected to {masked(target)[:200]}: {error}") from error
    if url.startswith("https:") and not following.startswith("https:"):
        raise LoadError(f"redirected from https to {following}, which is not secure: add that if you mean it")
    return following


def _page(url: str, response: httpx.Response, max_bytes: int) -> Page:
    """What a server sent, if it is a page of a kind that can be read."""
    from email.message import Message

    if not 200 <= response.status_code < 300:
        raise LoadError(_status(response.status_code))
    told = Message()
    for header in ("Content-Type", "Content-Disposition"):
        told[header] = response.headers.get(header, "")
    kind_told = told.get_content_type() if "/" in told["Content-Type"] else ""
    name = _name(url, told.get_filename())
    kind = _kind(kind_told, suffix_of(Path(name)))
    if int(response.headers.get("Content-Length") or 0) > max_bytes:
        raise LoadError(_too_large(max_bytes))
    data = _unpacked(_body(response, max_bytes), response.headers.get("Content-Encoding", ""), max_bytes)
    modified_s = _seconds(response.headers.get("Last-Modified", ""))
    name = name if suffix_of(Path(name)) == kind else name + kind
    etag = response.headers.get("ETag", "")
    etag = etag if _TAG.fullmatch(etag) else ""
    return Page(url, name, kind, told.get_content_charset(), modified_s, data, etag)


def _name(url: str, filename: str | None) -> str:
    """What the file would be called: as the server says, else by the end of its address."""
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    last = unquote(parts.path.rstrip("/").rpartition("/")[2])
    name = re.split(r"[/\\]", filename or last)[-1]
    return "".join(letter for letter in name if letter.isprintable()) or parts.netloc


def _kind(told: str, suffix: str) -> str:
    """The suffix to read a page by. Raises LoadError for a type that nobody reads."""
    if told in _TYPES:
        return suffix if (_TYPES[told], suffix) == (".json", ".ipynb") else _TYPES[told]
    if suffix and suffix in LOADERS:
        return suffix
    if told.startswith("text/") and told != "text/xml":
        return ".txt"
    if told.endswith("+json"):
        return ".json"
    if told in _UNTOLD:
        return suffix
    raise LoadError(unsupported(told))


def _body(response: httpx.Response, max_bytes: int) -> bytes:
    parts = bytearray()
    for part in response.iter_raw():
        parts += part
        if len(parts) > max_bytes:
            raise LoadError(_too_large(max_bytes))
    return bytes(parts)


def _unpacked(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """The content of a body. httpx would unpack a small one into any number of bytes."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity") or not data:
        return data
    if encoding not in ("gzip", "x-gzip"):
        raise LoadError(f"packed as {encoding[:40]!r}, where only gzip was asked for")
    unpack = zlib.decompressobj(wbits=31)
    try:
        content = unpack.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise LoadError("damaged: it cannot be unpacked") from error
    if len(content) > max_bytes:
        raise LoadError(_too_large(max_bytes))
    if not unpack.eof or unpack.unused_data:
        raise LoadError("cut off or damaged: it cannot be unpacked")
    return content


def _too_large(max_bytes: int) -> str:
    return f"too large: more than {max_bytes / 1e6:.1f} MB"


def _seconds(date: str) -> float:
    """An HTTP date in seconds, at most now; 0 for none."""
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, min(parsedate_to_datetime(date).timestamp(), time.time()))
    except (ValueError, OverflowError, OSError):
        return 0.0


def _status(code: int) -> str:
    from http import HTTPStatus

    phrase = HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else "an unknown status"
    hint = "the server has trouble: try again later" if code >= 500 else _HINTS.get(code, "")
    return f"the server answers {code} {phrase}" + (f": {hint}" if hint else "")


def _reason(error: BaseException) -> str:
    """One line for what went wrong on the way, by the error at its bottom."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message.rstrip('.')})"
        if isinstance(cause, ssl.SSLError):
            said = (cause.reason or "unknown").replace("_", " ").lower()
            return f"no secure connection ({said}): perhaps the address begins with http://"
        if isinstance(cause, socket.gaierror | UnicodeError):
            return "no such host: it is misspelt, or there is no network"
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused: no server answers there"
        if isinstance(cause, OSError) and cause.strerror:
            return f"cannot be reached ({cause.strerror})"
    said = " ".join(str(error).split())[:120]
    return f"could not be fetched ({type(error).__name__}: {said})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
