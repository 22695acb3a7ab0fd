"""What benchmarks check at their end holds for what is whole, and fails for everything that is not."""

import pytest

from benchmarks import checks
from benchmarks.checks import count_in_state
from benchmarks.journeys import new_tenant, signal_some, start_some
from benchmarks.meter import Observer
from benchmarks.stand import Stand
from tenants.models import Tenant
from tests.journeys import drain


@pytest.fixture
def observer(stand: Stand) -> Observer:
    return stand.observer()


@pytest.fixture
def tenant_id() -> int:
    """One run that completed on its signal, without workers."""
    tenant_id = new_tenant()
    start_some(tenant_id, ["a"])
    drain(Tenant(pk=tenant_id))
    signal_some(tenant_id, ["a"])
    drain(Tenant(pk=tenant_id))
    return tenant_id


def test_checks_hold_for_what_is_whole(observer: Observer, tenant_id: int) -> None:
    assert checks.runs_in_state(observer, tenant_id, "completed", 1).holds
    assert checks.signals_matched(observer, tenant_id, 1).holds
    assert checks.signals_of_each_matched(observer, {tenant_id: 1}).holds
    assert checks.no_gaps(observer, tenant_id).holds
    assert checks.traces_verify(observer, tenant_id, 10).holds


def test_a_run_that_is_missing_or_still_waits_is_found(observer: Observer, tenant_id: int) -> None:
    missing = checks.runs_in_state(observer, tenant_id, "completed", 2)
    start_some(tenant_id, ["b"])

    assert not missing.holds
    assert not checks.runs_in_state(observer, tenant_id, "completed", 2).holds


def test_a_signal_that_is_missing_or_moved_nobody_is_found(observer: Observer, tenant_id: int) -> None:
    missing = checks.signals_matched(observer, tenant_id, 2)
    signal_some(tenant_id, ["nobody"])
    drain(Tenant(pk=tenant_id))

    assert not missing.holds
    assert not checks.signals_matched(observer, tenant_id, 2).holds
    assert not checks.signals_of_each_matched(observer, {tenant_id: 2}).holds


def test_a_run_that_was_tampered_with_is_found(stand: Stand, observer: Observer, tenant_id: int) -> None:
    with stand.postgres.connect() as superuser:
        superuser.execute("UPDATE workflows_run SET seq = seq + 1 WHERE tenant_id = %s", [tenant_id])

    assert not checks.no_gaps(observer, tenant_id).holds
    assert not checks.no_gaps(observer, new_tenant(), tenant_id).holds
    assert not checks.traces_verify(observer, tenant_id, 10).holds


def test_too_few_runs_in_a_state_are_found(stand: Stand) -> None:
    tenant_id = new_tenant()
    start_some(tenant_id, ["a"])

    assert count_in_state(stand.observer(), tenant_id, "pending", 1).holds
    assert not count_in_state(stand.observer(), tenant_id, "waiting", 1).holds
    assert not count_in_state(stand.observer(), tenant_id, "pending", 2).holds


def test_traces_are_looked_at_here_and_there_where_there_are_very_many(observer: Observer, tenant_id: int) -> None:
    start_some(tenant_id, map(str, range(40)))

    seen = {checks.no_gaps(observer, tenant_id, most=20).what for _ in range(3)}

    assert all(what.endswith("of 41 traces") and not what.startswith("no gap in 41") for what in seen)


def test_a_load_that_was_never_there_is_found() -> None:
    assert checks.kept_pace("the flood", 95, rate=10, seconds=10).holds
    assert not checks.kept_pace("the flood", 94, rate=10, seconds=10).holds
    assert not checks.kept_pace("the flood", 0, rate=0.1, seconds=1).holds
