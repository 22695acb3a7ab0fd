"""Every place and every action that an explanation names: refused as it says, with nothing written, or accepted."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.control.places import PLACES, paused
from tests.control.runs import let_leases_run_out, order, resting, taken
from tests.control.test_matrix import everything
from tests.journeys import drain, publish, run_of, start
from tests.workflows.probe import Probe
from workflows.services.control import cancel_runs
from workflows.services.lost_work import end_lost_work
from workflows.services.switches import switch_definition
from workflows.states import Cause

CALL = {"key": "call", "kind": "probe", "at_most_once": True, "compensate": {"kind": "probe"}}
REST = {"key": "rest", "kind": "wait", "for": "P1D"}


def unknown(tenant: Tenant) -> int:
    """A worker was lost at what must not happen twice."""
    publish(tenant, {"key": "once", "steps": [CALL, REST]})
    run_id = start(tenant, "once")
    drain(tenant)
    taken(tenant)
    let_leases_run_out(tenant)
    end_lost_work(tenant_id=tenant.pk)
    return run_id


def then(where: Callable[[Tenant], int], what: Callable[..., Any], **given: Any) -> Callable[[Tenant], int]:
    def make(tenant: Tenant) -> int:
        run_id = where(tenant)
        order(tenant, run_id, what, **given)
        return run_id

    return make


def switched_off(where: Callable[[Tenant], int], level: str = "all_off") -> Callable[[Tenant], int]:
    def make(tenant: Tenant) -> int:
        run_id = where(tenant)
        by = {"cause": Cause.OPERATOR, "cause_ref": "grace", "why": "a test"}
        switch_definition(tenant_id=tenant.pk, key=run_of(tenant, run_id).definition_key, level=level, **by)
        drain(tenant)
        return run_id

    return make


WHERE: dict[str, Callable[[Tenant], int]] = {
    **{
        place: PLACES[place][0]
        for place in ("created", "in flight", "asked", "paused in a wait", "completed", "failed")
    },
    "unknown": unknown,
    "unknown and paused": paused(unknown),
    "unknown and cancelled": then(unknown, cancel_runs),
    "unknown and to be undone": then(unknown, cancel_runs, compensate=True),
    "unknown and off": switched_off(unknown),
    "waiting and off": switched_off(resting),
    "asked and off": switched_off(PLACES["asked"][0]),
    "paused and off": switched_off(paused(resting)),
    "owed and off": switched_off(PLACES["owed"][0]),
    "ended and off": switched_off(PLACES["completed"][0], "starts_off"),
}
BODIES: dict[str, dict[str, Any]] = {
    "approve": {"actor": "ada"},
    "reject": {"actor": "ada"},
    "settle": {"step": "call", "outcome": "delivered", "reason": "seen"},
}


@pytest.mark.parametrize("place", WHERE)
def test_what_is_not_offered_is_refused_and_what_is_offered_is_done(
    tenant: Tenant, probe: Probe, rest: APIClient, place: str
) -> None:
    address = f"/v1/runs/{run_of(tenant, WHERE[place](tenant)).public_id}"
    offered = {one["name"]: one for one in rest.get(f"{address}/explain").json()["actions"]}
    before = everything(tenant)

    def is_done(call: str) -> bool:
        answer = rest.post(f"{address}/{call}", BODIES.get(call, {"reason": "a test"}))
        assert answer.status_code in {200, 201, 404, 409}, answer.json()
        return answer.status_code in {200, 201} and answer.json().get("verdict") != "refused"

    assert [name for name, one in offered.items() if bool(one["why_not"]) == one["allowed"]] == []
    for name, one in offered.items():
        if not one["allowed"]:
            assert not is_done(name), name
            assert everything(tenant) == before, name
    for name in ("settle", "replay", "compensate"):  # the others are tried one by one in the matrix
        if offered[name]["allowed"]:
            assert is_done(name), name
            break
