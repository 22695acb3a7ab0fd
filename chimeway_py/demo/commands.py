"""The processes of the service, as command lines: what `docs/deploy.md` starts on many hosts, started on one."""

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from chimeway_py.embedded.memory import LOOPBACK
from chimeway_py.embedded.processes import Child

ROOT = Path(__file__).resolve().parents[2]
CELERY = ("-m", "celery", "-A", "chimeway_py", "--quiet")
WORKER = ("worker", "--without-gossip", "--without-mingle", "--without-heartbeat")


def web(env: Mapping[str, str], logs: Path, port: int, listener: socket.socket | None = None) -> Child:
    """The web server: one process, eight threads, on a loopback port, or on a socket that listens already."""
    address = f"fd://{listener.fileno()}" if listener else f"{LOOPBACK}:{port}"
    options = ["--bind", address, "--worker-class", "chimeway_py.web_worker.Worker", "--threads", "8"]
    options += ["--no-control-socket", "--log-level", "warning", "--graceful-timeout", "5"]
    gunicorn = ["-m", "gunicorn", "chimeway_py.wsgi", *options]
    return _child("web", gunicorn, {**env, "CHIMEWAY_PROCESS": "web"}, logs, listener)


def engine_worker(env: Mapping[str, str], logs: Path) -> Child:
    """Celery: two processes that advance runs and sweep for due work."""
    return _worker("engine", ["-Q", "engine,sweep", "--pool", "prefork", "-c", "2"], env, logs)


def delivery_worker(env: Mapping[str, str], logs: Path) -> Child:
    """Celery: eight threads that talk to the outside world, and mostly wait for it."""
    return _worker("work", ["-Q", "work", "--pool", "threads", "-c", "8"], env, logs)


def beat(env: Mapping[str, str], logs: Path) -> Child:
    """Celery beat: asks for a sweep every second. Two of them do no harm."""
    schedule = ["-s", str(logs / "beat-schedule"), "--pidfile", ""]
    return _child("beat", [*CELERY, "beat", *schedule], {**env, "CHIMEWAY_PROCESS": "beat"}, logs)


def sweeper(env: Mapping[str, str], logs: Path) -> Child:
    """Looks for due work without a broker, and does what nobody else takes."""
    return _child("sweeper", ["manage.py", "sweeper"], {**env, "CHIMEWAY_PROCESS": "sweeper"}, logs)


def receiver(env: Mapping[str, str], logs: Path, port: int, folder: Path) -> Child:
    """Not of the service: the other end of its webhooks, which keeps them in a folder."""
    return _child("receiver", ["-m", "chimeway_py.embedded.webhook_sink", str(port), str(folder)], env, logs)


def carriers(env: Mapping[str, str], logs: Path, port: int, folder: Path) -> Child:
    """Not of the service: whoever carries its messages, and keeps them in a folder."""
    return _child("carriers", ["-m", "chimeway_py.demo.carriers", str(port), str(folder)], env, logs)


def shop(env: Mapping[str, str], logs: Path, port: int, url: str, memory: Path) -> Child:
    """Not of the service: a product that uses it, whose page shows the bell."""
    return _child("shop", ["-m", "chimeway_py.demo.shop", str(port), url, str(memory)], env, logs)


def service(env: Mapping[str, str], logs: Path, port: int, listener: socket.socket | None = None) -> list[Child]:
    """Every process of the service, not yet started."""
    workers = [engine_worker(env, logs), delivery_worker(env, logs), beat(env, logs), sweeper(env, logs)]
    return [web(env, logs, port, listener), *workers]


def _worker(name: str, options: list[str], env: Mapping[str, str], logs: Path) -> Child:
    return _child(name, [*CELERY, *WORKER, "-n", f"{name}@%h", *options], {**env, "CHIMEWAY_PROCESS": "worker"}, logs)


def _child(
    name: str, arguments: list[str], env: Mapping[str, str], logs: Path, listener: socket.socket | None = None
) -> Child:
    command = [sys.executable, *arguments]
    return Child(name, command, env=env, cwd=ROOT, log=logs / f"{name}.log", listener=listener)
