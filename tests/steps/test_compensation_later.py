"""Undoing when more becomes known after the end: of external work, and of tries that may have taken effect."""

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import drain, publish, reasons_of, run_of, start, told_of
from tests.steps.owing import claimed, make_due
from tests.steps.test_compensation import (
    BY,
    ONE_TRY,
    REST,
    UNDO,
    allowed,
    ask,
    cancel,
    explained,
    intact,
    resting,
    sent,
    step,
    undone,
    work,
)
from tests.steps.test_compensation_meets import switch
from tests.workflows.probe import Probe
from workflows.explain import explain_run
from workflows.explain.because import CLAUSES
from workflows.models import StepRun
from workflows.models.switch import SwitchLevel
from workflows.services.external import observe_external
from workflows.services.forsaken import end_forsaken
from workflows.services.unknown import settle_unknown
from workflows.services.work import finish_work
from workflows.states import Cause, Reason
from workflows.steps.base import Outcome

SHIP: dict[str, Any] = {"key": "ship", "kind": "external", "of": "parcel", "id": {"const": "p-1"}, "compensate": UNDO}
MAYBE = Outcome("temporary_failure", "http 500", retryable=True, maybe_done=True)


def shipping(tenant: Tenant, **more: Any) -> int:
    """A run that reserved and charged, and waits for a parcel to be shipped by others."""
    publish(tenant, {"key": "order", "steps": [step("reserve"), step("charge"), SHIP | more, REST]})
    run_id = start(tenant, "order")
    work(tenant)
    return run_id


def observe(tenant: Tenant, status: str) -> None:
    observe_external(
        tenant_id=tenant.pk, kind="parcel", external_id="p-1", status=status, cause=Cause.OPERATOR, cause_ref="olga"
    )


# -- external work that turns out to have succeeded -------------------------------------------------------------------


def test_external_work_that_succeeds_after_the_cancel_is_undone_next(tenant: Tenant, probe: Probe) -> None:
    run_id = shipping(tenant)
    assert cancel(tenant, run_id).compensates == ("charge", "reserve")
    charge = claimed(tenant)
    assert "If “ship” is yet observed to succeed, it is undone as well." in explained(tenant, run_id).sentence

    observe(tenant, "succeeded")

    told = told_of(tenant, run_id, "compensation_owed")[-1]
    assert told == {"count": 1, "steps": ["ship"], "outcome": "succeeded", "external": "parcel"}
    assert "yet observed" not in explained(tenant, run_id).sentence
    assert (
        CLAUSES[Reason.COMPENSATION_OWED]("", told) == "“ship” turned out as succeeded after all, and is to be undone"
    )
    finish_work(claim=charge, outcome=Outcome("delivered"))
    work(tenant)
    assert sent(probe) == ["ship:1", "reserve:1"]  # the one before them was under way already
    assert undone(tenant, run_id) == [(one, 1, "succeeded") for one in ("charge", "ship", "reserve")]
    assert explained(tenant, run_id).sentence.endswith("Undone: 3 of 3.")
    observe(tenant, "succeeded")
    work(tenant)
    assert len(sent(probe)) == 2
    assert intact(tenant, run_id)


def test_external_work_that_succeeds_when_all_else_is_undone_is_undone_last(tenant: Tenant, probe: Probe) -> None:
    run_id = shipping(tenant)
    cancel(tenant, run_id)
    work(tenant)

    observe(tenant, "succeeded")

    work(tenant)
    assert sent(probe) == ["charge:1", "reserve:1", "ship:1"]
    assert intact(tenant, run_id)


def test_external_work_alone_is_undone_when_it_succeeds_after_the_end(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, {"key": "order", "steps": [SHIP, REST]})
    run_id = start(tenant, "order")
    work(tenant)
    assert cancel(tenant, run_id).compensates == ()
    assert explained(tenant, run_id).sentence.endswith("If “ship” is yet observed to succeed, it is undone as well.")

    observe(tenant, "succeeded")

    work(tenant)
    assert sent(probe) == ["ship:1"]
    assert intact(tenant, run_id)


