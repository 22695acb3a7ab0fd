"""Six hundred tamperings by a superuser, each undone again: every one is found, and named with its own run."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.services import create_tenant
from tests.journeys import GRACE, drain, paid, publish, run_of, send, start
from tests.trace.hand import Hand
from tests.trace.tampering import guards_down
from tests.workflows.probe import DELIVERED, Probe
from workflows import verify
from workflows.services.approvals import Decision, approve_runs
from workflows.services.control import cancel_runs, pause_runs
from workflows.services.turn import work_turn
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps import registry
from workflows.steps.base import Claim, Outcome
from workflows.steps.registry import register

ODD = Outcome("temporary_failure", error="busy", retryable=True)
SEED, TAMPERINGS = 20261121, 600
ASKED: dict[str, Any] = {
    "key": "asked",
    "correlation": ["invoice_id"],
    "steps": [{"key": "ask", "kind": "approval", "for": "P1D"}, {"key": "rest", "kind": "wait", "for": "P1D"}],
}
CALLED: dict[str, Any] = {
    "key": "called",
    "correlation": ["invoice_id"],
    "steps": [
        {"key": "call", "kind": "probe", "retry": {"max_attempts": 4, "backoff": "none", "initial": "PT0S"}},
        {"key": "again", "kind": "probe"},
        {"key": "rest", "kind": "wait", "for": "P1D"},
    ],
}


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    """The `probe` kind of work, also while traces are verified."""
    found = Probe()
    register(found)
    yield found
    del registry._kinds[found.name]


@pytest.fixture(scope="module")
def tenant(probe: Probe) -> Tenant:
    """Runs of several journeys: waiting, completed, cancelled, paused, with a signal kept, approved with a payload."""
    tenant = create_tenant(slug="six-hundred")
    publish(tenant, GRACE)
    publish(tenant, ASKED)
    made = [start(tenant, "dunning", f"s{number}", correlation={"invoice_id": str(number)}) for number in range(5)]
    asked = start(tenant, "asked", correlation={"invoice_id": "9"})
    drain(tenant)
    paid(tenant, "0")
    send(tenant, "invoice.disputed", correlation={"invoice_id": "1"})
    send(tenant, "customer.closed", subject="s2")
    drain(tenant)
    names = {run_id: run_of(tenant, run_id).public_id for run_id in (made[3], made[4], asked)}
    who = {"tenant_id": tenant.pk, "cause": Cause.API, "cause_ref": "test", "reason": "as the test wants"}
    cancel_runs(public_ids=[names[made[3]]], **who)
    pause_runs(public_ids=[names[made[4]]], **who)
    decision = Decision(actor="ada", comment="as agreed")
    approve_runs(public_ids=[names[asked]], decision=decision, tenant_id=tenant.pk, cause=Cause.API, cause_ref="test")
    drain(tenant)
    call(tenant, probe)
    return tenant


def call(tenant: Tenant, probe: Probe) -> None:
    """Runs whose work was tried again, was lost, failed for good, and ended its run."""
    publish(tenant, CALLED)
    probe.answer = answers([ODD, DELIVERED, DELIVERED, Outcome("permanent_failure", error="no_such_number")])
    for number in range(2):
        start(tenant, "called", f"c{number}", correlation={"invoice_id": f"c{number}"})
        drain(tenant)
        while work_turn(tenant_id=tenant.pk):
            drain(tenant)
    start(tenant, "called", "lost", correlation={"invoice_id": "lost"})
    drain(tenant)
    claim_work(tenant_id=tenant.pk, worker="lost")
    claim = claim_work(tenant_id=tenant.pk, worker="next", now=timezone.now() + timedelta(hours=1))
    assert claim
    finish_work(claim=claim, outcome=DELIVERED)


def answers(told: list[Outcome]) -> Callable[[Claim], Outcome]:
    """These, one after the other."""
    left = iter(told)
    return lambda claim: next(left, DELIVERED)


@contextmanager
def as_a_superuser(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    """One transaction that is rolled back, in which `verify_trace` reads what the hand has written."""
    with postgres.connect() as connection:
        ask: Callable[..., Any] = connection.execute
        monkeypatch.setattr(verify, "tenant_scope", lambda tenant_id: nullcontext())
        monkeypatch.setattr(verify, "stream", lambda statement, values: ask(statement, values).fetchall())
        monkeypatch.setattr(verify, "fetch", lambda statement, values: ask(statement, values).fetchall())
        with connection.transaction(force_rollback=True), guards_down(connection):
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute("ALTER TABLE workflows_run DROP CONSTRAINT run_finished_is_at_rest")
            yield connection


def test_six_hundred_tamperings_are_found_and_none_where_there_was_none(
    tenant: Tenant, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed, told, deeds = [], [], Counter[str]()
    with as_a_superuser(postgres, monkeypatch) as connection:
        hand = Hand(connection, tenant, SEED)
        while deeds.total() < TAMPERINGS:
            with connection.transaction(force_rollback=True):
                deed, has_changed = hand.tamper()
                faults = list(verify.verify_trace(tenant_id=tenant.pk))
            deeds[deed] += has_changed
            if has_changed and hand.name not in {fault.run for fault in faults}:
                missed.append((deed, hand.name, hand.forged))
            told += [(deed, fault) for fault in faults if fault.run != hand.name or not has_changed]
        assert list(verify.verify_trace(tenant_id=tenant.pk)) == []

    assert (missed, told) == ([], [])
    assert min(deeds.values()) > TAMPERINGS / 30
