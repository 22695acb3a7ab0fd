"""The faults. Each is a generator: it breaks something, yields the seconds until it goes on, and mends it.

All of them run in the main thread, between two looks of the supervisor, which starts again what has ended.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis

from chimeway_py.embedded.processes import Child
from tests.faults import shims
from tests.faults.ground import LEASE_SECONDS, Ground

Fault = Generator[float, None, None]
_A_TENTH = """
SELECT id FROM workflows_run
 WHERE finished_at IS NULL AND id IN (
    SELECT id FROM workflows_run WHERE finished_at IS NULL ORDER BY md5(id::text)
     LIMIT (SELECT greatest(1, count(*) / 10) FROM workflows_run WHERE finished_at IS NULL))
   FOR UPDATE
"""
STOPS_WITHIN = 30.0  # seconds
REACHED_WITHIN = 10.0  # seconds until traffic has come to a failpoint
STOPPED = ("engine", "work", "sweeper")
WORKERS = ("engine", "work", "beat", "sweeper", "beat-2", "sweeper-2")


@dataclass(slots=True)
class Broken:
    """One fault of a run: when it began, and when it was mended (or, for a death, when the process died)."""

    kind: str
    at: float  # seconds after the start of the traffic, as planned
    alone: bool = True  # nothing else is broken meanwhile, so that its recovery can be measured
    owed: bool = True  # it must happen; in a storm another fault may be in its way
    happened: bool = False
    began: float = 0.0
    mended: float = 0.0
    note: str = ""
    fault: str = ""  # what must not have been


@dataclass(slots=True)
class World:
    """What a fault may touch, and its own dice."""

    ground: Ground
    dice: random.Random
    broken: Broken
    kills: dict[str, int] = field(default_factory=dict)

    def kill(self, *names: str) -> None:
        """SIGKILL to whole processes of the service; they are started again a second later."""
        for name in names:
            child = self.ground.child(name)
            self.count("processes", int(child.is_running))
            child.kill()

    def count(self, what: str, number: int = 1) -> None:
        """Add what has happened to a figure of the report. A fault of which nothing was counted did not happen."""
        if number:
            self.kills[what] = self.kills.get(what, 0) + number
            self.broken.happened = True


# -- processes -------------------------------------------------------------------------------------------------------


def kill_engine_child(world: World) -> Fault:
    """SIGKILL to one of the engine's pool processes."""
    children = yield from _pool(world)
    if children:
        world.count("pool children", _send(world.dice.choice(children), signal.SIGKILL))
    yield 0


def kill_engine(world: World) -> Fault:
    """SIGKILL to the engine worker and its children."""
    world.kill("engine")
    yield 0


def kill_work(world: World) -> Fault:
    """SIGKILL to the worker that sends."""
    world.kill("work")
    yield 0


def kill_work_again_and_again(world: World) -> Fault:
    """SIGKILL to the worker that sends, every three seconds."""
    for _ in range(4):
        world.kill("work")
        yield 3


def kill_all_workers(world: World) -> Fault:
    """SIGKILL to every process but the web server."""
    world.kill(*WORKERS)
    yield 0


def kill_web(world: World) -> Fault:
    """SIGKILL to the web server."""
    world.kill("web")
    yield 0


def kill_sweepers(world: World) -> Fault:
    """No sweeper and no beat for some seconds, and FLUSHALL in between: nudges alone must do."""
    world.kill("beat", "sweeper", "beat-2", "sweeper-2")
    _flush(world)
    yield 0


def stop_workers_gently(world: World) -> Fault:
    """SIGTERM under load: what is under way is finished, within 30 s."""
    children = [child for name in STOPPED if (child := world.ground.child(name)).is_running]
    asked = {child.name: child.pid for child in children}
    began = time.monotonic()
    for child in children:
        child.ask_to_stop()
    late = list(asked)
    while late and time.monotonic() - began < STOPS_WITHIN:
        yield 0.1
        late = [child.name for child in children if child.is_running and child.pid == asked[child.name]]
    world.broken.note = f"{len(children)} processes stopped in {time.monotonic() - began:.1f} s"
    world.broken.fault = f"asked to stop, and still there after {STOPS_WITHIN:g} s: {late}" if late else ""
    world.count("graceful stops", len(asked) - len(late))


def freeze_work(world: World) -> Fault:
    """SIGSTOP past the lease, then SIGCONT: the zombie's late finish must be refused."""
    yield from _freeze(world, world.ground.child("work"), LEASE_SECONDS + 2)


def freeze_engine_child(world: World) -> Fault:
    """One pool process of the engine stands still."""
    children = yield from _pool(world)
    for pid in children[:1]:
        world.count("freezes", _send(pid, signal.SIGSTOP))
        yield 4
        _send(pid, signal.SIGCONT)


def die_before_perform(world: World) -> Fault:
    """The sending worker dies after its claim and before it sends."""
    yield from _die_at(world, "work", shims.BEFORE_PERFORM)


def die_before_finish(world: World) -> Fault:
    """The sending worker dies after the provider's yes and before it is written down."""
    yield from _die_at(world, "work", shims.BEFORE_FINISH)


