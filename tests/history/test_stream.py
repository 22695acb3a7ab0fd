"""Histories are read part by part, and nothing is skipped."""

import itertools
import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.models import Tenant
from tests.history.conftest import nag
from tests.journeys import GRACE, drain, publish, run_of, start, waiting_run
from workflows.errors import RunNotFound
from workflows.history import stream
from workflows.history.stream import run_exists, stream_runs, stream_transitions


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.history.reading.LINES", 7)
    monkeypatch.setattr(stream, "LINES", 7)


def test_a_trace_is_streamed_from_a_cursor(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run = run_of(tenant, long_run(25))

    def seqs(after: int) -> list[int]:
        return [line.seq for line in stream_transitions(tenant_id=tenant.pk, public_id=run.public_id, after=after)]

    assert seqs(0) == list(range(1, run.seq + 1))
    assert seqs(20) == list(range(21, run.seq + 1))
    assert seqs(run.seq) == seqs(run.seq + 50) == []


def test_only_what_is_asked_for_is_read(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run = run_of(tenant, long_run(40))

    with CaptureQueriesContext(connection) as queries:
        lines = list(itertools.islice(stream_transitions(tenant_id=tenant.pk, public_id=run.public_id), 3))

    assert [line.seq for line in lines] == [1, 2, 3]
    assert len(queries) < 10


def test_lines_added_while_it_is_read_are_told(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run = run_of(tenant, long_run(10))
    lines = stream_transitions(tenant_id=tenant.pk, public_id=run.public_id)
    first = next(lines)

    nag(tenant, 5)

    assert [first.seq, *(line.seq for line in lines)] == list(range(1, run.seq + 6))


def test_the_runs_of_a_tenant_are_listed_part_by_part(tenant: Tenant, other_tenant: Tenant) -> None:
    publish(tenant, GRACE)
    publish(other_tenant, GRACE)
    mine = [run_of(tenant, start(tenant, "dunning", f"s{number}")).public_id for number in range(16)]
    start(other_tenant, "dunning")
    drain(tenant)

    assert list(stream_runs(tenant_id=tenant.pk)) == mine
    assert list(stream_runs(tenant_id=tenant.pk, workflow="dunning", state="waiting", subject="s3")) == [mine[3]]
    assert list(stream_runs(tenant_id=tenant.pk, state="failed")) == []


def test_a_run_exists_for_its_own_tenant(tenant: Tenant, other_tenant: Tenant) -> None:
    public_id = run_of(tenant, waiting_run(tenant)).public_id

    assert run_exists(tenant_id=tenant.pk, public_id=public_id)
    assert not run_exists(tenant_id=other_tenant.pk, public_id=public_id)
    assert not run_exists(tenant_id=tenant.pk, public_id=uuid.uuid4())
    with pytest.raises(RunNotFound):
        stream_transitions(tenant_id=other_tenant.pk, public_id=public_id)
