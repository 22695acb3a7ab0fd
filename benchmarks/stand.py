"""What a benchmark stands on: PostgreSQL with fsync on, a broker, and the processes of the service."""

import base64
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.meter import Observer, family, memory_mb
from chimeway_py.demo import commands
from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from chimeway_py.embedded.processes import Child, DidNotStart

# Changed from the defaults for every product that is measured here. fsync and synchronous_commit stay on.
SETTINGS = ("max_connections=200", "shared_buffers=1GB", "max_wal_size=4GB", "checkpoint_timeout=15min")
COUNTED = ("shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track=all")
OURS = ("DJANGO_SETTINGS_MODULE", "SECRET_KEY", "DATABASE_URL", "BROKER_URL", "EMAIL_URL")  # nobody else's business
_MIGRATE = [sys.executable, "manage.py", "migrate", "--database", "owner", "--verbosity", "0"]


class Fleet:
    """The workers of the service as `bin/demo` starts them: engine, work, beat and sweeper."""

    def __init__(self, env: Mapping[str, str], logs: Path) -> None:
        make = (commands.engine_worker, commands.delivery_worker, commands.beat, commands.sweeper)
        self.children: list[Child] = [one(env, logs) for one in make]

    def start(self, *, patience: float = 60.0) -> None:
        """Start what does not run; returns when both workers listen. Raises DidNotStart with their logs."""
        from chimeway_py.celery import app  # reads the settings, which name servers that run only now

        for child in self.children:
            if not child.is_running:
                child.start()
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            answers = app.control.ping(timeout=0.5) or []
            if {name.split("@")[0] for answer in answers for name in answer} >= {"engine", "work"}:
                return
        raise DidNotStart("\n".join(["The workers do not answer.", *(child.log_tail() for child in self.children)]))

    def stop(self) -> None:
        """End all of them. Stopping twice is harmless."""
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.stop()

    @property
    def pids(self) -> list[int]:
        """Every process of every worker."""
        return [pid for child in self.children if child.is_running for pid in family(child.pid)]

    def pids_of(self, name: str) -> list[int]:
        """Every process of one of them."""
        return [pid for child in self.children if child.name == name and child.is_running for pid in family(child.pid)]

    def memory_mb(self) -> dict[str, int]:
        """What each kind of worker has now: who routes and starts runs, who does work, and who sweeps."""
        return {name: round(memory_mb(self.pids_of(name))) for name in ("engine", "work", "sweeper")}


class Stand:
    """Servers that run, and the settings of a service on them."""

    def __init__(
        self, postgres: Postgres, broker: Broker, mailbox: Mailbox, env: Mapping[str, str], logs: Path
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.postgres, self.broker, self.mailbox, self.env, self.logs = postgres, broker, mailbox, env, logs
        self.outside = {name: value for name, value in os.environ.items() if name not in OURS}
        self.fleet = Fleet(env, logs)

    def start_mailbox(self) -> None:
        """The mail server, for those who send mail."""
        if not self.mailbox.is_running:
            self.mailbox.start()

    def observer(self) -> Observer:
        """Another client of the database, who sees every tenant."""
        return Observer(self.postgres.connect())

    def parts(self) -> dict[str, list[int]]:
        """The processes whose CPU is counted, by part."""
        return {
            "workers": self.fleet.pids,
            "postgres": family(self.postgres.server.pid),
            "broker": family(self.broker.server.pid),
        }


class OwnStand(Stand):
    """A stand in a folder of its own, which is gone when it stops."""

    def __init__(self, below: Path | None = None, *, settings: Sequence[str] = ()) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="chimeway-bench-", dir=below))
        self.home.chmod(0o711)  # PostgreSQL runs as another user when we are root
        postgres = Postgres(self.home / "postgres", settings=[*SETTINGS, *settings])
        broker, mailbox = Broker(self.home / "broker"), Mailbox(self.home / "mail")
        mailbox.port = mailbox.memory.port("smtp")
        try:
            postgres.start()
            broker.start()
            env = {**os.environ, **_settings(self.home), **_addresses(postgres, broker, mailbox)}
            super().__init__(postgres, broker, mailbox, env, self.home)
            self._migrate()
        except BaseException:
            broker.stop()
            postgres.stop()
            _remove(postgres.folder, self.home)
            raise

    def use(self) -> None:
        """Give this process the same settings as the workers have."""
        import django

        os.environ.update(self.env)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
        django.setup()

    def stop(self) -> None:
        """End everything and remove every file."""
        self.fleet.stop()
        self.mailbox.stop()
        self.broker.stop()
        self.postgres.stop()
        _remove(self.postgres.folder, self.home)

    def _migrate(self) -> None:
        env = {**self.env, "DATABASE_OWNER_URL": self.postgres.url("chimeway_owner")}
        done = subprocess.run(_MIGRATE, env=env, cwd=commands.ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DidNotStart(f"The database could not be migrated:\n{done.stdout}{done.stderr}")
        with self.postgres.connect() as connection:
            connection.execute("CHECKPOINT")


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(home: Path) -> dict[str, str]:
    (home / "static").mkdir()
    return {
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "PAYLOAD_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "HTTPS": "0",
        "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",
        "STATIC_ROOT": str(home / "static"),
        "LOG_LEVEL": "WARNING",
    }


def _addresses(postgres: Postgres, broker: Broker, mailbox: Mailbox) -> dict[str, str]:
    return {"DATABASE_URL": postgres.url("chimeway_app"), "BROKER_URL": broker.url, "EMAIL_URL": mailbox.url}
