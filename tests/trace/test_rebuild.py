"""Rebuilding a run from its trace."""

from dataclasses import asdict

import pytest

from tenants.models import Tenant
from tests.journeys import drain, paid, run_of, waiting_run
from workflows.errors import RunNotFound
from workflows.rebuild import rebuild_run


def test_a_rebuilt_run_is_the_stored_one(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)
    run = run_of(tenant, run_id)

    rebuilt = asdict(rebuild_run(tenant_id=tenant.pk, public_id=run.public_id))

    assert rebuilt == {name: getattr(run, name) for name in rebuilt}
    assert (rebuilt["state"], rebuilt["seq"]) == ("completed", 5)


def test_another_tenants_run_is_not_there(tenant: Tenant, other_tenant: Tenant) -> None:
    public_id = run_of(tenant, waiting_run(tenant)).public_id

    with pytest.raises(RunNotFound):
        rebuild_run(tenant_id=other_tenant.pk, public_id=public_id)
