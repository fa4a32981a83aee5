"""Lets a request over HTTP be stopped while it waits for the server's next byte.

A read of httpx waits for as long as its timeout says, and only a signal in the same thread ends it. The
backend here waits in short steps and asks between them. It knows no chat model; connecting is not stopped.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore
import httpx

STEP_S = 0.1


class Patience(float):
    """Seconds to wait for a byte, with what is asked meanwhile: what `check` raises ends the request.

    It stands where a timeout of httpx does, for reading.
    """

    check: Callable[[], None]

    def __new__(cls, seconds: float, check: Callable[[], None]) -> Patience:
        made = super().__new__(cls, seconds)
        made.check = check
        return made


class StoppableTransport(httpx.HTTPTransport):
    """One that heeds `Patience`. Each request has a connection of its own: idle ones get closed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(limits=httpx.Limits(max_keepalive_connections=0), **options)
        pool: Any = self._pool  # httpx has no way of its own to name a backend
        pool._network_backend = _Backend(pool._network_backend)


class _Backend(httpcore.NetworkBackend):
    """Another backend, with streams of this module."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """Another stream, read in steps."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not isinstance(timeout, Patience):
            return self._inner.read(max_bytes, timeout)
        until = time.monotonic() + timeout
        while True:
            timeout.check()
            left = until - time.monotonic()
            try:
                return self._inner.read(max_bytes, max(min(STEP_S, left), 0.001))
            except httpcore.ReadTimeout:
                if left <= STEP_S:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