def die_after_finish(world: World) -> Fault:
    """The sending worker dies after the commit and before the nudge for what follows."""
    yield from _die_at(world, "work", shims.AFTER_FINISH)


def die_before_publish(world: World) -> Fault:
    """The web server dies after a commit, before its nudge is published."""
    yield from _die_at(world, "web", shims.BEFORE_PUBLISH)


def die_while_routing(world: World) -> Fault:
    """An engine process dies between advancing and routing."""
    yield from _die_at(world, "engine", shims.AFTER_ADVANCE)


def clock_ahead(world: World) -> Fault:
    """The workers' clocks are an hour ahead: no timer may fire early, no lease may be stolen."""
    yield from _wrong_clock(world, 3600)


def clock_behind(world: World) -> Fault:
    """The workers' clocks are an hour behind."""
    yield from _wrong_clock(world, -3600)


# -- the broker ------------------------------------------------------------------------------------------------------


def flush_broker(world: World) -> Fault:
    """FLUSHALL, three times in three seconds."""
    for _ in range(3):
        _flush(world)
        yield 1


def kill_broker(world: World) -> Fault:
    """SIGKILL to the broker; it comes back empty."""
    world.count("broker", int(world.ground.broker.server.is_running))
    world.ground.broker.kill()
    yield 2
    if not world.ground.broker.server.is_running:
        world.ground.broker.start()


def freeze_broker(world: World) -> Fault:
    """The broker takes connections and answers nothing."""
    server = world.ground.broker.server
    world.count("freezes", int(server.is_running))
    server.signal(signal.SIGSTOP)
    yield 3
    server.signal(signal.SIGCONT)


def kill_broker_clients(world: World) -> Fault:
    """CLIENT KILL of every connection, ten times."""
    for _ in range(10):
        with suppress(redis.RedisError), _broker(world) as client:
            world.count("links cut", int(client.client_kill_filter(_type="normal", skipme=True)))
        yield 0.3


def cut_broker_link(world: World) -> Fault:
    """Connections to the broker are reset, then cut after some hundred bytes each."""
    link = world.ground.broker_link
    world.count("links cut", link.reset())
    link.cut_after = world.dice.randrange(50, 2000)
    yield 2
    link.behave()
    world.count("links cut", link.reset())


def junk_messages(world: World) -> Fault:
    """Messages doubled, reordered, forged, unknown, huge and broken."""
    with suppress(redis.RedisError), _broker(world) as client:
        for queue in ("engine", "work", "sweep"):
            for message in _junk(client, queue, world.dice):
                client.lpush(queue, message)
                world.count("junk messages")
    yield 0


# -- PostgreSQL ------------------------------------------------------------------------------------------------------


def kill_postgres(world: World) -> Fault:
    """SIGKILL to PostgreSQL, all of it; it recovers from its log."""
    world.count("PostgreSQL", int(world.ground.postgres.server.is_running))
    world.ground.postgres.kill()
    yield 0.5
    _start_postgres(world)


def restart_postgres(world: World) -> Fault:
    """A fast restart."""
    world.count("restarts", int(world.ground.postgres.server.is_running))
    world.ground.postgres.stop()
    yield 0.2
    _start_postgres(world)


def terminate_backends(world: World) -> Fault:
    """pg_terminate_backend of everybody, five times a second."""
    for _ in range(15):
        with suppress(psycopg.Error), world.ground.superuser() as admin:
            ended = admin.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND usename = 'chimeway_app'"
            ).fetchone()
            world.count("backends", ended[0] if ended else 0)
        yield 0.2


def take_all_connections(world: World) -> Fault:
    """Somebody else holds every connection there is."""
    held = list(_all_connections(world.ground))
    world.count("connections taken", len(held))
    yield 3
    for connection in held:
        connection.close()


def hold_locks(world: World) -> Fault:
    """Somebody locks a tenth of the open runs for longer than the lock timeout."""
    for _ in range(5):  # where nothing is open, or a deadlock has ended it, once more
        with suppress(psycopg.Error), world.ground.superuser() as admin, admin.transaction():
            locked = admin.execute(_A_TENTH).fetchall()
            world.count("locks held", len(locked))
            if locked:
                yield 6
                return
        yield 0.3


def cut_database_link(world: World) -> Fault:
    """Connections to PostgreSQL are reset, three times."""
    for _ in range(3):
        world.count("links cut", world.ground.database_link.reset())
        yield 0.7


def silence_database_link(world: World) -> Fault:
    """Half open: the link to PostgreSQL stays and not a byte passes."""
    world.ground.database_link.fall_silent()
    world.count("silences")
    yield 3
    world.ground.database_link.behave()


def slow_database_link(world: World) -> Fault:
    """Every answer of PostgreSQL takes 30 ms longer."""
    world.ground.database_link.latency = 0.015
    world.count("slow links")
    yield 4
    world.ground.database_link.behave()


# -- providers -------------------------------------------------------------------------------------------------------


def silence_providers(world: World) -> Fault:
    """Receivers and the mail server take messages and say nothing."""
    world.ground.provider.hold.set()
    world.ground.mailbox.hold("*")
    world.count("silences")
    yield 3
    world.ground.provider.hold.clear()
    world.ground.mailbox.answer_normally()


