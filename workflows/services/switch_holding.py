"""Holding runs whose definition is switched off, and letting them go on when it is switched on again.

Runs are held one by one as something is about to happen to them, so that switching costs the same whatever their
number, and each is held once: its clock rests, and no sweep offers it again.
"""

from collections.abc import Sequence
from datetime import datetime

from chimeway_py.nudges import nudge_after_commit
from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.engine.events import ResumeAsked
from workflows.engine.pausing import SWITCH
from workflows.models import DefinitionSwitch, Run
from workflows.states import Cause, RunState
from workflows.store.batch import RunBatch
from workflows.store.lost_attempts import lose_attempt

BATCH = 200
_DUE = """
SELECT DISTINCT d.run_id FROM (
    SELECT run_id FROM workflows_steprun
     WHERE tenant_id = %s AND due_at <= (SELECT coalesce(%s::timestamptz, clock_timestamp()))
       AND NOT held AND resend = 0
     ORDER BY due_at, id LIMIT %s) d
  JOIN workflows_run r ON r.tenant_id = %s AND r.id = d.run_id AND r.finished_at IS NULL
"""
_HOLD_UNDOING = """
UPDATE workflows_steprun SET held = true, lost_attempts = lost_attempts + (status = 'running')::int, status = 'owed'
 WHERE tenant_id = %s AND run_id = %s AND undo > 0 AND resend = 0 AND NOT held
   AND NOT (at_most_once AND status = 'running') AND due_at <= coalesce(%s::timestamptz, clock_timestamp()) RETURNING id
"""
_HELD_UNDOING = """
SELECT s.run_id FROM workflows_steprun s JOIN workflows_run r ON r.tenant_id = s.tenant_id AND r.id = s.run_id
 WHERE s.tenant_id = %s AND s.undo > 0 AND s.held AND s.status = 'owed' AND r.definition_key = %s LIMIT %s
"""
_RELEASE_UNDOING = """
UPDATE workflows_steprun SET held = false, lost_attempts = 0
 WHERE tenant_id = %s AND run_id = ANY(%s) AND undo > 0 AND held
"""


class SwitchedOff(Exception):
    """The work that was about to be claimed belongs to a run that a switch holds, or undoes one that has ended."""

    def __init__(self, run_id: int, *, is_undoing: bool = False) -> None:
        self.run_id, self.is_undoing = run_id, is_undoing


def hold_due_runs(tenant_id: int, run_id: int, now: datetime | None = None) -> None:
    """Hold this run, and with it those of the oldest due work, as far as their definitions are switched off."""
    with tenant_scope(tenant_id):
        due = [row[0] for row in fetch(_DUE, [tenant_id, now, BATCH, tenant_id])]
        batch = RunBatch.lock(tenant_id, {run_id, *due})
        for run in list(batch.runs.values()):
            if run.held_by is not None:
                batch.apply(run.id, run.held_by)
        batch.flush()


def hold_undoing(tenant_id: int, run_id: int, now: datetime | None = None) -> None:
    """Hold the compensation of an ended run that is due. A worker that was lost at it has lost its claim."""
    with tenant_scope(tenant_id):
        batch = RunBatch.lock(tenant_id, [run_id])
        if batch.runs[run_id].held_by is not None:
            for (step_run_id,) in fetch(_HOLD_UNDOING, [tenant_id, run_id, now]):
                lose_attempt(tenant_id, step_run_id, batch.now)


def release_held(*, tenant_id: int) -> int:
    """Let runs go on whose definition was switched on again, at most `BATCH` of each; how many there were.

    A switch stays `releasing` until none is left, so that a process that dies in between loses nothing.
    """
    with tenant_scope(tenant_id):
        switches = list(DefinitionSwitch.objects.filter(tenant_id=tenant_id, releasing=True))
        return sum(_release_undoing(switch) + _release(switch) for switch in switches)


def _release_undoing(switch: DefinitionSwitch) -> int:
    """All at once: of each run one compensation at most is held."""
    tenant_id = switch.tenant_id
    ids = [row[0] for row in fetch(_HELD_UNDOING, [tenant_id, switch.key, BATCH])]
    batch = RunBatch.lock(tenant_id, ids)
    on = [run.id for run in batch.runs.values() if run.held_by is None]
    execute(_RELEASE_UNDOING, [tenant_id, on])
    for run_id in on:
        batch.go_on_undoing(run_id)
    batch.flush()
    if on:
        nudge_after_commit("work", tenant_id)
    return len(on)


def _release(switch: DefinitionSwitch) -> int:
    paused = Run.objects.for_tenant(switch.tenant_id).filter(
        definition_key=switch.key, state=RunState.PAUSED, status_context__has_key=SWITCH
    )
    ids: Sequence[int] = list(paused.order_by("id").values_list("id", flat=True)[:BATCH])
    batch = RunBatch.lock(switch.tenant_id, ids)
    for run in list(batch.runs.values()):
        if run.held_by is None and SWITCH in run.facts.status_context:
            batch.apply(run.id, ResumeAsked(Cause(switch.cause), switch.cause_ref, switch.why))
    batch.flush()
    if ids or fetch(_HELD_UNDOING, [switch.tenant_id, switch.key, 1]):
        nudge_after_commit("engine", switch.tenant_id)
        nudge_after_commit("work", switch.tenant_id)
    else:  # of this change only: it may have been switched off and on again since
        done = DefinitionSwitch.objects.filter(tenant_id=switch.tenant_id, pk=switch.pk, releasing=True)
        done.filter(changed_at=switch.changed_at).update(releasing=False)
    return len(ids)
