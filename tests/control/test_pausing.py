"""A paused run keeps its place: nothing is advanced, nothing is begun, and nothing that comes is lost."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.control.runs import begun, let_leases_run_out, order, resting, taken, work
from tests.journeys import (
    drain,
    moves_of,
    reasons_of,
    rows_of,
    run_of,
    send,
    signal_of,
    start,
    verdicts_of,
    waiting_run,
    waits_of,
)
from tests.workflows.probe import Probe
from workflows.engine.events import StepSettled
from workflows.errors import RunNotFound
from workflows.explain import explain_run
from workflows.models import StepRun
from workflows.services.control import cancel_runs, pause_runs, resume_runs
from workflows.services.turn import work_turn
from workflows.services.work import claim_work, finish_work
from workflows.steps.base import Outcome
from workflows.store.batch import RunBatch


def sentence(tenant: Tenant, run_id: int) -> str:
    return explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id).sentence


def test_a_timer_that_came_due_meanwhile_fires_on_resume(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    due = run_of(tenant, run_id).due_at
    assert due is not None

    assert order(tenant, run_id, pause_runs).verdict == "moved"
    drain(tenant, now=due + timedelta(hours=1))
    paused = run_of(tenant, run_id)
    assert order(tenant, run_id, resume_runs).state == "waiting"
    drain(tenant, now=due + timedelta(hours=1))

    assert (paused.state, paused.step, paused.due_at) == ("paused", "rest", paused.deadline_at)
    assert reasons_of(tenant, run_id)[-4:] == ["paused", "resumed", "wait_timed_out", "step_owed"]
    assert waits_of(tenant, run_id) == [("rest", 1, "timeout")]


def test_a_wait_keeps_its_time(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    due = run_of(tenant, run_id).due_at

    order(tenant, run_id, pause_runs)
    order(tenant, run_id, resume_runs)

    assert run_of(tenant, run_id).due_at == due


def test_owed_work_is_not_claimed_before_the_run_goes_on(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)

    order(tenant, run_id, pause_runs)
    assert work_turn(tenant_id=tenant.pk) == 0
    order(tenant, run_id, resume_runs)

    assert work_turn(tenant_id=tenant.pk) == 1
    assert run_of(tenant, run_id).state == "waiting"


def test_a_retry_keeps_its_time(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    work(tenant, "temporary_failure", retryable=True)
    later = database_now() + timedelta(hours=2)

    order(tenant, run_id, pause_runs)
    assert claim_work(tenant_id=tenant.pk, worker="w", now=later) is None
    order(tenant, run_id, resume_runs)

    assert claim_work(tenant_id=tenant.pk, worker="w") is None
    assert taken(tenant, now=later).attempt_number == 2


def test_the_outcome_of_an_attempt_in_flight_is_kept_and_counts_on_resume(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    claim = taken(tenant)

    assert order(tenant, run_id, pause_runs).in_flight == ("call attempt 1",)
    assert "Attempt 1 of “call” is in flight." in sentence(tenant, run_id)
    finish_work(claim=claim, outcome=Outcome("bounced"))
    held = run_of(tenant, run_id)
    said = sentence(tenant, run_id)
    order(tenant, run_id, resume_runs)

    assert (held.state, held.status_reason) == ("paused", "outcome_held")
    assert "“call” ended meanwhile with bounced." in said
    assert reasons_of(tenant, run_id)[-3:] == ["resumed", "step_settled", "step_owed"]
    assert run_of(tenant, run_id).step == "again"


def test_a_failed_attempt_is_not_repeated_before_the_run_goes_on(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    claim = taken(tenant)
    order(tenant, run_id, pause_runs)

    finish_work(claim=claim, outcome=Outcome("temporary_failure", retryable=True))

    later = database_now() + timedelta(hours=2)
    assert claim_work(tenant_id=tenant.pk, worker="w", now=later) is None
    order(tenant, run_id, resume_runs)
    assert taken(tenant, now=later).attempt_number == 2


def test_work_of_a_lost_worker_is_not_taken_over_before_the_run_goes_on(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    taken(tenant)
    order(tenant, run_id, pause_runs)

    let_leases_run_out(tenant)
    assert work_turn(tenant_id=tenant.pk) == 0
    order(tenant, run_id, resume_runs)

    assert work_turn(tenant_id=tenant.pk) == 1
    assert [number for _, number in probe.ledger] == [2]


def test_a_late_outcome_with_a_rule_counts_on_resume(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    claim = taken(tenant)
    finish_work(claim=claim, outcome=Outcome("delivered"))
    order(tenant, run_id, pause_runs)

    bounce(tenant, run_id)
    assert run_of(tenant, run_id).step == "rest"
    order(tenant, run_id, resume_runs)

    assert (run_of(tenant, run_id).step, waits_of(tenant, run_id)) == ("again", [("rest", 1, "outcome")])


def bounce(tenant: Tenant, run_id: int) -> None:
    """The mail of `call` comes back."""
    with tenant_scope(tenant.pk):
        batch = RunBatch.lock(tenant.pk, [run_id])
        batch.apply(run_id, StepSettled("call", 1, "bounced"))
        batch.flush()


def test_a_signal_is_kept_and_goes_before_the_timer(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    due = run_of(tenant, run_id).due_at
    order(tenant, run_id, pause_runs)

    receipt = send(tenant, "order.paid", correlation={"order": "o1"})
    drain(tenant, now=due)
    kept = run_of(tenant, run_id)
    verdict = verdicts_of(tenant, receipt)
    order(tenant, run_id, resume_runs)

    assert (kept.state, kept.pending_signals) == ("paused", 1)
    assert verdict == [(run_id, "buffered", "run_paused")]
    assert run_of(tenant, run_id).state == "completed"
    assert verdicts_of(tenant, receipt) == [(run_id, "matched", "early_signal_used")]
    assert waits_of(tenant, run_id) == [("rest", 1, "signal")]


def test_the_oldest_signal_of_a_pause_goes_first(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    order(tenant, run_id, pause_runs)
    first = send(tenant, "order.seen", subject="ada", data={"by": "ada"})
    second = send(tenant, "order.paid", correlation={"order": "o1"})
    drain(tenant)

    order(tenant, run_id, resume_runs)

    assert run_of(tenant, run_id).terminal_reason == "seen"
    assert [verdicts_of(tenant, receipt)[0][1] for receipt in (first, second)] == ["matched", "expired"]


def test_a_signal_whose_condition_fails_is_rejected_as_ever(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    order(tenant, run_id, pause_runs)

    receipt = send(tenant, "order.seen", subject="ada", data={"by": "bob"})
    drain(tenant)

    assert signal_of(tenant, receipt).verdict == "rejected"
    assert run_of(tenant, run_id).state == "paused"


def test_a_scheduled_run_begins_at_its_time_when_that_is_still_to_come(tenant: Tenant, probe: Probe) -> None:
    resting(tenant)
    at = datetime.now(UTC) + timedelta(days=3)
    run_id = start(tenant, "ring", correlation={"order": "o2"}, at=at)

    order(tenant, run_id, pause_runs)
    paused = run_of(tenant, run_id)
    assert order(tenant, run_id, resume_runs).state == "pending"

    assert paused.due_at == paused.deadline_at
    assert run_of(tenant, run_id).due_at == at
    drain(tenant, now=at)
    assert run_of(tenant, run_id).step == "call"


def test_a_scheduled_run_whose_time_passed_meanwhile_begins_on_resume(tenant: Tenant, probe: Probe) -> None:
    resting(tenant)
    at = datetime.now(UTC) + timedelta(minutes=3)
    run_id = start(tenant, "ring", correlation={"order": "o2"}, at=at)
    order(tenant, run_id, pause_runs)

    drain(tenant, now=at + timedelta(minutes=1))
    assert run_of(tenant, run_id).state == "paused"
    order(tenant, run_id, resume_runs)

    drain(tenant, now=at + timedelta(minutes=1))
    assert run_of(tenant, run_id).state == "active"


def test_a_pause_ends_by_itself(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    until = datetime.now(UTC) + timedelta(hours=1)

    order(tenant, run_id, pause_runs, until=until)
    assert run_of(tenant, run_id).due_at == run_of(tenant, run_id).suspended_until == until
    drain(tenant, now=until - timedelta(seconds=1))
    assert run_of(tenant, run_id).state == "paused"
    drain(tenant, now=until)

    run = run_of(tenant, run_id)
    assert (run.state, run.suspended_until) == ("waiting", None)
    assert moves_of(tenant, run_id)[-1] == ("paused", "waiting", "timer", "resumed")


def test_the_deadline_of_a_paused_run_still_counts(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    order(tenant, run_id, pause_runs, until=datetime.now(UTC) + timedelta(days=90))

    drain(tenant, now=datetime.now(UTC) + timedelta(days=31))

    run = run_of(tenant, run_id)
    assert (run.state, run.suspended_until, waits_of(tenant, run_id)) == ("expired", None, [("rest", 1, "expired")])


def test_a_paused_run_can_be_cancelled(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    order(tenant, run_id, pause_runs)

    assert order(tenant, run_id, cancel_runs).state == "cancelled"

    assert [row.status for row in step_runs(tenant)] == ["cancelled"]


def step_runs(tenant: Tenant) -> list[StepRun]:
    with tenant_scope(tenant.pk):
        return list(StepRun.objects.for_tenant(tenant.pk))


def test_the_sentence_names_who_paused_it_why_and_until_when(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)

    order(tenant, run_id, pause_runs, reason="shop closed")

    said = sentence(tenant, run_id)
    assert said.startswith("Paused at “grace” by an operator (grace) (shop closed): nothing happens until somebody ")


@pytest.mark.parametrize("until", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1)])
def test_a_time_that_is_not_to_come_is_refused(tenant: Tenant, until: datetime) -> None:
    run_id = waiting_run(tenant)
    before = rows_of(tenant)

    with pytest.raises(Invalid):
        order(tenant, run_id, pause_runs, until=until)

    assert (rows_of(tenant), run_of(tenant, run_id).state) == (before, "waiting")


@pytest.mark.parametrize("verb", [pause_runs, resume_runs])
def test_another_tenants_run_is_not_there(tenant: Tenant, other_tenant: Tenant, verb: Any) -> None:
    run_id = waiting_run(tenant)

    with pytest.raises(RunNotFound):
        order(tenant, run_id, verb, tenant_id=other_tenant.pk)


def test_a_pause_and_a_claim_at_one_instant(
    tenant: Tenant, probe: Probe, together: Callable[..., list[Any]], in_turn: Callable[..., list[Any]]
) -> None:
    """Whoever claims first is named by the pause; after the pause nobody claims. Each goes first once, for certain."""
    met = []
    for number in range(40):
        run_id = begun(tenant, subject=f"s{number}")

        def claim_soon(after: float = number % 8 * 0.004) -> Any:
            time.sleep(after)
            return claim_work(tenant_id=tenant.pk, worker="w")

        pause = partial(order, tenant, run_id, pause_runs)
        if number == 1:
            verdict, claim = in_turn(pause, claim_soon)
        else:
            claim, verdict = (together if number else in_turn)(claim_soon, pause)

        assert verdict.in_flight == (() if claim is None else ("call attempt 1",))
        met.append(claim is None)
        order(tenant, run_id, cancel_runs)
    assert met[:2] == [False, True]
