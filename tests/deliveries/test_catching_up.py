"""Nobody swept for ten minutes: what timers owe is caught up at once, says how late it is, and exceeds no cap."""

from collections import Counter
from datetime import timedelta

from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from tests.deliveries.test_caps import HELLO, MAIL, cap, statuses
from tests.journeys import told_of
from workflows.models import Run, Wait
from workflows.services.sweeping import TURNS, due_work
from workflows.verify import verify_trace

AWAY = timedelta(minutes=10)
RUNS, PASS, MAILS = 9, 4, 2
REST = {"key": "rest", "kind": "wait", "for": "PT1H", "on_timeout": "next"}
GATE = {"key": "gate", "kind": "throttle", "threshold": PASS, "window": "PT1H", "across_subjects": True}


def let_timers_run_out(journey: Journey, runs: list[Run]) -> None:
    """As though each had been due for ten minutes."""
    ids = [run.pk for run in runs]

    def shift() -> None:
        waits = Wait.objects.filter(tenant_id=journey.tenant.pk, run_id__in=ids)
        due = min(wait.due_at for wait in waits if wait.due_at) - timedelta(hours=1) - AWAY
        waits.update(due_at=due)
        Run.objects.for_tenant(journey.tenant.pk).filter(id__in=ids).update(due_at=due)

    journey.read(shift)


def sweep(tenant: Tenant) -> int:
    """What a sweeper that is back does for a tenant until nothing is due; how many turns that took."""
    turns = 0
    while mine := [lane for lane, tenant_id in due_work() if tenant_id == tenant.pk]:
        for lane in mine:
            TURNS[lane](tenant_id=tenant.pk)
            turns += 1
        assert turns < 100
    return turns


def test_ten_minutes_without_a_sweeper_are_caught_up_without_a_burst(
    rest: APIClient, journey: Journey, tenant: Tenant, smtp_sink: Mailbox
) -> None:
    cap(rest, MAILS, "delay")
    journey.publish(REST, GATE, MAIL, templates=HELLO)
    runs = [journey.start("anna", email="burst@example.com") for _ in range(RUNS)]
    assert sweep(tenant) == 0
    let_timers_run_out(journey, runs)

    assert sweep(tenant) > 0

    late = [told_of(tenant, run.pk, "wait_timed_out")[0]["late_ms"] for run in runs]
    assert min(late) >= AWAY.total_seconds() * 1000
    assert Counter(journey.run(run).step for run in runs)["gate"] == RUNS - PASS
    assert len(smtp_sink.to("burst@example.com")) == MAILS
    assert statuses(journey) == {"delivered": MAILS, "planned cap": PASS - MAILS}
    assert [*verify_trace(tenant_id=tenant.pk)] == []
