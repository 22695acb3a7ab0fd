"""The worker of the web server: gunicorn's threads, of which none waits long for a client.

gunicorn's own gives a thread to each connection at once, and the thread then waits for the client: eight clients that
say nothing, or a byte a minute, would hold all of them. Here the main loop collects the head of a request, for
HEAD_SECONDS at most, and only then a thread takes it. A body has BODY_SECONDS; after that the thread reads its end. A
client that takes no answer for BODY_SECONDS is let go.

    gunicorn chimeway_py.wsgi --worker-class chimeway_py.web_worker.Worker --threads 8
"""

import os
import socket
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

HEAD_SECONDS = float(os.environ.get("WEB_HEAD_SECONDS", "10"))
BODY_SECONDS = float(os.environ.get("WEB_BODY_SECONDS", "30"))
LINGER_SECONDS = 2.0
MOST_LINGERING = 1000
MOST_HEAD = 32 * 1024  # bytes; a line, a field and their number have limits of gunicorn's own
END_OF_HEAD = b"\r\n\r\n"
TOO_SLOW, TOO_LARGE = b"408 Request Timeout", b"431 Request Header Fields Too Large"
_CHUNK = 8192


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread, whose threads see whole heads only and wait for bodies within bounds."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.heads: dict[TConn, bytes] = {}
        self.body_ends: dict[TConn, float] = {}
        self.lingering: dict[TConn, float] = {}

    def enqueue_req(self, conn: TConn) -> None:
        """Collect the head of a request before a thread takes it. Called for every new and every kept connection."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)  # the handshake comes first; terminate TLS in front of this server
            return
        conn.close = partial(self.close, conn)
        known = conn.parser.unreader.take_buffered() if conn.parser else b""  # read ahead with the request before it
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + HEAD_SECONDS
        self.heads[conn] = b""
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))
        self._take(conn, known)

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Take what has come of a head."""
        try:
            said = client.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if said:
            self._take(conn, said)
        else:
            self._let_go(conn)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request. One read or one write of the socket takes BODY_SECONDS at most."""
        conn.sock.settimeout(BODY_SECONDS)
        return super().handle_request(req, conn)

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Close the connection, or wait for its next request."""
        self.body_ends.pop(conn, None)
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """End what has taken too long: a head is refused; of a body nothing more is read. Called every second."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            self._let_go(self.pending_conns[0], TOO_SLOW)
        for conn in [conn for conn, ends in self.body_ends.items() if ends <= now]:
            del self.body_ends[conn]
            with suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RD)  # whoever waits for more reads its end; the answer still goes out
        for conn in [conn for conn, ends in self.lingering.items() if ends <= now]:
            self._forget(conn)

    def close(self, conn: TConn, graceful: bool = False) -> None:
        """Close a connection. If gracefully, what still comes is read away first, or the client might lose the answer.

        gunicorn's own waits for that in the main loop, two seconds for each client that does not close.
        """
        conn.sock.setblocking(False)
        try:
            if not graceful or len(self.lingering) >= MOST_LINGERING:
                raise OSError
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            util.close(conn.sock)
            return
        self.lingering[conn] = time.monotonic() + LINGER_SECONDS
        self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))

    def _drain(self, conn: TConn, client: socket.socket) -> None:
        try:
            if client.recv(_CHUNK):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._forget(conn)

    def _forget(self, conn: TConn) -> None:
        del self.lingering[conn]
        self.poller.unregister(conn.sock)
        util.close(conn.sock)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:  # a server that stops does not wait for heads either
            conn.timeout = min(conn.timeout, deadline)

    def _take(self, conn: TConn, said: bytes) -> None:
        self.heads[conn] += said
        if END_OF_HEAD in self.heads[conn][:MOST_HEAD]:
            self._hand_over(conn)
        elif len(self.heads[conn]) >= MOST_HEAD:
            self._let_go(conn, TOO_LARGE)

    def _hand_over(self, conn: TConn) -> None:
        """Give a request whose head is here to a thread."""
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)
        conn.data_ready = True
        conn.init()
        conn.parser.unreader.unread(self.heads.pop(conn))
        self.body_ends[conn] = time.monotonic() + BODY_SECONDS
        super().enqueue_req(conn)

    def _let_go(self, conn: TConn, status: bytes = b"") -> None:
        """Close a connection that no thread has, with an answer if it began a request."""
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)
        self.nr_conns -= 1
        if self.heads.pop(conn) and status:
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status)
            self.close(conn, graceful=True)
        else:
            self.close(conn)
