"""Steps that must rather stop as unknown than happen twice, and settling what nobody saw the end of."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, reasons_of, rows_of, run_of, told_of
from tests.steps.owing import attempts, claimed, key_of, make_due, owed, step_run_of
from tests.workflows.probe import Probe
from workflows.errors import StaleAttempt, StepRunNotFound
from workflows.explain import explain_run
from workflows.models import Attempt, Run, StepRun, Transition
from workflows.services.control import cancel_runs
from workflows.services.lost_work import end_lost_work
from workflows.services.turn import work_turn
from workflows.services.unknown import NotUnknown, settle_unknown
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps.base import Outcome
from workflows.verify import verify_trace

ONCE: dict[str, Any] = {"at_most_once": True, "retry": {"max_attempts": 5, "backoff": "none", "initial": "PT1H"}}


def unknown_run(tenant: Tenant, step: dict[str, Any] | None = None, *more: dict[str, Any]) -> int:
    """A run whose only try was lost with its worker."""
    run_id = owed(tenant, ONCE | (step or {}), *more)
    claimed(tenant)
    make_due(tenant)
    assert end_lost_work(tenant_id=tenant.pk) == 1
    return run_id


def settle(tenant: Tenant, run_id: int, outcome: str = "delivered", **changed: Any) -> StepRun:
    asked: dict[str, Any] = {"reason": "asked the provider", "cause_ref": "olga"} | changed
    return settle_unknown(tenant_id=tenant.pk, key=key_of(tenant, run_id), outcome=outcome, **asked)


def test_a_lost_worker_leaves_it_unknown_and_nobody_tries_again(tenant: Tenant, probe: Probe) -> None:
    run_id = unknown_run(tenant)

    assert claim_work(tenant_id=tenant.pk, worker="w2") is None
    assert (work_turn(tenant_id=tenant.pk), probe.ledger) == (0, [])
    run = run_of(tenant, run_id)
    assert (run.state, run.status_reason, run.due_at) == ("active", "unknown_outcome", None)
    assert attempts(tenant) == [(1, "lost", "unknown", "lease_expired")]
    assert (step_run_of(tenant, run_id).status, step_run_of(tenant, run_id).lost_attempts) == ("unknown", 1)
    assert probe.resolved == ["unknown"]
    assert end_lost_work(tenant_id=tenant.pk) == 0
    assert list(verify_trace(tenant_id=tenant.pk)) == []


@pytest.mark.parametrize(
    ("step", "ends"),
    [
        (ONCE, "it may have taken effect, and it must not happen twice, so it ends as unknown."),
        ({}, "it may have taken effect, and another worker takes over under the same key."),
    ],
)
def test_while_a_worker_is_silent_the_explanation_says_what_comes(
    step: dict[str, Any], ends: str, tenant: Tenant, probe: Probe
) -> None:
    run_id = owed(tenant, step)
    claimed(tenant)
    make_due(tenant)

    told = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id).sentence

    assert told.endswith(ends)


def test_without_it_a_lost_worker_is_followed_by_another_try(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant)
    claimed(tenant)
    make_due(tenant)

    assert (end_lost_work(tenant_id=tenant.pk), work_turn(tenant_id=tenant.pk)) == (0, 1)

    assert run_of(tenant, run_id).state == "completed"


def test_a_worker_that_comes_back_is_refused_and_the_trace_keeps_what_it_said(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant, ONCE)
    zombie = claimed(tenant)
    make_due(tenant)
    end_lost_work(tenant_id=tenant.pk)

    with pytest.raises(StaleAttempt) as refusal:
        finish_work(claim=zombie, outcome=Outcome("delivered"))

    assert dict(refusal.value.detail) | {"status": "unknown", "said": "delivered"} == refusal.value.detail
    assert reasons_of(tenant, run_id)[-2:] == ["unknown_outcome", "stale_attempt"]
    assert run_of(tenant, run_id).status_reason == "unknown_outcome"
    assert settle(tenant, run_id).status == "succeeded"


UNCERTAIN = [
    Outcome("unknown", "no answer", retryable=True),
    Outcome("temporary_failure", "http 502", retryable=True, maybe_done=True),
]


@pytest.mark.parametrize("outcome", UNCERTAIN)
def test_a_try_that_may_have_taken_effect_is_the_last(outcome: Outcome, tenant: Tenant, probe: Probe) -> None:
    probe.answer = lambda claim: outcome
    run_id = owed(tenant, ONCE)

    work_turn(tenant_id=tenant.pk)
    make_due(tenant)
    work_turn(tenant_id=tenant.pk)

    assert len(probe.ledger) == 1
    assert attempts(tenant) == [(1, "finished", "unknown", outcome.error)]
    assert run_of(tenant, run_id).status_reason == "unknown_outcome"


@pytest.mark.parametrize("outcome", UNCERTAIN)
def test_without_it_such_a_try_is_repeated(outcome: Outcome, tenant: Tenant, probe: Probe) -> None:
    answers = [outcome, Outcome("delivered")]
    probe.answer = lambda claim: answers.pop(0)
    run_id = owed(tenant, {"retry": ONCE["retry"]})

    for _ in range(2):
        work_turn(tenant_id=tenant.pk)
        make_due(tenant)

    assert run_of(tenant, run_id).state == "completed"


def test_a_try_that_surely_did_nothing_is_repeated(tenant: Tenant, probe: Probe) -> None:
    answers = [Outcome("temporary_failure", "http 503", retryable=True), Outcome("delivered")]
    probe.answer = lambda claim: answers.pop(0)
    run_id = owed(tenant, ONCE)

    for _ in range(2):
        work_turn(tenant_id=tenant.pk)
        make_due(tenant)

    assert (run_of(tenant, run_id).state, len(probe.ledger)) == ("completed", 2)


def test_work_that_breaks_may_have_taken_effect(tenant: Tenant, probe: Probe) -> None:
    def fail(claim: Any) -> Outcome:
        raise RuntimeError("no values here")

    probe.answer = fail
    run_id = owed(tenant, ONCE)

    work_turn(tenant_id=tenant.pk)

    assert attempts(tenant) == [(1, "finished", "unknown", "RuntimeError")]
    assert run_of(tenant, run_id).status_reason == "unknown_outcome"


def test_a_rule_for_unknown_is_followed_and_the_truth_is_noted_later(tenant: Tenant, probe: Probe) -> None:
    rest = {"key": "rest", "kind": "wait", "for": "P1D"}
    run_id = unknown_run(tenant, {"on_outcome": {"unknown": {"goto": "rest"}}}, rest)
    assert (run_of(tenant, run_id).state, run_of(tenant, run_id).step) == ("waiting", "rest")

    settle(tenant, run_id)

    assert reasons_of(tenant, run_id)[-1] == "outcome_noted"
    assert (run_of(tenant, run_id).state, step_run_of(tenant, run_id).status) == ("waiting", "succeeded")


@pytest.mark.parametrize(
    ("outcome", "status", "state"),
    [("delivered", "succeeded", "completed"), ("permanent_failure", "failed", "stopped")],
)
def test_settling_lets_the_run_go_on(outcome: str, status: str, state: str, tenant: Tenant, probe: Probe) -> None:
    run_id = unknown_run(tenant, {"on_outcome": {"permanent_failure": {"stop": "not_charged"}}})

    settled = settle(tenant, run_id, outcome)

    run = run_of(tenant, run_id)
    assert (settled.status, settled.outcome, run.state) == (status, outcome, state)
    assert probe.resolved == ["unknown", outcome]
    with tenant_scope(tenant.pk):
        line = Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id, reason="step_settled")
        told = list(line.values_list("cause", "cause_ref"))
    assert told == [("operator", "olga")]
    said = {"outcome": outcome, "was": "unknown", "why": "asked the provider"}
    assert told_of(tenant, run_id, "step_settled") == [said]
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_what_did_not_happen_is_tried_again_under_the_same_key(tenant: Tenant, probe: Probe) -> None:
    run_id = unknown_run(tenant)

    settle(tenant, run_id, "retry")
    assert (run_of(tenant, run_id).status_reason, probe.resolved[-1]) == ("step_owed", "owed")
    work_turn(tenant_id=tenant.pk)

    assert probe.ledger == [(key_of(tenant, run_id), 2)]
    assert run_of(tenant, run_id).state == "completed"


def test_what_is_refused_writes_nothing(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    run_id = unknown_run(tenant)
    tables = (Run, StepRun, Attempt, Transition)
    before = rows_of(tenant, tables)

    for wrong in ({"outcome": "unknown"}, {"outcome": "guess"}, {"reason": " "}, {"reason": "x" * 201}):
        with pytest.raises(Invalid):
            settle(tenant, run_id, **wrong)
    with pytest.raises(StepRunNotFound):
        settle_unknown(tenant_id=other_tenant.pk, key=key_of(tenant, run_id), outcome="delivered", reason="theirs")
    assert step_run_of(tenant, run_id).status == "unknown"

    assert rows_of(tenant, tables) == before


def test_only_what_is_unknown_is_settled_and_only_once(tenant: Tenant, probe: Probe) -> None:
    run_id = owed(tenant, ONCE)
    with pytest.raises(NotUnknown):
        settle(tenant, run_id)
    claimed(tenant)
    make_due(tenant)
    end_lost_work(tenant_id=tenant.pk)

    settle(tenant, run_id)

    with pytest.raises(NotUnknown) as refusal:
        settle(tenant, run_id, "permanent_failure")
    assert refusal.value.detail == {"status": "succeeded", "outcome": "delivered"}


def test_of_an_ended_run_the_outcome_is_recorded_and_nothing_is_tried(tenant: Tenant, probe: Probe) -> None:
    run_id = unknown_run(tenant)
    run = run_of(tenant, run_id)
    cancel_runs(tenant_id=tenant.pk, public_ids=[run.public_id], cause=Cause.API, cause_ref="", reason="enough")

    with pytest.raises(NotUnknown):
        settle(tenant, run_id, "retry")
    settle(tenant, run_id)

    assert (run_of(tenant, run_id).state, step_run_of(tenant, run_id).status) == ("cancelled", "succeeded")


def test_two_who_settle_at_once_agree(tenant: Tenant, probe: Probe, together: Callable[..., list[Any]]) -> None:
    run_id = unknown_run(tenant)

    answers = together(
        *(partial(settle, tenant, run_id, word) for word in ("delivered", "permanent_failure", "bounced"))
    )

    assert sorted(type(answer).__name__ for answer in answers) == ["NotUnknown", "NotUnknown", "StepRun"]
    assert reasons_of(tenant, run_id).count("step_settled") == 1


def test_a_sweep_and_a_worker_that_finishes_at_once_agree(
    tenant: Tenant, probe: Probe, together: Callable[..., list[Any]]
) -> None:
    for _ in range(10):
        run_id = owed(tenant, ONCE)
        claim = claimed(tenant)
        make_due(tenant)

        finished, ended = together(
            partial(finish_work, claim=claim, outcome=Outcome("delivered")), partial(end_lost_work, tenant_id=tenant.pk)
        )

        won = not isinstance(finished, Exception)
        assert isinstance(ended, int)
        assert run_of(tenant, run_id).state == ("completed" if won else "active")
        assert step_run_of(tenant, run_id).status == ("succeeded" if won else "unknown")
    drain(tenant)
    assert list(verify_trace(tenant_id=tenant.pk)) == []
