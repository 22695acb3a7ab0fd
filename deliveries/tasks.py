"""Celery tasks: nudges. The rows are the truth; a repeated, late or forged message changes nothing."""

from celery import shared_task

from deliveries.broadcasts import turn

TURN_LIMIT = 120  # seconds after which a pool process that does not come back is killed: a turn takes one or two


@shared_task(time_limit=TURN_LIMIT)
def run_broadcasts(tenant_id: int) -> int:
    """Nudge: the tenant has a broadcast that is due."""
    return turn.broadcast_turn(tenant_id=int(tenant_id))
