"""The deliver step from plan to outcome: what the run, the delivery, the attempts and the recipient see."""

from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Endpoint
from deliveries.services import put_endpoint, put_template
from deliveries.services.perform import perform_delivery
from tenants.models import Tenant
from tests.deliveries.conftest import Journey
from workflows.errors import StaleAttempt
from workflows.models import Run, StepRun
from workflows.services.control import cancel_runs
from workflows.services.lost_work import end_lost_work
from workflows.services.start import NewRun, start_runs
from workflows.services.turn import engine_turn
from workflows.services.unknown import settle_unknown
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps.base import Claim, Outcome

HELLO = {
    "hello": {"subject": "Hello {{ data.name }}", "text": "Dear {{ data.name }}", "html": "<p>{{ data.name }}</p>"}
}
AT_ONCE = {"max_attempts": 3, "backoff": "none", "initial": "PT0S"}
EMAIL = {"channel": "email", "template": "hello", "retry": AT_ONCE}
LATER = {"kind": "wait", "for": "P1D"}


def test_an_in_app_item_is_delivered_with_the_move_itself(journey: Journey) -> None:
    step = {"channel": "in_app", "template": "hello", "data": {"n": "data.n", "kind": {"const": "hi"}}}
    journey.publish(step, templates=HELLO)

    run = journey.start("bob", name="Bob", n=3)

    (item,) = journey.inbox("bob")
    delivery = journey.delivery(run)
    assert run.state == "completed"
    assert item.content == {"title": "Hello Bob", "body": "Dear Bob", "data": {"n": 3, "kind": "hi"}}
    assert (item.run_public_id, item.step_key, item.delivery_id) == (run.public_id, "step_1", delivery.pk)
    assert (delivery.status, delivery.key) == ("delivered", f"{run.public_id}:step_1:1")
    assert delivery.delivered_at == delivery.settled_at == delivery.planned_at
    settled = next(line for line in journey.trace(run) if line.reason == "step_settled")
    assert (settled.delivery, settled.context["outcome"]) == (delivery.public_id, "delivered")
    assert journey.attempts(run) == []


def test_an_item_may_go_to_somebody_elses_inbox(journey: Journey) -> None:
    journey.publish({"channel": "in_app", "template": "hello", "to": "data.lead"}, templates=HELLO)

    run = journey.start("bob", name="Bob", lead="carol")

    assert [item.subject for item in journey.inbox("carol")] == ["carol"]
    assert journey.inbox("bob") == []
    assert journey.delivery(run).subject == "carol"


def test_many_runs_are_told_in_a_few_statements(journey: Journey, django_assert_max_num_queries: Any) -> None:
    journey.publish({"channel": "in_app", "template": "hello"}, templates=HELLO)
    runs = [NewRun(subject=f"s-{n}", data={"name": str(n)}) for n in range(100)]
    start_runs(tenant_id=journey.tenant.pk, definition_key=journey.key, runs=runs)

    with django_assert_max_num_queries(60):
        engine_turn(tenant_id=journey.tenant.pk)

    assert [item.content["title"] for item in journey.inbox("s-99")] == ["Hello 99"]


