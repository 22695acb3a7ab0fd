"""The statements that write a batch: one per table, whatever the number of runs."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog

from tenants.sql import arrays, ask, execute, fetch, insert, pipelined, update
from workflows.engine.facts import Owed, WaitFacts
from workflows.events.record import record_moves
from workflows.steps.base import WorkKind
from workflows.steps.registry import kinds
from workflows.store import rows
from workflows.store.answers import write_answers
from workflows.store.load import LockedRun
from workflows.store.reasons import name_reasons

if TYPE_CHECKING:
    from workflows.store.batch import Pending

log = structlog.get_logger(__name__)

_CHANGE_RUNS = update("workflows_run", rows.CHANGED_RUN, "engine_failures = 0")
_TRANSITIONS = insert("workflows_transition", rows.TRANSITION)
_CLOSE_WAITS = update("workflows_wait", rows.CLOSED_WAIT, where="t.closed_at IS NULL")
_OPEN_WAITS = insert("workflows_wait", rows.OPENED_WAIT)
_STEP_RUNS = insert("workflows_steprun", rows.STEP_RUN, "RETURNING key, id")
_VERDICTS = insert(
    "workflows_signalverdict",
    rows.VERDICT,
    "ON CONFLICT (tenant_id, signal_id, run_id) DO UPDATE SET wait_step = excluded.wait_step, "
    "verdict = excluded.verdict, reason = excluded.reason, context = excluded.context, "
    "decided_at = excluded.decided_at",
)
_REMINDED = "UPDATE workflows_wait SET remind_at = NULL WHERE tenant_id = %s AND id = ANY(%s)"
_SETTLED = {"id": "bigint", "status": "text", "outcome": "text", "finished_at": "timestamptz"}
_SETTLE_STEP_RUNS = update("workflows_steprun", _SETTLED, "due_at = NULL")
_HELD_UNTIL = {"id": "bigint", "due_at": "timestamptz"}
_HOLD_STEP_RUNS = update("workflows_steprun", _HELD_UNTIL, where="t.status = 'owed'")
# What a finished run leaves behind: its listeners rest, its unused signals expire, its unclaimed work is not owed any
# more. A running attempt keeps its claim: it is in flight, and its worker will record what became of it; it is held, so
# that nobody takes it over. Claims lock the same rows, so one that came before is met here, and none can come after.
# Runs are joined as in `tenants.sql.update`: asked for with `ANY`, the planner walks an index that has the run in its
# last place, and with it all listeners of the tenant.
_OF_RUNS = (
    "FROM (SELECT %s::bigint AS tenant, id FROM unnest(%s::bigint[]) AS u (id) OFFSET 0) u "
    "WHERE t.tenant_id = u.tenant AND t.run_id = u.id"
)
_REST_LISTENERS = f"UPDATE workflows_listener t SET live = false {_OF_RUNS} AND t.live"  # noqa: S608  our own text
_EXPIRE_SIGNALS = f"""
UPDATE workflows_signalverdict t SET verdict = 'expired', reason = 'run_finished' {_OF_RUNS} AND t.verdict = 'buffered'
"""  # noqa: S608
_CANCEL_WORK = """
UPDATE workflows_steprun SET held = true,
    status = CASE status WHEN 'owed' THEN 'cancelled' ELSE status END,
    due_at = CASE status WHEN 'owed' THEN NULL ELSE due_at END,
    finished_at = CASE status WHEN 'owed' THEN %s::timestamptz END
 WHERE tenant_id = %s AND run_id = ANY(%s) AND status IN ('owed', 'running') AND resend = 0 AND undo = 0
RETURNING kind, id, status
"""
# Work of a paused run is not claimed. Its due time stays, so that it is due when the run goes on.
_HOLD = """
UPDATE workflows_steprun SET held = %s
 WHERE tenant_id = %s AND run_id = ANY(%s) AND status IN ('owed', 'running') AND resend = 0 AND undo = 0
