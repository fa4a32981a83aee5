"""Pages: what becomes of an address, fetched from a real server on this machine, and of its document."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.console import Console

from agent import Agent, Settings
from agent.answer import file_change
from agent.cli.library import add_paths
from agent.cli.render import place
from agent.errors import InputError
from agent.filters import read_options
from retrieval.addresses import address, is_address, is_page, masked, page_name
from retrieval.library import Library
from retrieval.load import LoadError, Source
from retrieval.web import MAX_REDIRECTS, Page, fetch, read
from tests.conftest import ask_in, assert_cited
from tests.office_files import samples
from tests.test_load import make_pdf

RENT = "<title>Lease</title><main><h1>Rent</h1><p>The rent of the mill is 940 euros a month.</p></main>"
LEASE = "<meta charset=utf-8><h1>租约</h1><p>磨坊的租金是每月940欧元，由何佳收取。</p>"
ROOT = Path(__file__).parent.parent


@dataclass
class Server:
    """A server on this machine: what it answers to a path, and what it was asked."""

    url: str
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def put(
        self, path: str, body: str | bytes, kind: str = "text/html", status: int = 200, **told: str
    ) -> str:
        """Answer a path with a body; its address. `told`: headers, with _ for -."""
        data = body.encode() if isinstance(body, str) else body

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            headers = {"Content-Type": kind, "Content-Length": str(len(data))}
            for name, value in {**headers, **{n.replace("_", "-"): v for n, v in told.items()}}.items():
                if value:
                    handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(data)

        self.answers[path] = answer
        return self.url + path

    def redirect(self, path: str, target: str) -> str:
        return self.put(path, "", status=302, Location=target)

    def raw(self, path: str, first: bytes, then: bytes = b"") -> str:
        """Answer with these bytes, then with one of the others again and again, until the test is over."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(first)
            while not self.ended.wait(0.05):
                if then:
                    handler.wfile.write(then)

        self.answers[path] = answer
        return self.url + path


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, dict(self.headers.items())))
            made.answers.get(unquote(self.path), lambda h: h.send_error(404))(self)

        def log_message(self, *_: Any) -> None:
            pass

    http = _Http(("127.0.0.1", 0), Handler)
    made = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.ended.set()
    http.shutdown()
    http.server_close()
    thread.join()


def source_at(url: str) -> Source:
    page = fetch(url)
    assert page is not None
    return read(page)


def reason(url: str, **limits: float) -> str:
    """Why a page cannot be fetched, or not read: one line."""
    with pytest.raises(LoadError) as caught:
        read(fetch(url, **limits))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- addresses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (" HTTPS://Example.ORG:443/a/../b#part ", "https://example.org/b"),
        ("http://example.org", "http://example.org/"),
        ("http://example.org:8080/?q=a b&x=%7e", "http://example.org:8080/?q=a%20b&x=%7E"),
        ("https://zh.example.org/wiki/%e5%9b%be%E5%B0%94", "https://zh.example.org/wiki/图尔"),
        ("https://zh.example.org/wiki/图尔?词=租", "https://zh.example.org/wiki/图尔?词=租"),
        ("https://xn--fsqu00a.example/", "https://例子.example/"),
        ("http://example.org/%d6%D0/%2f", "http://example.org/%D6%D0/%2F"),  # GBK, and no slash of the path
        ("http://example.org/%E2%80%AEx", "http://example.org/%E2%80%AEx"),  # would turn the line round
        ("http://[::1]:80/x", "http://[::1]/x"),
    ],
)
def test_the_name_of_a_page(given: str, named: str) -> None:
    assert is_address(given)
    assert address(given) == named == address(named)
    assert is_page(named)


