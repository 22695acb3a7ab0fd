"""A full disk. `ulimit -f` stands in for it: PostgreSQL meets the same refusal when it wants to make a file longer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chimeway_py.embedded.memory import LOOPBACK
from chimeway_py.embedded.postgres import Postgres
from tests.faults.calls import Calls, Tenant
from tests.fleet import Web
from tests.migrated import ROOT, migrated_copy

LIMIT = 5_000  # blocks of 1,024 bytes: more than any file of an empty database or of its log has


class Small(Postgres):
    """A server whose files may not grow beyond the limit."""

    def limit(self) -> None:
        """From the next start on."""
        folder = self.folder / "small"
        folder.mkdir(mode=0o755)
        for name in ("postgres", "initdb"):
            script = folder / name
            script.write_text(f'#!/bin/bash\nulimit -S -f {LIMIT}\nexec "{self._programs / name}" "$@"\n')
            script.chmod(0o755)
        self._programs = folder

    def make_room(self) -> None:
        """Somebody removes what fills the disk."""
        with self.connect() as superuser:
            superuser.execute("TRUNCATE signals_app_payload")


@pytest.fixture
def small(open_folder: Path) -> Iterator[Small]:
    server = Small(migrated_copy(open_folder / "postgres").folder, durable=False)
    server.limit()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def tenant_there(small: Small, open_folder: Path) -> Tenant:
    env = {**os.environ, "DATABASE_URL": small.url(), "DATABASE_OWNER_URL": small.url("chimeway_owner")}
    keys = open_folder / "keys.json"
    subprocess.run([sys.executable, "-m", "tests.faults.prepare", str(keys), "acme"], env=env, cwd=ROOT, check=True)
    return Tenant("acme", json.loads(keys.read_text())["acme"])


@pytest.fixture
def calls(small: Small, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    monkeypatch.setenv("DATABASE_URL", small.url())
    web = Web(open_folder / "logs")
    web.start()
    yield Calls(LOOPBACK, web.listener.getsockname()[1], open_folder / "requests.jsonl")
    web.stop()


def test_a_full_disk_accepts_nothing_that_it_cannot_keep_and_recovers(
    small: Small, tenant_there: Tenant, calls: Calls
) -> None:
    accepted = refused = 0
    while refused < 3 and accepted < 400:
        signal = {"name": "filler", "data": {"noise": os.urandom(60_000).hex()}}
        answer = calls.ask(tenant_there, "POST", "signals", signal)
        accepted += answer.accepted
        refused += not answer.accepted

    assert refused == 3, "the disk never became full"
    assert calls.faults == []
    assert set(calls.statuses) == {202, 503}
    assert calls.ask(tenant_there, "GET", "signals?limit=1").status == 200
    assert stored(small) == accepted > 10

    small.make_room()
    assert calls.insist(tenant_there, "POST", "signals", {"name": "after", "data": {"a": "b" * 1000}}).status == 202
    assert stored(small) == accepted + 1


def stored(server: Postgres) -> int:
    with server.connect() as superuser:
        found = superuser.execute("SELECT count(*) FROM signals_app_signal").fetchone()
    assert found is not None
    return int(found[0])
