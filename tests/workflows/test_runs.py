"""Reading runs in Python."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest

from tenants.models import Tenant
from tests.journeys import GRACE, drain, paid, run_of, waiting_run
from tests.workflows.probe import Probe
from workflows.errors import RunNotFound
from workflows.services.route import route_signals
from workflows.services.runs import active_steps, current_step, fetch_run, fetch_step_by_key, list_runs, lock_run


def test_a_run_is_found_by_its_own_tenant_only(tenant: Tenant, other_tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))

    assert fetch_run(tenant_id=tenant.pk, public_id=run.public_id) == run
    for tenant_id, public_id in [(other_tenant.pk, run.public_id), (tenant.pk, uuid.uuid4())]:
        with pytest.raises(RunNotFound) as refusal:
            fetch_run(tenant_id=tenant_id, public_id=public_id)
        assert str(refusal.value) == "No such run in this tenant."


def test_a_locked_run_makes_signals_wait(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    routing = threading.Thread(target=lambda: route_signals(tenant_id=tenant.pk))

    with lock_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id) as run:
        routing.start()
        routing.join(0.3)
        assert routing.is_alive()
        assert run.state == "waiting"
    routing.join(10)

    assert run_of(tenant, run_id).state == "completed"
    with pytest.raises(RunNotFound), lock_run(tenant_id=tenant.pk, public_id=uuid.uuid4()):
        pass


def test_lists_filter(tenant: Tenant, other_tenant: Tenant) -> None:
    ada, bob = waiting_run(tenant, subject="ada"), waiting_run(tenant, subject="bob", correlation={"invoice_id": "7"})
    paid(tenant, "7")
    drain(tenant)

    def ids(**asked: Any) -> list[int]:
        return [run.pk for run in list_runs(tenant_id=tenant.pk, **asked)]

    assert ids() == [bob, ada]
    assert ids(state="waiting") == ids(waiting_on="invoice.paid") == ids(subject="ada") == [ada]
    assert ids(limit=1) == [bob]
    assert ids(definition_key="other") == ids(limit=-1) == []
    assert ids(correlation={"invoice_id": "42"}) == [ada]
    due = run_of(tenant, ada).due_at
    assert due is not None
    assert (ids(due_before=due), ids(due_before=due + timedelta(seconds=1))) == ([], [ada])
    assert ids(after=run_of(tenant, bob).public_id) == [ada]
    with pytest.raises(RunNotFound):
        list_runs(tenant_id=other_tenant.pk, after=run_of(tenant, bob).public_id)


def test_steps_of_a_run(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    public_id = run_of(tenant, run_id).public_id

    step = current_step(tenant_id=tenant.pk, public_id=public_id)
    assert step is not None
    assert (step.key, step.position) == ("grace", 1)
    second = fetch_step_by_key(tenant_id=tenant.pk, public_id=public_id, key="second")
    assert second is not None
    assert second.config == GRACE["steps"][1]
    assert fetch_step_by_key(tenant_id=tenant.pk, public_id=public_id, key="third") is None

    paid(tenant)
    drain(tenant)
    assert current_step(tenant_id=tenant.pk, public_id=public_id) is None


def test_active_steps_link_live_runs_only(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    document = {"key": "ping", "steps": [{"key": "call", "kind": "probe"}]}
    run_id = waiting_run(tenant, document, correlation={})
    public_id = run_of(tenant, run_id).public_id

    by_subject = active_steps(tenant_id=tenant.pk, subject="ada")
    by_delivery = active_steps(tenant_id=tenant.pk, effect_key=f"{public_id}:call:1")
    assert [(one.run, one.step) for one in by_subject] == [(one.run, one.step) for one in by_delivery]
    assert [(one.run, one.step) for one in by_subject] == [(public_id, "call")]
    assert active_steps(tenant_id=other_tenant.pk, subject="ada") == []
    assert active_steps(tenant_id=tenant.pk, subject="bob") == []
