"""How long runs of many tenants take from their signal to completion, one at a time for each tenant at a fixed pace.

The clock starts when a signal was to be sent, not when it could be: a client that is held up does not hide it.
"""

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks.meter import Observer
from benchmarks.report import Check, percentile
from benchmarks.stand import Stand

_DONE = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND public_id = %s AND state = 'completed'"
LOOK_EVERY = 0.002
PATIENCE = 120.0


def watch_others(parser: argparse.ArgumentParser, *, seconds: float) -> None:
    """The options of a benchmark that watches other tenants while one has very much to do."""
    parser.add_argument("--others", type=int, default=5, help="other tenants (default %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=2.0, help="signals a second of each of them (default %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=float, default=seconds, help="how long they are watched before (default %(default)s)"
    )
    parser.add_argument(
        "--patience", type=float, default=170.0, help="seconds until it is given up (default %(default)s)"
    )


@dataclass(slots=True)
class Seen:
    """Milliseconds of one phase, and how many were never seen to complete."""

    latencies: list[float] = field(default_factory=list)
    lost: int = 0

    def row(self, what: str) -> dict[str, Any]:
        """The figures of the phase."""
        shares = {f"p{round(share * 100)}_ms": percentile(self.latencies, share) for share in (0.5, 0.95, 0.99)}
        return {
            "what": what,
            "signals": len(self.latencies),
            **{name: round(value, 1) for name, value in shares.items()},
        }


def were_watched(before: Seen, during: Seen) -> Check:
    """Others that sent nothing while there was much to do have noticed nothing."""
    counts = len(before.latencies), len(during.latencies)
    return Check("others sent signals before and meanwhile", min(counts) > 0, f"({counts[0]} and {counts[1]})")


class Probe:
    """Tenants that each send a signal every `1 / rate` seconds and look for its effect."""

    def __init__(self, stand: Stand, tenant_ids: Sequence[int], rate: float) -> None:
        self.stand, self.tenant_ids, self.rate = stand, tenant_ids, rate
        self.sent = dict.fromkeys(tenant_ids, 0)
        self._numbers = 0

    def measure(
        self, seconds: float, until: threading.Event | None = None, begin: Callable[[], None] | None = None
    ) -> Seen:
        """Probe for so long; with `until` on, until it is set, but never longer than `seconds`.

        `begin` is called when the runs of all have parked, just before the first signal.
        """
        from benchmarks.journeys import start_some

        self._numbers += 1
        count = max(1, int(seconds * self.rate))
        stop, seen = until or threading.Event(), Seen()
        jobs = []
        for place, tenant_id in enumerate(self.tenant_ids):
            keys = [f"probe{self._numbers}-{i}" for i in range(count)]
            runs = list(start_some(tenant_id, keys).items())
            self._wait_until_parked(tenant_id)
            offset = place / len(self.tenant_ids) / self.rate
            jobs.append((tenant_id, runs, offset))
        if begin is not None:
            begin()
        with ThreadPoolExecutor(len(jobs)) as pool:
            for done in [pool.submit(self._one, *job, stop, seen) for job in jobs]:
                done.result()  # raises what a probe met: silence would look like a good figure
        return seen

    def _wait_until_parked(self, tenant_id: int) -> None:
        from benchmarks.waiting import wait_until

        sql = "SELECT 1 - least(1, count(*)) FROM workflows_run WHERE tenant_id = %s AND state = 'pending'"
        observer = self.stand.observer()
        wait_until(lambda: observer.one(sql, tenant_id), 1, "probes parked")

    def _one(
        self, tenant_id: int, runs: list[tuple[str, Any]], offset: float, stop: threading.Event, seen: Seen
    ) -> None:
        from django.db import connections

        from benchmarks.journeys import signal_some

        observer, began = self.stand.observer(), time.perf_counter() + offset
        try:
            for number, (key, public_id) in enumerate(runs):
                due = began + number / self.rate
                if stop.wait(max(0.0, due - time.perf_counter())):
                    return
                signal_some(tenant_id, [key])
                self.sent[tenant_id] += 1
                if _seen_by(observer, tenant_id, public_id, due + PATIENCE):
                    seen.latencies.append((time.perf_counter() - due) * 1000)
                else:
                    seen.lost += 1
        finally:
            connections.close_all()


def _seen_by(observer: Observer, tenant_id: int, public_id: Any, deadline: float) -> bool:
    while not observer.one(_DONE, tenant_id, public_id):
        if time.perf_counter() > deadline:
            return False
        time.sleep(LOOK_EVERY)
    return True
