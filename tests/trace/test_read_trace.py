"""Reading a trace: in order, by cursor, within limits."""

import uuid

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tests.journeys import drain, run_of, send, waiting_run
from workflows.errors import RunNotFound
from workflows.trace import read_trace


@pytest.fixture
def run(tenant: Tenant) -> uuid.UUID:
    """A waiting run with seven lines."""
    run_id = waiting_run(tenant)
    for _ in range(4):
        send(tenant, "invoice.disputed", correlation={"invoice_id": "42"})
    drain(tenant)
    return run_of(tenant, run_id).public_id


def test_pages_join_to_the_whole_trace(tenant: Tenant, run: uuid.UUID) -> None:
    after: int | None = 0
    seqs: list[int] = []
    while after is not None:
        page = read_trace(tenant_id=tenant.pk, public_id=run, after=after, limit=3)
        seqs += [line.seq for line in page.transitions]
        after = page.next_after

    assert seqs == [1, 2, 3, 4, 5, 6, 7]


def test_a_page_that_holds_all_has_no_next(tenant: Tenant, run: uuid.UUID) -> None:
    page = read_trace(tenant_id=tenant.pk, public_id=run, after=0, limit=7)

    assert (len(page.transitions), page.next_after) == (7, None)


def test_a_limit_of_zero_is_empty(tenant: Tenant, run: uuid.UUID) -> None:
    page = read_trace(tenant_id=tenant.pk, public_id=run, limit=0)

    assert (page.transitions, page.next_after) == ((), None)


@pytest.mark.parametrize(("after", "limit", "path"), [(0, -1, "/limit"), (0, 1001, "/limit"), (-1, 10, "/after")])
def test_what_is_out_of_range_is_refused(tenant: Tenant, run: uuid.UUID, after: int, limit: int, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_trace(tenant_id=tenant.pk, public_id=run, after=after, limit=limit)

    assert [one["path"] for one in refused.value.detail] == [path]  # type: ignore[index]


def test_another_tenants_trace_is_not_there(other_tenant: Tenant, run: uuid.UUID) -> None:
    with pytest.raises(RunNotFound):
        read_trace(tenant_id=other_tenant.pk, public_id=run)