@given(st.text(max_size=30))
@hypothesis_settings(max_examples=40, deadline=None)
def test_a_name_is_the_name_of_itself(tail: str) -> None:
    """And it asks for the same, whatever stands in the address."""
    import httpx

    name = page_name(f"http://example.org/{tail}")
    if name:
        assert page_name(name) == name
        asked = httpx.URL(f"http://example.org/{tail}".strip()).raw_path
        assert httpx.URL(name).raw_path.upper() == asked.upper()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("ftp://example.org/a", "only http and https addresses can be added, not ftp"),
        ("file:///etc/hosts", "give the path itself"),
        ("javascript:alert(1)", "not javascript"),
        ("https://anna:secret@example.org/", "name or password"),
        ("http://", "not a valid address"),
        ("https:/example.org/x", "not a valid address"),
        ("http://a b/", "not a valid address"),
        ("http://h:99999/", "not a valid address"),
        ("http://h/\ud800", "not a valid address"),
    ],
)
def test_what_is_no_address_of_a_page(given: str, why: str, hashed: Library) -> None:
    assert is_address(given)
    report = hashed.add([given])
    assert why in report.failed[0]["reason"]
    assert "secret" not in str(report) and not hashed.store.failures()


@pytest.mark.parametrize("path", ["notes.md", "C:\\notes", "c://x", "a:b", "租约.txt", "./http://x"])
def test_a_path_is_no_address(path: str) -> None:
    assert not is_address(path)


# --- fetching and reading -------------------------------------------------------------------------------


def test_html_in_the_encoding_of_the_header(server: Server) -> None:
    body = "<meta charset=big5><title>租约</title><p>磨坊的租金是每月940欧元。</p>".encode("gbk")
    source = source_at(server.put("/a", body, "text/html; charset=GBK"))
    assert (source.title, source.text, source.format) == ("租约", "磨坊的租金是每月940欧元。", "html")


@pytest.mark.parametrize(
    ("path", "kind", "body", "format_", "text"),
    [
        ("/paper", "application/pdf", make_pdf(["The rent is 940."]), "pdf", "The rent is 940."),
        ("/login.php", "text/html", make_pdf(["The rent is 940."]), "pdf", "The rent is 940."),
        ("/lease.md", "text/plain; charset=utf-8", "# 租约\n\n九百四十。", "markdown", "九百四十"),
        ("/lease", "text/plain", "The rent is 940.", "text", "The rent is 940."),
        ("/api.php", "application/json", '{"rent": 940}', "json", "rent: 940"),
        ("/lease.docx", "application/octet-stream", samples()["docx"], "docx", ""),
        ("/get?id=3", "application/zip", samples()["docx"], "docx", ""),
        ("/download.aspx", "application/octet-stream", RENT, "text", "940 euros"),
        ("/x", "", "<!doctype html>" + LEASE, "html", "每月940欧元"),
        ("/table", "text/csv", "item,rent\nmill,940\n", "csv", "940"),
        ("/main.py", "text/plain", "def rent():\n    return 940\n", "code", "940"),
        ("/x.pdf", "text/html", RENT, "html", "940 euros"),
    ],
)  # fmt: skip
def test_a_page_is_read_by_what_it_is(
    server: Server, path: str, kind: str, body: str | bytes, format_: str, text: str
) -> None:
    source = source_at(server.put(path, body, kind))
    assert source.format == format_ and text in source.text


def test_the_name_that_the_server_gives(server: Server) -> None:
    told = {"Content_Disposition": "attachment; filename*=UTF-8''%E7%A7%9F%E7%BA%A6.csv"}
    source = source_at(server.put("/get", "item,rent\nmill,940\n", "application/octet-stream", **told))
    assert (source.format, source.title) == ("csv", "租约")


def test_one_page_is_one_request_that_says_who_asks(server: Server) -> None:
    server.put(
        "/b", "<img src=/i><iframe src=/f></iframe><meta http-equiv=refresh content='0;url=/r'>" + RENT
    )
    server.put("/a", "", status=302, Location="/b", Set_Cookie="id=1; Path=/")
    page = fetch(server.url + "/a")
    assert page is not None and page.url == server.url + "/b"
    assert [path for path, _ in server.asked] == ["/a", "/b"]
    for _, headers in server.asked:
        assert headers["User-Agent"].startswith("toulmin")
        assert set(headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "401 Unauthorized: it asks for a login"),
        (403, "403 Forbidden: it asks for a login"),
        (404, "404 Not Found: there is no such page"),
        (503, "503 Service Unavailable: the server has trouble"),
        (300, "300 Multiple Choices"),
        (799, "799 an unknown status"),
    ],
)
def test_a_status_is_told(server: Server, status: int, said: str) -> None:
    assert said in reason(server.put("/x", RENT, status=status))


