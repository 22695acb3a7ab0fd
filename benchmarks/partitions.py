"""The trace as one table beside the same table cut into months: reading a trace, adding lines, taking a month away.

Both tables are copies of `workflows_transition` with its indexes; a table that is cut by time needs the time in each
unique one. Each thing is done to one and the other in turn, so that both meet the same noise: the ratio is the figure.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.meter import cpu_seconds
from benchmarks.report import Check, Report, machine, say
from benchmarks.stand import Stand

SUMMARY = "the trace as one table beside twelve partitions: reading, adding, taking a month away"
QUICK = {"lines": 24_000, "samples": 60, "inserts": 10}
MONTHS, LINES_PER_RUN, RUNS_PER_BATCH, BURIED_AT_ONCE = 12, 10, 100, 200
SCHEMA = "bench_partitions"
PLAIN, CUT = f"{SCHEMA}.plain", f"{SCHEMA}.cut"
_INDEXES = """
SELECT i.indisunique, array_agg(a.attname::text ORDER BY k.place)
  FROM pg_index i CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY k(number, place)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
 WHERE i.indrelid = 'workflows_transition'::regclass GROUP BY i.indexrelid, i.indisunique
"""
_FILL = f"""
INSERT INTO {{}} (tenant_id, id, run_id, seq, step, visit, cause, cause_ref, from_state, to_state, reason, context,
                prev_hash, hash, occurred_at)
SELECT 1, i, i / {LINES_PER_RUN}, i %% {LINES_PER_RUN} + 1, 'parked', 1, 'signal', gen_random_uuid()::text, 'waiting',
       'active', 'signal_matched', jsonb_build_object('wait', 'parked', 'name', 'go', 'number', i),
       sha256(i::text::bytea), sha256((i + 1)::text::bytea),
       timestamptz '2026-01-01' + interval '1 month' * least({MONTHS} * (i / {LINES_PER_RUN})::float8 / %s, 11.99)
  FROM generate_series(%s::bigint, %s::bigint) AS i
"""  # noqa: S608
_TRACE = """
SELECT seq, from_state, to_state, reason, context, prev_hash, hash, occurred_at FROM {}
 WHERE tenant_id = %s AND run_id = %s ORDER BY seq
"""
_TRACES = "SELECT run_id, seq, hash FROM {} WHERE tenant_id = %s AND run_id = ANY(%s) ORDER BY run_id, seq"

_LAST = f"SELECT max(run_id) FROM {CUT}_1"  # noqa: S608
_DELETE = f"DELETE FROM {PLAIN} WHERE tenant_id = 1 AND run_id BETWEEN %s AND %s"  # noqa: S608


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--lines", type=int, default=2_000_000, help="lines in each table (default %(default)s)")
    parser.add_argument("--samples", type=int, default=2000, help="traces that are read (default %(default)s)")
    parser.add_argument("--inserts", type=int, default=200, help="batches of lines added (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Make both, and do the same to one and the other."""
    report = Report("partitions", vars(options), machine=machine(stand.postgres.folder))
    with stand.postgres.connect() as connection:
        bench = Pair(connection, options.lines, options.inserts)
        try:
            bench.make()
            measured = [bench.traces(options.samples), bench.inserts(), bench.month()]
            report.checks = bench.checks()
        finally:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    plain, cut = ({name: found[at] for part in measured for name, found in part.items()} for at in (0, 1))
    times = {name: round(cut[name] / plain[name], 3) for name in plain if plain[name]}
    report.rows = [{"what": "one table", **plain}, {"what": f"{MONTHS} months", **cut}, {"what": "times", **times}]
    return report


Taken = tuple[Sequence[list[float]], Sequence[list[float]]]  # time and CPU, each for one table and the other
Figures = dict[str, tuple[float, float]]  # of the one table, and of the one that is cut


