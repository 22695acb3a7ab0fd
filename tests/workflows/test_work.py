"""Work owed to the outside: claims, leases, fences, retries, lost workers and poison."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tenants.sql import execute
from tests.journeys import drain, publish, reasons_of, rows_of, run_of, start
from tests.workflows.probe import Probe
from workflows.errors import StaleAttempt
from workflows.models import Attempt, StepRun
from workflows.services import work
from workflows.services.control import cancel_runs
from workflows.services.lost_work import end_lost_work
from workflows.services.turn import work_turn
from workflows.services.work import claim_work, finish_work, perform, renew_lease
from workflows.states import Cause
from workflows.steps.base import Outcome

ONE_STEP: dict[str, Any] = {"key": "ping", "steps": [{"key": "call", "kind": "probe"}]}
PATIENT = {"max_attempts": 3, "backoff": "exponential", "initial": "PT10S"}


def owed(tenant: Tenant, step: dict[str, Any] | None = None) -> int:
    """A run that owes its first step."""
    publish(tenant, {"key": "ping", "steps": [{"key": "call", "kind": "probe"} | (step or {})]})
    run_id = start(tenant, "ping")
    drain(tenant)
    return run_id


def claim(tenant: Tenant, worker: str = "w1", now: Any = None) -> Any:
    return claim_work(tenant_id=tenant.pk, worker=worker, now=now)


def attempts(tenant: Tenant) -> list[tuple[int, str, str]]:
    with tenant_scope(tenant.pk):
        rows = Attempt.objects.filter(tenant_id=tenant.pk).order_by("number")
        return list(rows.values_list("number", "status", "outcome"))


def let_lease_run_out(tenant: Tenant) -> None:
    with tenant_scope(tenant.pk):
        execute("UPDATE workflows_steprun SET due_at = clock_timestamp() WHERE tenant_id = %s", [tenant.pk])


def test_owed_work_is_done_once_and_the_run_goes_on(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant)
    assert (run_of(tenant, run_id).state, run_of(tenant, run_id).step) == ("active", "call")

    assert work_turn(tenant_id=tenant.pk) == 1
    assert work_turn(tenant_id=tenant.pk) == 0

    run = run_of(tenant, run_id)
    assert run.state == "completed"
    assert probe.ledger == [(f"{run.public_id}:call:1", 1)]
    assert probe.settled == [(f"{run.public_id}:call:1", "delivered", True)]
    assert attempts(tenant) == [(1, "finished", "delivered")]


def test_work_that_is_done_at_once_needs_no_worker(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant, {"at_once": True})

    assert run_of(tenant, run_id).state == "completed"
    assert (probe.ledger, attempts(tenant)) == ([], [])


def test_a_claim_is_exclusive_until_its_lease_runs_out(tenant: Tenant, probe: Probe) -> None:
    owed(tenant)

    first = claim(tenant)
    assert first is not None
    assert claim(tenant, "w2") is None

    let_lease_run_out(tenant)
    second = claim(tenant, "w2")
    assert (second.attempt_number, second.fence) == (2, first.fence + 1)
    assert attempts(tenant) == [(1, "lost", "unknown"), (2, "running", "")]


def test_a_worker_that_comes_back_after_its_run_was_pruned_is_refused(tenant: Tenant, probe: Probe) -> None:
    owed(tenant)
    gone = replace(claim(tenant), run_id=0, step_run_id=0)

    with pytest.raises(StaleAttempt) as refusal:
        finish_work(claim=gone, outcome=Outcome("delivered"))

    assert refusal.value.detail["status"] == "pruned"  # type: ignore[call-overload]


def test_a_worker_that_comes_back_from_the_dead_is_refused_and_told_what_it_met(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant)
    zombie = claim(tenant)
    let_lease_run_out(tenant)
    heir = claim(tenant, "w2")

    with pytest.raises(StaleAttempt) as refusal:
        finish_work(claim=zombie, outcome=Outcome("delivered"))

    assert refusal.value.detail["status"] == "running"  # type: ignore[call-overload]
    assert refusal.value.detail["fence"] == heir.fence  # type: ignore[call-overload]
    assert reasons_of(tenant, run_id)[-1] == "stale_attempt"
    assert run_of(tenant, run_id).state == "active"
    finish_work(claim=heir, outcome=Outcome("delivered"))
    assert run_of(tenant, run_id).state == "completed"
    with pytest.raises(StaleAttempt):
        finish_work(claim=heir, outcome=Outcome("permanent_failure"))
    assert attempts(tenant)[-1] == (2, "finished", "delivered")


def test_a_renewed_lease_holds_and_a_lost_one_cannot_be_renewed(tenant: Tenant, probe: Probe) -> None:
    owed(tenant)
    first = claim(tenant)
    assert renew_lease(claim=first)

    let_lease_run_out(tenant)
    claim(tenant, "w2")
    assert not renew_lease(claim=first)


def test_retries_wait_in_a_row_and_end_in_retries_exhausted(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant, {"retry": PATIENT})
    probe.answer = lambda claim: Outcome("temporary_failure", "http_503", retryable=True)

    for number in (1, 2):
        assert work_turn(tenant_id=tenant.pk) == 1
        assert claim(tenant) is None, "not before its time"
        with tenant_scope(tenant.pk):
            pause = StepRun.objects.get(tenant_id=tenant.pk).due_at - Attempt.objects.latest("number").finished_at
        assert timedelta(seconds=10 * number) <= pause <= timedelta(seconds=12.1 * number)
        let_lease_run_out(tenant)
    work_turn(tenant_id=tenant.pk)

    assert attempts(tenant) == [(n, "finished", "temporary_failure") for n in (1, 2, 3)]
    assert run_of(tenant, run_id).state == "completed"
    assert reasons_of(tenant, run_id).count("retry_scheduled") == 2
    assert probe.settled[-1][1:] == ("retries_exhausted", True)


def test_a_rule_for_temporary_failure_takes_the_run_elsewhere_at_once(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant, {"retry": PATIENT, "on_outcome": {"temporary_failure": {"stop": "busy"}}})
    probe.answer = lambda claim: Outcome("temporary_failure", retryable=True)

    work_turn(tenant_id=tenant.pk)

    assert (run_of(tenant, run_id).state, run_of(tenant, run_id).terminal_reason) == ("stopped", "busy")


def test_a_wish_to_come_back_later_is_honoured(tenant: Tenant, probe: Probe) -> None:
    owed(tenant, {"retry": PATIENT})
    asked = database_now()
    probe.answer = lambda claim: Outcome("temporary_failure", retryable=True, retry_after=300)

    work_turn(tenant_id=tenant.pk)

    with tenant_scope(tenant.pk):
        assert StepRun.objects.get(tenant_id=tenant.pk).due_at >= asked + timedelta(seconds=300)


def test_an_exception_is_a_temporary_failure_by_name(tenant: Tenant, probe: Probe) -> None:
    owed(tenant)

    def explode(claim: Any) -> Outcome:
        raise RuntimeError("secret inside")

    probe.answer = explode
    taken = claim(tenant)
    outcome = perform(taken)

    assert (outcome.word, outcome.error, outcome.retryable) == ("temporary_failure", "RuntimeError", True)


def test_work_that_kills_its_workers_is_quarantined_and_others_go_on(tenant: Tenant, probe: Probe) -> None:
    poison = owed(tenant)
    for number in range(1, work.MOST_LOST_ATTEMPTS + 2):
        assert claim(tenant).attempt_number == number
        let_lease_run_out(tenant)
    healthy = start(tenant, "ping", "bob")
    drain(tenant)

    assert claim(tenant).run_id == healthy
    assert end_lost_work(tenant_id=tenant.pk) == 1
    assert end_lost_work(tenant_id=tenant.pk) == 0

    run = run_of(tenant, poison)
    assert (run.state, run.terminal_reason) == ("failed", "step_quarantined")
    assert run_of(tenant, healthy).state == "active"


def test_cancel_ends_unclaimed_work_and_names_what_is_in_flight(tenant: Tenant, probe: Probe) -> None:
    flying, resting = owed(tenant), start(tenant, "ping", "bob")
    drain(tenant)
    taken = claim(tenant)
    assert taken.run_id == flying

    ids = [run_of(tenant, run_id).public_id for run_id in (flying, resting)]
    verdicts = cancel_runs(tenant_id=tenant.pk, public_ids=ids, cause=Cause.API, cause_ref="t", reason="stop")

    assert [(one.verdict, one.state, one.in_flight) for one in verdicts] == [
        ("moved", "cancelled", ("call attempt 1",)),
        ("moved", "cancelled", ()),
    ]
    assert len(probe.abandoned) == 1
    assert claim(tenant) is None
    finish_work(claim=taken, outcome=Outcome("delivered"))
    assert attempts(tenant) == [(1, "finished", "delivered")]
    assert run_of(tenant, flying).state == "cancelled"

    before = rows_of(tenant)
    again = cancel_runs(tenant_id=tenant.pk, public_ids=ids, cause=Cause.API, cause_ref="t", reason="stop")
    assert [one.verdict for one in again] == ["refused", "refused"]
    assert rows_of(tenant) == before


def test_numbers_have_no_gap_with_eight_claimers(
    tenant: Tenant, probe: Probe, together: Callable[..., list[Any]]
) -> None:
    owed(tenant)
    for _ in range(4):
        taken = together(*[lambda: claim(tenant) for _ in range(8)])
        assert len([one for one in taken if one is not None]) == 1
        let_lease_run_out(tenant)

    assert [number for number, _, _ in attempts(tenant)] == [1, 2, 3, 4]


def test_two_finishers_of_one_claim_count_once(
    tenant: Tenant, probe: Probe, together: Callable[..., list[Any]]
) -> None:
    run_id = owed(tenant)
    taken = claim(tenant)

    answers = together(*[lambda: finish_work(claim=taken, outcome=Outcome("delivered")) for _ in range(4)])

    assert len([answer for answer in answers if isinstance(answer, StaleAttempt)]) == 3
    assert reasons_of(tenant, run_id).count("step_settled") == 1
