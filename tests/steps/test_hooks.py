"""Hooks in the same process: after the commit, in order, without payloads, and harmless when they fail."""

import contextlib
from collections.abc import Iterator

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, paid, publish, run_of, start, waiting_run
from workflows.hooks import RunEvent, forget, on_event
from workflows.services.control import cancel_runs
from workflows.states import Cause


@pytest.fixture
def heard() -> Iterator[list[RunEvent]]:
    """What a handler was told."""
    told: list[RunEvent] = []
    on_event(told.append)
    yield told
    forget(told.append)


def test_every_committed_move_is_told_in_order(tenant: Tenant, heard: list[RunEvent]) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)

    assert [(one.type, one.reason) for one in heard] == [
        ("run.started", "started"),
        ("run.waiting", "wait_opened"),
        ("run.continued", "signal_matched"),
        ("run.completed", "rule_completed"),
    ]
    run = run_of(tenant, run_id)
    assert {(one.tenant_id, one.run, one.workflow) for one in heard} == {(tenant.pk, str(run.public_id), "dunning")}
    assert [one.seq for one in heard] == list(range(2, run.seq + 1))


def test_nothing_is_told_of_what_was_rolled_back(tenant: Tenant, heard: list[RunEvent]) -> None:
    run_id = waiting_run(tenant)
    heard.clear()
    public_id = run_of(tenant, run_id).public_id

    with contextlib.suppress(RuntimeError), tenant_scope(tenant.pk):
        cancel_runs(tenant_id=tenant.pk, public_ids=[public_id], cause=Cause.API, cause_ref="", reason="r")
        assert heard == []
        raise RuntimeError

    assert heard == []
    assert run_of(tenant, run_id).state == "waiting"


def test_a_handler_that_fails_keeps_nobody_from_anything(tenant: Tenant, heard: list[RunEvent]) -> None:
    def fail(event: RunEvent) -> None:
        raise ValueError("no")

    on_event(fail)
    try:
        publish(tenant, GRACE)
        run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
        drain(tenant)
    finally:
        forget(fail)

    assert run_of(tenant, run_id).state == "waiting"
    assert [one.type for one in heard] == ["run.started", "run.waiting"]
