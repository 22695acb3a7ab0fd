"""Caps: at most so many messages over one channel to one recipient within a window.

A message takes its place when it is about to be sent, under a lock of its recipient and channel, so of a crowd that is
sent at once no more get through than may. A place is given back when the message did not go out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from deliveries.models import Delivery
from tenants.sql import fetch
from workflows.definitions.durations import parse_duration

_UNDOES = ":compensate"  # what undoes a message is another message, and each is wanted for itself
# Of one transaction, and let go with it: no rows to make and to clean up. A collision of hashes only means waiting.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
# The use that has to grow old before one more fits: the limit-th newest.
_IN_THE_WAY = """
SELECT counted_at FROM deliveries_delivery
 WHERE tenant_id = %s AND subject = %s AND channel = %s AND counted_at > %s AND id <> %s AND (%s = '' OR category = %s)
 ORDER BY counted_at DESC OFFSET %s LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Full:
    """A cap that is reached: until when, and the message that this one is joined to, if it is to be joined."""

    rule: str
    then: str
    until: datetime
    into: UUID | None = None


def caps_on(delivery: Delivery, caps: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The caps that a message counts against."""
    return [
        cap
        for cap in caps
        if cap["channel"] == delivery.channel and cap.get("category", delivery.category) == delivery.category
    ]


def take_place(delivery: Delivery, caps: Sequence[Mapping[str, Any]], now: datetime) -> Full | None:
    """The cap that leaves no place for the message; or None, and its place is taken when the caller stores it.

    Holds a lock until the transaction ends. Needs the tenant's scope. Of several full caps the one that lasts longest.
    """
    lock_places(delivery)
    found = [full for cap in caps if (full := _full(delivery, cap, now)) is not None]
    if not found:
        delivery.counted_at = now
        return None
    dropped = [full for full in found if full.then == "drop"]
    return max(dropped or found, key=lambda full: full.until)


def lock_places(delivery: Delivery) -> None:
    """Let nobody else take a place of this recipient and channel, or join a message, until the transaction ends."""
    fetch(_LOCK, [f"{delivery.tenant_id}/{delivery.channel}/{delivery.subject}"])


def _full(delivery: Delivery, cap: Mapping[str, Any], now: datetime) -> Full | None:
    window = parse_duration(cap["per"])
    category = cap.get("category", "")
    whose = delivery.tenant_id, delivery.subject, delivery.channel
    rows = fetch(_IN_THE_WAY, [*whose, now - window, delivery.pk, category, category, cap["limit"] - 1])
    if not rows:
        return None
    rule = f"cap {cap['name']}: {cap['limit']} per {cap['per']}"
    into = _leader(delivery) if cap["then"] == "coalesce" and _UNDOES not in delivery.key else None
    return Full(rule, cap["then"], max(rows[0][0] + window, now + timedelta(milliseconds=1)), into)


def _leader(delivery: Delivery) -> UUID | None:
    """The message of the same step to the same recipient that waits for its place already."""
    held = (
        Delivery.objects.for_tenant(delivery.tenant_id)
        .owed()
        .filter(
            subject=delivery.subject,
            channel=delivery.channel,
            definition_key=delivery.definition_key,
            step_key=delivery.step_key,
            held_by="cap",
        )
    )
    held = held.exclude(id=delivery.pk).exclude(key__contains=_UNDOES)
    return held.order_by("id").values_list("public_id", flat=True).first()
