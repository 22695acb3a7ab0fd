"""Many callers at once: starts under one key, overlapping signals, several routers and sweepers."""

from collections.abc import Callable
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, paid, publish, rows_of, run_of, send, signal_of, start, waiting_run
from workflows.errors import StartConflict
from workflows.events.subscriptions import put_subscription
from workflows.models import Event, Run, SignalVerdict, StepRun, Wait
from workflows.services import claiming, route
from workflows.services.advance import advance_due
from workflows.services.route import route_signals
from workflows.services.start import NewRun, start_runs
from workflows.verify import verify_trace


def test_ten_starts_with_one_key_make_one_run(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    publish(tenant, GRACE)
    run = NewRun(subject="ada", correlation={"invoice_id": "42"}, idempotency_key="once")

    answers = together(
        *[lambda: start_runs(tenant_id=tenant.pk, definition_key="dunning", runs=[run])[0] for _ in range(10)]
    )

    assert len({answer.run_id for answer in answers}) == 1
    assert [answer.created for answer in answers].count(True) == 1
    assert rows_of(tenant, [Run]) == [1]


def test_the_same_key_with_another_request_is_refused_and_writes_nothing(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    start(tenant, "dunning", idempotency_key="once")
    before = rows_of(tenant)

    with pytest.raises(StartConflict) as refusal:
        start_runs(
            tenant_id=tenant.pk,
            definition_key="dunning",
            runs=[NewRun(subject="bob"), NewRun(subject="eve", idempotency_key="once")],
        )

    assert refusal.value.detail == [{"index": 1, "idempotency_key": "once"}]
    assert rows_of(tenant) == before


def test_overlapping_signals_for_many_runs_do_not_deadlock(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    publish(tenant, GRACE)
    for round_ in range(10):
        runs = [waiting_run(tenant, subject=f"s{round_}") for _ in range(6)]
        paid(tenant)
        send(tenant, "customer.closed", subject=f"s{round_}")

        answers = together(*[lambda: route_signals(tenant_id=tenant.pk, limit=1) for _ in range(4)])

        assert not [answer for answer in answers if isinstance(answer, Exception)]
        drain(tenant)
        assert {run_of(tenant, run_id).state for run_id in runs} <= {"completed", "stopped"}


def test_several_engines_share_the_work_of_one_tenant(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    publish(tenant, GRACE)
    runs = [start(tenant, "dunning", subject=f"s{n}", correlation={"invoice_id": f"i{n}"}) for n in range(40)]
    receipts = [paid(tenant, f"i{n}") for n in range(40)]

    def engine() -> int:
        return sum(
            route_signals(tenant_id=tenant.pk, limit=3) + advance_due(tenant_id=tenant.pk, limit=3) for _ in range(20)
        )

    assert not [answer for answer in together(engine, engine, engine, engine) if isinstance(answer, Exception)]
    drain(tenant)

    assert {run_of(tenant, run_id).state for run_id in runs} == {"completed"}
    assert {signal_of(tenant, receipt).routed_at is None for receipt in receipts} == {False}


def test_a_signal_that_breaks_the_engine_does_not_block_its_neighbours(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    good_before, bad, good_after = (waiting_run(tenant, correlation={"invoice_id": name}) for name in ("a", "b", "c"))
    receipts = {name: paid(tenant, name) for name in ("a", "b", "c")}
    judge = route._judge

    def break_on_b(batch: Any, one: Any, known: Any) -> None:
        if one.facts.correlation.get("invoice_id") == "b":
            raise ValueError("a bug")
        judge(batch, one, known)

    monkeypatch.setattr(route, "_judge", break_on_b)
    drain(tenant)

    assert [run_of(tenant, run_id).state for run_id in (good_before, bad, good_after)] == [
        "completed",
        "waiting",
        "completed",
    ]
    stuck = signal_of(tenant, receipts["b"])
    assert (stuck.routed_at, stuck.route_failures) == (None, 1)
    assert stuck.route_after is not None

    monkeypatch.setattr(route, "_judge", judge)
    assert route._route(tenant.pk, 1, stuck.pk) == 0, "postponed: not before its time"


def test_a_signal_for_more_runs_than_one_transaction_takes_is_routed_in_parts(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "MOST_RUNS", 4)
    publish(tenant, GRACE)
    runs = [start(tenant, "dunning", subject="ada", correlation={"invoice_id": f"i{n}"}) for n in range(11)]
    drain(tenant)

    receipt = send(tenant, "customer.closed", subject="ada")
    assert route_signals(tenant_id=tenant.pk) == 1
    assert signal_of(tenant, receipt).routed_at is None
    drain(tenant)

    assert {run_of(tenant, run_id).terminal_reason for run_id in runs} == {"customer_left"}
    assert signal_of(tenant, receipt).verdict == "matched"


def test_what_a_wide_signal_does_is_written_while_the_rest_is_decided(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "SLICE", 3)
    wait = {"key": "rest", "kind": "wait", "for": "P1D", "signals": [{"name": "go.on"}]}
    mail = {"key": "mail", "kind": "deliver", "channel": "email", "template": "hello", "to": "data.email"}
    publish(tenant, {"key": "ends", "steps": [wait]})
    words = {"hello": {"subject": "Hello", "text": "Hello"}}
    publish(tenant, {"key": "mails", "templates": words, "steps": [wait, mail]})
    put_subscription(tenant_id=tenant.pk, key="all", url="https://example.org/events", types=["run.completed"])
    data = {"email": "ada@example.org"}
    runs = [start(tenant, key, subject="ada", data=data) for key in ["ends", "mails"] * 5 + ["ends"]]
    drain(tenant)

    receipt = send(tenant, "go.on", subject="ada")
    drain(tenant)

    assert [run_of(tenant, run_id).state for run_id in runs] == ["completed", "active"] * 5 + ["completed"]
    assert signal_of(tenant, receipt).verdict == "matched"
    with tenant_scope(tenant.pk):
        mine = {"tenant_id": tenant.pk}
        assert StepRun.objects.filter(**mine, status="owed").count() == 5
        assert SignalVerdict.objects.filter(**mine, verdict="matched").count() == 11
        assert Event.objects.filter(**mine, type="run.completed").count() == 6
        assert Wait.objects.filter(**mine, closed_at=None).count() == 0
    assert list(verify_trace(tenant_id=tenant.pk)) == []
