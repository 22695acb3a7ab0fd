"""Signals that come while another of their source is being stored are stored together, and each gets its own answer."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import connection

from signals_app.models import Signal
from signals_app.services import sharing
from signals_app.services.intake import Receipt, SignalConflict, accept_signals
from signals_app.services.new_signal import NewSignal
from tenants.models import Tenant
from tenants.scope import tenant_scope

Accept = Callable[[NewSignal], "Future[Receipt]"]


class Gate:
    """Stands before the transactions: keeps the first until it is opened, and counts the signals of each."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.sizes: list[int] = []

    def accept(self, *, tenant_id: int, signals: Sequence[NewSignal]) -> list[Receipt]:
        self.sizes.append(len(signals))
        assert self.opened.wait(10)
        return accept_signals(tenant_id=tenant_id, signals=signals)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate()
    monkeypatch.setattr(sharing, "accept_signals", gate.accept)
    return gate


@pytest.fixture
def accept(tenant: Tenant) -> Iterator[Accept]:
    def shared(signal: NewSignal) -> Receipt:
        try:
            return sharing.accept_shared(tenant_id=tenant.pk, signal=signal)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        yield lambda signal: threads.submit(shared, signal)


def signal(name: str, source: str = "shop", of: str = "order.paid") -> NewSignal:
    return NewSignal(name=of, source=source, external_id=name, subject="u1")


def wait_for(queue: int, tenant: Tenant, source: str = "shop") -> None:
    """Until so many wait behind the one that is at work."""
    for _ in range(2000):
        if len(sharing._queues.get((tenant.pk, source), ())) == queue:
            return
        threading.Event().wait(0.005)
    raise AssertionError(sharing._queues)


def stored(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant.pk):
        return sorted(Signal.objects.values_list("external_id", flat=True))


def test_those_who_come_meanwhile_share_the_next_transaction(tenant: Tenant, gate: Gate, accept: Accept) -> None:
    first = accept(signal("0"))
    wait_for(0, tenant)
    rest = [accept(signal(str(number))) for number in range(1, 10)]
    wait_for(9, tenant)
    gate.opened.set()

    receipts = [one.result(20) for one in [first, *rest]]

    assert gate.sizes == [1, 9]
    assert [one.external_id for one in receipts] == [str(number) for number in range(10)]
    assert {one.status for one in receipts} == {"accepted"}
    assert stored(tenant) == [str(number) for number in range(10)]
    assert (tenant.pk, "shop") not in sharing._queues


def test_one_that_is_refused_spoils_nothing_for_the_others(tenant: Tenant, gate: Gate, accept: Accept) -> None:
    first = accept(signal("1"))
    wait_for(0, tenant)
    good, conflict, again = accept(signal("2")), accept(signal("1", of="order.lost")), accept(signal("1"))
    wait_for(3, tenant)
    gate.opened.set()

    assert first.result(20).status == good.result(20).status == "accepted"
    assert again.result(20).status == "duplicate"
    with pytest.raises(SignalConflict) as refused:
        conflict.result(20)
    assert refused.value.detail == [{"index": 0, "external_id": "1"}]
    assert stored(tenant) == ["1", "2"]
    assert (tenant.pk, "shop") not in sharing._queues


def test_sources_and_tenants_do_not_wait_for_each_other(
    tenant: Tenant, other_tenant: Tenant, gate: Gate, accept: Accept
) -> None:
    held = accept(signal("1"))
    wait_for(0, tenant)
    other = accept(signal("1", source="app"))
    wait_for(0, tenant, "app")
    gate.opened.set()

    assert {held.result(20).status, other.result(20).status} == {"accepted"}
    assert gate.sizes == [1, 1]


def test_a_worker_that_dies_leaves_nobody_waiting(
    tenant: Tenant, accept: Accept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SystemExit` is raised in a thread of a web server that has to go."""
    began, opened = threading.Event(), threading.Event()

    def dies_once(*, tenant_id: int, signals: Sequence[NewSignal]) -> list[Receipt]:
        monkeypatch.setattr(sharing, "accept_signals", accept_signals)
        began.set()
        opened.wait(10)
        raise SystemExit

    monkeypatch.setattr(sharing, "accept_signals", dies_once)
    first = accept(signal("1"))
    assert began.wait(10)
    rest = [accept(signal("2")), accept(signal("3"))]
    wait_for(2, tenant)
    opened.set()

    with pytest.raises(SystemExit):
        first.result(20)
    assert [one.result(20).status for one in rest] == ["accepted"] * 2
    assert stored(tenant) == ["2", "3"]


def test_many_threads_lose_and_double_nothing(tenant: Tenant, accept: Accept) -> None:
    receipts = [one.result(60) for one in [accept(signal(str(number % 150))) for number in range(300)]]

    assert sorted(stored(tenant), key=int) == [str(number) for number in range(150)]
    assert sum(one.status == "accepted" for one in receipts) == 150
    assert not [key for key in sharing._queues if key[0] == tenant.pk]