class Pair:
    """Both tables, filled alike."""

    def __init__(self, connection: Any, lines: int, inserts: int) -> None:
        self.connection = connection
        self.runs = max(MONTHS * 2, lines // LINES_PER_RUN)
        self.lines, self.batches = self.runs * LINES_PER_RUN, inserts
        self.differed = 0

    def make(self) -> None:
        """The tables with their indexes, a year of lines in each."""
        execute = self.connection.execute
        execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        execute(f"CREATE SCHEMA {SCHEMA}")
        execute(f"CREATE TABLE {PLAIN} (LIKE workflows_transition INCLUDING DEFAULTS)")
        execute(f"CREATE TABLE {CUT} (LIKE workflows_transition INCLUDING DEFAULTS) PARTITION BY RANGE (occurred_at)")
        for month in range(1, MONTHS + 1):
            end = f"2026-{month + 1:02}-01" if month < MONTHS else "2027-01-01"
            execute(
                f"CREATE TABLE {CUT}_{month} PARTITION OF {CUT} FOR VALUES FROM ('2026-{month:02}-01') TO ('{end}')"
            )
        for table in (PLAIN, CUT):
            self._index(table)
            self._fill(table, LINES_PER_RUN, self.lines + LINES_PER_RUN - 1)
            execute(f"VACUUM ANALYZE {table}")
            say(f"{self.lines:,} lines in {table}")
        execute("SET plan_cache_mode = force_generic_plan")  # as the service prepares its statements
        execute("CHECKPOINT")

    def traces(self, samples: int) -> Figures:
        """Reading one trace by its run, and a hundred in one statement, as the engine does it."""
        one: Taken = ([], []), ([], [])
        many: Taken = ([], []), ([], [])
        for number in range(samples):
            wanted = random.randint(1, self.runs)
            self._both(_TRACE, wanted, one)
            if number % 20 == 0:
                self._both(_TRACES, [random.randint(1, self.runs) for _ in range(RUNS_PER_BATCH)], many)
        blocks = [self._blocks(table, self.runs // 2) for table in (PLAIN, CUT)]
        return {
            "trace_ms": _medians(one[0]),
            "trace_cpu_ms": _means(one[1]),
            "hundred_traces_ms": _medians(many[0]),
            "hundred_traces_cpu_ms": _means(many[1]),
            "trace_blocks": (blocks[0], blocks[1]),
        }

    def inserts(self) -> Figures:
        """Adding lines to the last month, those of a hundred runs in one statement."""
        size = RUNS_PER_BATCH * LINES_PER_RUN
        taken: Sequence[list[float]] = ([], [])
        wal: Sequence[list[float]] = ([], [])
        for number in range(self.batches):
            first = self.lines + LINES_PER_RUN + number * size
            for at, table in enumerate((PLAIN, CUT)):
                ms, written = self._measured(partial(self._fill, table, first, first + size - 1))
                taken[at].append(ms)
                wal[at].append(written)
        return {"insert_ms": _medians(taken), "insert_wal_bytes": _medians(wal)}

    def month(self) -> Figures:
        """Taking the first month away: by its runs and VACUUM, as pruning does it, and by dropping its partition."""
        gone = [self._measured(self._delete_first), self._measured(self._drop_first)]
        return {"end_ms": (gone[0][0], gone[1][0]), "end_wal_bytes": (gone[0][1], gone[1][1])}

    def checks(self) -> list[Check]:
        """Whether both hold the same at the end, and every trace read was the same in both."""
        count = "SELECT count(*), coalesce(sum(hashtextextended(encode(hash, 'hex'), 0)), 0) FROM {}"
        plain, cut = (self.connection.execute(count.format(table)).fetchone() for table in (PLAIN, CUT))
        return [
            Check("both tables hold the same lines", plain == cut and plain[0] > 0, f"({plain[0]:,} and {cut[0]:,})"),
            Check("every trace is the same in both", self.differed == 0, f"({self.differed:,} differ)"),
        ]

    def _index(self, table: str) -> None:
        for unique, columns in self.connection.execute(_INDEXES).fetchall():
            names = [*columns, *(["occurred_at"] if unique and table == CUT else [])]
            self.connection.execute(f"CREATE {'UNIQUE' if unique else ''} INDEX ON {table} ({', '.join(names)})")

    def _fill(self, table: str, first: int, last: int) -> None:
        self.connection.execute(_FILL.format(table), [self.runs, first, last])

    def _both(self, sql: str, wanted: Any, taken: "Taken") -> None:
        found = []
        for at, table in enumerate((PLAIN, CUT)):
            began, used = time.perf_counter(), self._cpu_ms()
            found.append(self.connection.execute(sql.format(table), [1, wanted], prepare=True).fetchall())
            taken[0][at].append((time.perf_counter() - began) * 1000)
            taken[1][at].append(self._cpu_ms() - used)
        self.differed += found[0] != found[1] or not found[0]

    def _blocks(self, table: str, run_id: int) -> int:
        told = self.connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {_TRACE.format(table)}", [1, run_id]
        ).fetchone()[0]
        plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    def _cpu_ms(self) -> float:
        """What the server's process for us has used so far: unlike the time, it does not tell of others' work."""
        pid = self.connection.info.backend_pid
        try:
            return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6
        except OSError:  # a kernel that does not count so finely
            return cpu_seconds([pid]) * 1000

    def _measured(self, act: Callable[[], object]) -> tuple[float, float]:
        """Milliseconds and bytes of WAL."""
        at = self.connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()[0]
        began = time.perf_counter()
        act()
        taken = (time.perf_counter() - began) * 1000
        sql = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)::bigint"
        return taken, float(self.connection.execute(sql, [at]).fetchone()[0])

    def _delete_first(self) -> None:
        last = self.connection.execute(_LAST).fetchone()[0]
        for first in range(1, last + 1, BURIED_AT_ONCE):
            upto = min(last, first + BURIED_AT_ONCE - 1)
            self.connection.execute(_DELETE, [first, upto])
        self.connection.execute(f"VACUUM {PLAIN}")

    def _drop_first(self) -> None:
        self.connection.execute(f"DROP TABLE {CUT}_1")


def _means(pair: Sequence[list[float]]) -> tuple[float, float]:
    return round(statistics.fmean(pair[0]), 3), round(statistics.fmean(pair[1]), 3)


def _medians(pair: Sequence[list[float]]) -> tuple[float, float]:
    return round(statistics.median(pair[0]), 3), round(statistics.median(pair[1]), 3)
