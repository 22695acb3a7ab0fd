"""Runs that ended long ago, and their signals, taken away by retention: how fast, and what is left on the disk."""

import argparse
import time
import uuid
from datetime import timedelta

from benchmarks.meter import Observer, Reading
from benchmarks.report import Check, Report, Row, machine, say
from benchmarks.stand import Stand
from benchmarks.stored import ENGINE_TABLES, SIGNAL_TABLES, stored

SUMMARY = "ended runs and their signals pruned a second, and what stays"
SETTINGS = ("autovacuum=off",)  # so that what pruning leaves behind is seen before it is cleaned up
QUICK = {"runs": 1000, "settle": 1.0}
KEPT_DAYS, AGE = 30, timedelta(days=100)
TABLES = (*ENGINE_TABLES, *SIGNAL_TABLES, "workflows_tombstone")
_AGE_RUN = "UPDATE workflows_run SET finished_at = finished_at - %s WHERE tenant_id = %s"
_SIGNALS = """
INSERT INTO signals_app_signal SELECT made.* FROM signals_app_signal s, workflows_run r, LATERAL
  jsonb_populate_record(s, jsonb_build_object('id', nextval(pg_get_serial_sequence('signals_app_signal', 'id')),
    'public_id', gen_random_uuid(), 'external_id', r.public_id, 'correlation', r.correlation)) AS made
 WHERE s.tenant_id = %(tenant)s AND r.tenant_id = s.tenant_id AND r.public_id <> %(mould)s
"""
_KEYS = """
INSERT INTO signals_app_signalkey SELECT made.* FROM signals_app_signal s, signals_app_signalkey k, LATERAL
  jsonb_populate_record(k, jsonb_build_object('id', nextval(pg_get_serial_sequence('signals_app_signalkey', 'id')),
    'signal_id', s.id, 'key', 'k=' || (s.correlation->>'k'))) AS made
 WHERE k.tenant_id = %(tenant)s AND s.tenant_id = k.tenant_id AND s.id <> k.signal_id
"""
_VERDICTS = """
INSERT INTO workflows_signalverdict SELECT made.*
  FROM workflows_signalverdict v, signals_app_signal s JOIN workflows_run r
    ON r.tenant_id = s.tenant_id AND r.public_id::text = s.external_id, LATERAL
  jsonb_populate_record(v, jsonb_build_object('id', nextval(pg_get_serial_sequence('workflows_signalverdict', 'id')),
    'signal_id', s.id, 'run_id', r.id)) AS made
 WHERE v.tenant_id = %(tenant)s AND s.tenant_id = v.tenant_id AND s.id <> v.signal_id
"""
_AGE_SIGNALS = "UPDATE signals_app_signal SET received_at = received_at - %s WHERE tenant_id = %s"
_DEAD = "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables WHERE relname = ANY(%s)"
_LEFT = "SELECT count(*) FROM {} WHERE tenant_id = %s"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--runs", type=int, default=100_000, help="ended runs, one signal each (default %(default)s)")
    parser.add_argument(
        "--settle", type=float, default=11.0, help="pause in which sessions report dead rows (default %(default)s)"
    )
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Make runs that ended long ago, prune them, prune their signals, vacuum."""
    from benchmarks import checks
    from benchmarks.journeys import new_tenant
    from benchmarks.seeding import vacuum

    report = Report("prune", vars(options), machine=machine(stand.postgres.folder))
    tenant_id, observer = new_tenant(), stand.observer()
    _make(stand, tenant_id, options.runs)
    whole = [
        checks.runs_in_state(observer, tenant_id, "completed", options.runs),
        checks.signals_matched(observer, tenant_id, options.runs),
        checks.no_gaps(observer, tenant_id),
        checks.traces_verify(observer, tenant_id, options.verify),
    ]
    _age(stand, tenant_id)
    report.tables["Stored before"] = stored(observer, TABLES)
    bench = Prune(stand, tenant_id, observer, options)
    report.rows = [bench.prune("completed"), bench.prune("signals")]
    report.tables["Stored after pruning"] = _sizes(observer, options.runs)
    vacuum(stand.postgres)
    report.tables["Stored after VACUUM"] = _sizes(observer, options.runs)
    report.checks = [*whole, *bench.checks()]
    return report


class Prune:
    """One tenant, and retention as an order of somebody carries it out."""

    def __init__(self, stand: Stand, tenant_id: int, observer: Observer, options: argparse.Namespace) -> None:
        self.stand, self.tenant_id, self.observer, self.options = stand, tenant_id, observer, options

    def prune(self, what: str) -> Row:
        """Plan, order and carry out, in this process: what that took for each thing pruned."""
        from benchmarks.seeding import checkpoint
        from workflows.retention.plan import plan_retention
        from workflows.retention.policies import drop_policy, set_policy
        from workflows.retention.pruning import order_prune

        tenant_id = self.tenant_id
        set_policy(tenant_id=tenant_id, what=what, days=KEPT_DAYS, changed_by="benchmark")
        checkpoint(self.stand.postgres)
        dead, began = self.observer.one(_DEAD, list(TABLES)), time.perf_counter()
        token = plan_retention(tenant_id=tenant_id).token
        planned = time.perf_counter() - began
        order = order_prune(tenant_id=tenant_id, plan=token, reason="benchmark", ordered_by="benchmark")
        before = self._read()
        pruned = _carried_out(tenant_id, order.public_id)
        after = self._read()
        drop_policy(tenant_id=tenant_id, what=what)
        count, seconds = self.options.runs, after.at - before.at
        used = after.since(before, count)
        row = {"what": what, "pruned": pruned.get("run", pruned.get("signal", 0)), "plan_s": round(planned, 2)}
        row |= {"seconds": round(seconds, 2), "per_s": round(count / seconds), "rows": sum(pruned.values())}
        row |= {name: used[name] for name in ("cpu_ms", "wal_bytes")}
        row |= self.observer.images(before, after, count) or {}
        say(f"{what}: {row['per_s']:,} a second")
        return {**row, "dead_rows": self._dead() - dead}

    def checks(self) -> list[Check]:
        """What must be gone is gone, and what must stay is there."""
        runs, found = self.options.runs, []
        wanted = dict.fromkeys((*ENGINE_TABLES, *SIGNAL_TABLES[1:]), 0)
        for table, rows in {**wanted, "workflows_tombstone": runs, "signals_app_signal": runs}.items():
            there = self.observer.one(_LEFT.format(table), self.tenant_id)
            found.append(Check(f"{rows:,} rows of {table} afterwards", there == rows, f"({there:,})"))
        return found

    def _read(self) -> Reading:
        return self.observer.read(self.stand.parts())

    def _dead(self) -> int:
        from django.db import connections

        connections.close_all()
        time.sleep(self.options.settle)
        return int(self.observer.one(_DEAD, list(TABLES)))


def _carried_out(tenant_id: int, public_id: uuid.UUID) -> dict[str, int]:
    """In as many turns as it takes."""
    from workflows.retention.pruning import carry_out

    while (order := carry_out(tenant_id=tenant_id, public_id=public_id)).finished_at is None:
        say(f"{sum(order.pruned.values()):,} rows pruned")
    return {name: count for name, count in order.pruned.items() if name != "left"}


def _sizes(observer: Observer, runs: int) -> list[Row]:
    """Sizes alone, for each run that there was: rows are counted only by VACUUM."""
    names = ("table", "table_mb", "index_mb", "bytes_per_run")
    return [{name: row[name] for name in names} for row in stored(observer, TABLES, runs)]


def _make(stand: Stand, tenant_id: int, runs: int) -> None:
    """A run that its signal completed; all others are cast from it, each with a signal of its own."""
    from benchmarks.journeys import drain, mould, signal_some
    from benchmarks.seeding import seed, vacuum

    public_id, key = mould(tenant_id)
    signal_some(tenant_id, [key])
    drain(tenant_id)
    with stand.postgres.connect() as connection:
        seed(stand.postgres, tenant_id, public_id, map(str, range(1, runs)), lambda made: say(f"{made:,} runs seeded"))
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            for statement in (_SIGNALS, _KEYS, _VERDICTS):
                connection.execute(statement, {"tenant": tenant_id, "mould": public_id})
    vacuum(stand.postgres)


def _age(stand: Stand, tenant_id: int) -> None:
    """Let all of it be old. Traces are verified before that: they tell when a run ended."""
    from benchmarks.seeding import vacuum

    with stand.postgres.connect() as connection:
        connection.execute(_AGE_RUN, [AGE, tenant_id])
        connection.execute(_AGE_SIGNALS, [AGE, tenant_id])
    vacuum(stand.postgres)
