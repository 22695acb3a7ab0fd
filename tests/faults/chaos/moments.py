"""Processes that die at the most awkward line, or mistake the time of day."""

import time
from contextlib import suppress
from pathlib import Path

from tests.faults import shims
from tests.faults.chaos.world import Fault, World

REACHED_WITHIN = 30.0  # seconds from its start until a process has come to a failpoint: a busy machine starts it slowly
LIKE_IT = 60.0  # seconds by which a clock that is an hour off may differ from that
_ATTEMPTS_OF = "SELECT count(*) FROM workflows_attempt WHERE split_part(worker, ':', 2) = %s"


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
        world.give_up(f"nothing came to {point} within {REACHED_WITHIN:g} s")
    if child.is_running and child.pid == armed:
        child.kill()  # its pool would die again and again, or it would die at any time


def _wrong_clock(world: World, seconds: float) -> Fault:
    children = [world.ground.child(name) for name in ("engine", "work", "sweeper")]
    clocks = {child.name: world.ground.folder / f"clock-{child.name}-{world.broken.at:.3f}" for child in children}
    for child in children:
        child.env = shims.off_by(child.env or {}, seconds, tells=clocks[child.name])
    world.kill(*(child.name for child in children))
    yield 8
    ends_at = time.monotonic() + REACHED_WITHIN
    while not (tried := _attempts_of(world, "work")) and time.monotonic() < ends_at:
        yield 0.2
    for child in children:
        child.env = shims.without(child.env, "CLOCK_SHIFT", "CLOCK_TOLD")
    world.kill(*(child.name for child in children))
    wrong = [name for name, told in clocks.items() if _is_off(told, seconds)]
    if len(wrong) == len(clocks) and tried:
        world.count("wrong clocks", len(wrong))
        world.count("attempts by wrong clocks", tried)
    else:
        world.give_up(f"{tried} attempts by a worker whose clock is wrong, which {len(wrong)} of {len(clocks)} told")


def _attempts_of(world: World, name: str) -> int:
    """How many attempts a process has begun since it was started."""
    child = world.ground.child(name)
    return world.ask(_ATTEMPTS_OF, str(child.pid)) if child.is_running else 0


def _is_off(told: Path, seconds: float) -> bool:
    """Whether a process told a time of day, and that is off by about so much from when it did."""
    with suppress(OSError, IndexError):
        return abs(float(told.read_text().split()[-1]) - told.stat().st_mtime - seconds) < LIKE_IT
    return False


FAULTS = (
    die_before_perform,
    die_before_finish,
    die_after_finish,
    die_before_publish,
    die_while_routing,
    clock_ahead,
    clock_behind,
)
