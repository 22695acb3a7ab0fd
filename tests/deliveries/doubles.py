"""Providers that misbehave: one that takes a message and hangs up, one that takes it and does not answer."""

import contextlib
import socket
import threading


class HangsUp:
    """Reads a request whole, counts it, and closes the connection without a word."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __enter__(self) -> "HangsUp":
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.requests.append(_whole(connection))


class Holds:
    """Reads each request whole, keeps it, and says yes: at once to one with the word `at_once`, else after `let_go`."""

    def __init__(self, *, at_once: str = "") -> None:
        self.requests: list[bytes] = []
        self.at_once = at_once
        self._may_answer = threading.Event()

    def __enter__(self) -> "Holds":
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self.server.close()

    def let_go(self) -> None:
        """Answer from now on, also who has waited."""
        self._may_answer.set()

    def about(self, word: str) -> list[bytes]:
        """The requests that contain a word."""
        return [request for request in self.requests if word.encode() in request]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            self.requests.append(whole := _whole(connection))
            if not self.at_once or self.at_once.encode() not in whole:
                self._may_answer.wait(30)
            with contextlib.suppress(OSError):  # who asked may be dead
                connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


def _whole(connection: socket.socket) -> bytes:
    read = b""
    while b"\r\n\r\n" not in read:
        read += connection.recv(65536)
    head, _, body = read.partition(b"\r\n\r\n")
    lines = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lines[0].split(b":")[1]) if lines else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
