"""How connections end: answers that clients have not taken yet, and clients that still say something.

gunicorn's own threads wait for a client that reads slowly, and its main loop for one that does not close.
"""

import os
import socket
import time
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

from chimeway_py.web_answers import Outbox, Room

BODY_SECONDS = float(os.environ.get("WEB_BODY_SECONDS", "30"))
MOST_BYTES = int(os.environ.get("WEB_BODY_BYTES", str(64 * 1024 * 1024)))  # of bodies, and of answers, that wait
LINGER_SECONDS = 2.0
MOST_LINGERING = 1000
_CHUNK = 64 * 1024


class LeavingWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread, which sends by its main loop what a client does not take at once."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.cfg.set("sendfile", False)  # in which a thread would wait for its client
        self.room = Room(MOST_BYTES)
        self.leaving: dict[TConn, Outbox] = {}
        self.lingering: dict[TConn, float] = {}

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request. A write waits only where there is no room for what the client does not take."""
        if self.cfg.is_ssl:
            return super().handle_request(req, conn)
        client = conn.sock
        conn.sock = conn.outbox = Outbox(client, self.room, BODY_SECONDS)
        try:
            return super().handle_request(req, conn)
        finally:
            conn.sock = client

    def finish_request(self, conn: TConn, fs: Any) -> None:
        """Close the connection or wait for its next request, once its client has taken all of the answer."""
        outbox = getattr(conn, "outbox", None)
        if outbox is not None and outbox.kept:
            if conn.sock.fileno() >= 0:
                conn.sock.setblocking(False)
                self.leaving[conn] = outbox
                self.poller.register(conn.sock, EVENT_WRITE, partial(self._send_more, conn, fs))
                return
            outbox.give_up()  # the thread has closed it
        super().finish_request(conn, fs)

    def _send_more(self, conn: TConn, fs: Any, client: socket.socket) -> None:
        outbox = self.leaving[conn]
        try:
            is_out = outbox.drain()
        except OSError:  # the client has gone
            is_out = True
        if is_out:
            self._stop_leaving(conn)
            super().finish_request(conn, fs)

    def _stop_leaving(self, conn: TConn) -> None:
        self.leaving.pop(conn).give_up()
        self.poller.unregister(conn.sock)

    def end_stuck(self, now: float) -> None:
        """End those that take nothing, or have said enough."""
        for conn in [conn for conn, outbox in self.leaving.items() if outbox.is_stuck]:
            self._leave_it(conn)
        for conn in [conn for conn, ends in self.lingering.items() if ends <= now]:
            self._forget(conn)

    def end_begun_before(self, moment: float) -> None:
        """End those that have been taking their answer for so long."""
        for conn in [conn for conn, outbox in self.leaving.items() if outbox.began <= moment]:
            self._leave_it(conn)

    def _leave_it(self, conn: TConn) -> None:
        """Send no more of an answer."""
        self._stop_leaving(conn)
        self.nr_conns -= 1
        self.close(conn)

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
        if said_by(client) == b"":
            self._forget(conn)

    def _forget(self, conn: TConn) -> None:
        del self.lingering[conn]
        self.poller.unregister(conn.sock)
        util.close(conn.sock)


def said_by(client: socket.socket) -> bytes | None:
    """What a client says: nothing when it is gone or says no more, None when it says nothing now."""
    try:
        return client.recv(_CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""
