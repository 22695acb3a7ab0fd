"""One signal to very many waiting runs: how long until all have completed, and what others notice meanwhile."""

import argparse
import threading
import time
from typing import Any

from benchmarks.meter import Observer
from benchmarks.probe import Probe, watch_others, were_watched
from benchmarks.report import Check, Report, machine, say
from benchmarks.stand import Stand

SUMMARY = "one signal to 100,000 waiting runs: seconds, memory, other tenants' latency before and during"
QUICK = {"runs": 1000, "others": 2, "rate": 2.0, "seconds": 2.0}
EVERYBODY = "everybody"
TELL_EVERY = 5.0  # seconds
_LEFT = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND state = 'waiting'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--runs", type=int, default=100_000, help="waiting runs of one tenant (default %(default)s)")
    watch_others(parser, seconds=15.0)
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Seed, watch the others, send the signal, watch them and the memory."""
    from benchmarks.journeys import mould, new_tenant
    from benchmarks.seeding import seed, vacuum

    report = Report("fanout", vars(options), machine=machine(stand.postgres.folder))
    tenant_id, others = new_tenant(), [new_tenant() for _ in range(options.others)]
    public_id, _ = mould(tenant_id, correlation={"k": EVERYBODY})
    seed(
        stand.postgres,
        tenant_id,
        public_id,
        map(str, range(1, options.runs)),
        lambda made: say(f"{made:,} runs seeded"),
    )
    vacuum(stand.postgres)
    stand.fleet.start()
    probe, watch = Probe(stand, others, options.rate), Watch(stand, tenant_id, options.patience)
    probe.measure(1.0)
    before = probe.measure(options.seconds)
    say(f"Other tenants before: {before.row('')}")
    idle = stand.fleet.memory_mb()
    during = probe.measure(options.patience, until=watch.ended, begin=watch.start)
    watch.join()
    if watch.seconds is None:
        say(f"Given up after {options.patience:.0f} s")
    after = stand.fleet.memory_mb()
    stand.fleet.stop()
    report.rows = [before.row("others before"), during.row("others during")]
    memory = {"mem_idle_mb": idle, "mem_most_mb": watch.most_mb, "mem_after_mb": after}
    report.rows.append({"what": "fan-out", "runs": options.runs, "seconds": watch.seconds, **memory})
    report.checks = _checks(stand.observer(), tenant_id, options, probe, before.lost + during.lost)
    report.checks.append(were_watched(before, during))
    return report


class Watch(threading.Thread):
    """Sends the one signal, and looks until no run waits any more."""

    def __init__(self, stand: Stand, tenant_id: int, patience: float) -> None:
        super().__init__(name="fan-out")
        self.stand, self.tenant_id, self.patience = stand, tenant_id, patience
        self.ended = threading.Event()
        self.seconds: float | None = None  # None: not all of them in time
        self.most_mb: dict[str, int] = stand.fleet.memory_mb()

    def run(self) -> None:
        """The measurement."""
        from django.db import connections

        from benchmarks.journeys import signal_some

        observer: Observer = self.stand.observer()
        time.sleep(1.0)  # the others have begun
        began = time.perf_counter()
        try:
            signal_some(self.tenant_id, [EVERYBODY])
            told = began
            while (left := observer.one(_LEFT, self.tenant_id)) and time.perf_counter() - began < self.patience:
                now = self.stand.fleet.memory_mb()
                self.most_mb = {name: max(self.most_mb[name], now[name]) for name in now}
                if time.perf_counter() - told > TELL_EVERY:
                    told = time.perf_counter()
                    say(f"{told - began:.0f} s: {left:,} left, {self.most_mb} MB")
                time.sleep(0.5)
            self.seconds = None if left else round(time.perf_counter() - began, 1)
        finally:
            connections.close_all()
            self.ended.set()


def _checks(observer: Observer, tenant_id: int, options: argparse.Namespace, probe: Probe, lost: int) -> list[Any]:
    from benchmarks import checks

    found = [checks.runs_in_state(observer, tenant_id, "completed", options.runs)]
    found.append(checks.signals_matched(observer, tenant_id, 1))
    found.append(checks.no_gaps(observer, tenant_id, *probe.tenant_ids))
    found.append(checks.traces_verify(observer, tenant_id, options.verify))
    found.append(checks.signals_of_each_matched(observer, probe.sent))
    found.append(Check("every signal of the others was seen to complete its run", lost == 0, f"({lost} lost)"))
    return found
