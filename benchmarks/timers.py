"""Very many timers that run out within a minute: how late each is seen to have fired, and that none fires early."""

import argparse
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.report import Check, Report, machine, say
from benchmarks.stand import Stand
from benchmarks.waiting import NeverHappened, wait_until

SUMMARY = "how late timers fire, with 100,000 due within a minute"
SETTINGS = ("track_commit_timestamp=on",)  # tells when a change could be seen
QUICK = {"timers": 500, "window": 5.0, "lead": 12.0}
SLOTS = 5  # moments a second at which timers run out
DOCUMENT: dict[str, Any] = {
    "key": "timer",
    "correlation": ["k"],
    "steps": [
        {"key": "rest", "kind": "wait", "until": {"instant": "data.due_at"}},
        {"key": "last", "kind": "branch", "when": [{"if": {"path": "data.x", "eq": "nobody"}, "then": "complete"}]},
    ],
}
_TOLD = "current_setting('track_commit_timestamp')::bool"
_SEEN = f"coalesce(CASE WHEN {_TOLD} THEN pg_xact_commit_timestamp(r.xmin) END, r.finished_at)"
_LATENESS = f"""
SELECT count(*), count(*) FILTER (WHERE w.closed_at < w.due_at OR {_SEEN} < w.due_at),
       percentile_disc(ARRAY[0.5, 0.95, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM {_SEEN} - w.due_at)::float)
  FROM workflows_run r JOIN workflows_wait w ON w.tenant_id = r.tenant_id AND w.run_id = r.id
 WHERE r.tenant_id = %s AND r.state = 'completed'
"""  # noqa: S608
_DONE = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND state = 'completed'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--timers", type=int, default=100_000, help="how many (default %(default)s)")
    parser.add_argument(
        "--window", type=float, default=60.0, help="seconds within which they run out (default %(default)s)"
    )
    parser.add_argument(
        "--lead", type=float, default=90.0, help="seconds for seeding before the first (default %(default)s)"
    )
    parser.add_argument("--patience", type=float, default=120.0, help="seconds after the last (default %(default)s)")
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Seed timers, start the workers before the first is due, and compare when each was seen to have fired."""
    from benchmarks import checks
    from benchmarks.journeys import new_tenant

    report = Report("timers", vars(options), machine=machine(stand.postgres.folder))
    tenant_id, observer = new_tenant(DOCUMENT), stand.observer()
    first = datetime.now(UTC) + timedelta(seconds=options.lead)
    total = _seed(stand, tenant_id, options, first)
    _seconds_until(first)  # seeding alone may have taken too long
    stand.fleet.start()
    say(f"{total:,} timers, the first in {_seconds_until(first):.0f} s")
    time.sleep(_seconds_until(first))
    before = observer.read(stand.parts())
    wait_until(lambda: _told(observer, tenant_id), total, "timers fired", options.window + options.patience)
    used = observer.read(stand.parts()).since(before, total)
    stand.fleet.stop()
    fired, early, (p50, p95, p99, latest) = observer.row(_LATENESS, tenant_id)
    late = {"p50": p50, "p95": p95, "p99": p99, "most": latest}
    late_s = {f"late_{name}_s": round(value, 3) for name, value in late.items()}
    report.rows = [{"what": "timers", "fired": fired, "early": early, **late_s, "cpu_ms": used["cpu_ms"]}]
    report.checks = [
        checks.runs_in_state(observer, tenant_id, "completed", total),
        Check("none fired early", early == 0, f"({early:,} did)"),
        checks.no_gaps(observer, tenant_id),
        checks.traces_verify(observer, tenant_id, options.verify),
    ]
    return report


def _seconds_until(first: datetime) -> float:
    """What is left. Raises NeverHappened when nothing is: timers that were late from the start tell nothing."""
    left = (first - datetime.now(UTC)).total_seconds()
    if left < 0:
        raise NeverHappened(f"Seeding took {-left:.0f} s longer than --lead allows")
    return left


def _told(observer: Any, tenant_id: int) -> int:
    done = observer.one(_DONE, tenant_id)
    time.sleep(0.5)  # counting so many is work too, and the lateness is told by the rows
    return int(done)


def _seed(stand: Stand, tenant_id: int, options: argparse.Namespace, first: datetime) -> int:
    """Timers for each of the moments; how many there are."""
    from benchmarks.journeys import drain, start_moulds
    from benchmarks.seeding import seed, vacuum

    slots = max(1, round(options.window * SLOTS))
    dues = [first + timedelta(seconds=number / SLOTS) for number in range(slots)]
    moulds = start_moulds(tenant_id, DOCUMENT["key"], [{"due_at": due.isoformat()} for due in dues])
    drain(tenant_id)
    each = max(1, options.timers // slots) - 1
    for number, public_id in enumerate(moulds):
        keys = (f"{number}-{i}" for i in range(each))
        seed(stand.postgres, tenant_id, public_id, keys, lambda made: None)
        if number % (10 * SLOTS) == 0:
            say(f"{(each + 1) * (number + 1):,} timers seeded")
    vacuum(stand.postgres)
    return int((each + 1) * slots)
