"""Runs that make the engine fail: they come back later and later while their neighbours go on, and say so."""

import structlog

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.states import Cause, Reason
from workflows.store.batch import RunBatch

log = structlog.get_logger(__name__)

TOLD_AT = 10  # failures in a row, about ten minutes; by then it is no accident, and the trace says so
_POSTPONE = """
UPDATE workflows_run SET engine_failures = least(engine_failures + 1, 1000),
    due_at = clock_timestamp() + make_interval(secs => least(600, power(2, least(engine_failures, 10))))
 WHERE tenant_id = %s AND id = %s AND due_at IS NOT NULL RETURNING engine_failures
"""
_KEEP = "UPDATE workflows_run SET engine_failures = %s, due_at = %s WHERE tenant_id = %s AND id = %s"


def postpone(tenant_id: int, run_id: int, error: Exception) -> None:
    """Put a run off that the engine failed on, and note it on the run's trace once it has failed `TOLD_AT` times."""
    with tenant_scope(tenant_id):
        rows = fetch(_POSTPONE, [tenant_id, run_id])
    if rows and rows[0][0] == TOLD_AT:
        try:
            _note(tenant_id, run_id, type(error).__name__)
        except Exception as second:  # what the engine fails on may be what a note needs, too
            log.exception("failure_not_noted", tenant_id=tenant_id, run_id=run_id, error=type(second).__name__)


def _note(tenant_id: int, run_id: int, error: str) -> None:
    """A line of the trace is a sign of life to the writer, so the count and the run's clock are put back."""
    with tenant_scope(tenant_id):
        batch = RunBatch.lock(tenant_id, [run_id])
        if run_id not in batch.runs or batch.runs[run_id].facts.is_finished:
            return
        ((due_at,),) = fetch("SELECT due_at FROM workflows_run WHERE tenant_id = %s AND id = %s", [tenant_id, run_id])
        batch.note(run_id, Cause.SWEEP, "engine", Reason.ENGINE_ERROR, {"error": error, "failures": TOLD_AT})
        batch.flush()
        execute(_KEEP, [TOLD_AT, due_at, tenant_id, run_id])
