"""Pruning in parts: an order that somebody gave, or policies that act by themselves, a bounded batch at a time.

Every batch is one transaction that also notes how far the order has come: whoever dies in between, the next to come
round goes on.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import OperationalError

from tenants.scope import tenant_scope
from tenants.services.operators import check_reason
from tenants.sql import fetch
from workflows.models.retention import LONGEST_WHY, Kept, PruneOrder, RetentionPolicy
from workflows.retention.errors import OrderNotFound
from workflows.retention.holds import take_turns
from workflows.retention.plan import require_plan
from workflows.retention.registry import Authority, Part, pruner_of

log = structlog.get_logger(__name__)

TURN_SECONDS = 20.0
Counts = Mapping[str, int]


def order_prune(*, tenant_id: int, plan: str, reason: str, ordered_by: str) -> PruneOrder:
    """The order to carry out a plan, given by its token. Ordering the same plan twice is the same order.

    It is carried out within minutes by whoever comes round, or at once by `carry_out`. Raises `Invalid`, and
    `PlanChanged` unless making the plan again gives the same.
    """
    why = check_reason(reason, LONGEST_WHY)
    with tenant_scope(tenant_id) as scope:
        known = PruneOrder.objects.filter(tenant_id=tenant_id, plan=plan).first()
        if known is not None:
            return known
        parts = [one.part for one in require_plan(tenant_id=tenant_id, token=plan).parts]
        kept = [{"what": part.what, "before": part.before.isoformat(), "archives": part.archives} for part in parts]
        return PruneOrder.objects.create(
            tenant_id=tenant_id,
            plan=plan,
            parts=kept,
            reason=why,
            ordered_by=ordered_by,
            ordered_at=scope.now,
            finished_at=None if kept else scope.now,
        )


def carry_out(*, tenant_id: int, public_id: uuid.UUID, seconds: float = TURN_SECONDS) -> PruneOrder:
    """Go on with an order for about so long; the order as it stands then. Raises `OrderNotFound`."""
    ends_at = time.monotonic() + seconds
    order = _order(tenant_id, public_id)
    while order.parts and time.monotonic() < ends_at:
        what = order.parts[0]
        part = Part(Kept(what["what"]), datetime.fromisoformat(what["before"]), what["archives"])
        done = _prune(tenant_id, part, Authority(order.ordered_by, order.reason), ends_at, _note(order))
        order = _order(tenant_id, public_id) if not done else _part_done(tenant_id, public_id, what)
    return order


def prune_by_policies(*, tenant_id: int, seconds: float = TURN_SECONDS) -> Counts:
    """Take away what the tenant's automatic policies say, for about so long; how many rows of each kind."""
    ends_at, total = time.monotonic() + seconds, Counter[str]()
    with tenant_scope(tenant_id) as scope:
        policies = list(RetentionPolicy.objects.filter(tenant_id=tenant_id, is_automatic=True).order_by("what"))
    for policy in policies:
        part = Part(Kept(policy.what), scope.now - timedelta(days=policy.days), policy.archives)
        why = f"{policy.what}: kept for {policy.days} days"
        _prune(tenant_id, part, Authority("retention policy", why), ends_at, total.update)
    return +total


def prune_everywhere() -> int:
    """Go on with every tenant's orders and automatic policies, each for a while; how many tenants had any.

    A tenant that fails (its disk for archives is full) does not hold up the others; the next round tries it again.
    """
    tenants = [row[0] for row in fetch("SELECT tenant_id FROM tenants_to_prune()", [])]
    for tenant_id in tenants:
        try:
            _prune_tenant(tenant_id)
        except OperationalError:
            raise
        except Exception as error:
            log.exception("not_pruned", tenant_id=tenant_id, error=type(error).__name__)
    return len(tenants)


def _prune_tenant(tenant_id: int) -> None:
    with tenant_scope(tenant_id):
        orders = PruneOrder.objects.filter(tenant_id=tenant_id, finished_at=None).order_by("id")
        open_orders = list(orders.values_list("public_id", flat=True))
    for public_id in open_orders:
        carry_out(tenant_id=tenant_id, public_id=public_id)
    counts = prune_by_policies(tenant_id=tenant_id)
    if counts:
        log.info("pruned", tenant_id=tenant_id, **counts)


def _prune(tenant_id: int, part: Part, authority: Authority, ends_at: float, note: Callable[[Counts], Any]) -> bool:
    """Batch after batch; whether nothing is left. `note` is told the counts of each in the same transaction."""
    pruner, cursor = pruner_of(part.what), None
    while True:
        batch = pruner.prepare(tenant_id, part, cursor)
        if batch.ids:
            with tenant_scope(tenant_id):
                take_turns(tenant_id)
                note(pruner.take(tenant_id, part, batch, authority))
        if batch.cursor is None:
            return True
        if time.monotonic() >= ends_at:
            return False
        cursor = batch.cursor


def _order(tenant_id: int, public_id: uuid.UUID) -> PruneOrder:
    with tenant_scope(tenant_id):
        order = PruneOrder.objects.filter(tenant_id=tenant_id, public_id=public_id).first()
    if order is None:
        raise OrderNotFound
    return order


def _note(order: PruneOrder) -> Callable[[Counts], None]:
    def add(counts: Counts) -> None:
        now = PruneOrder.objects.select_for_update().get(tenant_id=order.tenant_id, public_id=order.public_id)
        now.pruned = dict(Counter(now.pruned) + Counter(counts))
        now.save(update_fields=["pruned"])

    return add


def _part_done(tenant_id: int, public_id: uuid.UUID, what: dict[str, Any]) -> PruneOrder:
    with tenant_scope(tenant_id) as scope:
        order = PruneOrder.objects.select_for_update().get(tenant_id=tenant_id, public_id=public_id)
        order.parts = [part for part in order.parts if part != what]
        order.finished_at = None if order.parts else scope.now
        order.save(update_fields=["parts", "finished_at"])
        return order
