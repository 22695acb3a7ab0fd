"""A file of very many targets: how long its upload and its runs take, in how much memory, and what others notice."""

import argparse
import io
import resource
import threading
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.meter import Observer, memory_mb
from benchmarks.probe import Probe, watch_others, were_watched
from benchmarks.report import Check, Report, machine, say
from benchmarks.stand import Stand

SUMMARY = "100,000 targets by CSV: seconds, memory, other tenants' latency before and during"
QUICK = {"targets": 1000, "others": 2, "rate": 2.0, "seconds": 2.0}
TELL_EVERY = 5.0  # seconds
_HEAD = "subject,correlation.k,data.name,recipient.attributes.plan\n"
_LEFT = """
SELECT count(*) FILTER (WHERE status IN ('running', 'gathering')) FROM deliveries_broadcast WHERE tenant_id = %s
"""
_PENDING = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND state = 'pending'"
_WAITING = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND state = 'waiting'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--targets", type=int, default=100_000, help="rows of the file (default %(default)s)")
    watch_others(parser, seconds=10.0)


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Upload, watch the others, start, watch them and the memory."""
    from benchmarks.journeys import new_tenant

    report = Report("broadcast", vars(options), machine=machine(stand.postgres.folder))
    tenant_id, others = new_tenant(), [new_tenant() for _ in range(options.others)]
    upload = _uploaded(tenant_id, options.targets)
    say(f"{options.targets:,} targets in {upload['seconds']} s")
    stand.fleet.start()
    probe, watch = Probe(stand, others, options.rate), Watch(stand, tenant_id, upload.pop("id"), options.patience)
    probe.measure(1.0)
    before = probe.measure(options.seconds)
    say(f"Other tenants before: {before.row('')}")
    idle = stand.fleet.memory_mb()
    during = probe.measure(options.patience, until=watch.ended, begin=watch.start)
    watch.join()
    after = stand.fleet.memory_mb()
    stand.fleet.stop()
    told = {"what": "broadcast", "targets": options.targets, "seconds": watch.seconds, "parked_s": watch.parked}
    report.rows = [before.row("others before"), during.row("others during"), upload]
    report.rows.append(told | {"mem_idle_mb": idle, "mem_most_mb": watch.most_mb, "mem_after_mb": after})
    report.checks = _checks(stand.observer(), tenant_id, options, probe, before.lost + during.lost)
    report.checks.append(were_watched(before, during))
    return report


def _uploaded(tenant_id: int, targets: int) -> dict[str, Any]:
    """A draft with its targets: how long that took, and how much this process grew meanwhile, as a web server would."""
    import os

    from deliveries.broadcasts.making import NewBroadcast, make_broadcast, put_targets
    from deliveries.broadcasts.uploading import targets_in
    from tenants.scope import tenant_scope

    file = io.BytesIO("".join(_lines(targets)).encode())
    new = NewBroadcast(workflow="park", data={"headline": "Hello"})
    made = make_broadcast(tenant_id=tenant_id, new=new, made_by="benchmark")
    peak = _peak_mb()
    idle, began = memory_mb([os.getpid()]), time.perf_counter()
    with tenant_scope(tenant_id):
        read = targets_in(made, file, "text/csv")
        put_targets(tenant_id=tenant_id, public_id=made.public_id, targets=read or ())
    took = round(time.perf_counter() - began, 1)
    grown = round(memory_mb([os.getpid()]) - idle)
    most = round(_peak_mb() - peak)
    told = {"what": "upload", "targets": targets, "seconds": took, "mem_grown_mb": grown, "mem_peak_grown_mb": most}
    return told | {"id": made.public_id}


def _peak_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _lines(targets: int) -> Iterator[str]:
    yield _HEAD
    for number in range(targets):
        yield f"customer_{number},k{number},Customer number {number},{'pro' if number % 3 else 'free'}\n"


class Watch(threading.Thread):
    """Starts the broadcast, and looks until it has started all runs and the engine has brought them to their wait."""

    def __init__(self, stand: Stand, tenant_id: int, public_id: Any, patience: float) -> None:
        super().__init__(name="broadcast")
        self.stand, self.tenant_id, self.public_id, self.patience = stand, tenant_id, public_id, patience
        self.ended = threading.Event()
        self.seconds: float | None = None  # None: not all of them in time
        self.parked: float | None = None
        self.most_mb = stand.fleet.memory_mb()

    def run(self) -> None:
        """The measurement."""
        from django.db import connections

        from deliveries.broadcasts.ordering import start_broadcast
        from deliveries.broadcasts.preview import preview

        observer: Observer = self.stand.observer()
        time.sleep(1.0)  # the others have begun
        self.began = self.told = time.perf_counter()
        which = {"tenant_id": self.tenant_id, "public_id": self.public_id}
        try:
            start_broadcast(token=preview(**which).token, ordered_by="benchmark", **which)
            self.seconds = self._until(observer, _LEFT)
            self.parked = self._until(observer, _PENDING)
        finally:
            connections.close_all()
            self.ended.set()

    def _until(self, observer: Observer, left: str) -> float | None:
        """Seconds from the start until nothing is left, or None."""
        while observer.one(left, self.tenant_id):
            now = time.perf_counter()
            if now - self.began > self.patience:
                say(f"Given up after {self.patience:.0f} s")
                return None
            self.most_mb = {
                name: max(self.most_mb[name], now_mb) for name, now_mb in self.stand.fleet.memory_mb().items()
            }
            if now - self.told > TELL_EVERY:
                self.told = now
                say(f"{now - self.began:.0f} s: {observer.one(_WAITING, self.tenant_id):,} wait, {self.most_mb} MB")
            time.sleep(0.2)
        return round(time.perf_counter() - self.began, 1)


def _checks(observer: Observer, tenant_id: int, options: argparse.Namespace, probe: Probe, lost: int) -> list[Any]:
    from benchmarks import checks

    found = [checks.runs_in_state(observer, tenant_id, "waiting", options.targets)]
    found.append(checks.no_gaps(observer, tenant_id, *probe.tenant_ids))
    found.append(checks.traces_verify(observer, tenant_id, 100))
    found.append(checks.signals_of_each_matched(observer, probe.sent))
    found.append(Check("every signal of the others was seen to complete its run", lost == 0, f"({lost} lost)"))
    return found
