"""Turns: how many messages an account takes in how much time, kept in one statement however many workers ask.

The generic cell rate algorithm: every message moves the account's `next_at` on by its share of the time. A place that
lies ahead is kept on the delivery, so that a message waits for its turn once and keeps its place in the queue.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from deliveries.models import Delivery, Provider
from tenants.scope import tenant_scope

_TAKE = """
UPDATE deliveries_provider SET next_at = greatest(coalesce(next_at, clock_timestamp()), clock_timestamp())
       + make_interval(secs => rate_seconds::float8 / rate_count)
 WHERE tenant_id = %s AND id = %s AND rate_count IS NOT NULL
RETURNING next_at - make_interval(secs => rate_seconds), clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is: now (`wait` is 0), or in so many seconds."""

    wait: float = 0.0


def take_turn(tenant_id: int, delivery_id: str, provider: Provider) -> Turn:
    """Take a place with a provider for a delivery, and note on the delivery who is asked, before anybody is."""
    with tenant_scope(tenant_id) as scope:
        mine = Delivery.objects.for_tenant(tenant_id).filter(public_id=delivery_id)
        kept = mine.values_list("provider", "turn_at").first()
        turn_at, now = _kept(kept, provider.key), scope.now
        if turn_at is None:
            turn_at, now = _taken(tenant_id, provider.pk) or (now, now)
        wait = max((turn_at - now).total_seconds(), 0.0)
        mine.update(provider=provider.key, turn_at=turn_at if wait else None)
        return Turn(wait)


def leave(tenant_id: int, delivery_id: str) -> None:
    """The provider certainly did not take the message: nothing speaks for asking the same one again."""
    with tenant_scope(tenant_id):
        Delivery.objects.for_tenant(tenant_id).filter(public_id=delivery_id).update(provider="", turn_at=None)


def _kept(kept: tuple[str, datetime | None] | None, key: str) -> datetime | None:
    """The place that the delivery has with this provider already."""
    return kept[1] if kept is not None and kept[0] == key else None


def _taken(tenant_id: int, provider_id: int) -> tuple[datetime, datetime] | None:
    """The place that was taken, and the time when it was; None when nobody counts."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [tenant_id, provider_id])
        row: tuple[datetime, datetime] | None = cursor.fetchone()
        return row
