"""Signals that nobody used within their lifetime expire, and say so."""

from datetime import timedelta

from tenants.models import Tenant
from tests.journeys import GRACE, drain, paid, publish, send, signal_of, start, verdicts_of, waiting_run
from workflows.services.expire import expire_everywhere, expire_signals

OVER = timedelta(0)


def test_what_nobody_used_expires_and_is_still_there_to_see(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    kept, unheard = paid(tenant), send(tenant, "weather.changed")
    drain(tenant)
    assert expire_signals(tenant_id=tenant.pk) == 0, "not before its time"

    assert expire_signals(tenant_id=tenant.pk, lifetime=OVER) == 2

    assert [(signal_of(tenant, one).verdict, signal_of(tenant, one).verdict_reason) for one in (kept, unheard)] == [
        ("expired", "lifetime_over")
    ] * 2
    assert expire_signals(tenant_id=tenant.pk, lifetime=OVER) == 0


def test_what_a_live_run_keeps_is_left_to_it(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    kept = send(tenant, "invoice.disputed", correlation={"invoice_id": "42"})
    drain(tenant)

    assert expire_signals(tenant_id=tenant.pk, lifetime=OVER) == 0
    assert verdicts_of(tenant, kept) == [(run_id, "buffered", "no_wait_open")]


def test_what_a_run_took_after_routing_gets_that_verdict(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    start(tenant, "dunning", correlation={"invoice_id": "42"})
    early = paid(tenant)
    drain(tenant)
    assert signal_of(tenant, early).verdict == "buffered"

    expire_signals(tenant_id=tenant.pk, lifetime=OVER)

    assert signal_of(tenant, early).verdict == "matched"


def test_every_tenant_is_asked_and_the_others_are_not_touched(tenant: Tenant, other_tenant: Tenant) -> None:
    publish(other_tenant, GRACE)
    fresh = paid(other_tenant)
    drain(other_tenant)

    expire_everywhere()

    assert signal_of(other_tenant, fresh).verdict == "buffered"
