"""Races of many rounds, and orders by force: each contender in a thread and a connection of its own."""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connections

from chimeway_py.embedded.postgres import Postgres

_BLOCKED = """
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND cardinality(pg_blocking_pids(pid)) > 0
"""
CERTAIN = 2  # rounds in which each contender goes first for certain
STAGGER = 0.003  # seconds between contenders in the others, so that who goes first changes there as well


def race(calls: dict[str, Callable[[int], Any]], rounds: int) -> dict[str, list[Any]]:
    """All rounds; what each contender was answered, by round.

    In the first rounds one of them has ended before the others begin, each in turn, so that none wins by chance only.
    After that they are free.
    """
    barrier = threading.Barrier(len(calls))
    answers: dict[str, list[Any]] = {name: [] for name in calls}

    def run(place: int, name: str) -> None:
        try:
            for number in range(rounds):
                barrier.wait(60)
                after, is_certain = (place + number) % len(calls), number < CERTAIN * len(calls)
                if is_certain and after:
                    barrier.wait(60)  # the first has ended
                elif not is_certain:
                    time.sleep(after * STAGGER)
                answers[name].append(calls[name](number))
                if is_certain and not after:
                    barrier.wait(60)
        except BaseException:
            barrier.abort()
            raise
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place, name)) for place, name in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    return answers


def wait_until_blocked(postgres: Postgres, how_many: int = 1, unless: Callable[[], bool] = lambda: False) -> None:
    """Until as many callers wait for somebody's lock, or it turns out that nobody will."""
    deadline = time.monotonic() + 60
    with postgres.connect() as admin:
        while not unless() and (admin.execute(_BLOCKED).fetchone() or (0,))[0] < how_many:
            assert time.monotonic() < deadline, "nobody waits for a lock"
            time.sleep(0.01)
