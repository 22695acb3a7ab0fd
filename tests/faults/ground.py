"""What a run of `bin/prove` stands on: servers behind proxies, the service's processes, a provider, tenants."""

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from chimeway_py.demo import commands
from chimeway_py.demo.screen import say
from chimeway_py.demo.supervisor import Supervisor
from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.memory import LOOPBACK, listen
from chimeway_py.embedded.postgres import Postgres
from chimeway_py.embedded.processes import Child, DidNotStart
from tests.faults.calls import Calls, Tenant
from tests.faults.provider import Provider
from tests.faults.proxy import Proxy

LEASE_SECONDS = 4  # short, so that a run of three minutes sees many of them end
RESTART_AFTER = 1.0  # seconds, as the systemd units have it
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "CHIMEWAY_POSTGRES_BIN", "VIRTUAL_ENV")


class Ground:
    """Started in order, stopped in any state. Start it in the main thread: children die with their starter.

    `root` holds the code that is started; what looks at it from outside is always today's.
    """

    def __init__(self, folder: Path, slugs: list[str], root: Path = commands.ROOT) -> None:
        self.folder, self.root = folder, root
        self.slugs = slugs
        self.logs = folder / "logs"
        self.logs.mkdir()
        (folder / "static").mkdir()
        self.postgres = Postgres(folder / "postgres")
        self.broker = Broker(folder / "broker")
        self.mailbox = Mailbox(folder / "mail")
        self.provider = Provider(folder / "ledger.jsonl").start()
        self.database_link = Proxy(0)
        self.broker_link = Proxy(0)
        self.supervisor: Supervisor | None = None
        self.tenants: list[Tenant] = []
        self.env: dict[str, str] = {}

    def start(self) -> None:
        """Servers, tenants, processes. Raises DidNotStart."""
        self.postgres.start()
        self.broker.start()
        self.mailbox.start()
        for link, target in ((self.database_link, self.postgres.port), (self.broker_link, self.broker.port)):
            link.target = target
            link.start()
        self.env = self._environment()
        say("Migrating, and making tenants")
        keys = self._prepare()
        self.listener = listen()
        port = self.listener.getsockname()[1]
        self.calls = Calls(LOOPBACK, port, self.folder / "requests.jsonl")
        self.tenants = [Tenant(slug, key) for slug, key in keys.items()]
        self.supervisor = Supervisor(self._processes(port, self.listener), longest_pause=RESTART_AFTER)
        say("Starting web, workers, two beats and two sweepers")
        self.supervisor.start()
        self._wait_until_ready()

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        if self.supervisor:
            self.supervisor.kill()
        for link in (self.database_link, self.broker_link):
            if hasattr(link, "port"):
                link.stop()
        self.provider.stop()
        for server in (self.mailbox, self.broker, self.postgres):
            server.stop()

    def leave_out_links(self) -> None:
        """Ask every process to stop; when it starts again, no proxy stands between it and the servers."""
        assert self.supervisor
        direct = {"DATABASE_URL": self.postgres.url(), "BROKER_URL": self.broker.url}
        for watched in self.supervisor.watched:
            watched.child.env = {**(watched.child.env or {}), **direct}
            watched.child.ask_to_stop()

    def child(self, name: str) -> Child:
        """A process of the service."""
        assert self.supervisor
        return self.supervisor.child(name)

    def superuser(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection past the proxy and past row-level security."""
        return self.postgres.connect()

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command, past the proxies."""
        return self._run(["manage.py", *arguments])

    def heads(self, verb: str) -> subprocess.CompletedProcess[str]:
        """Sign and keep heads of all traces, or check those that were kept."""
        return self._run(["-m", "tests.faults.keep", verb, str(self.folder / "heads")])

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        env = {**self.env, "DATABASE_URL": self.postgres.url(), "CHIMEWAY_PROCESS": "command"}
        command = [sys.executable, *words]
        return subprocess.run(command, env=env, cwd=commands.ROOT, capture_output=True, text=True, check=False)

    def _environment(self) -> dict[str, str]:
        return {name: os.environ[name] for name in KEPT if name in os.environ} | {
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "HEAD_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "PAYLOAD_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "ALLOWED_HOSTS": LOOPBACK,
            "HTTPS": "0",
            "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",
            "STATIC_ROOT": str(self.folder / "static"),
            "LOG_LEVEL": "WARNING",
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "EMAIL_URL": self.mailbox.url,
            "DATABASE_URL": _through(self.postgres.url(), self.database_link.port),
            "BROKER_URL": _through(self.broker.url, self.broker_link.port),
        }

    def _prepare(self) -> Mapping[str, str]:
        answer = self.folder / "keys.json"
        env = {
            **self.env,
            "DATABASE_URL": self.postgres.url(),
            "DATABASE_OWNER_URL": self.postgres.url("chimeway_owner"),
        }
        command = [sys.executable, "-m", "tests.faults.prepare", str(answer), *self.slugs]
        done = subprocess.run(command, env=env, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DidNotStart(f"The database could not be prepared:\n{done.stdout}{done.stderr}")
        keys: Mapping[str, str] = json.loads(answer.read_text())
        answer.unlink()
        return keys

    def _processes(self, port: int, listener: socket.socket) -> list[Child]:
        (self.logs / "second").mkdir()
        seconds = [make(self.env, self.logs / "second") for make in (commands.beat, commands.sweeper)]
        for child in seconds:
            child.name = f"{child.name}-2"
        children = [*commands.service(self.env, self.logs, port, listener), *seconds]
        for child in children:
            child.cwd = self.root
        return children

    def _wait_until_ready(self, patience: float = 90.0) -> None:
        deadline = time.monotonic() + patience
        while self.calls.once("GET", "/readyz", timeout=2).status != 200:
            if time.monotonic() > deadline:
                raise DidNotStart(f"The web server does not answer:\n{self.child('web').log_tail()}")
            time.sleep(0.2)


def end(ground: Ground) -> None:
    """End every process, also when somebody interrupts meanwhile."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    began = time.monotonic()
    ground.stop()
    for number, handler in before.items():
        signal.signal(number, handler)
    say(f"All processes ended ({time.monotonic() - began:.1f} s)")


def _through(url: str, port: int) -> str:
    """The address with another port."""
    parts = urllib.parse.urlsplit(url)
    head, _, _ = parts.netloc.rpartition(":")
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{head}:{port}"))
