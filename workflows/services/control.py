"""Ending and waking runs: synchronous, idempotent, with a verdict per run."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from tenants.scope import tenant_scope
from workflows.engine.events import CancelAsked, WakeAsked
from workflows.errors import RunNotFound
from workflows.models import Run
from workflows.states import Cause
from workflows.store.batch import RunBatch
from workflows.store.sql import fetch

_IN_FLIGHT = """
SELECT s.run_id, s.step, a.number FROM workflows_steprun s
  JOIN workflows_attempt a ON a.tenant_id = s.tenant_id AND a.step_run_id = s.id AND a.status = 'running'
 WHERE s.tenant_id = %s AND s.run_id = ANY(%s) AND s.status = 'running'
"""


@dataclass(frozen=True, slots=True)
class ControlVerdict:
    """What a control call did to one run: `moved`, or `refused` with the state it met.

    `in_flight` names a running attempt.
    """

    public_id: uuid.UUID
    verdict: str
    state: str
    in_flight: tuple[str, ...] = ()


def run_ids(*, tenant_id: int, public_ids: Sequence[uuid.UUID]) -> dict[int, uuid.UUID]:
    """Run ids by public id, inside the tenant. Raises `RunNotFound` naming what does not exist."""
    found = dict(Run.objects.for_tenant(tenant_id).filter(public_id__in=public_ids).values_list("id", "public_id"))
    missing = set(public_ids) - set(found.values())
    if missing:
        raise RunNotFound("No such run.", {"runs": sorted(map(str, missing))})
    return found


def cancel_runs(
    *, tenant_id: int, public_ids: Sequence[uuid.UUID], cause: Cause, cause_ref: str, reason: str
) -> list[ControlVerdict]:
    """End runs, whatever they wait for. A finished run is refused and left as it is; asking twice changes nothing.

    Work that no worker has claimed is not done any more; an attempt in flight is named, because it may still arrive.
    """
    with tenant_scope(tenant_id):
        ids = run_ids(tenant_id=tenant_id, public_ids=public_ids)
        batch = RunBatch.lock(tenant_id, ids)
        moved = {id_ for id_ in batch.runs if batch.apply(id_, CancelAsked(cause, cause_ref, reason)).moves}
        batch.flush()
        return _verdicts(tenant_id, batch, ids, moved)


def wake_runs(
    *, tenant_id: int, public_ids: Sequence[uuid.UUID], cause: Cause, cause_ref: str, reason: str
) -> list[ControlVerdict]:
    """End the open waits as though their time had come. A run that does not wait is refused and left as it is."""
    with tenant_scope(tenant_id):
        ids = run_ids(tenant_id=tenant_id, public_ids=public_ids)
        batch = RunBatch.lock(tenant_id, ids)
        moved = {id_ for id_ in batch.runs if batch.apply(id_, WakeAsked(cause, cause_ref, reason)).moves}
        batch.flush()
        return _verdicts(tenant_id, batch, ids, moved)


def _verdicts(tenant_id: int, batch: RunBatch, ids: dict[int, uuid.UUID], moved: set[int]) -> list[ControlVerdict]:
    in_flight: dict[int, list[str]] = {}
    for run_id, step, number in fetch(_IN_FLIGHT, [tenant_id, list(ids)]):
        in_flight.setdefault(run_id, []).append(f"{step} attempt {number}")
    return [
        ControlVerdict(
            public_id,
            "moved" if id_ in moved else "refused",
            str(batch.runs[id_].facts.state),
            tuple(in_flight.get(id_, ())),
        )
        for id_, public_id in sorted(ids.items())
    ]
