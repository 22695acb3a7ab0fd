"""Storing a tenant's sending rules."""

from collections.abc import Iterator, Sequence
from typing import Any

from chimeway_py.errors import Invalid, fault
from deliveries.models import Category, SendingRules
from deliveries.timing.reading import cap_faults, quiet_faults
from deliveries.timing.releasing import SENDING_RULES, judge_held_anew
from tenants.scope import tenant_scope


def put_sending_rules(*, tenant_id: int, quiet_hours: Sequence[Any], caps: Sequence[Any]) -> SendingRules:
    """These rules and no others. Messages that the rules of before hold are judged anew soon after.

    Raises `Invalid` with every fault.
    """
    faults = [*quiet_faults(quiet_hours, "/quiet_hours"), *cap_faults(caps, "/caps")]
    if faults:
        raise Invalid("The sending rules are not valid.", faults)
    with tenant_scope(tenant_id) as scope:
        if faults := list(_category_faults(tenant_id, caps)):
            raise Invalid("The sending rules are not valid.", faults)
        said = {"quiet_hours": quiet_hours, "caps": caps, "updated_at": scope.now}
        mine = SendingRules.objects.filter(tenant_id=tenant_id).select_for_update(no_key=True)
        before = mine.values_list("quiet_hours", "caps").first()
        stored = SendingRules.objects.update_or_create(tenant_id=tenant_id, defaults=said)[0]
        if before != (quiet_hours, caps):
            judge_held_anew(tenant_id=tenant_id, changed=SENDING_RULES, now=scope.now)
        return stored


def _category_faults(tenant_id: int, caps: Sequence[Any]) -> Iterator[dict[str, str]]:
    """A cap on a category that is not there would never count anything. Needs the tenant's scope."""
    if not any(cap.get("category") for cap in caps):
        return
    known = sorted(Category.objects.filter(tenant_id=tenant_id).values_list("key", flat=True))
    told = f"One of {', '.join(known)}." if known else "The tenant has no categories yet."
    for index, cap in enumerate(caps):
        if cap.get("category") and cap["category"] not in known:
            yield fault(f"/caps/{index}/category", "unknown_category", told)


def sending_rules(*, tenant_id: int) -> SendingRules:
    """The tenant's rules; empty ones when it has none."""
    with tenant_scope(tenant_id):
        found = SendingRules.objects.filter(tenant_id=tenant_id).first()
        return found or SendingRules(tenant_id=tenant_id)
