"""Locking runs in a set and loading what the engine must know of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signals_app.services.payloads import load_payloads
from tenants.sql import Question, Rows, fetch, fetch_each
from workflows.definitions.document import Step, Target
from workflows.engine.events import HeldBySwitch
from workflows.engine.facts import BoundRule, RunFacts, SignalFacts, WaitFacts
from workflows.events.record import IS_WATCHED
from workflows.services.documents import Loaded, documents
from workflows.steps.base import PlannedStep
from workflows.store.answers import Addresses, addresses_of, merged
from workflows.store.switches import held_by, holds

# `unnest … cross join lateral` looks each run up by its whole key; `id = any(…)` walks the tenant's rows until the
# table has statistics. Locks are taken in id order. After a lock wait the row is read again, but a joined row would
# not be: waits are loaded by the next statement, which sees what the previous holder of the lock committed.
_LOCK = """
SELECT r.* FROM (SELECT id FROM unnest(%s::bigint[]) AS u(id) ORDER BY id) u CROSS JOIN LATERAL (
    SELECT id, public_id, definition_id, subject, correlation, data_sha, state, step, visits, began_at, step_entered_at,
           deadline_at, pending_signals, status_reason, status_context, terminal_reason, seq, chain_head, due_at,
           suspended_until, finished_at
      FROM workflows_run WHERE tenant_id = %s AND id = u.id FOR NO KEY UPDATE {skip}) r
"""
# What is switched off is read after the locks, too, and cannot change any more before this transaction ends.
_CLOCK = f"""
SELECT switched_off(%s), clock_timestamp(), (SELECT time_zone FROM tenants_tenant WHERE id = %s), {IS_WATCHED},
       ARRAY(SELECT w.run_id FROM unnest(%s::bigint[]) AS u(id) CROSS JOIN LATERAL (
           SELECT run_id FROM workflows_steprun
            WHERE tenant_id = %s AND run_id = u.id AND status IN ('owed', 'running') OFFSET 0) w)
"""  # noqa: S608  our own text
_WAITS = """
SELECT w.* FROM unnest(%s::bigint[]) AS u(id) CROSS JOIN LATERAL (
    SELECT run_id, id, step, visit, signals, look_back_from, opened_at, due_at, on_timeout, routes,
           actors, remind_at
      FROM workflows_wait WHERE tenant_id = %s AND run_id = u.id AND closed_at IS NULL OFFSET 0) w
"""
_BUFFERED = """
SELECT v.run_id, s.* FROM unnest(%s::bigint[]) AS u(id) CROSS JOIN LATERAL (
    SELECT run_id, signal_id FROM workflows_signalverdict
     WHERE tenant_id = %s AND run_id = u.id AND verdict = 'buffered' OFFSET 0) v
 CROSS JOIN LATERAL (
    SELECT id, public_id, name, subject, correlation, received_at, payload_sha FROM signals_app_signal
     WHERE tenant_id = %s AND id = v.signal_id OFFSET 0) s
 ORDER BY s.received_at, s.id
"""


@dataclass(frozen=True, slots=True)
class Locked:
    """Runs under their row locks, and what was seen once the last lock was taken."""

    runs: dict[int, "LockedRun"]
    now: datetime
    is_watched: bool  # the tenant has a subscription to events
    answers: Sequence[Rows]  # to what was asked besides


@dataclass(slots=True)
class LockedRun:
    """A run under its row lock: the engine's facts, and what the writer needs to go on with the trace."""

    id: int
    definition: Loaded
    facts: RunFacts
    seq: int
    chain_head: bytes
    held_by: HeldBySwitch | None = None  # its definition is switched off
    finished_at: datetime | None = None
    kept_signals: bool = False  # early signals were kept for it when it was locked
    has_work: bool = False  # work of it is owed or under way

    def planned(self, tenant_id: int, step_run_id: int, key: str, step: Step, visit: int) -> PlannedStep:
        """The work of a step run of it, as the kind of the step plans it."""
        return PlannedStep(
            step_run_id=step_run_id,
            tenant_id=tenant_id,
            run_id=self.id,
            run_public_id=self.facts.public_id,
            definition_key=self.definition.key,
            subject=self.facts.subject,
            correlation=self.facts.correlation,
            data=self.facts.data,
            step=step,
            visit=visit,
            key=key,
        )


