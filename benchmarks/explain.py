"""Explaining runs where there are very many: how long one takes, and how many queries it needs."""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from benchmarks.meter import Observer
from benchmarks.report import Check, Report, machine, percentile, say
from benchmarks.stand import Stand
from tenants.wire import Wire

SUMMARY = "latency and queries of an explanation with a million runs"
QUICK = {"runs": 2000, "samples": 50}
_SOME = "SELECT public_id FROM workflows_run WHERE tenant_id = %s AND id >= %s ORDER BY id LIMIT 1"
_SPAN = "SELECT min(id), max(id) FROM workflows_run WHERE tenant_id = %s"
MOST_STATEMENTS = 4  # the one that enters the tenant's scope, and three


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--runs", type=int, default=1_000_000, help="waiting runs (default %(default)s)")
    parser.add_argument("--samples", type=int, default=1000, help="explanations of each kind (default %(default)s)")
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Seed, then explain runs that wait and runs that have ended, here and there."""
    from benchmarks import checks
    from benchmarks.journeys import Client, drain, mould, new_tenant, start_some
    from benchmarks.seeding import seed, vacuum

    report = Report("explain", vars(options), machine=machine(stand.postgres.folder))
    tenant_id, observer = new_tenant(), stand.observer()
    public_id, _ = mould(tenant_id)
    seed(stand.postgres, tenant_id, public_id, map(str, range(options.runs)), lambda made: say(f"{made:,} runs seeded"))
    vacuum(stand.postgres)
    some = _spread(observer, tenant_id, options.samples)
    ended = [f"ended-{i}" for i in range(min(options.samples, 200))]
    ids = start_some(tenant_id, ended)
    drain(tenant_id)
    Client(tenant_id, batch=100, threads=1).signal(ended)
    drain(tenant_id)
    states: set[str] = set()
    report.rows = [
        _measure("waiting", _explained(tenant_id, states), some),
        _measure("completed", _explained(tenant_id, states), list(ids.values())),
    ]
    most = max(row["most_statements"] for row in report.rows)
    total = options.runs + 1 + len(ended)
    found = observer.one("SELECT count(*) FROM workflows_run WHERE tenant_id = %s", tenant_id)
    report.checks = [
        Check(f"{total:,} runs", found == total, f"({found:,})"),
        Check("each kind explained as what it is", states == {"waiting", "completed"}, str(sorted(states))),
        Check(f"no explanation takes more than {MOST_STATEMENTS} statements", most <= MOST_STATEMENTS, f"({most})"),
        checks.no_gaps(observer, tenant_id),
        checks.traces_verify(observer, tenant_id, options.verify),
    ]
    return report


def _spread(observer: Observer, tenant_id: int, samples: int) -> list[Any]:
    first, last = observer.row(_SPAN, tenant_id)
    return [observer.one(_SOME, tenant_id, random.randint(first, last)) for _ in range(samples)]


def _explained(tenant_id: int, states: set[str]) -> Callable[[Any], None]:
    from workflows.explain.run import explain_run

    def explain(public_id: Any) -> None:
        states.add(str(explain_run(tenant_id=tenant_id, public_id=public_id).state))

    return explain


def _measure(what: str, explain: Callable[[Any], None], public_ids: Sequence[Any]) -> dict[str, Any]:
    """Latencies in milliseconds, and the most statements that one needed, the one that enters the scope included."""
    latencies, statements = [], 0
    for public_id in public_ids:
        counted = Counted()
        began = time.perf_counter()
        with counted:
            explain(public_id)
        latencies.append((time.perf_counter() - began) * 1000)
        statements = max(statements, counted.statements)
    shares = {f"p{round(share * 100)}_ms": round(percentile(latencies, share), 2) for share in (0.5, 0.95, 0.99)}
    return {"what": what, "samples": len(latencies), **shares, "most_statements": statements}


class Counted:
    """How many statements a block sends, without BEGIN and COMMIT: through the driver's cursors and over the wire."""

    def __init__(self) -> None:
        self.statements = 0

    def __enter__(self) -> None:
        ways: list[tuple[type, str]] = [(psycopg.Cursor, "execute"), (psycopg.ServerCursor, "execute"), (Wire, "put")]
        self._kept = [(kind, name, getattr(kind, name)) for kind, name in ways]
        for kind, name, way in self._kept:
            setattr(kind, name, self._counting(way))

    def __exit__(self, *error: Any) -> None:
        for kind, name, way in self._kept:
            setattr(kind, name, way)

    def _counting(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any, **named: Any) -> Any:
            self.statements += 1
            return execute(*given, **named)

        return counting
