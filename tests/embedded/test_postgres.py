"""The embedded PostgreSQL survives what happens to processes on a machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from chimeway_py.embedded import accounts, memory
from chimeway_py.embedded.postgres import Postgres
from chimeway_py.embedded.processes import DidNotStart
from tests.embedded.gone import ends, is_alive
from tests.migrated import migrated_copy


@pytest.fixture
def folder(open_folder: Path) -> Path:
    return open_folder / "postgres"


@pytest.fixture
def server(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder)
    server.start()
    yield server
    server.stop()


def test_committed_rows_port_and_passwords_survive_kill_9(server: Postgres, folder: Path) -> None:
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    address = server.url()

    server.kill()
    again = Postgres(folder)
    again.start()

    try:
        assert again.url() == address
        with again.connect() as connection:
            assert connection.execute("SELECT one FROM kept").fetchone() == (1,)
    finally:
        again.stop()


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("999999999", id="no such process"),
        pytest.param(str(os.getpid()), id="a process that is not PostgreSQL"),
        pytest.param("garbage", id="not a number"),
    ],
)
def test_a_stale_pid_file_does_not_keep_the_server_down(server: Postgres, number: str) -> None:
    server.stop()
    pid_file = server.data / "postmaster.pid"
    pid_file.write_text(f"{number}\n{server.data}\n")
    accounts.give(pid_file, server.account)

    server.start()

    assert server.server.is_running


def test_two_servers_never_share_a_folder(server: Postgres, folder: Path) -> None:
    with pytest.raises(DidNotStart, match=f"process {server.server.pid}"):
        Postgres(folder).start(patience=0.3)

    assert server.server.is_running


def test_another_server_on_its_port_is_not_taken_for_it(
    postgres: Postgres, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = migrated_copy(open_folder / "postgres")  # with the passwords of the one that runs
    copy.port = postgres.port
    really, asked = memory.is_free, iter([True])  # the port was free when it was looked at
    monkeypatch.setattr(memory, "is_free", lambda port: next(asked, False) or really(port))

    copy.start()

    try:
        assert copy.port != postgres.port
    finally:
        copy.stop()


def test_a_half_made_folder_is_made_anew(folder: Path) -> None:
    (folder / "data.new" / "base").mkdir(parents=True)
    server = Postgres(folder, durable=False)

    server.start()
    server.stop()

    assert (server.data / "PG_VERSION").exists()
    assert not (folder / "data.new").exists()


def test_data_of_another_version_is_refused_with_what_to_do(server: Postgres) -> None:
    server.stop()
    version = server.data / "PG_VERSION"
    made_by = version.read_text()
    version.write_text("9\n")

    with pytest.raises(DidNotStart, match="was made by PostgreSQL 9"):
        server.start()

    version.write_text(made_by)


def test_the_server_ends_with_the_program_that_started_it(folder: Path) -> None:
    program = (
        "import sys, os; from pathlib import Path; from chimeway_py.embedded.postgres import Postgres\n"
        "server = Postgres(Path(sys.argv[1]), durable=False); server.start()\n"
        "print(server.server.pid, flush=True); os.kill(os.getpid(), 9)"
    )

    starter = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=False)

    assert ends(int(starter.stdout))


def test_stopping_leaves_no_process_behind(server: Postgres) -> None:
    pid = server.server.pid

    server.stop()
    server.stop()

    assert not is_alive(pid)
    assert not (server.data / "postmaster.pid").exists()


def test_passwords_are_private_and_needed(server: Postgres) -> None:
    assert server.memory.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url().replace(server.memory.password("chimeway_app"), "guess"))
