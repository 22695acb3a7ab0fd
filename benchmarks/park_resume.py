"""Runs start, park on a signal of their own, resume and complete: the workload that products of this kind share.

Measured from outside: a run has parked or completed when another client of the database sees it. Starts and signals are
sent by the batch, and then one call and one commit each.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

from benchmarks import peers
from benchmarks.limits import limits
from benchmarks.meter import Observer, Reading, memory_mb
from benchmarks.report import Report, Row, machine, medians, percentile, say
from benchmarks.stand import Stand
from benchmarks.waiting import PATIENCE, NeverHappened, wait_until

SUMMARY = "runs started and parked, signals to completion, latency, commits, WAL, CPU and memory"
QUICK = {"runs": 500, "rounds": 1, "latency": 30, "settle": 1.0, "limit_seconds": 0.5}
WARM_UP = 500  # runs: as many as it takes until the planner knows that the tables are not empty
LIMITS = {"batch": "pgbench_resume_by_100_per_s", "single": "pgbench_resume_4_clients_per_s"}
_LAST = "SELECT coalesce(max(id), 0) FROM workflows_run"
_COUNT = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND state = %s AND id > %s"
_DONE = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND public_id = %s AND state = 'completed'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    add_workload(parser)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (default %(default)s)")
    parser.add_argument("--limit-seconds", type=float, default=3.0, help="length of each limit of the machine; 0: none")
    peers.add_arguments(parser)


def add_workload(parser: argparse.ArgumentParser) -> None:
    """The options of the workload, wherever it is run."""
    parser.add_argument("--runs", type=int, default=5000, help="runs in each measurement (default %(default)s)")
    parser.add_argument("--batch", type=int, default=100, help="starts or signals in one call (default %(default)s)")
    parser.add_argument("--threads", type=int, default=4, help="threads of the client (default %(default)s)")
    parser.add_argument("--latency", type=int, default=200, help="runs signalled one at a time (default %(default)s)")
    parser.add_argument(
        "--modes", nargs="+", choices=["batch", "single"], default=["batch", "single"], help="ways to send"
    )
    parser.add_argument(
        "--settle", type=float, default=11.0, help="pause in which idle sessions report commits (default %(default)s)"
    )
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Measure in rounds, with each peer in turn."""
    from benchmarks.journeys import new_tenant  # Django is set up only now

    report = Report("park_resume", vars(options), machine=machine(stand.postgres.folder))
    if options.limit_seconds:
        say("The limits of the machine")
        report.limits = limits(stand.postgres, seconds=options.limit_seconds, rows=max(20_000, options.runs * 20))
    bench = ParkResume(stand, options, new_tenant())
    for number in range(1, options.rounds + 1):
        ours = bench.round(number)
        report.rows += ours
        if options.vs:
            stand.fleet.stop()
            report.rows += peers.round_of_peers(stand, options, number, ours, report)
    stand.fleet.stop()
    report.summary = medians(report.rows, by="what")
    report.tables |= against_limits(report.summary, report.limits)
    report.checks += bench.checks()
    return report


