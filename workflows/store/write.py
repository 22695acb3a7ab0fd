"""The statements that write a batch: one per table, whatever the number of runs."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workflows.engine.facts import BoundRule, Owed, WaitFacts
from workflows.steps.base import WorkKind
from workflows.steps.registry import kinds
from workflows.store.load import LockedRun
from workflows.store.sql import columns, execute, fetch

if TYPE_CHECKING:
    from workflows.store.batch import Pending

_TRANSITIONS = """
INSERT INTO workflows_transition (tenant_id, run_id, seq, step, visit, delivery, cause, cause_ref, from_state, to_state,
    reason, context, occurred_at, prev_hash, hash)
SELECT %s, t.* FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::int[], %s::uuid[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::text[]::jsonb[], %s::timestamptz[], %s::bytea[], %s::bytea[]) t
"""
_RUNS = """
UPDATE workflows_run r SET state = u.state, step = u.step, visits = u.visits, status_reason = u.status_reason,
    status_context = u.status_context, terminal_reason = u.terminal_reason, revision = u.seq, seq = u.seq,
    chain_head = u.chain_head, pending_signals = u.pending_signals, step_entered_at = u.step_entered_at, due_at = u.due_at,
    engine_failures = 0, updated_at = %s, finished_at = u.finished_at
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]::jsonb[], %s::text[], %s::text[]::jsonb[], %s::text[], %s::int[],
    %s::bytea[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
  AS u (id, state, step, visits, status_reason, status_context, terminal_reason, seq, chain_head, pending_signals,
        step_entered_at, due_at, finished_at)
WHERE r.tenant_id = %s AND r.id = u.id
"""
_CLOSE_WAITS = """
UPDATE workflows_wait w SET outcome = u.outcome, closed_at = %s
FROM unnest(%s::bigint[], %s::text[]) AS u (id, outcome) WHERE w.tenant_id = %s AND w.id = u.id AND w.closed_at IS NULL
"""
_OPEN_WAITS = """
INSERT INTO workflows_wait (tenant_id, run_id, step, visit, signals, look_back_from, opened_at, due_at, on_timeout, outcome,
    closed_at)
SELECT %s, u.* FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[]::jsonb[], %s::timestamptz[], %s::timestamptz[],
    %s::timestamptz[], %s::text[]::jsonb[], %s::text[], %s::timestamptz[]) u
"""
_VERDICTS = """
INSERT INTO workflows_signalverdict (tenant_id, signal_id, run_id, wait_step, name, received_at, verdict, reason, context,
    decided_at)
SELECT %s, u.*, %s FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[],
    %s::text[]::jsonb[]) u
ON CONFLICT (tenant_id, signal_id, run_id) DO UPDATE SET wait_step = excluded.wait_step, verdict = excluded.verdict,
    reason = excluded.reason, context = excluded.context, decided_at = excluded.decided_at
"""
_STEP_RUNS = """
INSERT INTO workflows_steprun (tenant_id, run_id, step, visit, resend, kind, key, status, outcome, attempts_made,
    lost_attempts, fence, due_at, created_at)
SELECT %s, u.run_id, u.step, u.visit, 0, u.kind, u.key, 'owed', '', 0, 0, 0, %s, %s
  FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[], %s::text[]) WITH ORDINALITY
    AS u (run_id, step, visit, kind, key, position) ORDER BY position RETURNING key, id
"""
_SETTLE_STEP_RUNS = """
UPDATE workflows_steprun s SET status = 'succeeded', outcome = u.outcome, due_at = NULL, finished_at = %s
FROM unnest(%s::bigint[], %s::text[]) AS u (id, outcome) WHERE s.tenant_id = %s AND s.id = u.id
"""
# What a finished run leaves behind: its listeners rest, its unused signals expire, its unclaimed work is not owed any more.
# A running attempt keeps its claim: it is in flight, and its worker will record what became of it.
_FINISH = (
    "UPDATE workflows_listener SET live = false WHERE tenant_id = %s AND run_id = ANY(%s) AND live",
    "UPDATE workflows_signalverdict SET verdict = 'expired', reason = 'run_finished' "
    "WHERE tenant_id = %s AND run_id = ANY(%s) AND verdict = 'buffered'",
)
_CANCEL_WORK = """
UPDATE workflows_steprun SET status = 'cancelled', due_at = NULL, finished_at = %s
 WHERE tenant_id = %s AND run_id = ANY(%s) AND status = 'owed' AND resend = 0 RETURNING kind, id
