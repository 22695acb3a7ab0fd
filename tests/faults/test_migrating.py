"""Migrations while the service runs: they wait for a lock only for a moment, and nobody queues behind them for long."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from chimeway_py.embedded.postgres import Postgres
from tests.migrated import ROOT, migrated_copy
from tests.plugin import Servers

BEFORE = ("deliveries", "0003")
AFTER = ("deliveries", "0004")  # changes a table that everybody reads
LOCK_TIMEOUT = 0.4
HELD_UP = 3.0  # seconds: a machine that is busy adds to the lock timeout, and the lock is held for longer than this


@pytest.fixture(scope="module")
def own_postgres(servers: Servers) -> Iterator[Postgres]:
    """A server whose database is as it was before: every migration since then was undone."""
    server = migrated_copy(servers.folder / "migrating")
    server.start()
    migrating = migrate(server, *BEFORE)
    _, told = migrating.communicate(timeout=150)
    assert migrating.returncode == 0, told
    yield server
    server.stop()


def migrate(server: Postgres, *arguments: str) -> subprocess.Popen[str]:
    env = {**os.environ, "DATABASE_OWNER_URL": server.url("chimeway_owner"), "DATABASE_URL": server.url()}
    command = [sys.executable, "manage.py", "migrate", "--database", "owner", *arguments]
    return subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Reader(threading.Thread):
    """Somebody who looks at the table all the time; `longest` is how long they had to wait for it."""

    def __init__(self, server: Postgres) -> None:
        super().__init__(daemon=True)
        self.server, self.going, self.longest, self.looks = server, True, 0.0, 0

    def run(self) -> None:
        with self.server.connect() as connection:
            while self.going:
                began = time.monotonic()
                connection.execute("SELECT count(*) FROM deliveries_inboxitem")
                self.longest = max(self.longest, time.monotonic() - began)
                self.looks += 1
                time.sleep(0.01)


def test_a_lock_that_is_never_given_is_told(own_postgres: Postgres) -> None:
    with own_postgres.connect() as user:
        user.execute("BEGIN")
        user.execute("SELECT count(*) FROM deliveries_inboxitem")
        _, told = migrate(own_postgres, *AFTER, "--lock-timeout", "0.1", "--tries", "2").communicate(timeout=150)

    assert "A lock was never given" in told


def test_a_migration_that_must_wait_holds_up_nobody(own_postgres: Postgres) -> None:
    reader = Reader(own_postgres)
    with own_postgres.connect() as user:
        user.execute("BEGIN")
        user.execute("SELECT count(*) FROM deliveries_inboxitem")
        reader.start()
        migrating = migrate(own_postgres, *AFTER, "--lock-timeout", str(LOCK_TIMEOUT))
        assert migrating.stderr
        told = migrating.stderr.readline() + migrating.stderr.readline()
        began = time.monotonic()
        while time.monotonic() < began + HELD_UP or (reader.looks <= 20 and time.monotonic() < began + 40):
            time.sleep(0.05)
        still_waiting = migrating.poll() is None
        user.execute("COMMIT")
    _, more = migrating.communicate(timeout=150)
    reader.going = False
    reader.join(60)

    assert still_waiting
    assert "tried 1 of 60 times" in told, told + more
    assert migrating.returncode == 0, told + more
    assert reader.looks > 20
    assert reader.longest < HELD_UP
    with own_postgres.connect() as connection:
        assert connection.execute("SELECT count(sealed) FROM deliveries_inboxitem").fetchone() == (0,)
