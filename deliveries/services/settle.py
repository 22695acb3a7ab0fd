"""Writing what became of a try, in the transaction that finishes the attempt (or ends the run)."""

from collections.abc import Sequence
from datetime import datetime

from deliveries.models import Delivery, Provider
from deliveries.providers.sending import RATE_LIMITED
from deliveries.recipients.gone import forget_browsers
from deliveries.services.events import record_settled
from deliveries.services.handing_on import hand_on, join_to
from deliveries.states import COUNTED, GONE, OUTCOMES, DeliveryStatus, Layer
from deliveries.suppressions.writing import heed_end
from deliveries.timing.releasing import about_to_hold
from workflows.models import StepRun
from workflows.steps.base import Claim, Outcome


def settle_delivery(*, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
    """Note the outcome of one try on its delivery. One that has ended stays as it is. Needs the tenant's scope."""
    delivery = Delivery.objects.of_step_run(claim.tenant_id, claim.step_run_id).locked().get()
    if not delivery.is_owed:
        return
    delivery.status = _status(outcome) if final else DeliveryStatus.PLANNED
    delivery.error = "" if outcome.until or delivery.status == DeliveryStatus.DELIVERED else outcome.error[:200]
    delivery.settled_at = now if final else None
    if final and delivery.counted_at and delivery.status not in COUNTED and not delivery.may_have_been_taken:
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
    if gone := outcome.context.get(GONE):
        forget_browsers(claim.tenant_id, delivery.subject, frozenset(gone), now)
    if not final and outcome.until is not None and _is_out_of_date(delivery, outcome):
        StepRun.objects.for_tenant(claim.tenant_id).filter(id=claim.step_run_id).update(due_at=now)
    if final:
        heed_end(delivery, now)
        record_settled(claim.tenant_id, [delivery.pk])
        _leave_joined(claim, delivery, now)


def _is_out_of_date(delivery: Delivery, outcome: Outcome) -> bool:
    """Whether what holds the message was changed after it was judged, and before this was to be written."""
    assert outcome.until is not None
    if outcome.error != RATE_LIMITED:
        return delivery.held_until is None or delivery.held_until < outcome.until
    about_to_hold(delivery.tenant_id)
    stored = Provider.objects.filter(tenant_id=delivery.tenant_id, key=delivery.provider)
    changed_at = stored.values_list("updated_at", flat=True).first()
    is_changed = changed_at is None or delivery.sending_at is None or changed_at >= delivery.sending_at
    if is_changed:
        Delivery.objects.for_tenant(delivery.tenant_id).filter(id=delivery.pk).update(turn_at=None)
    return is_changed


def abandon_deliveries(*, tenant_id: int, step_run_ids: Sequence[int], now: datetime) -> None:
    """Nobody will try these step runs again: what was not begun is cancelled, what was begun is `unknown`."""
    mine = Delivery.objects.for_tenant(tenant_id).filter(step_run_id__in=step_run_ids)
    owed = list(mine.owed().select_related("step_run").order_by("id"))
    for begun, ended in (
        (DeliveryStatus.PLANNED, DeliveryStatus.CANCELLED),
        (DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN),
    ):
        mine.filter(status=begun).update(status=ended, settled_at=now)
    record_settled(tenant_id, [one.pk for one in owed])
    waited = [one for one in owed if one.status == DeliveryStatus.PLANNED and (one.held_by or one.error)]
    hand_on(tenant_id, [one for one in waited if not one.may_have_been_taken], now)


def resolve_delivery(*, tenant_id: int, step_run_id: int, word: str, now: datetime, error: str = "") -> None:
    """Note an outcome that no try told; `owed` plans the delivery again. One whose end is known stays as it is.

    `error` is the code of whoever told it, if they gave one.
    """
    delivery = Delivery.objects.of_step_run(tenant_id, step_run_id).locked().get()
    if not (delivery.is_owed or delivery.status == DeliveryStatus.UNKNOWN):
        return
    ended = word in OUTCOMES
    delivery.status = word if ended else DeliveryStatus.PLANNED
    delivery.error = "worker lost" if word == DeliveryStatus.UNKNOWN else error[:200]
    delivery.settled_at = now if ended else None
    delivery.delivered_at = now if word == DeliveryStatus.DELIVERED else None
    delivery.bounced_at = now if word == DeliveryStatus.BOUNCED else None
    did_not_go = ended and delivery.status not in COUNTED
    delivery.counted_at = None if did_not_go else delivery.counted_at
    changed = ["status", "error", "settled_at", "delivered_at", "bounced_at", "counted_at"]
    Delivery.objects.bulk_update([delivery], changed)
    heed_end(delivery, now)
    record_settled(tenant_id, [delivery.pk] if ended else [])
    if did_not_go:  # somebody looked, so no earlier try counts against it
        hand_on(tenant_id, [delivery], now)


def _leave_joined(claim: Claim, delivery: Delivery, now: datetime) -> None:
    """Others may have been joined to a message that is not sent: for whatever reason, or as it is joined itself.

    None were joined to what goes with its first try and took nobody's place: a cap holds back by a try.
    """
    if delivery.coalesced_into is not None:
        join_to(delivery.tenant_id, delivery.public_id, delivery.coalesced_into)
    elif claim.attempt_number == 1 and delivery.stands_in_for is None:
        return
    elif delivery.status not in COUNTED and not delivery.may_have_been_taken:
        hand_on(delivery.tenant_id, [delivery], now)


def _status(outcome: Outcome) -> str:
    return outcome.word if outcome.word in OUTCOMES else DeliveryStatus.UNKNOWN
