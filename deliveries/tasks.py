"""Celery tasks: nudges. The rows are the truth; a repeated, late or forged message changes nothing."""

from celery import current_task, shared_task

from chimeway_py.turns import take
from deliveries.broadcasts import turn
from deliveries.timing import releasing

TURN_LIMIT = 120  # seconds after which a pool process that does not come back is killed: a turn takes one or two


@shared_task(time_limit=TURN_LIMIT)
def run_broadcasts(tenant_id: int) -> int:
    """Nudge: the tenant has a broadcast that is due."""
    return take("broadcasts", int(tenant_id), current_task.request.id, turn.broadcast_turn)


@shared_task(time_limit=TURN_LIMIT)
def release_held(tenant_id: int) -> int:
    """Nudge: a rule was changed for which the tenant has messages that are held."""
    return take("releases", int(tenant_id), current_task.request.id, releasing.release_turn)
