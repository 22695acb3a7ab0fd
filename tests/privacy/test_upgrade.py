"""What was stored before there were vaults is carried over, and can be read as before."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chimeway_py.embedded.postgres import Postgres
from tests.privacy import upgrade

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty_server() -> Iterator[Postgres]:
    """A PostgreSQL of its own, without tables."""
    with tempfile.TemporaryDirectory(prefix="chimeway-upgrade-") as name:
        Path(name).chmod(0o711)  # PostgreSQL runs as another user when we are root
        server = Postgres(Path(name) / "postgres", durable=False)
        server.start()
        yield server
        server.stop()


def test_rows_of_before_are_sealed_and_open(empty_server: Postgres) -> None:
    owner, app = empty_server.url("chimeway_owner"), empty_server.url("chimeway_app")
    settings = {"DATABASE_URL": app, "DATABASE_OWNER_URL": owner, "DJANGO_SETTINGS_MODULE": "chimeway_py.settings"}

    program = [sys.executable, "-m", "tests.privacy.upgrade"]
    done = subprocess.run(
        program, env={**os.environ, **settings}, cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "payload": json.loads(upgrade.BODY),
        "address": True,
        "digest": True,
        "source": "old secret",
        "endpoint": ["whsec_old"],
        "template": ["Old words", 1, "published", True],
        "answer": upgrade.BODY,
    }
    with empty_server.connect() as reader:
        tables = ("signals_app_payload", "signals_app_signalsource", "deliveries_endpoint", "tenants_idempotencyrecord")
        kept = [str(row) for table in tables for row in reader.execute(f"SELECT t::text FROM {table} t").fetchall()]  # noqa: S608
    assert not [row for row in kept if "old" in row or upgrade.SHA.hex() in row]
