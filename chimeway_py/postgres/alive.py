"""Whether a connection from the pool still has its server, mostly without asking it.

A server that ends or restarts hangs up, and the socket of an idle connection becomes readable; asking each time would
cost every request a trip. Now and then it is asked all the same: a network that swallows everything hangs up never.
"""

import select
import time

from psycopg import Connection
from psycopg_pool import ConnectionPool

BELIEVED = 5.0  # seconds for which an answer is believed, as long as nothing comes from the server


def check(connection: "Connection[object]") -> None:
    """Raises OperationalError when nobody is there, as psycopg's own check does."""
    known, now = connection.__dict__, time.monotonic()
    if now - known.get("chimeway_checked_at", -BELIEVED) < BELIEVED and not _has_something_to_say(connection):
        return
    ConnectionPool.check_connection(connection)
    known["chimeway_checked_at"] = now


def _has_something_to_say(connection: "Connection[object]") -> bool:
    """An idle server says nothing but good-bye, or that its settings have changed."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN | select.POLLERR | select.POLLHUP)
    return bool(poll.poll(0))
