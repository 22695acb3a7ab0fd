"""How well an endpoint does: by the same rule as subscriptions to events it is disabled when it is gone or fails."""

from datetime import UTC, datetime

import structlog

from chimeway_py.outbound.call import Called
from deliveries.models import Endpoint
from tenants.scope import tenant_scope
from workflows.events.health import reason_to_disable
from workflows.events.record import record_event
from workflows.events.types import EventType
from workflows.models import DisabledReason

log = structlog.get_logger(__name__)


def note_try(endpoint: Endpoint, called: Called) -> None:
    """Keep what a try tells of its receiver. Most tell nothing new, and write nothing."""
    if not _is_news(endpoint, called, datetime.now(UTC)):
        return
    with tenant_scope(endpoint.tenant_id) as scope:
        rows = Endpoint.objects.filter(tenant_id=endpoint.tenant_id, id=endpoint.pk, enabled=True)
        mine = rows.select_for_update(no_key=True).first()
        if mine is not None:
            _judge(mine, called, scope.now)


def _is_news(endpoint: Endpoint, called: Called, now: datetime) -> bool:
    """A first success or failure, or a failure that may be the last."""
    if endpoint.failing_since is None or not called.error:
        return bool(called.error) == (endpoint.failing_since is None)
    return reason_to_disable(called, endpoint.failing_since, now) is not None


def _judge(mine: Endpoint, called: Called, now: datetime) -> None:
    mine.failing_since = (mine.failing_since or now) if called.error else None
    reason = reason_to_disable(called, mine.failing_since, now) if mine.failing_since else None
    if reason:
        mine.enabled, mine.disabled_reason, mine.disabled_at, mine.updated_at = False, reason, now, now
    mine.save(update_fields=["failing_since", "enabled", "disabled_reason", "disabled_at", "updated_at"])
    if reason:
        _tell(mine, reason)


def _tell(mine: Endpoint, reason: DisabledReason) -> None:
    """Somebody must look at the address and enable it."""
    record_event(mine.tenant_id, EventType.ENDPOINT_DISABLED, {"endpoint": mine.key, "reason": str(reason)})
    log.warning("endpoint_disabled", tenant_id=mine.tenant_id, endpoint=mine.key, reason=str(reason))
