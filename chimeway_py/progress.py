"""What this process has begun and must have ended by a certain time. A watchdog asks whether it did."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_numbers = itertools.count()
_ends: dict[int, float] = {}  # number of a piece of work -> when it must have ended, by the monotonic clock
_lock = threading.Lock()


@contextmanager
def expected_within(seconds: float) -> Iterator[None]:
    """The block must have ended within so many seconds; after that the process counts as hung."""
    with _lock:
        number = next(_numbers)
        _ends[number] = time.monotonic() + seconds
    try:
        yield
    finally:
        with _lock:
            del _ends[number]


def overdue() -> float:
    """For how many seconds something has been hanging here; 0 when nothing does."""
    with _lock:
        return max(0.0, time.monotonic() - min(_ends.values(), default=float("inf")))
