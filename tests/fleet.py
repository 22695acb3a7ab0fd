"""The processes of the service, started for a test: real Celery workers, beat and web server."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from chimeway_py.celery import app
from chimeway_py.demo import commands
from chimeway_py.embedded.memory import LOOPBACK, listen
from chimeway_py.embedded.processes import Child

NEARBY = {"OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8"}  # receivers of webhooks are on this machine in tests


def environment() -> dict[str, str]:
    """The settings of the session. More is logged than by its own process, to be looked through when it ends."""
    talkative = {} if os.environ.get("LOG_LEVEL") == "DEBUG" else {"LOG_LEVEL": "INFO"}
    return {**os.environ, **NEARBY, **talkative}


LEASE_SECONDS = 4  # of workers: short, so that a test sees one end, and long enough for a machine that is busy


class Workers:
    """One engine worker, one delivery worker and beat, all with the settings of the session."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(exist_ok=True)
        self.logs = logs
        self.env: dict[str, str] = {}
        self.engine = self.work = self.beat = Child("none", ["true"])

    @property
    def children(self) -> list[Child]:
        """All of them."""
        return [self.engine, self.work, self.beat]

    def start(self, env: Mapping[str, str] | None = None, *, seconds: float = 90.0) -> None:
        """Start what does not run, with `env` added to the settings, and wait until both workers listen."""
        self.env = {**os.environ, **NEARBY, "LEASE_SECONDS": str(LEASE_SECONDS), **(env or {})}
        for name, make in [
            ("engine", commands.engine_worker),
            ("work", commands.delivery_worker),
            ("beat", commands.beat),
        ]:
            if not getattr(self, name).is_running:
                setattr(self, name, make(self.env, self.logs))
                getattr(self, name).start()
        self.wait_until_listening(seconds)

    def wait_until_listening(self, seconds: float = 90.0) -> None:
        """Return when both workers answer. Raises AssertionError with their logs."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answers = app.control.ping(timeout=0.3) or []
            if {name.split("@")[0] for answer in answers for name in answer} >= {"engine", "work"}:
                return
        raise AssertionError("\n".join(["the workers did not answer", *(child.log_tail() for child in self.children)]))

    def kill(self) -> None:
        """SIGKILL to all of them, children of the workers included."""
        for child in self.children:
            child.kill()

    def stop(self) -> None:
        """Ask all of them to end, then make sure of it."""
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.stop()


class Web:
    """A real web server with the settings of the session."""

    def __init__(self, logs: Path) -> None:
        logs.mkdir(exist_ok=True)
        self.listener = listen()
        port = self.listener.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{port}"
        self.server = commands.web(environment(), logs, port, self.listener)

    def start(self, *, seconds: float = 90.0) -> None:
        """Start the server; returns when it answers requests. Raises AssertionError with its log."""
        self.server.start()
        deadline = time.monotonic() + seconds
        while not self._answers():
            if not self.server.is_running or time.monotonic() > deadline:
                raise AssertionError(f"the web server did not answer\n{self.server.log_tail()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=2).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End the server."""
        self.server.stop()
        self.listener.close()
