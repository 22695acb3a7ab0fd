"""Writing what became of a try, in the transaction that finishes the attempt (or ends the run)."""

from collections.abc import Sequence
from datetime import datetime

from deliveries.channels.webhook import GONE, WebhookChannel
from deliveries.models import Delivery, Endpoint
from deliveries.states import DeliveryStatus
from workflows.steps.base import Claim, Outcome


def settle_delivery(*, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
    """Note the outcome of one try on its delivery. One that has ended stays as it is. Needs the tenant's scope."""
    delivery = Delivery.objects.of_step_run(claim.tenant_id, claim.step_run_id).locked().get()
    if not (delivery.is_owed or delivery.status == DeliveryStatus.UNKNOWN):
        return
    delivery.status = _status(outcome, final)
    delivery.error = outcome.error[:200]
    changed = ["status", "error"]
    if final:
        delivery.settled_at = now
        changed.append("settled_at")
    if delivery.status == DeliveryStatus.DELIVERED:
        delivery.delivered_at, delivery.provider_ref = now, str(outcome.context.get("provider_ref", ""))[:255]
        changed += ["delivered_at", "provider_ref"]
    Delivery.objects.bulk_update([delivery], changed)
    if delivery.channel == WebhookChannel.name and outcome.error == GONE:
        _disable_endpoint(claim, now)


def abandon_deliveries(*, tenant_id: int, run_ids: Sequence[int], now: datetime) -> None:
    """Cancel what nobody has begun to send for runs that have ended. A try in flight says itself what became of it."""
    waiting = (DeliveryStatus.PLANNED, DeliveryStatus.TEMPORARY_FAILURE)
    owed = Delivery.objects.for_tenant(tenant_id).filter(run_id__in=run_ids, status__in=waiting, resend_of=None)
    owed.update(status=DeliveryStatus.CANCELLED, settled_at=now)


def _status(outcome: Outcome, final: bool) -> str:
    if not final:
        return DeliveryStatus.TEMPORARY_FAILURE
    if outcome.word == DeliveryStatus.TEMPORARY_FAILURE and outcome.retryable:
        return DeliveryStatus.RETRIES_EXHAUSTED
    return outcome.word if outcome.word in DeliveryStatus.values else DeliveryStatus.UNKNOWN


def _disable_endpoint(claim: Claim, now: datetime) -> None:
    """410 means: never again. Someone must look at the address and enable it."""
    mine = Endpoint.objects.filter(tenant_id=claim.tenant_id, key=claim.step["endpoint"], enabled=True)
    mine.update(enabled=False, disabled_reason=GONE, updated_at=now)
