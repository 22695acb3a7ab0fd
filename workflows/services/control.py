"""Ending, waking, pausing and resuming runs: synchronous, idempotent, with a verdict per run."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chimeway_py.errors import Invalid, fault
from chimeway_py.nudges import nudge_after_commit
from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.engine.events import CancelAsked, CompensateAsked, Event, PauseAsked, ResumeAsked, WakeAsked
from workflows.engine.permits import Standing, why_not
from workflows.errors import RevisionMismatch, RunNotFound
from workflows.models import Run
from workflows.states import Cause
from workflows.store.batch import RunBatch
from workflows.store.load import LockedRun
from workflows.store.visits import Visit, undoable, visits_of

_IN_FLIGHT = """
SELECT s.run_id, s.step, a.number, s.undo FROM workflows_steprun s
  JOIN workflows_attempt a ON a.tenant_id = s.tenant_id AND a.step_run_id = s.id AND a.status = 'running'
 WHERE s.tenant_id = %s AND s.run_id = ANY(%s) AND s.status = 'running'
"""
Revisions = Mapping[uuid.UUID, int]
"""By run, the revision that the caller has seen."""


@dataclass(frozen=True, slots=True)
class ControlVerdict:
    """What a control call did to one run: `moved`, or `refused` with the state it met and why.

    `revision` is the run's after the call. `in_flight` names running attempts: what they do may still take effect.
    `compensates` names the visits that will be undone, the first to be undone first; `replay` the run that a replay
    started.
    """

    public_id: uuid.UUID
    verdict: str
    state: str
    revision: int
    in_flight: tuple[str, ...] = ()
    why: str = ""
    compensates: tuple[str, ...] = ()
    replay: uuid.UUID | None = None


def run_ids(*, tenant_id: int, public_ids: Sequence[uuid.UUID]) -> dict[int, uuid.UUID]:
    """Public ids by run id, in the order asked, inside the tenant. Raises `RunNotFound` naming what does not exist."""
    found = dict(Run.objects.for_tenant(tenant_id).filter(public_id__in=public_ids).values_list("public_id", "id"))
    missing = set(public_ids) - set(found)
    if missing:
        raise RunNotFound("No such run.", {"runs": sorted(map(str, missing))})
    return {found[public_id]: public_id for public_id in public_ids}


def cancel_runs(
    *,
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    cause: Cause,
    cause_ref: str,
    reason: str,
    compensate: bool = False,
    expected: Revisions | None = None,
) -> list[ControlVerdict]:
    """End runs, whatever they wait for. A finished run is refused and left as it is; asking twice changes nothing.

    Work that no worker has claimed is not done any more; an attempt in flight is named, because it may still arrive.
    With `compensate`, what their steps did is undone afterwards, as the steps say. Raises `RunNotFound` and
    `RevisionMismatch`, and then nothing was written.
    """
    asked = CancelAsked(cause, cause_ref, reason, compensate=compensate)
    return control(tenant_id, public_ids, "cancel", lambda _: asked, expected)


def compensate_runs(
    *,
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    cause: Cause,
    cause_ref: str,
    reason: str,
    expected: Revisions | None = None,
) -> list[ControlVerdict]:
    """Undo what runs did that have ended, as far as it is not undone, and try failed compensations again.

    Refused for a run that has not ended, and when nothing is left to undo. Raises `RunNotFound` and `RevisionMismatch`.
    """
    asked = CompensateAsked(cause, cause_ref, reason)
    return control(tenant_id, public_ids, "compensate", lambda _: asked, expected)


def wake_runs(
    *,
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    cause: Cause,
    cause_ref: str,
    reason: str,
    expected: Revisions | None = None,
) -> list[ControlVerdict]:
    """End the open waits as though their time had come. A run that does not wait is refused and left as it is."""
    return control(tenant_id, public_ids, "wake", lambda _: WakeAsked(cause, cause_ref, reason), expected)


def pause_runs(
    *,
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    cause: Cause,
    cause_ref: str,
    reason: str,
    until: datetime | None = None,
    expected: Revisions | None = None,
) -> list[ControlVerdict]:
    """Hold live runs where they stand, until a time or until they are resumed. A paused run is left as it is.

    Nothing is advanced and no work is claimed meanwhile; an attempt in flight is named, and its outcome is kept. What a
    signal means is kept as well. The deadline of a run goes on. Raises `Invalid` for an `until` that is not to come.
    """
    with tenant_scope(tenant_id) as scope:
        if until is not None and (until.tzinfo is None or until <= scope.now):
            raise Invalid("The pause is not valid.", [fault("/until", "bad_time", "A time to come, with its offset.")])
        return control(tenant_id, public_ids, "pause", lambda _: PauseAsked(cause, cause_ref, reason, until), expected)


def resume_runs(
    *,
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    cause: Cause,
    cause_ref: str,
    reason: str,
    expected: Revisions | None = None,
) -> list[ControlVerdict]:
    """Let paused runs go on: first the signals that came meanwhile, then outcomes, then a timer that is overdue."""
    with tenant_scope(tenant_id):
        nudge_after_commit("engine", tenant_id)
        nudge_after_commit("work", tenant_id)
        return control(tenant_id, public_ids, "resume", lambda _: ResumeAsked(cause, cause_ref, reason), expected)


def control(
    tenant_id: int,
    public_ids: Sequence[uuid.UUID],
    action: str,
    event: Callable[[Sequence[int]], Event],
    expected: Revisions | None = None,
    refuse: Callable[[LockedRun], str] = lambda run: "",
) -> list[ControlVerdict]:
    """Lock the runs, let the event happen to those that may have it, write. The others are refused, saying why.

    `refuse` may know more reasons; `event` makes the event, given the ids of the runs that it will move.
    """
    with tenant_scope(tenant_id):
        ids = run_ids(tenant_id=tenant_id, public_ids=public_ids)
        batch = RunBatch.lock(tenant_id, ids)
        _check_revisions(batch, ids, expected or {})
        left = _left_to_undo(batch) if action == "compensate" else {}
        refusals = {
            id_: why_not(action, _standing(run, bool(left.get(id_)))) or refuse(run) for id_, run in batch.runs.items()
        }
        willing = [id_ for id_, refusal in refusals.items() if not refusal]
        if willing:
            asked = event(willing)
            for id_ in willing:
                batch.apply(id_, asked)
            batch.flush()
        return _verdicts(batch, ids, refusals)


def _standing(run: LockedRun, is_undoable: bool) -> Standing:
    """What of a locked run decides what may be asked of it."""
    wait = run.facts.wait
    return Standing(
        str(run.facts.state),
        wait is not None,
        has_approval=wait is not None and bool(wait.routes),
        is_off=run.held_by is not None,
        is_undoable=is_undoable,
    )


def _left_to_undo(batch: RunBatch) -> dict[int, list[Visit]]:
    found = visits_of(batch.tenant_id, batch.runs)
    return {id_: undoable(batch.runs[id_].definition.document, visits) for id_, visits in found.items()}


def _check_revisions(batch: RunBatch, ids: Mapping[int, uuid.UUID], expected: Revisions) -> None:
    """Raises `RevisionMismatch` when a run has moved on since the caller saw it."""
    for id_, public_id in ids.items():
        RevisionMismatch.check(public_id, expected.get(public_id), batch.runs[id_].seq)


def _verdicts(batch: RunBatch, ids: Mapping[int, uuid.UUID], refusals: Mapping[int, str]) -> list[ControlVerdict]:
    """What was done to each run, and which attempts are in flight now that it is done."""
    in_flight: dict[int, list[str]] = {}
    for run_id, step, number, undo in fetch(_IN_FLIGHT, [batch.tenant_id, list(ids)]):
        what = f"compensation of {step}" if undo else step
        in_flight.setdefault(run_id, []).append(f"{what} attempt {number}")
    return [
        ControlVerdict(
            public_id,
            "refused" if refusals[id_] else "moved",
            str(batch.runs[id_].facts.state),
            batch.runs[id_].seq,
            tuple(in_flight.get(id_, ())),
            refusals[id_],
            tuple(batch.owed_compensations.get(id_, ())),
        )
        for id_, public_id in ids.items()
    ]
