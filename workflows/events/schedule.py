"""When an event is tried again, as Standard Webhooks suggests: ten tries within about 75 hours."""

import random
from datetime import datetime, timedelta

PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""After the first try, after the second, and so on; the first comes at once."""
JITTER = 0.1
LONGEST_WISH = timedelta(hours=24)
LONGEST_HOLD = timedelta(minutes=5)
FAILING_TOO_LONG = timedelta(hours=120)


def next_try(tries: int, now: datetime, retry_after: float | None = None) -> datetime | None:
    """When the try after `tries` of them comes, or None when that was the last.

    A receiver may ask for more time, up to a day, and never for less.
    """
    if tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311 (spreads load, guards nothing)
    wish = min(timedelta(seconds=retry_after or 0), LONGEST_WISH)
    return now + max(pause, wish)


def hold_after(failures: int, now: datetime, retry_after: float | None = None) -> datetime:
    """Until when a receiver that failed `failures` times in a row is left alone: 5 s, 10 s, 20 s … up to 5 min.

    Its own wish counts up to an hour: it speaks for one event, and others may be welcome.
    """
    pause = min(timedelta(seconds=5) * (1 << min(failures - 1, 10)), LONGEST_HOLD)
    pause *= random.uniform(1, 1 + JITTER)  # noqa: S311
    return now + max(pause, min(timedelta(seconds=retry_after or 0), timedelta(hours=1)))
