"""The broker emptied, killed, frozen, cut off, and fed with junk."""

import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import redis

from tests.faults.chaos.world import Fault, World, again_and_again

BROKER_KILLS = 30
AWAY = 60  # seconds
FLUSHES = 20


def flush_broker(world: World) -> Fault:
    """FLUSHALL every three seconds: for a minute in a long run."""
    yield from again_and_again(world.of(FLUSHES), 3, lambda: flush(world))


def kill_broker(world: World) -> Fault:
    """SIGKILL to the broker; it comes back empty."""
    yield from _kill(world, 2)


def kill_broker_again_and_again(world: World) -> Fault:
    """The same as soon as it is back: thirty times in a long run."""
    yield from again_and_again(world.of(BROKER_KILLS), 0.8, lambda: _kill(world, 0.2))


def broker_away(world: World) -> Fault:
    """The broker is gone: a minute in a long run."""
    yield from _kill(world, world.of(AWAY))


def _kill(world: World, seconds: float) -> Fault:
    world.count("broker", int(world.ground.broker.server.is_running))
    world.ground.broker.kill()
    yield seconds
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
    yield from again_and_again(10, 0.3, lambda: _kill_clients(world))


def _kill_clients(world: World) -> None:
    with suppress(redis.RedisError), _broker(world) as client:
        world.count("links cut", int(client.client_kill_filter(_type="normal", skipme=True)))


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


def _broker(world: World) -> Any:
    """A connection past the proxy that a frozen broker does not keep waiting."""
    return redis.Redis.from_url(world.ground.broker.url, socket_timeout=2, socket_connect_timeout=2)


def flush(world: World) -> None:
    with suppress(redis.RedisError), _broker(world) as client:
        client.flushall()
        world.count("flushes")


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


FAULTS = (
    flush_broker,
    kill_broker,
    kill_broker_again_and_again,
    broker_away,
    freeze_broker,
    kill_broker_clients,
    cut_broker_link,
    junk_messages,
)
