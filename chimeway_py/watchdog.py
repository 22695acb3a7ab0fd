"""A worker that is alive and deaf leaves, so that its supervisor starts another.

After some losses of the broker a Celery consumer stays connected and takes nothing (celery issue 8030 and its kin). It
cannot be told from an idle worker by looking at the process; it can by looking at the queues: messages wait, and for
`DEAF_AFTER` seconds this worker has received none and holds none.
"""

import os
import threading
import time
from typing import Any

import structlog
from celery.signals import task_received, worker_ready
from celery.worker import state

log = structlog.get_logger(__name__)

DEAF_AFTER = 10.0  # seconds
LOOK_EVERY = 2.0  # seconds
EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: start me again


class Watchdog(threading.Thread):
    """Looks at the worker's queues from a connection of its own."""

    def __init__(self, app: Any, queues: list[str]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._app, self._queues = app, queues
        self._heard_at = time.monotonic()

    def hear(self, **_: Any) -> None:
        """A message was received."""
        self._heard_at = time.monotonic()

    def run(self) -> None:
        """Look for ever; end the process once it is deaf."""
        while True:
            time.sleep(LOOK_EVERY)
            if state.reserved_requests or not self._messages_wait():
                self.hear()
            elif time.monotonic() - self._heard_at > DEAF_AFTER:
                log.error("worker_is_deaf", queues=self._queues)
                os._exit(EXIT_CODE)

    def _messages_wait(self) -> bool:
        """Whether a queue of ours holds messages. A broker that cannot be asked holds none for us."""
        try:
            with self._app.connection_for_read(transport_options={"socket_timeout": 2}) as connection:
                return any(_length(connection, name) for name in self._queues)
        except Exception:  # whatever the transport raises: without a broker nobody can hear
            return False


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
