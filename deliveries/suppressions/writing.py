"""Keeping what a bounce or a complaint says of an address, in the transaction that takes it; and lifting it again."""

from datetime import datetime
from typing import Any
from uuid import UUID

from deliveries.channels.registry import channel
from deliveries.models import Delivery, Suppression
from deliveries.states import DeliveryStatus
from deliveries.suppressions.reading import SuppressionNotFound
from tenants.ids import new_public_id
from tenants.scope import tenant_scope
from tenants.services.operators import check_reason
from tenants.sql import fetch

# Told again, nothing changes: only what is new of it, or what was lifted since, is written.
_SUPPRESS = """
INSERT INTO deliveries_suppression AS s (tenant_id, public_id, channel, recipient_digest, recipient_masked, subject,
       bounced_at, complained_at, delivery, provider, code, lifted_by, lifted_why, created_at)
VALUES (%(tenant)s, %(id)s, %(channel)s, %(digest)s, %(masked)s, %(subject)s,
        %(bounced)s::timestamptz, %(complained)s::timestamptz, %(delivery)s, %(provider)s, %(code)s, '', '', %(now)s)
    ON CONFLICT (tenant_id, recipient_digest, channel) DO UPDATE SET
       bounced_at = CASE WHEN s.lifted_at IS NULL THEN coalesce(s.bounced_at, excluded.bounced_at)
                         ELSE excluded.bounced_at END,
       complained_at = CASE WHEN s.lifted_at IS NULL THEN coalesce(s.complained_at, excluded.complained_at)
                            ELSE excluded.complained_at END,
       recipient_masked = excluded.recipient_masked, subject = excluded.subject, delivery = excluded.delivery,
       provider = excluded.provider, code = excluded.code, lifted_at = NULL, lifted_by = '', lifted_why = ''
 WHERE s.lifted_at IS NOT NULL OR (s.bounced_at IS NULL AND excluded.bounced_at IS NOT NULL)
    OR (s.complained_at IS NULL AND excluded.complained_at IS NOT NULL)
RETURNING 1
"""


def heed_end(delivery: Delivery, now: datetime) -> None:
    """Keep what the end of a delivery says of its address. In the transaction that writes the end.

    A bounce is remembered. A message that was sent again by hand, and taken, takes the memory of a bounce away:
    somebody insisted, and was right. A complaint stays.
    """
    if not _is_heeded(delivery):
        return
    if delivery.status == DeliveryStatus.BOUNCED:
        _suppress(delivery, now, bounced=now)
    elif delivery.status == DeliveryStatus.DELIVERED and delivery.is_resent_by_hand:
        _forgive_bounce(delivery, now)


def heed_complaint(delivery: Delivery, code: str, now: datetime) -> None:
    """Leave the address alone from now on. In the transaction that takes the report."""
    if _is_heeded(delivery):
        _suppress(delivery, now, complained=now, code=f"complained {code}".strip())


def lift(*, tenant_id: int, suppression: UUID, reason: str, by: str) -> Suppression:
    """Let messages go there again; the row says why and by whom. Of one that is lifted already nothing changes.

    Raises `Invalid` for a bad reason, and `SuppressionNotFound`.
    """
    why = check_reason(reason)
    with tenant_scope(tenant_id) as scope:
        rows = Suppression.objects.filter(tenant_id=tenant_id, public_id=suppression)
        row = rows.select_for_update(no_key=True).first()
        if row is None:
            raise SuppressionNotFound
        if row.lifted_at is None:
            row.lifted_at, row.lifted_by, row.lifted_why = scope.now, by[:200], why
            rows.update(lifted_at=row.lifted_at, lifted_by=row.lifted_by, lifted_why=row.lifted_why)
        return row


def _is_heeded(delivery: Delivery) -> bool:
    """Whether the channel leaves addresses alone, and this one is known: an erased delivery has forgotten its own."""
    return channel(delivery.channel).heeds_bounces and bool(delivery.recipient_digest)


def _suppress(delivery: Delivery, now: datetime, **said: Any) -> None:
    row = {
        "tenant": delivery.tenant_id,
        "id": new_public_id(),
        "channel": delivery.channel,
        "digest": delivery.recipient_digest,
        "masked": delivery.recipient_masked,
        "subject": delivery.subject,
        "delivery": delivery.public_id,
        "provider": delivery.provider,
        "code": delivery.error,
        "bounced": None,
        "complained": None,
        "now": now,
    }
    fetch(_SUPPRESS, row | {name: value[:200] if isinstance(value, str) else value for name, value in said.items()})


def _forgive_bounce(delivery: Delivery, now: datetime) -> None:
    there = Suppression.objects.filter(
        tenant_id=delivery.tenant_id,
        recipient_digest=delivery.recipient_digest,
        channel=delivery.channel,
        bounced_at__isnull=False,
        lifted_at__isnull=True,
    )
    if not there.filter(complained_at__isnull=True).update(
        lifted_at=now, lifted_by="resend", lifted_why=delivery.resend_reason
    ):
        there.update(bounced_at=None)
