"""What the engine cannot do is said where the run is looked at, and hurts no other run."""

from collections.abc import Iterator
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.journeys import drain, publish, reasons_of, run_of, start
from tests.workflows.probe import Probe
from workflows.explain import explain_run
from workflows.graph.layout import lay_out
from workflows.models import Attempt, Transition
from workflows.services.control import cancel_runs, pause_runs, resume_runs
from workflows.services.engine_failures import TOLD_AT
from workflows.services.turn import work_turn
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps import registry
from workflows.steps.base import Outcome
from workflows.steps.registry import register
from workflows.verify import verify_trace

TWO: dict[str, Any] = {"key": "two", "steps": [{"key": "call", "kind": "probe"}, {"key": "new", "kind": "newer"}]}
KNOWN: dict[str, Any] = {"key": "known", "steps": [{"key": "call", "kind": "probe"}]}
ASKED: dict[str, Any] = {"cause": Cause.OPERATOR, "cause_ref": "grace", "reason": "test"}


class Newer(Probe):
    """A kind that only newer code knows."""

    name = "newer"


@pytest.fixture
def newer(probe: Probe) -> Iterator[Newer]:
    """Known when definitions are published; a test may forget it."""
    found = Newer()
    register(found)
    yield found
    registry._kinds.pop(found.name, None)


def forget(kind: Newer) -> None:
    del registry._kinds[kind.name]


def try_again(tenant: Tenant) -> None:
    """The time until which everything was put off is over."""
    with tenant_scope(tenant.pk):
        execute(
            "UPDATE workflows_run SET due_at = clock_timestamp() WHERE tenant_id = %s AND due_at IS NOT NULL",
            [tenant.pk],
        )
    drain(tenant)


def sentence(tenant: Tenant, run_id: int) -> str:
    return explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id).sentence


def parked(tenant: Tenant, newer: Newer) -> int:
    """A run whose first step has been done by a worker that does not know the kind of the second."""
    publish(tenant, TWO)
    run_id = start(tenant, "two")
    forget(newer)
    drain(tenant)
    assert work_turn(tenant_id=tenant.pk) == 1
    return run_id


def test_a_run_stays_before_a_step_of_an_unknown_kind_and_says_so(tenant: Tenant, probe: Probe, newer: Newer) -> None:
    run_id = parked(tenant, newer)
    drain(tenant)

    run = run_of(tenant, run_id)
    assert (run.state, run.step, run.status_reason) == ("active", "new", "step_kind_unknown")
    assert len(probe.ledger) == 1, "what was done before is not done again"
    assert "no running code knows the kind “newer”; it goes on once a worker does." in sentence(tenant, run_id)
    assert run.engine_failures >= 1
    lay_out(_document(tenant, run_id))


def _document(tenant: Tenant, run_id: int) -> Any:
    from workflows.services.documents import documents

    run = run_of(tenant, run_id)
    with tenant_scope(tenant.pk):
        return documents(tenant.pk, [run.definition_id])[run.definition_id].document


def test_it_goes_on_when_a_worker_knows_the_kind(tenant: Tenant, newer: Newer) -> None:
    run_id = parked(tenant, newer)
    try_again(tenant)
    register(newer)

    try_again(tenant)
    assert work_turn(tenant_id=tenant.pk) == 1

    assert run_of(tenant, run_id).state == "completed"
    assert newer.ledger == [(f"{run_of(tenant, run_id).public_id}:new:1", 1)]
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_it_can_be_paused_resumed_and_cancelled(tenant: Tenant, newer: Newer) -> None:
    run_id = parked(tenant, newer)
    public_id = run_of(tenant, run_id).public_id

    pause_runs(tenant_id=tenant.pk, public_ids=[public_id], **ASKED)
    assert run_of(tenant, run_id).state == "paused"
    resume_runs(tenant_id=tenant.pk, public_ids=[public_id], **ASKED)
    assert run_of(tenant, run_id).status_reason == "step_kind_unknown"
    assert run_of(tenant, run_id).due_at is not None
    cancel_runs(tenant_id=tenant.pk, public_ids=[public_id], **ASKED)

    assert run_of(tenant, run_id).state == "cancelled"
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_its_neighbours_go_on(tenant: Tenant, newer: Newer) -> None:
    parked(tenant, newer)
    publish(tenant, KNOWN)
    other = start(tenant, "known")

    try_again(tenant)

    assert run_of(tenant, other).step == "call"


def test_a_run_that_fails_again_and_again_says_so_once(tenant: Tenant, newer: Newer) -> None:
    run_id = parked(tenant, newer)

    for _ in range(TOLD_AT + 2):
        try_again(tenant)

    run = run_of(tenant, run_id)
    assert run.engine_failures >= TOLD_AT + 2
    assert reasons_of(tenant, run_id).count("engine_error") == 1
    assert (run.state, run.status_reason) == ("active", "step_kind_unknown")
    said = sentence(tenant, run_id)
    assert f"The engine failed on this run {run.engine_failures} times (UnknownStepKind) and tries again at" in said
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_a_lost_attempt_is_told_when_its_heir_ends(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, KNOWN)
    run_id = start(tenant, "known")
    drain(tenant)
    for worker in ("w1", "w2"):
        claim_work(tenant_id=tenant.pk, worker=worker)
        with tenant_scope(tenant.pk):
            execute("UPDATE workflows_steprun SET due_at = clock_timestamp() WHERE tenant_id = %s", [tenant.pk])
    heir = claim_work(tenant_id=tenant.pk, worker="w3")
    assert heir is not None
    assert "attempt_lost" not in reasons_of(tenant, run_id)

    finish_work(claim=heir, outcome=Outcome("delivered"))

    with tenant_scope(tenant.pk):
        told = Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id, reason="attempt_lost").order_by("seq")
        lost = Attempt.objects.filter(tenant_id=tenant.pk, status="lost").order_by("number")
        assert [(line.context["attempt"], line.context["lost_at"]) for line in told] == [
            (attempt.number, attempt.finished_at.isoformat()) for attempt in lost if attempt.finished_at
        ]
    assert reasons_of(tenant, run_id)[-4:] == ["attempt_lost", "attempt_lost", "step_settled", "last_step_done"]


def test_a_lost_attempt_is_told_once(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, KNOWN)
    run_id = start(tenant, "known")
    drain(tenant)
    claim_work(tenant_id=tenant.pk, worker="w1")
    probe.answer = lambda claim: Outcome("temporary_failure", "http_503", retryable=True)
    for _ in range(2):
        with tenant_scope(tenant.pk):
            execute("UPDATE workflows_steprun SET due_at = clock_timestamp() WHERE tenant_id = %s", [tenant.pk])
        assert work_turn(tenant_id=tenant.pk) == 1

    assert reasons_of(tenant, run_id).count("attempt_lost") == 1
    assert reasons_of(tenant, run_id).count("retry_scheduled") == 2
