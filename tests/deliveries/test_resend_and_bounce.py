"""Sending again because a person says so, and mail that comes back."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.errors import Invalid, NotFound
from deliveries.models import Delivery
from deliveries.services import NotSettled, record_bounce, resend_delivery
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from workflows.models import Run
from workflows.verify import verify_trace

HELLO = {"hello": {"subject": "Hello", "text": "t"}}
EMAIL = {"channel": "email", "template": "hello"}
WAIT = {"kind": "wait", "for": "P1D"}


@pytest.fixture
def sent(journey: Journey, smtp_sink: Mailbox) -> Callable[..., Delivery]:
    """`sent(address)` is a delivered mail of a run that now waits; a bounce would lead it to its last step."""

    def send(address: str) -> Delivery:
        bounced = {"on_outcome": {"bounced": {"goto": "step_3"}}}
        journey.publish({**EMAIL, **bounced}, WAIT, {"channel": "in_app", "template": "hello"}, templates=HELLO)
        run = journey.start("bob", email=address)
        journey.work()
        return journey.delivery(run)

    return send


def test_a_resend_is_a_new_delivery_linked_to_the_old(
    sent: Callable[..., Delivery], journey: Journey, smtp_sink: Mailbox
) -> None:
    address = f"{journey.key}@example.com"
    old = sent(address)

    new = resend_delivery(tenant_id=journey.tenant.pk, delivery=old.public_id, reason="never arrived")
    journey.work()

    first, second = smtp_sink.to(address)
    run = journey.read(lambda: old.run)
    now = journey.deliveries(run)[-1]
    assert (new.resend_of_id, new.resend_reason, new.key) == (old.pk, "never arrived", f"{old.key}:resend-1")
    assert (now.pk, now.status) == (new.pk, "delivered")
    assert first["Message-ID"] != second["Message-ID"]
    assert journey.run(run).state == "waiting"


def test_explain_tells_what_came_after_the_end_and_what_was_sent_again(
    journey: Journey, rest: APIClient, smtp_sink: Mailbox
) -> None:
    journey.publish(EMAIL, templates=HELLO)
    run = journey.start("bob", email="after@example.com")
    journey.work()
    old, trace = journey.delivery(run), journey.trace(run)
    assert explained(rest, run)["afterwards"] == []

    record_bounce(tenant_id=journey.tenant.pk, delivery=old.public_id, error="5.1.1")
    new = resend_delivery(tenant_id=journey.tenant.pk, delivery=old.public_id, reason="a new box")
    journey.work()

    told = explained(rest, run)
    assert [(one["what"], one["delivery"]) for one in told["afterwards"]] == [
        ("bounced", str(old.public_id)),
        ("resent", str(new.public_id)),
    ]
    assert "After its end, the message of “step_1” came back at" in told["sentence"]
    assert "somebody had the message of “step_1” sent again: delivered." in told["sentence"]
    again = rest.get(f"/v1/deliveries/{new.public_id}").json()
    assert (again["resend_of"], again["run_id"]) == (str(old.public_id), str(run.public_id))
    assert journey.trace(run) == trace
    assert (journey.run(run).state, journey.run(run).seq) == ("completed", len(trace))
    assert list(verify_trace(tenant_id=journey.tenant.pk)) == []


def explained(rest: APIClient, run: Run) -> dict[str, Any]:
    return dict(rest.get(f"/v1/runs/{run.public_id}/explain").json())


def test_an_inbox_item_is_resent_at_once(journey: Journey) -> None:
    journey.publish({"channel": "in_app", "template": "hello"}, templates=HELLO)
    old = journey.delivery(journey.start("bob"))

    new = resend_delivery(tenant_id=journey.tenant.pk, delivery=old.public_id, reason="lost")

    assert new.status == "delivered"
    assert [item.delivery_id for item in journey.inbox("bob")] == [old.pk, new.pk]


def test_resends_at_once_get_numbers_of_their_own(
    sent: Callable[..., Delivery], journey: Journey, together: Callable[..., list[Any]]
) -> None:
    old = sent("five-times@example.com")

    def resend() -> Delivery:
        return resend_delivery(tenant_id=journey.tenant.pk, delivery=old.public_id, reason="again")

    made = together(*[resend] * 5)

    assert sorted(new.key.rpartition("-")[2] for new in made) == ["1", "2", "3", "4", "5"]


def test_what_is_still_owed_is_not_resent(journey: Journey) -> None:
    journey.publish(EMAIL, templates=HELLO)
    run = journey.start("bob", email="owed@example.com")

    with pytest.raises(NotSettled):
        resend_delivery(tenant_id=journey.tenant.pk, delivery=journey.delivery(run).public_id, reason="r")

    assert len(journey.deliveries(run)) == 1


@pytest.mark.parametrize("reason", ["", "   ", "x" * 65, "a\0b"])
def test_a_resend_needs_a_reason(reason: str, journey: Journey) -> None:
    with pytest.raises(Invalid):
        resend_delivery(tenant_id=journey.tenant.pk, delivery=uuid.uuid4(), reason=reason)


def test_another_tenants_delivery_is_not_found(
    sent: Callable[..., Delivery], journey: Journey, other_tenant: Tenant
) -> None:
    old = sent("foreign@example.com")

    with pytest.raises(NotFound):
        resend_delivery(tenant_id=other_tenant.pk, delivery=old.public_id, reason="r")
    with pytest.raises(NotFound):
        record_bounce(tenant_id=other_tenant.pk, delivery=old.public_id)

    assert journey.deliveries(journey.read(lambda: old.run))[0].status == "delivered"


def test_a_bounce_moves_a_waiting_run(sent: Callable[..., Delivery], journey: Journey) -> None:
    delivery = sent("bounces@example.com")

    bounced = record_bounce(tenant_id=journey.tenant.pk, provider_ref=delivery.provider_ref, error="bounced 5.1.1")

    run = journey.run(journey.read(lambda: delivery.run))
    assert (bounced.status, bounced.error, bounced.bounced_at is not None) == ("bounced", "bounced 5.1.1", True)
    assert (run.state, len(journey.inbox("bob"))) == ("completed", 1)
    noted = next(line for line in journey.trace(run) if line.reason == "outcome_noted")
    assert (noted.delivery, noted.context["outcome"]) == (delivery.public_id, "bounced")


def test_a_bounce_told_by_many_at_once_counts_once(
    sent: Callable[..., Delivery], journey: Journey, together: Callable[..., list[Any]]
) -> None:
    delivery = sent("many-bounces@example.com")

    def report() -> Delivery:
        return record_bounce(tenant_id=journey.tenant.pk, delivery=delivery.public_id)

    answers = together(*[report] * 8)

    assert {answer.status for answer in answers} == {"bounced"}
    trace = journey.trace(journey.read(lambda: delivery.run))
    assert [line.reason for line in trace].count("outcome_noted") == 1


def test_an_address_that_bounced_is_left_alone_until_a_resend_arrives(
    sent: Callable[..., Delivery], journey: Journey, smtp_sink: Mailbox
) -> None:
    delivery = sent("left-alone@example.com")
    record_bounce(tenant_id=journey.tenant.pk, delivery=delivery.public_id)

    second = journey.start("bob", email="LEFT-alone@example.com")
    journey.work()
    suppressed = journey.deliveries(second)[0]
    resend_delivery(tenant_id=journey.tenant.pk, delivery=delivery.public_id, reason="the mailbox is back")
    journey.work()
    third = journey.start("bob", email="left-alone@example.com")
    journey.work()

    assert (suppressed.status, suppressed.error) == ("suppressed", "bounced_before")
    assert journey.deliveries(third)[0].status == "delivered"
    assert len(smtp_sink.to("left-alone@example.com")) == 3


def test_a_bounce_in_one_tenant_says_nothing_to_another(
    sent: Callable[..., Delivery], journey: Journey, other_tenant: Tenant
) -> None:
    delivery = sent("shared@example.com")
    record_bounce(tenant_id=journey.tenant.pk, delivery=delivery.public_id)
    theirs = Journey(other_tenant)
    theirs.publish(EMAIL, templates=HELLO)

    run = theirs.start("bob", email="shared@example.com")
    theirs.work()

    assert theirs.delivery(run).status == "delivered"
    assert theirs.delivery(run).recipient_digest != delivery.recipient_digest


def test_rest_resends_and_takes_bounces(
    sent: Callable[..., Delivery], rest: APIClient, client_of: Callable[..., APIClient], other_tenant: Tenant
) -> None:
    address = f"/v1/deliveries/{sent('rest-resend@example.com').public_id}"
    theirs = client_of(other_tenant)

    assert rest.post(f"{address}/resend", {}).status_code == 400
    assert theirs.post(f"{address}/resend", {"reason": "r"}).status_code == 404
    assert theirs.post(f"{address}/bounce", {}).status_code == 404
    resent = rest.post(f"{address}/resend", {"reason": "asked for"})
    bounced = rest.post(f"{address}/bounce", {"code": "5.1.1"})
    repeated = rest.post(f"{address}/bounce", {"code": "5.1.1"})

    assert (resent.status_code, resent.json()["resend_of"]) == (201, address.split("/")[3])
    assert (bounced.status_code, bounced.json()["status"], bounced.json()["error"]) == (200, "bounced", "bounced 5.1.1")
    assert repeated.json() == bounced.json()
    assert rest.post(f"{address}/bounce", {"code": "see anna@example.com"}).status_code == 400


def test_a_resend_under_one_idempotency_key_happens_once(sent: Callable[..., Delivery], rest: APIClient) -> None:
    address = f"/v1/deliveries/{sent('idempotent@example.com').public_id}/resend"

    answers = [rest.post(address, {"reason": "r"}, HTTP_IDEMPOTENCY_KEY="once") for _ in range(2)]

    assert len({answer.json()["id"] for answer in answers}) == 1
