"""Set the limits of a tenant, and read how much of each is left."""

from typing import Any, Literal

from django.conf import settings
from django.db import transaction

from chimeway_py.errors import Invalid, fault
from tenants.limits.board import limits_of, look_again
from tenants.limits.budget import Budget
from tenants.limits.kinds import MOST, PERIOD, LimitKind
from tenants.limits.taking import CURRENT, LEFT, count_now
from tenants.models import Limit
from tenants.scope import tenant_scope
from tenants.sql import fetch

Amount = int | None | Literal["default"]
_USES = f"""
SELECT a.kind, {LEFT}, CASE WHEN {CURRENT} THEN u.used_by END
  FROM tenants_limituse u
  JOIN unnest(%s::text[], %s::bigint[], %s::int[]) AS a (kind, amount, period) USING (kind) WHERE u.tenant_id = %s
"""  # noqa: S608  text of our own


def set_limit(*, tenant_id: int, kind: str, amount: Amount, changed_by: str) -> Limit:
    """Limit a tenant to `amount` from now on, elsewhere within a second.

    None is unlimited, whatever the settings say; `"default"` is what they say. Raises `Invalid`.
    """
    _check(kind, amount)
    with tenant_scope(tenant_id) as scope:
        changed: dict[str, Any] = {"changed_at": scope.now, "changed_by": changed_by}
        changed |= {"amount": None if amount == "default" else amount, "is_default": amount == "default"}
        limit, _ = Limit.objects.update_or_create(tenant_id=tenant_id, kind=kind, defaults=changed)
        transaction.on_commit(look_again)
        return limit


def budgets_of(tenant_id: int) -> list[Budget]:
    """Every limit that a tenant has, with what is left now and who used how much of it. Needs its scope."""
    limits = {LimitKind(kind): amount for kind, amount in sorted(limits_of(tenant_id).items())}
    asked = [[*map(str, limits)], [*limits.values()], [PERIOD[kind] for kind in limits], tenant_id]
    used = {kind: (left, by or {}) for kind, left, by in fetch(_USES, asked)} if limits else {}
    return [_budget(tenant_id, kind, amount, *used.get(kind, (amount, {}))) for kind, amount in limits.items()]


def _budget(tenant_id: int, kind: LimitKind, amount: int, left: float, by: dict[str, int]) -> Budget:
    there = count_now(tenant_id, kind, amount)
    most_first = dict(sorted(by.items(), key=lambda one: (-one[1], one[0])))
    return Budget(kind, amount, left if there is None else amount - there, most_first)


def default_limits() -> dict[str, int]:
    """What `TENANT_LIMITS` says for tenants that have no limits of their own."""
    return dict(settings.TENANT_LIMITS)


def _check(kind: str, amount: Amount) -> None:
    faults = []
    if kind not in LimitKind.values:
        faults.append(fault("/kind", "unknown_limit", f"One of {', '.join(LimitKind.values)}."))
    if isinstance(amount, int) and not 0 <= amount <= MOST:
        faults.append(fault("/amount", "out_of_range", f"0 to {MOST}."))
    if faults:
        raise Invalid("The limit is not valid.", faults)
