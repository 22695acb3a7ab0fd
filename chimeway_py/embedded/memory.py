"""What must be the same after a restart: ports and passwords, in one file that only its owner can read."""

import json
import os
import random
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"
OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST, MOST_TRIES = 20_000, 50


class Memory:
    """A JSON object in a file of mode 0600. Every change is on disk before the call returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: dict[str, Any] = {}
        self.reload()

    def reload(self) -> None:
        """Read the file again: another process may have written to it."""
        self._kept = json.loads(self.path.read_text()) if self.path.exists() else {}

    def recall(self, name: str, make: Callable[[], Any]) -> Any:
        """The kept value, or what `make` returns, kept from now on."""
        if name not in self._kept:
            self.keep(name, make())
        return self._kept[name]

    def keep(self, name: str, value: Any) -> None:
        """Remember `value` under `name`."""
        self._kept[name] = value
        draft = self.path.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self._kept, file)
        draft.replace(self.path)

    def password(self, name: str) -> str:
        """A random secret that needs no escaping in a URL."""
        return str(self.recall(f"password:{name}", lambda: secrets.token_urlsafe(24)))

    def port(self, name: str, wanted: int | None = None) -> int:
        """A loopback port, the same as last time unless somebody else has taken it."""
        port = int(wanted or self.recall(f"port:{name}", free_port))
        if not is_free(port):
            port = free_port()
        self.keep(f"port:{name}", port)
        return port


def free_port() -> int:
    """A loopback port that nobody listens on now, and that no connection going out is given as its own meanwhile.

    A port that is kept for a server to come would be lost to one of the thousands of connections of a busy machine.
    """
    ports = range(LOWEST, _lowest_outgoing())
    for _ in range(MOST_TRIES if ports else 0):
        port = random.choice(ports)  # noqa: S311  nobody has to guess it
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _lowest_outgoing() -> int:
    try:
        return int(OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):  # no Linux
        return LOWEST


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def listen(port: int = 0) -> socket.socket:
    """A socket that listens on this loopback port (0: a free one). Raises OSError when the port is taken.

    Handed to a server, it keeps the port ours while the server is started again, and callers wait instead of failing.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    listener.listen(128)
    return listener


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
