"""Runs in every place where somebody may meet them, and the control calls of an operator."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.journeys import drain, publish, run_of, start
from workflows.services.control import ControlVerdict
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps.base import Claim, Outcome

PATIENT = {"max_attempts": 3, "backoff": "exponential", "initial": "PT1H"}
CALL_THEN_WAIT: dict[str, Any] = {
    "key": "ring",
    "correlation": ["order"],
    "deadline": "P30D",
    "steps": [
        {"key": "call", "kind": "probe", "retry": PATIENT, "on_outcome": {"bounced": {"goto": "again"}}},
        {
            "key": "rest",
            "kind": "wait",
            "for": "P1D",
            "signals": [
                {"name": "order.paid", "match": {"order": "run.correlation.order"}, "then": "complete"},
                {"name": "order.seen", "when": {"path": "signal.data.by", "eq": "ada"}, "then": {"stop": "seen"}},
            ],
            "on_timeout": {"goto": "again"},
        },
        {"key": "again", "kind": "probe"},
    ],
}


def begun(tenant: Tenant, **given: Any) -> int:
    """A run that owes its first step, `call`."""
    publish(tenant, CALL_THEN_WAIT)
    run_id = start(tenant, "ring", **({"correlation": {"order": "o1"}} | given))
    drain(tenant)
    return run_id


def resting(tenant: Tenant, **given: Any) -> int:
    """A run that waits at `rest`."""
    run_id = begun(tenant, **given)
    work(tenant)
    return run_id


def taken(tenant: Tenant, now: datetime | None = None) -> Claim:
    """A claim on the tenant's oldest due work."""
    claim = claim_work(tenant_id=tenant.pk, worker="w1", now=now)
    assert claim is not None
    return claim


def work(tenant: Tenant, outcome: str = "delivered", **told: Any) -> None:
    """Do one piece of work, with this outcome."""
    finish_work(claim=taken(tenant), outcome=Outcome(outcome, **told))


def order(tenant: Tenant, run_id: int, verb: Callable[..., list[ControlVerdict]], **given: Any) -> ControlVerdict:
    """What the control call `verb` does to the run."""
    [verdict] = verb(
        **{
            "tenant_id": tenant.pk,
            "public_ids": [run_of(tenant, run_id).public_id],
            "cause": Cause.OPERATOR,
            "cause_ref": "grace",
            "reason": "a test",
        }
        | given
    )
    return verdict


def let_leases_run_out(tenant: Tenant) -> None:
    """Every worker that holds work of the tenant has fallen silent."""
    with tenant_scope(tenant.pk):
        execute(
            "UPDATE workflows_steprun SET due_at = clock_timestamp() WHERE tenant_id = %s AND status = 'running'",
            [tenant.pk],
        )
