"""A worker that stands still in the middle of sends until others have taken them over, and then goes on."""

import signal
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import suppress

import psycopg

from tests.faults.chaos.world import Fault, World
from tests.faults.ground import LEASE_SECONDS, Ground

SENDS = 4  # messages to be under way
TAKEN_WITHIN = 30.0  # seconds: the worker may have just begun, and a busy machine starts it slowly
REFUSED_WITHIN = 8.0  # seconds; a provider keeps an answer back for three
TAKEN_OVER_WITHIN = 15.0  # seconds after the end of a lease
_MINE = """
SELECT count(*) FROM workflows_attempt a
  JOIN workflows_steprun s ON s.tenant_id = a.tenant_id AND s.id = a.step_run_id
  JOIN workflows_run r ON r.tenant_id = s.tenant_id AND r.id = s.run_id AND r.definition_key = 'followed'
 WHERE split_part(a.worker, ':', 2) = %s AND a.status =
"""
_HELD, _LOST = f"{_MINE} 'running'", f"{_MINE} 'lost'"
_REFUSED = "SELECT count(*) FROM workflows_transition WHERE reason = 'stale_attempt'"


def freeze_work(world: World) -> Fault:
    """SIGSTOP in the middle of sends until others have taken them over, then SIGCONT: late finishes must be refused."""
    child = world.ground.child("work")
    pid = child.pid
    refused_before, lost_before = _count(world.ground, _REFUSED), _count(world.ground, _LOST, str(pid))
    world.ground.provider.hold.set()
    _owe_messages(world)
    held = yield from _until(lambda: _count(world.ground, _HELD, str(pid)), 1, TAKEN_WITHIN)
    child.signal(signal.SIGSTOP)
    world.ground.provider.hold.clear()
    patience = LEASE_SECONDS + TAKEN_OVER_WITHIN
    taken = yield from _until(lambda: _count(world.ground, _LOST, str(pid)) - lost_before, held, patience)
    child.signal(signal.SIGCONT)
    refused = yield from _until(lambda: _count(world.ground, _REFUSED) - refused_before, taken, REFUSED_WITHIN)
    world.broken.note = f"{held} claims held, {taken} taken over by others, {refused} late finishes refused"
    if refused:
        world.count("zombies", refused)
    if not held:
        world.give_up(world.broken.note)
    if min(taken, refused) < held and world.broken.alone and child.pid == pid:
        world.broken.fault = f"a worker that came back: {world.broken.note}"


def _owe_messages(world: World) -> None:
    """Of runs that wait after it: one that has ended notes nothing more."""
    for number in range(SENDS):
        order = f"followed-{world.broken.at:.3f}-{number}"
        body = {"workflow": "followed", "subject": order, "correlation": {"order_id": order}}
        world.ground.calls.ask(
            world.ground.tenants[0], "POST", "runs", {**body, "data": {"order_id": order}}, str(uuid.uuid4())
        )


def _until(count: Callable[[], int], enough: int, seconds: float) -> Generator[float, None, int]:
    """Count again and again until it is enough, or the time is over."""
    ends_at = time.monotonic() + seconds
    while (found := count()) < enough and time.monotonic() < ends_at:
        yield 0.1
    return found


def _count(ground: Ground, statement: str, *values: str) -> int:
    with suppress(psycopg.Error), ground.superuser() as database:
        row = database.execute(statement, values).fetchone()
        return int(row[0]) if row else 0
    return 0


FAULTS = (freeze_work,)
