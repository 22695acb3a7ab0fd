"""Storing a tenant's sending rules."""

from collections.abc import Sequence
from typing import Any

from chimeway_py.errors import Invalid
from deliveries.models import SendingRules
from deliveries.timing.reading import cap_faults, quiet_faults
from tenants.scope import tenant_scope


def put_sending_rules(*, tenant_id: int, quiet_hours: Sequence[Any], caps: Sequence[Any]) -> SendingRules:
    """These rules and no others. Messages that are held already keep their time and are judged anew when it comes.

    Raises `Invalid` with every fault.
    """
    faults = [*quiet_faults(quiet_hours, "/quiet_hours"), *cap_faults(caps, "/caps")]
    if faults:
        raise Invalid("The sending rules are not valid.", faults)
    with tenant_scope(tenant_id) as scope:
        said = {"quiet_hours": quiet_hours, "caps": caps, "updated_at": scope.now}
        return SendingRules.objects.update_or_create(tenant_id=tenant_id, defaults=said)[0]


def sending_rules(*, tenant_id: int) -> SendingRules:
    """The tenant's rules; empty ones when it has none."""
    with tenant_scope(tenant_id):
        found = SendingRules.objects.filter(tenant_id=tenant_id).first()
        return found or SendingRules(tenant_id=tenant_id)
