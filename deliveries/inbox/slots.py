"""How many streams a web process keeps open: each holds a thread for as long as it lives."""

import threading
from collections import Counter
from collections.abc import Hashable

from django.conf import settings

from chimeway_py.errors import ChimewayError

PER_INBOX = 2  # one person with many tabs does not take the places of all others


class StreamsFull(ChimewayError):
    """This process has no place for another stream. Ask for the counts now, and for a stream later."""

    code = "streams_full"
    status = 503
    retryable = True
    wait = 30  # seconds, for Retry-After


class Slots:
    """Places that are taken and given back. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a stream may be collected while its thread holds it
        self._taken: Counter[Hashable] = Counter()

    def take(self, owner: Hashable) -> None:
        """Take a place. Raises `StreamsFull`."""
        with self._lock:
            if self._taken.total() >= settings.INBOX_STREAMS or self._taken[owner] >= PER_INBOX:
                raise StreamsFull
            self._taken[owner] += 1

    def give_back(self, owner: Hashable) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[owner] -= 1
            self._taken += Counter()  # forget who has none

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()


slots = Slots()
