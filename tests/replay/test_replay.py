"""A replay is a new run with the same subject, correlation and data, and a line back to where it comes from."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.control.runs import order, work
from tests.journeys import GRACE, drain, paid, publish, reasons_of, rows_of, run_of, told_of, waiting_run
from tests.replay.journeys import CHARGE, charged, replayed
from tests.workflows.probe import Probe
from workflows.definitions.errors import DefinitionNotFound
from workflows.definitions.validate import validate
from workflows.errors import IrreversibleSteps, RunNotEnded, RunNotFound, StartConflict, StartDataGone
from workflows.explain import explain_run
from workflows.models import Definition, Run, Transition
from workflows.services.control import cancel_runs
from workflows.services.definitions import retire_definition
from workflows.services.work import claim_work

DONE = ("delivered", "delivered", "delivered")


def ended(tenant: Tenant, **given: Any) -> int:
    """A run without irreversible steps, cancelled while it waited."""
    run_id = waiting_run(tenant, **given)
    order(tenant, run_id, cancel_runs)
    return run_id


def first_line(tenant: Tenant, run_id: int) -> Transition:
    with tenant_scope(tenant.pk):
        return Transition.objects.get(tenant_id=tenant.pk, run_id=run_id, seq=1)


def test_a_replay_starts_with_what_the_run_started_with(tenant: Tenant) -> None:
    old_id = ended(tenant, subject="ada", data={"name": "Ada"})

    new = replayed(tenant, old_id)
    drain(tenant)

    old, run = run_of(tenant, old_id), run_of(tenant, new.run_id)
    assert new.created
    assert (run.subject, run.correlation, bytes(run.data_sha or b"")) == (
        "ada",
        old.correlation,
        bytes(old.data_sha or b""),
    )
    assert (run.state, run.step, run.definition_id) == ("waiting", "grace", old.definition_id)
    assert run.replayed_from_id == old_id
    assert (old.state, old.seq) == ("cancelled", run_of(tenant, old_id).seq)


def test_the_trace_tells_of_what_it_is_a_replay(tenant: Tenant) -> None:
    old_id = ended(tenant)
    old = run_of(tenant, old_id).public_id

    line = first_line(tenant, replayed(tenant, old_id).run_id)

    assert (line.cause, line.cause_ref, line.reason) == ("operator", "grace", "created")
    assert told_of(tenant, line.run_id)[0] == {
        "definition": "dunning",
        "version": 1,
        "replayed_from": str(old),
        "on": "same",
        "why": "the template was wrong",
    }


def test_signals_of_the_old_run_do_not_count_again(tenant: Tenant) -> None:
    old_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)

    new = replayed(tenant, old_id)
    drain(tenant)

    assert (run_of(tenant, old_id).state, run_of(tenant, new.run_id).state) == ("completed", "waiting")


@pytest.mark.parametrize(("version", "expected"), [("same", 1), ("latest", 2)])
def test_on_its_own_version_or_on_the_latest(tenant: Tenant, version: Any, expected: int) -> None:
    old_id = ended(tenant)
    publish(tenant, GRACE | {"deadline": "P40D"})

    new = replayed(tenant, old_id, version=version)

    with tenant_scope(tenant.pk):
        assert Run.objects.get(tenant_id=tenant.pk, id=new.run_id).definition.version == expected


@pytest.mark.parametrize("given", [{}, {"allow_irreversible": True}])
def test_a_run_that_is_under_way_is_not_replayed(tenant: Tenant, given: dict[str, Any]) -> None:
    run_id = waiting_run(tenant)
    before = rows_of(tenant)

    with pytest.raises(RunNotEnded):
        replayed(tenant, run_id, **given)

    assert rows_of(tenant) == before


@pytest.mark.parametrize("allow", [False, 1, "true", None])
def test_after_irreversible_steps_it_is_refused_unless_allowed_by_true(
    tenant: Tenant, probe: Probe, allow: Any
) -> None:
    run_id = charged(tenant, *DONE)
    before = rows_of(tenant)

    with pytest.raises(IrreversibleSteps) as refused:
        replayed(tenant, run_id, allow_irreversible=allow)

    assert refused.value.detail == {"steps": ["charge", "thank"]}
    assert rows_of(tenant) == before


def test_after_irreversible_steps_it_is_done_when_allowed(tenant: Tenant, probe: Probe) -> None:
    run_id = charged(tenant, *DONE)

    new = replayed(tenant, run_id, allow_irreversible=True)
    drain(tenant)
    work(tenant)

    assert run_of(tenant, new.run_id).step == "charge"
    assert len({key for key, _ in probe.ledger}) == len(probe.ledger)  # keys of its own: it is another run


def test_a_step_that_was_never_tried_is_nothing_to_allow(tenant: Tenant, probe: Probe) -> None:
    run_id = charged(tenant, "delivered")
    order(tenant, run_id, cancel_runs)

    assert replayed(tenant, run_id).created


def test_a_step_that_failed_for_certain_is_nothing_to_allow(tenant: Tenant, probe: Probe) -> None:
    run_id = charged(tenant, "delivered", "permanent_failure", "permanent_failure")

    assert replayed(tenant, run_id).created


def test_a_step_in_flight_when_the_run_ended_may_have_taken_effect(tenant: Tenant, probe: Probe) -> None:
    run_id = charged(tenant, "delivered")
    assert claim_work(tenant_id=tenant.pk, worker="w1")
    order(tenant, run_id, cancel_runs)

    with pytest.raises(IrreversibleSteps):
        replayed(tenant, run_id)


def test_the_same_key_names_the_same_replay(tenant: Tenant) -> None:
    old_id = ended(tenant)

    first, second = (replayed(tenant, old_id, idempotency_key="k1") for _ in range(2))

    assert (first.created, second.created) == (True, False)
    assert first.run_id == second.run_id


def test_the_same_key_for_another_request_is_a_conflict(tenant: Tenant) -> None:
    old_id, other_id = ended(tenant), ended(tenant, subject="grace")
    replayed(tenant, old_id, idempotency_key="k1")
    before = rows_of(tenant)

    for run_id, given in ((other_id, {}), (old_id, {"version": "latest"})):
        with pytest.raises(StartConflict):
            replayed(tenant, run_id, idempotency_key="k1", **given)

    assert rows_of(tenant) == before


def test_one_of_many_who_ask_with_one_key_starts_it(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    old_id = ended(tenant)

    answers = together(*[lambda: replayed(tenant, old_id, idempotency_key="k1")] * 6)

    assert sorted(answer.created for answer in answers) == [False] * 5 + [True]
    assert len({answer.run_id for answer in answers}) == 1


def test_a_replay_can_be_replayed(tenant: Tenant) -> None:
    old_id = ended(tenant)
    second_id = replayed(tenant, old_id).run_id
    order(tenant, second_id, cancel_runs)

    third = run_of(tenant, replayed(tenant, second_id).run_id)

    assert (third.replayed_from_id, reasons_of(tenant, third.pk)) == (second_id, ["created"])


def test_another_tenants_run_is_not_found(tenant: Tenant, other_tenant: Tenant) -> None:
    foreign = run_of(other_tenant, ended(other_tenant)).public_id
    before = rows_of(other_tenant)

    for public_id in (foreign, uuid.uuid4()):
        with pytest.raises(RunNotFound):
            replayed(tenant, ended(tenant), public_id=public_id)

    assert rows_of(other_tenant) == before


def test_a_version_that_was_retired_starts_nothing(tenant: Tenant) -> None:
    old_id = ended(tenant)
    retire_definition(tenant_id=tenant.pk, key="dunning", version=1)
    publish(tenant, GRACE | {"deadline": "P40D"})

    with pytest.raises(DefinitionNotFound):
        replayed(tenant, old_id)
    assert replayed(tenant, old_id, version="latest").created


def test_a_version_that_does_not_take_the_data_says_why(tenant: Tenant) -> None:
    old_id = ended(tenant, data={"amount": "seven"})
    publish(tenant, GRACE | {"data_schema": {"properties": {"amount": {"type": "integer"}}}})
    before = rows_of(tenant, (Run, Transition, Definition))

    with pytest.raises(Invalid) as refused:
        replayed(tenant, old_id, version="latest")

    assert [one["path"] for one in refused.value.detail] == ["/data/amount"]  # type: ignore[index]
    assert rows_of(tenant, (Run, Transition, Definition)) == before


def test_data_that_is_not_kept_any_more_cannot_be_replayed(tenant: Tenant) -> None:
    old_id = ended(tenant, data={"amount": 7})
    with tenant_scope(tenant.pk):
        execute("DELETE FROM signals_app_payload WHERE tenant_id = %s", [tenant.pk])

    with pytest.raises(StartDataGone):
        replayed(tenant, old_id)


@pytest.mark.parametrize("given", [{"version": "newest"}, {"reason": "x" * 201}, {"reason": "a\0b"}])
def test_what_makes_no_sense_is_refused(tenant: Tenant, given: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        replayed(tenant, ended(tenant), **given)


def allowed(tenant: Tenant, run_id: int) -> tuple[bool, str]:
    explained = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)
    return next((one.allowed, one.why_not) for one in explained.actions if one.name == "replay")


def test_it_is_offered_exactly_when_it_would_be_accepted(tenant: Tenant, probe: Probe) -> None:
    charge = charged(tenant, "delivered", "delivered")

    assert allowed(tenant, charge) == (False, "The run has not ended.")
    order(tenant, charge, cancel_runs)
    assert allowed(tenant, charge) == (False, "It has to be allowed: these steps cannot be undone: charge.")
    assert allowed(tenant, ended(tenant)) == (True, "")


def test_the_mark_is_for_steps_that_do_work(tenant: Tenant, probe: Probe) -> None:
    wait = {"key": "rest", "kind": "wait", "for": "P1D", "irreversible": True}

    assert validate(CHARGE) == []
    assert [one["path"] for one in validate(CHARGE | {"steps": [wait]})] == ["/steps/0/irreversible"]