class ParkResume:
    """One tenant, its client and another client that looks on."""

    def __init__(self, stand: Stand, options: argparse.Namespace, tenant_id: int) -> None:
        self.stand, self.options, self.tenant_id = stand, options, tenant_id
        self.observer: Observer = stand.observer()
        self.sent = 0
        self.after = 0  # runs of this measurement have higher ids

    def round(self, number: int) -> list[Row]:
        """One row for each way to send."""
        self.stand.fleet.start()
        self._warm_up(f"w{number}")
        time.sleep(3)  # the sweeper looks for grown tables every two seconds
        idle = self._memory()
        rows: list[Row] = []
        for mode in self.options.modes:
            rows.append({**self._measure(number, mode), "mem_idle_mb": idle})
            say(_told(rows[-1]))
        return rows

    def checks(self) -> list[Any]:
        """Whether every run completed, every signal counted and every trace is intact."""
        from benchmarks import checks

        say("Checking that nothing was lost")
        return [
            checks.runs_in_state(self.observer, self.tenant_id, "completed", self.sent),
            checks.signals_matched(self.observer, self.tenant_id, self.sent),
            checks.no_gaps(self.observer, self.tenant_id),
            checks.traces_verify(self.observer, self.tenant_id, self.options.verify),
        ]

    def _measure(self, number: int, mode: str) -> dict[str, Any]:
        runs, client = self.options.runs, self._client(self.options.batch if mode == "batch" else 1)
        keys = [f"{mode}{number}-{i}" for i in range(runs)]
        self._settle()
        before = self._read()
        self.after, began = self.observer.one(_LAST), time.perf_counter()
        client.start(keys)
        submitted, parked_at = time.perf_counter(), self._until("waiting", runs)
        parked, memory = self._read(), self._memory()
        self._settle()
        calm, signalled = self._read(), time.perf_counter()
        client.signal(keys)
        sent, completed_at = time.perf_counter(), self._until("completed", runs)
        completed = self._read()
        self._settle()
        after = self._read()
        self.sent += runs
        latencies = self._latencies(f"{mode}-latency{number}")
        return {
            "what": f"ours, {mode}",
            "round": number,
            "runs": runs,
            "park_per_s": round(runs / (parked_at - began)),
            "submit_per_s": round(runs / (submitted - began)),
            "resume_per_s": round(runs / (completed_at - signalled)),
            "send_per_s": round(runs / (sent - signalled)),
            "lat_p50_ms": round(statistics.median(latencies), 2),
            "lat_p99_ms": round(percentile(latencies, 0.99), 2),
            "mem_parked_mb": memory,
            **_used("park", before, parked, calm, runs),
            **self._images("park", before, parked, runs),
            **_used("resume", calm, completed, after, runs),
            **self._images("resume", calm, completed, runs),
        }

    def _images(self, phase: str, before: Reading, ended: Reading, runs: int) -> dict[str, Any]:
        """How much of the WAL was whole pages, where PostgreSQL can tell."""
        found = self.observer.images(before, ended, runs) or {}
        return {f"{phase}_{name}": value for name, value in found.items()}

    def _latencies(self, name: str) -> list[float]:
        """Milliseconds from a signal sent to a completion seen, one run at a time."""
        client, found = self._client(1), []
        keys = [f"{name}-{i}" for i in range(self.options.latency)]
        self.after = self.observer.one(_LAST)
        ids = client.start(keys)
        self._until("waiting", len(keys))
        time.sleep(1)
        for key in keys:
            began = time.perf_counter()
            self._signal_one(key)
            while not self.observer.one(_DONE, self.tenant_id, ids[key]):
                if time.perf_counter() - began > PATIENCE:
                    raise NeverHappened(f"the run of {key} completed")
                time.sleep(0.0005)
            found.append((time.perf_counter() - began) * 1000)
            time.sleep(0.005)
        self.sent += len(keys)
        return found

    def _warm_up(self, name: str) -> None:
        client, keys = self._client(self.options.batch), [f"{name}-{i}" for i in range(WARM_UP)]
        self.after = self.observer.one(_LAST)
        client.start(keys)
        self._until("waiting", WARM_UP)
        client.signal(keys)
        self._until("completed", WARM_UP)
        self.sent += WARM_UP

    def _signal_one(self, key: str) -> None:
        from benchmarks.journeys import signal_some

        signal_some(self.tenant_id, [key])

    def _client(self, batch: int) -> Any:
        from benchmarks.journeys import Client

        return Client(self.tenant_id, batch=batch, threads=self.options.threads)

    def _until(self, state: str, wanted: int) -> float:
        return wait_until(lambda: self.observer.one(_COUNT, self.tenant_id, state, self.after), wanted, state)

    def _read(self) -> Reading:
        return self.observer.read(self.stand.parts())

    def _memory(self) -> dict[str, int]:
        fleet = self.stand.fleet
        return {"engine": round(memory_mb(fleet.pids_of("engine"))), "all": round(memory_mb(fleet.pids))}

    def _settle(self) -> None:
        time.sleep(self.options.settle)


def against_limits(summary: Sequence[Row], limits: Row) -> dict[str, list[Row]]:
    """Our rates beside what `pgbench` did in the same run: by the hundred, and one by one from as many clients."""
    found: list[Row] = []
    for mode, limit in LIMITS.items():
        ours = next((row["resume_per_s"] for row in summary if row["what"] == f"ours, {mode}"), None)
        if ours and limits.get(limit):
            share = round(100 * ours / limits[limit], 1)
            found.append(
                {
                    "what": f"ours, {mode}",
                    "resume_per_s": ours,
                    "limit": limit,
                    "limit_per_s": limits[limit],
                    "percent": share,
                }
            )
    return {"Beside the machine's own limits": found} if found else {}


def _used(phase: str, before: Reading, ended: Reading, settled: Reading, runs: int) -> dict[str, Any]:
    """CPU and WAL up to the end of a phase; commits once every session has reported them."""
    used, late = ended.since(before, runs), settled.since(before, runs)
    return {f"{phase}_{name}": late[name] if name in ("commits", "wal_syncs") else used[name] for name in used}


def _told(row: Row) -> str:
    cpu = sum(value for part, value in row["resume_cpu_ms"].items() if part != "machine")
    return (
        f"Round {row['round']}, {row['what']}: {row['park_per_s']:,} parked/s, {row['resume_per_s']:,} completed/s, "
        f"p50 {row['lat_p50_ms']} ms, p99 {row['lat_p99_ms']} ms, {cpu:.2f} ms CPU per resumed run"
    )
