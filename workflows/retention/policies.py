"""How long a tenant keeps what. Without a policy it is kept for ever."""

from django.conf import settings

from chimeway_py.errors import Invalid, fault
from tenants.scope import tenant_scope
from workflows.models.retention import Kept, RetentionPolicy
from workflows.retention.errors import NoArchive, PolicyNotFound
from workflows.states import TERMINAL

MOST_DAYS = 36_500
RUNS = frozenset(Kept(state) for state in TERMINAL)


def set_policy(
    *, tenant_id: int, what: str, days: int, is_automatic: bool = False, archives: bool = False, changed_by: str
) -> RetentionPolicy:
    """The tenant's policy for this, from now on. Nothing is pruned by it before the next round, or an order.

    Raises `Invalid`, and `NoArchive` when runs are to be archived and there is nowhere to.
    """
    _check(what, days, archives)
    if archives and not settings.RETENTION_ARCHIVE_DIR:
        raise NoArchive
    said = {"days": days, "is_automatic": is_automatic, "archives": archives, "changed_by": changed_by}
    with tenant_scope(tenant_id) as scope:
        policy, _ = RetentionPolicy.objects.update_or_create(
            tenant_id=tenant_id, what=what, defaults=said | {"changed_at": scope.now}
        )
        return policy


def drop_policy(*, tenant_id: int, what: str) -> None:
    """Keep this for ever again. Raises `PolicyNotFound`."""
    with tenant_scope(tenant_id):
        if not RetentionPolicy.objects.filter(tenant_id=tenant_id, what=what).delete()[0]:
            raise PolicyNotFound


def policies(*, tenant_id: int) -> list[RetentionPolicy]:
    """The tenant's policies."""
    with tenant_scope(tenant_id):
        return list(RetentionPolicy.objects.filter(tenant_id=tenant_id).order_by("what"))


def _check(what: str, days: int, archives: bool) -> None:
    faults = []
    least = settings.SIGNAL_TTL_DAYS if what == Kept.SIGNALS else 1
    if what not in Kept.values:
        faults.append(fault("/what", "unknown", f"One of {', '.join(Kept.values)}."))
    if not least <= days <= MOST_DAYS:
        faults.append(fault("/days", "bad_days", f"From {least} to {MOST_DAYS} days."))
    if archives and what not in RUNS:
        faults.append(fault("/archives", "not_archived", "Only runs are archived."))
    if faults:
        raise Invalid("The policy is not valid.", faults)