def lock_runs(tenant_id: int, run_ids: Iterable[int], *asked: Question, skip_locked: bool = False) -> Locked:
    """The runs that exist, locked in id order. What is asked besides is answered as of after the locks."""
    statement = _LOCK.format(skip="SKIP LOCKED" if skip_locked else "")
    ids = sorted(set(run_ids))
    # In this order, each with a snapshot of its own: what comes after the locks sees what their last holders committed.
    rows, [(off, now, time_zone, is_watched, working)], waits, *answers = fetch_each(
        (statement, [ids, tenant_id]),
        (_CLOCK, [tenant_id, tenant_id, tenant_id, ids, tenant_id]),
        (_WAITS, [ids, tenant_id]),
        *asked,
    )
    if not rows:
        return Locked({}, now, is_watched, answers)
    loaded = documents(tenant_id, {row[2] for row in rows})
    kept = _answers(tenant_id, rows, loaded)
    payloads = _payloads(tenant_id, rows, loaded, kept)
    held = {key: held_by(switch) for key, switch in off.items() if holds(switch)}
    runs = {row[0]: _locked(row, loaded[row[2]], payloads, time_zone, held) for row in rows}
    for run_id, addresses in kept.items():
        runs[run_id].facts.data = merged(runs[run_id].facts.data, addresses, payloads)
    for run_id, *row in waits:
        if run_id in runs:  # not those that others hold
            runs[run_id].facts.wait = _wait(row)
    for run_id in runs.keys() & set(working):
        runs[run_id].has_work = True
    _load_buffered(tenant_id, [run for run in runs.values() if run.kept_signals], runs)
    return Locked(runs, now, is_watched, answers)


def signal_facts(row: Sequence[Any], data: Any = None) -> SignalFacts:
    """From (id, public_id, name, subject, correlation, received_at)."""
    return SignalFacts(row[0], str(row[1]), row[2], row[3], row[4], row[5], data)


def _answers(tenant_id: int, rows: Sequence[tuple[Any, ...]], loaded: dict[int, Loaded]) -> Addresses:
    answering = [row[0] for row in rows if loaded[row[2]].answers]
    return addresses_of(tenant_id, answering) if answering else {}


def _payloads(
    tenant_id: int, rows: Sequence[tuple[Any, ...]], loaded: dict[int, Loaded], answers: Addresses
) -> dict[bytes, Any]:
    wanted = {bytes(row[5]) for row in rows if row[5] is not None and loaded[row[2]].needs_data}
    wanted |= {address for addresses in answers.values() for address in addresses.values()}
    return load_payloads(tenant_id, wanted) if wanted else {}


def _locked(
    row: tuple[Any, ...],
    loaded: Loaded,
    payloads: dict[bytes, Any],
    time_zone: str,
    held: Mapping[str, HeldBySwitch],
) -> LockedRun:
    sha = row[5]
    facts = RunFacts(
        public_id=str(row[1]),
        subject=row[3],
        correlation=row[4],
        state=row[6],
        step=row[7],
        visits=row[8],
        began_at=row[9],
        step_entered_at=row[10],
        deadline_at=row[11],
        time_zone=time_zone,
        data=payloads.get(bytes(sha), {}) if sha is not None else {},
        pending_signals=row[12],
        status_reason=row[13],
        status_context=row[14],
        terminal_reason=row[15],
        begins_at=_begins_at(row[6], row[14], row[18]),
        suspended_until=row[19],
    )
    seq, head, ended_at = row[16], bytes(row[17]), row[20]
    return LockedRun(row[0], loaded, facts, seq, head, held.get(loaded.key), ended_at, kept_signals=row[12] > 0)


def _begins_at(state: str, status: Mapping[str, Any], due_at: datetime | None) -> datetime | None:
    """When a run that has not begun does; a pause keeps it in the status, because its own clock is another."""
    if state == "paused" and "begins_at" in status:
        return datetime.fromisoformat(status["begins_at"])
    return due_at if state == "pending" else None


def _wait(row: Sequence[Any]) -> WaitFacts:
    wait_id, step, visit, signals, look_back_from, opened_at, due_at, on_timeout, routes, actors, remind_at = row
    rules = tuple(
        BoundRule(rule["name"], rule.get("match"), rule.get("when"), Target.parse(rule.get("then"))) for rule in signals
    )
    return WaitFacts(
        step,
        visit,
        rules,
        opened_at,
        due_at,
        Target.parse(on_timeout),
        look_back_from,
        wait_id,
        {word: Target.parse(target) for word, target in routes.items()},
        tuple(actors),
        remind_at,
    )


def _load_buffered(tenant_id: int, holders: list[LockedRun], runs: dict[int, LockedRun]) -> None:
    if not holders:
        return
    rows = fetch(_BUFFERED, [[run.id for run in holders], tenant_id, tenant_id])
    shas = {bytes(row[7]) for row in rows if row[7] is not None and row[3] in runs[row[0]].definition.conditioned}
    payloads = load_payloads(tenant_id, shas) if shas else {}
    for row in rows:
        facts = runs[row[0]].facts
        data = payloads.get(bytes(row[7])) if row[7] is not None else None
        facts.buffered = (*facts.buffered, signal_facts(row[1:7], data))
