"""The client of a tenant that floods, as a process of its own: `python -m benchmarks.flood TENANT RATE SECONDS BATCH`.

It sends a signal for each of the keys "0", "1", … at a steady pace, by the batch, and prints how many.
"""

import os
import sys
import time

import django


def flood(tenant_id: int, rate: float, seconds: float, batch: int) -> int:
    """Send for so long; how many were sent. What cannot be sent in time is sent as soon as it can."""
    from benchmarks.journeys import signal_some

    began, sent = time.perf_counter(), 0
    while sent < rate * seconds:
        time.sleep(max(0.0, began + sent / rate - time.perf_counter()))
        signal_some(tenant_id, map(str, range(sent, sent + batch)))
        sent += batch
        if time.perf_counter() - began > seconds:
            break
    return sent


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
    django.setup()
    print(flood(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
