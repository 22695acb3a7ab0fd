"""A PostgreSQL server of our own: data, port and passwords stay, whatever happens to the process."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from chimeway_py.embedded import accounts, postgres_files
from chimeway_py.embedded.memory import LOOPBACK, Memory
from chimeway_py.embedded.processes import Child, DidNotStart

SUPERUSER = "postgres"
DATABASE = "chimeway"
ROLES = ("chimeway_owner", "chimeway_app", "chimeway_operator")
ROLES_SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "roles.sql"
STILL_IN_USE = ("pre-existing shared memory block", "is still in use")  # backends outlive a killed server for a moment
PORT_TAKEN = "could not create any TCP/IP sockets"
HASTY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # for tests that are not about durability


class Postgres:
    """One server in one folder. `durable=False` trades safety against power loss for speed.

    `settings` are further ones, as "name=value"; the last of a name counts.

    As root it runs as another user; if that user cannot reach `folder`, the data lies in a system place linked from it.
    """

    def __init__(
        self, folder: Path, *, durable: bool = True, port: int | None = None, settings: Sequence[str] = ()
    ) -> None:
        self.account = accounts.unprivileged()
        self.folder = accounts.reachable_folder(folder.absolute(), self.account)
        self.memory = Memory(self.folder / "memory.json")
        self.data = self.folder / "data"
        self.durable = durable
        self.settings = settings
        self.port = port or 0
        self._programs = postgres_files.programs(self.account)
        self._server: Child | None = None

    @property
    def server(self) -> Child:
        """The running server's process. Raises RuntimeError before `start`."""
        if self._server is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._server

    def start(self, *, patience: float = 30.0) -> None:
        """Start the server, creating data, roles and database where they are missing; returns when it answers.

        Raises DidNotStart with the end of the log, or when another server still runs in the same folder.
        """
        deadline = time.monotonic() + patience
        self._wait_for_predecessor(deadline)
        self._initialise()
        self.port = self.memory.port("postgres", self.port or None)
        while not self._started_before(deadline):
            time.sleep(0.2)
        self._create_database()

    def stop(self) -> None:
        """Shut down in good order: sessions are ended, nothing committed is lost. Stopping twice is harmless."""
        if self._server is not None:
            self._server.stop(grace=20)

    def kill(self) -> None:
        """SIGKILL, as a crash would do it."""
        self.server.kill()

    def url(self, role: str = "chimeway_app", database: str = DATABASE) -> str:
        """The address of a database as one of `ROLES` or as the superuser, password included."""
        return f"postgres://{role}:{self.memory.password(role)}@{LOOPBACK}:{self.port}/{database}"

    def connect(self, role: str = SUPERUSER, database: str = DATABASE) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection in autocommit mode."""
        return psycopg.connect(self.url(role, database), autocommit=True, connect_timeout=5)

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            self._refuse_other_version()
            return
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password = self.folder / "password.new"
        password.touch(mode=0o600)
        password.write_text(self.memory.password(SUPERUSER))
        for path in (draft, password):
            accounts.give(path, self.account)
        command = [self._programs / "initdb", "-D", draft, "-U", SUPERUSER, "-A", "scram-sha-256", "-E", "UTF8"]
        options = ["--no-locale", "--no-instructions", f"--pwfile={password}", "--wal-segsize=4"]
        options.append("--no-sync")  # nobody's data is in it yet, and waiting for a slow disk costs seconds
        made = subprocess.run(
            [*map(str, command), *options],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **self._as_account(),
        )
        password.unlink()
        if made.returncode != 0:
            raise DidNotStart(f"initdb failed:\n{made.stderr}")
        draft.rename(self.data)  # either complete or not there

    def _refuse_other_version(self) -> None:
        made_by = postgres_files.major_version(self.data)
        answer = subprocess.run([self._programs / "postgres", "--version"], capture_output=True, text=True, check=True)
        ours = answer.stdout.split()[2].split(".")[0]
        if made_by != ours:
            raise DidNotStart(
                f"{self.data} was made by PostgreSQL {made_by}, not {ours}. Remove {self.folder} to start anew."
            )

    def _as_account(self) -> dict[str, Any]:
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []} if self.account else {}

    def _started_before(self, deadline: float) -> bool:
        settings = [f"port={self.port}", f"listen_addresses={LOOPBACK}", "unix_socket_directories=", "timezone=UTC"]
        settings += ["max_connections=150", "jit=off", *([] if self.durable else HASTY), *self.settings]
        log = self.folder / "log"
        log_before = log.stat().st_size if log.exists() else 0
        self._server = Child(
            "postgres",
            [self._programs / "postgres", "-D", self.data, *(f"--{setting}" for setting in settings)],
            cwd=self.folder,
            log=log,
            account=self.account,
            stop_signal=signal.SIGINT,  # to PostgreSQL: end the sessions, then shut down
        )
        self._server.start()
        while time.monotonic() < deadline:
            if not self._server.is_running:
                said = log.read_text(errors="replace")[log_before:]
                if PORT_TAKEN in said:
                    self.port = self.memory.port("postgres")
                if PORT_TAKEN in said or any(reason in said for reason in STILL_IN_USE):
                    return False
                raise DidNotStart(f"PostgreSQL ended at once:\n{said[-3000:]}")
            if self._is_ours():
                return True
            time.sleep(0.03)
        self._server.kill()
        raise DidNotStart(f"PostgreSQL was not ready in time:\n{self._server.log_tail()}")

    def _is_ours(self) -> bool:
        """Whether our server answers: a copy of it may have been quicker on the same port, with the same passwords."""
        with suppress(psycopg.OperationalError), self.connect(database="postgres") as connection:
            found = connection.execute("SHOW data_directory").fetchone()
            return found is not None and Path(found[0]).resolve() == self.data.resolve()
        return False

    def _create_database(self) -> None:
        with self.connect(database="postgres") as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not found:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        with self.connect() as connection:
            connection.execute(ROLES_SCRIPT.read_bytes())
            for role in ROLES:
                change = sql.SQL("ALTER ROLE {} PASSWORD {}")
                connection.execute(change.format(sql.Identifier(role), self.memory.password(role)))

    def _wait_for_predecessor(self, deadline: float) -> None:
        pid_file = self.data / "postmaster.pid"
        while pid := self._predecessor(pid_file):
            if time.monotonic() >= deadline:
                raise DidNotStart(f"Another PostgreSQL (process {pid}) runs in {self.data}.")
            time.sleep(0.1)
        pid_file.unlink(missing_ok=True)

    def _predecessor(self, pid_file: Path) -> int | None:
        """The process that the pid file names, unless it is gone or the number now belongs to some other program."""
        with suppress(OSError, ValueError, IndexError):
            pid = int(pid_file.read_text().splitlines()[0])
            os.kill(pid, 0)
            return pid if _is_server_in(pid, self.data) else None
        return None


def _is_server_in(pid: int, data: Path) -> bool:
    try:
        command, *arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # without /proc we cannot tell, so believe the file
    return Path(command).name in ("postgres", "postmaster") and str(data) in arguments
