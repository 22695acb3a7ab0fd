"""Journeys that collect: runs come to a digest, its time comes, one goes on."""

from collections.abc import Mapping
from typing import Any

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.journeys import drain, publish, start
from workflows.digests.closing import close_due_digests
from workflows.models import Digest, DigestItem, Run
from workflows.store.answers import data_of

HOUR: dict[str, Any] = {"key": "collect", "kind": "digest", "window": {"fixed": "PT1H"}}
REST = {"key": "rest", "kind": "wait", "for": "P1D"}


def collecting(tenant: Tenant, step: Mapping[str, Any] | None = None, *more: Mapping[str, Any]) -> None:
    """Publish a definition whose first step collects."""
    publish(tenant, {"key": "news", "steps": [HOUR | dict(step or {}), *(more or (REST,))]})


def bring(tenant: Tenant, *items: Any, subject: str = "ada", **given: Any) -> list[int]:
    """Start a run for each item, one after the other; their ids."""
    run_ids = []
    for item in items:
        run_ids.append(start(tenant, "news", subject, data={"n": item}, **given))
        drain(tenant)
    return run_ids


def digests_of(tenant: Tenant) -> list[Digest]:
    """All of the tenant's digests, the oldest first."""
    with tenant_scope(tenant.pk):
        return list(Digest.objects.filter(tenant_id=tenant.pk).order_by("id"))


def items_of(tenant: Tenant, digest: Digest) -> list[tuple[int, int, str]]:
    """(position, run id, why it left) of each item."""
    with tenant_scope(tenant.pk):
        rows = DigestItem.objects.filter(tenant_id=tenant.pk, digest_id=digest.pk).order_by("position")
        return list(rows.values_list("position", "run_id", "left_why"))


def let_time_come(tenant: Tenant) -> None:
    """Every digest that collects is due now."""
    with tenant_scope(tenant.pk):
        statement = "UPDATE workflows_digest SET closes_at = clock_timestamp(), due_at = clock_timestamp() "
        execute(statement + "WHERE tenant_id = %s AND status <> 'closed'", [tenant.pk])


def close_all(tenant: Tenant) -> int:
    """Let the time of all digests come, and close them; how many were taken up."""
    let_time_come(tenant)
    total = 0
    while taken := close_due_digests(tenant_id=tenant.pk):
        total += taken
    drain(tenant)
    return total


def collected_by(tenant: Tenant, run_id: int, step: str = "collect") -> Any:
    """What `steps.collect` is for a run; None when it has collected nothing."""
    with tenant_scope(tenant.pk):
        run = Run.objects.for_tenant(tenant.pk).get(pk=run_id)
        return data_of(tenant.pk, run_id, run.data_sha).get(f"@steps.{step}")
