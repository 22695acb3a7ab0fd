"""How long a request waits for a connection: two seconds, unless somebody has just waited so long in vain.

Threads are few. If each request waited its full time while PostgreSQL is away, those that wait for a thread would wait
for all of them in turn. So one of them tries patiently from time to time, and all others are told at once.
"""

import threading
import time
from typing import Any

from django.db.backends.postgresql import base
from psycopg_pool import PoolTimeout

from chimeway_py.postgres.alive import check

BRIEFLY = 0.25  # seconds: enough for a connection that is there, and to make one
AGAIN = 1.0  # seconds between two that wait patiently


class Patience:
    """How long the next one waits. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed_at: float | None = None

    def seconds(self, usual: float) -> float:
        """`usual`, or hardly anything while others find nobody there."""
        now = time.monotonic()
        with self._lock:
            if self._failed_at is None:
                return usual
            if now < self._failed_at + AGAIN:
                return min(BRIEFLY, usual)
            self._failed_at = now  # this one tries for all
            return usual

    def note(self, *, found: bool) -> None:
        """Say what came of it."""
        with self._lock:
            self._failed_at = None if found else time.monotonic()


patience = Patience()


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to PostgreSQL, from the pool where there is one."""

    @property
    def pool(self) -> Any:
        """The pool of this process. Django lets it ask the server at each request, and takes no other check."""
        pool = super().pool
        if pool:
            pool._check = check
        return pool

    def get_new_connection(self, conn_params: Any) -> Any:
        """A connection. Raises OperationalError, soon."""
        pool = self.pool
        if not pool:
            return super().get_new_connection(conn_params)
        pool.timeout = patience.seconds(self.settings_dict["OPTIONS"]["pool"]["timeout"])
        try:
            connection = super().get_new_connection(conn_params)
        except PoolTimeout:
            patience.note(found=False)
            raise
        patience.note(found=True)
        return connection
