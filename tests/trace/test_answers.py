"""What steps brought back: what is kept of it has to be what the trace names."""

from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.control.runs import order
from tests.digests.collecting import bring, close_all, collecting
from workflows.services.control import pause_runs, resume_runs
from workflows.verify import verify_trace


def found(tenant: Tenant) -> list[tuple[int, str]]:
    return [(one.seq, str(one.code)) for one in verify_trace(tenant_id=tenant.pk)]


def change(tenant: Tenant, statement: str, *given: Any) -> None:
    with tenant_scope(tenant.pk):
        assert execute(statement, [*given, tenant.pk]) == 1


@pytest.mark.parametrize("is_paused", [False, True])
def test_an_answer_that_the_trace_does_not_name_is_found(tenant: Tenant, is_paused: bool) -> None:
    collecting(tenant)
    [leader] = bring(tenant, 1)
    if is_paused:
        order(tenant, leader, pause_runs)
    close_all(tenant)
    assert found(tenant) == []

    change(tenant, "UPDATE workflows_answer SET payload_sha = sha256('another') WHERE tenant_id = %s")
    [(seq, code)] = found(tenant)
    assert code == "wrong_answer"
    if is_paused:
        order(tenant, leader, resume_runs)
        assert found(tenant) == [(seq, code)]  # the line that told it, whatever came after
    change(tenant, "UPDATE workflows_answer SET name = 'reply' WHERE tenant_id = %s")
    assert [one for _, one in found(tenant)] == ["wrong_answer"]
    change(tenant, "UPDATE workflows_answer SET payload_sha = NULL WHERE tenant_id = %s")  # erased or pruned
    assert found(tenant) == []
