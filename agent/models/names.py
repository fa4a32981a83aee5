"""What chat models on servers are called, and which of those servers are this machine.

Pure functions of names: nothing is asked and nothing is resolved, so a host that merely points here counts as
elsewhere.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path

from agent.errors import ModelError

SERVER = "openai:"
FORM = "openai:NAME@http://HOST:PORT/v1"
# No user, query or fragment: the name is shown and recorded, and a key has its own place.
_URL = re.compile(
    r"(?P<base>https?://(?P<host>\[[0-9a-f:.]+\]|[^\s/@\\?#,:\[\]]+)(?::(?P<port>\d{1,5}))?(?:/[^\s@\\?#,]*)?)",
    re.IGNORECASE,
)
_LOOPBACK = ip_network("127.0.0.0/8")


def is_server(name: str) -> bool:
    """Whether a name means a chat model on a server."""
    return name.startswith(SERVER)


def server_of(name: str) -> tuple[str, str]:
    """The model and the address in "openai:MODEL@ADDRESS". Raises `ModelError` for another form."""
    model, _, url = name.removeprefix(SERVER).rpartition("@")
    match = _URL.fullmatch(url)
    if not is_server(name) or not model.strip() or "," in model or not match:
        raise ModelError(f"a chat model on a server is called {FORM}, without a user, ? or #")
    if int(match["port"] or 0) > 65_535:
        raise ModelError(f"{url} has a port above 65535: a chat model on a server is called {FORM}")
    return model.strip(), url.rstrip("/")


def is_here(url: str) -> bool:
    """Whether an address that `server_of` took is of this machine: 127.0.0.0/8, ::1 or localhost."""
    match = _URL.fullmatch(url)
    host = match["host"].strip("[]").lower() if match else ""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address == IPv6Address("::1") or address in _LOOPBACK


def check_allowed(url: str, *, allow_remote: bool) -> None:
    """Raises `ModelError` for a server elsewhere, unless private text may leave this machine."""
    if not (allow_remote or is_here(url)):
        raise ModelError(
            f"{url} is not this machine: questions and passages of your files would be sent there; "
            "--allow-remote or AGENT_ALLOW_REMOTE=1 allows it"
        )


def shown_name(name: str) -> str:
    """A chat model's name, as short as it can be told: of a file or a server without the place."""
    return name.removeprefix(SERVER).rpartition("@")[0] if is_server(name) else Path(name).name
