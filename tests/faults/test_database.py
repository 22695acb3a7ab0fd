"""A database that is slow, that picks us as the victim of a deadlock, or whose transactions end out of order."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from rest_framework.test import APIClient

from chimeway_py.embedded.postgres import Postgres
from signals_app.api import signals
from signals_app.models import Signal
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import fetch
from tests.journeys import GRACE, drain, paid, publish, reasons_of, run_of, send, start, waiting_run
from tests.racing import wait_until_blocked
from workflows.services.route import route_signals
from workflows.services.sweeping import Sweeper
from workflows.verify import verify_trace


@pytest.fixture
def hurried() -> Iterator[None]:
    """No statement of this connection may take longer than a fifth of a second."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '200ms'")
    yield
    connection.close()


def test_a_statement_that_takes_too_long_is_503_and_nothing_is_written(
    rest: APIClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, hurried: None
) -> None:
    accept = signals.accept_signals

    def accept_slowly(**given: Any) -> Any:
        with tenant_scope(tenant.pk):
            accept(**given)
            return fetch("SELECT pg_sleep(30)", [])

    monkeypatch.setattr(signals, "accept_signals", accept_slowly)
    began = time.monotonic()

    answer = rest.post("/v1/signals", {"name": "a"})

    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    assert time.monotonic() - began < 20
    with tenant_scope(tenant.pk):
        assert Signal.objects.count() == 0


def test_a_deadlock_by_force_is_tried_again(tenant: Tenant, postgres: Postgres) -> None:
    first = waiting_run(tenant, subject="ada")
    second = start(tenant, GRACE["key"], "ada", correlation={"invoice_id": "43"})
    drain(tenant)
    send(tenant, "customer.closed", "ada")
    raised: list[BaseException] = []

    def sweep() -> None:
        try:
            Sweeper(patience=0).sweep()
        except OperationalError as error:  # as `manage.py sweeper` does
            raised.append(error)
        finally:
            connections.close_all()

    with postgres.connect() as other:
        other.execute("SET deadlock_timeout = '60s'")  # so that the service is the victim
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM workflows_run WHERE id = %s FOR UPDATE", [second])
        sweeping = threading.Thread(target=sweep)
        sweeping.start()
        wait_until_blocked(postgres)
        other.execute("SELECT 1 FROM workflows_run WHERE id = %s FOR UPDATE", [first])
        sweeping.join(60)
        other.execute("ROLLBACK")

    assert "deadlock" in str(raised)
    assert {run_of(tenant, run_id).state for run_id in (first, second)} == {"waiting"}

    sweep()

    assert [reasons_of(tenant, run_id).count("rule_stopped") for run_id in (first, second)] == [1, 1]
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_a_signal_that_commits_after_a_later_one_is_not_skipped(tenant: Tenant, together: Callable[..., Any]) -> None:
    publish(tenant, GRACE)
    runs = [start(tenant, GRACE["key"], correlation={"invoice_id": number}) for number in ("1", "2")]
    drain(tenant)
    stored, may_commit = threading.Event(), threading.Event()
    # Bodies differ: who stores one that is being stored waits for that commit.

    def first_id_last_commit() -> None:
        with tenant_scope(tenant.pk):
            paid(tenant, "1", data={"n": 1})
            stored.set()
            assert may_commit.wait(60)

    def second_id_first_commit() -> tuple[int, str]:
        assert stored.wait(60)
        paid(tenant, "2", data={"n": 2})
        routed = route_signals(tenant_id=tenant.pk)
        may_commit.set()
        return routed, run_of(tenant, runs[1]).state

    together(first_id_last_commit, second_id_first_commit)

    assert run_of(tenant, runs[0]).state == "waiting"
    assert route_signals(tenant_id=tenant.pk) == 1
    assert [run_of(tenant, run_id).state for run_id in runs] == ["completed", "completed"]
