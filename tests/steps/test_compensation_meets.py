"""Undoing meets the kill switch, retention, and eight workers at once."""

from collections.abc import Callable
from typing import Any

import pytest

from tenants.models import Tenant
from tests.retention.conftest import aged, exists, keep, prune
from tests.steps.owing import claimed, make_due
from tests.steps.test_compensation import (
    UNDO,
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
from tests.workflows.probe import Probe
from workflows.errors import StaleAttempt
from workflows.models.switch import SwitchLevel
from workflows.retention.registry import pruner_of
from workflows.services.lost_work import end_lost_work
from workflows.services.switches import switch_definition
from workflows.services.turn import engine_turn
from workflows.services.unknown import settle_unknown
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps.base import Outcome


def switch(tenant: Tenant, level: str) -> None:
    """Throw it, and let the engine see that."""
    who: dict[str, Any] = {"cause": Cause.OPERATOR, "cause_ref": "olga", "why": "a fault"}
    switch_definition(tenant_id=tenant.pk, key="order", level=level, **who)
    engine_turn(tenant_id=tenant.pk)


def test_while_the_definition_is_off_nothing_is_sent_to_undo_its_runs(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    cancel(tenant, run_id)

    switch(tenant, SwitchLevel.ALL_OFF)
    work(tenant)

    assert sent(probe) == []
    assert "nothing is sent until the definition is switched on again" in explained(tenant, run_id).sentence
    assert explained(tenant, run_id).next == ()
    switch(tenant, SwitchLevel.ON)
    work(tenant)
    assert sent(probe) == ["ship:1", "charge:1", "reserve:1"]
    assert intact(tenant, run_id)


def test_what_a_cancel_owes_while_it_is_off_is_undone_when_it_is_on_again(tenant: Tenant, probe: Probe) -> None:
    at_once = UNDO | {"at_once": True}
    run_id = resting(tenant, step("reserve"), step("charge", compensate=at_once))
    switch(tenant, SwitchLevel.ALL_OFF)

    assert cancel(tenant, run_id).compensates == ("charge", "reserve")

    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "owed"), ("reserve", 1, "owed")]
    switch(tenant, SwitchLevel.ON)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded"), ("reserve", 1, "succeeded")]
    assert intact(tenant, run_id)


def test_an_attempt_that_is_in_flight_when_it_is_switched_off_counts(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("reserve"), step("charge"))
    cancel(tenant, run_id)
    claim = claimed(tenant)
    switch(tenant, SwitchLevel.ALL_OFF)

    finish_work(claim=claim, outcome=Outcome("delivered"))

    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded"), ("reserve", 1, "owed")]
    switch(tenant, SwitchLevel.ON)
    work(tenant)
    assert sent(probe) == ["reserve:1"]


def test_a_worker_that_is_lost_while_it_is_off_is_followed_by_another_later(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id)
    dead = claimed(tenant)
    switch(tenant, SwitchLevel.ALL_OFF)
    make_due(tenant)

    assert claim_work(tenant_id=tenant.pk, worker="w2") is None

    with pytest.raises(StaleAttempt):
        finish_work(claim=dead, outcome=Outcome("delivered"))
    switch(tenant, SwitchLevel.ON)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]
    assert [number for _, number in probe.ledger][-1:] == [2]
    assert intact(tenant, run_id)


def test_switched_off_for_starts_alone_runs_are_undone(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, step("charge"))
    switch(tenant, SwitchLevel.STARTS_OFF)
    cancel(tenant, run_id)

    work(tenant)

    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]


def test_a_run_is_not_pruned_before_it_is_undone(tenant: Tenant, probe: Probe) -> None:
    keep(tenant, "cancelled", 30)
    run_id = resting(tenant, step("charge", compensate=UNDO | {"at_most_once": True}))
    cancel(tenant, run_id)
    run = aged(tenant, run_id, 60)
    prune(tenant)
    assert exists(tenant, run)  # owed
    claim = claimed(tenant)
    make_due(tenant)
    end_lost_work(tenant_id=tenant.pk)
    prune(tenant)
    assert exists(tenant, run)  # of unknown outcome

    settle_unknown(tenant_id=tenant.pk, key=claim.key, outcome="delivered", reason="asked the bank")
    prune(tenant)

    assert not exists(tenant, run)


def test_compensation_that_is_asked_for_while_a_prune_is_under_way_wins(
    tenant: Tenant, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tenant, "cancelled", 30)
    run_id = resting(tenant, step("charge"))
    cancel(tenant, run_id, compensate=False)
    run = aged(tenant, run_id, 60)
    pruner = pruner_of("cancelled")
    take = pruner.take

    def asked_meanwhile(*given: Any) -> Any:
        assert ask(tenant, run_id).compensates == ("charge",)
        return take(*given)

    monkeypatch.setattr(pruner, "take", asked_meanwhile, raising=False)
    prune(tenant)

    assert exists(tenant, run)
    work(tenant)
    assert undone(tenant, run_id) == [("charge", 1, "succeeded")]


def test_eight_workers_undo_everything_once(tenant: Tenant, probe: Probe, together: Callable[..., list[Any]]) -> None:
    run_id = resting(tenant)
    cancel(tenant, run_id)

    for _ in range(5):
        together(*[lambda: work(tenant)] * 8)

    assert sent(probe) == ["ship:1", "charge:1", "reserve:1"]
    assert intact(tenant, run_id)


def test_of_eight_cancels_one_owes_the_compensations(
    tenant: Tenant, probe: Probe, together: Callable[..., list[Any]]
) -> None:
    run_id = resting(tenant)

    verdicts = together(*[lambda: cancel(tenant, run_id)] * 8)

    assert sorted(len(one.compensates) for one in verdicts) == [0] * 7 + [3]
    work(tenant)
    assert len(sent(probe)) == 3
    assert intact(tenant, run_id)
