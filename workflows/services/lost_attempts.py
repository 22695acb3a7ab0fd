"""Workers that were lost: the trace of the run tells of them when the work itself is told of.

Not earlier: whoever takes over claims one step run and must not wait for the lock of the run.
"""

from tenants.sql import fetch
from workflows.states import Cause, Reason
from workflows.store import undoing
from workflows.store.batch import RunBatch

# Those before an attempt that finished were told of when it did.
_LOST = """
SELECT number, finished_at FROM workflows_attempt
 WHERE tenant_id = %(tenant)s AND step_run_id = %(step_run)s AND status = 'lost' AND number < %(before)s
   AND number > coalesce((SELECT max(number) FROM workflows_attempt
        WHERE tenant_id = %(tenant)s AND step_run_id = %(step_run)s AND status = 'finished' AND number < %(before)s), 0)
 ORDER BY number
"""


def note_lost_attempts(batch: RunBatch, run_id: int, step_run_id: int, before: int, ref: str, undo: int = 0) -> None:
    """Note on the run's trace which attempts before this number lost their worker and are not told of yet."""
    if before == 1 or run_id not in batch.runs or (batch.runs[run_id].facts.is_finished and not undo):
        return
    of = {"compensates": undoing.step_of(ref)} if undo else {}
    for number, lost_at in fetch(_LOST, {"tenant": batch.tenant_id, "step_run": step_run_id, "before": before}):
        context = {"attempt": number, "lost_at": lost_at.isoformat(), **of}
        batch.note(run_id, Cause.STEP, ref, Reason.ATTEMPT_LOST, context)
