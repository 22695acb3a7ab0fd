"""The least of an HTTP client: connections that stay open and requests whose bytes were made before.

What is measured is the server; a client with comforts would take half of the machine.
"""

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from chimeway_py.embedded.memory import LOOPBACK

PATIENCE = 30.0
END_OF_HEADERS = b"\r\n\r\n"


def post(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {LOOPBACK}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + END_OF_HEADERS + body


class Wire:
    """One connection, opened again when the server closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket: socket.socket | None = None

    def status(self, request: bytes) -> int:
        """The status that the server answers with. A request met by a closed connection is sent once more."""
        try:
            return self._ask(request)
        except (ConnectionError, BrokenPipeError):  # closed between two requests: the server keeps none for ever
            self.close()
            return self._ask(request)

    def close(self) -> None:
        """Closing twice is harmless."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, request: bytes) -> int:
        if self._socket is None:
            self._socket = socket.create_connection((LOOPBACK, self.port), timeout=PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        answer = b""
        while END_OF_HEADERS not in answer:
            answer += self._more()
        head, _, body = answer.partition(END_OF_HEADERS)
        left = _length(head) - len(body)
        while left > 0:
            left -= len(self._more())
        if b"connection: close" in head.lower():
            self.close()
        return int(head.split(b" ", 2)[1])

    def _more(self) -> bytes:
        got = self._socket.recv(65536) if self._socket else b""
        if not got:
            raise ConnectionResetError("closed by the server")
        return got


def send_all(port: int, requests: Sequence[bytes], clients: int) -> tuple[list[int], list[float]]:
    """Statuses and milliseconds of all requests, sent over so many connections at once."""
    rest, lock = iter(requests), threading.Lock()
    statuses: list[int] = []
    latencies: list[float] = []

    def work() -> None:
        wire = Wire(port)
        try:
            while request := _next(rest, lock):
                began = time.perf_counter()
                statuses.append(wire.status(request))
                latencies.append((time.perf_counter() - began) * 1000)
        finally:
            wire.close()

    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(work) for _ in range(clients)]:
            done.result()
    return statuses, latencies


def _next(rest: "object", lock: threading.Lock) -> bytes:
    with lock:
        return next(rest, b"")  # type: ignore[call-overload,no-any-return]


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0
