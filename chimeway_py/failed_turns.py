"""Turns as the main process of a worker sees them: how many went well, and how many failed."""

from collections import Counter
from typing import Any

from celery.worker import state
from celery.worker.request import Request

from chimeway_py.nudges import TASKS

NAMES = frozenset(TASKS.values())
_failed: Counter[str] = Counter()


class CountedRequest(Request):
    """Counts tasks that raised or whose process died, in the main process, whatever pool they ran in."""

    def on_failure(self, *args: Any, **kwargs: Any) -> Any:
        """Count, and do what Celery does."""
        _failed[self.name] += 1
        return super().on_failure(*args, **kwargs)


def turns() -> tuple[int, int]:
    """How many turns went well until now, never more than did, and how many failed."""
    begun = sum(state.total_count[name] for name in NAMES)
    under_way = sum(request.name in NAMES for request in list(state.active_requests))
    failed = sum(_failed[name] for name in NAMES)
    return begun - under_way - failed, failed
