"""Every place where a control call may meet a run, and what each call then does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.control.runs import CALL_THEN_WAIT, begun, order, resting, taken, work
from tests.journeys import drain, publish, send, start
from workflows.engine.events import StepFailed
from workflows.services.control import cancel_runs, pause_runs
from workflows.states import Reason
from workflows.store.batch import RunBatch

APPROVAL: dict[str, Any] = {
    "key": "sign",
    "deadline": "P30D",
    "steps": [
        {"key": "sign_off", "kind": "approval", "actors": ["ada"], "for": "P3D"},
        {"key": "rest", "kind": "wait", "for": "P1D"},
    ],
}


def created(tenant: Tenant) -> int:
    publish(tenant, CALL_THEN_WAIT)
    return start(tenant, "ring", correlation={"order": "o1"})


def scheduled(tenant: Tenant) -> int:
    publish(tenant, CALL_THEN_WAIT)
    return start(tenant, "ring", correlation={"order": "o1"}, at=datetime.now(UTC) + timedelta(days=1))


def in_flight(tenant: Tenant) -> int:
    run_id = begun(tenant)
    taken(tenant)
    return run_id


def retrying(tenant: Tenant) -> int:
    run_id = begun(tenant)
    work(tenant, "temporary_failure", retryable=True)
    return run_id


def asked(tenant: Tenant) -> int:
    publish(tenant, APPROVAL)
    run_id = start(tenant, "sign")
    drain(tenant)
    return run_id


def paused(where: Callable[[Tenant], int]) -> Callable[[Tenant], int]:
    def make(tenant: Tenant) -> int:
        run_id = where(tenant)
        order(tenant, run_id, pause_runs)
        return run_id

    return make


def completed(tenant: Tenant) -> int:
    run_id = resting(tenant)
    send(tenant, "order.paid", correlation={"order": "o1"})
    drain(tenant)
    return run_id


def stopped(tenant: Tenant) -> int:
    run_id = asked(tenant)
    drain(tenant, now=datetime.now(UTC) + timedelta(days=4))
    return run_id


def cancelled(tenant: Tenant) -> int:
    run_id = resting(tenant)
    order(tenant, run_id, cancel_runs)
    return run_id


def failed(tenant: Tenant) -> int:
    run_id = begun(tenant)
    with tenant_scope(tenant.pk):
        batch = RunBatch.lock(tenant.pk, [run_id])
        batch.apply(run_id, StepFailed("call", 1, Reason.STEP_QUARANTINED))
        batch.flush()
    return run_id


def expired(tenant: Tenant) -> int:
    run_id = resting(tenant)
    drain(tenant, now=datetime.now(UTC) + timedelta(days=31))
    return run_id


#: place -> (how to come there, the state there, the calls that are accepted there)
PLACES: dict[str, tuple[Callable[[Tenant], int], str, set[str]]] = {
    "created": (created, "pending", {"cancel", "pause"}),
    "scheduled": (scheduled, "pending", {"cancel", "pause"}),
    "owed": (begun, "active", {"cancel", "pause"}),
    "in flight": (in_flight, "active", {"cancel", "pause"}),
    "retrying": (retrying, "active", {"cancel", "pause"}),
    "waiting": (resting, "waiting", {"cancel", "pause", "wake"}),
    "asked": (asked, "waiting", {"cancel", "pause", "wake", "approve", "reject"}),
    "paused before it began": (paused(scheduled), "paused", {"cancel", "resume"}),
    "paused with work owed": (paused(begun), "paused", {"cancel", "resume"}),
    "paused with work in flight": (paused(in_flight), "paused", {"cancel", "resume"}),
    "paused in a wait": (paused(resting), "paused", {"cancel", "resume"}),
    "paused in an approval": (paused(asked), "paused", {"cancel", "resume"}),
    "completed": (completed, "completed", set()),
    "stopped": (stopped, "stopped", set()),
    "cancelled": (cancelled, "cancelled", set()),
    "failed": (failed, "failed", set()),
    "expired": (expired, "expired", set()),
}
#: call -> from state, the state that it leads to
LEADS: dict[str, dict[str, str]] = {
    "cancel": dict.fromkeys(("pending", "active", "waiting", "paused"), "cancelled"),
    "pause": dict.fromkeys(("pending", "active", "waiting"), "paused"),
    "wake": {"waiting": "active or stopped"},
    "approve": {"waiting": "waiting"},
    "reject": {"waiting": "stopped"},
    "resume": {"paused": "as before"},
}
