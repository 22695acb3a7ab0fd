"""The embedded broker forgets everything, and only that."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from chimeway_py.embedded.broker import Broker


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    broker.start()
    yield broker
    broker.stop()


def test_after_kill_9_it_is_back_at_the_same_address_and_empty(own_broker: Broker) -> None:
    address = own_broker.url
    with redis.Redis.from_url(address) as connection:
        connection.set("key", "value")

    own_broker.kill()
    own_broker.start()

    assert own_broker.url == address
    with redis.Redis.from_url(address) as connection:
        assert connection.dbsize() == 0


def test_nobody_speaks_to_it_without_the_password(own_broker: Broker) -> None:
    with socket.create_connection(("127.0.0.1", own_broker.port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")

        assert connection.recv(100).startswith(b"-NOAUTH")


def test_the_password_is_in_no_argument_list(own_broker: Broker) -> None:
    command = Path(f"/proc/{own_broker.server.pid}/cmdline").read_text()

    assert own_broker.memory.password("broker") not in command
