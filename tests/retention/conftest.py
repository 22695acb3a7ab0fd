"""Runs that ended long ago, and policies that would take them away."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.journeys import drain, paid, run_of, waiting_run
from tests.workflows.conftest import probe  # noqa: F401  a fixture of these tests, too
from workflows.models import Kept, Run, Transition
from workflows.retention.plan import plan_retention
from workflows.retention.policies import set_policy
from workflows.retention.pruning import carry_out, order_prune


@pytest.fixture
def ended() -> Callable[..., Run]:
    """`ended(tenant, days=100)` is a run that completed so long ago."""

    def make(tenant: Tenant, days: int = 100, subject: str = "ada", **given: Any) -> Run:
        run_id = waiting_run(tenant, subject=subject, **given)
        paid(tenant)
        drain(tenant)
        return aged(tenant, run_id, days)

    return make


def aged(tenant: Tenant, run_id: int, days: int) -> Run:
    """The run, as though it had ended so many days ago."""
    with tenant_scope(tenant.pk):
        when = database_now() - timedelta(days=days)
        assert Run.objects.for_tenant(tenant.pk).filter(pk=run_id).update(finished_at=when) == 1
    return run_of(tenant, run_id)


def keep(tenant: Tenant, what: str = Kept.COMPLETED, days: int = 30, **how: Any) -> None:
    """A policy."""
    set_policy(tenant_id=tenant.pk, what=what, days=days, changed_by="ada", **how)


def prune(tenant: Tenant) -> dict[str, int]:
    """Plan, order and carry out; what was pruned, zeros left out."""
    order = order_prune(
        tenant_id=tenant.pk, plan=plan_retention(tenant_id=tenant.pk).token, reason="too old", ordered_by="ada"
    )
    done = carry_out(tenant_id=tenant.pk, public_id=order.public_id)
    assert done.finished_at is not None
    return {kind: count for kind, count in done.pruned.items() if count}


def lines_of(tenant: Tenant, run: Run) -> int:
    """How many transitions there are of a run."""
    with tenant_scope(tenant.pk):
        return Transition.objects.filter(tenant_id=tenant.pk, run_id=run.pk).count()


def exists(tenant: Tenant, run: Run) -> bool:
    """Whether the run is there."""
    with tenant_scope(tenant.pk):
        return Run.objects.for_tenant(tenant.pk).filter(pk=run.pk).exists()


def sql(tenant: Tenant, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """SQL as the app role, in the tenant's scope."""
    with tenant_scope(tenant.pk), connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
