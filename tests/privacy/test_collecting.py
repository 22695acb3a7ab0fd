"""Payloads that nothing names are collected; one that somebody is about to name is not."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from signals_app.models import Collection, Payload, Signal
from signals_app.services import NewSignal, accept_signals, load_payloads
from signals_app.services.collecting import Collected, collect_for, collect_payloads, find_unnamed
from signals_app.services.payload_names import names
from signals_app.services.payloads import canonical, write_payloads
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, publish, start
from tests.plugin import Servers

SHARED = {"shared": True}


def store(tenant: Tenant, *bodies: Any) -> list[bytes]:
    """Old payloads that nothing names."""
    with tenant_scope(tenant.pk):
        written = write_payloads(tenant_id=tenant.pk, texts=map(canonical, bodies))
        age(tenant)
        return [written[canonical(body)] for body in bodies]


def age(tenant: Tenant) -> None:
    with tenant_scope(tenant.pk) as scope:
        Payload.objects.filter(tenant_id=tenant.pk).update(stored_at=scope.now - timedelta(hours=2))


def accept(tenant: Tenant, data: Any, external_id: str = "") -> None:
    accept_signals(tenant_id=tenant.pk, signals=[NewSignal(name="a.b", data=data, external_id=external_id)])


def left(tenant: Tenant) -> list[Any]:
    with tenant_scope(tenant.pk):
        addresses = [bytes(row.address) for row in Payload.objects.filter(tenant_id=tenant.pk)]
        return list(load_payloads(tenant.pk, addresses).values())


def test_what_nothing_names_goes_and_all_else_stays(tenant: Tenant, other_tenant: Tenant) -> None:
    store(tenant, {"unnamed": 1}, {"unnamed": 2})
    store(other_tenant, {"unnamed": 1})
    accept(tenant, {"of": "a signal"})
    publish(tenant, GRACE)
    start(tenant, "dunning", data={"of": "a run"}, correlation={"invoice_id": "1"})
    age(tenant)

    assert collect_payloads(tenant_id=tenant.pk) == Collected(looked_at=4, collected=2, cursor=None)
    assert sorted(map(str, left(tenant))) == ["{'of': 'a run'}", "{'of': 'a signal'}"]
    assert left(other_tenant) == [{"unnamed": 1}]
    assert collect_payloads(tenant_id=tenant.pk).collected == 0


def test_the_young_are_left_alone(tenant: Tenant) -> None:
    with tenant_scope(tenant.pk):
        write_payloads(tenant_id=tenant.pk, texts=[canonical({"fresh": 1})])

    assert collect_payloads(tenant_id=tenant.pk).collected == 0
    assert left(tenant) == [{"fresh": 1}]


def test_a_round_goes_part_by_part_and_ends(tenant: Tenant) -> None:
    store(tenant, *({"n": n} for n in range(5)))

    parts = [collect_payloads(tenant_id=tenant.pk, most=2) for _ in range(3)]

    assert [(part.looked_at, part.collected, part.cursor is None) for part in parts] == [
        (2, 2, False),
        (2, 2, False),
        (1, 1, True),
    ]
    with tenant_scope(tenant.pk):
        round_ = Collection.objects.get()
    assert (round_.cursor, round_.collected, round_.finished_at is None) == (0, 5, False)


def test_beat_collects_for_tenants_that_are_due(tenant: Tenant) -> None:
    store(tenant, {"n": 1})

    while left(tenant):
        collect_for(5.0)
    store(tenant, {"n": 2})
    collect_for(5.0)

    assert left(tenant) == [{"n": 2}]  # its round is over until tomorrow


def test_a_dry_run_counts_and_changes_nothing(tenant: Tenant) -> None:
    store(tenant, *({"n": n} for n in range(3)))
    said = StringIO()

    assert find_unnamed(tenant_id=tenant.pk, most=2).collected == 2
    call_command("payloads", "collect", "--tenant", tenant.slug, "--dry-run", stdout=said)
    assert len(left(tenant)) == 3
    call_command("payloads", "collect", "--tenant", tenant.slug, stdout=said)

    assert said.getvalue().splitlines() == [
        "3 payloads looked at, 3 would be collected.",
        "3 payloads looked at, 3 collected.",
    ]
    assert left(tenant) == []


def test_a_writer_who_was_first_keeps_the_payload(tenant: Tenant) -> None:
    """It has met the row and not committed the name: the collector passes by."""
    store(tenant, SHARED)

    with tenant_scope(tenant.pk):
        accept(tenant, SHARED)
        met = _elsewhere(lambda: collect_payloads(tenant_id=tenant.pk))

    assert met.join_and_get().collected == 0
    assert _data_of_signals(tenant) == [SHARED]
    assert collect_payloads(tenant_id=tenant.pk).collected == 0


def test_a_writer_who_comes_second_writes_the_payload_again(
    tenant: Tenant, meanwhile: Callable[..., Future[Any]]
) -> None:
    """The collector has deleted the row and not committed: the writer waits, and finds it gone."""
    store(tenant, SHARED)

    with tenant_scope(tenant.pk):
        assert collect_payloads(tenant_id=tenant.pk).collected == 1
        writer = meanwhile(lambda: accept(tenant, SHARED))

    writer.result(60)
    assert _data_of_signals(tenant) == [SHARED]


def test_writers_and_collectors_at_once_lose_nothing(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    bodies = [{"n": n} for n in range(4)]
    for round_ in range(10):
        store(tenant, *bodies)
        calls = [lambda n=n, r=round_: accept(tenant, bodies[n], f"{r}-{n}") for n in range(4)]  # type: ignore[misc]
        done = together(
            *calls, lambda: collect_payloads(tenant_id=tenant.pk), lambda: collect_payloads(tenant_id=tenant.pk)
        )
        assert [one for one in done if isinstance(one, Exception)] == []
        assert None not in _data_of_signals(tenant)
        with tenant_scope(tenant.pk):
            Signal.objects.filter(tenant_id=tenant.pk).update(payload_sha=None)


def test_every_column_that_names_payloads_is_known_and_indexed(servers: Servers) -> None:
    """By convention such a column ends in `_sha`."""
    with servers.postgres.connect() as owner:
        found = owner.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND data_type = 'bytea' AND column_name LIKE '%\\_sha'"
        ).fetchall()
        indexed = owner.execute(
            "SELECT c.relname, a.attname FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid"
            " JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[1]"
        ).fetchall()

    assert set(found) == set(names())
    assert set(names()) <= set(indexed)


def _data_of_signals(tenant: Tenant) -> list[Any]:
    with tenant_scope(tenant.pk):
        shas = [bytes(row.payload_sha or b"") for row in Signal.objects.filter(payload_sha__isnull=False)]
        found = load_payloads(tenant.pk, shas)
        return [found.get(sha) for sha in shas]


class _Elsewhere(threading.Thread):
    """A call in a thread and connection of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self.call, self.result, self.error = call, None, None

    def run(self) -> None:
        try:
            self.result = self.call()
        except Exception as error:
            self.error = error
        finally:
            connections.close_all()

    def join_and_get(self) -> Any:
        self.join(20)
        if self.error is not None:
            raise self.error
        return self.result


def _elsewhere(call: Callable[[], Any]) -> _Elsewhere:
    thread = _Elsewhere(call)
    thread.start()
    thread.join(60)
    return thread


@pytest.fixture(autouse=True)
def _no_threads_left() -> Any:
    yield
    assert not [thread for thread in threading.enumerate() if isinstance(thread, _Elsewhere)]
