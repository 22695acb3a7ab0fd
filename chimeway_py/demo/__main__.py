"""`python -m chimeway_py.demo`: start everything, keep it alive, say where it is, and end all of it on Ctrl-C."""

import argparse
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from types import FrameType

from chimeway_py.demo import commands
from chimeway_py.demo.once import walk_once
from chimeway_py.demo.place import AlreadyRunning, Place
from chimeway_py.demo.screen import say, welcome
from chimeway_py.demo.supervisor import Supervisor
from chimeway_py.embedded.accounts import CannotReach
from chimeway_py.embedded.broker import NoBroker
from chimeway_py.embedded.memory import LOOPBACK, listen
from chimeway_py.embedded.postgres_files import NoPostgres
from chimeway_py.embedded.processes import DidNotStart

USUAL_PORT = 8000
LOOK_EVERY = 0.25  # seconds


class Demo:
    """The service, prepared and running in one place."""

    def __init__(self, place: Place, listener: socket.socket) -> None:
        self.place = place
        port = listener.getsockname()[1]
        self.url = f"http://{LOOPBACK}:{port}"
        shop_port = place.memory.port("shop")
        self.shop_url = f"http://{LOOPBACK}:{shop_port}"
        self.env = {"INBOX_ORIGINS": self.shop_url, "PUBLIC_URL": self.url, **place.environment()}
        carriers_port = place.carriers_port()
        self.carriers_url = f"http://{LOOPBACK}:{carriers_port}"
        carriers = commands.carriers(self.env, place.logs, carriers_port, place.carried)
        shop = commands.shop(self.env, place.logs, shop_port, self.url, place.memory.path)
        self.supervisor = Supervisor([carriers, shop, *commands.service(self.env, place.logs, port, listener)])

    def prepare(self) -> None:
        """Migrate and seed. Raises DidNotStart with what went wrong."""
        say("Migrating and seeding")
        owner = self.place.owner_url()
        env = {**self.env, **({"DATABASE_OWNER_URL": owner} if owner else {})}
        command = [sys.executable, "-m", "chimeway_py.demo.prepare", str(self.place.memory.path)]
        command.append(self.carriers_url)
        done = subprocess.run(command, env=env, cwd=commands.ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DidNotStart(f"The database could not be prepared:\n{done.stdout}{done.stderr}")
        self.place.memory.reload()

    def start(self, patience: float = 60.0) -> None:
        """Start every process; returns when the web server answers. Raises DidNotStart with its log."""
        say("Starting web, workers and beat")
        self.supervisor.start()
        web = self.supervisor.child("web")
        deadline = time.monotonic() + patience
        while not self.answers():
            if time.monotonic() > deadline or not web.is_running:
                raise DidNotStart(f"The web server does not answer:\n{web.log_tail()}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether the service says that it is ready."""
        try:
            urllib.request.urlopen(f"{self.url}/readyz", timeout=2).close()  # noqa: S310
        except (urllib.error.URLError, OSError):
            return False
        return True

    def watch(self) -> None:
        """Start again what ends, until somebody interrupts."""
        while True:
            self.supervisor.look()
            time.sleep(LOOK_EVERY)


def main(arguments: Sequence[str]) -> int:
    """Run the demo until it is interrupted; the exit code says whether it could."""
    options = parse(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # also where a script told us to ignore them
        signal.signal(number, _interrupt)
    try:
        place = Place()
        listener = choose_listener(options.port, place)
    except (NoPostgres, NoBroker, CannotReach, DidNotStart) as error:
        return _failed(error)
    except PermissionError as error:
        return _failed(f"{error.filename} belongs to another user. Remove it, or set CHIMEWAY_HOME to another folder.")
    demo: Demo | None = None
    try:
        place.start()
        demo = Demo(place, listener)
        demo.prepare()
        demo.start()
        if options.once:
            say("Walking the scenario")
            return 0 if walk_once(place, demo.supervisor, demo.url, demo.carriers_url) else 1
        print(welcome(demo.url, place.memory.recall("seeded", dict), servers(place), demo.shop_url), flush=True)
        demo.watch()
    except (DidNotStart, AlreadyRunning) as error:
        return _failed(error)
    except KeyboardInterrupt:
        print(flush=True)
        return 130 if options.once else 0
    finally:
        stop(demo, place)
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="bin/demo", description="Run the whole service on this machine.")
    parser.add_argument("--port", type=int, help=f"port of the web server (default {USUAL_PORT}, or a free one)")
    parser.add_argument(
        "--once", action="store_true", help="walk the scenario, print it, and exit 0 if every step held"
    )
    return parser.parse_args(arguments)


def choose_listener(wanted: int | None, place: Place) -> socket.socket:
    """The socket for the web server: ours from now on, so no other program can be taken for our server.

    Raises DidNotStart when the port asked for is taken.
    """
    try:
        return listen(USUAL_PORT if wanted is None else wanted)
    except OSError as error:
        if wanted is not None:
            raise DidNotStart(f"Port {wanted} cannot be used: {error.strerror}.") from error
        return listen(place.memory.port("web"))


def servers(place: Place) -> dict[str, str]:
    """Where to look besides the web server."""
    env = place.environment()
    found = {"PostgreSQL": env["DATABASE_URL"], "Broker": env["BROKER_URL"]}
    if place.mailbox:
        found["Mail"] = f"{place.mailbox.url}, kept in {place.mailbox.folder / 'mail'}"
    found["Carried"] = f"text messages, chat, push and webhooks are kept in {place.carried}"
    return {**found, "Logs": str(place.logs)}


def stop(demo: Demo | None, place: Place) -> None:
    """End everything; a second interrupt ends it at once."""
    say("Stopping")
    try:
        if demo:
            demo.supervisor.stop()
    except KeyboardInterrupt:
        pass
    finally:
        if demo:
            demo.supervisor.kill()
        place.stop()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _failed(error: Exception | str) -> int:
    print(f"✗ {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
