"""Writing what became of a try, in the transaction that finishes the attempt (or ends the run)."""

from collections.abc import Sequence
from datetime import datetime

from deliveries.models import Delivery
from deliveries.providers.sending import RATE_LIMITED
from deliveries.services.events import record_settled
from deliveries.services.handing_on import hand_on, join_to
from deliveries.states import COUNTED, OUTCOMES, DeliveryStatus, Layer
from workflows.steps.base import Claim, Outcome


def settle_delivery(*, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
    """Note the outcome of one try on its delivery. One that has ended stays as it is. Needs the tenant's scope."""
    delivery = Delivery.objects.of_step_run(claim.tenant_id, claim.step_run_id).locked().get()
    if not delivery.is_owed:
        return
    delivery.status = _status(outcome) if final else DeliveryStatus.PLANNED
    delivery.error = "" if outcome.until or delivery.status == DeliveryStatus.DELIVERED else outcome.error[:200]
    delivery.settled_at = now if final else None
    if final and delivery.status not in COUNTED:
        delivery.counted_at = None  # it took no one's time, so its place under the caps is free again
    if delivery.status == DeliveryStatus.DELIVERED:
        delivery.delivered_at, delivery.provider_ref = now, str(outcome.context.get("provider_ref", ""))[:255]
    if delivery.status == DeliveryStatus.BOUNCED:  # said by the provider at once
        delivery.bounced_at = now
    changed = ["status", "error", "settled_at", "delivered_at", "bounced_at", "provider_ref", "counted_at"]
    if not final and outcome.error == RATE_LIMITED and outcome.until is not None:  # rules were noted when they judged
        delivery.held_by, delivery.held_until = "rate", outcome.until
        delivery.decided_by, delivery.decided_rule = Layer.PROVIDER, str(outcome.context["rule"])[:200]
        changed += ["held_by", "held_until", "decided_by", "decided_rule"]
    Delivery.objects.bulk_update([delivery], changed)
    if final:
        record_settled(claim.tenant_id, [delivery.pk])
        _leave_joined(delivery, outcome, now)


def abandon_deliveries(*, tenant_id: int, step_run_ids: Sequence[int], now: datetime) -> None:
    """Nobody will try these step runs again: what was not begun is cancelled, what was begun is `unknown`."""
    mine = Delivery.objects.for_tenant(tenant_id).filter(step_run_id__in=step_run_ids)
    owed = list(mine.owed().order_by("id"))
    for begun, ended in (
        (DeliveryStatus.PLANNED, DeliveryStatus.CANCELLED),
        (DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN),
    ):
        mine.filter(status=begun).update(status=ended, settled_at=now)
    record_settled(tenant_id, [one.pk for one in owed])
    hand_on(tenant_id, [one for one in owed if one.held_by and one.status == DeliveryStatus.PLANNED], now)


def resolve_delivery(*, tenant_id: int, step_run_id: int, word: str, now: datetime) -> None:
    """Note an outcome that no try told; `owed` plans the delivery again. One whose end is known stays as it is."""
    delivery = Delivery.objects.of_step_run(tenant_id, step_run_id).locked().get()
    if not (delivery.is_owed or delivery.status == DeliveryStatus.UNKNOWN):
        return
    ended = word in OUTCOMES
    delivery.status = word if ended else DeliveryStatus.PLANNED
    delivery.error = "worker lost" if word == DeliveryStatus.UNKNOWN else ""
    delivery.settled_at = now if ended else None
    delivery.delivered_at = now if word == DeliveryStatus.DELIVERED else None
    delivery.bounced_at = now if word == DeliveryStatus.BOUNCED else None
    Delivery.objects.bulk_update([delivery], ["status", "error", "settled_at", "delivered_at", "bounced_at"])
    record_settled(tenant_id, [delivery.pk] if ended else [])


def _leave_joined(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    """Others may have been joined to a message that is not sent: because its run ended, or as it is joined itself."""
    if delivery.coalesced_into is not None:
        join_to(delivery.tenant_id, delivery.public_id, delivery.coalesced_into)
    elif delivery.status == DeliveryStatus.SUPPRESSED and outcome.error == "run_ended":
        hand_on(delivery.tenant_id, [delivery], now)


def _status(outcome: Outcome) -> str:
    return outcome.word if outcome.word in OUTCOMES else DeliveryStatus.UNKNOWN
