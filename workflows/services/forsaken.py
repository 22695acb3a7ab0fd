"""Work of ended runs whose worker fell silent: nobody takes it over, because nobody wants it any more."""

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.store.batch import RunBatch
from workflows.store.lost_attempts import lose_attempt
from workflows.store.write import abandon

BATCH = 20
_FORSAKEN = """
SELECT s.id, s.run_id, s.kind FROM workflows_steprun s
  JOIN workflows_run r ON r.tenant_id = s.tenant_id AND r.id = s.run_id AND r.finished_at IS NOT NULL
 WHERE s.tenant_id = %s AND s.due_at <= (SELECT clock_timestamp()) AND s.status = 'running' AND s.held
 LIMIT %s
"""
_END = """
UPDATE workflows_steprun SET status = 'unknown', outcome = 'unknown', due_at = NULL, finished_at = %s
 WHERE tenant_id = %s AND id = %s AND status = 'running' AND due_at <= clock_timestamp()
"""


def end_forsaken(*, tenant_id: int) -> int:
    """End in-flight work whose run has ended and whose lease has run out; how many there were.

    Whether it took effect nobody knows, and so it says: `unknown`.
    """
    with tenant_scope(tenant_id):
        found = fetch(_FORSAKEN, [tenant_id, BATCH])
        batch = RunBatch.lock(tenant_id, [run_id for _, run_id, _ in found])
        for step_run_id, run_id, kind in found:
            if execute(_END, [batch.now, tenant_id, step_run_id]):
                lose_attempt(tenant_id, step_run_id, batch.now)
                abandon(tenant_id, [(kind, step_run_id)], batch.now)
                batch.go_on_undoing(run_id)
        batch.flush()
        return len(found)
