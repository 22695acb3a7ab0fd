"""The workload of `park_resume` in a tenant that grows: many runs wait, and ten times as many transitions are kept."""

import argparse
from datetime import timedelta
from typing import Any

from benchmarks.limits import limits
from benchmarks.park_resume import ParkResume, add_workload
from benchmarks.report import Report, Row, machine, say
from benchmarks.stand import Stand
from benchmarks.stored import ENGINE_TABLES, stored

SUMMARY = "the figures of park_resume with ten thousand, a hundred thousand and a million waiting runs"
QUICK = {"sizes": [100, 1000], "runs": 300, "latency": 20, "settle": 0.5, "limit_seconds": 0.0}
LINES = "SELECT count(*) FROM workflows_transition WHERE tenant_id = %s"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    add_workload(parser)
    parser.set_defaults(settle=2.0)
    sizes = [10_000, 100_000, 1_000_000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes, help="waiting runs (default %(default)s)")
    parser.add_argument("--lines", type=int, default=10, help="transitions for each waiting run (default %(default)s)")
    parser.add_argument("--limit-seconds", type=float, default=2.0, help="length of each limit of the machine; 0: none")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Grow, measure, grow on."""
    from benchmarks.seeding import checkpoint, vacuum

    report = Report("growth", vars(options), machine=machine(stand.postgres.folder))
    if options.limit_seconds:
        report.limits = limits(stand.postgres, seconds=options.limit_seconds, rows=100_000)
    tenant = Growing(stand)
    bench = ParkResume(stand, options, tenant.tenant_id)
    for number, size in enumerate(sorted(options.sizes), 1):
        tenant.grow(size, options.lines)
        vacuum(stand.postgres)
        # Seeding writes so much that checkpoints follow it: take one now, so that each size begins at the same place.
        checkpoint(stand.postgres)
        report.tables[f"What is stored, with {size:,} waiting runs"] = stored(bench.observer, ENGINE_TABLES)
        lines = bench.observer.one(LINES, tenant.tenant_id)
        report.rows += [{"waiting": size, "transitions": lines, **row} for row in bench.round(number)]
        stand.fleet.stop()
    report.summary, report.summary_title = compared(report.rows), "Cost in times the smallest size's"
    report.checks = _checks(bench, tenant, options)
    return report


class Growing:
    """A tenant whose runs are cast from two of its own: one that waits, and one that has ended."""

    def __init__(self, stand: Stand) -> None:
        from benchmarks.journeys import BRIEF, DOCUMENT, drain, mould, new_tenant
        from tenants.scope import database_now

        self.stand, self.tenant_id = stand, new_tenant(DOCUMENT, BRIEF)
        self.ended, _ = mould(self.tenant_id, BRIEF["key"])
        drain(self.tenant_id, now=database_now() + timedelta(hours=1))
        self.waits, _ = mould(self.tenant_id)
        self.waiting = self.finished = 1

    def grow(self, waiting: int, lines: int) -> None:
        """Until so many runs wait, and with those that have ended there are so many transitions for each of them."""
        self._cast(self.waits, "waiting", waiting - self.waiting)
        self.waiting = max(waiting, self.waiting)
        observer = self.stand.observer()
        trace = """
            SELECT count(*) FROM workflows_transition t
              JOIN workflows_run r ON r.tenant_id = t.tenant_id AND r.id = t.run_id
             WHERE r.tenant_id = %s AND r.public_id = %s
        """
        missing = waiting * lines - observer.one(LINES, self.tenant_id)
        more = max(0, missing // observer.one(trace, self.tenant_id, self.ended))
        self._cast(self.ended, "ended", more)
        self.finished += more

    def _cast(self, public_id: Any, what: str, count: int) -> None:
        from benchmarks.seeding import seed

        first = self.waiting if what == "waiting" else self.finished
        keys = (f"{what}-{i}" for i in range(first, first + count))
        seed(self.stand.postgres, self.tenant_id, public_id, keys, lambda made: say(f"{made:,} of {count:,} {what}"))


def compared(rows: list[Row]) -> list[Row]:
    """How many times the smallest size's cost each size costs: above 1 is slower."""
    found: list[Row] = []
    for row in rows:
        first = next(other for other in rows if other["what"] == row["what"])
        times = {
            "parked": first["park_per_s"] / row["park_per_s"],
            "completed": first["resume_per_s"] / row["resume_per_s"],
            "lat_p50": row["lat_p50_ms"] / first["lat_p50_ms"],
            "cpu_park": _cpu(row, "park") / _cpu(first, "park"),
            "cpu_resume": _cpu(row, "resume") / _cpu(first, "resume"),
        }
        told = {f"{name}_times": round(value, 2) for name, value in times.items()}
        found.append({"what": row["what"], "waiting": row["waiting"], **told, **_wal(row, first)})
    return found


def _wal(row: Row, first: Row) -> dict[str, float]:
    """The same of the WAL: all of it, and without the whole pages that are written once after each checkpoint."""
    names = ("park_wal_bytes", "park_wal_rest_bytes", "resume_wal_bytes", "resume_wal_rest_bytes")
    known = [name for name in names if first.get(name) and name in row]
    return {f"{name.removesuffix('_bytes')}_times": round(row[name] / first[name], 2) for name in known}


def _cpu(row: Row, phase: str) -> float:
    spent = sum(value for part, value in row[f"{phase}_cpu_ms"].items() if part != "machine")
    return max(float(spent), 0.001)


def _checks(bench: ParkResume, tenant: Growing, options: argparse.Namespace) -> list[Any]:
    from benchmarks import checks

    observer, tenant_id = bench.observer, tenant.tenant_id
    return [
        checks.count_in_state(observer, tenant_id, "waiting", tenant.waiting),
        checks.count_in_state(observer, tenant_id, "completed", tenant.finished + bench.sent),
        checks.signals_matched(observer, tenant_id, bench.sent),
        checks.no_gaps(observer, tenant_id),
        checks.traces_verify(observer, tenant_id, options.verify),
    ]
