"""The proxy breaks connections in the ways that it says."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says everything again."""
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    yield server.getsockname()[1]
    server.close()


def _serve(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_repeat, args=(connection,), daemon=True).start()


def _repeat(connection: socket.socket) -> None:
    with connection:
        try:
            while heard := connection.recv(65536):
                connection.sendall(heard)
        except OSError:
            return


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy(echo) as proxy:
        yield proxy


def client_of(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=30)


def until_reset(client: socket.socket) -> bytes:
    """What came before the connection broke. Fails when it ended in good order."""
    heard = b""
    while True:
        try:
            more = client.recv(100)
        except ConnectionResetError:
            return heard
        assert more, "an orderly end"
        heard += more


def test_it_passes_bytes_on(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        client.sendall(b"hello")

        assert client.recv(10) == b"hello"


def test_latency_holds_each_chunk_back(proxy: Proxy) -> None:
    proxy.latency = 0.1
    with client_of(proxy) as client:
        began = time.monotonic()
        client.sendall(b"hello")
        client.recv(10)

    assert time.monotonic() - began >= 0.2


def test_a_cut_comes_after_so_many_bytes(proxy: Proxy) -> None:
    proxy.cut_after = 10
    with client_of(proxy) as client:
        client.sendall(b"0123456789abcdef")
        heard = until_reset(client)

    assert 0 < len(heard) <= 10


def test_a_silence_keeps_the_connection_and_passes_nothing(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        proxy.fall_silent()
        client.sendall(b"hello")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(10)

        proxy.behave()
        client.settimeout(30)
        assert client.recv(10) == b"hello"


def test_a_reset_is_seen_at_both_ends_and_new_connections_work(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        client.sendall(b"hello")
        client.recv(10)

        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            client.recv(10)
    test_it_passes_bytes_on(proxy)


def test_a_refusal_ends_new_connections_at_once(proxy: Proxy) -> None:
    proxy.refusing = True
    try:
        client = client_of(proxy)
    except ConnectionResetError:  # so soon that it was not yet made
        return
    with client:
        assert until_reset(client) == b""
