"""What the service stands on here: the servers that the environment names, and embedded ones for those it does not."""

import base64
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from chimeway_py.demo.commands import ROOT
from chimeway_py.demo.screen import say
from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.memory import Memory
from chimeway_py.embedded.postgres import Postgres

# What a management command has to share with the running service. The role that migrates is not among them.
SETTINGS = (
    *("DEBUG", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "PAYLOAD_KEYS", "HEAD_KEYS"),
    *("ALLOWED_HOSTS", "HTTPS", "STATIC_ROOT"),
    *("DATABASE_URL", "BROKER_URL", "EMAIL_URL", "OUTBOUND_ALLOWED_NETWORKS"),
)


class AlreadyRunning(Exception):
    """Another demo runs in the same folder."""


class NotRunning(Exception):
    """No demo runs in the folder."""


class Place:
    """The folder of a demo and its servers. `CHIMEWAY_HOME` names the folder; without it, it lies in the checkout."""

    def __init__(self, given: Mapping[str, str] = os.environ) -> None:
        self.given = given
        self.home = Path(given.get("CHIMEWAY_HOME") or ROOT / ".chimeway").absolute()
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = (self.home / "lock").open("a+")
        self.logs = self.home / "logs"
        self.logs.mkdir(exist_ok=True)
        self.static = self.home / "static"  # stays empty: files are served from where they are
        self.static.mkdir(exist_ok=True)
        self.postgres = None if given.get("DATABASE_URL") else Postgres(self.home / "postgres")
        self.broker = None if given.get("BROKER_URL") else Broker(self.home / "broker")
        self.mailbox = None if given.get("EMAIL_URL") else Mailbox(self.home / "mail")
        self.memory = Memory(self.home / "demo.json")
        self.carried = self.home / "carried"  # where the carriers keep what the service gives them

    def start(self) -> None:
        """Start what is embedded. Raises AlreadyRunning, and DidNotStart with the reason."""
        self._take()
        if self.postgres:
            _timed("PostgreSQL", self.postgres.start)
        if self.broker:
            _timed("Broker", self.broker.start)
        if self.mailbox:
            _timed("Mail server", self.mailbox.start)
        settings = self.environment()
        self.memory.keep("settings", {name: settings[name] for name in SETTINGS if name in settings})

    def stop(self) -> None:
        """Stop what is embedded. Stopping twice is harmless."""
        for server in (self.mailbox, self.broker, self.postgres):
            if server:
                server.stop()

    def environment(self) -> dict[str, str]:
        """Settings of the service: ours, where the environment does not say otherwise."""
        ours = {
            "DEBUG": "0",
            "SECRET_KEY": str(self.memory.recall("secret_key", lambda: secrets.token_urlsafe(48))),
            "PAYLOAD_KEYS": str(self.memory.recall("payload_key", _new_key)),
            "HEAD_KEYS": str(self.memory.recall("head_key", _new_key)),
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "HTTPS": "0",
            "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",  # whoever tries the demo receives webhooks on the same machine
            "STATIC_ROOT": str(self.static),
            "LOG_LEVEL": "INFO",
        }
        if self.postgres:
            ours["DATABASE_URL"] = self.postgres.url("chimeway_app")
        if self.broker:
            ours["BROKER_URL"] = self.broker.url
        if self.mailbox:
            ours["EMAIL_URL"] = self.mailbox.url
        return {**ours, **self.given}

    def running_settings(self) -> dict[str, str]:
        """Settings of the demo that runs here, which may have been started in another shell. Raises NotRunning."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            self.memory.reload()
            return dict(self.memory.recall("settings", dict))
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        raise NotRunning(f"No demo runs in {self.home}. Start bin/demo, or set CHIMEWAY_HOME to the folder of yours.")

    def carriers_port(self) -> int:
        """The port of those who carry messages, the same as last time if it is free."""
        return self.memory.port("receiver")

    def owner_url(self) -> str:
        """The database as the role that migrates; only the preparation gets it. Empty when nobody told us."""
        return self.postgres.url("chimeway_owner") if self.postgres else self.given.get("DATABASE_OWNER_URL", "")

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"A demo already runs in {self.home}. Stop it, or set CHIMEWAY_HOME.") from None


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _timed(name: str, start: Callable[[], None]) -> None:
    began = time.monotonic()
    start()
    say(f"{name} is up ({time.monotonic() - began:.1f} s)")
