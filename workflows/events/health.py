"""How well a receiver does: held back when it does not answer, disabled when it is gone or fails for five days."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from chimeway_py.outbound.call import Called
from workflows.events.message import GONE, Tried
from workflows.events.record import record_event
from workflows.events.schedule import FAILING_TOO_LONG, hold_after
from workflows.events.types import EventType
from workflows.models import DisabledReason, EventSubscription

log = structlog.get_logger(__name__)
_FIELDS = ["failing_since", "failures", "hold_until", "succeeded_at", "enabled", "disabled_reason", "disabled_at"]


def note_health(mine: EventSubscription, tried: Sequence[Tried], now: datetime) -> None:
    """Judge a locked subscription by some tries, in order, and store it."""
    for one in tried:
        if one.succeeded:
            mine.failing_since, mine.failures, mine.hold_until, mine.succeeded_at = None, 0, None, now
        else:
            _note_failure(mine, one, now)
    if tried:
        mine.save(update_fields=_FIELDS)


def reason_to_disable(called: Called, failing_since: datetime, now: datetime) -> DisabledReason | None:
    """The one rule for all who receive webhooks of ours: whether a failed try was the last. None: it was not."""
    if called.answer is not None and called.answer.status == GONE:
        return DisabledReason.GONE
    return DisabledReason.FAILING if now - failing_since >= FAILING_TOO_LONG else None


def _note_failure(mine: EventSubscription, one: Tried, now: datetime) -> None:
    mine.failing_since = mine.failing_since or now
    mine.failures += 1
    if one.is_unwell:
        mine.hold_until = hold_after(mine.failures, now, one.called.retry_after)
    if reason := reason_to_disable(one.called, mine.failing_since, now):
        _disable(mine, reason, now)


def _disable(mine: EventSubscription, reason: DisabledReason, now: datetime) -> None:
    """Somebody must look at it and enable it. What is owed waits; the tenant's other subscriptions are told."""
    if not mine.enabled:
        return
    mine.enabled, mine.disabled_reason, mine.disabled_at = False, reason, now
    mine.save(update_fields=_FIELDS)  # before the event, so that it does not owe itself the news
    record_event(mine.tenant_id, EventType.SUBSCRIPTION_DISABLED, {"subscription": mine.key, "reason": str(reason)})
    log.warning("event_subscription_disabled", tenant_id=mine.tenant_id, subscription=mine.key, reason=str(reason))
