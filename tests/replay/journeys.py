"""Runs that have ended, one of which charged somebody, and the call that replays them."""

from typing import Any

from tenants.models import Tenant
from tests.control.runs import work
from tests.journeys import drain, publish, run_of, start
from workflows.services.replay import replay_run
from workflows.services.start import Started
from workflows.states import Cause

CHARGE: dict[str, Any] = {
    "key": "charging",
    "correlation": ["order"],
    "steps": [
        {"key": "tell", "kind": "probe"},
        {"key": "charge", "kind": "probe", "irreversible": True},
        {"key": "thank", "kind": "probe", "irreversible": True},
    ],
}


def charged(tenant: Tenant, *outcomes: str) -> int:
    """A run whose steps ended with these outcomes, in order; one for each step, when it is to have ended."""
    publish(tenant, CHARGE)
    run_id = start(tenant, "charging", correlation={"order": "o1"}, data={"amount": 7})
    drain(tenant)
    for outcome in outcomes:
        work(tenant, outcome)
        drain(tenant)
    return run_id


def replayed(tenant: Tenant, run_id: int, **given: Any) -> Started:
    """A replay of the run, asked for by an operator."""
    asked: dict[str, Any] = {
        "tenant_id": tenant.pk,
        "public_id": run_of(tenant, run_id).public_id,
        "cause": Cause.OPERATOR,
        "cause_ref": "grace",
        "reason": "the template was wrong",
    }
    return replay_run(**(asked | given))
