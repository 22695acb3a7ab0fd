"""What the database says after a run, read past every proxy and policy."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

_RUNS = """
SELECT r.tenant_id, r.id, t.slug AS tenant, r.public_id::text, r.definition_key AS kind, r.state, r.status_reason,
       r.correlation->>'order_id' AS order_id, r.created_at, r.finished_at, r.step, r.subject
  FROM workflows_run r JOIN tenants_tenant t ON t.id = r.tenant_id ORDER BY r.tenant_id, r.id
"""
_SENDS = """
SELECT s.tenant_id, s.run_id, s.id, s.kind, s.step, s.key, s.status, s.outcome, s.attempts_made, s.lost_attempts
  FROM workflows_steprun s
"""
_ATTEMPTS = """
SELECT tenant_id, step_run_id, status, outcome, error, started_at, lease_until, finished_at
  FROM workflows_attempt ORDER BY number
"""
_WAITS = "SELECT tenant_id, run_id, outcome, opened_at, due_at, closed_at FROM workflows_wait"
_ITEMS = "SELECT run_public_id::text, step_key, count(*) FROM deliveries_inboxitem GROUP BY 1, 2"
_SIGNALS = """
SELECT s.public_id::text, s.external_id, s.verdict, s.routed_at IS NOT NULL, t.slug
  FROM signals_app_signal s JOIN tenants_tenant t ON t.id = s.tenant_id
"""


Item = tuple[str, str]  # an item of an inbox, by public id of its run and key of its step


class Attempt(NamedTuple):
    """One try at a step run; times by the clock of the database."""

    status: str
    outcome: str
    error: str
    started_at: datetime | None = None
    lease_until: datetime | None = None
    finished_at: datetime | None = None


class Wait(NamedTuple):
    """One wait of a run; times by the clock of the database."""

    outcome: str
    opened_at: datetime
    due_at: datetime | None
    closed_at: datetime | None


@dataclass(slots=True)
class Send:
    """A step run that owed something to the outside world, and what was tried."""

    tenant_id: int
    run_id: int
    id: int
    kind: str
    step: str
    key: str
    status: str
    outcome: str
    attempts_made: int
    lost_attempts: int
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def as_webhook(self) -> str:
        """The `webhook-id` that a receiver sees."""
        return f"msg_{hashlib.sha256(self.key.encode()).hexdigest()[:32]}"

    @property
    def as_mail(self) -> str:
        """The local part of the Message-ID that a mail server sees."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:40]

    @property
    def item(self) -> "Item":
        """How the item in an inbox names the run and the step that it comes from."""
        return self.key.partition(":")[0], self.step

    @property
    def uncertain(self) -> int:
        """How many tries are recorded of which nobody knows whether they took effect."""
        return sum(one.status == "lost" or one.outcome in ("unknown", "temporary_failure") for one in self.attempts)


@dataclass(slots=True)
class RunRow:
    """One run."""

    tenant_id: int
    id: int
    tenant: str
    public_id: str
    kind: str
    state: str
    status_reason: str
    order_id: str | None
    created_at: datetime
    finished_at: datetime | None
    step: str
    subject: str
    sends: list[Send] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)


@dataclass(slots=True)
class SignalRow:
    """One signal."""

    public_id: str
    external_id: str
    verdict: str
    routed: bool
    tenant: str


@dataclass(slots=True)
class Facts:
    """All of it."""

    runs: list[RunRow]
    sends: list[Send]
    signals: list[SignalRow]
    numbers: Mapping[str, float]
    items: Mapping[Item, int] = field(default_factory=dict)  # in any inbox
    read_at: datetime | None = None  # by the clock of the database

    @property
    def by_order(self) -> dict[str, list[RunRow]]:
        """Runs by the order that they are about."""
        found: dict[str, list[RunRow]] = defaultdict(list)
        for run in self.runs:
            found[run.order_id or ""].append(run)
        return found


def read_facts(database: psycopg.Connection[Any]) -> Facts:
    """Everything at one moment."""
    with database.transaction(), database.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        runs = database.cursor(row_factory=class_row(RunRow)).execute(_RUNS).fetchall()
        sends = database.cursor(row_factory=class_row(Send)).execute(_SENDS).fetchall()
        by_run = {(run.tenant_id, run.id): run for run in runs}
        by_send = {(send.tenant_id, send.id): send for send in sends}
        for send in sends:
            by_run[send.tenant_id, send.run_id].sends.append(send)
        for tenant_id, step_run_id, *told in cursor.execute(_ATTEMPTS):
            by_send[tenant_id, step_run_id].attempts.append(Attempt(*told))
        for tenant_id, run_id, *told in cursor.execute(_WAITS):
            by_run[tenant_id, run_id].waits.append(Wait(*told))
        signals = [SignalRow(*row) for row in cursor.execute(_SIGNALS)]
        items = {(run, step): count for run, step, count in cursor.execute(_ITEMS)}
        ((read_at,),) = cursor.execute("SELECT clock_timestamp()").fetchall()
        return Facts(runs, sends, signals, numbers(database), items, read_at)


ZERO = ("overdue_timers", "overdue_runs", "engine_failures", "unrouted_signals", "expired_leases")


def numbers(database: psycopg.Connection[Any]) -> dict[str, float]:
    """The service's own numbers that should be zero."""
    rows = database.execute("SELECT number, sum(value) FROM service_numbers() GROUP BY number").fetchall()
    return {name: float(value) for name, value in rows if name in ZERO}
