"""Sending a settled message once more, because a person says so."""

from datetime import datetime
from uuid import UUID

from chimeway_py.errors import Conflict, Invalid, NotFound, fault
from chimeway_py.nudges import nudge_after_commit
from chimeway_py.text import LONGEST_REASON, is_storable
from deliveries.models import Delivery
from deliveries.services.plan import plan_deliveries
from tenants.scope import tenant_scope
from workflows.models import Run, StepRun
from workflows.models.step_run import StepRunStatus
from workflows.services.documents import documents, step_of
from workflows.steps.base import PlannedStep
from workflows.store.answers import data_of


class NotSettled(Conflict):
    """The delivery is still being sent; resending it now would send it twice."""

    code = "delivery_not_settled"
    retryable = True


def resend_delivery(*, tenant_id: int, delivery: UUID, reason: str) -> Delivery:
    """A new delivery of the same message to the same recipient, under an effect key of its own, linked to the old one.

    It changes nothing in the run: its outcome is for whoever asked. `reason` is 1 to 64 characters for the record.
    Raises `NotFound`, `NotSettled`, `Invalid`, and `RunDataGone` when what the message was made of is gone.
    """
    if not reason.strip() or not is_storable(reason, LONGEST_REASON):
        told = f"Say why, in 1 to {LONGEST_REASON} characters."
        raise Invalid("The reason is not valid.", [fault("/reason", "bad_reason", told)])
    with tenant_scope(tenant_id) as scope:
        found = Delivery.objects.for_tenant(tenant_id).filter(public_id=delivery).first()
        if found is None:
            raise NotFound
        run = Run.objects.for_tenant(tenant_id).filter(id=found.run_id).locked().get()  # numbers resends one by one
        old = Delivery.objects.for_tenant(tenant_id).filter(id=found.pk).locked().get()
        if old.is_owed:
            raise NotSettled
        step_run = write_step_run(run, old, scope.now)
        return plan_resend(run, old, step_run, reason, now=scope.now)


def write_step_run(run: Run, old: Delivery, now: datetime) -> StepRun:
    """The work of the n-th resend of this visit."""
    mine = StepRun.objects.for_tenant(run.tenant_id)
    undo = mine.get(id=old.step_run_id).undo
    visits = mine.filter(run_id=run.pk, step=old.step_key, visit=old.visit, undo=undo)
    last, first = visits.latest("resend"), visits.earliest("resend")
    number = last.resend + 1
    return StepRun.objects.create(
        tenant_id=run.tenant_id,
        run_id=run.pk,
        step=old.step_key,
        visit=old.visit,
        resend=number,
        undo=undo,
        kind="deliver",
        at_most_once=last.at_most_once,
        key=f"{first.key}:resend-{number}",
        due_at=now,
        created_at=now,
    )


def plan_resend(
    run: Run,
    old: Delivery,
    step_run: StepRun,
    reason: str = "",
    *,
    now: datetime,
    stands_in_for: UUID | None = None,
) -> Delivery:
    """The delivery of this work: of the same message, asked for by a person or in the place of another message."""
    loaded = documents(run.tenant_id, [run.definition_id])[run.definition_id]
    planned = PlannedStep(
        step_run_id=step_run.pk,
        tenant_id=run.tenant_id,
        run_id=run.pk,
        run_public_id=str(run.public_id),
        definition_key=run.definition_key,
        subject=run.subject,
        correlation=run.correlation,
        data=data_of(run.tenant_id, run.pk, run.data_sha),
        step=step_of(run.tenant_id, loaded, old.step_key).work(step_run.undo),
        visit=old.visit,
        key=step_run.key,
    )
    resent = {"resend_of": old, "resend_reason": reason, "stands_in_for": stands_in_for}
    settled = plan_deliveries(planned=[planned], now=now, resent=resent)
    if step_run.pk in settled and settled[step_run.pk].until is None:
        done = StepRun.objects.for_tenant(run.tenant_id).filter(id=step_run.pk)
        done.update(status=StepRunStatus.SUCCEEDED, outcome=settled[step_run.pk].word, due_at=None, finished_at=now)
    else:
        nudge_after_commit("work", run.tenant_id)
    return Delivery.objects.of_step_run(run.tenant_id, step_run.pk).get()
