"""PostgreSQL killed, restarted, crowded out, locked, cut off, silent and slow."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import psycopg

from chimeway_py.embedded.memory import LOOPBACK
from tests.faults.chaos.world import Fault, World, again_and_again
from tests.faults.ground import Ground
from tests.faults.proxy import Proxy

LATENCY = 0.015  # seconds, in each direction
ANSWERS_WITHIN = 0.5  # seconds, after all of a silence
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # the smallest question of its protocol: one byte is the answer

POSTGRES_KILLS = 10
LOCKED = 60  # seconds
_A_TENTH = """
SELECT id FROM workflows_run
 WHERE finished_at IS NULL AND id IN (
    SELECT id FROM workflows_run WHERE finished_at IS NULL ORDER BY md5(id::text)
     LIMIT (SELECT greatest(1, count(*) / 10) FROM workflows_run WHERE finished_at IS NULL))
   FOR UPDATE
"""


def kill_postgres(world: World) -> Fault:
    """SIGKILL to PostgreSQL, all of it; it recovers from its log."""
    world.count("PostgreSQL", int(world.ground.postgres.server.is_running))
    world.ground.postgres.kill()
    yield 0.5
    _start_postgres(world)


def kill_postgres_again_and_again(world: World) -> Fault:
    """The same as soon as it has recovered: ten times in a long run."""
    yield from again_and_again(world.of(POSTGRES_KILLS), 1.5, lambda: kill_postgres(world))


def restart_postgres(world: World) -> Fault:
    """A fast restart."""
    world.count("restarts", int(world.ground.postgres.server.is_running))
    world.ground.postgres.stop()
    yield 0.2
    _start_postgres(world)


def terminate_backends(world: World) -> Fault:
    """pg_terminate_backend of everybody, five times a second."""
    yield from again_and_again(15, 0.2, lambda: _terminate(world))


def _terminate(world: World) -> None:
    with suppress(psycopg.Error), world.ground.superuser() as admin:
        ended = admin.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND usename = 'chimeway_app'"
        ).fetchone()
        world.count("backends", ended[0] if ended else 0)


def take_all_connections(world: World) -> Fault:
    """Somebody else holds every connection there is."""
    held = list(_all_connections(world.ground))
    world.count("connections taken", len(held))
    yield 3
    for connection in held:
        connection.close()


def hold_locks(world: World) -> Fault:
    """Somebody locks a tenth of the open runs for longer than the lock timeout: a minute in a long run."""
    for _ in range(5):  # where nothing is open, or a deadlock has ended it, once more
        with suppress(psycopg.Error), world.ground.superuser() as admin, admin.transaction():
            locked = admin.execute(_A_TENTH).fetchall()
            world.count("locks held", len(locked))
            if locked:
                yield max(6, world.of(LOCKED))
                return
        yield 0.3


def cut_database_link(world: World) -> Fault:
    """Connections to PostgreSQL are reset, three times."""
    yield from again_and_again(3, 0.7, lambda: world.count("links cut", world.ground.database_link.reset()))


def silence_database_link(world: World) -> Fault:
    """Half open: the link to PostgreSQL stays and not a byte passes. A question is asked, and answered afterwards."""
    link = world.ground.database_link
    link.fall_silent()
    with closing(_question(link)) as asked:
        yield 3
        silent = not _is_answered(asked, ANSWERS_WITHIN)
        link.behave()
        if silent and _is_answered(asked, 5):
            world.count("silences")
        else:
            world.broken.note = f"a question was {'never' if silent else 'meanwhile'} answered"


def slow_database_link(world: World) -> Fault:
    """Every answer of PostgreSQL takes 30 ms longer. One is waited for."""
    link = world.ground.database_link
    link.latency = LATENCY
    with closing(_question(link)) as asked:
        began = time.monotonic()
        if _is_answered(asked, 5) and (took := time.monotonic() - began) >= 2 * LATENCY:
            world.count("slow links")
            world.broken.note = f"an answer took {took * 1000:.0f} ms"
    yield 4
    link.behave()


def _question(link: Proxy) -> socket.socket:
    """Ask PostgreSQL something through the link, on a connection of its own."""
    asked = socket.create_connection((LOOPBACK, link.port), timeout=2)
    with suppress(OSError):
        asked.sendall(_SSL_REQUEST)
    return asked


def _is_answered(asked: socket.socket, seconds: float) -> bool:
    """Whether the answer is there, or comes within so many seconds."""
    asked.settimeout(seconds)
    with suppress(OSError):
        return len(asked.recv(1)) == 1
    return False


def _start_postgres(world: World) -> None:
    """Unless another fault of a storm did so already."""
    if not world.ground.postgres.server.is_running:
        world.ground.postgres.start(patience=60)


def _all_connections(ground: Ground) -> Iterator[psycopg.Connection[Any]]:
    url = ground.postgres.url("chimeway_app")
    with suppress(psycopg.OperationalError):
        for _ in range(300):
            yield psycopg.connect(url, connect_timeout=5)


FAULTS = (
    kill_postgres,
    kill_postgres_again_and_again,
    restart_postgres,
    terminate_backends,
    take_all_connections,
    hold_locks,
    cut_database_link,
    silence_database_link,
    slow_database_link,
)