"""


def send(tenant_id: int, pending: "Pending", now: datetime, *, is_watched: bool) -> list[Callable[[], None]]:
    """Write everything of a batch. The caller holds the row locks of all its runs, and calls what is returned."""
    with pipelined():
        _write(tenant_id, pending, now)
        then = _cancel_work(tenant_id, [run.id for run in pending.finished if run.has_work], now)
        return then + write_transitions(tenant_id, pending.transitions, is_watched=is_watched)


def _cancel_work(tenant_id: int, run_ids: Sequence[int], now: datetime) -> list[Callable[[], None]]:
    if not run_ids:
        return []
    ended = ask(_CANCEL_WORK, [now, tenant_id, run_ids])
    return [lambda: abandon(tenant_id, [(kind, id_) for kind, id_, status in ended() if status == "cancelled"], now)]


def _write(tenant_id: int, pending: "Pending", now: datetime) -> None:
    for question in pending.also:
        execute(*question)
    closed = [(wait.id, outcome, now) for _, wait, outcome in pending.closed if wait.id is not None]
    if closed:
        execute(_CLOSE_WAITS, [tenant_id, *arrays(closed, rows.CLOSED_WAIT)])
    if pending.reminded:
        execute(_REMINDED, [tenant_id, pending.reminded])
    if pending.opened:
        opened = [rows.opened_wait(run_id, wait, outcome, now) for run_id, wait, outcome in _last_words(pending)]
        execute(_OPEN_WAITS, [tenant_id, *arrays(opened, rows.OPENED_WAIT)])
    if pending.answers:
        write_answers(tenant_id, pending.answers, now)
    name_reasons(tenant_id, pending.reasons)
    if pending.changed:
        changed = [rows.changed_run(run, now) for run in pending.changed.values()]
        execute(_CHANGE_RUNS, [tenant_id, *arrays(changed, rows.CHANGED_RUN)])
    _hold_work(tenant_id, pending)
    if pending.finished:
        execute(_REST_LISTENERS, [tenant_id, [run.id for run in pending.finished]])
    if kept := [run.id for run in pending.finished if run.kept_signals]:
        execute(_EXPIRE_SIGNALS, [tenant_id, kept])
    _write_verdicts(tenant_id, pending, now)


def _hold_work(tenant_id: int, pending: "Pending") -> None:
    for held in (True, False):
        if runs := [run_id for run_id, is_held in pending.held.items() if is_held == held]:
            execute(_HOLD, [held, tenant_id, runs])


def abandon(tenant_id: int, ended: Sequence[tuple[Any, ...]], now: datetime) -> None:
    """Tell each kind which of its step runs, given as (kind, id), nobody will perform any more."""
    by_kind: dict[str, list[int]] = {}
    for name, step_run_id in ended:
        by_kind.setdefault(name, []).append(step_run_id)
    for name, ids in by_kind.items():
        kind = kinds().get(name)
        if isinstance(kind, WorkKind):
            kind.abandon(tenant_id, ids, now)


def write_transitions(
    tenant_id: int, transitions: Sequence[tuple[Any, ...]], *, is_watched: bool
) -> list[Callable[[], None]]:
    """Append rows of `rows.TRANSITION`, already numbered and chained, to the traces of their runs.

    Call what is returned, in the same transaction: it records the events, if the tenant has a subscription.
    """
    if not transitions:
        return []
    _log(tenant_id, transitions)
    execute(_TRANSITIONS, [tenant_id, *arrays(transitions, rows.TRANSITION)])
    return [lambda: record_moves(tenant_id, transitions)] if is_watched else []


def _log(tenant_id: int, transitions: Sequence[tuple[Any, ...]]) -> None:
    if logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
        names = list(rows.TRANSITION)[:10]  # structure; the context may be large
        for row in transitions:
            log.debug("transition", tenant_id=tenant_id, **dict(zip(names, map(str, row), strict=False)))


def write_step_runs(tenant_id: int, owed: Sequence[tuple[LockedRun, Owed]], now: datetime) -> list[tuple[int, str]]:
    """Write the step runs of visits that owe work; (id, effect key) of each, in order."""
    step_runs = []
    for run, item in owed:
        step = run.definition.document.by_key[item.step]
        key = effect_key(run.facts.public_id, item.step, item.visit)
        once = bool(step.config.get("at_most_once"))
        step_runs.append((run.id, item.step, item.visit, 0, step.kind, key, "owed", "", 0, 0, 0, now, once, now))
    ids: dict[str, int] = dict(fetch(_STEP_RUNS, [tenant_id, *arrays(step_runs, rows.STEP_RUN)]))
    return [(ids[row[5]], row[5]) for row in step_runs]


def effect_key(run_public_id: str, step: str, visit: int) -> str:
    """The key that a send carries to its provider: it never changes for (run, step, visit)."""
    return f"{run_public_id}:{step}:{visit}"


def settle_step_runs(tenant_id: int, settled: Sequence[tuple[int, str, str]], now: datetime) -> None:
    """End step runs, given as (id, status, outcome), in the transaction that planned their work."""
    if settled:
        execute(_SETTLE_STEP_RUNS, [tenant_id, *arrays([(*row, now) for row in settled], _SETTLED)])


def hold_step_runs(tenant_id: int, held: Sequence[tuple[int, datetime | None]]) -> None:
    """Let nobody claim these step runs before their time, if they are still owed."""
    if held:
        execute(_HOLD_STEP_RUNS, [tenant_id, *arrays(held, _HELD_UNTIL)])


def _write_verdicts(tenant_id: int, pending: "Pending", now: datetime) -> None:
    """One row per signal and run, in one order. What a finished run leaves unused has expired."""
    finished = {run.id for run in pending.finished}
    written = []
    for (_, run_id), (signal, judged) in sorted(pending.verdicts.items()):
        if judged.verdict == "buffered" and run_id in finished:
            judged = replace(judged, verdict="expired", reason="run_finished")  # noqa: PLW2901
        written.append(rows.verdict(run_id, signal, judged, now))
    if written:
        execute(_VERDICTS, [tenant_id, *arrays(written, rows.VERDICT)])


def _last_words(pending: "Pending") -> list[tuple[int, WaitFacts, str]]:
    """Waits opened in this batch, with the outcome of those that were closed again before they were written."""
    ended = {(run_id, wait.step, wait.visit): outcome for run_id, wait, outcome in pending.closed if wait.id is None}
    return [
        (run_id, wait, outcome or ended.get((run_id, wait.step, wait.visit), ""))
        for run_id, wait, outcome in pending.opened
    ]
