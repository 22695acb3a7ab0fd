"""What a provider reports of a message that undoes another, or of one that is undone."""

from typing import Any

import pytest

from deliveries.models import Delivery, Provider
from deliveries.providers.reports import Report, ReportKind
from deliveries.services import record_bounce
from deliveries.services.reports import take_report
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.deliveries.doubles import HangsUp
from tests.deliveries.test_reports import _places, phones, twilio
from tests.journeys import publish, reasons_of, start, told_of
from tests.steps.test_compensation import REST, UNDO, allowed, ask, cancel, explained, intact, sent, undone, work
from tests.workflows.conftest import probe
from tests.workflows.probe import Probe

__all__ = ["_places", "phones", "probe"]

SMS = {"kind": "deliver", "channel": "sms", "template": "hello"}
TEMPLATES = {"hello": {"text": "Hello"}, "sorry": {"text": "Sorry"}}


def told(tenant: Tenant, compensate: dict[str, Any]) -> int:
    """A run that told somebody and waits."""
    steps = [{"key": "tell", **SMS, "compensate": compensate}, REST]
    publish(tenant, {"key": "order", "templates": TEMPLATES, "steps": steps})
    run_id = start(tenant, "order", data={"phone": "+4366012345678"})
    work(tenant)
    return run_id


def taken_back(tenant: Tenant) -> int:
    """A run whose message was taken back by another."""
    run_id = told(tenant, SMS | {"template": "sorry"})
    cancel(tenant, run_id)
    work(tenant)
    assert undone(tenant, run_id) == [("tell", 1, "succeeded")]
    return run_id


def deliveries(tenant: Tenant) -> list[Delivery]:
    with tenant_scope(tenant.pk):
        return list(Delivery.objects.filter(tenant_id=tenant.pk).order_by("id"))


def report(tenant: Tenant, kind: str, which: int = -1) -> str:
    told = Report(ReportKind(kind), str(deliveries(tenant)[which].public_id), code="30003")
    return take_report(tenant_id=tenant.pk, provider="phones", report=told)


ORDERS = [
    # what is told of the message that undoes; how the compensation stands at last; what the trace says of it
    (["delivered"], "succeeded", []),
    (["failed"], "failed", ["compensation_failed"]),
    (["bounced"], "failed", ["compensation_failed"]),
    (["delivered", "failed"], "succeeded", []),  # a late "failed" undoes nothing
    (["failed", "delivered", "failed"], "succeeded", ["compensation_failed", "compensated"]),
    (["delivered", "bounced", "delivered"], "failed", ["compensation_failed"]),
    (["opened", "bounced"], "succeeded", []),
]


@pytest.mark.parametrize(("kinds", "status", "reasons"), ORDERS)
def test_the_result_of_a_compensation_is_what_was_reported_last(
    kinds: list[str], status: str, reasons: list[str], tenant: Tenant, phones: Provider
) -> None:
    run_id = taken_back(tenant)
    before = len(reasons_of(tenant, run_id))

    for kind in kinds:
        report(tenant, kind)

    assert undone(tenant, run_id) == [("tell", 1, status)]
    assert reasons_of(tenant, run_id)[before:] == reasons
    assert ("compensate" in allowed(explained(tenant, run_id))) == (status == "failed")
    assert intact(tenant, run_id)


def test_a_report_is_told_in_the_trace_and_the_explanation(tenant: Tenant, phones: Provider) -> None:
    run_id = taken_back(tenant)

    report(tenant, "failed")

    line = told_of(tenant, run_id, "compensation_failed")[-1]
    assert line == {
        "compensates": "tell",
        "visit": 1,
        "outcome": "permanent_failure",
        "was": "delivered",
        "reported": "reported failed 30003",
        "error": "reported failed 30003",
        "delivery": str(deliveries(tenant)[-1].public_id),
    }
    said = explained(tenant, run_id)
    assert "Undoing failed for “tell” (permanent_failure)" in said.sentence
    assert [(one.status, one.outcome) for one in said.compensations] == [("failed", "permanent_failure")]


def test_what_failed_by_report_is_sent_again_when_asked_and_old_news_do_not_count(
    tenant: Tenant, phones: Provider
) -> None:
    run_id = taken_back(tenant)
    report(tenant, "delivered")
    report(tenant, "bounced")

    assert ask(tenant, run_id).compensates == ("tell",)

    assert report(tenant, "delivered") == "repeated"  # of the message before: nothing was sent since
    work(tenant)
    assert undone(tenant, run_id) == [("tell", 1, "succeeded")]
    sorry = deliveries(tenant)[-1]
    assert (sorry.status, sorry.error, sorry.confirmed_at, sorry.bounced_at) == ("delivered", "", None, None)
    assert report(tenant, "delivered") == "accepted"
    assert intact(tenant, run_id)


def test_a_bounce_that_somebody_notes_counts_alike(tenant: Tenant, phones: Provider) -> None:
    run_id = taken_back(tenant)

    record_bounce(tenant_id=tenant.pk, delivery=deliveries(tenant)[-1].public_id)

    assert undone(tenant, run_id) == [("tell", 1, "failed")]
    assert reasons_of(tenant, run_id)[-1] == "compensation_failed"


@pytest.mark.parametrize(("kinds", "is_undone"), [(["bounced"], False), (["failed", "delivered"], True)])
def test_a_message_that_came_back_is_not_undone(
    kinds: list[str], is_undone: bool, tenant: Tenant, phones: Provider, probe: Probe
) -> None:
    run_id = told(tenant, UNDO)
    for kind in kinds:
        report(tenant, kind)

    cancel(tenant, run_id)

    work(tenant)
    assert sent(probe) == (["tell:1"] if is_undone else [])


def test_a_message_that_arrived_after_all_is_undone_even_after_the_end(
    tenant: Tenant, phones: Provider, probe: Probe
) -> None:
    run_id = told(tenant, UNDO)
    report(tenant, "failed")
    assert cancel(tenant, run_id).compensates == ()

    report(tenant, "delivered")

    work(tenant)
    assert sent(probe) == ["tell:1"]
    assert intact(tenant, run_id)


@pytest.mark.parametrize("unsure", ["undo", "settle"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_message_whose_tries_had_no_answer_is_undone_once_when_it_turns_out_to_have_arrived(
    unsure: str, when: str, tenant: Tenant, probe: Probe
) -> None:
    tell = {"key": "tell", **SMS, "retry": {"max_attempts": 1}, "compensate": UNDO | {"unsure": unsure}}
    steps = [tell | {"on_outcome": {"retries_exhausted": {"goto": "rest"}}}, REST]
    publish(tenant, {"key": "order", "templates": TEMPLATES, "steps": steps})
    with HangsUp() as dropping:
        twilio(tenant, dropping.url)
        run_id = start(tenant, "order", data={"phone": "+4366012345678"})
        work(tenant)

    for act in (report, cancel) if when == "before" else (cancel, report):
        act(tenant, "delivered") if act is report else act(tenant, run_id)
        work(tenant)

    assert deliveries(tenant)[0].status == "delivered"
    assert sent(probe) == ["tell:1"]
    assert undone(tenant, run_id) == [("tell", 1, "succeeded")]
    assert intact(tenant, run_id)
