"""Runs that owe one piece of work, and workers that are lost in it."""

from typing import Any

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.journeys import drain, publish, run_of, start
from workflows.models import Attempt, StepRun
from workflows.services.work import claim_work
from workflows.steps.base import Claim


def owed(tenant: Tenant, step: dict[str, Any] | None = None, *more: dict[str, Any]) -> int:
    """A run that owes its first step, of the kind `probe`; `more` are the steps after it."""
    publish(tenant, {"key": "ping", "steps": [{"key": "call", "kind": "probe"} | (step or {}), *more]})
    run_id = start(tenant, "ping")
    drain(tenant)
    return run_id


def key_of(tenant: Tenant, run_id: int, step: str = "call", visit: int = 1) -> str:
    """The effect key of a visit."""
    return f"{run_of(tenant, run_id).public_id}:{step}:{visit}"


def claimed(tenant: Tenant, worker: str = "w1") -> Claim:
    """The next piece of work, claimed."""
    claim = claim_work(tenant_id=tenant.pk, worker=worker)
    assert claim is not None
    return claim


def make_due(tenant: Tenant) -> None:
    """Let every lease run out, and every pause before a try be over."""
    with tenant_scope(tenant.pk):
        statement = (
            "UPDATE workflows_steprun SET due_at = clock_timestamp() WHERE tenant_id = %s AND due_at IS NOT NULL"
        )
        execute(statement, [tenant.pk])


def step_run_of(tenant: Tenant, run_id: int, step: str = "call") -> StepRun:
    """The only step run of a step."""
    with tenant_scope(tenant.pk):
        return StepRun.objects.for_tenant(tenant.pk).get(run_id=run_id, step=step)


def attempts(tenant: Tenant) -> list[tuple[int, str, str, str]]:
    """(number, status, outcome, error) of every attempt."""
    with tenant_scope(tenant.pk):
        rows = Attempt.objects.filter(tenant_id=tenant.pk).order_by("step_run_id", "number")
        return list(rows.values_list("number", "status", "outcome", "error"))
