"""A worker that lives and makes no progress leaves, so that its supervisor starts another.

It cannot be told from an idle or a busy worker by looking at the process. It can by looking at what it does:

- **deaf**: messages wait in its queues, it holds none, and for `DEAF_AFTER` seconds it has received none. After some
  losses of the broker a Celery consumer stays connected and takes nothing (celery issue 8030 and its kin).
- **stuck**: messages wait, and what it holds has been the same for `STUCK_AFTER_SECONDS` (a setting).
- **failing**: for as long every turn that it took has failed, though PostgreSQL can be asked. While work is due the
  sweeps ask for a turn every second, so failures come one after the other; where none comes, nothing is due.
- **hung**: work that it does has not returned long after it must have.
"""

import os
import signal
import threading
import time
from typing import Any, NoReturn

import structlog
from celery.signals import task_received, worker_ready
from celery.worker import state
from django.conf import settings
from django.db import DatabaseError, connection

from chimeway_py import progress
from chimeway_py.failed_turns import turns

log = structlog.get_logger(__name__)

DEAF_AFTER = 10.0  # seconds
NOTHING_DUE_AFTER = 10.0  # seconds without a turn
HUNG_FOR = 30.0  # seconds after the end of its time
LEAVING = 20.0  # seconds that others in the same process have to end what they do
LOOK_EVERY = 2.0  # seconds
EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: start me again


class Watchdog(threading.Thread):
    """Looks at the worker's queues from a connection of its own."""

    def __init__(self, app: Any, queues: list[str]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._app, self._queues = app, queues
        self._heard_at = self._moved_at = time.monotonic()
        self._held: frozenset[str] = frozenset()
        self._failures = Failures()

    def hear(self, **_: Any) -> None:
        """A message was received."""
        self._heard_at = time.monotonic()

    def run(self) -> None:
        """Look for ever; end the process once it makes no progress."""
        while True:
            time.sleep(LOOK_EVERY)
            if progress.overdue() > HUNG_FOR:
                log.error("work_hangs", queues=self._queues)
                leave_soon()
            self._look()

    def _look(self) -> None:
        now, held = time.monotonic(), frozenset(request.id for request in list(state.reserved_requests))
        waiting = self._messages_wait()
        if held or not waiting:
            self.hear()
        if held != self._held or not waiting:
            self._held, self._moved_at = held, now
        if now - self._heard_at > DEAF_AFTER:
            log.error("worker_is_deaf", queues=self._queues)
            os._exit(EXIT_CODE)
        if held and now - self._moved_at > settings.STUCK_AFTER_SECONDS:
            log.error("worker_is_stuck", queues=self._queues, held=len(held))
            os._exit(EXIT_CODE)
        if self._failures.last_for(now) > settings.STUCK_AFTER_SECONDS:
            log.error("every_turn_fails", queues=self._queues)
            state.should_stop = EXIT_CODE  # type: ignore[assignment]  # what is under way may end well
            time.sleep(LEAVING)
            os._exit(EXIT_CODE)

    def _messages_wait(self) -> bool:
        """Whether a queue of ours holds messages. A broker that cannot be asked holds none for us."""
        try:
            with self._app.connection_for_read(transport_options={"socket_timeout": 2}) as connection:
                return any(_length(connection, name) for name in self._queues)
        except Exception:  # whatever the transport raises: without a broker nobody can hear
            return False


class Failures:
    """Since when turns have done nothing but fail."""

    def __init__(self) -> None:
        self._well, self._failed = 0, 0
        self._since = self._last_at = 0.0

    def last_for(self, now: float) -> float:
        """For how many seconds; 0 when one went well, when none is asked for, and while PostgreSQL is away."""
        well, failed = turns()
        is_well, is_new = well > self._well, failed > self._failed
        self._well, self._failed = max(well, self._well), failed
        if is_new and not is_well:
            self._since = self._since or now
            self._last_at = now
        if is_well or now - self._last_at > NOTHING_DUE_AFTER or (self._since and not _postgres_answers()):
            self._since = 0.0
        return now - self._since if self._since else 0.0


def _postgres_answers() -> bool:
    """Whether it can be asked, on a connection of this thread."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    finally:
        connection.close()
    return True


class HangWatch(threading.Thread):
    """For a process without queues: leaves when its own work hangs."""

    def __init__(self) -> None:
        super().__init__(name="watchdog", daemon=True)

    def run(self) -> None:
        """Look for ever."""
        while True:
            time.sleep(LOOK_EVERY)
            if progress.overdue() > HUNG_FOR:
                log.error("work_hangs")
                leave_soon()


def leave_soon() -> NoReturn:
    """Ask this process to end in good order, so that others in it finish what they do; then end it."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(LEAVING)
    os._exit(EXIT_CODE)


def _length(connection: Any, queue: str) -> int:
    """Messages in a queue; none when Redis does not know it, which it does not while it is empty."""
    with connection.channel() as channel:  # of its own: on RabbitMQ a refused declaration ends the channel
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except connection.channel_errors:
            return 0


@worker_ready.connect
def start_watchdog(sender: Any, **_: Any) -> None:
    """Every worker has one, from the moment it is ready."""
    queues = [queue.name for queue in sender.task_consumer.queues]
    watchdog = Watchdog(sender.app, queues)
    task_received.connect(watchdog.hear, weak=False)
    watchdog.start()
