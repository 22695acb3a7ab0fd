"""Nudges: hints to the workers that a tenant has work, published after commit by a thread of their own.

The row is the truth and the message a hint, so a nudge may be lost, doubled or late. No request and no transaction ever
waits for the broker (publishing to a frozen Redis blocks for 40 seconds and more): callers leave a name in a set, and
one daemon thread per process publishes it. A name rests after each message, and longer when it is offered again
meanwhile: the first signal goes out at once, and of a burst each message stands for more than the one before.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import structlog
from celery import current_app
from django.db import transaction

log = structlog.get_logger(__name__)

Lane = Literal["engine", "work", "events", "digests", "broadcasts", "releases"]
TASKS: dict[Lane, str] = {
    "engine": "workflows.tasks.run_engine",
    "work": "workflows.tasks.perform_work",
    "events": "workflows.tasks.send_events",
    "digests": "workflows.tasks.close_digests",
    "broadcasts": "deliveries.tasks.run_broadcasts",
    "releases": "deliveries.tasks.release_held",
}
_quiet: ContextVar[frozenset[Lane]] = ContextVar("quiet_lanes", default=frozenset())
SHORTEST_REST = 0.004  # seconds between two messages for the same lane and tenant
LONGEST_REST = 0.04
PAUSE_AFTER_FAILURE = 2.0  # the sweep offers the work again; do not hammer a broker that is down


def nudge_after_commit(lane: Lane, tenant_id: int) -> None:
    """Tell the workers, once this transaction has committed, that the tenant has work in the lane."""
    if lane not in _quiet.get():
        transaction.on_commit(lambda: offer(lane, tenant_id), robust=True)


@contextmanager
def quiet(lane: Lane) -> Iterator[None]:
    """No nudges for this lane from the block: whoever enters it does what they would be for. The sweep still looks."""
    token = _quiet.set(_quiet.get() | {lane})
    try:
        yield
    finally:
        _quiet.reset(token)


def offer(lane: Lane, tenant_id: int) -> None:
    """Leave a nudge for the publishing thread. Never blocks, never raises."""
    _relay().offer(lane, tenant_id)


def put_off(lane: Lane, tenant_id: int, seconds: float, message_id: str) -> None:
    """Leave a message of this id for later, unless there is one for the name that comes sooner."""
    _relay().put_off(lane, tenant_id, seconds, message_id)


def pass_on(lane: Lane, tenant_id: int, message_id: str) -> None:
    """Leave a message of this id, which does not rest. It stands for what is offered or was put off."""
    _relay().pass_on(lane, tenant_id, message_id)


Name = tuple[Lane, int]
Message = tuple[Name, str | None]  # with its id, where somebody needs to know it again


class Rests:
    """How long each name rests after a message: twice as long each time that several were offered meanwhile.

    Who sends one signal after the other, each when the one before has done its work, never waits for a long rest.
    """

    def __init__(self) -> None:
        self._rests: dict[Name, tuple[float, float]] = {}  # until when, and how long that was

    def until(self, name: Name) -> float:
        """When a message may go out."""
        return self._rests.get(name, (0.0, 0.0))[0]

    def begin(self, name: Name, now: float, offers: int) -> None:
        """A message goes out that stands for so many offers."""
        if len(self._rests) > 10_000:
            self._rests.clear()
        until, length = self._rests.get(name, (0.0, 0.0))
        is_burst = offers > 1 and now - until < SHORTEST_REST
        length = min(2 * length, LONGEST_REST) if is_burst else SHORTEST_REST
        self._rests[name] = now + length, length


class Relay(threading.Thread):
    """Publishes what was offered unless it rests, and drops it when the broker cannot take it."""

    def __init__(self) -> None:
        super().__init__(name="nudges", daemon=True)
        self.pid = os.getpid()
        self._offered: dict[Name, int] = {}  # how often, since its last message
        self._put_off: dict[Name, tuple[float, str]] = {}  # until when, and the id of its message
        self._passed_on: list[Message] = []
        self._rests = Rests()
        self._wake = threading.Condition()

    def offer(self, lane: Lane, tenant_id: int) -> None:
        """Add one name, and wake the thread unless it knows of the name."""
        with self._wake:
            before = self._offered.get((lane, tenant_id), 0)
            self._offered[lane, tenant_id] = before + 1
            if not before:
                self._wake.notify()

    def put_off(self, lane: Lane, tenant_id: int, seconds: float, message_id: str) -> None:
        """Add one message for later and wake the thread."""
        with self._wake:
            message = time.monotonic() + seconds, message_id
            self._put_off[lane, tenant_id] = min(self._put_off.get((lane, tenant_id), message), message)
            self._wake.notify()

    def pass_on(self, lane: Lane, tenant_id: int, message_id: str) -> None:
        """Add one message instead of what there is, and wake the thread."""
        with self._wake:
            self._offered.pop((lane, tenant_id), None)
            self._put_off.pop((lane, tenant_id), None)
            self._passed_on.append(((lane, tenant_id), message_id))
            self._wake.notify()

    def run(self) -> None:
        """Publish for ever."""
        while True:
            with self._wake:
                while not (ready := self._ready(now := time.monotonic())):
                    self._wake.wait(self._seconds_to_wait(now))
            self._publish(ready)

    def _ready(self, now: float) -> list[Message]:
        """Take what may go out."""
        ready, self._passed_on = self._passed_on, []
        for name in [name for name, (until, _) in self._put_off.items() if now >= until]:
            ready.append((name, self._put_off.pop(name)[1]))
        for name in [name for name in self._offered if now >= self._rests.until(name)]:
            self._rests.begin(name, now, self._offered.pop(name))
            ready.append((name, None))
        return ready

    def _seconds_to_wait(self, now: float) -> float | None:
        """Until the next message may go out; None while there is none."""
        clocks = [*map(self._rests.until, self._offered), *(until for until, _ in self._put_off.values())]
        return max(0.0, min(clocks) - now) if clocks else None

    def _publish(self, messages: list[Message]) -> None:
        for (lane, tenant_id), message_id in messages:
            try:
                current_app.send_task(
                    TASKS[lane], args=[tenant_id], task_id=message_id, retry=False, ignore_result=True
                )
            except Exception as error:  # whatever the transport raises: the sweep offers the work again
                log.warning("nudge_not_published", lane=lane, tenant_id=tenant_id, error=type(error).__name__)
                time.sleep(PAUSE_AFTER_FAILURE)
                return


_lock = threading.Lock()
_thread: Relay | None = None


def _relay() -> Relay:
    """The thread of this process; a forked child starts its own."""
    global _thread
    with _lock:
        if _thread is None or _thread.pid != os.getpid() or not _thread.is_alive():
            _thread = Relay()
            _thread.start()
        return _thread
