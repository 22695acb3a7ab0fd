"""What providers tell us later: a mail that was taken and then came back."""

from datetime import datetime
from uuid import UUID

from chimeway_py.errors import NotFound
from deliveries.models import Delivery
from deliveries.providers.reports import ReportKind
from deliveries.services.events import record_settled
from deliveries.services.reports import signal_of
from deliveries.services.resend import NotSettled
from deliveries.states import DeliveryStatus
from deliveries.suppressions.writing import heed_end
from signals_app.services import accept_signals
from tenants.scope import tenant_scope
from workflows.services.later_outcomes import tell_later_outcome
from workflows.store.batch import RunBatch

_MAY_BOUNCE = (DeliveryStatus.DELIVERED, DeliveryStatus.UNKNOWN)


def record_bounce(
    *, tenant_id: int, delivery: UUID | None = None, provider_ref: str = "", error: str = "bounced"
) -> Delivery:
    """The delivery (by its public id, or by the provider's reference), bounced for good; again, nothing happens.

    The run judges it in the same transaction, also when it has moved on to a wait. `error` holds codes only, such as
    `5.1.1`. Raises `NotFound`, and `NotSettled` while it is still being sent.
    """
    with tenant_scope(tenant_id):
        found = _find(tenant_id, delivery, provider_ref)
        batch = RunBatch.lock(tenant_id, [found.run_id])  # the run before the delivery: the order of all locks
        mine = Delivery.objects.for_tenant(tenant_id).filter(id=found.pk).locked().get()
        if mine.is_owed:
            raise NotSettled
        if mine.status in _MAY_BOUNCE or mine.may_have_arrived:
            _note(mine, error, batch.now)
            if mine.resend_of_id is None:
                context = {"delivery": str(mine.public_id), "error": mine.error}
                tell_later_outcome(batch, mine.step_run_id, DeliveryStatus.BOUNCED, mine.key, context)
                batch.flush()
            accept_signals(tenant_id=tenant_id, signals=[signal_of(mine, ReportKind.BOUNCED, batch.now)], counted=False)
        return mine


def _find(tenant_id: int, delivery: UUID | None, provider_ref: str) -> Delivery:
    rows = Delivery.objects.for_tenant(tenant_id)
    if delivery is not None:
        found = rows.filter(public_id=delivery).first()
    else:
        found = rows.filter(provider_ref=provider_ref).order_by("-id").first() if provider_ref else None
    if found is None:
        raise NotFound
    return found


def _note(delivery: Delivery, error: str, now: datetime) -> None:
    delivery.status, delivery.error = DeliveryStatus.BOUNCED, error[:200]
    delivery.bounced_at = delivery.settled_at = now
    Delivery.objects.bulk_update([delivery], ["status", "error", "bounced_at", "settled_at"])
    heed_end(delivery, now)
    record_settled(delivery.tenant_id, [delivery.pk])
