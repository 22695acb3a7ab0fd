"""Retry policies: how often a step is tried again, and when."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workflows.definitions.durations import parse_duration

#: how the pause before the try after the n-th grows, in multiples of the first
_GROWTH: dict[str, Callable[[int], int]] = {
    "none": lambda n: 1,
    "linear": lambda n: n,
    "exponential": lambda n: 1 << min(n - 1, 30),
}
LONGEST_WISH = timedelta(days=1)  # a provider's `retry_after` is honoured up to here


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most `max_attempts` tries.

    The pause before try n+1 grows as `backoff` says and is spread upwards by `jitter`, but is never longer than `most`:
    a pause that has grown so far is spread below it.
    """

    max_attempts: int = 5
    backoff: str = "exponential"
    initial: timedelta = timedelta(seconds=10)
    most: timedelta = timedelta(hours=1)
    jitter: float = 0.2

    @classmethod
    def parse(cls, raw: Mapping[str, Any] | None) -> "RetryPolicy":
        """From a step's `retry`; what it leaves out keeps its default."""
        raw = raw or {}
        given: dict[str, Any] = {name: raw[name] for name in ("max_attempts", "backoff") if name in raw}
        given |= {
            field: parse_duration(raw[name]) for name, field in (("initial", "initial"), ("max", "most")) if name in raw
        }
        return cls(**given)

    def next_at(self, attempt: int, now: datetime, retry_after: float | None = None) -> datetime | None:
        """When the try after `attempt` comes, or None after the last. `retry_after` (seconds) is the least pause."""
        if attempt >= self.max_attempts:
            return None
        longest = min(self.initial * _GROWTH[self.backoff](attempt) * (1 + self.jitter), self.most)
        pause = longest / (1 + self.jitter * random.random())  # noqa: S311 (spreads load, guards nothing)
        if retry_after is not None:
            pause = max(pause, min(timedelta(seconds=max(retry_after, 0)), LONGEST_WISH))
        return now + pause
