"""The client of a tenant that floods, as a process of its own: `python -m benchmarks.flood TENANT FIRST BATCH …`.

It sends a signal for each of the keys FIRST, FIRST + 1, … by the batch, from the first line of its input on:

- `pace RATE SECONDS`: so many a second, for so long;
- `backlog LEAST LAST`: so that LEAST are always left to route, until its input ends or the key LAST is reached.

It says when it is ready to begin, and prints what it did as JSON.
"""

import json
import os
import select
import sys
import time
from collections.abc import Callable
from typing import Any

import django

READY = "ready"
_LEFT = "SELECT count(*) FROM signals_app_signal WHERE tenant_id = %s AND routed_at IS NULL"
Send = Callable[[int], None]


def pace(send: Send, batch: int, rate: float, seconds: float) -> dict[str, Any]:
    """Send for so long. What cannot be sent in time is sent as soon as it can."""
    began, sent = time.perf_counter(), 0
    while sent < rate * seconds:
        time.sleep(max(0.0, began + sent / rate - time.perf_counter()))
        send(sent)
        sent += batch
        if time.perf_counter() - began > seconds:
            break
    return {"sent": sent}


def backlog(
    send: Send, batch: int, left: Callable[[], int], ended: Callable[[], bool], least: int, most: int
) -> dict[str, Any]:
    """Send whenever fewer than `least` are left, until it is `ended` or `most` were sent."""
    began, sent, ran_out = time.perf_counter(), 0, False
    lowest: int | None = None  # until the backlog is there
    while not (ran_out or ended()):
        waiting = left()
        if lowest is not None or waiting >= least:
            lowest = min(waiting, waiting if lowest is None else lowest)
        missing = least + batch - waiting
        for _ in range(max(0, -(-missing // batch))):
            ran_out = sent + batch > most
            if not ran_out:
                send(sent)
                sent += batch
        time.sleep(0.002)
    seconds = time.perf_counter() - began
    return {"sent": sent, "seconds": round(seconds, 1), "least_backlog": lowest or 0, "ran_out": ran_out}


def _input_ended() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready) and not sys.stdin.readline()


def main(tenant: str, first: str, size: str, how: str, a: str, b: str) -> dict[str, Any]:
    """Wait for the word to begin, and send."""
    from benchmarks.journeys import signal_some
    from tenants.scope import tenant_scope
    from tenants.sql import fetch

    tenant_id, batch = int(tenant), int(size)

    def send(sent: int) -> None:
        keys = range(int(first) + sent, int(first) + sent + batch)
        signal_some(tenant_id, map(str, keys))

    def left() -> int:
        with tenant_scope(tenant_id):
            return int(fetch(_LEFT, [tenant_id])[0][0])

    print(READY, flush=True)
    sys.stdin.readline()
    if how == "pace":
        return pace(send, batch, float(a), float(b))
    return backlog(send, batch, left, _input_ended, int(a), int(b) - int(first))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
    django.setup()
    print(json.dumps(main(*sys.argv[1:])))
