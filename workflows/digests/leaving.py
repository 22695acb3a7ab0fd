"""Leaving a digest: a run that ends takes its item along, and the next one leads. The caller holds the runs' locks."""

from collections.abc import Sequence
from datetime import datetime

from tenants.sql import execute, fetch
from workflows.models.digest import Left

_LOCK = """
SELECT d.id FROM workflows_digest d
 WHERE d.tenant_id = %s AND d.id IN (
        SELECT i.digest_id FROM workflows_digestitem i
         WHERE i.tenant_id = %s AND i.step_run_id = ANY(%s) AND i.told_at IS NULL AND i.left_at IS NULL)
 ORDER BY d.definition_key, d.step, d.subject, d.name_sha, d.id FOR NO KEY UPDATE
"""
# What is in a closed digest has been handed to its leader already, and stays there.
_LEAVE = """
WITH gone AS (
    UPDATE workflows_digestitem i SET told_at = %s,
           left_at = CASE WHEN d.status = 'closed' THEN NULL ELSE %s::timestamptz END,
           left_why = CASE WHEN d.status = 'closed' THEN '' ELSE %s END
      FROM workflows_digest d
     WHERE i.tenant_id = %s AND i.step_run_id = ANY(%s) AND i.told_at IS NULL AND i.left_at IS NULL
       AND d.tenant_id = i.tenant_id AND d.id = i.digest_id
    RETURNING i.digest_id, i.left_at)
UPDATE workflows_digest d SET count = d.count - g.number
  FROM (SELECT digest_id, count(*) AS number FROM gone WHERE left_at IS NOT NULL GROUP BY 1) g
 WHERE d.tenant_id = %s AND d.id = g.digest_id
"""
# Of these an item left now or was handed to a leader: only one that left is told to nobody.
_WITHHELD = """
UPDATE workflows_steprun s SET withheld_from = i.subject
  FROM workflows_digestitem i
 WHERE i.tenant_id = %s AND i.step_run_id = ANY(%s) AND i.left_at IS NOT NULL
   AND s.tenant_id = i.tenant_id AND s.id = i.step_run_id
"""


def leave_digests(tenant_id: int, step_run_ids: Sequence[int], now: datetime, why: str = Left.RUN_ENDED) -> int:
    """Take the items of these step runs out of digests that are not closed; how many digests that concerned."""
    ids = list(step_run_ids)
    if not fetch(_LOCK, [tenant_id, tenant_id, ids]):
        return 0
    concerned = execute(_LEAVE, [now, now, str(why), tenant_id, ids, tenant_id])
    execute(_WITHHELD, [tenant_id, ids])
    return concerned
