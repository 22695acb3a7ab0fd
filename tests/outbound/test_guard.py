"""The guard against a real listener that must stay silent, and against receivers that misbehave."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from chimeway_py.outbound import client, guard
from chimeway_py.outbound.client import Answer, RequestTooLarge, exchange
from chimeway_py.outbound.guard import AddressRefused

LOOPBACK = ["127.0.0.1/32"]


class Listener(threading.Thread):
    """Counts the connections that reach it on every address of this machine."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("0.0.0.0", 0))  # noqa: S104 (all loopback spellings must reach it)
        self.port = self.socket.getsockname()[1]
        self.connections = 0

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()


@pytest.fixture
def silent_listener() -> Iterator[Listener]:
    listener = Listener()
    listener.start()
    yield listener
    listener.socket.close()


def resolve_to(monkeypatch: pytest.MonkeyPatch, name: str, *answers: list[str]) -> list[list[str]]:
    """Make the name service answer `answers` in turn when asked for `name`. Returns the answers not yet given."""
    left = list(answers)
    real = socket.getaddrinfo

    def lookup(host: str, port: int, *args: object, **kwargs: object) -> list[object]:
        if host != name:
            return real(host, port, *args, **kwargs)  # the checked address itself, on its way to the socket
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return left


def post(url: str, **extra: float) -> Answer:
    return exchange("POST", url, content=b"{}", headers={"content-type": "application/json"}, **extra)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.0.0.2",
        "0.0.0.0",  # noqa: S104
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "127.1",
        "0177.0.0.1",
    ],
)
def test_no_spelling_of_this_machine_is_called(host: str, silent_listener: Listener) -> None:
    with pytest.raises(AddressRefused):
        post(f"http://{host}:{silent_listener.port}/")

    time.sleep(0.05)
    assert silent_listener.connections == 0


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["169.254.169.254"], ["64:ff9b::7f00:1"]],
)
def test_a_name_with_any_refused_answer_is_not_called(
    answers: list[str], monkeypatch: pytest.MonkeyPatch, silent_listener: Listener
) -> None:
    resolve_to(monkeypatch, "trap.example", answers)

    with pytest.raises(AddressRefused):
        post(f"http://trap.example:{silent_listener.port}/")

    time.sleep(0.05)
    assert silent_listener.connections == 0


def test_a_name_is_resolved_once_and_the_checked_address_is_called(
    monkeypatch: pytest.MonkeyPatch, settings, httpserver: HTTPServer, silent_listener: Listener
) -> None:
    # the second answer would lead to the listener: it must never be asked for
    settings.OUTBOUND_ALLOWED_NETWORKS = LOOPBACK
    httpserver.expect_request("/hook", headers={"Host": f"rebinding.example:{httpserver.port}"}).respond_with_data("ok")
    not_asked = resolve_to(monkeypatch, "rebinding.example", ["127.0.0.1"], ["127.0.0.9"])

    answer = post(f"http://rebinding.example:{httpserver.port}/hook")

    assert (answer.status, answer.body, not_asked) == (200, b"ok", [["127.0.0.9"]])
    assert silent_listener.connections == 0


def test_a_redirect_is_an_answer_and_is_not_followed(settings, httpserver: HTTPServer) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = LOOPBACK
    httpserver.expect_request("/hook").respond_with_data("", 302, headers={"Location": httpserver.url_for("/inside")})

    answer = post(httpserver.url_for("/hook"))

    assert answer.status == 302
    assert [request.path for request, _ in httpserver.log] == ["/hook"]


def test_a_proxy_of_the_environment_is_ignored(
    settings, monkeypatch: pytest.MonkeyPatch, httpserver: HTTPServer, silent_listener: Listener
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = LOOPBACK
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{silent_listener.port}")
    httpserver.expect_request("/hook").respond_with_data("ok")

    assert post(httpserver.url_for("/hook")).status == 200
    assert silent_listener.connections == 0


def test_a_huge_answer_is_cut_and_stays_compressed(settings, httpserver: HTTPServer) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = LOOPBACK
    bomb = gzip.compress(b"0" * 200_000_000, 1)
    httpserver.expect_request("/hook").respond_with_response(Response(bomb, headers={"Content-Encoding": "gzip"}))

    assert len(post(httpserver.url_for("/hook")).body) == client.MAX_ANSWER_BYTES


def test_a_large_request_is_refused_before_it_is_sent(settings, httpserver: HTTPServer) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = LOOPBACK

    with pytest.raises(RequestTooLarge):
        exchange("POST", httpserver.url_for("/hook"), content=b"0" * (client.MAX_REQUEST_BYTES + 1), headers={})

    assert httpserver.log == []


def test_a_receiver_that_drips_ends_with_the_exchange(settings) -> None:
    # each byte arrives well within the read timeout; only the total ends it
    settings.OUTBOUND_ALLOWED_NETWORKS = LOOPBACK
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = server.accept()
        with connection:
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000:
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return
                time.sleep(0.05)

    threading.Thread(target=drip, daemon=True).start()
    began = time.monotonic()

    with pytest.raises(httpx2.TimeoutException):
        post(f"http://127.0.0.1:{server.getsockname()[1]}/", total_seconds=0.5)

    assert time.monotonic() - began < 20  # it drips for 50
    server.close()


def test_ports_below_1024_are_for_the_web_only() -> None:
    assert {80, 443, 1024, 65535} <= guard.PORTS
    assert not {0, 22, 25, 53, 1023, 65536} & guard.PORTS
