"""A tenant with a long backlog, and a crowd that adds to it, does not keep the others waiting."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
import redis

from chimeway_py.celery import app
from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.postgres import Postgres
from chimeway_py.nudges import TASKS, quiet
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.fleet import Workers
from tests.journeys import GRACE, paid, publish, run_of, waiting_run
from workflows.models import Run, Transition
from workflows.services.start import NewRun, start_runs

BACKLOG = 2000  # runs, of which two hundred fill a turn
CROWD = 300  # nudges of the tenant who has the backlog; each would begin a turn
OTHERS = 4
MOST_MESSAGES = 15  # of the backlog: for each process of the pool a baton and what it put off, and a few sweeps'
_SLOW = """
CREATE FUNCTION slow_{0}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.002); RETURN NULL; END';
CREATE TRIGGER slow_{0} AFTER UPDATE ON workflows_run
   FOR EACH ROW WHEN (NEW.tenant_id = {0}) EXECUTE FUNCTION slow_{0}()
"""
_AS_BEFORE = "DROP TRIGGER slow_{0} ON workflows_run; DROP FUNCTION slow_{0}()"


@pytest.fixture
def slow_tenant(tenant: Tenant, postgres: Postgres) -> Iterator[Tenant]:
    """A tenant for whom two hundred runs take half a second."""
    publish(tenant, GRACE)
    with postgres.connect() as superuser:
        superuser.execute(_SLOW.format(tenant.pk))
        yield tenant
        superuser.execute(_AS_BEFORE.format(tenant.pk))


def pending(tenant: Tenant) -> int:
    with tenant_scope(tenant.pk):
        return Run.objects.filter(tenant_id=tenant.pk, state="pending").count()


def moved_at(tenant: Tenant, state: str) -> list[datetime]:
    """When its runs came there."""
    with tenant_scope(tenant.pk):
        moves = Transition.objects.filter(tenant_id=tenant.pk, to_state=state)
        return list(moves.order_by("occurred_at").values_list("occurred_at", flat=True))


def queued(broker: Broker) -> list[str]:
    """The arguments of the messages that wait for the engine, as their senders print them."""
    with redis.Redis.from_url(broker.url) as client:
        return [json.loads(message)["headers"]["argsrepr"] for message in client.lrange("engine", 0, -1)]


def until(held: Callable[[], object]) -> None:
    deadline = time.monotonic() + 90
    while not held():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_others_are_served_before_a_backlog_ends_and_nudges_for_it_do_not_pile_up(
    slow_tenant: Tenant, new_tenant: Callable[[], Tenant], worker_processes: Workers, broker: Broker
) -> None:
    others = [(other := new_tenant(), waiting_run(other)) for _ in range(OTHERS)]
    until(lambda: not queued(broker))  # or a nudge from before the crowd would serve the others
    with quiet("engine"):
        start_runs(
            tenant_id=slow_tenant.pk,
            definition_key="dunning",
            runs=[NewRun(subject=f"s{number}", correlation={"invoice_id": str(number)}) for number in range(BACKLOG)],
        )
    for _ in range(CROWD):
        app.send_task(TASKS["engine"], args=[slow_tenant.pk], ignore_result=True)

    for other, _ in others:
        paid(other)

    until(lambda: {run_of(other, run_id).state for other, run_id in others} == {"completed"})
    assert queued(broker).count(f"[{slow_tenant.pk}]") <= MOST_MESSAGES
    until(lambda: not pending(slow_tenant))
    served = max(moved_at(other, "completed")[-1] for other, _ in others)
    later = [moment for moment in moved_at(slow_tenant, "waiting") if moment > served]
    assert len(later) > BACKLOG / 4, "they did not wait for its end"