"""


def flush(tenant_id: int, pending: "Pending", now: datetime) -> None:
    """Write everything of a batch. The caller holds the row locks of all its runs."""
    if pending.closed:
        closed = [(wait.id, outcome) for _, wait, outcome in pending.closed if wait.id is not None]
        execute(_CLOSE_WAITS, [now, *columns(closed, 2), tenant_id])
    if pending.opened:
        execute(_OPEN_WAITS, [tenant_id, *columns([_wait_row(*entry, now) for entry in _last_words(pending)], 10)])
    if pending.transitions:
        rows = [(*row[:10], dumps(row[10]), *row[11:]) for row in pending.transitions]
        execute(_TRANSITIONS, [tenant_id, *columns(rows, 14)])
    if pending.changed:
        execute(_RUNS, [now, *columns([_run_row(run, now) for run in pending.changed.values()], 13), tenant_id])
    if pending.finished:
        for statement in _FINISH:
            execute(statement, [tenant_id, pending.finished])
        abandon(tenant_id, fetch(_CANCEL_WORK, [now, tenant_id, pending.finished]), now)
    write_verdicts(tenant_id, pending, now)


def abandon(tenant_id: int, ended: Sequence[tuple[Any, ...]], now: datetime) -> None:
    """Tell each kind which of its step runs, given as (kind, id), nobody will perform any more."""
    by_kind: dict[str, list[int]] = {}
    for name, step_run_id in ended:
        by_kind.setdefault(name, []).append(step_run_id)
    for name, ids in by_kind.items():
        kind = kinds().get(name)
        if isinstance(kind, WorkKind):
            kind.abandon(tenant_id, ids, now)


def write_verdicts(tenant_id: int, pending: "Pending", now: datetime) -> None:
    """One row per signal and run. A verdict of this batch outlives the expiry of what a finished run left unused."""
    if not pending.verdicts:
        return
    finished = set(pending.finished)
    rows = []
    for (signal_id, run_id), (signal, judged) in sorted(pending.verdicts.items()):
        verdict, reason = judged.verdict, judged.reason
        if verdict == "buffered" and run_id in finished:
            verdict, reason = "expired", "run_finished"
        rows.append(
            (
                signal_id,
                run_id,
                judged.wait_step,
                signal.name,
                signal.received_at,
                verdict,
                reason,
                dumps(judged.context),
            )
        )
    execute(_VERDICTS, [tenant_id, now, *columns(rows, 8)])


def step_runs(tenant_id: int, owed: Sequence[tuple[LockedRun, Owed]], now: datetime) -> list[tuple[int, str]]:
    """Write the step runs of visits that owe work; (id, effect key) of each, in order."""
    rows = []
    for run, item in owed:
        kind = run.definition.document.by_key[item.step].kind
        rows.append((run.id, item.step, item.visit, kind, effect_key(run.facts.public_id, item.step, item.visit)))
    ids = dict(fetch(_STEP_RUNS, [tenant_id, now, now, *columns(rows, 5)]))
    return [(ids[row[4]], row[4]) for row in rows]


def effect_key(run_public_id: str, step: str, visit: int) -> str:
    """The key that a send carries to its provider: it never changes for (run, step, visit)."""
    return f"{run_public_id}:{step}:{visit}"


def settle_step_runs(tenant_id: int, settled: Sequence[tuple[int, str]], now: datetime) -> None:
    """End step runs whose work was done in the transaction that planned it."""
    if settled:
        execute(_SETTLE_STEP_RUNS, [now, *columns(settled, 2), tenant_id])


def dumps(value: Any) -> str:
    """JSON for a jsonb column."""
    return json.dumps(value, separators=(",", ":"))


def rule_as_declared(rule: BoundRule) -> Mapping[str, Any]:
    """A bound rule as the wait's row keeps it."""
    declared: dict[str, Any] = {"name": rule.name, "then": rule.then.as_declared()}
    if rule.match is not None:
        declared["match"] = dict(rule.match)
    if rule.when is not None:
        declared["when"] = rule.when
    return declared


def _last_words(pending: "Pending") -> list[tuple[int, WaitFacts, str]]:
    """Waits opened in this batch, with the outcome of those that were closed again before they were ever written."""
    ended = {(run_id, wait.step, wait.visit): outcome for run_id, wait, outcome in pending.closed if wait.id is None}
    return [
        (run_id, wait, outcome or ended.get((run_id, wait.step, wait.visit), ""))
        for run_id, wait, outcome in pending.opened
    ]


def _wait_row(run_id: int, wait: WaitFacts, outcome: str, now: datetime) -> tuple[Any, ...]:
    signals = dumps([rule_as_declared(rule) for rule in wait.rules])
    on_timeout = dumps(wait.on_timeout.as_declared())
    closed_at = now if outcome else None
    return (
        run_id,
        wait.step,
        wait.visit,
        signals,
        wait.look_back_from,
        wait.opened_at,
        wait.due_at,
        on_timeout,
        outcome,
        closed_at,
    )


def _run_row(run: LockedRun, now: datetime) -> tuple[Any, ...]:
    facts = run.facts
    return (
        run.id,
        str(facts.state),
        facts.step,
        dumps(facts.visits),
        str(facts.status_reason),
        dumps(facts.status_context),
        facts.terminal_reason,
        run.seq,
        run.chain_head,
        facts.pending_signals,
        facts.step_entered_at,
        next_clock(run, now),
        now if facts.is_finished else None,
    )


def next_clock(run: LockedRun, now: datetime) -> datetime | None:
    """When the run next wants attention by itself: a pending run now, a wait's timer, the deadline; never when finished."""
    facts = run.facts
    if facts.is_finished:
        return None
    if facts.state == "pending":
        return run.due_at
    clocks = [facts.deadline_at, facts.wait.due_at if facts.wait else None]
    return min((clock for clock in clocks if clock is not None), default=None)