def test_redirects_that_are_not_followed(server: Server) -> None:
    assert f"more than {MAX_REDIRECTS} redirects" in reason(server.redirect("/round", "/round"))
    assert len(server.asked) == MAX_REDIRECTS + 1
    assert "not ftp" in reason(server.redirect("/ftp", "ftp://127.0.0.1/x"))
    assert "not file" in reason(server.redirect("/file", "file:///etc/hosts"))
    said = reason(server.redirect("/named", "http://anna:secret@127.0.0.1/"))
    assert "password" in said and "secret" not in said


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("", "text/html", "an empty page"),
        ("<title>x</title>", "text/html", "no text in it, as where scripts or frames make a page: save it"),
        (
            "<div id=app></div><noscript>You need to enable JavaScript to run this app.</noscript>",
            "text/html",
            "scripts",
        ),
        ("<noscript>请启用 JavaScript 后再访问。</noscript>", "text/html", "scripts write its text"),
        ("<form><p>Sign in</p><input name=p type='password'></form>", "text/html", "it asks for a login"),
        ("<form><p>请登录</p><input type=password></form>", "text/html", "it asks for a login"),
        (b"\x7fELF" + b"\0" * 99, "text/html", "a binary file, not text"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 99, "application/msword", "open it and save it as .docx"),
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png", "not a supported format: image/png"),
        (b"\x7fELF" + b"\0" * 99, "application/octet-stream", "a binary file, not text"),
        (b"PK\3\4" + b"\0" * 99, "application/zip", "an archive (.zip): unpack it first"),
        ("<rss></rss>", "application/rss+xml", "not a supported format"),
    ],
)
def test_a_page_that_says_nothing_is_refused(server: Server, body: str | bytes, kind: str, said: str) -> None:
    assert said in reason(server.put("/x", body, kind))


def test_a_page_is_bounded(server: Server) -> None:
    said = "too large: more than 0.1 MB"
    assert reason(server.put("/told", b"x" * 200_000, "text/plain"), max_bytes=100_000) == said
    endless = server.raw("/endless", b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"x" * 60_000)
    assert reason(endless, max_bytes=100_000) == said
    bomb = server.put("/bomb", gzip.compress(b"x" * 20_000_000), "text/plain", Content_Encoding="gzip")
    assert reason(bomb, max_bytes=100_000) == said


def test_what_is_packed(server: Server) -> None:
    packed = gzip.compress(RENT.encode())
    assert "940" in source_at(server.put("/a", packed, Content_Encoding="gzip")).text
    assert "cut off" in reason(server.put("/b", packed[:-9], Content_Encoding="gzip"))
    assert "damaged" in reason(server.put("/c", RENT, Content_Encoding="gzip"))
    assert "only gzip was asked for" in reason(server.put("/d", packed, Content_Encoding="br"))


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"HTTP/1.0 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
    ],
    ids=["says nothing", "slow head", "slow page", "slow page of a known size"],
)
def test_a_slow_server_is_left(server: Server, first: bytes, then: bytes) -> None:
    url = server.raw("/slow", first, then)
    assert reason(url, timeout_s=0.3) == "timed out: the server is too slow"
    if not then:
        assert reason(url, read_timeout_s=0.1) == "timed out: the server is too slow"