def test_external_work_that_fails_after_the_end_has_nothing_to_undo(tenant: Tenant, probe: Probe) -> None:
    run_id = shipping(tenant)
    cancel(tenant, run_id)

    observe(tenant, "failed")

    work(tenant)
    assert sent(probe) == ["charge:1", "reserve:1"]
    assert explained(tenant, run_id).sentence.endswith("Undone: 2 of 2.")


def test_after_an_end_without_compensation_it_is_undone_only_when_asked(tenant: Tenant, probe: Probe) -> None:
    run_id = shipping(tenant)
    cancel(tenant, run_id, compensate=False)

    observe(tenant, "succeeded")

    work(tenant)
    assert sent(probe) == []
    assert ask(tenant, run_id).compensates == ("ship", "charge", "reserve")


def test_what_timed_out_and_succeeded_later_is_undone_whenever_that_was(tenant: Tenant, probe: Probe) -> None:
    before, after = SHIP | {"timeout": "PT1H"}, SHIP | {"key": "later", "id": {"const": "p-2"}, "timeout": "PT1H"}
    publish(tenant, {"key": "order", "steps": [before, after, REST]})
    run_id = start(tenant, "order")
    for _ in range(2):
        work(tenant)
        make_due(tenant)
    work(tenant)
    assert run_of(tenant, run_id).state == "waiting"

    observe(tenant, "succeeded")

    assert cancel(tenant, run_id).compensates == ("ship",)
    observe_external(tenant_id=tenant.pk, kind="parcel", external_id="p-2", status="succeeded")
    work(tenant)
    assert sorted(sent(probe)) == ["later:1", "ship:1"]
    assert intact(tenant, run_id)


def test_while_the_definition_is_off_late_work_is_undone_when_it_is_on_again(tenant: Tenant, probe: Probe) -> None:
    run_id = shipping(tenant)
    cancel(tenant, run_id)
    switch(tenant, SwitchLevel.ALL_OFF)
    work(tenant)

    observe(tenant, "succeeded")

    work(tenant)
    assert sent(probe) == []
    switch(tenant, SwitchLevel.ON)
    work(tenant)
    assert sorted(sent(probe)) == ["charge:1", "reserve:1", "ship:1"]
    assert intact(tenant, run_id)


def test_a_run_that_failed_undoes_what_succeeds_later(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, {"key": "order", "steps": [SHIP | {"timeout": "PT1H"}, step("charge", compensate=UNDO)]})
    run_id = start(tenant, "order")
    drain(tenant)
    make_due(tenant)
    finish_work(claim=claimed(tenant), outcome=Outcome("timed_out"))
    for _ in range(6):
        claimed(tenant) if run_of(tenant, run_id).state == "active" else None
        make_due(tenant)
    work(tenant)
    assert run_of(tenant, run_id).state == "failed"

    observe(tenant, "succeeded")

    work(tenant)
    assert sent(probe) == ["charge:1", "ship:1"]  # workers were lost at the charge: it may have taken effect
    assert intact(tenant, run_id)


# -- tries that may have taken effect ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "is_undone"),
    [
        ([Outcome("permanent_failure", "http 400")], False),
        ([Outcome("permanent_failure", "answer too large", maybe_done=True)], True),
        ([MAYBE, MAYBE], True),
        ([MAYBE, Outcome("permanent_failure", "http 400")], True),  # of the first nobody knows
        ([Outcome("temporary_failure", "http 503", retryable=True)] * 2, False),
        ([MAYBE, Outcome("suppressed", "preference")], True),
        ([Outcome("unknown")], True),
    ],
)
def test_what_may_have_taken_effect_is_undone_whatever_its_outcome(
    outcomes: list[Outcome], is_undone: bool, tenant: Tenant, probe: Probe
) -> None:
    said = iter(outcomes)
    retry = {"max_attempts": 2, "backoff": "none", "initial": "PT1H"}
    publish(tenant, {"key": "order", "steps": [step("reserve"), step("charge", retry=retry), REST]})
    probe.answer = lambda claim: next(said) if claim.step["key"] == "charge" else Outcome("delivered")
    run_id = start(tenant, "order")
    for _ in outcomes:
        work(tenant)
        make_due(tenant)
    assert run_of(tenant, run_id).state == "waiting"

    owed = cancel(tenant, run_id).compensates

    assert owed == (("charge", "reserve") if is_undone else ("reserve",))
    work(tenant)
    assert sent(probe) == [f"{one}:1" for one in owed]
    assert intact(tenant, run_id)


