"""How much of a tenant's own work is due: asked by those who could wait before they add to it."""

from tenants.sql import fetch

_DUE = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM workflows_run r
          WHERE r.tenant_id = %(tenant)s AND r.due_at <= (SELECT clock_timestamp()) LIMIT %(most)s) x),
       (SELECT count(*) FROM (SELECT 1 FROM workflows_steprun s
          WHERE s.tenant_id = %(tenant)s AND s.due_at <= (SELECT clock_timestamp()) AND NOT s.held LIMIT %(most)s) x)
"""


def backlog_of(tenant_id: int, most: int) -> int:
    """The larger of how many runs and how many pieces of work are due, counted up to `most`. Needs the scope."""
    ((runs, work),) = fetch(_DUE, {"tenant": tenant_id, "most": most})
    return max(int(runs), int(work))
