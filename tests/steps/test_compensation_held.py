"""Undoing that may not be done yet, or that a preference keeps back: nothing is taken for done that was not."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import reasons_of
from tests.steps.owing import make_due
from tests.steps.test_compensation import BY, allowed, ask, cancel, explained, intact, resting, sent, step, undone, work
from tests.workflows.probe import Probe
from workflows.definitions.document import parse_document
from workflows.engine.version_moves import Way, undoable_no_more
from workflows.models import StepRun
from workflows.services.unknown import settle_unknown
from workflows.steps.base import HELD, Outcome, PlannedStep


def later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=8)


def test_a_compensation_that_is_held_when_it_is_sent_comes_later(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    probe.answer = lambda claim: Outcome(HELD, until=later()) if claim.attempt_number == 1 else Outcome("delivered")

    cancel(tenant, run_id)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "owed")]
    assert reasons_of(tenant, run_id)[-1] == "work_held"

    make_due(tenant)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]
    assert intact(tenant, run_id)


def test_a_compensation_that_is_held_when_it_is_planned_comes_later(
    tenant: Tenant, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = resting(tenant, step("charge"))

    def plan(planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        return {one.step_run_id: Outcome(HELD, until=later()) for one in planned}

    with monkeypatch.context() as night:
        night.setattr(probe, "plan", plan)
        cancel(tenant, run_id)
    work(tenant)
    assert (sent(probe), undone(tenant, run_id)) == ([], [("charge", 1, "owed")])
    assert reasons_of(tenant, run_id)[-1] == "work_held"

    make_due(tenant)
    work(tenant)
    assert (sent(probe), undone(tenant, run_id)) == (["charge:1"], [("charge", 1, "succeeded")])
    assert intact(tenant, run_id)


def test_a_suppressed_compensation_has_undone_nothing_and_may_be_asked_for_again(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    probe.answer = lambda claim: Outcome("suppressed", "refused")

    cancel(tenant, run_id)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "failed")]
    assert reasons_of(tenant, run_id)[-1] == "compensation_failed"
    assert "compensate" in allowed(explained(tenant, run_id))

    probe.answer = lambda claim: Outcome("delivered")
    ask(tenant, run_id)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]
    assert intact(tenant, run_id)


def test_what_took_down_workers_counts_anew_after_somebody_looked(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    probe.answer = lambda claim: Outcome("unknown")
    cancel(tenant, run_id)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "unknown")]
    with tenant_scope(tenant.pk):
        mine = StepRun.objects.for_tenant(tenant.pk).filter(run_id=run_id, undo__gt=0)
        mine.update(lost_attempts=4)
        key = mine.get().key

    settle_unknown(tenant_id=tenant.pk, key=key, outcome="retry", **BY)

    with tenant_scope(tenant.pk):
        assert mine.get().lost_attempts == 0
    probe.answer = lambda claim: Outcome("delivered")
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]


def test_a_step_that_is_undone_no_more_keeps_its_runs_from_moving() -> None:
    charge = {"key": "charge", "kind": "http", "url": "https://example.org"}
    undo = {"compensate": {"kind": "http", "url": "https://example.org/refund"}}
    old, new = (parse_document({"key": "order", "steps": [one]}) for one in (charge | undo, charge))

    assert undoable_no_more(Way(old, new, {}, "keep")) == ["charge"]
    assert undoable_no_more(Way(new, old, {}, "keep")) == []
