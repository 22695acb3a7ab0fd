"""Loaded before Django's settings: gives every test session a PostgreSQL and a broker of its own, on free ports."""

import base64
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from tests.migrated import migrated_copy

LONG_FOLDERS = ("demo", "benchmarks", "model", "processes", "faults", "privacy", "races", "control", "trace")
SERVERS = pytest.StashKey["Servers"]()


class Servers:
    """What the tests of one session stand on. Sessions side by side do not meet."""

    def __init__(self) -> None:
        _forget_dead_sessions()
        self.folder, self._lock = _own_folder()
        self.static = self.folder / "static"
        self.static.mkdir()
        self.postgres: Postgres = migrated_copy(self.folder / "postgres")
        self.broker = Broker(self.folder / "broker")
        self.mailbox = Mailbox(self.folder / "mail")

    def start(self) -> None:
        """Start the servers and point the settings at them."""
        self.postgres.start()
        self.broker.start()
        self.mailbox.start()
        os.environ.update(self.environment())

    def environment(self) -> dict[str, str]:
        """Settings of this session, for this process and for those that tests start."""
        return {
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_urlsafe(40),
            "PAYLOAD_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "HEAD_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
            "HTTPS": "0",
            "DATABASE_URL": self.postgres.url("chimeway_app"),
            "DATABASE_OWNER_URL": self.postgres.url("chimeway_owner"),
            "BROKER_URL": self.broker.url,
            "EMAIL_URL": self.mailbox.url_with_password,
            "STATIC_ROOT": str(self.static),
            "LOG_LEVEL": "WARNING",
        }

    def stop(self) -> None:
        """End everything and remove every file."""
        self.mailbox.stop()
        self.broker.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _own_folder() -> tuple[Path, IO[str]]:
    """A folder for this session, and the open file whose lock says that the session lives."""
    draft = Path(tempfile.mkdtemp(prefix="chimeway-new-"))
    draft.chmod(0o711)  # PostgreSQL runs as another user when we are root
    lock = (draft / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return draft.rename(draft.with_name(draft.name.replace("new", "tests", 1))), lock


def _forget_dead_sessions() -> None:
    """Remove what sessions left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob("chimeway-tests-*"):
        with suppress(OSError), (folder / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start the servers, then let pytest-django load the settings. Processes side by side have servers of their own."""
    if _only_hands_out(early_config):
        os.environ["DEBUG"] = "1"  # it loads the settings, and needs nothing that they name
        return (yield)
    servers = Servers()
    early_config.stash[SERVERS] = servers
    early_config.add_cleanup(servers.stop)
    servers.start()
    return (yield)


def _only_hands_out(early_config: pytest.Config) -> bool:
    """Whether this is the process that gives tests to others (`-n`) and runs none."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    return bool(getattr(early_config.known_args_namespace, "numprocesses", None)) and not is_worker


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long goes first, so that in the end no process is left alone with it."""
    ranks = {name: rank for rank, name in enumerate(LONG_FOLDERS)}
    items.sort(key=lambda item: ranks.get(item.path.parent.name, len(ranks)))


def pytest_report_header(config: pytest.Config) -> str:
    """Say which server the session runs on."""
    if SERVERS not in config.stash:
        return "PostgreSQL of its own for each process"
    with config.stash[SERVERS].postgres.connect() as connection:
        return f"PostgreSQL {connection.info.server_version // 10000} of its own"