def test_servers_that_cannot_be_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no secure connection" in reason(server.url.replace("http:", "https:"))
    assert "could not be fetched" in reason(server.raw("/x", b"SSH-2.0\r\n\r\n"))
    closed = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    closed.server_close()
    assert "connection refused" in reason(f"http://127.0.0.1:{closed.server_port}/")
    assert "no such host" in reason("http://" + "x" * 70 + ".invalid/")
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    assert "the proxy that the environment names cannot be used" in reason(server.url)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes the certificate")
def test_a_certificate_that_nobody_signed(server: Server, tmp_path: Path) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        [*made, "-subj", "/CN=x", "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    http = _Http(("127.0.0.1", 0), BaseHTTPRequestHandler)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        assert "certificate is not trusted (self-signed" in reason(f"https://127.0.0.1:{http.server_port}/")
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def test_from_https_to_http() -> None:
    import httpx

    from retrieval.web import _redirected

    request = httpx.Request("GET", "https://example.org/a")
    response = httpx.Response(302, headers={"Location": "http://example.org/b"}, request=request)
    with pytest.raises(LoadError, match=r"from https to http://example\.org/b"):
        _redirected("https://example.org/a", response)


# --- in the library -------------------------------------------------------------------------------------


def test_a_page_is_a_document(server: Server, hashed: Library, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("The dues are 120 euros.", encoding="utf-8")
    page, gone = server.put("/lease", RENT), server.url + "/gone"
    report = hashed.add([tmp_path / "note.txt", page + "#rent", gone, page])
    assert [Path(one["path"]).name for one in report.indexed] == ["note.txt", "lease"]
    assert [one["path"] for one in report.failed] == [gone] and dict(hashed.store.failures()).keys() == {gone}
    assert [one.path for one in hashed.documents()] == [str(tmp_path / "note.txt"), page]
    passage = hashed.search("rent mill")[0]
    assert (passage.chunk.path, passage.chunk.heading) == (page, "Rent")
    for place_ in (page, server.url, "127.0.0.1*"):
        where = read_options((), "", "", (), (), [place_], "")
        assert {one.chunk.path for one in hashed.search("euros", where=where)} == {page}
    assert hashed.remove([page + "#rent", gone]) == [page, gone]
    assert not hashed.store.failures() and len(hashed.documents()) == 1


@pytest.mark.parametrize(
    ("body", "question", "said"),
    [(RENT, "What is the rent of the mill?", "940 euros"), (LEASE, "磨坊的租金是多少？", "每月940欧元")],
)
def test_a_page_is_cited(server: Server, hashed: Library, body: str, question: str, said: str) -> None:
    page = server.put("/租约?版=2", body, Last_Modified="Sun, 02 Mar 2025 10:00:00 GMT")
    hashed.add([page])
    answer = ask_in(hashed, question)
    assert_cited(hashed, answer)
    assert said in answer.text
    citation = answer.to_json()["claims"][0]["citations"][0]
    assert (citation["path"], citation["line"], citation["changed"]) == (page, 1, "")
    shown = Console(file=StringIO())
    assert place(page, 7, None, shown).plain == f"{page} line 7"
    assert hashed.documents()[0].modified_s == 1_740_909_600.0


def test_a_page_is_fetched_again(server: Server, hashed: Library) -> None:
    page = server.put("/a", RENT)
    assert hashed.add([page]).embedded == 1
    assert hashed.add([page]).unchanged == [{"path": page, "reason": ""}]
    server.put("/a", RENT.replace("<main>", "<!-- another day --><main>"))
    assert hashed.add([page]).unchanged
    server.put("/a", RENT.replace("940", "960"), Last_Modified="Sun, 02 Mar 2025 10:00:00 GMT")
    assert hashed.add([page]).indexed and "960" in hashed.search("rent")[0].chunk.text
    server.put("/a", "", status=304)
    assert hashed.add([page]).unchanged
    assert server.asked[-1][1]["If-Modified-Since"] == "Sun, 02 Mar 2025 10:00:00 GMT"
    server.put("/a", RENT)
    report = hashed.add([page])
    assert report.indexed and (report.embedded, report.reused) == (1, 0)
    server.put("/a", "", status=500)
    assert hashed.add([page]).failed and len(hashed.documents()) == 1


def test_a_page_is_known_by_its_tag(server: Server, hashed: Library) -> None:
    page = server.put("/a", RENT, ETag='"v1"')
    hashed.add([page])
    server.put("/a", "", status=304)
    assert hashed.add([page]).unchanged and server.asked[-1][1]["If-None-Match"] == '"v1"'
    server.put("/a", RENT, ETag='W/"v2"')  # called otherwise, and the same
    assert hashed.add([page]).unchanged
    server.put("/a", RENT.replace("940", "960"), ETag="not a tag")
    assert hashed.add([page]).indexed and server.asked[-1][1]["If-None-Match"] == 'W/"v2"'
    hashed.add([page])
    assert "If-None-Match" not in server.asked[-1][1]
    short = server.redirect("/short", "/租约")
    server.put("/租约", LEASE, ETag='"v1"')
    hashed.add([short])
    hashed.add([short])  # the tag is of where it leads now
    assert "If-None-Match" not in server.asked[-1][1]


def test_what_of_a_page_stayed_keeps_its_vectors(server: Server, hashed: Library) -> None:
    parts = [f"<h2>Part {n}</h2><p>{f'Clause {n} of the lease. ' * 30}</p>" for n in range(6)]
    page = server.put("/a", "<title>Lease</title>" + "".join(parts))
    hashed.add([page])
    server.put("/a", "<title>Lease</title>" + "".join([*parts, "<h2>Rent</h2><p>The rent is 940.</p>"]))
    report = hashed.add([page])
    assert report.reused >= 6 and report.embedded <= 2


def test_a_page_is_named_as_it_was_given(server: Server, hashed: Library) -> None:
    server.put("/租约", LEASE)
    given = server.redirect("/short", "/%E7%A7%9F%E7%BA%A6")
    report = hashed.add([given])
    assert report.indexed == [{"path": given, "reason": f"redirected to {server.url}/租约"}]
    assert (
        hashed.add([server.url + "/%e7%a7%9f%e7%ba%a6", server.url + "/租约"])
        .indexed[0]["path"]
        .endswith("租约")
    )
    assert [one.path for one in hashed.documents()] == [given, server.url + "/租约"]


def test_no_page_is_gone_or_moved(server: Server, hashed: Library, tmp_path: Path) -> None:
    page = server.put(
        "/a.txt", "The rent is 940 euros.", "text/plain", Last_Modified="Sun, 02 Mar 2025 10:00:00 GMT"
    )
    hashed.add([page])
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_bytes(b"The rent is 940 euros.")
    report = hashed.add([tmp_path / "d", tmp_path], prune=True)
    assert not report.moved and not report.pruned and not report.missing
    assert hashed.store.document_hash(page)
    known = hashed.store.document_id(page)
    assert known and file_change(hashed, known) == ""


# --- the agent and the command line ---------------------------------------------------------------------


def test_pages_on_the_command_line(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENT_HOME", str(settings.home))
    page, gone = server.put("/租约", LEASE), server.url + "/gone"
    assert add_paths([page, gone], as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["path"] for one in told["indexed"]] == [page]
    assert told["failed"] == [
        {"path": gone, "reason": "the server answers 404 Not Found: there is no such page"}
    ]
    assert add_paths([gone, "www.example.org"], as_json=False) == 1
    said = capsys.readouterr().err
    assert f"failed: {gone}: the server answers 404 Not Found" in said and "begins with https://" in said


def test_only_add_fetches(server: Server, tmp_path: Path) -> None:
    page = server.put("/a", RENT)
    with Agent(Settings(home=tmp_path / "home")) as agent:
        with pytest.raises(InputError, match=f"`agent add {page}`"):
            agent.ask("What is the rent?", docs=[page])
        with pytest.raises(InputError, match=f"`agent add {page}`"):
            agent.ask("What is the rent?", docs=[Path(page)])
        with pytest.raises(InputError, match="only files are watched"):
            next(agent.watch(tmp_path, page))
    assert not server.asked
    assert masked("https:/anna:secret@example.org") == "https://...@example.org"


def test_httpx_is_imported_by_few_and_late() -> None:
    """No question waits for it, and nobody else fetches."""
    late, itself_late = set(), ("server.py", "waiting.py")
    for package in ("agent", "retrieval", "tools", "evals"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            early = re.compile(
                r"^(?:import httpx|from (?:httpx|retrieval\.web|agent\.models\.server) )", re.M
            )
            assert file.name in itself_late or not early.search(text), file
            late |= {file.name} if "import httpx" in text else set()
    assert late == {"web.py", "addresses.py", *itself_late}


def test_a_read_page_is_plain() -> None:
    page = Page("http://x/", "x.md", ".md", "utf-8", 0.0, b"# A\n\ntext")
    assert read(page).title == "A" and "text" not in repr(page)
