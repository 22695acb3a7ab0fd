"""Quiet hours and windows: who is held back, until when, by which rule; and that nothing goes out early."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Recipient, SendingRules
from deliveries.querysets import DeliveryQuerySet
from deliveries.services import resend_delivery
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from tests.journeys import rows_of
from workflows.explain import explain_run
from workflows.models import Run, StepRun

HELLO = {"hello": {"subject": "Hello", "text": "t"}}
MAIL = {"channel": "email", "template": "hello", "to": "data.email"}


def around_now(hours: int = 2) -> dict[str, Any]:
    """A period in UTC that has begun and lasts at least another hour."""
    now = datetime.now(UTC)
    return {"from": f"{now - timedelta(hours=hours):%H:%M}", "to": f"{now + timedelta(hours=hours):%H:%M}"}


def later() -> dict[str, Any]:
    """A period in UTC that begins in three hours."""
    now = datetime.now(UTC)
    return {"from": f"{now + timedelta(hours=3):%H:%M}", "to": f"{now + timedelta(hours=4):%H:%M}"}


def due_at(journey: Journey, run: Run) -> datetime | None:
    """When the work of a run may be claimed."""
    return journey.read(lambda: StepRun.objects.get(tenant_id=run.tenant_id, run_id=run.pk).due_at)


def let_time_pass(journey: Journey, run: Run) -> None:
    """As though the clock had come to the time that the work is due."""
    mine = StepRun.objects.filter(tenant_id=run.tenant_id, run_id=run.pk)
    journey.read(lambda: mine.update(due_at=datetime.now(UTC) - timedelta(seconds=1)))


@pytest.fixture
def quiet(rest: APIClient, journey: Journey) -> Journey:
    """A journey with one mail, at a quiet hour of the tenant."""
    assert rest.put("/v1/sending-rules", {"quiet_hours": [around_now()]}).status_code == 200
    journey.publish(MAIL, templates=HELLO)
    return journey


def test_a_message_is_held_until_the_quiet_hours_end_and_explain_says_so(
    quiet: Journey, tenant: Tenant, rest: APIClient, smtp_sink: Mailbox
) -> None:
    run = quiet.start("anna", email="held@example.com")
    quiet.work()

    delivery = quiet.delivery(run)
    told = explain_run(tenant_id=tenant.pk, public_id=run.public_id)
    shown = rest.get(f"/v1/deliveries/{delivery.public_id}").json()
    assert (delivery.status, delivery.held_by, delivery.decided_by) == ("planned", "quiet_hours", "tenant_default")
    assert delivery.held_until == due_at(quiet, run)
    assert delivery.held_until is not None
    assert timedelta(hours=1) < delivery.held_until - datetime.now(UTC) < timedelta(hours=2)
    assert delivery.held_until.second == 0
    assert quiet.attempts(run) == []
    assert smtp_sink.to("held@example.com") == []
    assert f"held back until {delivery.held_until:%H:%M} UTC" in told.sentence.replace(
        f"{delivery.held_until:%Y-%m-%d} ", ""
    )
    assert "by the tenant's default: quiet hours " in told.sentence
    assert [one.at for one in told.next if one.on == "attempt"] == [delivery.held_until]
    assert shown["held_until"] is not None
    assert quiet.trace(run)[-1].reason == "work_held"
    assert quiet.run(run).state == "active"


def test_when_the_time_comes_it_goes_out(quiet: Journey, rest: APIClient, smtp_sink: Mailbox) -> None:
    run = quiet.start("anna", email="morning@example.com")
    rest.put("/v1/sending-rules", {"quiet_hours": [later()]})
    let_time_pass(quiet, run)

    quiet.work()

    assert quiet.delivery(run).status == "delivered"
    assert (quiet.delivery(run).held_until, quiet.delivery(run).held_by) == (None, "")
    assert quiet.attempts(run) == [(1, "delivered", "")]
    assert len(smtp_sink.to("morning@example.com")) == 1


def test_it_is_asked_again_when_it_is_sent_and_no_try_is_used_up(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    """Planned by day, taken up by night: a worker that comes too early gives it back."""
    journey.publish(MAIL | {"retry": {"max_attempts": 1}}, templates=HELLO)
    run = journey.start("anna", email="held-again@example.com")
    rest.put("/v1/sending-rules", {"quiet_hours": [around_now()]})

    journey.work()
    held = journey.delivery(run)
    trace = [line.reason for line in journey.trace(run)]
    rest.put("/v1/sending-rules", {})
    let_time_pass(journey, run)
    journey.work()

    assert (held.status, held.held_by) == ("planned", "quiet_hours")
    assert trace[-1] == "work_held"
    assert [word for _, word, _ in journey.attempts(run)] == ["held", "delivered"]
    assert journey.delivery(run).status == "delivered"


def test_a_failure_after_a_hold_has_all_of_its_tries(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish(MAIL | {"retry": {"max_attempts": 2, "backoff": "none", "initial": "PT0S"}}, templates=HELLO)
    run = journey.start("anna", email="twice@example.com")
    rest.put("/v1/sending-rules", {"quiet_hours": [around_now()]})
    journey.work()
    rest.put("/v1/sending-rules", {})
    smtp_sink.answer("twice@example.com", "451 later")

    let_time_pass(journey, run)
    for _ in range(2):
        journey.work()

    assert [word for _, word, _ in journey.attempts(run)] == ["held", "temporary_failure", "temporary_failure"]
    assert journey.delivery(run).status == "retries_exhausted"


@pytest.mark.parametrize(
    ("step", "status"), [({"quiet_hours": "skip"}, "suppressed"), ({"quiet_hours": "override"}, "delivered")]
)
def test_a_step_may_skip_or_override(quiet: Journey, step: dict[str, Any], status: str, smtp_sink: Mailbox) -> None:
    quiet.publish(MAIL | step, templates=HELLO)

    run = quiet.start("anna", email="step@example.com")
    quiet.work()

    assert quiet.delivery(run).status == status
    assert quiet.run(run).state == "completed"
    if status == "suppressed":
        assert (quiet.delivery(run).error, quiet.delivery(run).held_until) == ("quiet_hours", None)


def test_quiet_hours_are_those_of_the_recipients_own_clock(rest: APIClient, journey: Journey) -> None:
    """The same hours by the clock, in three zones: only where it is that hour now is it quiet."""
    rest.put("/v1/sending-rules", {"quiet_hours": [around_now(1)]})
    journey.publish(MAIL, templates=HELLO)
    zones = {"greenwich": "UTC", "kolkata": "Asia/Kolkata", "hawaii": "Pacific/Honolulu", "unknown": None}
    for name, zone in zones.items():
        rest.put(f"/v1/recipients/{name}", {"zone": zone})

    held = {name: journey.delivery(journey.start(name, email="z@example.com")).held_by for name in zones}

    assert held == {"greenwich": "quiet_hours", "kolkata": "", "hawaii": "", "unknown": "quiet_hours"}


def test_a_recipients_own_hours_take_the_place_of_the_tenants(rest: APIClient, quiet: Journey) -> None:
    rest.put("/v1/recipients/owl", {"quiet_hours": []})
    rest.put("/v1/recipients/lark", {"quiet_hours": [around_now(3)]})
    rest.put("/v1/recipients/other", {"quiet_hours": [{**around_now(), "channels": ["webhook"]}]})

    owl, lark, other = (quiet.delivery(quiet.start(name, email="o@example.com")) for name in ("owl", "lark", "other"))

    assert (owl.held_by, other.held_by) == ("", "")
    assert (lark.held_by, lark.decided_by) == ("quiet_hours", "recipient")


def test_a_window_of_the_step_holds_until_it_opens(journey: Journey) -> None:
    journey.publish(MAIL | {"window": later(), "quiet_hours": "override"}, templates=HELLO)

    run = journey.start("anna", email="w@example.com")

    delivery = journey.delivery(run)
    assert (delivery.held_by, delivery.decided_by) == ("window", "step")
    assert f"{delivery.held_until:%H:%M}" == later()["from"]


def test_inboxes_make_no_noise(quiet: Journey, rest: APIClient) -> None:
    quiet.publish({"channel": "in_app", "template": "hello"}, templates=HELLO)
    step = {"key": "a", "kind": "deliver", "channel": "in_app", "template": "hello", "quiet_hours": "skip"}

    refused = rest.post("/v1/definitions", {"key": "b", "templates": HELLO, "steps": [step]})

    assert quiet.delivery(quiet.start("anna")).status == "delivered"
    assert refused.json()["detail"][0]["path"] == "/steps/0/quiet_hours"


def test_what_a_person_sends_again_heeds_no_hour(quiet: Journey, rest: APIClient, smtp_sink: Mailbox) -> None:
    rest.put("/v1/sending-rules", {})
    run = quiet.start("anna", email="resent@example.com")
    quiet.work()
    rest.put("/v1/sending-rules", {"quiet_hours": [around_now()]})

    resend_delivery(tenant_id=run.tenant_id, delivery=quiet.delivery(run).public_id, reason="asked for it")
    quiet.work()

    assert len(smtp_sink.to("resent@example.com")) == 2


def test_held_on_purpose_is_not_overdue(quiet: Journey) -> None:
    run = quiet.start("anna", email="h@example.com")

    def overdue() -> int:
        rows: DeliveryQuerySet = type(quiet.delivery(run)).objects.for_tenant(run.tenant_id)
        return rows.overdue(datetime.now(UTC) + timedelta(minutes=5)).count()

    assert quiet.read(overdue) == 0


def test_a_run_that_ends_takes_what_is_held_with_it(quiet: Journey, rest: APIClient) -> None:
    run = quiet.start("anna", email="h@example.com")

    rest.post(f"/v1/runs/{run.public_id}/cancel", {"reason": "left"})

    assert quiet.delivery(run).status == "cancelled"
    assert due_at(quiet, run) is None


BAD = [
    ({"quiet_hours": [{"from": "22:00"}]}, "/quiet_hours/0/to"),
    ({"quiet_hours": [{"from": "25:00", "to": "07:00"}]}, "/quiet_hours/0/from"),
    ({"quiet_hours": [{"from": "22:00", "to": "22:00"}]}, "/quiet_hours/0/to"),
    ({"quiet_hours": [{"from": "22:00", "to": "07:00", "weekdays": ["funday"]}]}, "/quiet_hours/0/weekdays"),
    ({"quiet_hours": [{"from": "22:00", "to": "07:00", "weekdays": []}]}, "/quiet_hours/0/weekdays"),
    ({"quiet_hours": [{"from": "22:00", "to": "07:00", "channels": ["in_app"]}]}, "/quiet_hours/0/channels"),
    ({"quiet_hours": [{"from": "22:00", "to": "07:00", "zone": "UTC"}]}, "/quiet_hours/0/zone"),
    ({"quiet_hours": "at night"}, "/quiet_hours"),
    ({"quiet_hours": [1]}, "/quiet_hours/0"),
]


@pytest.mark.parametrize(("body", "path"), BAD)
def test_a_fault_is_named_by_its_path_and_nothing_is_written(
    body: dict[str, Any], path: str, rest: APIClient, tenant: Tenant
) -> None:
    answers = [rest.put("/v1/sending-rules", body), rest.put("/v1/recipients/anna", body)]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.json()["detail"][0]["path"] for answer in answers] == [path, path]
    assert rows_of(tenant, (SendingRules, Recipient)) == [0, 0]
