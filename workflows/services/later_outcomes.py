"""What becomes known of work after it ended: a message comes back, a transfer goes through after all.

The step run keeps the latest word. A run that goes on is told, as of every outcome. Of a run that has ended, only how
it is undone can change: the result of a compensation, or that there is something to undo after all.
"""

from collections.abc import Mapping
from typing import Any

from workflows.engine.events import StepSettled
from workflows.engine.facts import Answer, Undo
from workflows.models import StepRun
from workflows.models.step_run import StepRunStatus
from workflows.states import Cause
from workflows.steps.base import Outcome
from workflows.store import undoing
from workflows.store.batch import RunBatch
from workflows.store.rows import status_after


def tell_later_outcome(
    batch: RunBatch,
    step_run_id: int,
    word: str,
    ref: str,
    context: Mapping[str, Any],
    *,
    cause: Cause = Cause.STEP,
    answer: Answer | None = None,
    ended_now: bool = False,
) -> None:
    """Give a step run the outcome that it turned out to have, and tell its run, which the batch holds locked.

    `ended_now`: it ended at this moment, and not when it was last heard of. A resend changes nothing but itself.
    """
    mine = StepRun.objects.for_tenant(batch.tenant_id).select_for_update(no_key=True).get(id=step_run_id)
    if mine.resend:
        return
    was = mine.outcome
    _store(batch, mine, word, ended_now=ended_now)
    if mine.undo:
        place = mine.run_id, mine.step, mine.visit
        undoing.tell(batch, place, Outcome(word), ref, {**context, "was": was}, cause)
        return
    batch.apply(mine.run_id, StepSettled(mine.step, mine.visit, word, ref, context, cause, answer))
    run = batch.runs[mine.run_id]
    if run.facts.is_finished and run.definition.document.compensating:
        batch.undo_after_all(mine.run_id, Undo(cause, ref, after_all={"outcome": word, **context}))


def _store(batch: RunBatch, mine: StepRun, word: str, *, ended_now: bool) -> None:
    ended = undoing.status_after if mine.undo else status_after
    changes: dict[str, Any] = {"status": ended(word), "outcome": word, "due_at": None}
    if ended_now or mine.status in (StepRunStatus.OWED, StepRunStatus.RUNNING):
        changes["finished_at"] = batch.now
    StepRun.objects.for_tenant(batch.tenant_id).filter(id=mine.pk).update(**changes)
