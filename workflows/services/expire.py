"""Expiring signals: what nobody used within its lifetime is told so, and no run looks back to it any more."""

from datetime import timedelta

from django.conf import settings

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch

BATCH = 1000

# A signal that a live run still keeps for itself is left alone; one that a run took after routing gets that verdict.
_EXPIRE = """
UPDATE signals_app_signal s SET verdict = coalesce(best.verdict, 'expired'),
       verdict_reason = CASE WHEN best.verdict IS NULL THEN 'lifetime_over' ELSE best.reason END
  FROM (
    SELECT o.id, v.verdict, v.reason FROM signals_app_signal o LEFT JOIN LATERAL (
        SELECT verdict, reason FROM workflows_signalverdict
         WHERE tenant_id = o.tenant_id AND signal_id = o.id
         ORDER BY array_position(ARRAY['matched', 'started', 'rejected', 'late', 'expired'], verdict::text) LIMIT 1
    ) v ON true
     WHERE o.tenant_id = %s AND o.verdict IN ('buffered', 'unmatched') AND o.received_at < clock_timestamp() - %s
       AND o.routed_at IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM workflows_signalverdict k
            WHERE k.tenant_id = o.tenant_id AND k.signal_id = o.id AND k.verdict = 'buffered')
     ORDER BY o.received_at LIMIT %s FOR NO KEY UPDATE OF o SKIP LOCKED) best
 WHERE s.tenant_id = %s AND s.id = best.id
"""


def expire_signals(*, tenant_id: int, lifetime: timedelta | None = None) -> int:
    """Expire the tenant's signals that nobody used within `lifetime` (`SIGNAL_TTL_DAYS`); how many there were."""
    lifetime = timedelta(days=settings.SIGNAL_TTL_DAYS) if lifetime is None else lifetime
    with tenant_scope(tenant_id):
        return execute(_EXPIRE, [tenant_id, lifetime, BATCH, tenant_id])


def expire_everywhere() -> int:
    """Expire in every tenant that has something to expire, batch by batch; how many signals that were."""
    lifetime = timedelta(days=settings.SIGNAL_TTL_DAYS)
    total = 0
    for (tenant_id,) in fetch("SELECT tenant_id FROM tenants_with_unused_signals(%s)", [lifetime]):
        while expired := expire_signals(tenant_id=tenant_id, lifetime=lifetime):
            total += expired
    return total
