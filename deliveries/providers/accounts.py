"""Which accounts may carry a message, in the order in which they are asked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from deliveries.models import Provider
from deliveries.providers.base import Account
from deliveries.providers.registry import provider_kinds


def has_providers(tenant_id: int, channel: str) -> bool:
    """Whether the tenant has an account of its own for a channel, enabled or not. Needs the tenant's scope."""
    return Provider.objects.filter(tenant_id=tenant_id, channel=channel).exists()


def candidates(tenant_id: int, channel: str, step: Mapping[str, Any], last: str, now: datetime) -> list[Provider]:
    """Enabled accounts: healthy ones first; among them whoever may have the message already (`last`); then in order.

    The same provider again knows the effect key, and will not send twice if it honours one. `providers` of the step
    names those that count, in the step's own order. Needs the tenant's scope.

    Once a try may have taken effect, ask `the_same` of them.
    """
    rows = Provider.objects.filter(tenant_id=tenant_id, channel=channel, enabled=True, kind__in=provider_kinds())
    found = {row.key: row for row in rows.order_by("position", "id")}
    named = step.get("providers")
    ordered = [found[key] for key in named if key in found] if named else list(found.values())
    return sorted(ordered, key=lambda row: (is_unhealthy(row, now), row.key != last))


def the_same(providers: Sequence[Provider], last: str) -> list[Provider]:
    """Whoever may have the message already, well or not: to anybody else it would be a second message."""
    return [row for row in providers if row.key == last]


def is_unhealthy(row: Provider, now: datetime) -> bool:
    """Whether others are asked first for now."""
    return row.unhealthy_until is not None and row.unhealthy_until > now


def opened(row: Provider) -> Account:
    """The account with its credentials. Raises `CannotOpen`."""
    return Account(row.pk, str(row.public_id), row.key, row.config, row.credentials, row.failures)
