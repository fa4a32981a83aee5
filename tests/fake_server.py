"""An OpenAI-compatible server on loopback, as much of one as a chat needs. No tests are here."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = str | dict[str, Any] | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Served:
    """What the server says next, and what it was asked."""

    replies: list[Reply] = field(default_factory=list)
    """Text; a dict, said as JSON; or what answers the request by itself."""
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The body of every request."""
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    counts: bool = True
    """Whether it tells of the tokens."""
    models: list[str] = field(default_factory=list)
    """What it says it has; it does not tell where that is empty."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a silent reply was not waited for."""


def give(status: int, body: Any, kind: str = "application/json", **headers: str) -> Reply:
    """A whole response."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return send


def failing(status: int, message: str, **more: Any) -> Reply:
    return give(status, {"error": {"message": message, **more}})


def event(delta: dict[str, Any], finish: str | None = None) -> str:
    return f"data: {json.dumps({'choices': [{'delta': delta, 'finish_reason': finish}]}, ensure_ascii=False)}\n\n"


def streamed(*events: str, wait_s: float = 0.0) -> Reply:
    """A stream of these events and nothing more."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        for one in events:
            handler.wfile.write(one.encode())
            handler.wfile.flush()
            time.sleep(wait_s)

    return send


def silent(served: Served, wait_s: float = 30.0, *, at_work: str = "") -> Reply:
    """Says nothing for so long; with `at_work` it begins a stream and says that now and then."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        if at_work:
            streamed()(handler)  # type: ignore[operator]
        until = time.monotonic() + wait_s
        while time.monotonic() < until:
            if select.select([handler.connection], [], [], 0.05)[0]:
                served.left.set()  # nothing more is asked, so the connection is closed
                return
            if at_work:
                handler.wfile.write(at_work.encode())

    return send


def said(text: str, *, counts: bool = True, finish: str = "stop") -> Reply:
    """A good stream, in pieces that cut words, with what servers put between."""
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    usage = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
    return streamed(
        event({"role": "assistant", "content": ""}),
        ": still at work\n\n",
        *(event({"content": piece}) for piece in pieces),
        event({}, finish),
        *([f"data: {json.dumps(usage)}\n\n"] if counts else []),
        "data: [DONE]\n\n",
    )


@contextmanager
def serving(*replies: Reply, counts: bool = True) -> Iterator[Served]:
    """A server that gives its replies in order, one for each request."""
    served = Served(list(replies), counts=counts)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            rows = [{"id": name} for name in served.models]
            (give(200, {"data": rows}) if rows else failing(404, "no"))(self)  # type: ignore[operator]

        def do_POST(self) -> None:
            served.paths.append(self.path)
            served.headers.append({name.lower(): value for name, value in self.headers.items()})
            served.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if not served.replies:
                failing(500, "the script has no reply left")(self)  # type: ignore[operator]
                return
            reply = served.replies.pop(0)
            if isinstance(reply, dict):
                reply = json.dumps(reply, ensure_ascii=False)
            if isinstance(reply, str):
                reply = said(reply, counts=served.counts)
            reply(self)  # type: ignore[operator]

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


def shown(asked: Sequence[dict[str, Any]]) -> str:
    """Everything that was sent."""
    return json.dumps(asked, ensure_ascii=False)
