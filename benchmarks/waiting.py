"""Waiting for something to be visible to another client."""

import time
from collections.abc import Callable

PATIENCE = 300.0


class NeverHappened(Exception):
    """It was not seen in time: something was lost, or the machine is far too small."""


def wait_until(count: Callable[[], int], wanted: int, what: str, patience: float = PATIENCE) -> float:
    """The moment at which the count was first seen to be reached. Looks more often towards the end."""
    began = time.perf_counter()
    while (found := count()) < wanted:
        if time.perf_counter() - began > patience:
            raise NeverHappened(f"{what}: {found:,} of {wanted:,} after {patience:.0f} s")
        time.sleep(0.02 if found > wanted * 0.9 else 0.05)
    return time.perf_counter()