def refuse_mail(world: World) -> Fault:
    """The mail server asks to come back later."""
    world.ground.mailbox.answer("*", "451 4.3.0 Try later")
    world.count("refusals")
    yield 3
    world.ground.mailbox.answer_normally()


KINDS: dict[str, Callable[[World], Fault]] = {
    fault.__name__: fault
    for fault in (
        *(kill_engine_child, kill_engine, kill_work, kill_work_again_and_again, kill_all_workers, kill_web),
        *(kill_sweepers, stop_workers_gently),
        *(freeze_work, freeze_engine_child, die_before_perform, die_before_finish, die_after_finish),
        *(die_before_publish, die_while_routing, clock_ahead, clock_behind),
        *(flush_broker, kill_broker, freeze_broker, kill_broker_clients, cut_broker_link, junk_messages),
        *(kill_postgres, restart_postgres, terminate_backends, take_all_connections, hold_locks),
        *(cut_database_link, silence_database_link, slow_database_link, silence_providers, refuse_mail),
    )
}


def pool_of(worker: Child) -> list[int]:
    """The pool processes of a Celery worker."""
    if not worker.is_running:
        return []
    try:
        text = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in text.split()]


def _start_postgres(world: World) -> None:
    """Unless another fault of a storm did so already."""
    if not world.ground.postgres.server.is_running:
        world.ground.postgres.start(patience=60)


def _broker(world: World) -> Any:
    """A connection past the proxy that a frozen broker does not keep waiting."""
    return redis.Redis.from_url(world.ground.broker.url, socket_timeout=2, socket_connect_timeout=2)


def _flush(world: World) -> None:
    with suppress(redis.RedisError), _broker(world) as client:
        client.flushall()
        world.count("flushes")


def _send(pid: int, number: signal.Signals) -> int:
    """1 when there was somebody to send it to, else 0."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return 0
    return 1


def _pool(world: World, seconds: float = 5) -> Generator[float, None, list[int]]:
    """The engine's pool processes; a worker that has just begun is given some time to have them."""
    deadline = time.monotonic() + seconds
    while not (children := pool_of(world.ground.child("engine"))) and time.monotonic() < deadline:
        yield 0.1
    return children


def _freeze(world: World, child: Child, seconds: float) -> Fault:
    world.count("freezes", int(child.is_running))
    child.signal(signal.SIGSTOP)
    yield seconds
    child.signal(signal.SIGCONT)


def _die_at(world: World, name: str, point: str) -> Fault:
    """Start the process again so that it kills itself at the point; what comes after it is whole."""
    child, told = world.ground.child(name), world.ground.folder / f"reached-{name}-{world.broken.at:.3f}"
    child.env = shims.dies_at(child.env or {}, point, tells=told)
    child.kill()
    while not child.is_running:
        yield 0.1
    armed = child.pid
    child.env = shims.without(child.env, "FAILPOINTS", "FAILPOINTS_REACHED")
    deadline = time.monotonic() + REACHED_WITHIN
    while not told.exists() and child.is_running and child.pid == armed and time.monotonic() < deadline:
        yield 0.1
    if told.exists():
        world.count("failpoints")
    else:
        world.broken.note = f"nothing came to {point} within {REACHED_WITHIN:g} s"
    if child.is_running and child.pid == armed:
        child.kill()  # its pool would die again and again, or it would die at any time


def _wrong_clock(world: World, seconds: float) -> Fault:
    children = [world.ground.child(name) for name in ("engine", "work", "sweeper")]
    for child in children:
        child.env = shims.off_by(child.env or {}, seconds)
    world.kill(*(child.name for child in children))
    yield 8
    for child in children:
        child.env = shims.without(child.env, "CLOCK_SHIFT")
    world.kill(*(child.name for child in children))
    world.count("wrong clocks", len(children))


def _junk(client: Any, queue: str, dice: random.Random) -> Iterator[bytes]:
    real = client.lrange(queue, 0, 20)
    yield from dice.sample(real * 5, len(real) * 5)
    yield from (b"", b"{", b"\x00\xff", b'{"body": 1}', b"[]", b"x" * 300_000)
    body = b"W1sxXSwge30sIHt9XQ=="  # [[1], {}, {}] in base64
    for task in (b"no.such.task", b"workflows.tasks.run_engine", b"workflows.tasks.perform_work"):
        yield (
            b'{"body": "' + body + b'", "content-encoding": "utf-8", "content-type": "application/json", "headers":'
            b' {"lang": "py", "task": "' + task + b'", "id": "forged", "root_id": "forged"}, "properties":'
            b' {"correlation_id": "forged", "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "'
            + queue.encode()
            + b'"}, "priority": 0, "body_encoding": "base64", "delivery_tag": "forged"}}'
        )


def _all_connections(ground: Ground) -> Iterator[psycopg.Connection[Any]]:
    url = ground.postgres.url("chimeway_app")
    with suppress(psycopg.OperationalError):
        for _ in range(300):
            yield psycopg.connect(url, connect_timeout=5)
