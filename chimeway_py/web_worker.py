"""The worker of the web server: gunicorn's threads, of which none waits for a client that is slow.

gunicorn's own gives a thread to each connection at once, and the thread then waits for the client: eight clients that
say nothing, or a byte a minute, would hold all of them. Here the main loop collects a request, its head for
HEAD_SECONDS and its body for BODY_SECONDS at most, and only then a thread takes it. When too many connections or too
many bytes wait, those that wait longest are let go, so a flood of slow clients pushes out itself.

Only a body that is too large to be collected is read by a thread, a quarter of the threads at most, for BODY_SECONDS
at most. What a client does not take of an answer, the main loop sends when it does; one that takes nothing of it for
BODY_SECONDS is let go.

    gunicorn chimeway_py.wsgi --worker-class chimeway_py.web_worker.Worker --threads 8
"""

import logging
import os
import socket
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn

from chimeway_py.safe_log import log_uncaught
from chimeway_py.web_arrivals import Arrival, Stage
from chimeway_py.web_leaving import BODY_SECONDS, MOST_BYTES, LeavingWorker, said_by

HEAD_SECONDS = float(os.environ.get("WEB_HEAD_SECONDS", "10"))
LOOK_SECONDS = 0.25  # between two looks at who is late
QUICK_SECONDS = 1.0  # whoever has said in this time what it wants gives way to nobody
TOO_SLOW, TOO_LARGE = b"408 Request Timeout", b"431 Request Header Fields Too Large"
TOO_MANY = b"503 Service Unavailable\r\nRetry-After: 2"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Worker(LeavingWorker):
    """Its threads see whole requests only, wait for large bodies within bounds, and for hardly a client to read."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.arriving: dict[TConn, Arrival] = {}  # the oldest first
        self.collected = 0  # bytes of theirs whose heads are there
        self.most_large = max(1, self.cfg.threads // 4)
        self.large: set[TConn] = set()  # whose bodies a thread reads
        self.body_ends: dict[TConn, float] = {}
        self.looked_at = 0.0

    def load_wsgi(self) -> None:
        """Load the application, and from then on log as it does: gunicorn's own lines quote requests and errors."""
        super().load_wsgi()
        log_uncaught()
        for handler in self.log.error_log.handlers:
            handler.setFormatter(logging.getLogger().handlers[0].formatter)

    def enqueue_req(self, conn: TConn) -> None:
        """Collect a request before a thread takes it. Called for every new and every kept connection."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)  # the handshake comes first; terminate TLS in front of this server
            return
        conn.close, conn.was_told_to_go_on = partial(self.close, conn), False
        known = conn.parser.unreader.take_buffered() if conn.parser else b""  # read ahead with the request before it
        conn.sock.setblocking(False)
        self.arriving[conn] = arrival = Arrival(time.monotonic(), HEAD_SECONDS)
        self.poller.register(conn.sock, EVENT_READ, partial(self._hear, conn, arrival))
        self._take(conn, arrival, known)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request. One read of the socket takes BODY_SECONDS at most, and hardly a write waits."""
        conn.sock.settimeout(BODY_SECONDS)
        if getattr(conn, "was_told_to_go_on", False):
            req._expected_100_continue = False  # once is enough
        if conn in self.large:
            req.force_close()  # or the thread would wait for what the view did not read
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except Exception:  # nobody read the body, and it is none: an answer is out, and must not be followed by another
            return False

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Close the connection or wait for its next request. Another large one may have the thread."""
        self.body_ends.pop(conn, None)
        super().finish_request(conn, fs)
        self._free_large(conn)

    def _free_large(self, conn: TConn) -> None:
        """Its thread is free for another large one."""
        if conn in self.large:
            self.large.remove(conn)
            for other, arrival in self.arriving.items():
                if arrival.stage is Stage.LARGE:
                    self._hand_over_large(other, arrival)
                    break

    def murder_pending(self) -> None:
        """End what has taken too long: a head is refused; of a body nothing more is read. Called again and again."""
        super().murder_pending()
        now = time.monotonic()
        if now < self.looked_at + LOOK_SECONDS:
            return
        self.looked_at = now
        for conn, arrival in [one for one in self.arriving.items() if one[1].ends <= now]:
            if arrival.stage is Stage.BODY:
                _deafen(conn)
                self._hand_over(conn, arrival)  # which finds what is missing
            else:
                self._let_go(conn, TOO_MANY if arrival.stage is Stage.LARGE else TOO_SLOW)
        for conn in [conn for conn, ends in self.body_ends.items() if ends <= now]:
            del self.body_ends[conn]
            _deafen(conn)  # whoever waits for more reads its end; the answer still goes out
        self.end_stuck(now)
        self._make_room(now)

    def _make_room(self, now: float) -> None:
        """When no more connections can be taken, clients that say or take something slowly give way to others."""
        if self.nr_conns >= self.worker_connections:
            slow = [one for one in self.arriving.items() if one[1].began + QUICK_SECONDS <= now]
            for conn, _ in slow:
                self._let_go(conn, TOO_MANY)
            self.end_begun_before(now - QUICK_SECONDS)

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for arrival in self.arriving.values():  # a server that stops does not wait for these either
            arrival.ends = min(arrival.ends, deadline)

    def _hear(self, conn: TConn, arrival: Arrival, client: socket.socket) -> None:
        """Take what has come of a request."""
        said = said_by(client)
        if said:
            self._take(conn, arrival, said)
        elif said is not None and arrival.has_head:
            self._hand_over(conn, arrival)  # whoever sends no more may still read what is missing
        elif said is not None:
            self._let_go(conn)

    def _take(self, conn: TConn, arrival: Arrival, said: bytes) -> None:
        before = arrival.collected
        arrival.take(said)
        self.collected += arrival.collected - before
        match arrival.stage:
            case Stage.TOO_LARGE:
                self._let_go(conn, TOO_LARGE)
            case Stage.WHOLE:
                self._hand_over(conn, arrival)
            case Stage.ODD:
                _deafen(conn)
                self._hand_over(conn, arrival)
            case Stage.LARGE:
                self.poller.unregister(conn.sock)
                arrival.ends = time.monotonic() + BODY_SECONDS
                self._hand_over_large(conn, arrival)
            case Stage.BODY if not before:
                arrival.ends = time.monotonic() + BODY_SECONDS
                self._tell_to_go_on(conn, arrival)
        while self.collected > MOST_BYTES:
            self._let_go(next(one for one, arrival in self.arriving.items() if arrival.has_head), TOO_MANY)

    def _tell_to_go_on(self, conn: TConn, arrival: Arrival) -> None:
        if arrival.expects_word:
            conn.was_told_to_go_on = True
            with suppress(OSError):
                conn.sock.send(GO_ON)

    def _hand_over_large(self, conn: TConn, arrival: Arrival) -> None:
        """Give a request with a large body to a thread, if enough are left for all others. Else it waits, unheard."""
        if len(self.large) < self.most_large:
            self.large.add(conn)
            self._hand_over(conn, arrival)

    def _hand_over(self, conn: TConn, arrival: Arrival) -> None:
        """Give a request to a thread."""
        self._drop(conn, arrival)
        conn.data_ready = True
        conn.init()
        conn.parser.unreader.unread(bytes(arrival.said))
        self.body_ends[conn] = time.monotonic() + BODY_SECONDS
        super().enqueue_req(conn)

    def _let_go(self, conn: TConn, status: bytes = b"") -> None:
        """Close a connection that no thread has, with an answer if it began a request."""
        arrival = self.arriving[conn]
        self._drop(conn, arrival)
        self.nr_conns -= 1
        if arrival.said and status:
            with suppress(OSError):
                conn.sock.send(b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status)
            self.close(conn, graceful=True)
        else:
            self.close(conn)

    def _drop(self, conn: TConn, arrival: Arrival) -> None:
        del self.arriving[conn]
        self.collected -= arrival.collected
        if arrival.stage is not Stage.LARGE:
            self.poller.unregister(conn.sock)


def _deafen(conn: TConn) -> None:
    """Hear no more of a client than what has come."""
    with suppress(OSError):
        conn.sock.shutdown(socket.SHUT_RD)
