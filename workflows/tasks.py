"""Celery tasks: nudges and the sweep. The rows are the truth; a repeated, late or forged message changes nothing."""

from celery import current_task, shared_task

from chimeway_py.turns import take
from workflows.digests.turn import digests_turn
from workflows.events.pruning import prune_everywhere as prune_old_events
from workflows.events.turn import events_turn
from workflows.heads import rounds
from workflows.history import snapshots
from workflows.retention import pruning
from workflows.services import expire, sweeping, turn, young_tables
from workflows.throttles import forgetting

TURN_LIMIT = 120  # seconds after which a pool process that does not come back is killed: a turn takes one or two


@shared_task(time_limit=TURN_LIMIT)
def run_engine(tenant_id: int) -> int:
    """Nudge: the tenant has signals to route or runs to advance."""
    return take("engine", int(tenant_id), current_task.request.id, turn.engine_turn)


@shared_task
def perform_work(tenant_id: int) -> int:
    """Nudge: the tenant owes work to the outside world."""
    return take("work", int(tenant_id), current_task.request.id, turn.work_turn)


@shared_task(time_limit=TURN_LIMIT)
def close_digests(tenant_id: int) -> int:
    """Nudge: the tenant has digests whose time has come."""
    return take("digests", int(tenant_id), current_task.request.id, digests_turn)


@shared_task
def send_events(tenant_id: int) -> int:
    """Nudge: the tenant owes events to its subscribers."""
    return take("events", int(tenant_id), current_task.request.id, events_turn)


@shared_task
def prune_events() -> int:
    """Forget events that are older than they are kept."""
    return prune_old_events()


@shared_task(time_limit=TURN_LIMIT)
def sweep() -> int:
    """Offer due work again, tenant by tenant."""
    return sweeping.offer_due_work()


@shared_task
def analyze_grown_tables() -> int:
    """Let the planner know of tables that grow faster than autovacuum looks."""
    return young_tables.analyze_grown_tables()


@shared_task
def expire_signals() -> int:
    """Expire what no run used within its lifetime, and forget passes of throttles that do not count any more."""
    forgetting.forget_old_passes()
    return expire.expire_everywhere()


@shared_task
def take_snapshots() -> int:
    """Take the snapshots that pay."""
    return snapshots.take_snapshots_everywhere()


@shared_task(time_limit=TURN_LIMIT)
def sign_heads() -> int:
    """Sign what has been added to traces, for tenants whose last head is an hour old."""
    return rounds.sign_everywhere()


@shared_task
def prune() -> int:
    """Go on with what was ordered or is due to be pruned."""
    return pruning.prune_everywhere()
