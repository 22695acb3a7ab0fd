"""What processes use: CPU, memory, and what PostgreSQL counts. Read from /proc, so on Linux only."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

TICK = os.sysconf("SC_CLK_TCK")
OWN_CPU = slice(11, 15)  # in /proc/…/stat behind the name: user and system time, its own and of its ended children


def family(pid: int) -> list[int]:
    """The process and every living descendant of it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, rest = [], [pid]
    while rest:
        found.append(rest.pop())
        rest += children.get(found[-1], [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """What these processes and their ended children have used so far."""
    return sum(sum(map(int, _stat(pid)[OWN_CPU])) for pid in pids) / TICK


def machine_cpu_seconds() -> float:
    """What the whole machine has used so far, whoever asked for it."""
    spent = [int(text) for text in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(spent) - spent[3] - spent[4]) / TICK


def memory_mb(pids: Iterable[int]) -> float:
    """Proportional set size: memory that processes share is counted once."""
    return sum(map(_pss_kb, pids)) / 1024


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:  # it has just ended
        return []


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters at one moment. `cpu` is by part: workers, client, postgres, broker, machine."""

    at: float
    cpu: Mapping[str, float]
    commits: int
    write_transactions: int
    wal_bytes: int
    wal_syncs: int
    sessions: int
    observed: int  # commits of our own observing
    wal_at: str  # the place in the WAL

    def since(self, before: "Reading", count: int) -> dict[str, Any]:
        """What was used since an earlier reading, for each of `count` runs."""
        commits = self.commits - before.commits - (self.observed - before.observed)
        return {
            "cpu_ms": {part: round((self.cpu[part] - before.cpu[part]) * 1000 / count, 3) for part in self.cpu},
            "commits": round(commits / count, 2),
            "write_transactions": round((self.write_transactions - before.write_transactions) / count, 2),
            "wal_bytes": round((self.wal_bytes - before.wal_bytes) / count),
            "wal_syncs": round((self.wal_syncs - before.wal_syncs) / count, 2),
            "sessions": round((self.sessions - before.sessions) / count, 3),
        }


_IMAGES = """
SELECT coalesce(sum(combined_size), 0)::bigint, coalesce(sum(fpi_size), 0)::bigint
  FROM pg_get_wal_stats(%s::pg_lsn, least(%s::pg_lsn, pg_current_wal_flush_lsn()))
"""


class Observer:
    """Another client of the database, which sees what is committed and counts how often it looked."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection
        self.looks = 0
        has_io = connection.info.server_version >= 180000  # where syncs are counted since PostgreSQL 18
        syncs = "(SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')" if has_io else "wal_sync"
        self._counters = f"""
            SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
                   pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                   pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
                   (SELECT {syncs} FROM pg_stat_wal)::bigint,
                   (SELECT sessions FROM pg_stat_database WHERE datname = current_database()),
                   pg_current_wal_insert_lsn()::text
        """  # noqa: S608

    def one(self, sql: str, *values: Any) -> Any:
        """The first column of the first row."""
        return self.row(sql, *values)[0]

    def row(self, sql: str, *values: Any) -> tuple[Any, ...]:
        """The first row."""
        self.looks += 1
        return self._connection.execute(sql, values, prepare=True).fetchone() or ()

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Every row."""
        self.looks += 1
        return self._connection.execute(sql, values).fetchall()

    def read(self, parts: Mapping[str, Iterable[int]]) -> Reading:
        """Counters now. `parts` names groups of processes; this process is added as the client."""
        cpu = {name: cpu_seconds(pids) for name, pids in parts.items()}
        cpu |= {"client": time.process_time(), "machine": machine_cpu_seconds()}
        commits, write_transactions, wal_bytes, wal_syncs, sessions, wal_at = self.row(self._counters)
        return Reading(
            time.perf_counter(), cpu, commits, write_transactions, wal_bytes, wal_syncs, sessions, self.looks, wal_at
        )

    def images(self, before: Reading, after: Reading, count: int) -> dict[str, int] | None:
        """What part of the WAL between two readings is whole pages, for each of `count` runs; None: it cannot be told.

        A page is written whole when it is first touched after a checkpoint. The WAL itself is read for this, so not
        while something is measured.
        """
        try:
            self._connection.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
            with self._connection.transaction():  # this commit waits for all that others did not wait for
                self._connection.execute("SET LOCAL synchronous_commit = on")
                self._connection.execute("SELECT pg_logical_emit_message(true, 'observer', '')")
            found, size = self.row(_IMAGES, before.wal_at, after.wal_at)
        except psycopg.Error:  # no such module here, or a checkpoint has taken the WAL away
            return None
        return {"wal_image_bytes": round(size / count), "wal_rest_bytes": round((found - size) / count)}
