"""What can be limited."""

from django.db import models

MINUTE, DAY = 60, 86_400
MOST = 10**15  # what a bucket counts exactly


class LimitKind(models.TextChoices):
    """What is counted. All but `live_runs` are buckets that fill again steadily."""

    REQUESTS_PER_MINUTE = "requests_per_minute"
    SIGNALS_PER_MINUTE = "signals_per_minute"
    SIGNALS_PER_DAY = "signals_per_day"
    STARTS_PER_MINUTE = "starts_per_minute"
    PAYLOAD_BYTES_PER_DAY = "payload_bytes_per_day"
    LIVE_RUNS = "live_runs"


#: Seconds in which an empty bucket is full again. Live runs are not used up, they end: 0.
PERIOD = {
    LimitKind.REQUESTS_PER_MINUTE: MINUTE,
    LimitKind.SIGNALS_PER_MINUTE: MINUTE,
    LimitKind.SIGNALS_PER_DAY: DAY,
    LimitKind.STARTS_PER_MINUTE: MINUTE,
    LimitKind.PAYLOAD_BYTES_PER_DAY: DAY,
    LimitKind.LIVE_RUNS: 0,
}
