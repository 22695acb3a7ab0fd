"""A run ends while a worker holds its work: nothing is sent again for it, and nothing is left due."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.explain.test_explain_run import control, mail_run
from tests.journeys import drain, moves_of, publish, run_of, start
from tests.workflows.probe import Probe
from workflows.models import Attempt, StepRun
from workflows.services.control import cancel_runs
from workflows.services.forsaken import end_forsaken
from workflows.services.work import claim_work, finish_work, perform
from workflows.steps.base import Claim, Outcome
from workflows.verify import verify_trace

LATER = datetime.now(UTC) + timedelta(days=365)


def cancelled_in_flight(tenant: Tenant) -> tuple[int, Claim]:
    run_id = mail_run(tenant)
    claim = claim_work(tenant_id=tenant.pk, worker="w-1")
    assert claim is not None
    control(tenant, run_id, cancel_runs)
    return run_id, claim


def work_of(tenant: Tenant, run_id: int) -> tuple[list[Any], list[Any]]:
    """(status, outcome, due) of the step run, and (number, status, outcome) of its attempts."""
    with tenant_scope(tenant.pk):
        mine = StepRun.objects.for_tenant(tenant.pk).filter(run_id=run_id)
        tries = Attempt.objects.filter(tenant_id=tenant.pk, step_run__run_id=run_id).order_by("number")
        return (
            list(mine.values_list("status", "outcome", "due_at")),
            list(tries.values_list("number", "status", "outcome")),
        )


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome("delivered"), "succeeded"),
        (Outcome("temporary_failure", "smtp_421", retryable=True), "failed"),
        (Outcome("bounced"), "failed"),
    ],
)
def test_what_became_of_it_is_recorded_and_not_tried_again(tenant: Tenant, outcome: Outcome, status: str) -> None:
    run_id, claim = cancelled_in_flight(tenant)
    before = moves_of(tenant, run_id)

    finish_work(claim=claim, outcome=outcome)

    assert work_of(tenant, run_id) == ([(status, outcome.word, None)], [(1, "finished", outcome.word)])
    assert claim_work(tenant_id=tenant.pk, worker="w-2", now=LATER) is None
    assert moves_of(tenant, run_id) == before
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_nobody_takes_it_over_when_its_worker_is_lost(tenant: Tenant, settings: Any) -> None:
    settings.LEASE_SECONDS = 0
    run_id, _ = cancelled_in_flight(tenant)

    assert claim_work(tenant_id=tenant.pk, worker="w-2", now=LATER) is None
    assert (end_forsaken(tenant_id=tenant.pk), end_forsaken(tenant_id=tenant.pk)) == (1, 0)

    assert work_of(tenant, run_id) == ([("unknown", "unknown", None)], [(1, "lost", "unknown")])
    assert run_of(tenant, run_id).state == "cancelled"


def test_a_live_lease_is_left_alone(tenant: Tenant) -> None:
    run_id, claim = cancelled_in_flight(tenant)

    assert end_forsaken(tenant_id=tenant.pk) == 0

    finish_work(claim=claim, outcome=Outcome("delivered"))
    assert work_of(tenant, run_id)[1] == [(1, "finished", "delivered")]


def test_a_worker_looks_once_more_before_it_does_anything(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, {"key": "ping", "steps": [{"key": "call", "kind": "probe"}]})
    run_id = start(tenant, "ping")
    drain(tenant)
    claim = claim_work(tenant_id=tenant.pk, worker="w-1")
    assert claim is not None
    control(tenant, run_id, cancel_runs)

    outcome = perform(claim)
    finish_work(claim=claim, outcome=outcome)

    assert (outcome.word, outcome.error, probe.ledger) == ("suppressed", "run_ended", [])
    assert list(verify_trace(tenant_id=tenant.pk)) == []
