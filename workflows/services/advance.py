"""Advancing: pending runs begin, timers fire, deadlines pass. Claimed by the batch with SKIP LOCKED."""

from datetime import datetime

import structlog
from django.db import OperationalError

from tenants.scope import tenant_scope
from tenants.sql import Question
from workflows.engine.events import Begin, DeadlinePassed, EnterAgain, Event, ReminderDue, ResumeAsked, TimerFired
from workflows.services.engine_failures import postpone
from workflows.services.look_back import look_back
from workflows.services.reminders import send_reminders
from workflows.states import Cause, Reason, RunState
from workflows.store.batch import RunBatch
from workflows.store.load import LockedRun

log = structlog.get_logger(__name__)

BATCH = 200
_NO_BITMAPS = "SELECT set_config('enable_bitmapscan', 'off', true)"
_CLAIM = """
SELECT id FROM workflows_run
 WHERE tenant_id = %s AND due_at <= (SELECT coalesce(%s::timestamptz, clock_timestamp())) {one}
 ORDER BY due_at, id LIMIT {limit} FOR NO KEY UPDATE SKIP LOCKED
"""  # the limit is for the planner to see: for an unknown one it would collect and sort what is due


def advance_due(*, tenant_id: int, limit: int = BATCH, now: datetime | None = None) -> int:
    """Advance the tenant's runs whose clock has come, oldest first; how many were taken up.

    `now` replaces the database clock where a test moves time.
    """
    try:
        return _advance(tenant_id, limit, now)
    except OperationalError:
        raise
    except Exception as error:
        log.warning("advancing_one_by_one", tenant_id=tenant_id, error=type(error).__name__)
        with tenant_scope(tenant_id, *_claiming(tenant_id, limit, now)) as scope:
            due = [run_id for (run_id,) in scope.answers[1]]
        return sum(_advance_or_postpone(tenant_id, run_id, now) for run_id in due)


def _advance_or_postpone(tenant_id: int, run_id: int, now: datetime | None) -> int:
    try:
        return _advance(tenant_id, 1, now, run_id)
    except OperationalError:
        raise
    except Exception as error:
        log.exception("run_not_advanced", tenant_id=tenant_id, run_id=run_id, error=type(error).__name__)
        postpone(tenant_id, run_id, error)
        return 1


def _claiming(tenant_id: int, limit: int, now: datetime | None, run_id: int | None = None) -> list[Question]:
    """Claim by the index of the clock: bitmaps would be made of all that the tenant may see."""
    one = "" if run_id is None else "AND id = %s"
    claim = _CLAIM.format(one=one, limit=int(limit)), [tenant_id, now, *([] if run_id is None else [run_id])]
    return [(_NO_BITMAPS, []), claim]


def _advance(tenant_id: int, limit: int, now: datetime | None, run_id: int | None = None) -> int:
    """One transaction: claim, load, look back for those that begin, decide, write."""
    with tenant_scope(tenant_id, *_claiming(tenant_id, limit, now, run_id)) as scope:
        due = [run_id for (run_id,) in scope.answers[1]]
        if not due:
            return 0
        batch = RunBatch.lock(tenant_id, due, now=now)
        beginning = [run for run in batch.runs.values() if run.facts.state == RunState.PENDING]
        look_back(batch, beginning)
        reminded = []
        for run in list(batch.runs.values()):
            decision = batch.apply(run.id, _event(run, batch.now))
            reminded += [(run, wait) for wait in decision.reminded]
        batch.flush(is_last=not reminded)
        send_reminders(tenant_id, reminded)
        return len(due)


def _event(run: LockedRun, now: datetime) -> Event:
    """What the run's clock stands for. A deadline goes before everything.

    Each event names what it is for and may be late.
    """
    facts = run.facts
    if facts.deadline_at is not None and facts.deadline_at <= now:
        return DeadlinePassed()
    if facts.state == RunState.PAUSED:
        return ResumeAsked(Cause.TIMER, "suspended_until")
    if facts.state == RunState.PENDING:
        return Begin()
    if facts.status_reason == Reason.STEP_KIND_UNKNOWN:
        return EnterAgain()
    timer = facts.wait.due_at if facts.wait else None
    return ReminderDue() if timer is None or timer > now else TimerFired()
