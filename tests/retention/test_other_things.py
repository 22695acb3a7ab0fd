"""Signals, inbox items and kept answers: what is pruned of them, and what stays for ever."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from signals_app.models import Signal, SignalKey
from signals_app.services.intake import SignalConflict
from tenants.models import IdempotencyRecord, Tenant
from tenants.scope import database_now, tenant_scope
from tests.journeys import GRACE, drain, paid, publish, rows_of, run_of, send, start, waiting_run
from tests.retention.conftest import keep, prune
from workflows.models import Run, SignalVerdict
from workflows.retention.holds import place_hold
from workflows.verify import verify_trace


def age(tenant: Tenant, model: Any, column: str, days: int = 100) -> None:
    with tenant_scope(tenant.pk):
        model.objects.filter(tenant_id=tenant.pk).update(**{column: database_now() - timedelta(days=days)})


def signal_named(tenant: Tenant, external_id: str) -> Signal:
    with tenant_scope(tenant.pk):
        return Signal.objects.get(tenant_id=tenant.pk, external_id=external_id)


def test_a_pruned_signal_still_tells_a_duplicate(tenant: Tenant) -> None:
    said = {"subject": "ada", "correlation": {"invoice_id": "7"}, "data": {"amount": 12}, "external_id": "evt-1"}
    first = send(tenant, "invoice.paid", **said)
    drain(tenant)
    age(tenant, Signal, "received_at")
    keep(tenant, "signals")

    assert prune(tenant) == {"signal": 1, "signal_key": 2}

    stored = signal_named(tenant, "evt-1")
    assert (stored.subject, stored.correlation, stored.payload_sha) == ("", {}, None)
    assert stored.pruned_at is not None
    again = send(tenant, "invoice.paid", **said)
    assert (again.status, again.public_id) == ("duplicate", first.public_id)
    with pytest.raises(SignalConflict):
        send(tenant, "invoice.paid", **(said | {"data": {"amount": 13}}))
    assert rows_of(tenant, (SignalKey,)) == [0]


def test_verdicts_go_with_their_signal_and_the_trace_stays_whole(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)
    age(tenant, Signal, "received_at")
    keep(tenant, "signals")

    assert prune(tenant)["verdict"] == 1

    assert run_of(tenant, run_id).state == "completed"
    assert rows_of(tenant, (SignalVerdict,)) == [0]
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_what_a_live_run_keeps_for_later_stays_and_is_used(tenant: Tenant) -> None:
    publish(tenant, GRACE | {"key": "early"})
    run_id = start(tenant, "early", correlation={"invoice_id": "42"})
    drain(tenant)
    send(tenant, "invoice.disputed", correlation={"invoice_id": "42"})
    drain(tenant)
    age(tenant, Signal, "received_at")
    keep(tenant, "signals")

    assert prune(tenant) == {}

    assert run_of(tenant, run_id).pending_signals == 1


def test_unrouted_young_and_held_signals_stay(tenant: Tenant) -> None:
    send(tenant, "invoice.paid", subject="held", external_id="held")
    drain(tenant)
    send(tenant, "invoice.paid", subject="ada", external_id="unrouted")
    age(tenant, Signal, "received_at")
    send(tenant, "invoice.paid", subject="ada", external_id="young")
    place_hold(tenant_id=tenant.pk, on="subject", value="held", reason="court", placed_by="ada")
    keep(tenant, "signals")

    assert prune(tenant) == {}
    drain(tenant)
    assert prune(tenant)["signal"] == 1
    kept = [signal_named(tenant, name).pruned_at is None for name in ("held", "unrouted", "young")]
    assert kept == [True, False, True]


def test_no_round_walks_over_pruned_signals_again(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.retention.signals.BATCH", 500)
    for number in range(5):
        send(tenant, "invoice.paid", subject="ada", external_id=str(number))
    drain(tenant)
    age(tenant, Signal, "received_at")
    keep(tenant, "signals")
    prune(tenant)

    from workflows.retention.policies import policies

    assert policies(tenant_id=tenant.pk)[0].looked_through == signal_named(tenant, "4").pk


def test_answers_of_long_ago_are_forgotten(tenant: Tenant, rest: Any) -> None:
    said = {"name": "order.placed", "subject": "ada"}
    rest.post("/v1/signals", said, headers={"Idempotency-Key": "k1"})
    age(tenant, IdempotencyRecord, "created_at")
    rest.post("/v1/signals", said | {"subject": "bob"}, headers={"Idempotency-Key": "k2"})
    keep(tenant, "answers")

    assert prune(tenant) == {"answer": 1}

    with tenant_scope(tenant.pk):
        assert [record.key for record in IdempotencyRecord.objects.filter(tenant_id=tenant.pk)] == ["k2"]


def test_a_signal_concerning_a_held_run_stays(tenant: Tenant, ended: Callable[..., Run]) -> None:
    run = ended(tenant)
    age(tenant, Signal, "received_at")
    place_hold(tenant_id=tenant.pk, on="run", value=str(run.public_id), reason="court", placed_by="ada")
    keep(tenant, "signals")

    assert prune(tenant) == {}
