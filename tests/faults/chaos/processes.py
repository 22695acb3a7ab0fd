"""Processes that are killed, frozen, or asked to leave."""

import os
import signal
import time
from collections.abc import Generator
from pathlib import Path

from chimeway_py.embedded.processes import Child
from tests.faults.chaos.broker import flush
from tests.faults.chaos.world import Fault, World, again_and_again

KILLS = 200
STOPS_WITHIN = 30.0  # seconds
STOPPED = ("engine", "work", "sweeper")
SWEEPERS = ("beat", "sweeper", "beat-2", "sweeper-2")
WORKERS = ("engine", "work", *SWEEPERS)
DOWN = 6.0  # seconds without anybody who sweeps
_WENT = "SELECT count(*) FROM workflows_run WHERE created_at >= to_timestamp(%s) AND state = 'completed'"


def kill_engine_child(world: World) -> Fault:
    """SIGKILL to one of the engine's pool processes."""
    children = yield from _pool(world)
    if children:
        world.count("pool children", _send(world.dice.choice(children), signal.SIGKILL))
    else:
        world.give_up("the engine had no pool")
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
    yield from again_and_again(4, 3, lambda: world.kill("work"))


def kill_loop(world: World) -> Fault:
    """SIGKILL to one process after the other, 0.2 to 2 s apart: two hundred in a long run."""
    killed, pause = 0, 0.0
    while killed < world.of(KILLS):
        yield pause
        name = world.dice.choice(WORKERS)
        killed += world.ground.child(name).is_running
        world.kill(name)
        pause = world.dice.uniform(0.2, 2.0)


def kill_all_workers(world: World) -> Fault:
    """SIGKILL to every process but the web server."""
    world.kill(*WORKERS)
    yield 0


def kill_web(world: World) -> Fault:
    """SIGKILL to the web server."""
    world.kill("web")
    yield 0


def kill_sweepers(world: World) -> Fault:
    """No sweeper and no beat for some seconds, in which nudges alone must do; then FLUSHALL, and they come back."""
    world.keep_down(DOWN, *SWEEPERS)
    began, ends_at = time.time(), time.monotonic() + DOWN
    while time.monotonic() < ends_at - 1:
        yield 0.1
    went = world.ask(_WENT, str(began))
    flush(world)
    while time.monotonic() < ends_at:
        yield 0.1
    world.broken.note = f"{went} runs went all the way in {DOWN - 1:g} s without a sweeper and a beat"
    if not went:
        world.give_up(world.broken.note)


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


def freeze_engine_child(world: World) -> Fault:
    """One pool process of the engine stands still."""
    children = yield from _pool(world)
    if not children:
        world.give_up("the engine had no pool")
    for pid in children[:1]:
        world.count("freezes", _send(pid, signal.SIGSTOP))
        yield 4
        _send(pid, signal.SIGCONT)


def pool_of(worker: Child) -> list[int]:
    """The pool processes of a Celery worker."""
    if not worker.is_running:
        return []
    try:
        text = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in text.split()]


def _pool(world: World, seconds: float = 30) -> Generator[float, None, list[int]]:
    """The engine's pool processes; a worker that has just begun is given some time to have them."""
    deadline = time.monotonic() + seconds
    while not (children := pool_of(world.ground.child("engine"))) and time.monotonic() < deadline:
        yield 0.1
    return children


def _send(pid: int, number: signal.Signals) -> int:
    """1 when there was somebody to send it to, else 0."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return 0
    return 1


FAULTS = (
    kill_engine_child,
    kill_engine,
    kill_work,
    kill_work_again_and_again,
    kill_loop,
    kill_all_workers,
    kill_web,
    kill_sweepers,
    stop_workers_gently,
    freeze_engine_child,
)
