"""The support desk: what became of each message, in words that never call a withheld one failed; ids both ways."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Delivery
from deliveries.recipients.why import why
from deliveries.services import resend_delivery
from deliveries.states import DeliveryStatus
from tenants.models import Tenant
from tests.deliveries.conftest import Journey

HELLO = {"hello": {"subject": "Hello", "text": "t"}}
MAIL = {"channel": "email", "template": "hello", "to": "data.email"}
IN_APP = {"channel": "in_app", "template": "hello"}
NOW = datetime(2026, 11, 20, 21, 14, tzinfo=UTC)

SENTENCES: list[tuple[dict[str, Any], str]] = [
    ({"status": "planned"}, "Not sent yet: a worker takes it up next."),
    (
        {"status": "planned", "error": "smtp 451"},
        "Not sent yet: the last try ended with smtp 451, and it is tried again.",
    ),
    (
        {
            "status": "planned",
            "held_until": NOW + timedelta(hours=9),
            "held_by": "quiet_hours",
            "decided_by": "recipient",
            "decided_rule": "quiet hours 22:00–07:00",
        },
        "Held back until 2026-11-21 06:14 UTC by the recipient: quiet hours 22:00–07:00.",
    ),
    ({"status": "planned", "held_until": NOW, "held_by": "cap"}, "Not sent yet: a worker takes it up next."),
    ({"status": "sending"}, "It is being sent."),
    ({"status": "delivered", "delivered_at": NOW}, "Sent at 2026-11-20 21:14 UTC."),
    (
        {
            "status": "delivered",
            "delivered_at": NOW,
            "decided_by": "required_category",
            "decided_rule": "category bills is required",
        },
        "Sent at 2026-11-20 21:14 UTC, because category bills is required.",
    ),
    (
        {
            "status": "suppressed",
            "error": "preference",
            "decided_by": "recipient",
            "decided_rule": "no to channel email",
        },
        "Not sent: the recipient said no to channel email.",
    ),
    (
        {
            "status": "suppressed",
            "error": "preference",
            "decided_by": "tenant_default",
            "decided_rule": "no to everything",
        },
        "Not sent: the tenant's default said no to everything.",
    ),
    (
        {"status": "suppressed", "error": "window", "decided_by": "step", "decided_rule": "window 09:00–17:00"},
        "Not sent, because of the step: window 09:00–17:00.",
    ),
    (
        {"status": "suppressed", "error": "cap", "decided_by": "tenant_default", "decided_rule": "cap a: 1 per P1D"},
        "Not sent, because of the tenant's default: cap a: 1 per P1D.",
    ),
    (
        {"status": "suppressed", "error": "coalesced", "decided_rule": "cap a: 1 per P1D"},
        "Not sent by itself: it was joined to another message by cap a: 1 per P1D.",
    ),
    (
        {"status": "suppressed", "error": "bounced_before", "channel": "email"},
        "Not sent: mail to this address bounced before.",
    ),
    (
        {"status": "suppressed", "error": "bounced_before", "channel": "sms"},
        "Not sent: a message to this number came back before.",
    ),
    (
        {"status": "suppressed", "error": "bounced_before", "channel": "push"},
        "Not sent: none of their browsers takes messages any more.",
    ),
    (
        {"status": "suppressed", "error": "complained_before"},
        "Not sent: whoever has this address complained about a message before.",
    ),
    ({"status": "suppressed", "error": "endpoint_disabled"}, "Not sent: the endpoint is disabled."),
    ({"status": "temporary_failure", "error": "smtp 451"}, "Failed: it could not be sent (smtp 451)."),
    ({"status": "retries_exhausted", "error": "smtp 451"}, "Failed: every try failed (smtp 451)."),
    ({"status": "permanent_failure", "error": "smtp 550"}, "Failed: it could not be sent (smtp 550)."),
    ({"status": "permanent_failure", "error": "no_recipient"}, "Failed: they have no address for this channel."),
    ({"status": "suppressed", "error": "no_recipient"}, "Not sent: they have no address for this channel."),
    (
        {"status": "bounced", "delivered_at": NOW, "bounced_at": NOW, "error": "bounced 5.1.1"},
        "Sent at 2026-11-20 21:14 UTC, and it came back at 2026-11-20 21:14 UTC (bounced 5.1.1).",
    ),
    (
        {"status": "bounced", "bounced_at": NOW, "error": "reported bounced"},
        "It came back at 2026-11-20 21:14 UTC (reported bounced); no try was answered with yes.",
    ),
    ({"status": "unknown"}, "It may or may not have arrived: nobody saw the end of the try."),
    ({"status": "cancelled"}, "Not sent: its run ended before."),
]


@pytest.mark.parametrize(("columns", "sentence"), SENTENCES, ids=[sentence for _, sentence in SENTENCES])
def test_every_outcome_has_its_sentence(columns: dict[str, Any], sentence: str) -> None:
    assert why(Delivery(**columns), NOW) == sentence


def test_no_outcome_is_left_out_and_only_failures_are_called_so() -> None:
    told = {status: [s for c, s in SENTENCES if c["status"] == status] for status in DeliveryStatus.values}
    failed = {status for status, sentences in told.items() if any("ail" in s.replace("mail", "") for s in sentences)}

    assert [status for status, sentences in told.items() if not sentences] == []
    assert failed == {"temporary_failure", "retries_exhausted", "permanent_failure"}


@pytest.fixture
def history(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> Journey:
    """Anna got an inbox item and a mail, refused a second mail; eve got one of each."""
    rest.put("/v1/categories/news", {})
    rest.put("/v1/recipients/anna/preferences", {"rules": [{"category": "news", "channel": "email", "allowed": False}]})
    journey.publish(IN_APP, MAIL, MAIL | {"category": "news"}, templates=HELLO)
    for subject in ("anna", "eve"):
        journey.start(subject, email=f"{subject}-history@example.com")
    for _ in range(3):
        journey.work()
    return journey


def test_a_history_tells_what_was_sent_and_what_was_withheld(rest: APIClient, history: Journey) -> None:
    answer = rest.get("/v1/recipients/anna/history")

    told = [(one["channel"], one["status"], one["why"][:8]) for one in answer.json()["items"]]
    assert told == [
        ("email", "suppressed", "Not sent"),
        ("email", "delivered", "Sent at "),
        ("in_app", "delivered", "Sent at "),
    ]
    assert "anna-history@example.com" not in answer.content.decode()
    assert rest.get("/v1/recipients/nobody/history").json() == {"items": [], "next": None}


def test_a_history_is_filtered_and_paged(rest: APIClient, history: Journey) -> None:
    def found(**query: str) -> int:
        return len(rest.get("/v1/recipients/anna/history", query).json()["items"])

    first = rest.get("/v1/recipients/anna/history", {"limit": "2"}).json()
    second = rest.get("/v1/recipients/anna/history", {"limit": "2", "cursor": first["next"]}).json()
    assert [len(first["items"]), len(second["items"]), second["next"]] == [2, 1, None]
    assert (found(channel="email"), found(status="suppressed"), found(error="preference")) == (2, 1, 1)
    assert (found(category="news"), found(decided_by="recipient"), found(workflow=history.key)) == (1, 1, 3)
    assert (found(workflow="other"), found(step="step_1"), found(template="hello")) == (0, 1, 3)
    assert (found(held="true"), found(held="false")) == (0, 3)
    assert (found(planned_after="2026-01-01T00:00:00Z"), found(planned_before="2026-01-01T00:00:00Z")) == (3, 0)


@pytest.mark.parametrize(
    "query", [{"subject": "eve"}, {"held": "maybe"}, {"planned_after": "yesterday"}, {"decided_by": "me"}, {"run": "x"}]
)
def test_a_filter_that_means_nothing_is_refused(rest: APIClient, query: dict[str, str]) -> None:
    assert rest.get("/v1/recipients/anna/history", query).status_code == 400


def test_ids_link_both_ways(rest: APIClient, history: Journey, tenant: Tenant) -> None:
    items = rest.get("/v1/recipients/eve/history", {"limit": "200"}).json()["items"]
    mail, item = items[0], items[-1]
    again = resend_delivery(tenant_id=tenant.pk, delivery=mail["id"], reason="asked for it")

    old = rest.get(f"/v1/deliveries/{mail['id']}").json()
    new = rest.get(f"/v1/deliveries/{again.public_id}").json()
    assert (old["resends"], new["resend_of"]) == ([new["id"]], old["id"])
    assert new["why"].endswith("Sent again by hand: asked for it.")
    inbox = rest.get("/v1/inbox/eve").json()["items"]
    assert item["inbox_item"] == inbox[0]["id"]
    assert old["inbox_item"] is None
    of_run = rest.get("/v1/deliveries", {"run": old["run_id"]}).json()["items"]
    assert {one["id"] for one in of_run} == {one["id"] for one in items} | {new["id"]}


def test_the_command_tells_the_same(history: Journey, tenant: Tenant) -> None:
    out = StringIO()
    call_command("recipients", "history", "anna", "--tenant", tenant.slug, "--limit", "2", stdout=out)

    refused, sent = out.getvalue().splitlines()
    assert refused.endswith("suppressed: Not sent: the recipient said no to category news, channel email.")
    assert "delivered: Sent at " in sent


def test_sending_rules_by_command(tenant: Tenant, tmp_path: Any) -> None:
    rules = tmp_path / "rules.json"
    rules.write_text('{"quiet_hours": [{"from": "22:00", "to": "07:00"}]}')
    out = StringIO()

    call_command("sending_rules", "put", str(rules), "--tenant", tenant.slug, stdout=StringIO())
    call_command("sending_rules", "show", "--tenant", tenant.slug, stdout=out)

    assert json.loads(out.getvalue()) == {"quiet_hours": [{"from": "22:00", "to": "07:00"}], "caps": []}
    rules.write_text('{"quiet_hours": [{"from": "22:00"}]}')
    with pytest.raises(Exception, match="sending rules are not valid"):
        call_command("sending_rules", "put", str(rules), "--tenant", tenant.slug)
