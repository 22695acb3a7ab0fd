"""What a limit lets through and what it refuses: never more than it says, however many ask at once."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.embedded.postgres import Postgres
from signals_app.models import Signal
from signals_app.services import NewSignal, accept_signals
from tenants.limits import board
from tenants.limits.errors import BeyondLimit, LimitReached
from tenants.models import LimitUse, Tenant
from tenants.scope import tenant_scope
from tenants.services import budgets_of, set_limit
from tests.journeys import GRACE, drain, paid, publish, rows_of, send, signal_of, start, waiting_run
from workflows.models import Run
from workflows.services.control import cancel_runs
from workflows.services.route import route_signals
from workflows.services.start import NewRun, start_runs
from workflows.states import Cause

STARTED = GRACE | {
    "key": "started",
    "start_on": {
        "signal": "invoice.failed",
        "subject": "data.customer",
        "correlate": {"invoice_id": "data.invoice"},
    },
}


def limit(tenant: Tenant, kind: str, amount: Any) -> None:
    set_limit(tenant_id=tenant.pk, kind=kind, amount=amount, changed_by="olga")


def pass_time(tenant: Tenant, kind: str, **time: float) -> None:
    """Let a bucket believe that it was last filled so much earlier."""
    with tenant_scope(tenant.pk):
        use = LimitUse.objects.get(tenant_id=tenant.pk, kind=kind)
        LimitUse.objects.filter(pk=use.pk).update(
            filled_at=use.filled_at - timedelta(**time), since=use.since - timedelta(**time)
        )


def left(tenant: Tenant) -> dict[str, int]:
    with tenant_scope(tenant.pk):
        return {str(one.kind): one.left for one in budgets_of(tenant.pk)}


def rows(tenant: Tenant) -> list[int]:
    return rows_of(tenant, (Signal, Run))


def test_callers_at_the_same_moment_never_pass_more_than_the_limit(
    tenant: Tenant, together: Callable[..., Any]
) -> None:
    limit(tenant, "signals_per_day", 20)

    answers = together(*[lambda: send(tenant, "order.made")] * 32)

    refused = [one for one in answers if isinstance(one, LimitReached)]
    assert (len(answers) - len(refused), len(refused)) == (20, 12), answers
    assert rows(tenant)[0] == 20
    assert left(tenant) == {"signals_per_day": 0}


def test_runs_alive_at_the_same_moment_are_never_more_than_the_limit(
    tenant: Tenant, together: Callable[..., Any]
) -> None:
    publish(tenant, GRACE)
    first = start(tenant, GRACE["key"])  # before there was a limit: it is counted all the same
    limit(tenant, "live_runs", 5)

    answers = together(*[lambda: start(tenant, GRACE["key"])] * 12)

    assert sum(isinstance(one, int) for one in answers) == 4
    assert rows(tenant)[1] == 5
    with tenant_scope(tenant.pk):
        ended = Run.objects.get(pk=first).public_id
    cancel_runs(
        tenant_id=tenant.pk, public_ids=[ended], cause=Cause.OPERATOR, cause_ref="olga", reason="room is needed"
    )
    assert left(tenant) == {"live_runs": 1}
    start(tenant, GRACE["key"])
    with pytest.raises(LimitReached):
        start(tenant, GRACE["key"])
    limit(tenant, "live_runs", 7)
    start(tenant, GRACE["key"])
    limit(tenant, "live_runs", 6)
    with pytest.raises(LimitReached):
        start(tenant, GRACE["key"])


def test_a_refusal_writes_nothing_and_says_when_there_is_room(tenant: Tenant) -> None:
    limit(tenant, "signals_per_minute", 6)
    limit(tenant, "signals_per_day", 600)
    accept_signals(tenant_id=tenant.pk, signals=[NewSignal(name="a.b")] * 4)
    before, had = rows(tenant), left(tenant)

    with pytest.raises(LimitReached) as refused:
        accept_signals(tenant_id=tenant.pk, signals=[NewSignal(name="a.b")] * 4)

    told = dict(refused.value.detail)
    assert 10 <= told.pop("retry_after") <= 20  # it is 20, less what has come back since
    assert told == {"limit": "signals_per_minute", "amount": 6, "asked": 4, "left": 2}
    assert (rows(tenant), left(tenant)) == (before, had), "a batch is taken whole or not at all"
    pass_time(tenant, "signals_per_minute", seconds=20)
    accept_signals(tenant_id=tenant.pk, signals=[NewSignal(name="a.b")] * 4)
    assert left(tenant) == {"signals_per_minute": 0, "signals_per_day": 592}


def test_what_never_fits_is_told_to_come_in_parts(tenant: Tenant) -> None:
    limit(tenant, "signals_per_minute", 2)

    with pytest.raises(BeyondLimit) as refused:
        accept_signals(tenant_id=tenant.pk, signals=[NewSignal(name="a.b")] * 3)

    assert refused.value.status == 413
    assert rows(tenant)[0] == 0
    assert left(tenant) == {"signals_per_minute": 2}


def test_payloads_of_signals_and_starts_use_one_budget(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    limit(tenant, "payload_bytes_per_day", 40)
    send(tenant, "a.b", data={"k": "x" * 12})  # {"k":"xxxxxxxxxxxx"}

    assert left(tenant) == {"payload_bytes_per_day": 20}
    with pytest.raises(LimitReached):
        start_runs(tenant_id=tenant.pk, definition_key=GRACE["key"], runs=[NewRun("ada", data={"k": "x" * 13})])
    start_runs(tenant_id=tenant.pk, definition_key=GRACE["key"], runs=[NewRun("ada", data={"k": "x" * 12})])
    send(tenant, "a.b", data={})
    assert left(tenant) == {"payload_bytes_per_day": 0}


def test_what_fails_for_another_reason_gives_back(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    limit(tenant, "signals_per_minute", 6)
    send(tenant, "a.b", external_id="1")

    with pytest.raises(Exception, match="another body"):
        send(tenant, "a.b", external_id="1", subject="other")

    assert left(tenant) == {"signals_per_minute": 5}


def test_a_signal_that_would_start_too_many_runs_says_so(tenant: Tenant) -> None:
    publish(tenant, STARTED)
    limit(tenant, "live_runs", 1)
    failed = [send(tenant, "invoice.failed", data={"customer": "ada", "invoice": str(n)}) for n in (1, 2)]

    drain(tenant)

    assert rows(tenant)[1] == 1
    signals = [signal_of(tenant, one) for one in failed]
    assert [(one.verdict, one.verdict_reason) for one in signals] == [
        ("started", "started_by"),
        ("rejected", "limit_reached"),
    ]
    assert signals[1].verdict_context == {"definition": "started v1", "limit": "live_runs"}


def test_routing_holds_no_signal_while_it_waits_for_a_limit(
    tenant: Tenant, postgres: Postgres, meanwhile: Callable[..., Future[Any]]
) -> None:
    """Whoever accepts a signal again holds limits and wants that signal: they would wait for each other for ever."""
    publish(tenant, STARTED)
    limit(tenant, "live_runs", 10)
    for number in (1, 2):
        send(tenant, "invoice.failed", data={"customer": "ada", "invoice": str(number)})
        if number == 1:
            drain(tenant)  # the bucket is made with the first

    with postgres.connect() as another, another.transaction():
        another.execute("SELECT FROM tenants_limituse WHERE tenant_id = %s FOR UPDATE", [tenant.pk])
        routed = meanwhile(lambda: route_signals(tenant_id=tenant.pk))
        unlocked = "SELECT FROM signals_app_signal WHERE tenant_id = %s AND routed_at IS NULL FOR UPDATE SKIP LOCKED"
        assert len(another.execute(unlocked, [tenant.pk]).fetchall()) == 1

    assert routed.result(60) == 1
    assert rows(tenant)[1] == 2


def test_the_first_use_of_a_limit_may_be_a_signal_that_starts(tenant: Tenant) -> None:
    publish(tenant, STARTED)
    limit(tenant, "live_runs", 1)
    limit(tenant, "starts_per_minute", 5)
    send(tenant, "invoice.failed", data={"customer": "ada", "invoice": "1"})

    drain(tenant)

    assert left(tenant) == {"live_runs": 0, "starts_per_minute": 4}


def test_what_the_service_says_itself_is_never_refused(tenant: Tenant, rest: APIClient) -> None:
    """A person who reads a message cannot be told to come back tomorrow."""
    publish(
        tenant,
        {
            "key": "tell",
            "templates": {"note": {"text": "Hello"}},
            "steps": [{"key": "tell", "kind": "deliver", "channel": "in_app", "template": "note"}],
        },
    )
    start(tenant, "tell")
    drain(tenant)
    limit(tenant, "signals_per_minute", 0)
    item = rest.get("/v1/inbox/ada").json()["items"][0]["id"]

    assert rest.post(f"/v1/inbox/ada/{item}/read").status_code == 200


def test_settings_limit_everybody_and_operators_make_exceptions(
    tenant: Tenant, other_tenant: Tenant, settings: Any
) -> None:
    settings.TENANT_LIMITS = {"signals_per_day": 10, "live_runs": 100}

    limit(tenant, "signals_per_day", None)
    limit(tenant, "starts_per_minute", 5)

    assert left(tenant) == {"live_runs": 100, "starts_per_minute": 5}
    assert left(other_tenant) == {"live_runs": 100, "signals_per_day": 10}
    limit(tenant, "signals_per_day", "default")
    assert left(tenant)["signals_per_day"] == 10


def test_without_limits_nothing_is_asked_of_the_database(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = waiting_run(tenant)
    board.limits_of(tenant.pk)
    monkeypatch.setattr(board, "_next", float("inf"))  # it was asked a moment ago
    monkeypatch.setattr("tenants.limits.taking.tenant_scope", None)  # whoever takes needs it

    paid(tenant)
    start(tenant, GRACE["key"])
    drain(tenant)

    with tenant_scope(tenant.pk):
        assert Run.objects.get(pk=run_id).state == "completed"
        assert not LimitUse.objects.exists()


def test_another_process_hears_of_a_limit_within_a_second(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    board.limits_of(tenant.pk)
    monkeypatch.setattr("tenants.services.limits.look_again", lambda: None)  # as though somebody else had set it

    limit(tenant, "live_runs", 1)
    asked = board.time.monotonic
    monkeypatch.setattr("tenants.limits.board.time.monotonic", lambda: asked() + board.FRESH)

    assert board.limits_of(tenant.pk) == {"live_runs": 1}
