"""A Hugging Face hub on loopback: the few addresses that huggingface_hub asks for a model file. No tests are here."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the hub has, and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    """Contents by OWNER/NAME/FILE."""
    gated: set[str] = field(default_factory=set)
    sent_bytes: int = 1 << 60
    """A response is cut after so many bytes of a file."""
    names_sha256: bool = True
    lies: bool = False
    """The hash that it names is another file's."""
    asked: list[str] = field(default_factory=list)
    """Method, path and range of every request."""
    tokens: list[str] = field(default_factory=list)
    """What each request was authorised with."""
    elsewhere: bool = False
    """Files lie on another host, to which requests are sent on."""
    held: threading.Event = field(default_factory=threading.Event)
    """Responses are cut and stay open until it is set."""
    holds: bool = False
    url: str = ""

    def etag(self, content: bytes) -> str:
        told = content + b"?" if self.lies else content
        return (hashlib.sha256 if self.names_sha256 else hashlib.sha1)(told).hexdigest()


@contextmanager
def running(**more: object) -> Iterator[Hub]:
    """A hub that serves until the end of the block."""
    hub = Hub(**more)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            path = unquote(self.path.partition("?")[0]).strip("/")
            hub.asked.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
            hub.tokens.append(self.headers.get("Authorization", ""))
            if path.startswith("cdn/"):
                self.give(hub.files[path.removeprefix("cdn/")], with_body=with_body)
                return
            if path.startswith("api/models/"):
                self.tell(path.removeprefix("api/models/"))
                return
            repository, _, rest = path.partition("/resolve/")
            _, _, name = rest.partition("/")
            if repository in hub.gated:
                self.refuse(401, "GatedRepo")
            elif not any(key.startswith(f"{repository}/") for key in hub.files):
                self.refuse(404, "RepoNotFound")
            elif f"{repository}/{name}" not in hub.files:
                self.refuse(404, "EntryNotFound")
            else:
                self.give(hub.files[f"{repository}/{name}"], with_body=with_body)

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def tell(self, repository: str) -> None:
            names = [
                key.removeprefix(f"{repository}/") for key in hub.files if key.startswith(f"{repository}/")
            ]
            if not names:
                self.refuse(404, "RepoNotFound")
                return
            listed = ", ".join(f'{{"rfilename": "{name}"}}' for name in names)
            body = f'{{"id": "{repository}", "sha": "{REVISION}", "siblings": [{listed}]}}'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def give(self, content: bytes, *, with_body: bool) -> None:
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            away = hub.elsewhere and "/resolve/" in self.path
            self.send_response(302 if away else 206 if start else 200)
            if away:
                key = next(name for name, kept in hub.files.items() if kept is content)
                self.send_header("Location", f"{hub.url.replace('127.0.0.1', 'localhost')}/cdn/{key}")
                start, with_body = len(content), False
            elif start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("X-Repo-Commit", REVISION)
            self.send_header("ETag", f'"{hub.etag(content)}"')
            self.send_header("X-Linked-Etag", f'"{hub.etag(content)}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.end_headers()
            if with_body:
                self.wfile.write(content[start : start + hub.sent_bytes])
                self.wfile.flush()
                if hub.holds:
                    hub.held.wait(60)
                self.close_connection = len(content) - start > hub.sent_bytes

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.held.set()
        server.shutdown()
        server.server_close()
