"""Tests that a person asks for: no rule for recipients withholds them, and a definition that is switched off does."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Delivery, Preference
from deliveries.services.feedback import record_bounce
from deliveries.services.providers import put_provider
from deliveries.services.words import TEST_RUNS
from tests.deliveries.conftest import Journey
from tests.deliveries.test_providers import chat
from tests.journeys import rows_of
from workflows.models import Definition
from workflows.services.switches import switch_definition
from workflows.states import Cause

HELLO = {"channel": "email", "subject": "Hello", "text": "t"}
MAIL = {"channel": "email", "template": "hello", "to": "data.email"}
NEVER = {"from": "00:00", "to": "23:59"}


@pytest.fixture
def address(rest: APIClient, journey: Journey, smtp_sink: Mailbox, settings: Any) -> str:
    """Of somebody whose mail bounced, at a quiet hour, above a cap, of a tenant that sends to who opted in only."""
    settings.PUBLIC_URL = "https://notify.example.com"
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    mine = f"{journey.key}@example.com"
    rest.put("/v1/templates/hello", HELLO)
    journey.publish(MAIL)
    sent = journey.start("sample", email=mine)
    journey.work()
    record_bounce(tenant_id=journey.tenant.pk, delivery=journey.delivery(sent).public_id)
    caps = [{"name": "one", "channel": "email", "limit": 1, "per": "PT1H", "then": "drop"}]
    rules = {"quiet_hours": [NEVER, {"from": "23:58", "to": "00:01"}], "caps": caps}
    assert rest.put("/v1/sending-rules", rules).status_code == 200
    assert rest.put("/v1/preference-defaults", {"rules": [{"allowed": False}]}).status_code == 200
    return mine


def statuses(rest: APIClient, *runs: str) -> list[str]:
    return [rest.get(f"/v1/deliveries?run={run}").json()["items"][0]["status"] for run in runs]


def test_what_somebody_asks_to_see_is_sent_whatever_the_rules_for_recipients(
    address: str, rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    asked = [rest.post("/v1/templates/hello/test", {"channel": "email", "to": address}) for _ in range(2)]
    for _ in range(2):
        journey.work()
    port = urlsplit(smtp_sink.url).port
    config = {"host": "127.0.0.1", "port": port, "security": "none", "from": "us@example.com"}
    put_provider(tenant_id=journey.tenant.pk, key="own", kind="smtp", config=config)
    asked += [rest.post("/v1/providers/own/test", {"to": address})]
    customer = journey.start("sample", email=address)
    for _ in range(2):
        journey.work()

    assert statuses(rest, *(one.json()["run_id"] for one in asked)) == ["delivered"] * 3
    mails = smtp_sink.to(address)
    assert len(mails) == 4  # the one that bounced, and three tests
    assert ["List-Unsubscribe" in mail for mail in mails] == [True, False, False, False]
    refused = journey.delivery(customer)
    assert (refused.status, refused.error) == ("suppressed", "preference")
    [bounce] = rest.get("/v1/suppressions").json()["items"]
    assert (bounce["word"], bounce["lifted_at"]) == ("bounced", None), "no test lifts what customers' mail met"
    assert [rest.get(f"/v1/runs/{one.json()['run_id']}/explain").json()["afterwards"] for one in asked] == [[]] * 3


def test_the_link_in_a_test_refuses_nothing(
    rest: APIClient, journey: Journey, smtp_sink: Mailbox, settings: Any
) -> None:
    """Its subject may be a real recipient, whom whoever looks at the test must not unsubscribe."""
    settings.PUBLIC_URL = "https://notify.example.com"
    mine = f"{journey.key}@example.com"
    rest.put("/v1/templates/hello", {**HELLO, "text": "{{ unsubscribe_url }}"})

    rest.post("/v1/templates/hello/test", {"channel": "email", "subject": "ada", "to": mine})
    for _ in range(2):
        journey.work()

    [mail] = smtp_sink.to(mine)
    link = mail.get_payload().strip()
    assert link == "https://notify.example.com/unsubscribe/sample"
    assert rest.post(urlsplit(link).path).status_code == 404
    assert rows_of(journey.tenant, (Preference,)) == [0]


def test_a_test_that_is_switched_off_is_not_sent(
    address: str, rest: APIClient, journey: Journey, smtp_sink: Mailbox
) -> None:
    rest.post("/v1/templates/hello/test", {"channel": "email", "to": address})
    by: dict[str, Any] = {"cause": Cause.OPERATOR, "cause_ref": "grace", "why": "a test"}
    switch_definition(tenant_id=journey.tenant.pk, key=TEST_RUNS, level="all_off", **by)
    for _ in range(2):
        journey.work()

    again = rest.post("/v1/templates/hello/test", {"channel": "email", "to": address})

    assert again.status_code == 409
    assert len(smtp_sink.to(address)) == 1


def test_a_chat_that_leads_to_one_place_needs_no_address(
    rest: APIClient, journey: Journey, httpserver: HTTPServer, settings: Any
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    httpserver.expect_request("/hook").respond_with_data("", 202)
    chat(journey.tenant, "ops", httpserver.url_for("/hook"))
    for channel in ("chat", "in_app"):
        rest.put("/v1/templates/hello", {**HELLO, "channel": channel})

    sent = rest.post("/v1/templates/hello/test", {"channel": "chat"})
    nowhere = rest.post("/v1/templates/hello/test", {"channel": "in_app"})
    inbox = rest.post("/v1/templates/hello/test", {"channel": "in_app", "to": "ada"})
    for _ in range(2):
        journey.work()

    assert (sent.status_code, nowhere.status_code, inbox.status_code) == (202, 400, 202)
    assert nowhere.json()["detail"][0]["path"] == "/to"
    assert statuses(rest, sent.json()["run_id"], inbox.json()["run_id"]) == ["delivered"] * 2
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("key", ["chimeway_template_test", "chimeway_provider_test"])
def test_nobody_takes_the_names_of_tests_for_messages_of_their_own(key: str, rest: APIClient, journey: Journey) -> None:
    steps = [{"key": "send", "kind": "deliver", **MAIL, "template": "own"}]
    document = {"key": key, "templates": {"own": {"text": "t"}}, "steps": steps}

    answer = rest.put(f"/v1/definitions/{key}", document)

    assert (answer.status_code, answer.json()["detail"][0]["code"]) == (400, "reserved")
    rows = journey.read(lambda: [m.objects.filter(tenant_id=journey.tenant.pk).count() for m in (Definition, Delivery)])
    assert rows == [0, 0]
