"""Reading what stays of pruned runs."""

import uuid

from tenants.scope import tenant_scope
from workflows.models import Tombstone
from workflows.retention.errors import TombstoneNotFound


def tombstone_of(*, tenant_id: int, public_id: uuid.UUID) -> Tombstone:
    """The latest tombstone of a run, by the public id that it had. Raises `TombstoneNotFound`."""
    with tenant_scope(tenant_id):
        stones = Tombstone.objects.filter(tenant_id=tenant_id, run_public_id=public_id)
        stone = stones.order_by("-id").first()
    if stone is None:
        raise TombstoneNotFound
    return stone


def count_tombstones(*, tenant_id: int) -> int:
    """How many runs of the tenant were pruned."""
    with tenant_scope(tenant_id):
        return Tombstone.objects.filter(tenant_id=tenant_id).count()
