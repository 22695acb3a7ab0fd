"""A connection from the pool is asked now and then, and at once when its server has hung up."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from chimeway_py.embedded.postgres import Postgres
from chimeway_py.postgres import alive


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The connections whose server was asked."""
    connections: list[Any] = []
    ask = ConnectionPool.check_connection

    def note(connection: Any) -> None:
        connections.append(connection)
        ask(connection)

    monkeypatch.setattr(ConnectionPool, "check_connection", staticmethod(note))
    return connections


@pytest.fixture
def pool(postgres: Postgres) -> Iterator[ConnectionPool[Any]]:
    with ConnectionPool(
        postgres.url(), min_size=1, max_size=1, check=alive.check, kwargs={"autocommit": True}, open=True
    ) as pool:
        yield pool


def test_a_connection_that_was_asked_a_moment_ago_is_not_asked(pool: ConnectionPool[Any], asked: list[Any]) -> None:
    for _ in range(3):
        with pool.connection():
            pass

    assert len(asked) == 1


def test_one_that_nobody_asked_for_long_is_asked(
    pool: ConnectionPool[Any], asked: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool.connection():
        pass
    monkeypatch.setattr(alive, "BELIEVED", 0.0)
    with pool.connection():
        pass

    assert len(asked) == 2


def test_one_whose_server_has_hung_up_is_replaced(
    pool: ConnectionPool[Any], asked: list[Any], postgres: Postgres
) -> None:
    with pool.connection() as before:
        pid = before.info.backend_pid
    with postgres.connect() as superuser:
        superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    with pool.connection() as after:
        assert after.info.backend_pid != pid
        assert after.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        alive.check(before)
