"""Holding runs whose definition is switched off, and letting them go on when it is switched on again.

Runs are held one by one as something is about to happen to them, so that switching costs the same whatever their
number, and each is held once: its clock rests, and no sweep offers it again.
"""

from collections.abc import Sequence
from datetime import datetime

from chimeway_py.nudges import nudge_after_commit
from tenants.scope import tenant_scope
from workflows.engine.events import ResumeAsked
from workflows.engine.pausing import SWITCH
from workflows.models import DefinitionSwitch, Run
from workflows.states import Cause, RunState
from workflows.store.batch import RunBatch
from workflows.store.sql import fetch

BATCH = 200
_DUE = """
SELECT DISTINCT d.run_id FROM (
    SELECT run_id FROM workflows_steprun
     WHERE tenant_id = %s AND due_at <= coalesce(%s::timestamptz, clock_timestamp()) AND NOT held AND resend = 0
     ORDER BY due_at, id LIMIT %s) d
  JOIN workflows_run r ON r.tenant_id = %s AND r.id = d.run_id AND r.finished_at IS NULL
"""


class SwitchedOff(Exception):
    """The work that was about to be claimed belongs to a run that a switch holds."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id


def hold_due_runs(tenant_id: int, run_id: int, now: datetime | None = None) -> None:
    """Hold this run, and with it those of the oldest due work, as far as their definitions are switched off."""
    with tenant_scope(tenant_id):
        due = [row[0] for row in fetch(_DUE, [tenant_id, now, BATCH, tenant_id])]
        batch = RunBatch.lock(tenant_id, {run_id, *due})
        for run in list(batch.runs.values()):
            if run.held_by is not None:
                batch.apply(run.id, run.held_by)
        batch.flush()


def release_held(*, tenant_id: int) -> int:
    """Let runs go on whose definition was switched on again, at most `BATCH` of each; how many there were.

    A switch stays `releasing` until none is left, so that a process that dies in between loses nothing.
    """
    with tenant_scope(tenant_id):
        switches = list(DefinitionSwitch.objects.filter(tenant_id=tenant_id, releasing=True))
        return sum(_release(switch) for switch in switches)


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
    if ids:
        nudge_after_commit("engine", switch.tenant_id)
        nudge_after_commit("work", switch.tenant_id)
    else:  # of this change only: it may have been switched off and on again since
        done = DefinitionSwitch.objects.filter(tenant_id=switch.tenant_id, pk=switch.pk, releasing=True)
        done.filter(changed_at=switch.changed_at).update(releasing=False)
    return len(ids)
