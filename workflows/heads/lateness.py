"""Tenants whose traces have grown for too long without a signed head: beat is down, a key gone, or a round fails."""

from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from tenants.models import Tenant
from workflows.heads.keys import public_keys

LATE = timedelta(hours=2)  # a head is due after one
# Asked with every scrape, so by index alone: a run that began (its public id starts with the time) or ended since the
# last head, and two hours ago. What only went on meanwhile is found when it ends.
_LATE = """
SELECT t.id FROM tenants_tenant t
  LEFT JOIN LATERAL (SELECT signed_at FROM workflows_tracehead
                      WHERE tenant_id = t.id ORDER BY number DESC LIMIT 1) h ON true
 CROSS JOIN LATERAL (SELECT coalesce(h.signed_at, '2020-01-01') AS since, clock_timestamp() - %s::interval AS until) w
 WHERE coalesce(h.signed_at < w.until, %s) AND (
       EXISTS (SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.id
                  AND r.public_id >= first_id_at(w.since) AND r.public_id < first_id_at(w.until))
    OR EXISTS (SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.id
                  AND r.state IN ('completed', 'stopped', 'cancelled', 'failed', 'expired')
                  AND r.finished_at > w.since AND r.finished_at < w.until))
"""


def heads_are_expected() -> bool:
    """Whether there is a key to sign with. A tenant that had a head once is expected to have others in any case."""
    return bool(public_keys())


def tenants_with_late_heads() -> QuerySet[Tenant]:
    """Of the tenants in scope, those whose next head is more than an hour late."""
    return Tenant.objects.filter(id__in=RawSQL(_LATE, [LATE, heads_are_expected()]))  # noqa: S611 (a text of ours)
