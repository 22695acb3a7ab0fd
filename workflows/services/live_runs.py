"""How many runs of a tenant are under way: what the limit `live_runs` is about."""

from tenants.sql import fetch
from workflows.states import LIVE

# By the index of states; a tenant that has very many is counted no further than its limit.
_COUNT = """
SELECT count(*) FROM (SELECT FROM workflows_run WHERE tenant_id = %s AND state = ANY (%s) LIMIT %s) live
"""
_STATES = sorted(map(str, LIVE))


def count_live(tenant_id: int, most: int) -> int:
    """How many, at most so many. Needs the tenant's scope."""
    return int(fetch(_COUNT, [tenant_id, _STATES, most])[0][0])
