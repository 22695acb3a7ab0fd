"""Clients that are slow, silent or hostile, at a real web server: others are served meanwhile."""

import json
import socket
import time
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from signals_app.models import Signal
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.fleet import Web
from tests.leaks import CANARY
from tests.plugin import Servers

PATIENCE = {"WEB_HEAD_SECONDS": "1", "WEB_BODY_SECONDS": "2"}
THREADS = 8  # of that server
GOOD = b'{"name":"invoice.paid","subject":"hypatia","external_id":"1"}'


class Server:
    """The server under attack: raw connections to it, and what everybody else gets meanwhile."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.address = urllib.parse.urlsplit(web.url)
        self.processes = self.alive()

    def alive(self) -> str:
        """The process ids of its workers."""
        pid = self.web.server.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text()

    def connect(self, said: bytes = b"") -> socket.socket:
        """A connection that has said this much and no more."""
        connection = socket.create_connection((self.address.hostname, self.address.port), timeout=60)
        connection.sendall(said)
        return connection

    def connect_narrowly(self, said: bytes) -> socket.socket:
        """A connection that takes little at a time, and has said this much."""
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect((self.address.hostname, self.address.port))
        connection.sendall(said)
        return connection

    def say(self, *pieces: bytes) -> bytes:
        """Send these pieces, and return all that comes back until the server closes."""
        with self.connect() as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except OSError:
                pass  # refused before all was sent
            return heard(connection)

    def serves(self) -> float:
        """Ask for something as any other client would; the seconds it took."""
        began = time.monotonic()
        with urllib.request.urlopen(f"{self.web.url}/healthz", timeout=30) as answer:
            assert answer.status == 200
        return time.monotonic() - began


def heard(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    said = b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionResetError:
        pass
    return said


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])


def status_and_code(answer: bytes) -> tuple[int, str]:
    """What an answer says: 0 when there is none, and no code when its body is not JSON."""
    head, _, body = answer.partition(b"\r\n\r\n")
    code = json.loads(body)["code"] if b"application/json" in head else ""
    return (status_of(answer) if answer else 0), code


@pytest.fixture(scope="module")
def running(servers: Servers) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PATIENCE.items():
            patch.setenv(name, value)
        web = Web(servers.folder / "logs-clients")
    web.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # what a network far away takes at once
    web.start()
    yield Server(web)
    web.stop()


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """After each test the same process serves as before."""
    yield running
    assert running.serves() < 30
    assert (running.web.server.is_running, running.alive()) == (True, running.processes)


HEAD = b"POST /v1/signals HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SMUGGLED = HEAD + b"%%sContent-Length: %d\r\n\r\n" % len(GOOD) + GOOD
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def test_slow_and_silent_clients_are_let_go_and_hold_nobody_up(
    server: Server, tenant: Tenant, api_key: Callable[..., str]
) -> None:
    key = b"Authorization: Bearer %s\r\n" % api_key(tenant).encode()
    half, chunk = b"Content-Length: 100\r\n\r\n" + GOOD, CHUNKED + b"\r\n17\r\n{"
    large = HEAD.replace(b"signals", b"broadcasts/%s/targets" % str(uuid.UUID(int=1)).encode())
    large = large.replace(b"POST", b"PUT") + b"Content-Length: 3000000\r\n"
    beginnings = {
        "silent": b"",
        "half a head": HEAD,
        "half a body": HEAD + key + half,
        "half a chunk": HEAD + key + chunk,
        "half a body of a stranger": HEAD + half,
        "half a chunk of a stranger": HEAD + chunk,
        "half a sign-in": b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n" + half,
        "a large body of a stranger": large + b"\r\n{",
        "a large form of a stranger": large.replace(b"/v1/", b"/admin/") + b"\r\n{",
    }
    many = dict.fromkeys(beginnings, 2 * THREADS) | {"silent": 100, "half a head": 30}
    with ExitStack() as stack:
        clients = {
            name: [stack.enter_context(server.connect(beginnings[name])) for _ in range(count)]
            for name, count in many.items()
        }

        meanwhile = [server.serves() for _ in range(3)]
        answers = {name: {status_and_code(heard(client)) for client in those} for name, those in clients.items()}

    assert sum(meanwhile) < 10.0  # with a thread for each of them the first alone would take twenty
    assert min(meanwhile) < 1.0
    assert answers == {
        "silent": {(0, "")},
        "half a head": {(408, "")},
        "half a body": {(400, "body_incomplete")},
        "half a chunk": {(400, "body_incomplete")},
        "half a body of a stranger": {(401, "not_authenticated")},
        "half a chunk of a stranger": {(401, "not_authenticated")},
        "half a sign-in": {(403, "")},
        "a large body of a stranger": {(401, "not_authenticated")},
        "a large form of a stranger": {(413, "")},
    }


def test_large_bodies_that_come_slowly_leave_threads_for_others(
    server: Server, tenant: Tenant, api_key: Callable[..., str]
) -> None:
    head = b"PUT /v1/broadcasts/%s/targets HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
    head %= str(uuid.UUID(int=1)).encode(), api_key(tenant).encode()
    with ExitStack() as stack:
        begun = head + b"Content-Length: 3000000\r\n\r\nsubject"
        clients = [stack.enter_context(server.connect(begun)) for _ in range(4 * THREADS)]

        meanwhile = server.serves()
        answers = {status_and_code(heard(client)) for client in clients}

    assert meanwhile < 5.0  # with all threads for them it would be eight
    assert answers == {(400, "body_incomplete"), (503, "")}  # those that had a thread, and those that waited for one


def test_clients_that_take_no_answer_hold_nobody_up_and_get_all_of_it_when_they_do(server: Server) -> None:
    asked = b"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    whole = server.say(asked + b"Connection: close\r\n\r\n").partition(b"\r\n\r\n")[2]
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect_narrowly(asked + b"\r\n")) for _ in range(2 * THREADS)]
        gone = [stack.enter_context(server.connect_narrowly(asked + b"\r\n")) for _ in range(4)]

        meanwhile = server.serves()
        for one in gone:
            one.close()
        for client in clients:  # the second request comes when the first answer is out
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        answers = [heard(client) for client in clients]

    assert meanwhile < 10.0  # to make so many answers takes a while; to wait for those who take none would take longer
    assert len(whole) > 100_000
    for answer in answers:
        first, _, second = answer.partition(b"\r\n\r\n")[2].partition(whole)
        assert (first, status_of(second)) == (b"", 200)


def test_a_body_in_pieces_a_word_to_go_on_and_a_second_request_are_read_as_they_are_meant(
    server: Server, tenant: Tenant, api_key: Callable[..., str]
) -> None:
    key = b"Authorization: Bearer %s\r\n" % api_key(tenant).encode()
    with server.connect(SMUGGLED[: -len(GOOD)] % (key + b"Expect: 100-continue\r\n")) as client:
        told = client.recv(100)
        for place in range(0, len(GOOD), 5):
            client.sendall(GOOD[place : place + 5])
        first = client.recv(65536)
        chunked = CHUNKED + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
        client.sendall(HEAD + key + chunked + b"GET /healthz HTTP/1.0\r\n\r\n")
        rest = heard(client)

    assert (told, status_of(first)) == (b"HTTP/1.1 100 Continue\r\n\r\n", 202), first
    assert (rest.count(b"HTTP/1.1 200"), rest.count(b"HTTP/1.1 200"), rest.count(b"HTTP/1.")) == (1, 1, 2), rest


def test_a_client_that_sends_a_byte_at_a_time_gains_nothing(server: Server) -> None:
    began = time.monotonic()
    with server.connect() as client:
        client.settimeout(0.1)
        answer = b""
        for byte in HEAD * 100:
            client.sendall(bytes([byte]))
            try:
                answer = client.recv(65536)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break

    assert status_of(answer) == 408
    assert time.monotonic() - began < 60  # to say all of it would take many minutes


HOSTILE = {
    "a length and chunks": HEAD + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks and a length": HEAD + CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 200\r\n\r\n",
    "a list of lengths": HEAD + b"Content-Length: 0, 200\r\n\r\n",
    "a length with a sign": HEAD + b"Content-Length: +0\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "a length in hex": HEAD + b"Content-Length: 0x0\r\n\r\n",
    "an unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked, not last": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded line": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n0\r\n\r\n",
    "a bad chunk size": HEAD + CHUNKED + b"\r\nzz\r\n\r\n",
    "a negative chunk": HEAD + CHUNKED + b"\r\n-5\r\n\r\n",
    "a huge chunk size": HEAD + CHUNKED + b"\r\n" + b"f" * 400 + b"\r\n",
    "a name with a NUL": HEAD + b"X\0%s: 1\r\n\r\n" % CANARY.encode(),
    "a value with a return": HEAD + b"X: a\rContent-Length: 9\r\n\r\n",
    "a line too long": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a field too long": HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n",
    "too many fields": HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(101)) + b"\r\n",
    "a head without end": HEAD + b"X: 1\r\n" * 20_000,
    "not HTTP": b"\x16\x03\x01\x02\x00\r\n\r\n",
}
BAD_CHUNKS = ["a bad chunk size", "a negative chunk", "a huge chunk size"]


def test_what_two_servers_could_read_differently_is_refused_and_nothing_rides_along(
    server: Server, tenant: Tenant, api_key: Callable[..., str]
) -> None:
    key = b"Authorization: Bearer %s\r\n" % api_key(tenant).encode()
    smuggled = SMUGGLED % key

    answers = {name: server.say(said.replace(HEAD, HEAD + key) + smuggled) for name, said in HOSTILE.items()}
    of_strangers = {name: server.say(HOSTILE[name] + smuggled) for name in BAD_CHUNKS}

    told = {name: (status_of(answer), answer.count(b"HTTP/1.")) for name, answer in answers.items() if answer}
    assert {name: one for name, one in told.items() if not (one[0] in {400, 408, 414, 431, 501} and one[1] == 1)} == {}
    assert {name: told.get(name, (0, 0))[0] for name in ("a field too long", "too many fields")} == {
        "a field too long": 431,
        "too many fields": 431,
    }
    assert {(status_of(answer), answer.count(b"HTTP/1.")) for answer in of_strangers.values()} == {(401, 1)}
    assert CANARY not in server.web.server.log_tail()
    assert "Invalid request from" in server.web.server.log_tail()  # what gunicorn says of it
    with tenant_scope(tenant.pk):
        assert Signal.objects.count() == 0
