"""How many streams a web process keeps open, and whose: each holds a thread for as long as it lives."""

import threading
from collections import Counter

from django.conf import settings

from chimeway_py.errors import ChimewayError

Owner = tuple[int, str]  # a tenant and a subject
PER_INBOX = 2  # at most: one person with many tabs does not take the places of all others


class StreamsFull(ChimewayError):
    """This process has no place for another stream. Ask for the counts now, and for a stream later."""

    code = "streams_full"
    status = 503
    retryable = True
    wait = 30  # seconds, for Retry-After


class TooManyStreams(ChimewayError):
    """The tenant, or this inbox, has its share of the streams of this process. Others keep theirs."""

    code = "too_many_streams"
    status = 429
    retryable = True
    wait = 30  # seconds, for Retry-After


class Slots:
    """Places that are taken and given back, by tenant and subject. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a stream may be collected while its thread holds it
        self._taken: Counter[Owner] = Counter()

    def take(self, owner: Owner) -> None:
        """Take a place. Raises `TooManyStreams` for who has a share already, and `StreamsFull`."""
        share = share_of_tenant()
        with self._lock:
            of_tenant = sum(count for (tenant, _), count in self._taken.items() if tenant == owner[0])
            if of_tenant >= share > 0:
                raise TooManyStreams("This tenant has its share of the streams of this process.")
            if self._taken[owner] >= min(PER_INBOX, share):
                raise TooManyStreams("This inbox has its share of the streams of this process.")
            if self._taken.total() >= settings.INBOX_STREAMS:
                raise StreamsFull
            self._taken[owner] += 1

    def give_back(self, owner: Owner) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[owner] -= 1
            self._taken += Counter()  # forget who has none

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()


def share_of_tenant() -> int:
    """How many streams of this process one tenant may have: half of them, unless the settings say otherwise."""
    return int(settings.INBOX_STREAMS_PER_TENANT) or (int(settings.INBOX_STREAMS) + 1) // 2


slots = Slots()