def test_a_mail_is_planned_then_sent_and_the_run_goes_on(journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish(EMAIL, templates=HELLO)
    run = journey.start("bob", name="Bob", email="bob-1@example.com")
    planned = journey.delivery(run)

    journey.work()

    (mail,) = smtp_sink.to("bob-1@example.com")
    delivery = journey.delivery(run)
    assert (planned.status, planned.recipient_masked, run.state) == ("planned", "b***@example.com", "active")
    assert mail["Subject"] == "Hello Bob"
    assert (delivery.status, delivery.error, delivery.provider_ref) == ("delivered", "", mail["Message-ID"])
    assert delivery.delivered_at is not None
    assert journey.run(run).state == "completed"
    assert journey.attempts(run) == [(1, "delivered", "")]


def test_the_address_is_kept_nowhere_but_in_the_payload(journey: Journey, smtp_sink: Mailbox) -> None:
    smtp_sink.answer("canary-of-a-mail-77@example.com", "550 5.1.1 <canary-of-a-mail-77@example.com> unknown")
    journey.publish(EMAIL, templates=HELLO)
    run = journey.start("bob", name="Bob", email="canary-of-a-mail-77@example.com")

    journey.work()

    rows = [*journey.deliveries(run), *journey.trace(run)]
    shown = " ".join(str(vars(row)) for row in rows) + str(journey.attempts(run))
    assert "canary-of-a-mail-77" not in shown
    assert journey.delivery(run).error == "smtp 550 5.1.1"


def test_a_temporary_failure_is_tried_again_under_the_same_id(journey: Journey, smtp_sink: Mailbox) -> None:
    smtp_sink.answer("busy@example.com", "451 4.3.0 Try later")
    retry = {"max_attempts": 2, "backoff": "none", "initial": "PT1H"}
    journey.publish({**EMAIL, "retry": retry}, LATER, templates=HELLO)
    run = journey.start("bob", name="Bob", email="busy@example.com")

    journey.work()

    delivery = journey.delivery(run)
    assert (delivery.status, delivery.error, delivery.settled_at) == ("planned", "smtp 451 4.3.0", None)
    assert journey.run(run).state == "active"
    assert journey.attempts(run) == [(1, "temporary_failure", "smtp 451 4.3.0")]


def test_retries_end(journey: Journey, smtp_sink: Mailbox) -> None:
    smtp_sink.answer("never@example.com", "451 4.3.0 Try later")
    journey.publish({**EMAIL, "on_outcome": {"retries_exhausted": {"stop": "no_mail"}}}, templates=HELLO)
    run = journey.start("bob", name="Bob", email="never@example.com")

    journey.work()

    delivery = journey.delivery(run)
    ended = journey.run(run)
    assert [number for number, _, _ in journey.attempts(run)] == [1, 2, 3]
    assert (delivery.status, delivery.error) == ("retries_exhausted", "smtp 451 4.3.0")
    assert (ended.state, ended.terminal_reason) == ("stopped", "no_mail")


def test_a_permanent_failure_is_tried_once(journey: Journey, smtp_sink: Mailbox) -> None:
    smtp_sink.answer("gone@example.com", "550 5.1.1 No such user")
    journey.publish({**EMAIL, "on_outcome": {"permanent_failure": {"goto": "step_3"}}}, LATER, LATER, templates=HELLO)
    run = journey.start("bob", name="Bob", email="gone@example.com")

    journey.work()

    assert journey.delivery(run).status == "permanent_failure"
    assert journey.run(run).step == "step_3"
    assert len(journey.attempts(run)) == 1


NOT_SENT = [
    # (step, data, the error)
    (EMAIL, {"name": "Bob"}, "no_recipient"),
    (EMAIL, {"name": "Bob", "email": "not an address"}, "invalid_address"),
    (EMAIL, {"name": "Bob", "email": "a@example.com\r\nBcc: b@example.com"}, "invalid_address"),
    ({"channel": "in_app", "template": "hello", "to": "data.lead"}, {"name": "Bob"}, "no_recipient"),
    ({"channel": "in_app", "template": "hello"}, {}, "template: undefined variable: data.name"),
]


@pytest.mark.parametrize(("step", "data", "error"), NOT_SENT)
def test_what_cannot_be_sent_fails_when_it_is_planned(
    step: dict[str, Any], data: dict[str, Any], error: str, journey: Journey
) -> None:
    journey.publish({**step, "on_outcome": {"permanent_failure": {"stop": "told_nobody"}}}, templates=HELLO)

    run = journey.start("bob", **data)

    delivery = journey.delivery(run)
    assert (delivery.status, delivery.error) == ("permanent_failure", error)
    assert (run.state, run.terminal_reason) == ("stopped", "told_nobody")
    assert (journey.attempts(run), journey.inbox("bob")) == ([], [])


BAD_WORDING = [
    ({"subject": "S", "text": "{{ data.missing }}"}, "template: undefined variable: data.missing"),
]


@pytest.mark.parametrize(("wording", "error"), BAD_WORDING)
def test_a_message_that_cannot_be_written_fails_once(
    wording: dict[str, str], error: str, journey: Journey, smtp_sink: Mailbox
) -> None:
    journey.publish(EMAIL, templates={"hello": wording})
    run = journey.start("bob", email="words@example.com", lines="a\r\nBcc: eve@example.com")

    journey.work()

    assert journey.attempts(run) == [(1, "permanent_failure", error)]
    assert smtp_sink.to("words@example.com") == []


def test_a_stored_template_serves_definitions_that_have_none(journey: Journey, smtp_sink: Mailbox) -> None:
    words = {"subject": "Stored {{ data.name }}", "text": "t"}
    put_template(tenant_id=journey.tenant.pk, key="hello", channel="email", **words)
    put_template(tenant_id=journey.tenant.pk, key="hello", channel="in_app", subject="In {{ data.name }}", text="t")
    journey.publish({"channel": "in_app", "template": "hello"}, EMAIL)
    run = journey.start("bob", name="Bob", email="stored@example.com")

    journey.work()

    assert journey.inbox("bob")[0].content["title"] == "In Bob"
    assert smtp_sink.to("stored@example.com")[0]["Subject"] == "Stored Bob"
    assert [delivery.status for delivery in journey.deliveries(run)] == ["delivered", "delivered"]


def test_a_webhook_is_posted_and_410_disables_its_endpoint(
    journey: Journey, httpserver: HTTPServer, settings: Any
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    httpserver.expect_ordered_request("/hook").respond_with_data("", 204)
    httpserver.expect_ordered_request("/hook").respond_with_data("", 410)
    put_endpoint(tenant_id=journey.tenant.pk, key="pager", url=httpserver.url_for("/hook"))
    journey.publish({"channel": "webhook", "endpoint": "pager"}, {"channel": "webhook", "endpoint": "pager"})

    run = journey.start("bob")
    journey.work()
    again = journey.start("bob")
    journey.work()

    assert [(d.status, d.error) for d in journey.deliveries(run)] == [
        ("delivered", ""),
        ("permanent_failure", "http 410"),
    ]
    assert [(d.status, d.error) for d in journey.deliveries(again)] == [("suppressed", "endpoint_disabled")] * 2
    endpoint = journey.read(lambda: Endpoint.objects.get(tenant_id=journey.tenant.pk, key="pager"))
    assert (endpoint.enabled, endpoint.disabled_reason) == (False, "gone")
    assert len(httpserver.log) == 2


def test_a_finished_run_cancels_what_nobody_began_to_send(journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish(EMAIL, templates=HELLO)
    run = journey.start("bob", name="Bob", email="cancelled@example.com")

    cancel_runs(
        tenant_id=journey.tenant.pk, public_ids=[run.public_id], cause=Cause.OPERATOR, cause_ref="test", reason="test"
    )
    journey.work()

    assert journey.delivery(run).status == "cancelled"
    assert smtp_sink.to("cancelled@example.com") == []


def test_a_run_that_ends_between_claim_and_send_sends_nothing(journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish({**EMAIL, "retry": AT_ONCE}, templates=HELLO)
    run = journey.start("bob", name="Bob", email="late-cancel@example.com")
    claim = claim_work(tenant_id=journey.tenant.pk, worker="w")
    assert claim is not None
    journey.set_status(run, "cancelled")

    outcome = perform_delivery(claim=claim)
    finish_work(claim=claim, outcome=outcome)

    assert (outcome.word, outcome.error) == ("suppressed", "run_ended")
    assert smtp_sink.to("late-cancel@example.com") == []


def lose_worker(journey: Journey, run: Run) -> Claim:
    """A worker begins to send, and its lease runs out."""
    claim = claim_work(tenant_id=journey.tenant.pk, worker="w")
    assert claim is not None
    journey.set_status(run, "sending")
    mine = StepRun.objects.for_tenant(run.tenant_id).filter(run_id=run.pk)
    journey.read(lambda: mine.update(due_at=run.created_at))
    return claim


def test_what_must_not_happen_twice_is_unknown_when_its_worker_is_lost(journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish({**EMAIL, "at_most_once": True}, templates=HELLO)
    run = journey.start("bob", name="Bob", email="died@example.com")
    zombie = lose_worker(journey, run)

    journey.work()

    delivery = journey.delivery(run)
    assert (delivery.status, delivery.error) == ("unknown", "worker lost")
    assert (journey.run(run).state, journey.run(run).status_reason) == ("active", "unknown_outcome")
    assert journey.attempts(run) == [(1, "unknown", "lease_expired")]
    assert smtp_sink.to("died@example.com") == []
    with pytest.raises(StaleAttempt):
        finish_work(claim=zombie, outcome=Outcome("delivered"))
    assert journey.delivery(run).status == "unknown"


@pytest.mark.parametrize(
    ("outcome", "status", "state"),
    [("delivered", "delivered", "completed"), ("permanent_failure", "permanent_failure", "completed")],
)
def test_somebody_finds_out_what_became_of_it(
    outcome: str, status: str, state: str, journey: Journey, smtp_sink: Mailbox
) -> None:
    journey.publish({**EMAIL, "at_most_once": True}, templates=HELLO)
    run = journey.start("bob", name="Bob", email="found-out@example.com")
    lose_worker(journey, run)
    journey.work()

    key = journey.delivery(run).key
    settle_unknown(tenant_id=run.tenant_id, key=key, outcome=outcome, reason="asked them", cause_ref="olga")

    delivery = journey.delivery(run)
    assert (delivery.status, delivery.error, delivery.settled_at is not None) == (status, "", True)
    assert (delivery.delivered_at is not None) == (outcome == "delivered")
    assert journey.run(run).state == state
    assert smtp_sink.to("found-out@example.com") == []


def test_what_did_not_arrive_is_sent_when_somebody_says_so(journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish({**EMAIL, "at_most_once": True}, templates=HELLO)
    run = journey.start("bob", name="Bob", email="tried-again@example.com")
    lose_worker(journey, run)
    journey.work()

    key = journey.delivery(run).key
    settle_unknown(tenant_id=run.tenant_id, key=key, outcome="retry", reason="never arrived", cause_ref="olga")
    journey.work()

    assert (journey.delivery(run).status, journey.run(run).state) == ("delivered", "completed")
    assert journey.attempts(run) == [(1, "unknown", "lease_expired"), (2, "delivered", "")]
    assert len(smtp_sink.to("tried-again@example.com")) == 1


def test_a_worker_that_died_in_mid_send_is_followed_by_another_try(journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish(EMAIL, templates=HELLO)
    run = journey.start("bob", name="Bob", email="retaken@example.com")
    journey.set_status(run, "sending")

    journey.work()

    assert journey.delivery(run).status == "delivered"
    assert len(smtp_sink.to("retaken@example.com")) == 1


def test_performing_a_settled_delivery_again_sends_nothing(journey: Journey, smtp_sink: Mailbox) -> None:
    journey.publish(EMAIL, templates=HELLO)
    run = journey.start("bob", name="Bob", email="once@example.com")
    claim = claim_work(tenant_id=journey.tenant.pk, worker="w")
    assert claim is not None
    finish_work(claim=claim, outcome=perform_delivery(claim=claim))

    again = perform_delivery(claim=claim)

    assert again.word == "delivered"
    assert len(smtp_sink.to("once@example.com")) == 1
    assert journey.delivery(run).status == "delivered"


def test_the_same_work_of_another_tenant_is_another_delivery(journey: Journey, other_tenant: Tenant) -> None:
    theirs = Journey(other_tenant)
    theirs.key = journey.key
    for one in (journey, theirs):
        one.publish({"channel": "in_app", "template": "hello"}, templates=HELLO)

    journey.start("bob", name="Bob")

    assert len(journey.inbox("bob")) == 1
    assert theirs.inbox("bob") == []


def test_a_quarantined_delivery_is_unknown(journey: Journey) -> None:
    # five workers died of it: it may have been sent any number of times
    journey.publish(EMAIL, templates=HELLO)
    run = journey.start("bob", name="Bob", email="poison@example.com")
    journey.set_status(run, "sending")
    poisoned = {"status": "running", "lost_attempts": 5, "due_at": run.created_at}
    journey.read(lambda: StepRun.objects.for_tenant(run.tenant_id).filter(run_id=run.pk).update(**poisoned))

    end_lost_work(tenant_id=journey.tenant.pk)

    assert journey.delivery(run).status == "unknown"
    assert journey.run(run).state == "failed"
