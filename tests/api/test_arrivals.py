"""How the web server collects a request before a thread takes it, byte by byte."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future
from selectors import DefaultSelector
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from chimeway_py import web_answers, web_worker
from chimeway_py.web_answers import Outbox, Room
from chimeway_py.web_arrivals import MOST_BODY, MOST_IN_CHUNKS, Arrival, Stage
from chimeway_py.web_worker import Worker

HEAD = b"POST /v1/signals HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = {
    "no body": b"GET / HTTP/1.1\r\n\r\n",
    "a length": HEAD + b"content-length:5\r\n\r\nhello",
    "chunks": CHUNKED + b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
    "a chunk that looks like an end": CHUNKED + b"7\r\n0\r\n\r\nab\r\n0\r\n\r\n",
    "trailers": CHUNKED + b"1\r\nx\r\n000\r\nX-Sum: 1\r\n\r\n",
}


@pytest.mark.parametrize("said", WHOLE.values(), ids=WHOLE)
def test_a_request_is_whole_with_its_last_byte_and_not_before(said: bytes) -> None:
    for cut in range(len(said)):
        arrival = Arrival(0, 10)
        arrival.take(said[:cut])
        assert arrival.stage in (Stage.HEAD, Stage.BODY), said[:cut]
        arrival.take(said[cut:])
        assert (arrival.stage, bytes(arrival.said)) == (Stage.WHOLE, said)


@pytest.mark.parametrize(
    ("said", "stage"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000, Stage.TOO_LARGE),
        (HEAD + b"Content-Length: %d\r\n\r\n" % MOST_BODY, Stage.BODY),
        (HEAD + b"Content-Length: %d\r\n\r\n" % (MOST_BODY + 1), Stage.LARGE),
        (CHUNKED + b"fffffff\r\n" + b"a" * 100, Stage.BODY),  # until too much of it is there
        (CHUNKED + b"fffffff\r\n" + b"a" * (MOST_IN_CHUNKS + 1), Stage.LARGE),
        (CHUNKED + b"1\r\na\r\n" * (MOST_IN_CHUNKS // 6 + 1), Stage.BODY),
        (CHUNKED + b"1" * 9000, Stage.ODD),  # no line of a chunk is so long
        (CHUNKED + b"0\r\nX: " + b"1" * 40_000, Stage.ODD),
        (CHUNKED + b"f" * 400 + b"\r\n", Stage.ODD),
        (CHUNKED + b"zz\r\n", Stage.ODD),
    ],
)
def test_what_is_too_large_to_be_collected_is_not(said: bytes, stage: Stage) -> None:
    arrival = Arrival(0, 10)
    arrival.take(said)

    assert arrival.stage is stage


class Clients:
    """A worker whose threads take nothing, and clients that are connected to it."""

    def __init__(self) -> None:
        settings = Config()
        settings.set("worker_connections", 5)
        settings.set("threads", 4)
        self.worker = Worker(0, 0, [], None, 30, settings, None)
        self.worker.poller = DefaultSelector()
        self.worker.tpool = self
        self.taken: list[TConn] = []
        self.sockets: list[socket.socket] = []

    def submit(self, handle: Any, conn: TConn) -> Future[Any]:
        """Stands for the threads."""
        self.taken.append(conn)
        return Future()

    def connect(self, said: bytes, *, seconds_ago: float = 0.0) -> socket.socket:
        """A client that said this some seconds ago."""
        ours, its = socket.socketpair()
        conn = TConn(self.worker.cfg, its, ("127.0.0.1", 1), ("127.0.0.1", 2))
        self.worker.nr_conns += 1
        self.worker.enqueue_req(conn)
        ours.sendall(said)
        self.worker.wait_for_and_dispatch_events(0)
        if conn in self.worker.arriving:
            self.worker.arriving[conn].began -= seconds_ago
        self.sockets += [ours, its]
        return ours

    def look(self) -> None:
        """What the main loop does from time to time."""
        self.worker.looked_at = 0.0
        self.worker.murder_pending()


@pytest.fixture
def clients() -> Iterator[Clients]:
    made = Clients()
    yield made
    made.worker.poller.close()
    for one in made.sockets:
        one.close()


def heard(client: socket.socket) -> bytes | None:
    """What a client was told; None when it is still connected and was told nothing."""
    client.setblocking(False)
    try:
        return client.recv(1000)
    except BlockingIOError:
        return None


HALF = HEAD + b"Content-Length: 900\r\n\r\n" + b"a" * 400


def test_slow_clients_give_way_when_no_more_connections_can_be_taken(clients: Clients) -> None:
    slow = [clients.connect(said, seconds_ago=2) for said in (b"", HEAD, HALF)]
    quick = clients.connect(HALF)

    clients.look()
    untouched = [heard(one) for one in (*slow, quick)]
    clients.connect(b"")
    clients.look()

    assert untouched == [None] * 4
    silent, *begun = [heard(one) for one in slow]
    assert (silent, [bytes(one or b"").split()[1] for one in begun], heard(quick)) == (b"", [b"503", b"503"], None)
    assert clients.worker.nr_conns == 2


def test_who_waits_longest_gives_way_when_too_much_is_collected(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_worker, "MOST_BYTES", 1200)
    silent, first, second = (clients.connect(said) for said in (b"", HALF, HALF))

    third = clients.connect(HALF)

    assert [bool(heard(one)) for one in (silent, first, second, third)] == [False, True, False, False]
    assert clients.worker.collected == sum(one.collected for one in clients.worker.arriving.values()) > 800


def test_large_bodies_get_a_quarter_of_the_threads_and_the_next_one_when_one_ends(clients: Clients) -> None:
    large = HEAD + b"Content-Length: 5000000\r\n\r\n"
    for _ in range(3):
        clients.connect(large)
    waited = list(clients.taken)
    small = clients.connect(WHOLE["a length"])
    ended: Future[bool] = Future()
    ended.set_result(False)

    clients.worker.finish_request(waited[0], ended)

    assert (len(waited), len(clients.taken), heard(small)) == (1, 3, None)
    (arrival,) = clients.worker.arriving.values()
    arrival.ends = time.monotonic() - 1
    clients.look()
    assert b" 503 " in (heard(clients.sockets[4]) or b"")


def test_an_answer_is_kept_within_bounds_and_ends_when_nobody_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, its = socket.socketpair()
    its.settimeout(0.1)
    room, now = Room(2_000_000), time.monotonic()
    with ours, its:
        outbox = Outbox(its, room, patience=30)

        outbox.sendall(b"a" * 900_000)
        kept = len(outbox.kept)
        free = room.take(2_000_001 - kept), room.take(2_000_000 - kept)
        ours.recv(1_000_000, socket.MSG_WAITALL | socket.MSG_DONTWAIT)
        moved = outbox.drain(), len(outbox.kept)
        monkeypatch.setattr(web_answers.time, "monotonic", lambda: now + 60)

        assert 0 < kept < 900_000
        assert free == (False, True)
        assert (moved[0], 0 < moved[1] < kept) == (False, True)
        assert outbox.is_stuck
        with pytest.raises(TimeoutError):
            outbox.sendall(b"b")
        outbox.give_up()
        assert room.take(kept)
        with pytest.raises(TimeoutError):
            outbox.sendall(b"c" * 3_000_000)  # more than is kept: it waits for the client, as the socket says
        assert not outbox.kept