def test_between_two_tries_the_first_of_which_may_have_taken_effect(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, {"key": "order", "steps": [step("charge"), REST]})
    probe.answer = lambda claim: Outcome("delivered") if claim.undo else MAYBE
    run_id = start(tenant, "order")
    work(tenant)

    assert cancel(tenant, run_id).compensates == ("charge",)
    told = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id).sentence
    assert "Nobody saw whether “charge” took effect; what may have is undone all the same." in told

    work(tenant)
    assert sent(probe) == ["charge:1"]
    assert intact(tenant, run_id)


@pytest.mark.parametrize(("found_out", "then"), [("delivered", "succeeded"), ("permanent_failure", "cancelled")])
def test_a_step_may_ask_to_settle_what_nobody_saw_before_it_is_undone(
    found_out: str, then: str, tenant: Tenant, probe: Probe
) -> None:
    careful = {"compensate": UNDO | {"unsure": "settle"}} | ONE_TRY
    probe.answer = lambda claim: MAYBE if claim.step["key"] == "charge" else Outcome("delivered")
    run_id = resting(tenant, step("reserve"), step("charge", **careful))

    assert cancel(tenant, run_id).compensates == ("charge", "reserve")

    work(tenant)
    assert (sent(probe), undone(tenant, run_id)[0]) == (["reserve:1"], ("charge", 1, "owed"))
    said = explained(tenant, run_id)
    assert "Whether “charge” took effect nobody knows" in said.sentence
    assert "settle" in allowed(said)
    key = f"{run_of(tenant, run_id).public_id}:charge:1"
    settle_unknown(tenant_id=tenant.pk, key=key, outcome=found_out, **BY)
    work(tenant)
    assert undone(tenant, run_id)[0] == ("charge", 1, then)
    assert intact(tenant, run_id)


def test_an_attempt_in_flight_whose_worker_is_lost_is_undone_first(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, {"key": "order", "steps": [step("reserve"), step("charge"), REST]})
    run_id = start(tenant, "order")
    drain(tenant)
    finish_work(claim=claimed(tenant), outcome=Outcome("delivered"))
    claimed(tenant)
    cancel(tenant, run_id)
    work(tenant)
    assert sent(probe) == []
    make_due(tenant)

    assert end_forsaken(tenant_id=tenant.pk) == 1

    work(tenant)
    assert sent(probe) == ["charge:1", "reserve:1"]
    assert intact(tenant, run_id)


def test_a_call_whose_answer_cannot_be_kept_is_undone(tenant: Tenant, httpserver: HTTPServer, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    httpserver.expect_request("/charge").respond_with_data("thank you", 201)
    httpserver.expect_request("/refund").respond_with_data("", 204)
    refund = {"kind": "http", "url": httpserver.url_for("/refund"), "method": "DELETE"}
    charge = {"key": "charge", "kind": "http", "url": httpserver.url_for("/charge"), "answer": "x"}
    publish(tenant, {"key": "order", "steps": [charge | {"compensate": refund}, REST]})
    run_id = start(tenant, "order")
    work(tenant)
    with tenant_scope(tenant.pk):
        [visit] = StepRun.objects.for_tenant(tenant.pk).filter(run_id=run_id)
    assert (visit.status, visit.outcome, visit.maybe_done) == ("failed", "permanent_failure", True)

    assert cancel(tenant, run_id).compensates == ("charge",)

    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]
    assert reasons_of(tenant, run_id)[-1] == "compensated"
    assert intact(tenant, run_id)
