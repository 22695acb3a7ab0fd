"""Attempts whose worker fell silent: what they did nobody knows."""

from datetime import datetime

from tenants.sql import execute

_LOSE = """
UPDATE workflows_attempt SET status = 'lost', outcome = 'unknown', error = 'lease_expired', finished_at = %s
 WHERE tenant_id = %s AND step_run_id = %s AND status = 'running'
"""


def lose_attempt(tenant_id: int, step_run_id: int, now: datetime) -> None:
    """End the running attempt of a step run, if there is one, as lost."""
    execute(_LOSE, [now, tenant_id, step_run_id])
