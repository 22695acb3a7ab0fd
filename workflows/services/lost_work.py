"""Work whose worker was lost and that nobody may take over: it must not happen twice, or it takes down every worker."""

from datetime import datetime
from typing import Any

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.engine.events import StepFailed
from workflows.services.documents import step_of
from workflows.services.lost_attempts import note_lost_attempts
from workflows.services.work import MOST_LOST_ATTEMPTS, tell_outcome
from workflows.states import Reason
from workflows.steps.base import UNKNOWN, Outcome, WorkKind
from workflows.steps.registry import step_kind
from workflows.store import undoing
from workflows.store.batch import RunBatch
from workflows.store.lost_attempts import lose_attempt
from workflows.store.write import abandon

BATCH = 20
_LOST = """
SELECT id, run_id, step, visit, resend, kind, key, at_most_once, attempts_made, undo FROM workflows_steprun
 WHERE tenant_id = %s AND due_at <= (SELECT clock_timestamp()) AND NOT held AND status = 'running'
   AND (at_most_once OR lost_attempts >= %s)
 ORDER BY run_id, id LIMIT %s
"""
_END = """
UPDATE workflows_steprun SET status = %s, outcome = %s, due_at = NULL, finished_at = %s,
    lost_attempts = lost_attempts + %s
 WHERE tenant_id = %s AND id = %s AND status = 'running' AND due_at <= clock_timestamp() AND NOT held
"""


def end_lost_work(*, tenant_id: int) -> int:
    """End work that no worker may take over from a lost one; how many pieces there were.

    What is `at_most_once` ends as unknown, and its run stops there until somebody settles it. What took down worker
    after worker is quarantined, and its run fails. Both say so.
    """
    with tenant_scope(tenant_id):
        found = fetch(_LOST, [tenant_id, MOST_LOST_ATTEMPTS, BATCH])
        for row in found:
            batch = RunBatch.lock(tenant_id, [row[1]])
            end = _end_unknown if row[7] else _quarantine
            end(batch, *row)
            batch.flush()
        return len(found)


def _end_unknown(
    batch: RunBatch, id_: int, run_id: int, step: str, visit: int, resend: int, kind: str, key: str, *rest: Any
) -> None:
    if not _end(batch.tenant_id, id_, ("unknown", UNKNOWN, 1), batch.now):
        return
    works = step_kind(kind)
    assert isinstance(works, WorkKind)
    works.resolve(batch.tenant_id, id_, UNKNOWN, batch.now)
    attempts_made, undo = rest[-2:]
    if undo and not resend:
        lost = Outcome(UNKNOWN, "lease_expired")
        undoing.tell(batch, (run_id, step, visit), lost, key, {"attempt": attempts_made})
    elif not resend and run_id in batch.runs:
        config = step_of(batch.tenant_id, batch.runs[run_id].definition, step).config
        context = {"attempt": attempts_made, "error": "lease_expired"}
        tell_outcome(batch, run_id, (config, visit), Outcome(UNKNOWN), key, context)


def _quarantine(
    batch: RunBatch, id_: int, run_id: int, step: str, visit: int, resend: int, kind: str, *rest: Any
) -> None:
    if not _end(batch.tenant_id, id_, ("failed", "quarantined", 0), batch.now):
        return
    abandon(batch.tenant_id, [(kind, id_)], batch.now)
    if resend:
        return
    key, (attempts_made, undo) = rest[0], rest[-2:]
    note_lost_attempts(batch, run_id, id_, attempts_made + 1, key, undo)
    if undo:
        undoing.tell(batch, (run_id, step, visit), Outcome("quarantined"), key, {"attempt": attempts_made})
    else:
        batch.apply(run_id, StepFailed(step, visit, Reason.STEP_QUARANTINED))


def _end(tenant_id: int, step_run_id: int, told: tuple[str, str, int], now: datetime) -> bool:
    """End the step run and lose its attempt, unless somebody was faster."""
    status, outcome, lost = told
    if not execute(_END, [status, outcome, now, lost, tenant_id, step_run_id]):
        return False
    lose_attempt(tenant_id, step_run_id, now)
    return True
