"""Forgetting events that are older than they are kept, with what was owed of them and how its tries went."""

from datetime import timedelta

from django.conf import settings

from tenants.scope import tenant_scope
from tenants.services.tenants import tenant_list
from tenants.sql import fetch

BATCH = 1000
_PRUNE = """
WITH old AS (SELECT id FROM workflows_event WHERE tenant_id = %(tenant)s AND occurred_at < %(before)s
              ORDER BY occurred_at LIMIT %(most)s),
owed AS (SELECT id FROM workflows_eventdispatch WHERE tenant_id = %(tenant)s AND event_id IN (SELECT id FROM old)),
attempts AS (DELETE FROM workflows_eventattempt
              WHERE tenant_id = %(tenant)s AND dispatch_id IN (SELECT id FROM owed)),
dispatches AS (DELETE FROM workflows_eventdispatch WHERE tenant_id = %(tenant)s AND id IN (SELECT id FROM owed)),
gone AS (DELETE FROM workflows_event WHERE tenant_id = %(tenant)s AND id IN (SELECT id FROM old) RETURNING id)
SELECT count(*) FROM gone
"""


def prune_everywhere() -> int:
    """Prune the events of every tenant; how many those were."""
    return sum(prune_events(tenant_id=tenant_id) for tenant_id, _ in tenant_list())


def prune_events(*, tenant_id: int) -> int:
    """Prune one tenant's events that are older than `EVENTS_KEPT_DAYS`, a batch in each transaction."""
    total = 0
    while True:
        with tenant_scope(tenant_id) as scope:
            before = scope.now - timedelta(days=settings.EVENTS_KEPT_DAYS)
            gone: int = fetch(_PRUNE, {"tenant": tenant_id, "before": before, "most": BATCH})[0][0]
        total += gone
        if gone < BATCH:
            return total
